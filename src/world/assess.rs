//! One object on its own: what it declares, and whether that may grant.

use std::collections::BTreeMap;
use std::sync::Arc;

use smol_str::SmolStr;

use super::digest;
use super::entity::{NamedPolicy, Standing};
use super::finding::{Findings, Path, Quoted};
use super::input::{Input, Kind, Object, ObjectKey, Spec};
use super::outcome::{Finding, Reason};
use super::quota;
use super::spec::name::{NAME_CHARACTERS, PRINCIPAL_NAME_CHARACTERS, namespace, object_name};
use super::spec::{Declared, EntityPath, GroupSpec, PolicySpec, RoleSpec, UserSpec, body, declared};
use crate::name::{Arn, Digest};
use crate::policy::Policy;
use crate::policy::tree::Position;

/// An object, what is in force of its declaration, and what there is to say about it.
#[derive(Debug)]
pub(super) struct Assessed<'a, T> {
    pub object: &'a Object,
    /// What is in force: only its restrictions where `standing` says so.
    pub spec: T,
    /// Which text that is.
    pub form: Form,
    /// Whether it may grant, as far as is known by now.
    pub standing: Standing,
    pub findings: Findings,
    /// Its part of the world's fingerprint.
    pub part: Digest,
}

/// Which text of an object is in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// The one that is declared.
    Current,
    /// The last one that was valid: its positions are those of another text.
    LastGood,
}

// === impl Assessed ===

impl<T> Assessed<'_, T> {
    pub(super) fn key(&self) -> &ObjectKey {
        &self.object.key
    }

    pub(super) fn account(&self) -> &SmolStr {
        &self.object.key.account
    }

    pub(super) fn name(&self) -> &SmolStr {
        &self.object.key.name
    }

    /// Whether its Allows count.
    pub(super) fn grants(&self) -> bool {
        self.standing == Standing::Full
    }

    /// Says why it grants nothing any more.
    pub(super) fn restrict(&mut self, reason: Reason, path: &str, message: String) {
        self.standing = Standing::Restricts;
        self.findings.insist(Finding { reason, path: path.to_owned(), at: None, message });
    }

    /// A reference that leads nowhere. One of a form that nobody sees any more is not worth a word.
    pub(super) fn dangling(&mut self, path: &Path<'_>, at: Option<Position>, message: String) {
        if self.form == Form::Current {
            self.findings.add(Reason::ReferenceNotFound, path, at, message);
        }
    }

    /// A policy inside it, without its Allows where they do not count.
    pub(super) fn in_force(&self, policy: &Arc<Policy>) -> Arc<Policy> {
        if self.grants() { Arc::clone(policy) } else { body::denies_of(policy) }
    }

    /// Policies inside it, without their Allows where they do not count.
    pub(super) fn inline_in_force(&self, policies: &[NamedPolicy]) -> Vec<NamedPolicy> {
        policies
            .iter()
            .map(|inline| NamedPolicy { name: inline.name.clone(), policy: self.in_force(&inline.policy) })
            .collect()
    }

    /// The ARN of the entity. `None` for a namespace or name that can stand in no ARN, and in no cluster.
    pub(super) fn arn(&self, path: &EntityPath) -> Option<Arn> {
        let ObjectKey { kind, account, name } = &self.object.key;
        Arn::new("k8s", "iam", "", account, &format!("{}{path}{name}", kind.arn_word())).ok()
    }
}

// === free functions ===

/// All objects of a kind in the order of their keys, those of one key in an order that depends on nothing but them.
pub(super) fn assess_all<T: Declared>(input: &Input, kind: Kind) -> Vec<Assessed<'_, T>> {
    let objects = input.objects.iter().filter(|object| object.key.kind == kind);
    let mut all: Vec<Assessed<'_, T>> = objects.map(assess).collect();
    all.sort_by(|a, b| {
        let key = |assessed: &Assessed<'_, T>| (assessed.object.uid.clone(), assessed.part.0);
        (a.key().cmp(b.key())).then_with(|| a.object.origin.cmp(&b.object.origin)).then_with(|| key(a).cmp(&key(b)))
    });
    mark_twins(&mut all);
    mark_surplus(&mut all, kind);
    all
}

