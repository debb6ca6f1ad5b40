//! Whether a statement applies to a request (`iam-semantics.md` §9.1, `kubernetes-contract.md` B4).

use super::condition;
use super::facts::{Facts, VariableState};
use super::principal::{Kinds, Who, named};
use super::request::{AccountSlot, Action, OpenName, Request, Resource, Rest, Slot, Slots};
use super::truth::{Applies, Extent, Truth};
use crate::policy::pattern::{ActionPattern, Budget, Case, PrefixMatch, ResourcePattern, Template, eq_fold};
use crate::policy::statement::{Element, Polarity, Soundness};
use crate::policy::{Effect, Statement};
use crate::snapshot::{ResourceTargets, Services};

/// What a statement is matched against.
pub(crate) struct Subject<'a> {
    pub(crate) request: &'a Request<'a>,
    pub(crate) action: Asking<'a>,
    pub(crate) facts: &'a Facts<'a>,
    pub(crate) who: Who<'a>,
    /// Whether the principal has a permissions boundary: a Deny with `NotPrincipal` then always names it
    /// (`iam-semantics.md` §7.2).
    pub(crate) has_boundary: bool,
    /// One account of a request that spans all.
    pub(crate) within: Within<'a>,
    pub(crate) budget: &'a Budget,
}

/// The requested action, taken apart once.
#[derive(Clone, Copy)]
pub(crate) enum Asking<'a> {
    One {
        service: &'a str,
        name: &'a str,
    },
    AnyOf(&'a str),
    /// No action: only a pattern made of stars matches it.
    Nothing,
}

/// The part of a request that spans all accounts which a guardrail protects.
#[derive(Clone, Copy)]
pub(crate) enum Within<'a> {
    /// The request as it is.
    Whole,
    /// What is in this account.
    Account(&'a str),
    /// What is in accounts that are not known by name: none of these.
    OtherThan(&'a dyn Fn(&str) -> bool),
}

/// How a policy's statements reach the request.
#[derive(Clone, Copy)]
pub(crate) enum Reach<'a> {
    /// Attached to the principal: statements name no principal.
    Principal,
    /// Attached to the resource: statements name principals.
    Resource,
    /// Attached to these resources.
    Targets(&'a ResourceTargets),
}

/// The first element of a statement that did not match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mismatch {
    /// An Allow that could not be read as a whole.
    Malformed,
    /// `Action` or `NotAction`.
    Action,
    /// `Resource` or `NotResource`.
    Resource,
    /// The resources that the policy is attached to.
    Target,
    /// `Principal` or `NotPrincipal`.
    Principal,
    /// The condition at this place of the statement.
    Condition(usize),
    /// Each element matches a part of what was asked; an Allow must cover all of it.
    NotCovered,
}

/// What became of a statement.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Outcome {
    pub(crate) applies: Applies,
    pub(crate) kinds: Kinds,
    /// Whether it reaches only a part of what was asked.
    pub(crate) partial: bool,
    pub(crate) mismatch: Option<Mismatch>,
}

// === impl Asking ===

impl<'a> Asking<'a> {
    pub(crate) fn new(action: &'a Action<'_>) -> Self {
        match action {
            Action::One(action) => match action.split_once(':') {
                Some((service, name)) => Self::One { service, name },
                None => Self::Nothing,
            },
            Action::AnyOf(service) => Self::AnyOf(service),
        }
    }

    /// What a statement must speak about to match.
    pub(crate) fn services(self) -> Services {
        match self {
            Self::One { service, .. } | Self::AnyOf(service) => Services::one(service),
            Self::Nothing => Services::ALL,
        }
    }
}

// === impl Outcome ===

impl Outcome {
    fn no(mismatch: Mismatch) -> Self {
        Self {
            applies: Applies::No,
            kinds: Kinds::default(),
            partial: mismatch == Mismatch::NotCovered,
            mismatch: Some(mismatch),
        }
    }
}

/// Matches element after element: action, resource, principal, conditions.
pub(crate) fn applies(statement: &Statement, reach: Reach<'_>, subject: &Subject<'_>) -> Outcome {
    if statement.effect == Effect::Allow && statement.soundness == Soundness::Malformed {
        return Outcome::no(Mismatch::Malformed);
    }
    let outcome = walk(statement, reach, subject);
    if subject.budget.is_spent() {
        return match statement.effect {
            Effect::Allow => Outcome::no(Mismatch::Malformed),
            Effect::Deny => Outcome { applies: Applies::Yes, kinds: Kinds::default(), partial: false, mismatch: None },
        };
    }
    outcome
}

