//! What a policy does that its author may not have meant. It is admitted all the same: only warnings come from here.

use super::verdict::Findings;
use crate::lint::{self, Code};
use crate::policy::pattern::{ActionPattern, ResourcePattern};
use crate::policy::principal::PrincipalPattern;
use crate::policy::statement::{Element, Polarity};
use crate::policy::tree::Node;
use crate::policy::{Effect, Policy, Statement};
use crate::store::Catalog;
use crate::world::{
    GroupSpec, Kind, ManagedPolicyType, NamedPolicy, Object, ObjectKey, PolicySpec, ResourceTargets, RoleSpec,
    Settings, UserSpec,
};

/// Warns of Allows that lead to more power through a wildcard (`kubernetes-contract.md` B11).
pub(super) fn warn_of_transitions(object: &Object, settings: &Settings, findings: &mut Findings) {
    let found = lint::of_object(object, settings).into_iter();
    for finding in found.filter(|finding| finding.code == Code::WildcardCoversPrivilegeTransition) {
        findings.warn(&finding.path, format_args!("{} ({})", finding.message, finding.code.as_str()));
    }
}

/// Warns of statements that refuse everything, to everybody or to their author (`kubernetes-contract.md` B12).
pub(super) fn warn_of_refusals(key: &ObjectKey, spec: &Node, author: &str, catalog: &Catalog, findings: &mut Findings) {
    match key.kind {
        Kind::Policy => {
            let spec = PolicySpec::parse(spec).0;
            let whom = match &spec.kind {
                ManagedPolicyType::Managed => hits_named(key, author, catalog).then_some("you"),
                ManagedPolicyType::ServiceControl { .. } => Some("every principal of the accounts it targets"),
                ManagedPolicyType::ResourceControl { .. } => Some("everybody in the accounts it targets"),
                ManagedPolicyType::Resource(ResourceTargets::Patterns(patterns))
                    if patterns.contains(&ResourcePattern::Any) =>
                {
                    Some("everybody in its account")
                }
                ManagedPolicyType::Resource(_) => None,
            };
            warn_of(&spec.policy, "spec", whom, findings);
        }
        Kind::User => {
            let spec = UserSpec::parse(spec).0;
            let is_author = spec.identities.iter().any(|identity| identity == author);
            warn_inline(&spec.inline, is_author, findings);
        }
        Kind::Group => warn_inline(&GroupSpec::parse(spec).0.inline, hits_named(key, author, catalog), findings),
        Kind::Role => warn_inline(&RoleSpec::parse(spec).0.inline, false, findings),
    }
}

/// Whether an author is a user who names this object, by herself or through a group.
fn hits_named(key: &ObjectKey, author: &str, catalog: &Catalog) -> bool {
    catalog.referrers(key).any(|referrer| match referrer.kind {
        Kind::User => catalog.claimants(&referrer.account, author).any(|user| user == referrer),
        Kind::Group => catalog
            .referrers(referrer)
            .any(|member| catalog.claimants(&member.account, author).any(|user| user == member)),
        Kind::Role | Kind::Policy => false,
    })
}

fn warn_inline(policies: &[NamedPolicy], is_author: bool, findings: &mut Findings) {
    for inline in policies {
        let path = format!("spec.inlinePolicies[{}]", inline.name);
        warn_of(&inline.policy, &path, is_author.then_some("you"), findings);
    }
}

fn warn_of(policy: &Policy, path: &str, whom: Option<&str>, findings: &mut Findings) {
    let Some(whom) = whom else { return };
    for (index, statement) in
        policy.statements.iter().enumerate().filter(|(_, statement)| refuses_everything(statement))
    {
        findings.warn(path, format_args!("statement {} refuses everything to {whom}", statement.label(index)));
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
