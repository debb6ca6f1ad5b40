//! One object on its own: what it declares, and whether that may grant.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use smol_str::SmolStr;

use super::digest;
use super::entity::{NamedPolicy, Standing};
use super::finding::{Findings, Path, Quoted};
use super::input::{Input, Kind, Object, ObjectKey, Spec};
use super::outcome::{Finding, Reason};
use super::quota;
use super::size;
use super::spec::name::{NAME_CHARACTERS, PRINCIPAL_NAME_CHARACTERS, namespace, object_name};
use super::spec::{Declared, EntityPath, GroupSpec, PolicySpec, RoleSpec, UserSpec, body, declared};
use crate::name::{Arn, Digest};
use crate::policy::Policy;
use crate::policy::tree::Position;

/// What an object is by itself: a function of it alone.
#[derive(Debug)]
pub(super) struct Judged<T> {
    /// What is in force: only its restrictions where `standing` says so.
    pub spec: T,
    /// Which text that is.
    form: Form,
    /// Whether it may grant, as far as it knows.
    standing: Standing,
    /// What is wrong with it.
    findings: Findings,
    /// Its part of the world's fingerprint.
    pub part: Digest,
    /// How large it is, see [`size::size`].
    size: usize,
    /// Its ARN, once somebody asked.
    arn: OnceLock<Option<Arn>>,
}

/// An object among others, and what there is to say about it.
#[derive(Debug)]
pub(super) struct Assessed<'a, T> {
    pub object: &'a Object,
    pub judged: Arc<Judged<T>>,
    /// Whether it may grant, as far as is known by now.
    pub standing: Standing,
    pub findings: Findings,
}

/// What objects were by themselves when they were last looked at, so that one that is still the same is not read again.
#[derive(Debug)]
pub(super) struct Memo<T>(HashMap<ObjectKey, (Object, Arc<Judged<T>>)>);

/// How large the objects are, account by account, that were looked at so far.
#[derive(Debug, Default)]
pub(super) struct Held<'a>(HashMap<&'a SmolStr, usize>);

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
    pub(super) fn spec(&self) -> &T {
        &self.judged.spec
    }

    pub(super) fn key(&self) -> &ObjectKey {
        &self.object.key
    }

    pub(super) fn account(&self) -> &SmolStr {
        &self.object.key.account
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
        if self.judged.form == Form::Current {
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

    /// The ARN of the entity, which has this path. `None` for a namespace or name that can stand in no ARN, and in no
    /// cluster.
    pub(super) fn arn(&self, path: &EntityPath) -> Option<Arn> {
        let ObjectKey { kind, account, name } = &self.object.key;
        let arn = || Arn::new("k8s", "iam", "", account, &format!("{}{path}{name}", kind.arn_word())).ok();
        self.judged.arn.get_or_init(arn).clone()
    }
}

// === impl Memo ===

impl<T: Declared> Memo<T> {
    fn judged(&mut self, object: &Object) -> Arc<Judged<T>> {
        if let Some((seen, judged)) = self.0.get(&object.key)
            && is_same(seen, object)
        {
            return Arc::clone(judged);
        }
        let judged = Arc::new(judge(object));
        self.0.insert(object.key.clone(), (object.clone(), Arc::clone(&judged)));
        judged
    }

    /// Forgets what is no more. `all` are sorted by their keys.
    fn keep(&mut self, all: &[Assessed<'_, T>]) {
        if self.0.len() > all.len() {
            self.0.retain(|key, _| all.binary_search_by(|assessed| assessed.key().cmp(key)).is_ok());
        }
    }
}

impl<T> Default for Memo<T> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

// === free functions ===

/// Whether all that an object is judged by is the very same: texts are compared by where they lie, not read.
pub fn is_same(a: &Object, b: &Object) -> bool {
    let spec = match (&a.spec, &b.spec) {
        (Spec::Read(a), Spec::Read(b)) => Arc::ptr_eq(a, b),
        (Spec::Unreadable(a), Spec::Unreadable(b)) => a == b,
        (Spec::Read(_), Spec::Unreadable(_)) | (Spec::Unreadable(_), Spec::Read(_)) => false,
    };
    let last_good = match (&a.last_good, &b.last_good) {
        (Some(a), Some(b)) => Arc::ptr_eq(a, b),
        (None, None) => true,
        (Some(_), None) | (None, Some(_)) => false,
    };
    spec && last_good && a.deleting == b.deleting && a.uid == b.uid
}

/// All objects of a kind in the order of their keys, those of one key in an order that depends on nothing but them.
pub(super) fn assess_all<'a, T: Declared>(
    input: &'a Input,
    kind: Kind,
    memo: &mut Memo<T>,
    held: &mut Held<'a>,
) -> Vec<Assessed<'a, T>> {
    let objects = input.objects.iter().filter(|object| object.key.kind == kind);
    let mut all: Vec<Assessed<'_, T>> = objects
        .map(|object| {
            let judged = memo.judged(object);
            Assessed { object, standing: judged.standing, findings: judged.findings.clone(), judged }
        })
        .collect();
    all.sort_by(|a, b| {
        let key = |assessed: &Assessed<'_, T>| (assessed.object.uid.clone(), assessed.judged.part.0);
        (a.key().cmp(b.key())).then_with(|| a.object.origin.cmp(&b.object.origin)).then_with(|| key(a).cmp(&key(b)))
    });
    memo.keep(&all);
    mark_twins(&mut all);
    mark_surplus(&mut all, kind);
    mark_excess(&mut all, held);
    all
}

