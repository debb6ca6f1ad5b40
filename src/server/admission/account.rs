//! Changes of Namespaces: who is root of an account, and which guardrails reach it (`kubernetes-contract.md` B6).
//!
//! A Namespace belongs to the management account, not to those who administer what is in it. Reserved are: the annotations
//! that name a root; each label that a guardrail of the management account selects by; and a creation that a guardrail with
//! a selector does not reach. The last is there because whoever may delete and create a namespace could otherwise leave a
//! guardrail by creating it again without the label. Nothing is remembered about what had that name before, so every such
//! creation counts; a guardrail that selects `NotIn` or `DoesNotExist` reaches namespaces without labels, and then anybody
//! may create these.

use std::collections::{BTreeMap, BTreeSet};

use smol_str::SmolStr;

use super::review::{Metadata, Operation, Review};
use super::verdict::{Findings, Subject, Verdict};
use crate::policy::report::{Path, Quoted};
use crate::policy::tree::{Entry, Node, Value};
use crate::store::{Catalog, CatalogReader};
use crate::world::{AccountTargets, Object, ObjectKey, PolicySpec, ROOT_IDENTITY, ROOT_MFA, Spec, user_name};

/// The label that Kubernetes derives from the name: nobody can choose it.
const NAME_LABEL: &str = "kubernetes.io/metadata.name";
/// Guardrails that a refusal names for one label.
const GUARDRAILS: usize = 3;

/// Judges a creation or a change.
pub(super) fn judge(review: &Review<'_>, catalog: &CatalogReader) -> Verdict {
    // Kubernetes gives a request on a Namespace its name as namespace.
    let (namespace, name) = review.place();
    let account: SmolStr = if name.is_empty() { namespace } else { name }.into();
    let mut findings = Findings::default();
    match (review.operation, &review.object) {
        (Operation::Create | Operation::Update, Some(new)) => {
            let none = Metadata::default();
            let old = review.old.as_ref().map_or(&none, |old| &old.metadata);
            catalog.read(|catalog| {
                let change = Change { account: &account, new: &new.metadata, old, catalog };
                change.judge_root(&mut findings);
                change.judge_labels(&mut findings);
                if review.operation == Operation::Create {
                    change.judge_reach(&mut findings);
                }
            });
        }
        (Operation::Create | Operation::Update | Operation::Delete | Operation::Connect, _) => {
            findings.refuse("", "of a Namespace, creations and changes are judged here; the registration is wrong");
        }
    }
    findings.verdict(Subject::Account(account))
}

/// One change of one Namespace.
struct Change<'a> {
    account: &'a SmolStr,
    new: &'a Metadata,
    old: &'a Metadata,
    catalog: &'a Catalog,
}

// === impl Change ===

