//! Whether a statement applies to a request (§9.1), and what a malformed one does (§2 rule 12).

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::condition;
use crate::pattern::{Context, Kind, Version, action_match, resource_match};
use crate::principal::{self, Caller, Match};

/// The result of one element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Check {
    /// The element covers the request.
    Matches,
    /// The element does not cover the request.
    Fails,
    /// The element cannot be read, or is not allowed in this kind of policy: never in an Allow, always in a Deny.
    Malformed,
}

impl Check {
    /// From a plain result.
    pub fn of(holds: bool) -> Self {
        if holds { Self::Matches } else { Self::Fails }
    }
}

/// What a statement does when it applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effect {
    /// Grants, or permits in a limit.
    Allow,
    /// Refuses.
    Deny,
}

/// A request to authorise.
pub struct Request<'a> {
    /// Who asks.
    pub caller: Caller,
    /// `service:Name`.
    pub action: &'a str,
    /// An ARN, or `*`.
    pub resource: &'a str,
    /// Context keys.
    pub context: Context<'a>,
    /// Whether the caller has a permissions boundary (§7.2).
    pub has_boundary: bool,
}

/// A policy document in its place.
pub struct Document<'a> {
    kind: Kind,
    version: Version,
    /// Whether the document outside its statements is well formed; if not, its Allows are void.
    envelope: Check,
    /// The statements, in order.
    pub statements: Vec<&'a Value>,
}

impl<'a> Document<'a> {
    /// Reads a document. What is not an object is read as one statement that cannot be read.
    pub fn read(kind: Kind, document: &'a Value) -> Self {
        let Some(map) = document.as_object() else {
            return Self { kind, version: Version::V2008, envelope: Check::Malformed, statements: vec![document] };
        };
        let known = map.iter().all(|(name, value)| match name.as_str() {
            "Version" => matches!(value.as_str(), Some("2008-10-17" | "2012-10-17")),
            "Id" => value.is_string(),
            name => name == "Statement",
        });
        let statements = match map.get("Statement") {
            None | Some(Value::Null) => Vec::new(),
            Some(Value::Array(statements)) => statements.iter().collect(),
            Some(statement) => vec![statement],
        };
        let envelope = if known { Check::Matches } else { Check::Malformed };
        Self { kind, version: Version::of(map.get("Version")), envelope, statements }
    }

    /// The effect of a statement of this document on the request and how its principal covers the caller, if it applies.
    pub fn applies(&self, statement: &Value, request: &Request) -> Option<(Effect, BTreeSet<Match>)> {
        let Some(map) = statement.as_object() else {
            return Some((Effect::Deny, BTreeSet::new()));
        };
        let (effect, readable) = match map.get("Effect").and_then(Value::as_str) {
            Some("Allow") => (Effect::Allow, Check::Matches),
            Some("Deny") => (Effect::Deny, Check::Matches),
            _ => (Effect::Deny, Check::Malformed),
        };
        let (principal, kinds) = self.principal(map, effect, request);
        let checks = [
            self.envelope,
            readable,
            keys(map),
            self.action(map, request),
            self.resource(map, request),
            principal,
            condition::check(map.get("Condition"), &request.context, self.version),
        ];
        let applies = match effect {
            Effect::Allow => checks.iter().all(|check| *check == Check::Matches),
            Effect::Deny => checks.iter().all(|check| *check != Check::Fails),
        };
        applies.then_some((effect, kinds))
    }

    fn action(&self, map: &Map<String, Value>, request: &Request) -> Check {
        match strings(map, "Action", "NotAction") {
            Strings::Absent | Strings::Malformed => Check::Malformed,
            Strings::List(_, false) if self.kind == Kind::Rcp => Check::Malformed,
            Strings::List(patterns, wanted) => {
                Check::of(patterns.iter().any(|pattern| action_match(pattern, request.action)) == wanted)
            }
        }
    }

    fn resource(&self, map: &Map<String, Value>, request: &Request) -> Check {
        let covers =
            |pattern: &&str| resource_match(pattern, request.resource, &request.context, self.version, self.kind);
        match (strings(map, "Resource", "NotResource"), self.kind) {
            (Strings::Absent, Kind::Trust | Kind::Resource | Kind::Endpoint) => Check::Matches,
            (Strings::Absent | Strings::Malformed, _) | (_, Kind::Trust) => Check::Malformed,
            (Strings::List(patterns, wanted), _) => Check::of(patterns.iter().any(covers) == wanted),
        }
    }

    fn principal(&self, map: &Map<String, Value>, effect: Effect, request: &Request) -> (Check, BTreeSet<Match>) {
        let none = BTreeSet::new;
        match (self.kind, map.get("Principal"), map.get("NotPrincipal")) {
            (Kind::Identity | Kind::Boundary | Kind::Session | Kind::Scp, None, None) => (Check::Matches, none()),
            (Kind::Rcp, Some(element), None) => match principal::read(element) {
                Some(listed) if listed.iter().all(|(_, value)| value == "*") => (Check::Matches, none()),
                _ => (Check::Malformed, none()),
            },
            (Kind::Resource | Kind::Trust | Kind::Endpoint, Some(element), None) => match principal::read(element) {
                Some(listed) => {
                    let kinds = request.caller.covered_by(&listed);
                    (Check::of(!kinds.is_empty()), kinds)
                }
                None => (Check::Malformed, none()),
            },
            (Kind::Resource | Kind::Endpoint, None, Some(element)) => match principal::read(element) {
                Some(listed) => {
                    let always = effect == Effect::Deny && request.has_boundary;
                    let outside = request.caller.covered_by(&listed).is_empty();
                    (Check::of(always || outside), BTreeSet::from([Match::Any]))
                }
                None => (Check::Malformed, none()),
            },
            // Missing where it is required, present where it is forbidden, or both.
            _ => (Check::Malformed, none()),
        }
    }
}

/// Unknown keys, and a `Sid` that is no string.
fn keys(map: &Map<String, Value>) -> Check {
    let known =
        ["Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource", "NotResource", "Condition"];
    let readable =
        |(name, value): (&String, &Value)| known.contains(&name.as_str()) && (name != "Sid" || value.is_string());
    if map.iter().all(readable) { Check::Matches } else { Check::Malformed }
}

enum Strings<'a> {
    Absent,
    Malformed,
    /// The list, and the results of its match that make the element cover the request: `false` for `Not…`.
    List(Vec<&'a str>, bool),
}

/// A string list under its plain or its negated name. A null inside a list of resources is skipped (§2 rule 7).
fn strings<'a>(map: &'a Map<String, Value>, plain: &str, negated: &str) -> Strings<'a> {
    let (value, wanted) = match (map.get(plain), map.get(negated)) {
        (None, None) => return Strings::Absent,
        (Some(_), Some(_)) => return Strings::Malformed,
        (Some(value), None) => (value, true),
        (None, Some(value)) => (value, false),
    };
    let skipped = |value: &&Value| plain == "Resource" && value.is_null();
    let list: Option<Vec<&str>> = match value {
        Value::Array(values) => values.iter().filter(|value| !skipped(value)).map(Value::as_str).collect(),
        value => value.as_str().map(|value| vec![value]),
    };
    list.filter(|list| !list.is_empty()).map_or(Strings::Malformed, |list| Strings::List(list, wanted))
}
