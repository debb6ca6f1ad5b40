//! Who writes: the holder of the Lease `kube-iam-operator`.
//!
//! As in client-go, a Lease has run out when it has not changed for its duration by the clock of the one who looks;
//! clocks of different machines are never compared. Every write names the version that it was made for, so of two who
//! take it one succeeds.

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use k8s_openapi::jiff::Timestamp;
use kube::api::{Api, ObjectMeta, PostParams};
use tokio::sync::watch;
use tokio::time::Instant;

use super::call::{Refusal, RefusalKind, at, call};
use super::replicas::ReplicaId;
use super::run::FIELD_MANAGER;
use crate::telemetry::Metrics;

/// The Lease.
pub(super) const LEASE: &str = "kube-iam-operator";
/// How long it lasts.
const DURATION: Duration = Duration::from_secs(12);
/// How long its holder acts without having renewed it.
const ACTS: Duration = Duration::from_secs(9);
/// How often it is looked at, and renewed.
const EVERY: Duration = Duration::from_secs(2);

/// Takes part in elections.
pub(super) struct Candidate {
    pub leases: Api<Lease>,
    pub id: ReplicaId,
    pub metrics: Arc<Metrics>,
    observed: Observed,
}

/// The Lease as it was last found; nothing where there is none.
#[derive(Debug, Default)]
struct Observed(Option<Record>);

/// The Lease, found in one state.
#[derive(Clone, Debug)]
struct Record {
    spec: LeaseSpec,
    /// Since when it has been like this.
    since: Instant,
}

/// Whether one holds the Lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// It writes.
    Holder,
    /// It waits.
    Waiting,
}

/// What to do about the Lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Move {
    Create,
    Renew,
    Take,
    Wait,
}

// === impl Candidate ===

impl Candidate {
    pub(super) fn new(leases: Api<Lease>, id: ReplicaId, metrics: Arc<Metrics>) -> Self {
        Self { leases, id, metrics, observed: Observed::default() }
    }

    /// Takes part for ever.
    pub(super) async fn run(&mut self, role: &watch::Sender<Role>) {
        // Whatever was before ended in a panic.
        self.become_(Role::Waiting, role);
        let mut acts_until: Option<Instant> = None;
        loop {
            let began = Instant::now();
            let turn = tokio::select! {
                turn = self.turn() => turn,
                () = at(acts_until) => {
                    acts_until = None;
                    self.become_(Role::Waiting, role);
                    continue;
                }
            };
            match turn {
                Ok(Role::Holder) => {
                    acts_until = began.checked_add(ACTS);
                    self.become_(Role::Holder, role);
                }
                Ok(Role::Waiting) => {
                    acts_until = None;
                    self.become_(Role::Waiting, role);
                }
                Err(refusal) if refusal.kind == RefusalKind::Conflict => {
                    // Somebody was faster: look again at once.
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
                // Before its namespace is there, there is no Lease.
                Err(refusal) if refusal.kind == RefusalKind::Gone => tracing::debug!(%refusal, "no Lease yet"),
                Err(refusal) => tracing::debug!(%refusal, "cannot renew the Lease"),
            }
            let next = began.checked_add(EVERY);
            if acts_until.is_some() && acts_until < next {
                at(acts_until).await;
                acts_until = None;
                self.become_(Role::Waiting, role);
            }
            at(next).await;
        }
    }

    /// Lets go of the Lease, so that a successor need not wait.
    pub(super) async fn release(&self) -> Result<(), Refusal> {
        let Some(mut lease) = call(self.leases.get_opt(LEASE)).await? else { return Ok(()) };
        let spec = lease.spec.get_or_insert_default();
        if spec.holder_identity.as_deref() == Some(self.id.as_str()) {
            spec.holder_identity = Some(String::new());
            spec.lease_duration_seconds = Some(1);
            call(self.leases.replace(LEASE, &parameters(), &lease)).await?;
        }
        Ok(())
    }

    fn become_(&self, new: Role, role: &watch::Sender<Role>) {
        let changed = role.send_if_modified(|role| std::mem::replace(role, new) != new);
        if changed {
            self.metrics.leader(new == Role::Holder);
            match new {
                Role::Holder => tracing::info!(id = self.id.as_str(), "this replica writes status"),
                Role::Waiting => tracing::info!(id = self.id.as_str(), "another replica may write status"),
            }
        }
    }

    /// Looks at the Lease and does what is to be done about it.
    async fn turn(&mut self) -> Result<Role, Refusal> {
        let found = call(self.leases.get_opt(LEASE)).await?;
        self.observed.observe(found.as_ref(), Instant::now());
        let next = self.observed.next(&self.id, Instant::now());
        let now = MicroTime(Timestamp::now());
        let mut lease = found.unwrap_or_else(|| Lease {
            metadata: ObjectMeta { name: Some(LEASE.to_owned()), ..ObjectMeta::default() },
            spec: None,
        });
        let spec = lease.spec.get_or_insert_default();
        spec.renew_time = Some(now.clone());
        spec.lease_duration_seconds = i32::try_from(DURATION.as_secs()).ok();
        if matches!(next, Move::Create | Move::Take) {
            spec.holder_identity = Some(self.id.as_str().to_owned());
            spec.acquire_time = Some(now);
            spec.lease_transitions = Some(spec.lease_transitions.map_or(0, |count| count.saturating_add(1)));
        }
        let written = match next {
            Move::Wait => return Ok(Role::Waiting),
            Move::Create => call(self.leases.create(&parameters(), &lease)).await?,
            Move::Renew | Move::Take => call(self.leases.replace(LEASE, &parameters(), &lease)).await?,
        };
        self.observed.observe(Some(&written), Instant::now());
        Ok(Role::Holder)
    }
}

// === impl Observed ===

impl Observed {
    fn observe(&mut self, found: Option<&Lease>, now: Instant) {
        let spec = found.map(|lease| lease.spec.clone().unwrap_or_default());
        self.0 = spec.map(|spec| {
            let since = self.0.as_ref().filter(|before| before.spec == spec).map_or(now, |before| before.since);
            Record { spec, since }
        });
    }

