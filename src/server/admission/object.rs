//! Changes of our four kinds.

use std::collections::BTreeSet;
use std::sync::Arc;

use smol_str::SmolStr;

use super::reference::References;
use super::review::{Metadata, Operation, Part, Review};
use super::verdict::{Findings, Subject, Verdict};
use super::{applied, effect, ratchet, spec};
use crate::plan::Referrers;
use crate::policy::pattern::{Budget, Case, NoVariables, ResourcePattern};
use crate::policy::report::Quoted;
use crate::policy::tree::{Node, Value};
use crate::store::{Catalog, CatalogReader};
use crate::world::{
    AccountTargets, EntityPath, Kind, ManagedPolicyType, ObjectKey, PolicySpec, ResourceTargets, Settings, UserSpec,
    check, quota, size, user_name,
};

/// The finalizer with which kube-iam keeps what is still named.
const IN_USE: &str = "kube-iam.dev/in-use";
/// What it is for, in the words of a refusal.
const KEEPS: &str = "keeps an object while others name it, and goes by itself when none does";
/// Types of policies.
const TYPES: [&str; 4] = ["Managed", "Resource", "ServiceControl", "ResourceControl"];
/// Controllers of Kubernetes that delete what must go with something else.
const DELETING_CONTROLLERS: [&str; 2] = [
    "system:serviceaccount:kube-system:namespace-controller",
    "system:serviceaccount:kube-system:generic-garbage-collector",
];

/// One change of one object.
struct Change<'r, 'a> {
    key: ObjectKey,
    settings: Settings,
    new: &'r Part<'a>,
    /// `None` on a creation.
    old: Option<&'r Part<'a>>,
}

/// Judges a creation, a change or a deletion.
pub(super) fn judge(kind: Kind, review: &Review<'_>, catalog: &CatalogReader) -> Verdict {
    let (account, name) = review.place();
    let key = ObjectKey { kind, account: account.into(), name: name.into() };
    let mut findings = Findings::default();
    match (review.operation, &review.object, &review.old) {
        (Operation::Delete, _, old) => {
            let controller = DELETING_CONTROLLERS.contains(&review.caller.username.as_str());
            let gone = old.as_ref().is_some_and(|old| old.metadata.is_deleting());
            if !controller && !gone && review.subresource.is_empty() {
                catalog.read(|catalog| judge_deletion(&key, catalog, &mut findings));
            }
        }
        (Operation::Create | Operation::Update, Some(new), old) => {
            let settings = catalog.read(|catalog| catalog.settings().clone());
            let change = Change { key: key.clone(), settings, new, old: old.as_ref() };
            change.judge_metadata(&mut findings);
            // Of a change of the status nothing else is stored.
            if review.subresource.is_empty() {
                change.judge_spec(review, catalog, &mut findings);
            }
        }
        (Operation::Create | Operation::Update | Operation::Connect, ..) => {
            findings.refuse("", format_args!("{key} can be created, changed and deleted; nothing else"));
        }
    }
    findings.verdict(Subject::Object(key))
}

// === deletions ===

/// What is named by others stays: as in AWS, it is taken from them first.
fn judge_deletion(key: &ObjectKey, catalog: &Catalog, findings: &mut Findings) {
    if catalog.namespace(&key.account).is_some_and(|namespace| namespace.deleting) {
        return;
    }
    if let Some(named) = Referrers::of(key, catalog.holders(key)).named() {
        findings.refuse("", format_args!("{key} is still named by {named}; take it from them first"));
    }
}

// === impl Change ===

