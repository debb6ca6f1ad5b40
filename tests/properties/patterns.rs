//! Patterns: the glob, its steps, and variables that never widen (I13, I8; `iam-semantics.md` §16.10, §16.11).

use kube_iam::decide::{Context, Resource, resource_entry_matches};
use kube_iam::name::Arn;
use kube_iam::policy::condition::ConditionKey;
use kube_iam::policy::pattern::{
    ActionPattern, Budget, Case, NoVariables, PrefixMatch, Resolve, ResourcePattern, Syntax, Template, Variables,
    Wildcards,
};
use kube_iam::policy::{PolicyKind, Version};

use crate::dice::{Dice, law};
use crate::holds;
use crate::naive::{Part, glob, parts};

const LETTERS: [char; 8] = ['a', 'b', 'a', 'é', 'É', '漢', '𝕏', '/'];
const WILD: [char; 10] = ['*', '*', '*', '?', 'a', 'b', 'é', '漢', '𝕏', '/'];
const ACT: Syntax = Syntax { wildcards: Wildcards::Act, variables: Variables::Act };

fn text(dice: &mut Dice<'_>, letters: &[char], most: usize) -> String {
    let length = dice.below(most + 1);
    (0..length).map(|_| dice.pick(letters)).collect()
}

/// A pattern that is made from the text in half of the cases.
fn pattern_for(dice: &mut Dice<'_>, value: &str) -> String {
    if dice.chance(50) {
        return text(dice, &WILD, 12);
    }
    let mut pattern = String::new();
    let mut skipping = false;
    for c in value.chars() {
        match dice.below(8) {
            0..4 => {
                pattern.push(c);
                skipping = false;
            }
            4 => {
                pattern.push('?');
                skipping = false;
            }
            _ if skipping => {}
            _ => {
                pattern.push('*');
                skipping = true;
            }
        }
    }
    pattern
}

#[test]
fn the_glob_is_that_of_the_definition_in_few_steps() {
    law(file!(), 60, 40, |dice| {
        let value = text(dice, &LETTERS, 20);
        let pattern = pattern_for(dice, &value);
        let (n, m) = (pattern.chars().count() as u64, value.chars().count() as u64);
        let budget = Budget::new(3 * (n + 1) * (m + 1) + 3);
        let found = Template::parse(&pattern, ACT).matches(&value, Case::Exact, &NoVariables, &budget);
        let expected = glob(&parts(&pattern), &value);
        holds!(found == expected, "`{pattern}` on `{value}`: {found}");
        holds!(!budget.is_spent(), "`{pattern}` on `{value}` took more than 3(n+1)(m+1) steps");
        Ok(expected)
    });
}

#[test]
fn a_spent_budget_never_matches_and_a_larger_one_agrees() {
    law(file!(), 61, 20, |dice| {
        let value = text(dice, &LETTERS, 20);
        let pattern = pattern_for(dice, &value);
        let template = Template::parse(&pattern, ACT);
        let budget = Budget::new(dice.below(120) as u64);
        let found = template.matches(&value, Case::Exact, &NoVariables, &budget);
        let expected = glob(&parts(&pattern), &value);
        if budget.is_spent() {
            holds!(!found || expected, "`{pattern}` matches `{value}` for want of steps");
        } else {
            holds!(found == expected, "`{pattern}` on `{value}`: {found}");
        }
        Ok(budget.is_spent())
    });
}

#[test]
fn what_a_pattern_says_of_a_prefix_holds_for_every_continuation() {
    law(file!(), 60, 15, |dice| {
        let known = text(dice, &LETTERS, 6);
        let pattern = pattern_for(dice, &known);
        let template = Template::parse(&pattern, ACT);
        let said = template.matches_prefix(&known, Case::Exact, &NoVariables, &Budget::new(100_000));
        for _ in 0..6 {
            let rest = text(dice, &LETTERS, 4);
            let whole = if rest.is_empty() { format!("{known}a") } else { format!("{known}{rest}") };
            let matches = glob(&parts(&pattern), &whole);
            holds!(
                said != PrefixMatch::All || matches,
                "`{pattern}` is said to match all of `{known}…`, not `{whole}`"
            );
            holds!(said != PrefixMatch::None || !matches, "`{pattern}` is said to match none of `{known}…`: `{whole}`");
        }
        Ok(said != PrefixMatch::Some)
    });
}