impl Change<'_> {
    fn judge_root(&self, findings: &mut Findings) {
        let metadata = Path::ROOT.key("metadata");
        let annotations = metadata.key("annotations");
        for annotation in [ROOT_IDENTITY, ROOT_MFA] {
            let (new, old) = (self.new.annotations.0.get(annotation), self.old.annotations.0.get(annotation));
            if new == old {
                continue;
            }
            let path = annotations.key(annotation);
            let what = if annotation == ROOT_IDENTITY { "who is root of the account" } else { "what root must prove" };
            let done = if new.is_some() { "set" } else { "taken away" };
            findings.reserve(path, format_args!("it says {what} and is {done}"));
            match (annotation, new) {
                (ROOT_IDENTITY, Some(identity)) => self.judge_identity(&path, identity, findings),
                (ROOT_MFA, Some(value)) if !["optional", "required"].contains(&value.as_str()) => {
                    let message = format!("{} is not `optional`, so root must prove MFA", Quoted(value));
                    findings.warn(path, message);
                }
                _ => {}
            }
        }
    }

    fn judge_identity(&self, path: &Path<'_>, identity: &str, findings: &mut Findings) {
        if *self.account == self.catalog.settings().management_account {
            let message = "ignored in the management account, whose root is named by `--management-root`";
            findings.warn(path, message);
            return;
        }
        match user_name(identity) {
            Err(message) => findings.refuse(path, message),
            Ok(identity) => {
                if let Some(user) = self.catalog.claimants(self.account, &identity).next() {
                    let message =
                        format!("{} is claimed by {user}, which grants nothing from now on", Quoted(&identity));
                    findings.warn(path, message);
                }
            }
        }
    }

    /// Labels that decide which guardrails reach the account.
    fn judge_labels(&self, findings: &mut Findings) {
        let metadata = Path::ROOT.key("metadata");
        let labels = metadata.key("labels");
        let keys: BTreeSet<&String> = self.new.labels.0.keys().chain(self.old.labels.0.keys()).collect();
        for key in keys {
            let is_same = self.new.labels.0.get(key) == self.old.labels.0.get(key);
            if is_same || key == NAME_LABEL {
                continue;
            }
            let guardrails: Vec<&ObjectKey> = self.guardrails(self.catalog.selecting(key)).collect();
            if !guardrails.is_empty() {
                let verb = if guardrails.len() == 1 { "selects" } else { "select" };
                let message = format!("{} {verb} accounts by it", named(&guardrails));
                findings.reserve(labels.key(key), message);
            }
        }
    }

    /// Guardrails with a selector that do not reach a namespace which is being created.
    fn judge_reach(&self, findings: &mut Findings) {
        let labels = self.new.labels.0.iter().map(|(key, value)| (key.into(), value.into()));
        let mut labels: BTreeMap<SmolStr, SmolStr> = labels.collect();
        labels.insert(NAME_LABEL.into(), self.account.clone());
        let passing: Vec<&ObjectKey> = self
            .guardrails(self.catalog.selecting_any())
            .filter(|key| self.catalog.get(key).is_some_and(|entry| !self.is_reached(&entry.object, &labels)))
            .collect();
        if !passing.is_empty() {
            let (select, reach) = match passing.as_slice() {
                [_] => ("selects", "does not reach"),
                _ => ("select", "do not reach"),
            };
            let message = format!("{} {select} accounts by label and {reach} one with these labels", named(&passing));
            findings.reserve("metadata.labels", message);
        }
    }

    /// Those that have an effect.
    fn guardrails<'k>(&self, keys: impl Iterator<Item = &'k ObjectKey>) -> impl Iterator<Item = &'k ObjectKey> {
        let management = self.catalog.settings().management_account.clone();
        keys.filter(move |key| key.account == management)
    }

    /// Whether every form in which a guardrail may be in force reaches the account with these labels.
    fn is_reached(&self, guardrail: &Object, labels: &BTreeMap<SmolStr, SmolStr>) -> bool {
        let current = match &guardrail.spec {
            Spec::Read(spec) => Some(spec),
            Spec::Unreadable(_) => None,
        };
        let mut forms = current.into_iter().chain(&guardrail.last_good);
        forms.all(|spec| targets(spec).is_none_or(|targets| targets.includes(self.account, Some(labels))))
    }
}

/// The accounts of a guardrail; `None` for what is none.
fn targets(spec: &Node) -> Option<AccountTargets> {
    // The statements do not matter here, and reading them takes time.
    let head = spec.entries().iter().filter(|entry: &&Entry| entry.key == "type" || entry.key == "targets");
    let head = Node::new(Value::Map(head.cloned().collect()));
    PolicySpec::parse(&head).0.kind.account_targets().cloned()
}

/// `guardrail a`, `guardrails a, b, c and 2 more`.
fn named(guardrails: &[&ObjectKey]) -> String {
    let names: Vec<String> = guardrails.iter().take(GUARDRAILS).map(|key| Quoted(&key.name).to_string()).collect();
    let plural = if guardrails.len() == 1 { "" } else { "s" };
    let further = match guardrails.len().saturating_sub(GUARDRAILS) {
        0 => String::new(),
        further => format!(" and {further} more"),
    };
    format!("guardrail{plural} {}{further}", names.join(", "))
}
