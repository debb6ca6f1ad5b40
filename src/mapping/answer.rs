//! What Kubernetes is told (`kubernetes-contract.md` B8), and why, in one line that users read verbatim in their 403.
//!
//! "Not ready" and "malformed" are no answers but HTTP statuses, so they are not here.

use smol_str::SmolStr;

use super::identity::Unasked;
use super::text::Line;
use crate::decide::{
    AccountSlot, Action, Caller, Cause, Decision, Effect, Layer, Matched, Narrower, OpenName, Request, Resource, Rest,
    Verdict,
};
use crate::name::Mode;

/// An answer to an authorization question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// What Kubernetes does.
    pub opinion: Opinion,
    /// Why: one printable line of at most 512 characters. It names policies and statements, never the values of
    /// conditions.
    pub reason: String,
    /// What went wrong inside; only beside a refusal.
    pub evaluation_error: Option<String>,
}

/// What Kubernetes does with an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Opinion {
    /// The request goes on.
    Allowed,
    /// The request is refused, whatever other authorizers say.
    Denied,
    /// Other authorizers decide.
    NoOpinion,
}

/// How a question ended.
#[derive(Clone, Copy, Debug)]
pub enum Outcome<'a> {
    /// Policies decided.
    Decided {
        /// What was asked.
        request: &'a Request<'a>,
        /// What was decided.
        decision: &'a Decision,
    },
    /// Policies were not asked.
    Unasked(Unasked),
    /// The evaluation broke off.
    Panicked,
}

/// Principals that a reason names.
const MAX_PRINCIPALS: usize = 3;

/// Characters of a policy's name: enough for any that Kubernetes can hold, short enough that the sid still fits.
const MAX_POLICY_CHARACTERS: usize = 300;

/// The answer to a question that ended so.
pub fn answer(mode: Mode, outcome: Outcome<'_>) -> Answer {
    let (opinion, evaluation_error) = enforced(mode, outcome);
    let mut line = Line::new();
    let opinion = match mode {
        Mode::Shadow => {
            line.push("shadow: ");
            Opinion::NoOpinion
        }
        Mode::Coexist | Mode::Authoritative => opinion,
    };
    write_reason(&mut line, outcome);
    Answer {
        opinion,
        reason: line.finish(),
        evaluation_error: evaluation_error.filter(|_| opinion == Opinion::Denied).map(str::to_owned),
    }
}

// === impl Answer ===

impl Answer {
    /// `status.allowed`.
    pub fn is_allowed(&self) -> bool {
        self.opinion == Opinion::Allowed
    }

    /// `status.denied`.
    pub fn is_denied(&self) -> bool {
        self.opinion == Opinion::Denied
    }
}

// === the table ===

/// What an enforcing mode answers, and what went wrong.
fn enforced(mode: Mode, outcome: Outcome<'_>) -> (Opinion, Option<&'static str>) {
    match outcome {
        Outcome::Unasked(Unasked::Exempt) => (Opinion::NoOpinion, None),
        Outcome::Unasked(Unasked::Refused(_)) => (Opinion::Denied, None),
        Outcome::Panicked => (Opinion::Denied, Some("the evaluation failed; the log of kube-iam says why")),
        Outcome::Decided { decision: Decision { cause: Cause::BudgetSpent, .. }, .. } => {
            (Opinion::Denied, Some("the evaluation took too many steps"))
        }
        Outcome::Decided { request, decision } => (decided(mode, &request.caller, decision), None),
    }
}

fn decided(mode: Mode, caller: &Caller<'_>, decision: &Decision) -> Opinion {
    let known = match caller {
        Caller::Anonymous => false,
        Caller::Identity(_) | Caller::Principal(_) | Caller::PrincipalAsGiven(_) => true,
    };
    match (decision.verdict, known) {
        (Verdict::ExplicitDeny, _) => Opinion::Denied,
        (Verdict::Allow | Verdict::ImplicitDeny, false) => Opinion::NoOpinion,
        (Verdict::Allow, true) => Opinion::Allowed,
        (Verdict::ImplicitDeny, true) if decision.is_limited() => Opinion::Denied,
        (Verdict::ImplicitDeny, true) => match mode {
            Mode::Shadow | Mode::Coexist => Opinion::NoOpinion,
            Mode::Authoritative => Opinion::Denied,
        },
    }
}

// === the reason ===

fn write_reason(line: &mut Line, outcome: Outcome<'_>) {
    match outcome {
        Outcome::Unasked(Unasked::Exempt) => {
            line.push("NoOpinion: identities of Kubernetes itself are left to the other authorizers");
        }
        Outcome::Unasked(Unasked::Refused(refusal)) => {
            line.push("ExplicitDeny: ");
            line.push(refusal.describe());
        }
        Outcome::Panicked => line.push("ImplicitDeny: the decision failed inside kube-iam"),
        Outcome::Decided { request, decision } => match (&decision.cause, decision.verdict) {
            (Cause::BudgetSpent, _) => line.push("ImplicitDeny: the decision took too many steps"),
            (_, Verdict::Allow) => write_allow(line, decision),
            (_, Verdict::ExplicitDeny) => write_explicit_deny(line, request, decision),
            (_, Verdict::ImplicitDeny) => write_implicit_deny(line, request, decision),
        },
    }
}