struct One<'v>(&'v str);

impl Resolve for One<'_> {
    fn value(&self, key: &ConditionKey) -> Option<&str> {
        (key.folded() == "v" && !self.0.is_empty()).then_some(self.0)
    }
}

const VALUE: [char; 7] = ['*', '?', '$', 'a', 'é', ':', '/'];

#[test]
fn the_value_of_a_variable_is_literal() {
    law(file!(), 80, 25, |dice| {
        let value = text(dice, &VALUE, 5);
        let (before, after) = (text(dice, &['*', 'a', '?', '/'], 3), text(dice, &['*', 'a', '?', '/'], 3));
        let subject = if dice.chance(60) {
            let fill = |dice: &mut Dice<'_>, pattern: &str| -> String {
                pattern.chars().map(|c| if matches!(c, '*' | '?') { dice.pick(&['a', '*', 'b']) } else { c }).collect()
            };
            format!("{}{value}{}", fill(dice, &before), fill(dice, &after))
        } else {
            text(dice, &VALUE, 9)
        };
        let template = Template::parse(&format!("{before}${{v}}{after}"), ACT);
        let found = template.matches(&subject, Case::Exact, &One(&value), &Budget::new(100_000));
        let mut expected = parts(&before);
        expected.extend(value.chars().map(Part::Just));
        expected.extend(parts(&after));
        let expected = !value.is_empty() && glob(&expected, &subject);
        holds!(found == expected, "`{before}[{value}]{after}` on `{subject}`: {found}");
        holds!(!found || subject.contains(&value), "`{value}` widens");
        Ok(expected)
    });
}

#[test]
fn a_variable_in_a_resource_matches_what_its_value_spells() {
    law(file!(), 80, 15, |dice| {
        let value = text(dice, &VALUE, 4);
        let escaped: String = value
            .chars()
            .map(|c| if matches!(c, '*' | '?' | '$') { format!("${{{c}}}") } else { c.to_string() })
            .collect();
        let (before, after) = (text(dice, &['*', 'a', '/'], 2), text(dice, &['*', 'a', '/'], 2));
        let rest = if dice.chance(60) { format!("{before}{value}{after}") } else { text(dice, &VALUE, 6) };
        let arn: Arn = format!("arn:k8s:core::a:{rest}").parse().unwrap();
        let mut context = Context::new();
        context.push_one("v", value.clone());
        let matches = |middle: &str| {
            let pattern = format!("arn:k8s:core::a:{before}{middle}{after}");
            let pattern = ResourcePattern::parse(&pattern, Version::V2012, PolicyKind::Identity);
            resource_entry_matches(&pattern, Resource::one(&arn), &context)
        };
        let (variable, literal) = (matches("${v}"), matches(&escaped));
        if value.is_empty() {
            holds!(!variable, "a variable without value matches {rest}");
        } else {
            holds!(variable == literal, "`{before}[{value}]{after}` on `{rest}`: {variable}, spelled out {literal}");
        }
        // In the first five segments a variable is text.
        let head = ResourcePattern::parse("arn:k8s:core::${v}:*", Version::V2012, PolicyKind::Identity);
        holds!(!resource_entry_matches(&head, Resource::one(&arn), &context), "a variable acts as the account");
        Ok(variable)
    });
}

#[test]
fn every_text_is_a_pattern() {
    law(file!(), 40, 90, |dice| {
        let text = text(dice, &['*', '?', '$', '{', '}', ',', ' ', '\'', ':', 'a', 'r', 'n', '\u{0}', '漢'], 30);
        let mut context = Context::new();
        context.push_one("a", "*");
        for kind in
            [PolicyKind::Identity, PolicyKind::Resource, PolicyKind::ServiceControl, PolicyKind::ResourceControl]
        {
            let pattern = ResourcePattern::parse(&format!("arn:{text}"), Version::V2012, kind);
            resource_entry_matches(&pattern, Resource::Any, &context);
        }
        ActionPattern::parse(&text);
        let _ = text.parse::<Arn>();
        let template = Template::parse(&text, ACT);
        holds!(Template::parse(&template.written(ACT), ACT) == template, "`{text}` is not read back");
        Ok(!text.is_empty())
    });
}