impl Change<'_, '_> {
    /// What belongs to kube-iam in and around every object.
    fn judge_metadata(&self, findings: &mut Findings) {
        let none = Metadata::default();
        let (new, old) = (&self.new.metadata, self.old.map_or(&none, |old| &old.metadata));
        let held = |metadata: &Metadata| metadata.finalizers.iter().any(|finalizer| finalizer == IN_USE);
        match (held(old), held(new)) {
            (false, true) => {
                let message = format!("`{IN_USE}` is set; it {KEEPS}");
                findings.reserve("metadata.finalizers", message);
            }
            (true, false) => {
                let message =
                    format!("`{IN_USE}` is taken away (by `kubectl replace`, too: use `kubectl apply`); it {KEEPS}");
                findings.reserve("metadata.finalizers", message);
            }
            (false, false) | (true, true) => {}
        }
        if let Some(owner) = new.owner_references.iter().find(|owner| !old.owner_references.contains(owner)) {
            let message = format!(
                "{} is made its owner; with an owner an object of IAM would be deleted, and its restrictions with it",
                Quoted(&format!("{} {}", owner.kind, owner.name))
            );
            findings.reserve("metadata.ownerReferences", message);
        }
        if self.new.status() != self.old.and_then(Part::status) {
            findings.reserve("status", "it is changed; kube-iam writes it");
        }
    }

    fn judge_spec(&self, review: &Review<'_>, catalog: &CatalogReader, findings: &mut Findings) {
        for found in applied::nulls(&self.key, &self.new.metadata, self.old.map(|old| &old.metadata)) {
            let message = format_args!("{} (kubectl leaves the null out when it sends the object)", found.message);
            findings.refuse(found.path, message);
        }
        if review.operation == Operation::Create {
            catalog.read(|catalog| self.judge_number(catalog, findings));
        }
        if self.old.is_some_and(|old| old.spec() == self.new.spec()) {
            return;
        }
        let new = match spec::read(self.new) {
            Ok(new) => new,
            Err(message) => return findings.refuse("spec", message),
        };
        // One that cannot be read is as good as none: nothing in it stood before.
        let old = self.old.and_then(|old| spec::read(old).ok());
        let found = ratchet::new_findings(&self.key, &new, old.as_ref());
        for found in &found {
            findings.refuse(&found.path, &found.message);
        }
        catalog.read(|catalog| self.judge_size(&new, old.as_ref(), catalog, findings));
        self.judge_relations(&new, old.as_ref(), catalog, findings);
        effect::warn_of_refusals(&self.key, &new, &review.caller.username, catalog, findings);
        effect::warn_of_transitions(&spec::object(&self.key, &new), &self.settings, findings);
    }

    /// What a `spec` says about others, and others about it.
    fn judge_relations(&self, new: &Node, old: Option<&Arc<Node>>, catalog: &CatalogReader, findings: &mut Findings) {
        let kind = self.key.kind;
        let nothing = Arc::new(Node::new(Value::Map(Box::default())));
        let before = old.unwrap_or(&nothing);
        let references = References::of(kind, new);
        let management = &self.settings.management_account;
        references.judge_accounts(&self.key, &References::of(kind, before), management, findings);
        match kind {
            Kind::User => {
                let known: BTreeSet<SmolStr> = UserSpec::parse(before).0.identities.into_iter().collect();
                let identities = UserSpec::parse(new).0.identities;
                let claimed: Vec<SmolStr> = identities.into_iter().filter(|name| !known.contains(name)).collect();
                catalog.read(|catalog| self.judge_claims(&claimed, catalog, findings));
            }
            Kind::Policy => {
                let now = PolicySpec::parse(new).0.kind;
                if self.old.is_some() {
                    let last_good =
                        catalog.read(|catalog| catalog.get(&self.key).and_then(|entry| entry.object.last_good.clone()));
                    // What is in force comes first: the old form may have lost by accident what must not change. What is
                    // left as it was changes nothing in force where the new form is not valid either.
                    let forms = [last_good.as_ref(), old];
                    let is_wrong =
                        last_good.is_some() && !check(&spec::object(&self.key, &Arc::new(new.clone()))).is_empty();
                    if !(is_wrong && old.is_some_and(|old| type_of(old) == type_of(new))) {
                        self.judge_type(new, forms, findings);
                    }
                    if !(is_wrong && old.is_some_and(|old| path_of(old) == path_of(new))) {
                        catalog.read(|catalog| self.judge_path(new, forms, catalog, findings));
                    }
                }
                self.judge_targets(&now, &PolicySpec::parse(before).0.kind, catalog, findings);
            }
            Kind::Group | Kind::Role => {}
        }
        catalog.read(|catalog| references.warn_of_missing(&self.key, catalog, findings));
    }