    fn next(&self, me: &ReplicaId, now: Instant) -> Move {
        let Some(record) = &self.0 else { return Move::Create };
        let holder = record.spec.holder_identity.as_deref().unwrap_or_default();
        if holder == me.as_str() {
            Move::Renew
        } else if holder.is_empty() || now.saturating_duration_since(record.since) >= DURATION {
            Move::Take
        } else {
            Move::Wait
        }
    }
}

// === free functions ===

fn parameters() -> PostParams {
    PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PostParams::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lease(holder: &str, renewed: i64) -> Lease {
        let spec = LeaseSpec {
            holder_identity: Some(holder.to_owned()),
            // What is written there binds nobody.
            lease_duration_seconds: Some(100_000),
            renew_time: Some(MicroTime(Timestamp::from_second(renewed).unwrap())),
            ..LeaseSpec::default()
        };
        Lease { metadata: ObjectMeta::default(), spec: Some(spec) }
    }

    #[test]
    fn a_lease_runs_out_by_the_clock_of_the_one_who_looks() {
        let me = ReplicaId::parse("me").unwrap();
        let start = Instant::now();
        let mut observed = Observed::default();
        let mut at = |seconds, found: Option<&Lease>| {
            let now = start + Duration::from_secs(seconds);
            observed.observe(found, now);
            observed.next(&me, now)
        };
        assert_eq!(at(0, None), Move::Create);
        // A holder whose clock is decades off, and renews.
        assert_eq!(at(1, Some(&lease("other", 0))), Move::Wait);
        assert_eq!(at(12, Some(&lease("other", 0))), Move::Wait);
        assert_eq!(at(13, Some(&lease("other", 4_000_000_000))), Move::Wait);
        // It stops.
        assert_eq!(at(24, Some(&lease("other", 4_000_000_000))), Move::Wait);
        assert_eq!(at(25, Some(&lease("other", 4_000_000_000))), Move::Take);
        assert_eq!(at(26, Some(&lease("me", 5))), Move::Renew);
        // Stolen, let go of, deleted.
        assert_eq!(at(27, Some(&lease("thief", 6))), Move::Wait);
        assert_eq!(at(28, Some(&lease("", 6))), Move::Take);
        assert_eq!(at(29, None), Move::Create);
        assert_eq!(at(30, Some(&Lease::default())), Move::Take);
    }

    #[test]
    fn a_holder_stops_acting_before_another_takes_over_and_a_successor_is_there_in_time() {
        assert!(ACTS + EVERY < DURATION);
        assert!(DURATION + EVERY <= Duration::from_secs(15));
    }
}
