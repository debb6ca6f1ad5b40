//! How an object stands: a chain of checks, the first that has something to say decides.

use super::conditions::READY;
use super::declared::{Details, Validity};
use super::observation::{Observation, Replicas};
use super::status::ConditionStatus;
use super::text::{MESSAGE_BYTES, cut};
use crate::world::{Finding, Reason};

/// How an object stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// In force on every replica.
    Ready {
        /// What that means for people.
        message: String,
    },
    /// All is well with it, and replicas are waited for.
    Waiting {
        /// Which.
        replicas: Replicas,
    },
    /// Something that it needs is not there; that may heal by itself.
    Incomplete {
        /// Why.
        reason: Reason,
        /// Why, for people, and what to do next.
        message: String,
    },
    /// It grants nothing, and only a person can help.
    Refused {
        /// Why.
        reason: Reason,
        /// Why, for people, and what to do next.
        message: String,
    },
    /// It is being deleted.
    Deleting {
        /// Who keeps it.
        message: String,
    },
}

/// The reasons in the order in which they are told, the one that hides the others first.
const REASONS: [Reason; 8] = [
    Reason::Unreadable,
    Reason::DeclaredTwice,
    Reason::SpecInvalid,
    Reason::PolicyInvalid,
    Reason::QuotaExceeded,
    Reason::NotManagementAccount,
    Reason::IdentityConflict,
    Reason::ReferenceNotFound,
];

/// Judges an object.
pub fn judge(observation: &Observation) -> Judgement {
    let checks = [deleting, refused, incomplete, waiting];
    checks.iter().find_map(|check| check(observation)).unwrap_or_else(|| ready(observation))
}

// === free functions ===

fn deleting(observation: &Observation) -> Option<Judgement> {
    if !observation.deleting {
        return None;
    }
    let message = match observation.referrers.named() {
        Some(names) => format!(
            "being deleted: it grants nothing any more, and its restrictions hold until nothing names it; named by {names}"
        ),
        None => "being deleted: it grants nothing any more, and its restrictions hold until it is gone".to_owned(),
    };
    Some(Judgement::Deleting { message: cut(&message, MESSAGE_BYTES) })
}

fn refused(observation: &Observation) -> Option<Judgement> {
    let (reason, message) = worst(observation, needs_a_person)?;
    Some(Judgement::Refused { reason, message })
}

fn incomplete(observation: &Observation) -> Option<Judgement> {
    let (reason, message) = worst(observation, |_| true)?;
    Some(Judgement::Incomplete { reason, message })
}

fn waiting(observation: &Observation) -> Option<Judgement> {
    if observation.in_force.is_some() && (is_latched(observation) || observation.replicas.all_run()) {
        return None;
    }
    Some(Judgement::Waiting { replicas: observation.replicas })
}

fn ready(observation: &Observation) -> Judgement {
    let message = match observation.declared.details {
        Some(Details::User { disabled: true, .. }) => {
            "in force on every replica: everything is denied to this user, as `spec.disabled` says"
        }
        Some(Details::User { .. } | Details::Group { .. } | Details::Role { .. } | Details::Policy { .. }) | None => {
            "in force on every replica"
        }
    };
    Judgement::Ready { message: message.to_owned() }
}

/// Whether this generation was ready before: replicas that come and go change nothing.
fn is_latched(observation: &Observation) -> bool {
    observation.status.condition(READY).is_some_and(|ready| {
        ready.status == ConditionStatus::True && ready.observed_generation == Some(observation.generation)
    })
}

/// The first reason, of those that count, for which there is a finding, and what to tell about it.
fn worst(observation: &Observation, counts: impl Fn(Reason) -> bool) -> Option<(Reason, String)> {
    let findings = &observation.in_force.as_ref()?.outcome.findings;
    let found = |reason: &Reason| findings.iter().find(|finding| finding.reason == *reason);
    let (reason, finding) =
        REASONS.into_iter().filter(|reason| counts(*reason)).find_map(|reason| Some((reason, found(&reason)?)))?;
    Some((reason, told(finding, findings.len().saturating_sub(1), observation.declared.validity)))
}

/// Whether nothing but a person can help.
fn needs_a_person(reason: Reason) -> bool {
    match reason {
        Reason::ReferenceNotFound => false,
        Reason::PolicyInvalid
        | Reason::SpecInvalid
        | Reason::Unreadable
        | Reason::IdentityConflict
        | Reason::DeclaredTwice
        | Reason::NotManagementAccount
        | Reason::QuotaExceeded => true,
    }
}

/// A finding with the number of the others, and what to do.
fn told(finding: &Finding, others: usize, validity: Validity) -> String {
    let advice = match (finding.reason, validity) {
        (Reason::ReferenceNotFound, _) => "create it, or take the name off; this heals by itself",
        (Reason::NotManagementAccount, _) => "create it there and delete it here; here it has no effect",
        (Reason::IdentityConflict, _) => "take it off one of them; until then this user is allowed nothing",
        (Reason::Unreadable, _) => {
            "write the object anew; until then it grants nothing, and what it denied stays denied"
        }
        (_, Validity::Invalid) => "correct it; until then it grants nothing, and what it denied stays denied",
        (_, Validity::Valid) => "until that is put right it grants nothing, and what it denies is denied",
    };
    let others = match others {
        0 => String::new(),
        1 => " (and 1 finding more)".to_owned(),
        _ => format!(" (and {others} findings more)"),
    };
    let place = if finding.path.is_empty() { String::new() } else { format!("{}: ", finding.path) };
    let end = format!("{others}; {advice}");
    let start = cut(&format!("{place}{}", finding.message), MESSAGE_BYTES.saturating_sub(end.len()));
    format!("{start}{end}")
}
