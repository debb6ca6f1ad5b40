//! The arguments of `can-i`, and the question that they ask.

use std::borrow::Cow;

use anyhow::{Context as _, bail};
use clap::Args;

use super::kind;
use crate::decide::{Fact, Request};
use crate::mapping::{Attributes, Requirement, ResourceAttributes, SelectorOperator, Target, UrlAttributes};
use crate::name::{Mode, Scope};
use crate::server::{self, Answered};
use crate::snapshot::Snapshot;

/// What is asked, as in `kubectl auth can-i`.
#[derive(Clone, Debug, Args)]
pub(super) struct QuestionArguments {
    /// Verb: get, list, create, ... or the HTTP method of a URL
    #[arg(value_name = "VERB")]
    pub(super) verb: String,

    /// TYPE, TYPE.GROUP, TYPE/NAME, or a URL path such as /metrics
    #[arg(value_name = "TYPE[.GROUP][/NAME] | URL")]
    pub(super) target: String,

    /// Namespace [default: default]
    #[arg(short, long, value_name = "NAMESPACE", conflicts_with = "all_namespaces")]
    pub(super) namespace: Option<String>,

    /// Ask about all namespaces
    #[arg(short = 'A', long)]
    pub(super) all_namespaces: bool,

    /// Subresource, such as log or exec
    #[arg(long, value_name = "NAME")]
    pub(super) subresource: Option<String>,

    /// Label selector: a=b, a!=b, a in (x,y), a notin (x), a, !a
    #[arg(short = 'l', long, value_name = "SELECTOR")]
    pub(super) selector: Option<String>,

    /// Field selector: metadata.name=x, metadata.namespace!=y
    #[arg(long, value_name = "SELECTOR")]
    pub(super) field_selector: Option<String>,

    /// User name of the caller
    #[arg(long = "as", value_name = "USER", required = true)]
    pub(super) user: String,

    /// Group of the caller; repeat for several
    #[arg(long = "as-group", value_name = "GROUP")]
    pub(super) groups: Vec<String>,

    /// Uid of the caller
    #[arg(long = "as-uid", value_name = "UID")]
    pub(super) uid: Option<String>,

    /// Extra of the caller; repeat for several
    #[arg(long = "as-extra", value_name = "KEY=VALUE")]
    pub(super) extras: Vec<String>,

    /// Fact that a session would carry; repeat a key for several values
    #[arg(long = "context", value_name = "KEY=VALUE")]
    pub(super) facts: Vec<String>,

    /// How far the answer goes: shadow, coexist or authoritative
    #[arg(long, value_name = "MODE", default_value_t, env = "KUBE_IAM_MODE")]
    pub(super) mode: Mode,
}

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

// === impl QuestionArguments ===

impl QuestionArguments {
    /// The question as an API server would put it.
    pub(super) fn attributes(&self, snapshot: &Snapshot) -> anyhow::Result<Attributes<'_>> {
        let extra = pairs(&self.extras).context("--as-extra")?;
        Ok(Attributes {
            user: self.user.as_str().into(),
            uid: self.uid.as_deref().unwrap_or("").into(),
            groups: self.groups.iter().map(|group| Cow::Borrowed(group.as_str())).collect(),
            extra: extra
                .into_iter()
                .map(|(key, values)| (Cow::Borrowed(key), values.into_iter().map(Cow::Borrowed).collect()))
                .collect(),
            target: self.target(snapshot)?,
        })
    }

    fn target(&self, snapshot: &Snapshot) -> anyhow::Result<Target<'_>> {
        if self.target.starts_with('/') {
            return Ok(Target::Url(UrlAttributes {
                path: self.target.as_str().into(),
                verb: self.verb.as_str().into(),
            }));
        }
        let (kind_text, name) = self.target.split_once('/').unwrap_or((self.target.as_str(), ""));
        if self.target.ends_with('/') || name.contains('/') {
            bail!("`{}`: expected TYPE, TYPE.GROUP or TYPE/NAME", self.target);
        }
        let (group, plural, known) = kind::resolve(snapshot.kinds(), kind_text);
        if !known {
            eprintln!("warning: no kind `{kind_text}` is known here; its scope counts as unknown");
        }
        let namespaced = snapshot.kinds().scope(&group, &plural) != Scope::Cluster;
        let namespace = match (&self.namespace, self.all_namespaces, namespaced) {
            (_, true, _) | (None, false, false) => "",
            (Some(namespace), false, _) => namespace,
            (None, false, true) => "default",
        };
        Ok(Target::Resource(ResourceAttributes {
            namespace: namespace.into(),
            verb: self.verb.as_str().into(),
            group: group.into(),
            version: "*".into(),
            resource: plural.into(),
            subresource: self.subresource.as_deref().unwrap_or("").into(),
            name: name.into(),
            field_selector: self.field_selector.as_deref().map_or(Ok(Vec::new()), parse_field_selector)?,
            label_selector: self.selector.as_deref().map_or(Ok(Vec::new()), parse_selector)?,
        }))
    }

    /// The answer as the webhook would give it.
    pub(super) fn answer(&self, snapshot: &Snapshot) -> anyhow::Result<Answered> {
        let attributes = self.attributes(snapshot)?;
        server::with_request(snapshot, &attributes, self.mode, |request| match request {
            Err(unasked) => Ok(server::refused(unasked, self.mode)),
            Ok(mut request) => {
                self.add_facts(&mut request)?;
                Ok(server::decided(snapshot, &request, self.mode))
            }
        })
    }

    /// Adds the facts of `--context`.
    pub(super) fn add_facts<'a>(&'a self, request: &mut Request<'a>) -> anyhow::Result<()> {
        for (key, values) in pairs(&self.facts).context("--context")? {
            check_fact(key)?;
            request.context.push(key, fact(values));
        }
        Ok(())
    }
}

