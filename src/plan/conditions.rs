//! Conditions: built from a judgement, and merged with those that are there.

use super::declared::Details;
use super::judgement::Judgement;
use super::observation::Observation;
use super::status::{Condition, ConditionStatus, NOT_ENFORCED};
use crate::world::Reason;

/// The condition to wait for.
pub(super) const READY: &str = "Ready";
/// On how many replicas this version runs.
const ENFORCED: &str = "Enforced";
/// There while replicas are waited for.
const RECONCILING: &str = "Reconciling";
/// There while only a person can help.
const STALLED: &str = "Stalled";
/// Whether the user's MFA devices work.
const MFA_READY: &str = "MFAReady";
/// Whether the user's access keys work.
const CREDENTIALS_READY: &str = "CredentialsReady";

/// All types that this program writes; others are other people's.
const OURS: [&str; 6] = [READY, ENFORCED, RECONCILING, STALLED, MFA_READY, CREDENTIALS_READY];

/// Every live replica runs this version.
const ENFORCED_EVERYWHERE: &str = "EveryReplica";
/// In force.
const IN_FORCE: &str = "InForce";
/// Being deleted.
const DELETING: &str = "Deleting";
/// Asked for, and nothing that this version does.
const NOT_SUPPORTED: &str = "NotSupported";

/// A condition before it is known since when it is so.
struct Draft {
    kind: &'static str,
    status: ConditionStatus,
    reason: &'static str,
    message: String,
}

/// The conditions of an object, in a fixed order.
pub(super) fn conditions(observation: &Observation, judgement: &Judgement) -> Vec<Condition> {
    let drafts = [
        Some(ready(judgement)),
        Some(enforced(observation, judgement)),
        reconciling(judgement),
        stalled(judgement),
        mfa_ready(observation),
        credentials_ready(observation),
    ];
    drafts.into_iter().flatten().map(|draft| draft.dated(observation)).collect()
}

/// Those of a stored list that this program writes, in the order in which it writes them.
pub(super) fn ours(stored: &[Condition]) -> Vec<Condition> {
    OURS.iter().filter_map(|kind| stored.iter().find(|condition| condition.kind == *kind)).cloned().collect()
}

// === impl Draft ===

impl Draft {
    /// The time moves when the status does, and only then.
    fn dated(self, observation: &Observation) -> Condition {
        let before = observation.status.condition(self.kind).filter(|before| before.status == self.status);
        let last_transition_time = before.map_or(&observation.now, |before| &before.last_transition_time).clone();
        Condition {
            kind: self.kind.to_owned(),
            status: self.status,
            observed_generation: Some(observation.generation),
            last_transition_time,
            reason: self.reason.to_owned(),
            message: self.message,
        }
    }
}

// === free functions ===

fn ready(judgement: &Judgement) -> Draft {
    let (status, reason, message) = match judgement {
        Judgement::Ready { message } => (ConditionStatus::True, IN_FORCE, message.clone()),
        Judgement::Waiting { replicas } => (ConditionStatus::False, NOT_ENFORCED, replicas.to_string()),
        Judgement::Incomplete { reason, message } | Judgement::Refused { reason, message } => {
            (ConditionStatus::False, reason.as_str(), message.clone())
        }
        Judgement::Deleting { message } => (ConditionStatus::False, DELETING, message.clone()),
    };
    Draft { kind: READY, status, reason, message }
}

fn enforced(observation: &Observation, judgement: &Judgement) -> Draft {
    let before = observation
        .status
        .condition(ENFORCED)
        .filter(|before| before.observed_generation == Some(observation.generation));
    let draft = |status, reason, message| Draft { kind: ENFORCED, status, reason, message };
    let latched = |status: ConditionStatus, reason: &str| {
        before.filter(|before| before.status == status && before.reason == reason)
    };
    let everywhere = observation.in_force.is_some() && observation.replicas.all_run();
    match judgement {
        Judgement::Refused { reason, .. } => {
            if everywhere || latched(ConditionStatus::False, reason.as_str()).is_some() {
                return draft(ConditionStatus::False, reason.as_str(), what_is_left(*reason).to_owned());
            }
        }
        Judgement::Ready { .. }
        | Judgement::Waiting { .. }
        | Judgement::Incomplete { .. }
        | Judgement::Deleting { .. } => {
            if let Some(before) = latched(ConditionStatus::True, ENFORCED_EVERYWHERE) {
                return draft(ConditionStatus::True, ENFORCED_EVERYWHERE, before.message.clone());
            }
            if everywhere {
                return draft(ConditionStatus::True, ENFORCED_EVERYWHERE, observation.replicas.to_string());
            }
        }
    }
    draft(ConditionStatus::False, NOT_ENFORCED, observation.replicas.to_string())
}

/// What a version that grants nothing still does.
fn what_is_left(reason: Reason) -> &'static str {
    match reason {
        Reason::NotManagementAccount => "this version has no effect on any replica",
        Reason::PolicyInvalid
        | Reason::SpecInvalid
        | Reason::Unreadable
        | Reason::IdentityConflict
        | Reason::DeclaredTwice
        | Reason::QuotaExceeded
        | Reason::ReferenceNotFound => "no replica lets this version grant anything; what it denies is denied",
    }
}

fn reconciling(judgement: &Judgement) -> Option<Draft> {
    match judgement {
        Judgement::Waiting { replicas } => Some(Draft {
            kind: RECONCILING,
            status: ConditionStatus::True,
            reason: NOT_ENFORCED,
            message: replicas.to_string(),
        }),
        Judgement::Ready { .. }
        | Judgement::Incomplete { .. }
        | Judgement::Refused { .. }
        | Judgement::Deleting { .. } => None,
    }
}

fn stalled(judgement: &Judgement) -> Option<Draft> {
    match judgement {
        Judgement::Refused { reason, message } => Some(Draft {
            kind: STALLED,
            status: ConditionStatus::True,
            reason: reason.as_str(),
            message: message.clone(),
        }),
        Judgement::Ready { .. }
        | Judgement::Waiting { .. }
        | Judgement::Incomplete { .. }
        | Judgement::Deleting { .. } => None,
    }
}

fn mfa_ready(observation: &Observation) -> Option<Draft> {
    match observation.declared.details {
        Some(Details::User { mfa_devices: 1.., .. }) => Some(Draft {
            kind: MFA_READY,
            status: ConditionStatus::False,
            reason: NOT_SUPPORTED,
            message: "this version of kube-iam enrolls no MFA devices: no session of this user can prove MFA"
                .to_owned(),
        }),
        _ => None,
    }
}

fn credentials_ready(observation: &Observation) -> Option<Draft> {
    match observation.declared.details {
        Some(Details::User { access_keys: 1.., .. }) => Some(Draft {
            kind: CREDENTIALS_READY,
            status: ConditionStatus::False,
            reason: NOT_SUPPORTED,
            message: "this version of kube-iam makes no access keys: none of `spec.accessKeys` exists".to_owned(),
        }),
        _ => None,
    }
}
