//! A question of Kubernetes as a request to the policies (`kubernetes-contract.md` B2, B3, B4).

use std::borrow::Cow;

use super::attributes::{Attributes, ResourceAttributes, Target, UrlAttributes};
use super::baseline::baseline;
use super::identity::{self, Unasked};
use super::keys;
use super::selector::{self, KeySet, Narrowed};
use crate::decide::{
    AccountSlot, Action, Baseline, Caller, OpenName, Request, Resource, ResourceAccount, Rest, Slot, Slots,
};
use crate::name::{Mode, Scope};

/// Where and when a question is asked.
#[derive(Clone, Copy)]
pub struct Setting<'a> {
    /// The cluster's name, the third slot of its ARNs; often empty.
    pub cluster: &'a str,
    /// The management account: it owns what lives in no namespace.
    pub management_account: &'a str,
    /// How far decisions are enforced.
    pub mode: Mode,
    /// The time.
    pub now: Now<'a>,
    /// What is known of a kind, by group (empty for the core group) and plural.
    pub scope: &'a dyn Fn(&str, &str) -> ScopeFacts,
}

/// A moment in both forms that policies compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now<'a> {
    /// Seconds since 1970-01-01T00:00:00Z.
    pub epoch_seconds: i64,
    /// The same as text, UTC: `2026-01-31T12:00:00Z`.
    pub rfc3339: &'a str,
}

/// What is known of a kind of object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScopeFacts {
    /// Whether it lives in namespaces.
    pub scope: Scope,
    /// Whether selectors can be trusted to narrow it.
    pub served: Served,
}

/// Who serves a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Served {
    /// The API server that asks: it obeys field and label selectors.
    Here,
    /// Perhaps an aggregated server, which may ignore selectors.
    Elsewhere,
}

/// What a verb does, as far as it matters here. Verbs compare without case, as actions do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum VerbClass {
    /// `create`.
    Create,
    /// `update`, `patch`.
    Change,
    /// `delete`.
    Delete,
    /// `list`, `watch`.
    List,
    /// `deletecollection`.
    DeleteCollection,
    /// `*`.
    Every,
    /// `get`, and every verb that is not known.
    Other,
}

/// What a proxied object is called: `[scheme:]name[:port]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ProxyName<'a> {
    pub(super) scheme: &'a str,
    pub(super) name: &'a str,
    pub(super) port: &'a str,
}

/// A resource question, taken apart once.
pub(super) struct Parts<'a> {
    pub(super) resource: &'a ResourceAttributes<'a>,
    pub(super) verb: VerbClass,
    pub(super) facts: ScopeFacts,
    pub(super) fields: Vec<KeySet<'a>>,
    pub(super) labels: Vec<KeySet<'a>>,
    pub(super) account: AccountSlot<'a>,
    pub(super) name: NameSlot<'a>,
    /// `None` if the request goes through no proxy.
    pub(super) proxy: Option<ProxyName<'a>>,
}

/// The name in a question.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum NameSlot<'a> {
    One(&'a str),
    Open { why: OpenName, except: Vec<Cow<'a, str>> },
    Forbidden,
}

/// Reads a question as a request to the policies.
///
/// # Errors
/// When the answer does not depend on policies: see [`Unasked`].
pub fn request<'a>(attributes: &'a Attributes<'_>, setting: &Setting<'a>) -> Result<Request<'a>, Unasked> {
    let caller = identity::caller(attributes)?;
    let baseline = match caller {
        Caller::Anonymous => Baseline::No,
        Caller::Identity(_) | Caller::Principal(_) | Caller::PrincipalAsGiven(_) => {
            baseline(&attributes.target, setting.mode)
        }
    };
    let mut context = keys::of_caller(attributes, setting.now);
    let (action, resource, account) = match &attributes.target {
        Target::Resource(resource) => {
            let parts = Parts::new(resource, setting);
            keys::of_resource(&mut context, &parts, setting.management_account);
            (parts.action(), Resource::Arn(parts.slots(setting.cluster)), parts.resource_account())
        }
        Target::Url(url) => {
            keys::of_url(&mut context, url, setting.management_account);
            (url_action(url), Resource::Arn(url_slots(url, setting.cluster)), ResourceAccount::Management)
        }
    };
    Ok(Request { caller, action, resource, account, context, baseline })
}

// === impl ScopeFacts ===