fn write_allow(line: &mut Line, decision: &Decision) {
    line.push("Allow");
    match &decision.cause {
        Cause::Root(root) => {
            line.push(" by account root ");
            line.push_name(root);
        }
        Cause::Baseline => line.push(" by baseline: every authenticated caller may do this"),
        Cause::Statements
        | Cause::NothingApplies
        | Cause::LimitDoesNotAllow { .. }
        | Cause::BoundaryMissing(_)
        | Cause::UserDisabled(_)
        | Cause::BudgetSpent => {
            if let Some(matched) = deciding(&decision.matched, decision.layer, Effect::Allow) {
                write_statement(line, matched);
            }
        }
    }
}

fn write_explicit_deny(line: &mut Line, request: &Request<'_>, decision: &Decision) {
    line.push("ExplicitDeny");
    if let Cause::UserDisabled(user) = &decision.cause {
        line.push(": ");
        line.push_name(user);
        line.push(" is disabled");
        return;
    }
    if let Some(matched) = deciding(&decision.matched, decision.layer, Effect::Deny) {
        write_statement(line, matched);
        if decision.residual.contains(matched) {
            line.push(", which depends on content that authorization cannot see");
        }
    }
    write_hint(line, request, decision);
}

fn write_implicit_deny(line: &mut Line, request: &Request<'_>, decision: &Decision) {
    line.push("ImplicitDeny: ");
    match &decision.cause {
        Cause::LimitDoesNotAllow { layer, policy, principal } => {
            line.push(layer.describe());
            line.push(" ");
            line.push_within(policy, MAX_POLICY_CHARACTERS);
            line.push(" of ");
            line.push_name(principal);
            line.push(" does not allow ");
            write_question(line, request);
        }
        Cause::BoundaryMissing(principal) => {
            line.push("the permissions boundary of ");
            line.push_name(principal);
            line.push(" does not exist, so nothing is allowed");
        }
        Cause::UserDisabled(user) => {
            line.push_name(user);
            line.push(" is disabled");
        }
        Cause::Statements | Cause::NothingApplies | Cause::Root(_) | Cause::Baseline | Cause::BudgetSpent => {
            line.push("no policy allows ");
            write_question(line, request);
            line.push(" for ");
            write_principals(line, request, &decision.principals);
            if let Some(residual) = decision.residual.iter().find(|matched| matched.effect == Effect::Allow) {
                line.push("; an Allow");
                write_statement(line, residual);
                line.push(" depends on content that authorization cannot see");
            }
            write_hint(line, request, decision);
        }
    }
}

/// ` by resource policy payments/ledger, statement Read`.
fn write_statement(line: &mut Line, matched: &Matched) {
    line.push(" by ");
    line.push(matched.layer.describe());
    line.push(" ");
    line.push_within(&matched.policy, MAX_POLICY_CHARACTERS);
    // A statement without a sid is called `statement 2`.
    line.push(if matched.sid.starts_with("statement ") { ", " } else { ", statement " });
    line.push_name(&matched.sid);
}

/// `k8s:get on arn:k8s:core::prod:secrets/db`.
fn write_question(line: &mut Line, request: &Request<'_>) {
    line.push_name(&request.action.to_string());
    line.push(" on ");
    line.push_name(&request.resource.to_string());
}

fn write_principals(line: &mut Line, request: &Request<'_>, principals: &[SmolStr]) {
    if principals.is_empty() {
        match &request.caller {
            Caller::Identity(identity) => line.push_name(&identity.user),
            Caller::Anonymous => line.push("anonymous callers"),
            Caller::Principal(arn) | Caller::PrincipalAsGiven(arn) => line.push_name(arn.as_str()),
        }
        return;
    }
    for (at, principal) in principals.iter().take(MAX_PRINCIPALS).enumerate() {
        if at > 0 {
            line.push(", ");
        }
        line.push_name(principal);
    }
    if let Some(more) = principals.len().checked_sub(MAX_PRINCIPALS).filter(|more| *more > 0) {
        line.push(&format!(" and {more} more"));
    }
}

/// What a narrower question would name, where one may be allowed.
fn write_hint(line: &mut Line, request: &Request<'_>, decision: &Decision) {
    if request.resource.is_forbidden() {
        line.push("; it names a group, kind, namespace or proxy address that Kubernetes cannot have");
        return;
    }
    if decision.narrower == Narrower::SameAnswer {
        return;
    }
    let Resource::Arn(slots) = &request.resource else { return };
    match &slots.account {
        AccountSlot::Any { .. } => line.push("; it spans all namespaces: name one with -n NAMESPACE"),
        AccountSlot::Either => {
            line.push("; whether this kind lives in namespaces is not known: if it does, name one with -n NAMESPACE");
        }
        AccountSlot::One(_) | AccountSlot::Forbidden if spans_names(request, &slots.rest) => {
            line.push("; it spans all names: name one with --field-selector metadata.name=NAME");
        }
        AccountSlot::One(_) | AccountSlot::Forbidden => {}
    }
}

/// Whether this is a list or watch of every name, and its selector does not name one already.
fn spans_names(request: &Request<'_>, rest: &Rest<'_>) -> bool {
    matches!(rest, Rest::Named { name: OpenName::Every, .. })
        && matches!(&request.action, Action::One(action) if action == "k8s:list" || action == "k8s:watch")
        && !request.context.entries().iter().any(|(key, _)| key == "k8s:FieldSelector/metadata.name")
}

/// The statement to name: one of the layer that decided, else the first.
fn deciding(statements: &[Matched], layer: Option<Layer>, effect: Effect) -> Option<&Matched> {
    let with_effect = || statements.iter().filter(|matched| matched.effect == effect);
    with_effect().find(|matched| Some(matched.layer) == layer).or_else(|| with_effect().next())
}

#[cfg(test)]
mod tests;
