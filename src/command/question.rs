//! The arguments of `can-i`, and the question that they ask.

use std::borrow::Cow;

use anyhow::{Context as _, bail};
use clap::Args;
use k8s_openapi::api::authentication::v1::UserInfo;

use super::facts::{self, Pairs, pairs};
use super::kind;
use super::world::Opened;
use crate::decide::Request;
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

    /// Namespace [default: that of the kubeconfig's context, or default]
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

    /// User name of the caller [default: whoever asks the cluster]
    #[arg(long = "as", value_name = "USER")]
    pub(super) user: Option<String>,

    /// Group of the caller; repeat for several
    #[arg(long = "as-group", requires = "user", value_name = "GROUP")]
    pub(super) groups: Vec<String>,

    /// Uid of the caller
    #[arg(long = "as-uid", requires = "user", value_name = "UID")]
    pub(super) uid: Option<String>,

    /// Extra of the caller; repeat for several
    #[arg(long = "as-extra", requires = "user", value_name = "KEY=VALUE")]
    pub(super) extras: Vec<String>,

    /// How far the answer goes: shadow, coexist or authoritative
    #[arg(long, value_name = "MODE", default_value_t, env = "KUBE_IAM_MODE")]
    pub(super) mode: Mode,
}

/// A question with all that its flags leave open.
pub(super) struct Question<'a> {
    arguments: &'a QuestionArguments,
    caller: Caller,
    /// Where `-n` says nothing.
    namespace: String,
    facts: Pairs<'a>,
}

/// Who asks.
#[derive(Clone, Debug, Default)]
struct Caller {
    user: String,
    uid: String,
    groups: Vec<String>,
    extra: Vec<(String, Vec<String>)>,
}

// === impl Caller ===

impl Caller {
    fn named(user: &str, arguments: &QuestionArguments) -> anyhow::Result<Self> {
        let extra = pairs(arguments.extras.iter().map(String::as_str)).context("--as-extra")?;
        let owned =
            |(key, values): (&str, Vec<&str>)| (key.to_owned(), values.into_iter().map(str::to_owned).collect());
        Ok(Self {
            user: user.to_owned(),
            uid: arguments.uid.clone().unwrap_or_default(),
            groups: arguments.groups.clone(),
            extra: extra.into_iter().map(owned).collect(),
        })
    }
}

impl From<UserInfo> for Caller {
    fn from(info: UserInfo) -> Self {
        Self {
            user: info.username.unwrap_or_default(),
            uid: info.uid.unwrap_or_default(),
            groups: info.groups.unwrap_or_default(),
            extra: info.extra.unwrap_or_default().into_iter().collect(),
        }
    }
}

// === impl QuestionArguments ===

impl QuestionArguments {
    /// The question, about whoever calls the cluster unless it says who.
    pub(super) fn complete<'a>(&'a self, opened: &Opened, facts: Pairs<'a>) -> anyhow::Result<Question<'a>> {
        let caller = match (&self.user, &opened.cluster) {
            (Some(user), _) => Caller::named(user, self)?,
            (None, Some(cluster)) => cluster.who()?.into(),
            (None, None) => bail!("--as USER is required with -f: manifests do not say who asks"),
        };
        let namespace = opened.cluster.as_ref().map_or("default", |cluster| &cluster.namespace).to_owned();
        Ok(Question { arguments: self, caller, namespace, facts })
    }
}

// === impl Question ===

impl Question<'_> {
    /// The question as an API server would put it.
    pub(super) fn attributes(&self, snapshot: &Snapshot) -> anyhow::Result<Attributes<'_>> {
        let Caller { user, uid, groups, extra } = &self.caller;
        Ok(Attributes {
            user: user.as_str().into(),
            uid: uid.as_str().into(),
            groups: texts(groups),
            extra: extra.iter().map(|(key, values)| (key.as_str().into(), texts(values))).collect(),
            target: self.target(snapshot)?,
        })
    }

    fn target(&self, snapshot: &Snapshot) -> anyhow::Result<Target<'_>> {
        let QuestionArguments { verb, target, namespace, all_namespaces, .. } = self.arguments;
        if target.starts_with('/') {
            return Ok(Target::Url(UrlAttributes { path: target.as_str().into(), verb: verb.as_str().into() }));
        }
        let (kind_text, name) = target.split_once('/').unwrap_or((target.as_str(), ""));
        if target.ends_with('/') || name.contains('/') {
            bail!("`{target}`: expected TYPE, TYPE.GROUP or TYPE/NAME");
        }
        let (group, plural, known) = kind::resolve(snapshot.kinds(), kind_text);
        if !known && kind_text != "*" {
            eprintln!("warning: no kind `{kind_text}` is known here; its scope counts as unknown");
        }
        let namespaced = snapshot.kinds().scope(&group, &plural) != Scope::Cluster;
        let namespace = match (namespace, all_namespaces, namespaced) {
            (_, true, _) | (None, false, false) => "",
            (Some(namespace), false, _) => namespace,
            (None, false, true) => &self.namespace,
        };
        Ok(Target::Resource(ResourceAttributes {
            namespace: namespace.into(),
            verb: verb.as_str().into(),
            group: group.into(),
            version: "*".into(),
            resource: plural.into(),
            subresource: self.arguments.subresource.as_deref().unwrap_or("").into(),
            name: name.into(),
            field_selector: self.arguments.field_selector.as_deref().map_or(Ok(Vec::new()), parse_field_selector)?,
            label_selector: self.arguments.selector.as_deref().map_or(Ok(Vec::new()), parse_selector)?,
        }))
    }

    /// The answer as the webhook would give it.
    pub(super) fn answer(&self, snapshot: &Snapshot) -> anyhow::Result<Answered> {
        let attributes = self.attributes(snapshot)?;
        let mode = self.arguments.mode;
        Ok(server::with_request(snapshot, &attributes, mode, |request| match request {
            Err(unasked) => server::refused(unasked, mode),
            Ok(mut request) => {
                facts::add(&self.facts, &mut request.context);
                server::decided(snapshot, &request, mode)
            }
        }))
    }

    /// What a person should know beside the answer, which is kube-iam's alone.
    pub(super) fn note(&self, has_opinion: bool) -> Option<String> {
        if self.caller.groups.iter().any(|group| group == "system:masters") {
            return Some("an API server asks no authorizer about the group system:masters, and allows".to_owned());
        }
        (!has_opinion).then(|| format!("in mode {} this is no opinion; RBAC may still allow", self.arguments.mode))
    }

    /// Adds the facts of `--context`.
    pub(super) fn add_facts<'a>(&'a self, request: &mut Request<'a>) {
        facts::add(&self.facts, &mut request.context);
    }
}

fn texts(texts: &[String]) -> Vec<Cow<'_, str>> {
    texts.iter().map(|text| Cow::Borrowed(text.as_str())).collect()
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
