//! What has to be done for an object.

use super::conditions::{self, READY, conditions};
use super::declared::{Details, PolicyType, Validity};
use super::finalizer;
use super::identifier::unique_id;
use super::judgement::{Judgement, judge};
use super::observation::Observation;
use super::status::{Finding, LastGood, Severity, Status};
use super::text::{MESSAGE_BYTES, PATH_BYTES, cut};
use crate::lint;
use crate::world::{Kind, Reason};

/// The most findings that a status lists.
const FINDINGS: usize = 20;

/// One thing to do. Steps are done in order; where one fails, those after it are not done.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// Set [`super::IN_USE`].
    AddFinalizer,
    /// Release [`super::IN_USE`].
    RemoveFinalizer,
    /// Write the status.
    WriteStatus {
        /// The whole of it.
        status: Box<Status>,
        /// How soon.
        urgency: Urgency,
    },
    /// Tell who looks at the object's events.
    Event(Event),
}

/// How soon a status is to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Urgency {
    /// At once: it says how the object stands now.
    Now,
    /// It will soon be overtaken, by a replica or by what is missing: a moment of patience saves a write.
    Passing,
    /// Only numbers are others: they may gather.
    Numbers,
}

/// A warning about an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The reason of its `Ready` condition.
    pub reason: Reason,
    /// The message of its `Ready` condition.
    pub message: String,
}

/// The steps for an object; none when it is as it should be.
pub fn steps(observation: &Observation) -> Vec<Step> {
    let mut steps = Vec::new();
    if let Some(step) = finalizer::step(observation) {
        let goes = step == Step::RemoveFinalizer && observation.deleting && observation.finalizers.len() == 1;
        steps.push(step);
        if goes {
            return steps;
        }
    }
    let judgement = judge(observation);
    let status = status(observation, &judgement);
    let stored = stored(observation);
    if status == stored {
        return steps;
    }
    let urgency = urgency(observation, &judgement, &status, &stored);
    steps.push(Step::WriteStatus { status: Box::new(status), urgency });
    steps.extend(event(observation, judgement).map(Step::Event));
    steps
}

// === free functions ===

fn status(observation: &Observation, judgement: &Judgement) -> Status {
    let before = &observation.status;
    let same_generation = before.observed_generation == Some(observation.generation);
    let arn = match &observation.in_force {
        Some(in_force) => in_force.arn.as_ref().map(|arn| arn.as_str().to_owned()),
        None => before.arn.clone(),
    };
    let refused = matches!(judgement, Judgement::Refused { .. });
    let in_force = observation.in_force.as_ref().filter(|_| !refused);
    let revision = in_force.map(|in_force| i64::try_from(in_force.revision.0).unwrap_or(i64::MAX));
    let mut status = Status {
        observed_generation: Some(observation.generation),
        conditions: conditions(observation, judgement),
        arn,
        revision: before.revision.filter(|_| same_generation && !refused).or(revision),
        last_good: last_good(observation),
        ..Status::default()
    };
    let id = observation.uid.as_ref().map(|uid| unique_id(observation.key.kind, uid));
    match observation.key.kind {
        Kind::User => {
            status.user_id = id;
            status.mfa_device_count = Some(0);
            status.access_key_count = Some(0);
        }
        Kind::Group => {
            status.group_id = id;
            status.member_count = Some(number(observation.referrers.count));
        }
        Kind::Role => status.role_id = id,
        Kind::Policy => {
            status.policy_id = id;
            status.attachment_count = Some(number(observation.referrers.count));
            let (count, findings) = findings(observation);
            status.finding_count = Some(number(count));
            status.findings = findings;
        }
    }
    match observation.declared.details {
        Some(Details::User { groups, policies, .. }) => {
            status.group_count = Some(number(groups));
            status.policy_count = Some(number(policies));
        }
        Some(Details::Group { policies }) => status.policy_count = Some(number(policies)),
        Some(Details::Role { policies, max_session_seconds, trusted_principals }) => {
            status.policy_count = Some(number(policies));
            status.max_session_duration = Some(duration(max_session_seconds));
            status.trusted_principal_count = Some(number(trusted_principals));
        }
        Some(Details::Policy { kind, statements }) => {
            status.policy_type = Some(kind.as_str().to_owned());
            status.statement_count = Some(number(statements));
        }
        None => {}
    }
    status
}

