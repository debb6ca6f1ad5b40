//! All of it together, from start to clean end.

use std::collections::BTreeSet;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::future::FutureExt as _;
use k8s_openapi::api::coordination::v1::Lease;
use kube::Client;
use kube::api::{Api, DeleteParams};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use super::call::{at, call};
use super::election::{Candidate, Role};
use super::follow::{Change, Selection, follow};
use super::perform::Performer;
use super::reconcile::Reconciler;
use super::record;
use super::registration::Keeper;
use super::replicas::{LIVENESS, REPLICA, ReplicaId, Table, View};
use super::report::Reporter;
use super::root::{self, Uses};
use crate::store::{CatalogReader, InForce, Reader, RootUse, Vector};
use crate::telemetry::Metrics;

/// The field manager of all that is written but finalizers and `caBundle`s.
pub(super) const FIELD_MANAGER: &str = "kube-iam";
/// Where Leases are: with kube-iam itself, which need not be the management account.
pub(super) const NAMESPACE: &str = "kube-iam-system";
/// The pause after a part of the operator panicked.
const PAUSE: Duration = Duration::from_secs(1);
/// How often Leases of replicas that are long gone are looked for.
const TIDY: Duration = Duration::from_secs(60);
/// How often at most everything is listed anew because another replica says so.
const RAISED: Duration = Duration::from_secs(60);
/// How long the clean end may take.
const END: Duration = Duration::from_secs(2);

/// What the operator of one replica is made from.
pub struct Parts {
    /// The cluster.
    pub client: Client,
    /// Who this replica is.
    pub id: ReplicaId,
    /// What the cluster holds.
    pub catalog: CatalogReader,
    /// What this replica decides from.
    pub in_force: Reader<InForce>,
    /// The metrics.
    pub metrics: Arc<Metrics>,
    /// Under which authority our webhooks are served.
    pub authorities: Authorities,
    /// Uses of roots, as this replica sees them.
    pub root_uses: mpsc::Receiver<RootUse>,
    /// Told whether the other replicas hear of this one.
    pub heard: watch::Sender<Heard>,
    /// How often the API server went back to an older state, as far as this replica knows; told when another knows more.
    pub epoch: watch::Sender<u64>,
}

/// Whether the other replicas hear of this one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// They do, as far as is known.
    Yes,
    /// They have not yet, or for so long that none of them waits for this one any more; why.
    No(String),
}

/// Whom the API server trusts when it calls our webhooks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trusted {
    /// Nobody has been able to look yet.
    Unseen,
    /// Nobody: it calls none, as far as can be seen.
    Nowhere,
    /// The certificates that every webhook of ours in the registration trusts, PEM, each as [`certificates_in_order`]
    /// writes it.
    ///
    /// [`certificates_in_order`]: super::certificates_in_order
    Registered(BTreeSet<String>),
}

/// Under which authority our webhooks are served.
#[derive(Debug)]
pub enum Authorities {
    /// Our own. The registration is kept so that the API server trusts the authorities of all replicas.
    Ours {
        /// Certificates to trust for this replica, PEM: of the authority in use, and of one that will be.
        certificates: watch::Receiver<String>,
        /// Told whom the API server trusts: to wait for before being ready, and before serving under another authority.
        trusted: watch::Sender<Trusted>,
    },
    /// Somebody else's: the registration is theirs to keep.
    Theirs,
}

/// The operator of one replica.
pub struct Operator {
    reporter: Reporter,
    candidate: Candidate,
    reconciler: Reconciler,
    keeper: Keeper,
    leases: Api<Lease>,
    client: Client,
    id: ReplicaId,
    metrics: Arc<Metrics>,
    root_uses: mpsc::Receiver<RootUse>,
    epoch: watch::Sender<u64>,
}

// === impl Operator ===

impl Operator {
    /// An operator that has not begun.
    pub fn new(parts: Parts) -> Self {
        let Parts { client, id, catalog, in_force, metrics, authorities, root_uses, heard, epoch } = parts;
        let leases: Api<Lease> = Api::namespaced(client.clone(), NAMESPACE);
        let own = match &authorities {
            Authorities::Ours { certificates, .. } => certificates.clone(),
            Authorities::Theirs => watch::channel(String::new()).1,
        };
        Self {
            reporter: Reporter {
                leases: leases.clone(),
                id: id.clone(),
                in_force: in_force.clone(),
                authorities: own,
                heard,
            },
            candidate: Candidate::new(leases.clone(), id.clone(), Arc::clone(&metrics)),
            reconciler: Reconciler {
                client: client.clone(),
                id: id.clone(),
                catalog,
                in_force,
                metrics: Arc::clone(&metrics),
            },
            keeper: Keeper { registrations: Api::all(client.clone()), authorities, metrics: Arc::clone(&metrics) },
            leases,
            client,
            id,
            metrics,
            root_uses,
            epoch,
        }
    }

