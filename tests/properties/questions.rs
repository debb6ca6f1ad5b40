//! Random questions of Kubernetes, and their answers.

use std::borrow::Cow;

use kube_iam::decide::{
    Action, Caller, Decision, Explanation, Request, Resource, ResourceAccount, Verdict, decide, explain,
};
use kube_iam::mapping::{
    Attributes, Now, Requirement, ResourceAttributes, ScopeFacts, SelectorOperator, Setting, Target, UrlAttributes,
    request,
};
use kube_iam::name::{Arn, Mode};
use kube_iam::snapshot::Snapshot;

use crate::dice::Dice;
use crate::worlds::{MANAGEMENT, USERS};

const NOW: Now<'static> = Now { epoch_seconds: 1_767_225_600, rfc3339: "2026-01-01T00:00:00Z" };

/// Asks with the request of a question; `None` if policies are not asked.
pub fn with_request<T>(
    snapshot: &Snapshot,
    asked: &Attributes<'_>,
    mode: Mode,
    ask: impl FnOnce(&Request<'_>) -> T,
) -> Option<T> {
    let scope = |group: &str, plural: &str| ScopeFacts::from(snapshot.kinds().scope(group, plural));
    let setting = Setting { cluster: "", management_account: MANAGEMENT, mode, now: NOW, scope: &scope };
    request(asked, &setting).ok().map(|request| ask(&request))
}

/// A question of Kubernetes, or the same asked for one principal by its ARN, or whether it may assume a role.
#[derive(Clone, Debug)]
pub struct Question {
    pub attributes: Attributes<'static>,
    pub principal: Option<Arn>,
    pub role: Option<Arn>,
    pub mode: Mode,
}

// === impl Question ===

impl Question {
    pub fn new(dice: &mut Dice<'_>) -> Self {
        let mode = if dice.chance(25) { Mode::Authoritative } else { Mode::Coexist };
        let mut asked = Self { attributes: question(dice), principal: None, role: None, mode };
        if dice.chance(25) {
            let account = dice.pick(&["a", "a", "m", "b"]);
            let arn = match dice.below(8) {
                0..2 => format!("arn:k8s:iam::{account}:user/{}", dice.pick(&["u0", "u1", "nobody"])),
                2 => format!("arn:k8s:iam::{account}:role/r0"),
                3..5 => format!("arn:k8s:sts::{account}:assumed-role/r0/s"),
                5 => format!("arn:k8s:iam::{account}:root"),
                6 => format!("arn:k8s:core::{account}:serviceaccounts/ci"),
                _ => format!("arn:k8s:sts::{account}:federated-user/alice"),
            };
            asked.principal = arn.parse().ok();
        }
        if dice.chance(8) {
            asked.role = format!("arn:k8s:iam::{}:role/r0", dice.pick(&["a", "m"])).parse().ok();
        }
        asked
    }

    /// Asks; `None` if policies are not asked.
    pub fn ask<T>(&self, snapshot: &Snapshot, ask: impl FnOnce(&Request<'_>) -> T) -> Option<T> {
        with_request(snapshot, &self.attributes, self.mode, |request| {
            let mut request = request.clone();
            if let Some(principal) = &self.principal {
                request.caller = Caller::Principal(Cow::Borrowed(principal));
            }
            if let Some(role) = &self.role {
                request.action = Action::One("sts:AssumeRole".into());
                request.resource = Resource::one(role);
                request.account = ResourceAccount::One(role.account().into());
            }
            ask(&request)
        })
    }

    pub fn answer(&self, snapshot: &Snapshot) -> Option<Decision> {
        self.ask(snapshot, |request| decide(snapshot, request))
    }

    pub fn explained(&self, snapshot: &Snapshot) -> Option<Explanation> {
        self.ask(snapshot, |request| explain(snapshot, request))
    }
}

// === free functions ===

/// The decision in the default mode.
pub fn answer(snapshot: &Snapshot, asked: &Attributes<'_>) -> Option<Decision> {
    with_request(snapshot, asked, Mode::Coexist, |request| decide(snapshot, request))
}

/// The same with the whole walk.
pub fn explained(snapshot: &Snapshot, asked: &Attributes<'_>) -> Option<Explanation> {
    with_request(snapshot, asked, Mode::Coexist, |request| explain(snapshot, request))
}

pub fn is_allowed(decision: &Decision) -> bool {
    decision.verdict == Verdict::Allow
}

pub fn is_denied(decision: &Decision) -> bool {
    decision.verdict == Verdict::ExplicitDeny
}

/// Who asks.
pub fn caller(dice: &mut Dice<'_>) -> Attributes<'static> {
    let user = match dice.below(16) {
        0..6 => "alice",
        6..9 => "bob",
        9 | 10 => "carol",
        15 => "system:anonymous",
        at => USERS[at % USERS.len()],
    };
    let groups = dice.some(&["devs", "ops", "system:authenticated"], 0, 2);
    Attributes { user: user.into(), groups: groups.into_iter().map(Cow::Borrowed).collect(), ..Attributes::default() }
}

/// Any question about objects or URLs.
pub fn question(dice: &mut Dice<'_>) -> Attributes<'static> {
    let caller = caller(dice);
    if dice.chance(4) {
        let path = dice.pick(&["/metrics", "/api", "/healthz", "/version"]).into();
        return Attributes { target: Target::Url(UrlAttributes { path, verb: "get".into() }), ..caller };
    }
    if dice.chance(3) {
        let target = ResourceAttributes {
            verb: "create".into(),
            group: "authorization.k8s.io".into(),
            version: "v1".into(),
            resource: "selfsubjectaccessreviews".into(),
            ..ResourceAttributes::default()
        };
        return Attributes { target: Target::Resource(target), ..caller };
    }
    let (group, resource) = match dice.below(14) {
        0..7 => ("", "secrets"),
        7 | 8 => ("", "pods"),
        9 => ("apps", "deployments"),
        10 => ("", "nodes"),
        11 => ("", "namespaces"),
        12 => ("example.org", "things"),
        _ => dice.pick(&[("*", "*"), ("", "*"), ("*", "secrets")]),
    };
    let verb = dice.pick(&["get", "get", "list", "watch", "create", "delete", "deletecollection", "update", "*"]);
    let subresource = match dice.below(12) {
        11 => "*",
        10 => "exec",
        9 => "log",
        _ => "",
    };
    let many = matches!(verb, "list" | "watch" | "deletecollection");
    let namespace = if dice.chance(if many { 35 } else { 8 }) { "" } else { dice.pick(&["a", "a", "b", "m", "z"]) };
    let name = if dice.chance(if many { 75 } else { 10 }) { "" } else { dice.pick(&["x", "y", "xy", "a", "alice"]) };
    let target = ResourceAttributes {
        namespace: namespace.into(),
        verb: verb.into(),
        group: group.into(),
        version: "v1".into(),
        resource: resource.into(),
        subresource: subresource.into(),
        name: name.into(),
        field_selector: if many && dice.chance(20) { vec![field(dice)] } else { Vec::new() },
        label_selector: if many && dice.chance(40) { vec![label(dice)] } else { Vec::new() },
    };
    Attributes { target: Target::Resource(target), ..caller }
}

fn requirement(key: &'static str, operator: SelectorOperator, values: Vec<&'static str>) -> Requirement<'static> {
    Requirement { key: key.into(), operator, values: values.into_iter().map(Cow::Borrowed).collect() }
}

pub fn field(dice: &mut Dice<'_>) -> Requirement<'static> {
    let operator = dice.pick(&[SelectorOperator::In, SelectorOperator::NotIn]);
    if dice.chance(50) {
        requirement("metadata.name", operator, vec![dice.pick(&["x", "y"])])
    } else {
        requirement("metadata.namespace", operator, vec![dice.pick(&["a", "b"])])
    }
}

pub fn label(dice: &mut Dice<'_>) -> Requirement<'static> {
    match dice.below(4) {
        0 => requirement("env", SelectorOperator::In, dice.some(&["prod", "dev"], 1, 2)),
        1 => requirement("env", SelectorOperator::NotIn, dice.some(&["prod", "dev"], 1, 1)),
        2 => requirement("env", SelectorOperator::Exists, vec![]),
        _ => requirement("env", SelectorOperator::DoesNotExist, vec![]),
    }
}