    fn judge_number(&self, catalog: &Catalog, findings: &mut Findings) {
        let ObjectKey { kind, account, .. } = &self.key;
        let most = quota::per_account(*kind);
        if catalog.count(*kind, account) >= most {
            let message = format!("account {} holds {most} of kind {} already", Quoted(account), kind.as_str());
            findings.refuse("metadata.namespace", format_args!("{message}; that is the most it may hold"));
        }
    }

    /// What an account holds in all stays below its quota; what makes an object smaller passes.
    fn judge_size(&self, new: &Arc<Node>, old: Option<&Arc<Node>>, catalog: &Catalog, findings: &mut Findings) {
        let of = |spec: &Arc<Node>| size(&spec::object(&self.key, spec));
        let (now, most) = (of(new), quota::ACCOUNT_SIZE);
        let known = catalog.get(&self.key).map_or(0, |entry| size(&entry.object));
        let others = catalog.size(&self.key.account).saturating_sub(known);
        if others.saturating_add(now) > most && old.is_none_or(|old| now > of(old)) {
            let kib = |bytes: usize| bytes.div_ceil(1 << 10);
            let message = format!(
                "it takes {} KiB of memory, and the other objects of account {} take {} KiB; an account may hold {} KiB",
                kib(now),
                Quoted(&self.key.account),
                kib(others),
                kib(most)
            );
            findings.refuse("spec", message);
        }
    }

    /// One identity is one IamUser of an account.
    fn judge_claims(&self, claimed: &[SmolStr], catalog: &Catalog, findings: &mut Findings) {
        let account = &self.key.account;
        let root = if *account == self.settings.management_account {
            self.settings.management_root.clone()
        } else {
            catalog.namespace(account).and_then(|namespace| namespace.facts.root_identity.clone())
        };
        let root = root.and_then(|root| user_name(&root).ok());
        for identity in claimed {
            if root.as_ref() == Some(identity) {
                let message = format!("{} is root of account {}", Quoted(identity), Quoted(account));
                findings.refuse("spec.identities", format_args!("{message}; root is no IamUser beside"));
            }
            if let Some(other) = catalog.claimants(account, identity).find(|other| **other != self.key) {
                let message = format!(
                    "{} is claimed by IamUser {} too; one identity belongs to one IamUser of an account",
                    Quoted(identity),
                    Quoted(&other.name)
                );
                findings.refuse("spec.identities", message);
            }
        }
    }

    /// The type is what every policy that names this one relies on. The last good form says it of one that is not valid,
    /// for that is in force; else the old form does, and where neither does it may be repaired.
    fn judge_type(&self, new: &Node, forms: [Option<&Arc<Node>>; 2], findings: &mut Findings) {
        let before = forms.into_iter().flatten().find_map(|form| type_of(form));
        // A new one that cannot be read is refused for that, or the same as it was.
        if let (Some(before), Some(now)) = (before, type_of(new))
            && before != now
        {
            let message =
                format!("the type stays {}, found {}; create another policy instead", Quoted(before), Quoted(now));
            findings.refuse("spec.type", message);
        }
    }

    /// The path stands in the ARN by which others name the policy: with another one they name nothing, and what it denies
    /// is denied no more.
    fn judge_path(&self, new: &Node, forms: [Option<&Arc<Node>>; 2], catalog: &Catalog, findings: &mut Findings) {
        let now = path_of(new);
        let before = forms.into_iter().flatten().find_map(|form| path_of(form));
        // A path that nobody could read stood in no ARN.
        let (Some(now), Some(before)) = (now, before) else { return };
        if now == before {
            return;
        }
        if let Some(named) = Referrers::of(&self.key, catalog.holders(&self.key)).named() {
            let message = format!(
                "the path stays {} while the policy is named by {named}; found {}",
                Quoted(before.as_str()),
                Quoted(now.as_str())
            );
            findings.refuse("spec.path", message);
        }
    }

