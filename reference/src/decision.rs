//! The decision over all policies of a request (§9).

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::pattern::{Context, Kind};
use crate::principal::{Caller, Identity, Match};
use crate::statement::{Document, Effect, Request};

/// The three answers (§1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// Granted.
    Allow,
    /// Refused by an applying Deny.
    ExplicitDeny,
    /// Refused because nothing grants it.
    ImplicitDeny,
}

impl Outcome {
    /// The word in records.
    pub fn name(self) -> &'static str {
        match self {
            Self::Allow => "Allow",
            Self::ExplicitDeny => "ExplicitDeny",
            Self::ImplicitDeny => "ImplicitDeny",
        }
    }
}

/// A statement that applies, by its place in the record; all indexes count from 0.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Matched {
    /// Kind of the policy.
    pub kind: Kind,
    /// Level, for `scp` and `rcp`; else 0.
    pub level: usize,
    /// Policy within the list, or the level.
    pub policy: usize,
    /// Statement within the policy.
    pub statement: usize,
    /// Effect in force: `Deny` if it cannot be read.
    pub effect: Effect,
}

impl Matched {
    /// As JSON, for people who compare.
    pub fn to_json(&self) -> Value {
        let effect = if self.effect == Effect::Allow { "Allow" } else { "Deny" };
        json!({
            "kind": self.kind.name(), "level": self.level, "policy": self.policy, "statement": self.statement,
            "effect": effect,
        })
    }
}

/// The answer to a decision record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// Allowed or not.
    pub outcome: Outcome,
    /// Every applying statement of every policy that takes part, in the order of [`Kind`] and of the record.
    pub matched: Vec<Matched>,
}

/// Decides a `decision` record of the conformance corpus (§9.3).
///
/// Absent, null and empty policies are no policies, except that a level of `scp` without policies allows nothing.
pub fn decide(record: &Value) -> Verdict {
    let field = |name: &str| record.get("request").and_then(|request| request.get(name));
    let text = |name: &str| field(name).and_then(Value::as_str).unwrap_or_default();
    let request = Request {
        caller: Caller::read(record.get("request").unwrap_or(&Value::Null)),
        action: text("action"),
        resource: text("resource"),
        context: Context(field("context").unwrap_or(&Value::Null)),
        has_boundary: !documents(record, Kind::Boundary).is_empty(),
    };
    let mut matched = Vec::new();
    let mut eval = |kind, level, documents: &[&Value]| eval(kind, level, documents, &request, &mut matched);

    let caller = request.caller.account();
    let owner = text("resource_account");
    let root = request.caller.identity() == Some(&Identity::Root);
    let federated = matches!(request.caller.identity(), Some(Identity::FederatedUser(_)));

    let id = eval(Kind::Identity, 0, &documents(record, Kind::Identity)).0;
    let trust = documents(record, Kind::Trust);
    let (resource_policy, mut kinds) = eval(Kind::Resource, 0, &documents(record, Kind::Resource));
    let mut optional = |kind| {
        let documents = documents(record, kind);
        (!documents.is_empty()).then(|| eval(kind, 0, &documents).0)
    };
    let bnd = optional(Kind::Boundary);
    let ses = optional(Kind::Session);
    let vpce = optional(Kind::Endpoint);
    let (trust_policy, trust_kinds) = eval(Kind::Trust, 0, &trust);
    kinds.extend(trust_kinds);
    // Service principals and anonymous callers are outside of SCPs.
    let scp_levels = if caller.is_some() { levels(record, Kind::Scp) } else { Vec::new() };
    let scp: Vec<Outcome> =
        scp_levels.iter().enumerate().map(|(level, documents)| eval(Kind::Scp, level, documents).0).collect();
    // Every RCP level holds RCPFullAWSAccess, so that only a Deny can change it.
    let rcp: Vec<Outcome> = levels(record, Kind::Rcp)
        .iter()
        .enumerate()
        .map(|(level, documents)| match eval(Kind::Rcp, level, documents).0 {
            Outcome::ExplicitDeny => Outcome::ExplicitDeny,
            Outcome::Allow | Outcome::ImplicitDeny => Outcome::Allow,
        })
        .collect();

    let ok = |outcome: Option<Outcome>| outcome.is_none_or(|outcome| outcome == Outcome::Allow);
    let limits = ok(bnd) && ok(ses);
    let unlimited_federation = federated && ses.is_none();
    let id_path = (id == Outcome::Allow || root) && limits && !unlimited_federation;
    let any_of = |wanted: &[Match]| wanted.iter().any(|kind| kinds.contains(kind));

    let everything = [id, resource_policy, trust_policy].into_iter().chain([bnd, ses, vpce].into_iter().flatten());
    let denied = everything.chain(scp.iter().chain(&rcp).copied()).any(|outcome| outcome == Outcome::ExplicitDeny);
    let allowed = if rcp.iter().chain(&scp).any(|level| *level != Outcome::Allow) || !ok(vpce) {
        false
    } else {
        match &request.caller {
            Caller::Anonymous => any_of(&[Match::Any]),
            Caller::Service(_) => any_of(&[Match::Direct, Match::Any]),
            Caller::Account { account, .. } if account == owner => {
                any_of(&[Match::Any, Match::Direct])
                    || any_of(&[Match::Role, Match::User]) && limits && !unlimited_federation
                    || id_path && (trust.is_empty() || any_of(&[Match::Account]))
            }
            Caller::Account { .. } => !kinds.is_empty() && id_path,
        }
    };
    matched.sort();
    let outcome = match (denied, allowed) {
        (true, _) => Outcome::ExplicitDeny,
        (false, true) => Outcome::Allow,
        (false, false) => Outcome::ImplicitDeny,
    };
    Verdict { outcome, matched }
}

/// Evaluates a set of policies (§9.2); also how the principals of its applying Allows cover the caller.
fn eval(
    kind: Kind,
    level: usize,
    documents: &[&Value],
    request: &Request,
    matched: &mut Vec<Matched>,
) -> (Outcome, BTreeSet<Match>) {
    let mut effects = BTreeSet::new();
    let mut kinds = BTreeSet::new();
    for (policy, document) in documents.iter().enumerate() {
        let document = Document::read(kind, document);
        for (statement, content) in document.statements.iter().enumerate() {
            if let Some((effect, covered)) = document.applies(content, request) {
                effects.insert(effect);
                matched.push(Matched { kind, level, policy, statement, effect });
                if effect == Effect::Allow {
                    kinds.extend(covered);
                }
            }
        }
    }
    let outcome = if effects.contains(&Effect::Deny) {
        Outcome::ExplicitDeny
    } else if effects.contains(&Effect::Allow) {
        Outcome::Allow
    } else {
        Outcome::ImplicitDeny
    };
    (outcome, kinds)
}

/// The documents of a kind: one document or a list.
fn documents(record: &Value, kind: Kind) -> Vec<&Value> {
    list(record.get("policies").and_then(|policies| policies.get(kind.name())))
}

/// The levels of `scp` or `rcp`, root first.
fn levels(record: &Value, kind: Kind) -> Vec<Vec<&Value>> {
    documents(record, kind).into_iter().map(|level| list(Some(level))).collect()
}

fn list(value: Option<&Value>) -> Vec<&Value> {
    match value {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(values)) => values.iter().collect(),
        Some(value) => vec![value],
    }
}
