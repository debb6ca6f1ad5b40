//! Wildcards over ASCII text without variables: what nearly every pattern of a decision is.
//!
//! The same answer and the same steps from the budget as the walk of [`Template`](super::pattern::Template) character by
//! character, which knows variables and all of Unicode; here a literal part is compared at once.

use super::pattern::{Budget, Case, Token};

/// Whether these tokens can be matched here.
pub(super) fn is_plain(tokens: &[Token]) -> bool {
    tokens.iter().all(|token| match token {
        Token::Text(text) => text.is_ascii(),
        Token::Star | Token::One => true,
        Token::Variable(_) => false,
    })
}

/// Whether the whole text, which is ASCII, matches. False when the budget is spent.
pub(super) fn matches(tokens: &[Token], text: &str, case: Case, budget: &Budget) -> bool {
    let (mut pattern, mut rest) = (tokens, text.as_bytes());
    // Where to go on after the last star, and the text that it has not yet swallowed.
    let mut retry: Option<(&[Token], &[u8])> = None;
    loop {
        let (next, cost) = match pattern.split_first() {
            None if rest.is_empty() => return budget.take(1),
            None => (None, 1),
            // The last star swallows all that is left, one character after the other.
            Some((Token::Star, [])) => return budget.take(steps(rest.len()).saturating_add(2)),
            Some((Token::Star, after)) => {
                retry = Some((after, rest));
                (Some((after, rest)), 1)
            }
            Some((Token::One, after)) => (rest.split_first().map(|(_, rest)| (after, rest)), 1),
            Some((Token::Text(literal), after)) => match without_prefix(rest, literal.as_bytes(), case) {
                Some(rest) => (Some((after, rest)), steps(literal.len()).saturating_add(1)),
                None => (None, steps(common(rest, literal.as_bytes(), case)).saturating_add(1)),
            },
            // Not plain.
            Some((Token::Variable(_), _)) => return false,
        };
        if !budget.take(cost) {
            return false;
        }
        if let Some(next) = next {
            (pattern, rest) = next;
            continue;
        }
        let Some((after_star, swallowed)) = retry else { return false };
        let Some((_, fewer)) = swallowed.split_first() else { return false };
        // On to where the next literal may begin; each place before it costs the step that finds so.
        let skipped = match after_star.first() {
            Some(Token::Text(literal)) => skipped(fewer, literal.as_bytes(), case),
            Some(Token::Star | Token::One | Token::Variable(_)) | None => 0,
        };
        if skipped > 0 && !budget.take(steps(skipped)) {
            return false;
        }
        let fewer = fewer.get(skipped..).unwrap_or(&[]);
        retry = Some((after_star, fewer));
        (pattern, rest) = (after_star, fewer);
    }
}

fn without_prefix<'t>(text: &'t [u8], literal: &[u8], case: Case) -> Option<&'t [u8]> {
    let (start, rest) = text.split_at_checked(literal.len())?;
    let begins = start.first().zip(literal.first()).is_none_or(|(a, b)| same(*a, *b, case));
    (begins && (start == literal || (case == Case::Fold && start.eq_ignore_ascii_case(literal)))).then_some(rest)
}

/// Bytes at the start that are the same.
fn common(a: &[u8], b: &[u8], case: Case) -> usize {
    a.iter().zip(b).take_while(|(a, b)| same(**a, **b, case)).count()
}

/// Bytes before the first place where a literal may begin.
fn skipped(text: &[u8], literal: &[u8], case: Case) -> usize {
    let Some(first) = literal.first() else { return 0 };
    text.iter().position(|byte| same(*byte, *first, case)).unwrap_or(text.len())
}

fn same(a: u8, b: u8, case: Case) -> bool {
    a == b || (case == Case::Fold && a.eq_ignore_ascii_case(&b))
}

fn steps(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::super::pattern::{NoVariables, Syntax, Template, Variables, Wildcards};
    use super::*;

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig::with_cases(50_000))]

        #[test]
        fn agrees_with_the_walk_to_the_last_step(
            pattern in "[abAB*?]{0,12}", text in "[abAB]{0,16}", fold: bool, steps in 1u64..200,
        ) {
            let template = Template::parse(&pattern, Syntax { wildcards: Wildcards::Act, variables: Variables::Act });
            let case = if fold { Case::Fold } else { Case::Exact };
            let (here, there) = (Budget::new(steps), Budget::new(steps));
            proptest::prop_assert!(is_plain(template.tokens()));
            let found = matches(template.tokens(), &text, case, &here);
            proptest::prop_assert_eq!(found, template.walk(&text, case, &NoVariables, &there));
            proptest::prop_assert_eq!(format!("{here:?}"), format!("{there:?}"));
        }
    }
}