/// What is wrong with one object, whatever else there is: everything but references, claims of others and the numbers of
/// its account.
pub fn check(object: &Object) -> Vec<Finding> {
    match object.key.kind {
        Kind::User => assess::<UserSpec>(object).findings,
        Kind::Group => assess::<GroupSpec>(object).findings,
        Kind::Role => assess::<RoleSpec>(object).findings,
        Kind::Policy => assess::<PolicySpec>(object).findings,
    }
    .into_vec()
}

/// Judges one object by itself.
pub(super) fn assess<T: Declared>(object: &Object) -> Assessed<'_, T> {
    let mut findings = Findings::default();
    check_key(&object.key, &mut findings);
    let (spec, form) = match &object.spec {
        Spec::Read(node) => {
            let mut problems = Findings::default();
            let spec = declared::read::<T>(node, &mut problems);
            if problems.is_empty() {
                (spec, Form::Current)
            } else {
                findings.append(problems);
                last_good(object).map_or((spec, Form::Current), |spec| (spec, Form::LastGood))
            }
        }
        Spec::Unreadable(why) => {
            findings.add(Reason::Unreadable, "", None, why);
            last_good(object).map_or_else(|| (T::unreadable(), Form::Current), |spec| (spec, Form::LastGood))
        }
    };
    let is_valid = findings.is_empty();
    let standing = if is_valid && !object.deleting { Standing::Full } else { Standing::Restricts };
    let last_good = if is_valid { None } else { object.last_good.as_deref() };
    Assessed { object, spec, form, standing, findings, part: digest::of_judged(object, last_good) }
}

fn last_good<T: Declared>(object: &Object) -> Option<T> {
    let mut findings = Findings::default();
    let spec = declared::read(object.last_good.as_deref()?, &mut findings);
    findings.is_empty().then_some(spec)
}

fn check_key(key: &ObjectKey, findings: &mut Findings) {
    let metadata = Path::ROOT.key("metadata");
    if let Err(message) = namespace(&key.account) {
        findings.invalid(&metadata.key("namespace"), None, message);
    }
    let characters = match key.kind {
        Kind::User | Kind::Role => PRINCIPAL_NAME_CHARACTERS,
        Kind::Group | Kind::Policy => NAME_CHARACTERS,
    };
    if let Err(message) = object_name(&key.name, characters) {
        findings.invalid(&metadata.key("name"), None, message);
    }
}

/// Objects of one key: none of them grants, each of them restricts.
fn mark_twins<T>(all: &mut [Assessed<'_, T>]) {
    for twins in all.chunk_by_mut(|a, b| a.key() == b.key()).filter(|twins| twins.len() > 1) {
        let origins: Vec<String> = twins
            .iter()
            .filter_map(|twin| twin.object.origin.as_ref())
            .map(|origin| format!("{}:{}", origin.file, origin.at))
            .collect();
        let places = if origins.is_empty() { String::new() } else { format!(": {}", origins.join(" and ")) };
        for twin in &mut *twins {
            let message = format!("declared {} times{places}; keep one", origins.len().max(2));
            twin.restrict(Reason::DeclaredTwice, "metadata.name", message);
        }
    }
}

/// Objects beyond what their account may hold, in the order of names.
fn mark_surplus<T>(all: &mut [Assessed<'_, T>], kind: Kind) {
    let most = quota::per_account(kind);
    let mut names: BTreeMap<SmolStr, (usize, SmolStr)> = BTreeMap::new();
    for assessed in all {
        let (number, last) = names.entry(assessed.account().clone()).or_default();
        if *number == 0 || last != assessed.name() {
            *number = number.saturating_add(1);
            *last = assessed.name().clone();
        }
        if *number > most {
            let account = Quoted(assessed.account()).to_string();
            let message = format!(
                "account {account} may hold {most} of kind {}; in the order of names this one comes after them",
                kind.as_str()
            );
            assessed.restrict(Reason::QuotaExceeded, "metadata.name", message);
        }
    }
}