/// What is wrong with one object, whatever else there is: everything but references, claims of others and the numbers of
/// its account.
pub fn check(object: &Object) -> Vec<Finding> {
    match object.key.kind {
        Kind::User => judge::<UserSpec>(object).findings,
        Kind::Group => judge::<GroupSpec>(object).findings,
        Kind::Role => judge::<RoleSpec>(object).findings,
        Kind::Policy => judge::<PolicySpec>(object).findings,
    }
    .into_vec()
}

/// Judges one object by itself.
pub(super) fn judge<T: Declared>(object: &Object) -> Judged<T> {
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
    let part = digest::of_judged(object, last_good);
    Judged { spec, form, standing, findings, part, size: size::of_judged(object, last_good), arn: OnceLock::new() }
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
    // They are sorted: those of one account stand together, and those of one name.
    let mut number = 0usize;
    let mut last: Option<&ObjectKey> = None;
    for assessed in all {
        let key = &assessed.object.key;
        number = match last {
            Some(last) if last == key => number,
            Some(last) if last.account == key.account => number.saturating_add(1),
            Some(_) | None => 1,
        };
        last = Some(key);
        if number > most {
            let account = Quoted(assessed.account()).to_string();
            let message = format!(
                "account {account} may hold {most} of kind {}; in the order of names this one comes after them",
                kind.as_str()
            );
            assessed.restrict(Reason::QuotaExceeded, "metadata.name", message);
        }
    }
}

/// Objects that come when those before them take all that their account may hold: policies first, then groups, users and
/// roles, each in the order of names. One that exceeds it counts as well: what it restricts stays.
fn mark_excess<'a, T>(all: &mut [Assessed<'a, T>], held: &mut Held<'a>) {
    for assessed in all {
        let object = assessed.object;
        let held = held.0.entry(&object.key.account).or_default();
        *held = held.saturating_add(assessed.judged.size);
        if *held > quota::ACCOUNT_SIZE {
            let kib = |bytes: usize| bytes.div_ceil(1 << 10);
            let message = format!(
                "account {} may hold objects of {} KiB; this one, of {} KiB, comes after them",
                Quoted(&object.key.account),
                kib(quota::ACCOUNT_SIZE),
                kib(assessed.judged.size)
            );
            assessed.restrict(Reason::QuotaExceeded, "spec", message);
        }
    }
}