    /// A tenant's policy speaks about what is the tenant's; guardrails are the management account's.
    fn judge_targets(
        &self,
        now: &ManagedPolicyType,
        before: &ManagedPolicyType,
        catalog: &CatalogReader,
        findings: &mut Findings,
    ) {
        let ObjectKey { account, .. } = &self.key;
        let management = &self.settings.management_account;
        if *now == ManagedPolicyType::Resource(ResourceTargets::Nothing) {
            findings.warn("spec.targets", "without targets a Resource policy is attached to nothing");
        }
        if account == management {
            if let Some(targets) = now.account_targets() {
                catalog.read(|catalog| warn_of_targets(targets, management, catalog, findings));
            }
            return;
        }
        match now {
            ManagedPolicyType::Managed => {}
            ManagedPolicyType::ServiceControl { .. } | ManagedPolicyType::ResourceControl { .. } => {
                if std::mem::discriminant(now) != std::mem::discriminant(before) {
                    let message = format!(
                        "guardrails have an effect in the management account {} only; create it there",
                        Quoted(management)
                    );
                    findings.refuse("spec.type", message);
                }
            }
            ManagedPolicyType::Resource(ResourceTargets::Patterns(patterns)) => {
                let known: &[ResourcePattern] = match before {
                    ManagedPolicyType::Resource(ResourceTargets::Patterns(known)) => known,
                    _ => &[],
                };
                for (index, pattern) in patterns.iter().enumerate().filter(|(_, pattern)| !known.contains(pattern)) {
                    let path = format!("spec.targets.resources[{index}]");
                    judge_target(&path, pattern, account, findings);
                }
            }
            ManagedPolicyType::Resource(ResourceTargets::Nothing | ResourceTargets::Unreadable) => {}
        }
    }
}

/// The type of a policy, as far as it can be read.
fn type_of(spec: &Node) -> Option<&str> {
    let Value::Map(_) = spec.value else { return None };
    match spec.get("type").map(|node| &node.value) {
        None | Some(Value::Null) => Some("Managed"),
        Some(Value::Text(text)) => TYPES.contains(&text.as_str()).then_some(text),
        Some(Value::Boolean(_) | Value::Number(_) | Value::List(_) | Value::Map(_)) => None,
    }
}

/// The path of a policy, as far as it can be read.
fn path_of(spec: &Node) -> Option<EntityPath> {
    let Value::Map(_) = spec.value else { return None };
    PolicySpec::parse(spec).0.path
}

/// Targets of a guardrail that nothing meets: a name that is written wrong looks like one that is still to come.
fn warn_of_targets(targets: &AccountTargets, management: &str, catalog: &Catalog, findings: &mut Findings) {
    for account in &targets.accounts {
        let path = "spec.targets.accounts";
        if account == management {
            let message = format!("guardrails do not bind the management account {}", Quoted(account));
            findings.warn(path, message);
        } else if catalog.namespace(account).is_none() {
            findings
                .warn(path, format_args!("there is no namespace {} yet; nothing is refused there", Quoted(account)));
        }
    }
    if let Some(selector) = &targets.selector {
        let mut others = catalog.namespace_names().filter(|name| *name != management);
        let selected =
            |name: &SmolStr| catalog.namespace(name).is_some_and(|entry| selector.selects(&entry.facts.labels));
        if !others.any(selected) {
            findings.warn("spec.targets.accountSelector", "it selects no namespace yet; nothing is refused by it");
        }
    }
}

/// A target of a tenant's policy: a resource of its own account.
fn judge_target(path: &str, pattern: &ResourcePattern, account: &str, findings: &mut Findings) {
    let ResourcePattern::Arn { head: [partition, _, _, slot], .. } = pattern else { return };
    let written = pattern.to_string();
    if slot.as_literal() == Some("") {
        if partition.matches("k8s", Case::Fold, &NoVariables, &Budget::new(Budget::DECISION)) {
            let message = format!(
                "{} has no account: what is cluster-scoped is of the management account, and this policy says nothing \
                 about it",
                Quoted(&written)
            );
            findings.warn(path, message);
        }
    } else if !slot.matches(account, Case::Fold, &NoVariables, &Budget::new(Budget::DECISION)) {
        let message = format!(
            "{} is of another account; a Resource policy speaks about resources of its own account, {}",
            Quoted(&written),
            Quoted(account)
        );
        findings.refuse(path, message);
    }
}
