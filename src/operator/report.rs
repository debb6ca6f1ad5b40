//! What this replica tells the others of itself: its Lease.

use std::collections::BTreeMap;
use std::time::Duration;

use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use k8s_openapi::jiff::Timestamp;
use kube::api::{Api, ObjectMeta, Patch, PatchParams};
use tokio::sync::watch;
use tokio::time::Instant;

use super::call::{CALL, Refusal, RefusalKind, call};
use super::replicas::{AUTHORITIES, Connection, DIGEST, LIVENESS, REPLICA, REVISION, ReplicaId, VECTOR, View};
use super::run::{FIELD_MANAGER, Heard, NAMESPACE};
use crate::name::Revision;
use crate::store::{InForce, Reader};

/// How often the Lease is renewed.
const EVERY: Duration = Duration::from_secs(3);
/// What comes into force within this time is reported together.
const GATHER: Duration = Duration::from_millis(20);

/// Keeps the Lease of this replica.
///
/// It is renewed every [`EVERY`], and at once when other objects are in force or the authorities are others. A vector
/// that has only moved by what we write ourselves waits for the next renewal, or each status would bring forth reports,
/// and those another status.
pub(super) struct Reporter {
    pub leases: Api<Lease>,
    pub id: ReplicaId,
    pub in_force: Reader<InForce>,
    pub authorities: watch::Receiver<String>,
    pub heard: watch::Sender<Heard>,
}

/// Whether this replica answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Service {
    /// It does, or will as soon as something is in force.
    Serving,
    /// It is about to end.
    Ending,
}

// === impl Reporter ===

impl Reporter {
    /// Reports for ever. `replicas` tells whether the API server lets Leases be seen.
    pub(super) async fn run(&mut self, replicas: &watch::Receiver<View>) {
        let mut publications = self.in_force.publications();
        let mut failed = false;
        let mut last: Option<Instant> = None;
        loop {
            publications.mark_unchanged();
            self.authorities.mark_unchanged();
            let began = Instant::now();
            let reported = self.revision();
            let pause = match self.report(Service::Serving).await {
                Ok(()) => {
                    failed = false;
                    last = Some(Instant::now());
                    self.tell(Heard::Yes);
                    EVERY
                }
                Err(refusal) => {
                    match (failed, refusal.kind) {
                        (true, _) => tracing::debug!(%refusal, "cannot report"),
                        (false, RefusalKind::Gone) => tracing::warn!(
                            %refusal,
                            namespace = NAMESPACE,
                            "cannot report to the other replicas before the namespace is there"
                        ),
                        (false, _) => tracing::warn!(%refusal, "cannot report to the other replicas"),
                    }
                    let connection = replicas.borrow().connection;
                    if is_unheard(refusal.kind, connection, last.map(|last| last.elapsed())) {
                        self.tell(Heard::No(refusal.to_string()));
                    }
                    failed = true;
                    Duration::from_secs(1)
                }
            };
            let next = began.checked_add(pause).unwrap_or(began);
            loop {
                tokio::select! {
                    () = tokio::time::sleep_until(next) => break,
                    changed = self.authorities.changed() => if changed.is_ok() { break } else { closed(next).await; break },
                    changed = publications.changed() => {
                        if changed.is_err() { closed(next).await; break }
                        if self.revision() != reported {
                            tokio::time::sleep(GATHER).await;
                            break;
                        }
                    }
                }
            }
        }
    }

    /// Says that this replica answers no more: nobody waits for it then. Its authority stays known, for it may come back.
    pub(super) async fn end(&self) {
        if let Err(refusal) = self.report(Service::Ending).await {
            tracing::debug!(%refusal, "cannot report the end");
        }
    }

    fn tell(&self, heard: Heard) {
        self.heard.send_if_modified(|before| std::mem::replace(before, heard.clone()) != heard);
    }

    fn revision(&self) -> Option<Revision> {
        self.in_force.load().map(|in_force| in_force.snapshot.revision())
    }

    async fn report(&self, service: Service) -> Result<(), Refusal> {
        let mut annotations = BTreeMap::from([(AUTHORITIES.to_owned(), self.authorities.borrow().clone())]);
        let in_force = self.in_force.load().filter(|_| service == Service::Serving);
        if let Some(in_force) = in_force {
            annotations.insert(VECTOR.to_owned(), in_force.vector.to_string());
            annotations.insert(DIGEST.to_owned(), in_force.snapshot.digest().to_string());
            annotations.insert(REVISION.to_owned(), in_force.snapshot.revision().to_string());
        }
        let lease = Lease {
            metadata: ObjectMeta {
                name: Some(self.id.lease()),
                labels: Some(BTreeMap::from([(REPLICA.to_owned(), self.id.as_str().to_owned())])),
                annotations: Some(annotations),
                ..ObjectMeta::default()
            },
            spec: Some(LeaseSpec {
                holder_identity: Some(self.id.as_str().to_owned()),
                lease_duration_seconds: i32::try_from(LIVENESS.as_secs()).ok(),
                renew_time: Some(MicroTime(Timestamp::now())),
                ..LeaseSpec::default()
            }),
        };
        let parameters = PatchParams::apply(FIELD_MANAGER).force();
        call(self.leases.patch(&self.id.lease(), &parameters, &Patch::Apply(&lease))).await?;
        Ok(())
    }
}

/// Whether the others have not heard of this replica, whose last report was so long ago.
///
/// An API server that answers nobody, or not about Leases, has none of them hear of any: nothing is lost by going on.
fn is_unheard(kind: RefusalKind, connection: Connection, silence: Option<Duration>) -> bool {
    let Some(silence) = silence else { return true };
    match kind {
        // A Lease that all are silent in is seen to be so after [`LIVENESS`].
        RefusalKind::Unavailable => silence >= LIVENESS.saturating_add(CALL) && connection == Connection::Seen,
        RefusalKind::Gone
        | RefusalKind::Conflict
        | RefusalKind::TooLarge
        | RefusalKind::Throttled(_)
        | RefusalKind::Refused => silence >= LIVENESS,
    }
}

/// Nothing changes any more where the other end is gone; only the time passes.
async fn closed(next: Instant) {
    tokio::time::sleep_until(next).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replica_is_unheard_before_its_first_report_and_when_the_next_ones_fail_for_too_long() {
        use Connection::{Lost, Seen};
        let kinds = [
            RefusalKind::Gone,
            RefusalKind::Conflict,
            RefusalKind::TooLarge,
            RefusalKind::Throttled(Duration::from_secs(1)),
            RefusalKind::Refused,
            RefusalKind::Unavailable,
        ];
        let seconds = |seconds| Some(Duration::from_secs(seconds));
        for kind in kinds {
            assert!(is_unheard(kind, Lost, None), "{kind:?}");
            assert!(!is_unheard(kind, Seen, seconds(9)), "{kind:?}");
            assert!(is_unheard(kind, Seen, seconds(15)), "{kind:?}");
            // Where no Lease can be seen nobody hears of anybody.
            assert_eq!(is_unheard(kind, Lost, seconds(3_600)), kind != RefusalKind::Unavailable, "{kind:?}");
        }
    }
}
