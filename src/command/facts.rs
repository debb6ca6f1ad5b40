//! `--context key=value`: facts that a session would carry.

use std::borrow::Cow;

use anyhow::{Context as _, bail};

use crate::decide::{Context, Fact};

/// Facts by key, the values of one key together, in the order given.
pub(super) type Pairs<'a> = Vec<(&'a str, Vec<&'a str>)>;

/// Keys that the policies' own world answers for.
const DERIVED: [&str; 10] = [
    "aws:principalarn",
    "aws:principalaccount",
    "aws:principaltype",
    "aws:principalgroups",
    "aws:principaltag/",
    "aws:userid",
    "aws:username",
    "k8s:namespacetag/",
    "k8s:user",
    "k8s:groups",
];

/// Reads the facts of `--context`. A key that the world answers for cannot be claimed.
pub(super) fn facts<'a>(arguments: impl IntoIterator<Item = &'a str>) -> anyhow::Result<Pairs<'a>> {
    let facts = pairs(arguments).context("--context")?;
    for (key, _) in &facts {
        let folded = key.to_lowercase();
        let is_derived = |name: &&str| if name.ends_with('/') { folded.starts_with(*name) } else { folded == **name };
        if DERIVED.iter().any(is_derived) {
            bail!("--context: `{key}` comes from the objects and the caller; it cannot be given");
        }
    }
    Ok(facts)
}

/// Adds facts to a request's.
pub(super) fn add<'a>(facts: &Pairs<'a>, context: &mut Context<'a>) {
    for (key, values) in facts {
        let fact = match values.as_slice() {
            [one] => Fact::One(Cow::Borrowed(one)),
            _ => Fact::Many(values.iter().map(|value| Cow::Borrowed(*value)).collect()),
        };
        context.push(*key, fact);
    }
}

/// `key=value` arguments.
pub(super) fn pairs<'a>(arguments: impl IntoIterator<Item = &'a str>) -> anyhow::Result<Pairs<'a>> {
    let mut pairs: Pairs<'a> = Vec::new();
    for argument in arguments {
        let (key, value) =
            argument.split_once('=').with_context(|| format!("expected key=value, found `{argument}`"))?;
        match pairs.iter_mut().find(|(known, _)| *known == key) {
            Some((_, values)) => values.push(value),
            None => pairs.push((key, vec![value])),
        }
    }
    Ok(pairs)
}