fn walk(statement: &Statement, reach: Reach<'_>, subject: &Subject<'_>) -> Outcome {
    let mut extent = Extent::default();
    if !extent.take(list(&statement.actions, Truth::None, |pattern| action_matches(pattern, subject))) {
        return Outcome::no(Mismatch::Action);
    }
    let effect = statement.effect;
    if effect == Effect::Allow && subject.request.resource.is_forbidden() {
        return Outcome::no(Mismatch::Resource);
    }
    // A slot that no name can fill matches in a Deny: it is in every list of what matches, and in none of what does not.
    let forbidden = match &statement.resources {
        Element::Listed(Polarity::Negated, _) => Truth::None,
        Element::Listed(Polarity::Positive, _) | Element::Absent | Element::Malformed => Truth::All,
    };
    if !extent.take(list(&statement.resources, Truth::All, |pattern| resource_matches(pattern, subject, forbidden))) {
        return Outcome::no(Mismatch::Resource);
    }
    let kinds = match reach {
        Reach::Principal => Kinds::default(),
        Reach::Resource | Reach::Targets(_) => {
            if let Reach::Targets(targets) = reach
                && !extent.take(target(targets, subject))
            {
                return Outcome::no(Mismatch::Target);
            }
            let always = effect == Effect::Deny
                && subject.has_boundary
                && matches!(statement.principals, Element::Listed(Polarity::Negated, _));
            let kinds = if always { Kinds::ANY } else { named(&statement.principals, subject.who) };
            if kinds.is_empty() {
                return Outcome::no(Mismatch::Principal);
            }
            kinds
        }
    };
    for (index, condition) in statement.conditions.iter().enumerate() {
        if !extent.take(condition::holds(condition, subject.facts, subject.budget)) {
            return Outcome::no(Mismatch::Condition(index));
        }
    }
    match effect {
        Effect::Allow => match extent.covers() {
            Applies::No => Outcome::no(Mismatch::NotCovered),
            applies @ (Applies::Undetermined | Applies::Yes) => {
                Outcome { applies, kinds, partial: false, mismatch: None }
            }
        },
        Effect::Deny => Outcome { applies: extent.intersects(), kinds, partial: extent.is_partial(), mismatch: None },
    }
}

/// A list element: one of its entries matches, or none may.
fn list<T>(element: &Element<T>, absent: Truth, matches: impl Fn(&T) -> Truth) -> Truth {
    match element {
        Element::Absent => absent,
        Element::Malformed => Truth::All,
        Element::Listed(polarity, entries) => {
            let mut truth = Truth::None;
            for entry in entries {
                truth = truth.or(matches(entry));
                if truth == Truth::All {
                    break;
                }
            }
            match polarity {
                Polarity::Positive => truth,
                Polarity::Negated => truth.negate(),
            }
        }
    }
}

pub(crate) fn action_matches(pattern: &ActionPattern, subject: &Subject<'_>) -> Truth {
    match (pattern, subject.action) {
        (ActionPattern::Any, _) => Truth::All,
        (ActionPattern::Nothing(_), _) | (ActionPattern::Named { .. }, Asking::Nothing) => Truth::None,
        (ActionPattern::Named { .. }, Asking::One { service, name }) => {
            pattern.matches(service, name, subject.budget).into()
        }
        (ActionPattern::Named { service, name }, Asking::AnyOf(asked)) => {
            if !service.as_deref().is_none_or(|service| eq_fold(service, asked)) {
                Truth::None
            } else if name.is_any() {
                Truth::All
            } else {
                Truth::Some
            }
        }
    }
}

fn target(targets: &ResourceTargets, subject: &Subject<'_>) -> Truth {
    match targets {
        ResourceTargets::Nothing => Truth::None,
        ResourceTargets::Unreadable => Truth::All,
        ResourceTargets::Patterns(patterns) => {
            patterns.iter().fold(Truth::None, |truth, pattern| truth.or(resource_matches(pattern, subject, Truth::All)))
        }
    }
}

