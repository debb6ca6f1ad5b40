//! When to build.
//!
//! The first change after a quiet time is built at once. What comes while a build runs is built together, next. A change
//! that may restrict somebody waits for the running build and for nothing else; what only grants waits so long that
//! building takes a fifth of the time at most, but no longer than 200 ms (`guarantees.md` R3a).

use std::time::Duration;

use tokio::time::Instant;

use crate::policy::Effect;
use crate::world::{self, Kind, ManagedPolicyType, Object, PolicySpec, Spec};

/// The longest that a grant waits after a build.
const LONGEST: Duration = Duration::from_millis(200);
/// How many times as long as the last build took it waits.
const TIMES: u32 = 4;

/// How urgent a change is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Urgency {
    /// It grants, and restricts nobody.
    Grants,
    /// It may restrict.
    Restricts,
}

/// The last build.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pace {
    last: Option<(Instant, Duration)>,
}

// === impl Urgency ===

impl Urgency {
    /// Of a change of an object. Only what is new, valid and grants is known to restrict nobody: a managed or resource
    /// policy without a Deny. Everything else may, a new user for instance, whom guardrails limit.
    pub(super) fn of(before: Option<&Object>, after: &Object) -> Self {
        let Spec::Read(spec) = &after.spec else { return Self::Restricts };
        if before.is_some() || after.deleting || after.key.kind != Kind::Policy || !world::check(after).is_empty() {
            return Self::Restricts;
        }
        let (spec, _) = PolicySpec::parse(spec);
        let grants = match spec.kind {
            ManagedPolicyType::Managed | ManagedPolicyType::Resource(_) => {
                spec.policy.statements.iter().all(|statement| statement.effect == Effect::Allow)
            }
            ManagedPolicyType::ServiceControl { .. } | ManagedPolicyType::ResourceControl { .. } => false,
        };
        if grants { Self::Grants } else { Self::Restricts }
    }
}

// === impl Pace ===

impl Pace {
    /// A build ended that took so long.
    pub(super) fn built(&mut self, now: Instant, took: Duration) {
        self.last = Some((now, took));
    }

    /// When the next build may begin.
    pub(super) fn due(&self, urgency: Urgency, now: Instant) -> Instant {
        match (urgency, self.last) {
            (Urgency::Restricts, _) | (Urgency::Grants, None) => now,
            (Urgency::Grants, Some((ended, took))) => now.max(ended + took.saturating_mul(TIMES).min(LONGEST)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::tree::Node;
    use crate::world::ObjectKey;
    use std::sync::Arc;

    fn object(kind: Kind, spec: &serde_json::Value) -> Object {
        Object {
            key: ObjectKey { kind, account: "a".into(), name: "b".into() },
            uid: None,
            spec: Spec::Read(Arc::new(Node::from(spec))),
            last_good: None,
            deleting: false,
            origin: None,
        }
    }

    #[test]
    fn only_a_new_policy_that_grants_can_wait() {
        let statement = |effect: &str| serde_json::json!([{"sid": "A", "effect": effect, "actions": ["k8s:get"], "resources": ["*"]}]);
        let allow = object(Kind::Policy, &serde_json::json!({"statements": statement("Allow")}));
        assert_eq!(Urgency::of(None, &allow), Urgency::Grants);
        assert_eq!(Urgency::of(Some(&allow), &allow), Urgency::Restricts);
        assert_eq!(Urgency::of(None, &Object { deleting: true, ..allow.clone() }), Urgency::Restricts);
        let unreadable = Object { spec: Spec::Unreadable(String::new()), ..allow };
        assert_eq!(Urgency::of(None, &unreadable), Urgency::Restricts);
        for (kind, spec) in [
            (Kind::Policy, serde_json::json!({"statements": statement("Deny")})),
            (Kind::Policy, serde_json::json!({"statements": statement("Grant")})),
            (Kind::Policy, serde_json::json!({"type": "ServiceControl", "statements": statement("Allow")})),
            (Kind::User, serde_json::json!({"identities": [{"kind": "User", "name": "x"}]})),
        ] {
            assert_eq!(Urgency::of(None, &object(kind, &spec)), Urgency::Restricts, "{spec}");
        }
    }

    #[test]
    fn a_grant_waits_after_a_build_and_a_restriction_never() {
        let start = Instant::now();
        let mut pace = Pace::default();
        assert_eq!(pace.due(Urgency::Grants, start), start);
        for (took, waits) in [(2, 8), (30, 120), (900, 200)] {
            pace.built(start, Duration::from_millis(took));
            assert_eq!(pace.due(Urgency::Restricts, start), start);
            assert_eq!(pace.due(Urgency::Grants, start), start + Duration::from_millis(waits));
            let later = start + Duration::from_secs(1);
            assert_eq!(pace.due(Urgency::Grants, later), later);
        }
    }
}
