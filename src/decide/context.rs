//! Facts of a request by key, as far as they are known.

use std::borrow::Cow;

use crate::policy::condition::ConditionKey;

/// The facts of a request. A key that is not here is absent (`iam-semantics.md` §6.4).
#[derive(Clone, Debug, Default)]
pub struct Context<'a> {
    entries: Vec<(Cow<'a, str>, Fact<'a>)>,
    families: Vec<(Cow<'a, str>, Fact<'a>)>,
}

/// What is known of one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fact<'a> {
    /// One value.
    One(Cow<'a, str>),
    /// A multivalued key, also with one value or none.
    Many(Vec<Cow<'a, str>>),
    /// One of several values: the request stands for a set of objects.
    Possible(Possible<'a>),
    /// It has a value that is not known in this phase, or none.
    Unknown,
}

/// The values that a key may have over a set of objects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Possible<'a> {
    /// Which values.
    pub values: PossibleValues<'a>,
    /// Whether the key may also be absent.
    pub absent: Absence,
}

/// Values of a set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PossibleValues<'a> {
    /// One of these.
    Among(Vec<Cow<'a, str>>),
    /// Every value but these.
    AllBut(Vec<Cow<'a, str>>),
}

/// Whether a key may be absent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Absence {
    /// Some of the objects may lack it.
    Possible,
    /// Each of the objects has it.
    Excluded,
}

// === impl Context ===

impl<'a> Context<'a> {
    /// No facts.
    pub fn new() -> Self {
        Self::default()
    }

    /// With room for so many facts.
    pub fn with_capacity(facts: usize) -> Self {
        Self { entries: Vec::with_capacity(facts), families: Vec::new() }
    }

    /// Adds a fact. The first one of a key counts, whatever its case.
    pub fn push(&mut self, key: impl Into<Cow<'a, str>>, fact: Fact<'a>) {
        self.entries.push((key.into(), fact));
    }

    /// Adds a single value.
    pub fn push_one(&mut self, key: impl Into<Cow<'a, str>>, value: impl Into<Cow<'a, str>>) {
        self.push(key, Fact::One(value.into()));
    }

    /// Adds one fact for every key that begins with `prefix`, in any case, and has no fact of its own: what is known of
    /// `aws:ResourceTag/…` when nobody can list the labels. The first family that fits counts.
    pub fn push_family(&mut self, prefix: impl Into<Cow<'a, str>>, fact: Fact<'a>) {
        self.families.push((prefix.into(), fact));
    }

    /// The fact of a key: its own, else that of its family.
    pub fn get(&self, key: &ConditionKey) -> Option<&Fact<'a>> {
        let own = self.entries.iter().find(|(name, fact)| key.matches(name) && is_same_label(key, name, fact));
        own.or_else(|| self.families.iter().find(|(prefix, _)| begins_with(key, prefix))).map(|(_, fact)| fact)
    }

    /// All facts of single keys, in the order added.
    pub fn entries(&self) -> &[(Cow<'a, str>, Fact<'a>)] {
        &self.entries
    }

    /// All facts of families, by prefix, in the order added.
    pub fn families(&self) -> &[(Cow<'a, str>, Fact<'a>)] {
        &self.families
    }
}

/// Conditions ignore the case of keys, labels do not: what a selector says of the label `SECRET` says nothing of the
/// label `secret`, which may stand on the same objects. So it holds for the spelling of the selector alone.
fn is_same_label(key: &ConditionKey, name: &str, fact: &Fact<'_>) -> bool {
    let is_of_selector = match fact {
        Fact::Possible(_) => true,
        Fact::Many(_) => key.folded().starts_with("k8s:labelselector/"),
        Fact::One(_) | Fact::Unknown => false,
    };
    let label = |text: &str| text.split_once('/').map(|(_, label)| label.to_owned());
    !is_of_selector || label(key.written()) == label(name)
}

fn begins_with(key: &ConditionKey, prefix: &str) -> bool {
    let mut folded = key.folded().chars();
    prefix.chars().flat_map(char::to_lowercase).all(|expected| folded.next() == Some(expected))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_of_its_own_wins_over_its_family() {
        let mut context = Context::new();
        context.push_family("aws:ResourceTag/", Fact::Unknown);
        context.push_family("aws:", Fact::Many(vec![]));
        context.push_one("aws:ResourceTag/Team", "a");
        for (key, expected) in [
            ("aws:ResourceTag/team", Some(Fact::One("a".into()))),
            ("AWS:RESOURCETAG/other", Some(Fact::Unknown)),
            ("aws:ResourceTag/", Some(Fact::Unknown)),
            ("aws:ResourceTa", Some(Fact::Many(vec![]))),
            ("k8s:ResourceTag/team", None),
            ("", None),
        ] {
            assert_eq!(context.get(&ConditionKey::new(key)), expected.as_ref(), "{key}");
        }
    }

    #[test]
    fn what_a_selector_says_of_a_label_holds_for_its_spelling_alone() {
        let mut context = Context::new();
        let gone = Fact::Possible(Possible { values: PossibleValues::Among(vec![]), absent: Absence::Possible });
        context.push("aws:ResourceTag/SECRET", gone.clone());
        context.push_family("aws:ResourceTag/", Fact::Unknown);
        context.push("k8s:LabelSelector/Team", Fact::Many(vec!["a".into()]));
        for (key, expected) in [
            ("aws:ResourceTag/SECRET", Some(&gone)),
            ("AWS:resourcetag/SECRET", Some(&gone)),
            ("aws:ResourceTag/secret", Some(&Fact::Unknown)),
            ("k8s:labelselector/Team", Some(&Fact::Many(vec!["a".into()]))),
            ("k8s:LabelSelector/team", None),
        ] {
            assert_eq!(context.get(&ConditionKey::new(key)), expected, "{key}");
        }
    }

    #[test]
    fn an_absent_key_can_be_told_apart_inside_a_family() {
        let mut context = Context::new();
        let absent = Fact::Possible(Possible { values: PossibleValues::Among(vec![]), absent: Absence::Possible });
        context.push("aws:ResourceTag/gone", absent.clone());
        context.push_family("aws:ResourceTag/", Fact::Unknown);
        assert_eq!(context.get(&ConditionKey::new("aws:ResourceTag/gone")), Some(&absent));
    }
}