/// Kinds that are known are served by the API server that asks.
impl From<Scope> for ScopeFacts {
    fn from(scope: Scope) -> Self {
        let served = match scope {
            Scope::Namespaced | Scope::Cluster => Served::Here,
            Scope::Unknown => Served::Elsewhere,
        };
        Self { scope, served }
    }
}

// === impl VerbClass ===

impl VerbClass {
    fn new(verb: &str) -> Self {
        const CLASSES: [(&str, VerbClass); 8] = [
            ("create", VerbClass::Create),
            ("update", VerbClass::Change),
            ("patch", VerbClass::Change),
            ("delete", VerbClass::Delete),
            ("list", VerbClass::List),
            ("watch", VerbClass::List),
            ("deletecollection", VerbClass::DeleteCollection),
            ("*", VerbClass::Every),
        ];
        CLASSES.iter().find(|(name, _)| name.eq_ignore_ascii_case(verb)).map_or(Self::Other, |(_, class)| *class)
    }

    /// Whether selectors mean anything with it.
    pub(super) fn selects(self) -> bool {
        matches!(self, Self::List | Self::DeleteCollection)
    }
}

// === impl Parts ===

impl<'a> Parts<'a> {
    fn new(resource: &'a ResourceAttributes<'_>, setting: &Setting<'_>) -> Self {
        let verb = VerbClass::new(&resource.verb);
        let facts = facts(resource, setting.scope);
        let (fields, labels) = if verb.selects() {
            (selector::by_key(&resource.field_selector), selector::by_key(&resource.label_selector))
        } else {
            (Vec::new(), Vec::new())
        };
        let proxy = proxied(resource).then(|| ProxyName::parse(&resource.name)).flatten();
        let mut parts = Self {
            resource,
            verb,
            facts,
            fields,
            labels,
            account: AccountSlot::Forbidden,
            name: NameSlot::Forbidden,
            proxy,
        };
        parts.account = parts.account_slot();
        parts.name = parts.name_slot();
        parts
    }

    fn account_slot(&self) -> AccountSlot<'a> {
        let namespace: &'a str = &self.resource.namespace;
        match (self.facts.scope, namespace.is_empty()) {
            (Scope::Cluster, _) => AccountSlot::One(Cow::Borrowed("")),
            (Scope::Namespaced | Scope::Unknown, false) => one_account(namespace),
            (Scope::Namespaced, true) => match self.narrowed("metadata.namespace") {
                Narrowed::To(namespace) => one_account(namespace),
                Narrowed::Without(except) => AccountSlot::Any { except },
            },
            (Scope::Unknown, true) => AccountSlot::Either,
        }
    }

    fn name_slot(&self) -> NameSlot<'a> {
        let name: &'a str = &self.resource.name;
        if name.is_empty() {
            if self.verb == VerbClass::Create && self.resource.subresource.is_empty() {
                return NameSlot::Open { why: OpenName::NotYetKnown, except: Vec::new() };
            }
            return match self.narrowed("metadata.name") {
                Narrowed::To(name) => NameSlot::One(name),
                Narrowed::Without(except) => NameSlot::Open { why: OpenName::Every, except },
            };
        }
        if self.verb == VerbClass::List && self.facts.served == Served::Elsewhere {
            return NameSlot::Open { why: OpenName::Every, except: Vec::new() };
        }
        if proxied(self.resource) {
            return self.proxy.map_or(NameSlot::Forbidden, |proxy| NameSlot::One(proxy.name));
        }
        NameSlot::One(name)
    }

    fn narrowed(&self, field: &str) -> Narrowed<'a> {
        match self.facts.served {
            Served::Here => selector::narrowed(&self.fields, field),
            Served::Elsewhere => Narrowed::Without(Vec::new()),
        }
    }

    fn action(&self) -> Action<'a> {
        let ResourceAttributes { verb, subresource, .. } = self.resource;
        if verb == "*" || subresource == "*" {
            return Action::AnyOf(Cow::Borrowed("k8s"));
        }
        let mut name = format!("k8s:{}", escape_verb(verb));
        if !subresource.is_empty() {
            name.push('/');
            name.push_str(subresource);
        }
        Action::One(Cow::Owned(name))
    }

    fn slots(&self, cluster: &'a str) -> Slots<'a> {
        Slots {
            partition: Cow::Borrowed("k8s"),
            service: service(&self.resource.group),
            region: Cow::Borrowed(cluster),
            account: self.account.clone(),
            rest: self.rest(),
        }
    }

    fn rest(&self) -> Rest<'a> {
        let plural: &str = &self.resource.resource;
        if plural == "*" {
            return Rest::Any;
        }
        if plural.is_empty() || plural.contains(FORBIDDEN) {
            return Rest::Forbidden;
        }
        match &self.name {
            NameSlot::One(name) => Rest::One(Cow::Owned(format!("{plural}/{name}"))),
            NameSlot::Open { why, except } => Rest::Named {
                prefix: Cow::Owned(format!("{plural}/")),
                except: except.iter().map(|name| Cow::Owned(format!("{plural}/{name}"))).collect(),
                name: *why,
            },
            NameSlot::Forbidden => Rest::Forbidden,
        }
    }

    fn resource_account(&self) -> ResourceAccount<'a> {
        match &self.account {
            AccountSlot::One(account) if account.is_empty() => ResourceAccount::Management,
            AccountSlot::One(account) => ResourceAccount::One(account.clone()),
            AccountSlot::Any { .. } | AccountSlot::Either | AccountSlot::Forbidden => ResourceAccount::All,
        }
    }
}

