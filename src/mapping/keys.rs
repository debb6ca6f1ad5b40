//! Condition keys of a question (`kubernetes-contract.md` B7, B13 "context keys").
//!
//! A key whose source is empty is absent. Keys of the principal and of its namespace's labels are not here: the
//! evaluator adds them from the snapshot.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::attributes::{Attributes, UrlAttributes};
use super::identity;
use super::request::{NameSlot, Now, Parts, Served, VerbClass, proxied};
use super::selector::{KeySet, Named};
use crate::decide::{Absence, AccountSlot, Context, Fact, OpenName, Possible, PossibleValues};

/// Extras by which Kubernetes says what a credential is bound to, and the keys they become.
const BINDINGS: [(&str, &str); 4] = [
    ("authentication.kubernetes.io/pod-name", "k8s:BoundPod"),
    ("authentication.kubernetes.io/pod-uid", "k8s:BoundPodUID"),
    ("authentication.kubernetes.io/node-name", "k8s:BoundNode"),
    ("authentication.kubernetes.io/credential-id", "k8s:CredentialId"),
];

/// Subresources of which admission sees the options.
const CONNECT: [&str; 4] = ["exec", "attach", "portforward", "proxy"];

/// Who asks, and when.
pub(super) fn of_caller<'a>(attributes: &'a Attributes<'_>, now: Now<'a>) -> Context<'a> {
    let mut context = Context::with_capacity(32);
    context.push_one("aws:CurrentTime", now.rfc3339);
    context.push_one("aws:EpochTime", now.epoch_seconds.to_string());
    push_text(&mut context, "k8s:User", &attributes.user);
    push_text(&mut context, "k8s:UID", &attributes.uid);
    push_list(&mut context, "k8s:Groups", identity::groups(attributes));
    push_extras(&mut context, attributes);
    context
}

/// A question about a URL.
pub(super) fn of_url<'a>(context: &mut Context<'a>, url: &'a UrlAttributes<'_>, management: &'a str) {
    push_or_any(context, "k8s:Verb", &url.verb, Absence::Excluded);
    push_text(context, "k8s:Path", &url.path);
    context.push_one("aws:ResourceAccount", management);
}

/// A question about objects.
pub(super) fn of_resource<'a>(context: &mut Context<'a>, parts: &Parts<'a>, management: &'a str) {
    let resource = parts.resource;
    push_or_any(context, "k8s:Verb", &resource.verb, Absence::Excluded);
    push_or_any(context, "k8s:Subresource", &resource.subresource, Absence::Possible);
    let group = if resource.group.is_empty() { "core" } else { &resource.group };
    push_or_any(context, "k8s:ApiGroup", group, Absence::Excluded);
    push_or_any(context, "k8s:ApiVersion", &resource.version, Absence::Excluded);
    push_or_any(context, "k8s:Resource", &resource.resource, Absence::Excluded);
    push_place(context, parts, management);
    push_name(context, parts);
    push_selectors(context, parts);
    push_content(context, parts);
    push_connect(context, parts);
}

fn push_extras<'a>(context: &mut Context<'a>, attributes: &'a Attributes<'_>) {
    let mut spellings: BTreeMap<String, usize> = BTreeMap::new();
    for (key, values) in identity::extras(attributes) {
        let spelled = spellings.entry(key.to_lowercase()).or_default();
        *spelled = spelled.saturating_add(1);
        if let Some((_, bound)) = BINDINGS.iter().find(|(extra, _)| *extra == key) {
            match values {
                [] => {}
                [value] => push_text(context, bound, value),
                _ => context.push(*bound, Fact::Unknown),
            }
        }
    }
    for (key, values) in identity::extras(attributes) {
        let name = format!("k8s:Extra/{key}");
        // Conditions cannot tell keys apart that differ in case only.
        if spellings.get(&key.to_lowercase()).is_some_and(|spelled| *spelled > 1) {
            context.push(name, Fact::Unknown);
        } else {
            push_list(context, name, values.iter().map(|value| Cow::Borrowed(&**value)).collect());
        }
    }
}

fn push_place<'a>(context: &mut Context<'a>, parts: &Parts<'a>, management: &'a str) {
    let (scope, namespace, account) = match &parts.account {
        AccountSlot::One(namespace) if namespace.is_empty() => ("Cluster", None, Fact::One(management.into())),
        AccountSlot::One(namespace) => {
            let fact = Fact::One(namespace.clone());
            ("Namespaced", Some(fact.clone()), fact)
        }
        AccountSlot::Any { except } => {
            let fact = all_but(except.clone(), Absence::Excluded);
            ("AllNamespaces", Some(fact.clone()), fact)
        }
        AccountSlot::Either => {
            ("Unknown", Some(all_but(vec![], Absence::Possible)), all_but(vec![], Absence::Excluded))
        }
        AccountSlot::Forbidden => ("Namespaced", Some(Fact::Unknown), Fact::Unknown),
    };
    context.push_one("k8s:Scope", scope);
    if let Some(namespace) = namespace {
        context.push("k8s:Namespace", namespace);
    }
    context.push("aws:ResourceAccount", account);
}

