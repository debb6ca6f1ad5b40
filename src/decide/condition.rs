//! Whether a condition holds (`iam-semantics.md` §6, `kubernetes-contract.md` B4).

use std::cmp::Ordering;

use super::context::{Absence, PossibleValues};
use super::facts::{Facts, VariableState, View};
use super::truth::Truth;
use crate::policy::condition::{
    ArnTemplate, Base, Condition, Decimal, Instant, MissingKey, Network, Quantifier, Values, value,
};
use crate::policy::pattern::{Budget, Case, Template, eq_fold};

/// What one value of the policy says about one value of the request.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Comparison {
    Match,
    NoMatch,
    /// One of the two cannot be read as the operator's type: neither the operator nor its negation is true.
    Bad,
}

/// One request value, or none.
#[derive(Clone, Copy)]
enum Present<'a> {
    Missing,
    One(&'a str),
    Many(super::facts::Many<'a>),
}

pub(crate) fn holds(condition: &Condition, facts: &Facts<'_>, budget: &Budget) -> Truth {
    let fact = facts.get(&condition.key);
    let variables = variables_of(&condition.values, facts);
    match (fact, variables) {
        (Some(View::Unknown), _) | (_, VariableState::Unknown) => Truth::Unknown,
        (_, VariableState::Set) => Truth::Some,
        (None, VariableState::Known) => single(condition, Present::Missing, facts, budget).into(),
        (Some(View::One(value)), VariableState::Known) => single(condition, Present::One(value), facts, budget).into(),
        (Some(View::Many(values)), VariableState::Known) => {
            single(condition, Present::Many(values), facts, budget).into()
        }
        (Some(View::Possible(possible)), VariableState::Known) => {
            let present = match &possible.values {
                PossibleValues::Among(values) => values
                    .iter()
                    .map(|value| single(condition, Present::One(value), facts, budget).into())
                    .reduce(over_members),
                PossibleValues::AllBut(except) => Some(all_but(condition, &|text| except.iter().any(|x| x == text))),
            };
            let absent = match possible.absent {
                Absence::Possible => Some(single(condition, Present::Missing, facts, budget).into()),
                Absence::Excluded => None,
            };
            // A set without any member cannot be asked for; if it is, nothing is proved.
            [present, absent].into_iter().flatten().reduce(over_members).unwrap_or(Truth::Some)
        }
        (Some(View::Anything), VariableState::Known) => {
            over_members(all_but(condition, &|_| false), single(condition, Present::Missing, facts, budget).into())
        }
    }
}

/// What holds for two parts of a set holds for the whole only if it is the same.
fn over_members(a: Truth, b: Truth) -> Truth {
    if a == b { a } else { Truth::Some }
}

/// The condition over every present value but the excluded ones.
fn all_but(condition: &Condition, excluded: &dyn Fn(&str) -> bool) -> Truth {
    if condition.operator.quantifier != Quantifier::None {
        return Truth::Some;
    }
    match (&condition.values, condition.operator.base) {
        (Values::Null(expected), _) => {
            // A present value is null only if it is empty.
            let for_present = expected.contains(&Some(false));
            let for_empty = expected.contains(&Some(true));
            if excluded("") { for_present.into() } else { over_members(for_present.into(), for_empty.into()) }
        }
        (
            Values::Text(patterns),
            base @ (Base::StringEquals | Base::StringLike | Base::StringNotEquals | Base::StringNotLike),
        ) => {
            let positive = if patterns.iter().any(Template::is_any) {
                Truth::All
            } else if patterns.iter().all(|pattern| pattern.as_literal().is_some_and(excluded)) {
                Truth::None
            } else {
                Truth::Some
            };
            if base.is_negated() { positive.negate() } else { positive }
        }
        _ => Truth::Some,
    }
}

fn variables_of(values: &Values, facts: &Facts<'_>) -> VariableState {
    let worst = |states: &mut dyn Iterator<Item = VariableState>| {
        states.fold(VariableState::Known, |worst, state| match (worst, state) {
            (VariableState::Unknown, _) | (_, VariableState::Unknown) => VariableState::Unknown,
            (VariableState::Set, _) | (_, VariableState::Set) => VariableState::Set,
            (VariableState::Known, VariableState::Known) => VariableState::Known,
        })
    };
    match values {
        Values::Text(templates) => worst(&mut templates.iter().map(|template| facts.variables(template))),
        Values::Arn(templates) => worst(
            &mut templates
                .iter()
                .flatten()
                .flat_map(|arn| arn.segments.iter())
                .map(|template| facts.variables(template)),
        ),
        Values::Number(_) | Values::Date(_) | Values::Binary(_) | Values::Address(_) | Values::Null(_) => {
            VariableState::Known
        }
    }
}

fn single(condition: &Condition, present: Present<'_>, facts: &Facts<'_>, budget: &Budget) -> bool {
    let operator = condition.operator;
    if let Values::Null(expected) = &condition.values {
        return null(operator.quantifier, present, expected);
    }
    let one = |value: &str| one(operator.base, &condition.values, value, facts, budget);
    match (operator.quantifier, present) {
        (Quantifier::ForAllValues, Present::Missing) => true,
        (Quantifier::ForAnyValue, Present::Missing) => false,
        (Quantifier::None, Present::Missing) => operator.missing == MissingKey::Passes || operator.base.is_negated(),
        (Quantifier::None, Present::One(value)) => one(value),
        (Quantifier::None, Present::Many(_)) => false,
        (Quantifier::ForAllValues, Present::One(value)) => value.is_empty() || one(value),
        (Quantifier::ForAnyValue, Present::One(value)) => !value.is_empty() && one(value),
        (Quantifier::ForAllValues, Present::Many(values)) => values.iter().all(str::is_empty) || values.iter().all(one),
        (Quantifier::ForAnyValue, Present::Many(values)) => !values.iter().all(str::is_empty) && values.iter().any(one),
    }
}

fn null(quantifier: Quantifier, present: Present<'_>, expected: &[Option<bool>]) -> bool {
    // With a set prefix each value that is not empty counts, and is present (D11).
    let has_value = match present {
        Present::Missing => false,
        Present::One(value) => !value.is_empty(),
        Present::Many(values) => !values.iter().all(str::is_empty),
    };
    match quantifier {
        Quantifier::None => {
            let is_null = match present {
                Present::Missing => true,
                Present::One(value) => value.is_empty(),
                Present::Many(values) => values.iter().next().is_none(),
            };
            expected.contains(&Some(is_null))
        }
        Quantifier::ForAllValues => !has_value || expected.contains(&Some(false)),
        Quantifier::ForAnyValue => has_value && expected.contains(&Some(false)),
    }
}

/// One value of the request against all values of the condition.
fn one(base: Base, values: &Values, request: &str, facts: &Facts<'_>, budget: &Budget) -> bool {
    // Texts and ARNs take their own steps.
    let typed_values = match values {
        Values::Number(values) => values.len(),
        Values::Date(values) => values.len(),
        Values::Binary(values) => values.len(),
        Values::Address(values) => values.len(),
        Values::Text(_) | Values::Arn(_) | Values::Null(_) => 0,
    };
    if typed_values > 0 && !budget.take(u64::try_from(typed_values).unwrap_or(u64::MAX)) {
        return false;
    }
    match values {
        Values::Text(templates) => {
            decide(base, templates.iter().map(|template| text(base, template, request, facts, budget)))
        }
        Values::Number(numbers) => typed(base, numbers, Decimal::parse(request)),
        Values::Date(dates) => typed(base, dates, Instant::parse(request)),
        Values::Binary(wanted) => {
            let request = value::decode_base64(request);
            decide(
                base,
                wanted.iter().map(|wanted| match (wanted, &request) {
                    (Some(wanted), Some(request)) => matched(**wanted == **request),
                    _ => Comparison::Bad,
                }),
            )
        }
        Values::Address(networks) => {
            let request = Network::parse_address(request);
            decide(
                base,
                networks.iter().map(|network| match (network, request) {
                    (Some(Network(network)), Some(address)) => matched(network.contains(&address)),
                    _ => Comparison::Bad,
                }),
            )
        }
        Values::Arn(arns) => decide(
            base,
            arns.iter().map(|pattern| match pattern {
                Some(pattern) => arn(pattern, request, facts, budget),
                None => Comparison::Bad,
            }),
        ),
        // Decided in `null`.
        Values::Null(_) => false,
    }
}

fn decide(base: Base, mut comparisons: impl Iterator<Item = Comparison>) -> bool {
    if base.is_negated() {
        comparisons.all(|comparison| comparison == Comparison::NoMatch)
    } else {
        comparisons.any(|comparison| comparison == Comparison::Match)
    }
}

fn matched(value: bool) -> Comparison {
    if value { Comparison::Match } else { Comparison::NoMatch }
}

fn text(base: Base, template: &Template, request: &str, facts: &Facts<'_>, budget: &Budget) -> Comparison {
    matched(match base {
        Base::Bool => {
            let wanted = ["true", "false"].into_iter().find(|word| template.matches(word, Case::Fold, facts, budget));
            let request = if request.eq_ignore_ascii_case("true") { "true" } else { "false" };
            wanted == Some(request)
        }
        Base::StringEqualsIgnoreCase | Base::StringNotEqualsIgnoreCase => match template.as_literal() {
            Some(literal) => eq_fold(literal, request),
            None => template.matches(request, Case::Fold, facts, budget),
        },
        _ => template.matches(request, Case::Exact, facts, budget),
    })
}

fn typed<T: Ord>(base: Base, wanted: &[Option<T>], request: Option<T>) -> bool {
    decide(
        base,
        wanted.iter().map(|wanted| match (wanted, &request) {
            (Some(wanted), Some(request)) => matched(compares(base, request.cmp(wanted))),
            _ => Comparison::Bad,
        }),
    )
}

/// Whether a request value in this order to the policy's satisfies the operator, or its positive form.
fn compares(base: Base, order: Ordering) -> bool {
    match base {
        Base::NumericLessThan | Base::DateLessThan => order.is_lt(),
        Base::NumericLessThanEquals | Base::DateLessThanEquals => order.is_le(),
        Base::NumericGreaterThan | Base::DateGreaterThan => order.is_gt(),
        Base::NumericGreaterThanEquals | Base::DateGreaterThanEquals => order.is_ge(),
        _ => order.is_eq(),
    }
}

fn arn(pattern: &ArnTemplate, request: &str, facts: &Facts<'_>, budget: &Budget) -> Comparison {
    let mut segments = request.splitn(6, ':');
    if segments.next() != Some("arn") {
        return Comparison::Bad;
    }
    let mut all = true;
    for template in pattern.segments.iter() {
        let Some(segment) = segments.next() else { return Comparison::Bad };
        all = all && template.matches(segment, Case::Exact, facts, budget);
    }
    matched(all)
}