// === impl ProxyName ===

impl<'a> ProxyName<'a> {
    /// As Kubernetes reads it (`k8s.io/apimachinery` SplitSchemeNamePort).
    fn parse(text: &'a str) -> Option<Self> {
        let mut parts = text.split(':');
        let (scheme, name, port) = match (parts.next()?, parts.next(), parts.next(), parts.next()) {
            (name, None, None, None) => ("", name, ""),
            (name, Some(port), None, None) => ("", name, port),
            (scheme, Some(name), Some(port), None) => (scheme, name, port),
            _ => return None,
        };
        (!name.is_empty() && matches!(scheme, "" | "http" | "https")).then_some(Self { scheme, name, port })
    }
}

// === free functions ===

/// Characters that no group, plural or namespace has.
const FORBIDDEN: [char; 4] = [':', '*', '?', '/'];

fn facts(resource: &ResourceAttributes<'_>, scope: &dyn Fn(&str, &str) -> ScopeFacts) -> ScopeFacts {
    match (&*resource.group, &*resource.resource) {
        // Whatever a table says: who owns a Namespace object owns the labels that select guardrails.
        ("" | "*", "namespaces") => Scope::Cluster.into(),
        ("*", _) | (_, "*") => Scope::Unknown.into(),
        (group, plural) => scope(group, plural),
    }
}

/// Whether the name may be an alias for the proxy.
pub(super) fn proxied(resource: &ResourceAttributes<'_>) -> bool {
    (resource.subresource == "*" || resource.subresource.eq_ignore_ascii_case("proxy"))
        && matches!(&*resource.group, "" | "*")
        && matches!(&*resource.resource, "pods" | "services" | "nodes" | "*")
}

fn one_account(namespace: &str) -> AccountSlot<'_> {
    if namespace.contains(FORBIDDEN) { AccountSlot::Forbidden } else { AccountSlot::One(Cow::Borrowed(namespace)) }
}

fn service<'a>(group: &'a str) -> Slot<'a> {
    match group {
        "" => Slot::One(Cow::Borrowed("core")),
        "*" => Slot::Any,
        // The name of the empty group in ARNs; nobody else may look like it.
        _ if group.eq_ignore_ascii_case("core") => Slot::Forbidden,
        _ if group.contains(FORBIDDEN) => Slot::Forbidden,
        _ => Slot::One(Cow::Borrowed(group)),
    }
}

fn url_action<'a>(url: &UrlAttributes<'_>) -> Action<'a> {
    if url.verb == "*" {
        return Action::AnyOf(Cow::Borrowed("http"));
    }
    Action::One(Cow::Owned(format!("http:{}", escape_verb(&url.verb))))
}

fn url_slots<'a>(url: &'a UrlAttributes<'_>, cluster: &'a str) -> Slots<'a> {
    Slots {
        partition: Cow::Borrowed("k8s"),
        service: Slot::One(Cow::Borrowed("url")),
        region: Cow::Borrowed(cluster),
        account: AccountSlot::One(Cow::Borrowed("")),
        rest: Rest::One(Cow::Borrowed(&url.path)),
    }
}

/// A verb as the first part of an action's name: no other verb, and no verb with a subresource, is written the same.
fn escape_verb(verb: &str) -> Cow<'_, str> {
    if !verb.contains(['%', ':', '/']) {
        return Cow::Borrowed(verb);
    }
    Cow::Owned(verb.replace('%', "%25").replace(':', "%3A").replace('/', "%2F"))
}

#[cfg(test)]
mod tests;