    /// Works until `stop` is done. It waits for the cluster, for its namespace and for its kinds, and outlives the loss of
    /// each; a part that panics begins anew. At the end it hands over: the Lease is let go of, and nobody waits for this
    /// replica any more.
    pub async fn run(mut self, stop: impl Future<Output = ()>) {
        let (role, roles) = watch::channel(Role::Waiting);
        let (view, views) = watch::channel(View::default());
        let (mut roles_of_keeper, mut views_of_keeper) = (roles.clone(), views.clone());
        let roles_of_recorder = roles.clone();
        let (mut roles_of_reconciler, mut views_of_reconciler) = (roles.clone(), views.clone());
        let mut uses = Uses::default();
        let Self { reporter, candidate, reconciler, keeper, leases, client, id, metrics, root_uses, epoch } = &mut self;
        let catalog = reconciler.catalog.clone();
        let performer = Performer { client, id, metrics };
        tokio::select! {
            () = stop => {}
            () = for_ever("report", metrics, async || reporter.run(&views).await) => {}
            () = for_ever("election", metrics, async || candidate.run(&role).await) => {}
            () = for_ever("replicas", metrics, async || replicas(leases, id, (metrics, epoch), &roles, &view).await) => {}
            () = for_ever("status", metrics, async || {
                reconciler.run(&mut roles_of_reconciler, &mut views_of_reconciler).await;
            }) => {}
            () = for_ever("records", metrics, async || {
                record::run(&catalog, &performer, &roles_of_recorder).await;
            }) => {}
            () = for_ever("registration", metrics, async || {
                keeper.run(&mut roles_of_keeper, &mut views_of_keeper).await;
            }) => {}
            () = for_ever("roots", metrics, async || root::run(client, id, root_uses, &mut uses).await) => {}
        }
        let end = async {
            self.reporter.end().await;
            if let Err(refusal) = self.candidate.release().await {
                tracing::debug!(%refusal, "cannot let go of the Lease");
            }
        };
        let _ = tokio::time::timeout(END, end).await;
        self.metrics.leader(false);
    }
}

// === free functions ===

/// Runs a part of the operator again when it panics or ends.
async fn for_ever(part: &str, metrics: &Metrics, mut run: impl AsyncFnMut()) {
    loop {
        if AssertUnwindSafe(run()).catch_unwind().await.is_err() {
            metrics.operator_panic();
            tracing::error!(part, "a part of the operator panicked; it begins anew");
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Goes on to the next epoch where another replica lives in a later one; whether it does. Until everything has been listed
/// in its epoch, nothing that is seen here can be compared with what is seen there. One at a time: whoever writes a Lease
/// could have the epochs end otherwise.
fn is_later(epoch: &watch::Sender<u64>, seen: &View) -> bool {
    let latest = seen.live.values().map(Vector::epoch).max().unwrap_or(0);
    epoch.send_if_modified(|epoch| {
        let is_later = latest > *epoch;
        *epoch = epoch.saturating_add(1).min(latest).max(*epoch);
        is_later
    })
}

/// Follows the Leases of all replicas, and as the holder forgets those of replicas that are long gone.
async fn replicas(
    leases: &Api<Lease>,
    id: &ReplicaId,
    (metrics, epoch): (&Metrics, &watch::Sender<u64>),
    role: &watch::Receiver<Role>,
    view: &watch::Sender<View>,
) {
    // One's own Lease is among them and changes every three seconds.
    let selection = Selection { labels: Some(REPLICA.to_owned()), fields: None, silence: LIVENESS };
    let (sender, mut changes) = mpsc::channel(64);
    let follow = follow(leases, &selection, &sender);
    tokio::pin!(follow);
    let mut table = Table::default();
    let mut tidy = Instant::now();
    let mut raised: Option<Instant> = None;
    loop {
        let now = Instant::now();
        let seen = table.view(id, now);
        if raised.is_none_or(|raised| now.saturating_duration_since(raised) >= RAISED) && is_later(epoch, &seen) {
            raised = Some(now);
            tracing::error!("another replica saw the API server go back to an older state: everything is listed anew");
        }
        metrics.live_replicas(seen.live.len().saturating_add(1));
        view.send_if_modified(|before| std::mem::replace(before, seen.clone()) != seen);
        let death = table.next_death(now);
        let tidies = tidy.checked_add(TIDY).unwrap_or(now);
        tokio::select! {
            () = &mut follow => return,
            Some(change) = changes.recv() => {
                let now = Instant::now();
                match change {
                    Change::Listed(leases) => table.listed(&leases, now),
                    Change::Applied(lease) => table.seen(&lease, now),
                    Change::Gone(lease) => table.gone(&lease),
                    Change::Lost(_) => table.lost(),
                }
            }
            () = at(death) => {}
            () = tokio::time::sleep_until(tidies) => {
                tidy = Instant::now();
                if *role.borrow() == Role::Holder {
                    for name in table.forgotten(tidy) {
                        if let Err(refusal) = call(leases.delete(&name, &DeleteParams::default())).await {
                            tracing::debug!(name, %refusal, "cannot delete the Lease of a replica that is gone");
                        }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_epoch_of_a_live_replica_is_everybodys() {
        let epoch = watch::Sender::new(0);
        let mut told = epoch.subscribe();
        let live = |vectors: &[&str]| View {
            live: vectors.iter().map(|vector| ((*vector).to_owned(), Vector::parse(vector))).collect(),
            ..View::default()
        };
        assert!(!is_later(&epoch, &live(&[])) && !is_later(&epoch, &live(&["IamUser=1000"])));
        assert!(!told.has_changed().unwrap());
        // One of its kinds is enough: it has begun to list.
        assert!(is_later(&epoch, &live(&["IamUser=1000", "IamUser=1000,IamPolicy=2/50", "IamUser=1/9"])));
        assert_eq!(*told.borrow_and_update(), 1);
        // However much later it is.
        assert!(is_later(&epoch, &live(&["IamUser=18446744073709551615/9"])));
        assert_eq!(*told.borrow_and_update(), 2);
        assert!(!is_later(&epoch, &live(&["IamUser=2/9"])) && !told.has_changed().unwrap());
    }
}
