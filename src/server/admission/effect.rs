//! What a policy does that its author may not have meant. It is admitted all the same: only warnings come from here.

use std::collections::BTreeSet;

use super::verdict::Findings;
use crate::lint::{self, Code};
use crate::policy::pattern::{ActionPattern, ResourcePattern};
use crate::policy::principal::PrincipalPattern;
use crate::policy::statement::{Element, Polarity};
use crate::policy::tree::Node;
use crate::policy::{Effect, Policy, Statement};
use crate::store::{Catalog, CatalogReader};
use crate::world::{
    GroupSpec, Kind, ManagedPolicyType, NamedPolicy, Object, ObjectKey, PolicySpec, ResourceTargets, Settings, UserSpec,
};

/// Warns of Allows that lead to more power through a wildcard (`kubernetes-contract.md` B11).
pub(super) fn warn_of_transitions(object: &Object, settings: &Settings, findings: &mut Findings) {
    let found = lint::of_object(object, settings).into_iter();
    for finding in found.filter(|finding| finding.code == Code::WildcardCoversPrivilegeTransition) {
        findings.warn(&finding.path, format_args!("{} ({})", finding.message, finding.code.as_str()));
    }
}

/// Warns of statements that refuse everything, to everybody or to their author (`kubernetes-contract.md` B12). Whether an
/// author is meant is looked for only where there is such a statement.
pub(super) fn warn_of_refusals(
    key: &ObjectKey,
    spec: &Node,
    author: &str,
    catalog: &CatalogReader,
    findings: &mut Findings,
) {
    let you = |is_author: bool| is_author.then_some("you");
    let named = || you(catalog.read(|catalog| hits_named(key, author, catalog)));
    match key.kind {
        Kind::Policy => {
            let spec = PolicySpec::parse(spec).0;
            let whom = || match &spec.kind {
                ManagedPolicyType::Managed => named(),
                ManagedPolicyType::ServiceControl { .. } => Some("every principal of the accounts it targets"),
                ManagedPolicyType::ResourceControl { .. } => Some("everybody in the accounts it targets"),
                ManagedPolicyType::Resource(ResourceTargets::Patterns(patterns))
                    if patterns.contains(&ResourcePattern::Any) =>
                {
                    Some("everybody in its account")
                }
                ManagedPolicyType::Resource(_) => None,
            };
            warn_of([("spec".to_owned(), &*spec.policy)], whom, findings);
        }
        Kind::User => {
            let spec = UserSpec::parse(spec).0;
            let is_author = || you(spec.identities.iter().any(|identity| identity == author));
            warn_of(inline(&spec.inline), is_author, findings);
        }
        Kind::Group => warn_of(inline(&GroupSpec::parse(spec).0.inline), named, findings),
        Kind::Role => {}
    }
}

/// Whether an author is a user who names this object, by herself or through a group. Of the users of each account that
/// names it only those are looked at whom the author is: few, however many its groups have.
fn hits_named(key: &ObjectKey, author: &str, catalog: &Catalog) -> bool {
    let accounts: BTreeSet<&str> = catalog.referrers(key).map(|referrer| referrer.account.as_str()).collect();
    let names = |holder: &ObjectKey| catalog.references(holder).any(|named| named == key);
    let is_hit = |user: &ObjectKey| {
        names(user) || catalog.references(user).any(|named| named.kind == Kind::Group && names(named))
    };
    accounts.into_iter().any(|account| catalog.claimants(account, author).any(is_hit))
}

fn inline(policies: &[NamedPolicy]) -> impl Iterator<Item = (String, &Policy)> {
    policies.iter().map(|inline| (format!("spec.inlinePolicies[{}]", inline.name), &*inline.policy))
}

fn warn_of<'p>(
    policies: impl IntoIterator<Item = (String, &'p Policy)>,
    whom: impl FnOnce() -> Option<&'static str>,
    findings: &mut Findings,
) {
    let mut found = Vec::new();
    for (path, policy) in policies {
        let all = policy.statements.iter().enumerate().filter(|(_, statement)| refuses_everything(statement));
        found.extend(all.map(|(index, statement)| (path.clone(), statement.label(index))));
    }
    if found.is_empty() {
        return;
    }
    if let Some(whom) = whom() {
        for (path, statement) in found {
            findings.warn(path, format_args!("statement {statement} refuses everything to {whom}"));
        }
    }
}

fn refuses_everything(statement: &Statement) -> bool {
    let actions = any(&statement.actions, |action| match action {
        ActionPattern::Any => true,
        ActionPattern::Named { service, name } => service.as_deref().is_none_or(|s| s == "k8s") && name.is_any(),
        ActionPattern::Nothing(_) => false,
    });
    let resources = any(&statement.resources, |resource| *resource == ResourcePattern::Any);
    let principals = any(&statement.principals, |principal| *principal == PrincipalPattern::Any);
    statement.effect == Effect::Deny
        && statement.conditions.is_empty()
        && actions
        && (resources || statement.resources == Element::Absent)
        && (principals || statement.principals == Element::Absent)
}

/// Whether an element names what it needs to match all.
fn any<T>(element: &Element<T>, is_all: impl Fn(&T) -> bool) -> bool {
    match element {
        Element::Listed(Polarity::Positive, entries) => entries.iter().any(is_all),
        Element::Listed(Polarity::Negated, _) | Element::Absent | Element::Malformed => false,
    }
}
