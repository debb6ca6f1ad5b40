//! Questions and how their requests are shown in tests.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::attributes::{Attributes, Requirement, ResourceAttributes, SelectorOperator, Target};
use super::request::{Now, ScopeFacts, Served, Setting, request};
use crate::decide::{
    Absence, AccountSlot, Fact, OpenName, PossibleValues, Request, Resource, ResourceAccount, Rest, Slot, Slots,
};
use crate::name::{Mode, Scope};

const NOW: Now<'static> = Now { epoch_seconds: 1_767_225_600, rfc3339: "2026-01-01T00:00:00Z" };

fn scopes(group: &str, plural: &str) -> ScopeFacts {
    match (group, plural) {
        ("", "pods" | "secrets" | "services" | "serviceaccounts") | ("apps", "deployments") => Scope::Namespaced.into(),
        ("", "nodes") | ("rbac.authorization.k8s.io", "clusterroles") => Scope::Cluster.into(),
        ("aggregated.example.org", "things") => ScopeFacts { scope: Scope::Namespaced, served: Served::Elsewhere },
        _ => Scope::Unknown.into(),
    }
}

pub(super) fn setting() -> Setting<'static> {
    Setting { cluster: "east", management_account: "kube-iam-system", mode: Mode::Coexist, now: NOW, scope: &scopes }
}

/// `verb group/plural/subresource namespace name`, with `-` for what is empty.
pub(super) fn ask(question: &str) -> ResourceAttributes<'static> {
    let mut parts = question.split(' ').map(|part| if part == "-" { "" } else { part }.to_owned());
    let mut next = || parts.next().unwrap_or_default();
    let (verb, kind, namespace, name) = (next(), next(), next(), next());
    let mut kind = kind.splitn(3, '/').map(|part| if part == "-" { "" } else { part }.to_owned());
    let mut next = || kind.next().unwrap_or_default();
    ResourceAttributes {
        verb: verb.into(),
        group: next().into(),
        resource: next().into(),
        subresource: next().into(),
        namespace: namespace.into(),
        name: name.into(),
        version: "v1".into(),
        ..ResourceAttributes::default()
    }
}

pub(super) fn by_alice(resource: ResourceAttributes<'static>) -> Attributes<'static> {
    Attributes { user: "alice".into(), target: Target::Resource(resource), ..Attributes::default() }
}

pub(super) fn requirement(
    key: &'static str,
    operator: SelectorOperator,
    values: &[&'static str],
) -> Requirement<'static> {
    Requirement { key: key.into(), operator, values: values.iter().map(|value| (*value).into()).collect() }
}

fn minus(except: &[Cow<'_, str>]) -> String {
    except.iter().map(|value| format!(" -{value}")).collect()
}

/// Action, slots and account on one line.
pub(super) fn shown(request: &Request<'_>) -> String {
    let Resource::Arn(Slots { partition, service, region, account, rest }) = &request.resource else {
        return "*".into();
    };
    let service = match service {
        Slot::One(service) => service.to_string(),
        Slot::Any => "ANY".to_owned(),
        Slot::Forbidden => "FORBIDDEN".to_owned(),
    };
    let account = match account {
        AccountSlot::One(account) => account.to_string(),
        AccountSlot::Any { except } => format!("ANY{}", minus(except)),
        AccountSlot::Either => "EITHER".to_owned(),
        AccountSlot::Forbidden => "FORBIDDEN".to_owned(),
    };
    let rest = match rest {
        Rest::One(rest) => rest.to_string(),
        Rest::Named { prefix, except, name: OpenName::Every } => format!("{prefix}ANY{}", minus(except)),
        Rest::Named { prefix, name: OpenName::NotYetKnown, .. } => format!("{prefix}NEW"),
        Rest::Any => "ANY".to_owned(),
        Rest::Forbidden => "FORBIDDEN".to_owned(),
    };
    let owner = match &request.account {
        ResourceAccount::One(account) => account.to_string(),
        ResourceAccount::Management => "management".to_owned(),
        ResourceAccount::All => "all".to_owned(),
        ResourceAccount::OfPrincipal => "principal".to_owned(),
    };
    format!("{} | {partition}:{service}:{region}:{account}:{rest} | {owner}", request.action)
}

fn fact(fact: &Fact<'_>) -> String {
    match fact {
        Fact::One(value) => value.to_string(),
        Fact::Many(values) => format!("[{}]", values.join(" ")),
        Fact::Possible(possible) => {
            let values = match &possible.values {
                PossibleValues::Among(values) => format!("among({})", values.join(" ")),
                PossibleValues::AllBut(values) => format!("any({})", minus(values).trim()),
            };
            format!("{values}{}", if possible.absent == Absence::Possible { " or absent" } else { "" })
        }
        Fact::Unknown => "UNKNOWN".to_owned(),
    }
}

/// Facts by key, families with a `…` behind the prefix; each key once.
pub(super) fn facts(attributes: &Attributes<'_>) -> BTreeMap<String, String> {
    let request = request(attributes, &setting()).unwrap();
    let mut facts = BTreeMap::new();
    for (key, value) in request.context.entries() {
        assert!(facts.insert(key.to_string(), fact(value)).is_none(), "{key} stands twice");
    }
    for (prefix, value) in request.context.families() {
        assert!(facts.insert(format!("{prefix}…"), fact(value)).is_none(), "{prefix} stands twice");
    }
    facts
}