/// The record of the last valid form (`guarantees.md` R4): there while the object is not valid, so that every replica
/// and every later one refuses by it. What is known now is newer than what was recorded before.
fn last_good(observation: &Observation) -> Option<LastGood> {
    match observation.declared.validity {
        Validity::Valid => None,
        Validity::Invalid => {
            let recorded = observation.status.last_good.clone();
            // Of which generation it is may be known from the record alone.
            let same = |known: &LastGood| {
                known.generation.is_none() && recorded.as_ref().is_some_and(|recorded| recorded.spec == known.spec)
            };
            observation.last_good.clone().filter(|known| !same(known)).or(recorded)
        }
    }
}

/// How many findings there are, and the gravest of them.
fn findings(observation: &Observation) -> (usize, Vec<Finding>) {
    let Some(in_force) = &observation.in_force else {
        let before = &observation.status;
        let count = before.finding_count.and_then(|count| usize::try_from(count).ok()).unwrap_or(0);
        return (count, before.findings.clone());
    };
    let finding = |severity, path: &str, code: &str, message: &str| Finding {
        severity,
        path: (!path.is_empty()).then(|| cut(path, PATH_BYTES)),
        code: code.to_owned(),
        message: cut(message, MESSAGE_BYTES),
    };
    let wrong = in_force.outcome.findings.iter().map(|found| {
        let code = code(found.reason);
        finding(Severity::Error, &found.path, code, &found.message)
    });
    let managed = matches!(observation.declared.details, Some(Details::Policy { kind: PolicyType::Managed, .. }));
    let idle = (managed && observation.referrers.count == 0 && !observation.deleting).then(lint::not_attached);
    let odd = observation
        .lint
        .iter()
        .chain(&idle)
        .map(|found| finding(Severity::from(found.severity), &found.path, found.code.as_str(), &found.message));
    let mut findings: Vec<Finding> = wrong.chain(odd).collect();
    let count = findings.len();
    findings.sort();
    findings.truncate(FINDINGS);
    (count, findings)
}

/// What is stored of what this program writes.
fn stored(observation: &Observation) -> Status {
    Status { conditions: conditions::ours(&observation.status.conditions), ..observation.status.clone() }
}

fn urgency(observation: &Observation, judgement: &Judgement, status: &Status, stored: &Status) -> Urgency {
    let numbers = |status: &Status| Status {
        attachment_count: None,
        member_count: None,
        finding_count: None,
        findings: Vec::new(),
        ..status.clone()
    };
    if numbers(status) == numbers(stored) {
        return Urgency::Numbers;
    }
    match judgement {
        Judgement::Waiting { .. } | Judgement::Incomplete { .. } | Judgement::Deleting { .. } => Urgency::Passing,
        Judgement::Refused { .. } if !observation.replicas.all_run() => Urgency::Passing,
        Judgement::Ready { .. } | Judgement::Refused { .. } => Urgency::Now,
    }
}

/// A warning where the object came to stand in a way that people should see.
fn event(observation: &Observation, judgement: Judgement) -> Option<Event> {
    let (reason, message) = match judgement {
        Judgement::Incomplete { reason, message } | Judgement::Refused { reason, message } => (reason, message),
        Judgement::Ready { .. } | Judgement::Waiting { .. } | Judgement::Deleting { .. } => return None,
    };
    let before = observation.status.condition(READY).map(|ready| ready.reason.as_str());
    (before != Some(reason.as_str())).then_some(Event { reason, message })
}

/// The code of a finding of the world, as in the catalogue of checks.
fn code(reason: Reason) -> &'static str {
    match reason {
        Reason::ReferenceNotFound => "REFERENCE_NOT_FOUND",
        Reason::PolicyInvalid => "POLICY_INVALID",
        Reason::SpecInvalid => "SPEC_INVALID",
        Reason::Unreadable => "UNREADABLE",
        Reason::IdentityConflict => "IDENTITY_CLAIMED_TWICE",
        Reason::DeclaredTwice => "DECLARED_TWICE",
        Reason::NotManagementAccount => "NOT_MANAGEMENT_ACCOUNT",
        Reason::QuotaExceeded => "QUOTA_EXCEEDED",
    }
}

fn number(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// `1h`, `1h30m`, `90m` never: hours first, and only the parts that are not zero.
fn duration(seconds: u32) -> String {
    let parts = [(seconds / 3_600, 'h'), (seconds / 60 % 60, 'm'), (seconds % 60, 's')];
    let text: String = parts.iter().filter(|(n, _)| *n > 0).map(|(n, unit)| format!("{n}{unit}")).collect();
    if text.is_empty() { "0s".to_owned() } else { text }
}