fn push_name<'a>(context: &mut Context<'a>, parts: &Parts<'a>) {
    let fact = match &parts.name {
        NameSlot::One(name) => Fact::One(Cow::Borrowed(*name)),
        NameSlot::Open { why: OpenName::Every, except } => all_but(except.clone(), Absence::Excluded),
        NameSlot::Open { why: OpenName::NotYetKnown, .. } | NameSlot::Forbidden => Fact::Unknown,
    };
    context.push("k8s:Name", fact);
}

fn push_selectors<'a>(context: &mut Context<'a>, parts: &Parts<'a>) {
    if parts.verb == VerbClass::Every {
        // A list with any selector may be among them.
        for key in ["k8s:HasLabelSelector", "k8s:HasFieldSelector"] {
            context.push(key, Fact::Unknown);
        }
        for prefix in ["k8s:LabelSelector/", "k8s:FieldSelector/"] {
            context.push_family(prefix, Fact::Unknown);
        }
        return;
    }
    if !parts.verb.selects() {
        return;
    }
    context.push_one("k8s:HasLabelSelector", if parts.labels.is_empty() { "false" } else { "true" });
    context.push_one("k8s:HasFieldSelector", if parts.fields.is_empty() { "false" } else { "true" });
    for KeySet { key, named, .. } in &parts.labels {
        let fact = match named {
            Named::Nothing => continue,
            Named::Values(values) => Fact::Many(values.iter().map(|value| Cow::Borrowed(*value)).collect()),
            Named::Unclear => Fact::Unknown,
        };
        context.push(format!("k8s:LabelSelector/{key}"), fact);
    }
    for KeySet { key, named, .. } in &parts.fields {
        let fact = match named {
            Named::Nothing => continue,
            Named::Values(values) => match values.as_slice() {
                [value] => Fact::One(Cow::Borrowed(*value)),
                _ => Fact::Unknown,
            },
            Named::Unclear => Fact::Unknown,
        };
        context.push(format!("k8s:FieldSelector/{key}"), fact);
    }
}

/// What stands in the object: stored, sent, and how it is sent.
fn push_content<'a>(context: &mut Context<'a>, parts: &Parts<'a>) {
    let on_object = parts.resource.subresource.is_empty();
    let (stored, sent, written) = match parts.verb {
        VerbClass::Create => (!on_object, true, true),
        VerbClass::Change => (true, true, true),
        VerbClass::Delete | VerbClass::DeleteCollection => (true, false, true),
        VerbClass::Every => (true, true, true),
        VerbClass::List | VerbClass::Other => (true, false, false),
    };
    if stored {
        let labels = if parts.verb.selects() && on_object {
            if parts.facts.served == Served::Here {
                push_labels(context, &parts.labels);
            }
            all_but(vec![], Absence::Possible)
        } else {
            Fact::Unknown
        };
        context.push_family("aws:ResourceTag/", labels);
        context.push_family("k8s:StoredObject/", Fact::Unknown);
    }
    if sent {
        context.push("aws:TagKeys", Fact::Unknown);
        context.push_family("aws:RequestTag/", Fact::Unknown);
        context.push_family("k8s:RequestObject/", Fact::Unknown);
    }
    if written || connects(parts) {
        for key in ["k8s:Operation", "k8s:DryRun", "k8s:FieldManager"] {
            context.push(key, Fact::Unknown);
        }
    }
}

fn push_labels<'a>(context: &mut Context<'a>, labels: &[KeySet<'a>]) {
    for KeySet { key, possible, .. } in labels {
        if let Some(possible) = possible {
            context.push(format!("aws:ResourceTag/{key}"), Fact::Possible(possible.clone()));
        }
    }
}

fn push_connect<'a>(context: &mut Context<'a>, parts: &Parts<'a>) {
    if connects(parts) {
        context.push("k8s:Proxy/path", Fact::Unknown);
        context.push_family("k8s:Exec/", Fact::Unknown);
        context.push_family("k8s:PortForward/", Fact::Unknown);
    }
    if !proxied(parts.resource) {
        return;
    }
    match parts.proxy {
        Some(proxy) => {
            push_text(context, "k8s:Proxy/scheme", proxy.scheme);
            push_text(context, "k8s:Proxy/port", proxy.port);
        }
        None => {
            for key in ["k8s:Proxy/scheme", "k8s:Proxy/port"] {
                context.push(key, Fact::Unknown);
            }
        }
    }
}

fn connects(parts: &Parts<'_>) -> bool {
    let subresource: &str = &parts.resource.subresource;
    subresource == "*" || CONNECT.iter().any(|connect| connect.eq_ignore_ascii_case(subresource))
}

/// One value, none if it is empty, any if it is `*`.
fn push_or_any<'a>(context: &mut Context<'a>, key: &'static str, value: &'a str, absent: Absence) {
    if value == "*" {
        context.push(key, all_but(vec![], absent));
    } else {
        push_text(context, key, value);
    }
}

fn push_text<'a>(context: &mut Context<'a>, key: &'static str, value: &'a str) {
    if !value.is_empty() {
        context.push_one(key, value);
    }
}

fn push_list<'a>(context: &mut Context<'a>, key: impl Into<Cow<'a, str>>, values: Vec<Cow<'a, str>>) {
    if !values.is_empty() {
        context.push(key, Fact::Many(values));
    }
}

fn all_but<'a>(values: Vec<Cow<'a, str>>, absent: Absence) -> Fact<'a> {
    Fact::Possible(Possible { values: PossibleValues::AllBut(values), absent })
}

#[cfg(test)]
mod tests;
