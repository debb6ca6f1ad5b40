//! Every fact that a condition may ask for: of the request, of the principal, of the namespace.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::BTreeMap;

use smol_str::SmolStr;

use super::context::{Context, Fact, Possible};
use crate::policy::condition::ConditionKey;
use crate::policy::pattern::{Resolve, Template, Token};

/// Missing keys that a decision names at most.
const MISSING_KEYS: usize = 32;

/// The facts of one candidate's evaluation.
pub(crate) struct Facts<'a> {
    pub(crate) request: &'a Context<'a>,
    pub(crate) principal: PrincipalFacts<'a>,
    pub(crate) namespace: NamespaceView<'a>,
    pub(crate) missing: &'a RefCell<Vec<SmolStr>>,
}

/// Keys of the principal (`iam-semantics.md` §10.1, `kubernetes-contract.md` B13).
#[derive(Clone, Copy)]
pub(crate) enum PrincipalFacts<'a> {
    /// As the request gives them.
    AsGiven,
    /// From the snapshot; keys without a value are absent whatever the request says.
    Derived(DerivedFacts<'a>),
}

/// The principal's keys as the snapshot knows them.
#[derive(Clone, Copy, Default)]
pub(crate) struct DerivedFacts<'a> {
    pub(crate) arn: Option<&'a str>,
    pub(crate) account: Option<&'a str>,
    pub(crate) principal_type: Option<&'static str>,
    pub(crate) user_id: Option<&'a str>,
    pub(crate) user_name: Option<&'a str>,
    pub(crate) tags: &'a [(SmolStr, SmolStr)],
    pub(crate) groups: &'a [SmolStr],
}

/// Labels of the namespace that owns the resource, `k8s:NamespaceTag/<label>`.
#[derive(Clone, Copy)]
pub(crate) enum NamespaceView<'a> {
    /// As the request gives them.
    AsGiven,
    /// The resource is in no namespace.
    Absent,
    /// These.
    Labels(&'a BTreeMap<SmolStr, SmolStr>),
    /// The namespace exists and its labels are not known.
    Unknown,
    /// Over all namespaces: any value, or absent.
    Any,
    /// One account of a request that spans all; its labels, if known.
    Within { account: &'a str, labels: Option<&'a BTreeMap<SmolStr, SmolStr>> },
}

/// A fact, borrowed.
pub(crate) enum View<'a> {
    One(&'a str),
    Many(Many<'a>),
    Possible(&'a Possible<'a>),
    Anything,
    Unknown,
}

/// The values of a multivalued key.
#[derive(Clone, Copy)]
pub(crate) enum Many<'a> {
    Given(&'a [Cow<'a, str>]),
    Derived(&'a [SmolStr]),
}

/// Whether the variables of a template have values that can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum VariableState {
    Known,
    /// One stands for a set of values.
    Set,
    /// One is not known in this phase.
    Unknown,
}

// === impl Many ===

impl<'a> Many<'a> {
    pub(crate) fn iter(self) -> impl Iterator<Item = &'a str> {
        let (given, derived): (&'a [Cow<'a, str>], &'a [SmolStr]) = match self {
            Many::Given(values) => (values, &[]),
            Many::Derived(values) => (&[], values),
        };
        given.iter().map(|value| &**value).chain(derived.iter().map(SmolStr::as_str))
    }
}

// === impl Facts ===

impl<'a> Facts<'a> {
    /// The fact of a key, and a note if the request does not have it.
    pub(crate) fn get(&self, key: &ConditionKey) -> Option<View<'_>> {
        let view = self.look_up(key);
        if view.is_none() {
            let mut missing = self.missing.borrow_mut();
            if missing.len() < MISSING_KEYS && !missing.iter().any(|known| key.matches(known)) {
                missing.push(key.written().into());
            }
        }
        view
    }

    fn look_up(&self, key: &ConditionKey) -> Option<View<'_>> {
        let folded = key.folded();
        if let PrincipalFacts::Derived(facts) = &self.principal
            && let Some(name) = folded.strip_prefix("aws:")
        {
            match name {
                "principalarn" => return facts.arn.map(View::One),
                "principalaccount" => return facts.account.map(View::One),
                "principaltype" => return facts.principal_type.map(View::One),
                "userid" => return facts.user_id.map(View::One),
                "username" => return facts.user_name.map(View::One),
                "principalgroups" => {
                    return (!facts.groups.is_empty()).then_some(View::Many(Many::Derived(facts.groups)));
                }
                _ => {
                    if let Some(tag) = name.strip_prefix("principaltag/") {
                        let found = facts.tags.iter().find(|(key, _)| ConditionKey::new(tag).matches(key));
                        return found.map(|(_, value)| View::One(value));
                    }
                }
            }
        }
        if let Some(label) = namespace_label(key) {
            match self.namespace {
                NamespaceView::AsGiven => {}
                NamespaceView::Absent => return None,
                NamespaceView::Unknown | NamespaceView::Within { labels: None, .. } => return Some(View::Unknown),
                NamespaceView::Any => return Some(View::Anything),
                NamespaceView::Labels(labels) | NamespaceView::Within { labels: Some(labels), .. } => {
                    return find_label(labels, label);
                }
            }
        }
        if let NamespaceView::Within { account, .. } = self.namespace
            && (folded == "k8s:namespace" || folded == "aws:resourceaccount")
        {
            return Some(View::One(account));
        }
        self.request.get(key).map(|fact| match fact {
            Fact::One(value) => View::One(value),
            Fact::Many(values) => View::Many(Many::Given(values)),
            Fact::Possible(possible) => View::Possible(possible),
            Fact::Unknown => View::Unknown,
        })
    }

    /// Whether a template's variables can be used as they are.
    pub(crate) fn variables(&self, template: &Template) -> VariableState {
        let mut state = VariableState::Known;
        for token in template.tokens() {
            if let Token::Variable(variable) = token {
                match self.get(&variable.key) {
                    Some(View::Unknown) => return VariableState::Unknown,
                    Some(View::Possible(_) | View::Anything) => state = VariableState::Set,
                    Some(View::One(_) | View::Many(_)) | None => {}
                }
            }
        }
        state
    }
}

impl Resolve for Facts<'_> {
    fn value(&self, key: &ConditionKey) -> Option<&str> {
        match self.look_up(key) {
            Some(View::One(value)) if !value.is_empty() => Some(value),
            Some(View::One(_) | View::Many(_) | View::Possible(_) | View::Anything | View::Unknown) | None => None,
        }
    }
}

fn namespace_label(key: &ConditionKey) -> Option<&str> {
    const PREFIX: &str = "k8s:namespacetag/";
    key.folded().starts_with(PREFIX).then(|| key.folded().get(PREFIX.len()..).unwrap_or(""))
}

/// Condition keys ignore case, labels do not: labels that differ in case only cannot be told apart, so what they say is
/// not known.
fn find_label<'a>(labels: &'a BTreeMap<SmolStr, SmolStr>, label: &str) -> Option<View<'a>> {
    let wanted = ConditionKey::new(label);
    let mut found = labels.iter().filter(|(key, _)| wanted.matches(key)).map(|(_, value)| value.as_str());
    match (found.next(), found.next()) {
        (None, _) => None,
        (Some(value), None) => Some(View::One(value)),
        (Some(_), Some(_)) => Some(View::Unknown),
    }
}