/// `forbidden` is what a slot says that no name can fill.
pub(crate) fn resource_matches(pattern: &ResourcePattern, subject: &Subject<'_>, forbidden: Truth) -> Truth {
    let ([partition, service, region, account], rest) = match pattern {
        ResourcePattern::Any => return Truth::All,
        ResourcePattern::Nothing(_) => return Truth::None,
        ResourcePattern::Arn { head, resource } => (head, resource),
    };
    let Resource::Arn(slots) = &subject.request.resource else { return Truth::None };
    let fixed = |template: &Template, text: &str| template.matches(text, Case::Fold, subject.facts, subject.budget);
    // In a pattern an empty cluster slot means this cluster (`design.md` §3).
    let this_cluster = slots.partition == "k8s" && region.as_literal() == Some("");
    if !fixed(partition, &slots.partition) || !(this_cluster || fixed(region, &slots.region)) {
        return Truth::None;
    }
    let service = match &slots.service {
        Slot::One(asked) => fixed(service, asked).into(),
        Slot::Any if service.is_any() => Truth::All,
        Slot::Any => Truth::Some,
        Slot::Forbidden => forbidden,
    };
    service.and(account_slot(account, slots, subject, forbidden)).and(rest_slot(rest, slots, subject, forbidden))
}

fn account_slot(pattern: &Template, slots: &Slots<'_>, subject: &Subject<'_>, forbidden: Truth) -> Truth {
    let fixed = |text: &str| Truth::from(pattern.matches(text, Case::Fold, subject.facts, subject.budget));
    let open = |excluded: &dyn Fn(&str) -> bool| match pattern.as_literal() {
        _ if pattern.is_any() => Truth::All,
        Some(literal) if literal.is_empty() || excluded(literal) => Truth::None,
        Some(_) | None => Truth::Some,
    };
    match (&slots.account, subject.within) {
        (AccountSlot::Forbidden, _) => forbidden,
        (AccountSlot::One(asked), _) => fixed(asked),
        (AccountSlot::Any { .. } | AccountSlot::Either, Within::Account(account)) => fixed(account),
        (AccountSlot::Any { except }, Within::OtherThan(known)) => {
            open(&|literal| known(literal) || except.iter().any(|name| name == literal))
        }
        (AccountSlot::Any { except }, Within::Whole) => open(&|literal| except.iter().any(|name| name == literal)),
        (AccountSlot::Either, Within::OtherThan(known)) => open(known),
        (AccountSlot::Either, Within::Whole) => {
            if pattern.is_any() {
                Truth::All
            } else {
                Truth::Some
            }
        }
    }
}

fn rest_slot(pattern: &Template, slots: &Slots<'_>, subject: &Subject<'_>, forbidden: Truth) -> Truth {
    if slots.rest == Rest::Forbidden {
        return forbidden;
    }
    match subject.facts.variables(pattern) {
        VariableState::Unknown => return Truth::Unknown,
        VariableState::Set => return Truth::Some,
        VariableState::Known => {}
    }
    match &slots.rest {
        Rest::Forbidden => forbidden,
        Rest::One(asked) => pattern.matches(asked, Case::Exact, subject.facts, subject.budget).into(),
        Rest::Any if pattern.is_any() => Truth::All,
        Rest::Any => Truth::Some,
        Rest::Named { prefix, except, name } => {
            if pattern.as_literal().is_some_and(|literal| except.iter().any(|excluded| excluded == literal)) {
                return Truth::None;
            }
            match (pattern.matches_prefix(prefix, Case::Exact, subject.facts, subject.budget), name) {
                (PrefixMatch::All, _) => Truth::All,
                (PrefixMatch::None, _) => Truth::None,
                (PrefixMatch::Some, OpenName::Every) => Truth::Some,
                (PrefixMatch::Some, OpenName::NotYetKnown) => Truth::Unknown,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::standalone::action_entry_matches;
    use super::*;

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig::with_cases(20_000))]

        #[test]
        fn an_action_that_matches_is_of_a_service_that_the_statement_speaks_about(
            pattern in "[aAk\u{212a}*?]{0,3}:?[aA*?:]{0,3}", asked in "[aAk\u{212a}]{0,3}:?[aA]{0,3}", negated: bool,
        ) {
            let pattern = ActionPattern::parse(&pattern);
            let polarity = if negated { Polarity::Negated } else { Polarity::Positive };
            let matches = action_entry_matches(&pattern, &asked) != negated;
            let statement = Statement {
                sid: "".into(),
                effect: Effect::Deny,
                soundness: Soundness::Sound,
                principals: Element::Absent,
                actions: Element::Listed(polarity, Box::new([pattern])),
                resources: Element::Absent,
                conditions: Box::default(),
                at: None,
            };
            let action = Action::One(asked.as_str().into());
            let speaks = Services::of(&statement).meets(Asking::new(&action).services());
            proptest::prop_assert!(speaks || !matches);
        }
    }
}