/// A key that the world answers for cannot be claimed.
pub(super) fn check_fact(key: &str) -> anyhow::Result<()> {
    let folded = key.to_lowercase();
    let derived =
        DERIVED.iter().any(|name| if name.ends_with('/') { folded.starts_with(name) } else { folded == *name });
    if derived {
        bail!("--context: `{key}` comes from the objects and the caller; it cannot be given");
    }
    Ok(())
}

pub(super) fn fact(values: Vec<&str>) -> Fact<'_> {
    match values.as_slice() {
        [one] => Fact::One(Cow::Borrowed(one)),
        _ => Fact::Many(values.into_iter().map(Cow::Borrowed).collect()),
    }
}

/// `key=value` arguments, the values of one key together, in the order given.
pub(super) fn pairs(arguments: &[String]) -> anyhow::Result<Vec<(&str, Vec<&str>)>> {
    let mut pairs: Vec<(&str, Vec<&str>)> = Vec::new();
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

/// A field selector compares.
fn parse_field_selector(text: &str) -> anyhow::Result<Vec<Requirement<'_>>> {
    let requirements = parse_selector(text)?;
    let compares = |r: &Requirement<'_>| matches!(r.operator, SelectorOperator::In | SelectorOperator::NotIn);
    if !requirements.iter().all(compares) {
        bail!("--field-selector `{text}`: expected path=value or path!=value");
    }
    Ok(requirements)
}

/// A selector as kubectl writes it.
fn parse_selector(text: &str) -> anyhow::Result<Vec<Requirement<'_>>> {
    split_outside_parentheses(text).into_iter().filter(|part| !part.trim().is_empty()).map(parse_requirement).collect()
}

fn split_outside_parentheses(text: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut start, mut depth) = (0usize, 0usize);
    for (at, c) in text.char_indices() {
        match c {
            '(' => depth = depth.saturating_add(1),
            ')' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                parts.extend(text.get(start..at));
                start = at.saturating_add(1);
            }
            _ => {}
        }
    }
    parts.extend(text.get(start..));
    parts
}

fn parse_requirement(text: &str) -> anyhow::Result<Requirement<'_>> {
    let text = text.trim();
    let build = |key: &'_ str, operator, values: Vec<&'_ str>| -> (String, SelectorOperator, Vec<String>) {
        (key.trim().to_owned(), operator, values.into_iter().map(|value| value.trim().to_owned()).collect())
    };
    let (key, operator, values) = if let Some((key, value)) = text.split_once("!=") {
        build(key, SelectorOperator::NotIn, vec![value])
    } else if let Some((key, value)) = text.split_once("==") {
        build(key, SelectorOperator::In, vec![value])
    } else if let Some((key, value)) = text.split_once('=') {
        build(key, SelectorOperator::In, vec![value])
    } else if let Some(list) = text.strip_suffix(')') {
        let (head, values) = list.split_once('(').with_context(|| format!("cannot read the selector `{text}`"))?;
        let operator = match head.split_whitespace().nth(1) {
            Some("in") => SelectorOperator::In,
            Some("notin") => SelectorOperator::NotIn,
            _ => bail!("cannot read the selector `{text}`: expected `key in (…)` or `key notin (…)`"),
        };
        build(head.split_whitespace().next().unwrap_or(""), operator, values.split(',').collect())
    } else if let Some(key) = text.strip_prefix('!') {
        build(key, SelectorOperator::DoesNotExist, Vec::new())
    } else {
        build(text, SelectorOperator::Exists, Vec::new())
    };
    let is_plain = |text: &str| text.chars().all(|c| c.is_ascii_alphanumeric() || "-_./".contains(c));
    if key.is_empty() || !is_plain(&key) {
        bail!("cannot read the selector `{text}`: expected a key, and then `=`, `!=`, `in (…)` or `notin (…)`");
    }
    Ok(Requirement { key: key.into(), operator, values: values.into_iter().map(Cow::Owned).collect() })
}
