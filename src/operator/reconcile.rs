//! The task that keeps status and finalizers: what is on the agenda is done, sixteen objects at a time.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::future::FutureExt as _;
use futures::stream::{FuturesUnordered, StreamExt as _};
use kube::Client;
use tokio::sync::watch;
use tokio::time::Instant;

use super::agenda::{Agenda, Turn};
use super::call::at;
use super::election::Role;
use super::perform::Performer;
use super::queue::Done;
use super::replicas::{Connection, ReplicaId, View};
use crate::plan;
use crate::store::{CatalogReader, InForce, Reader};
use crate::telemetry::Metrics;

/// Objects that are written at the same time.
const AT_ONCE: usize = 16;
/// Objects that are looked at before others have a turn.
const TURNS: usize = 64;
/// What changes within this time is looked at together.
const GATHER: Duration = Duration::from_millis(10);

/// Keeps status and finalizers.
pub(super) struct Reconciler {
    pub client: Client,
    pub id: ReplicaId,
    pub catalog: CatalogReader,
    pub in_force: Reader<InForce>,
    pub metrics: Arc<Metrics>,
}

// === impl Reconciler ===

impl Reconciler {
    /// Reconciles whenever this replica is the holder. For ever.
    pub(super) async fn run(&self, role: &mut watch::Receiver<Role>, replicas: &mut watch::Receiver<View>) {
        let mut publications = self.in_force.publications();
        loop {
            if acts(*role.borrow_and_update(), &replicas.borrow_and_update()) && self.in_force.load().is_some() {
                self.hold(role, replicas).await;
                continue;
            }
            tokio::select! {
                Ok(()) = role.changed() => {}
                Ok(()) = replicas.changed() => {}
                Ok(()) = publications.changed() => {}
                else => return std::future::pending().await,
            }
        }
    }

    /// Reconciles while this replica is the holder and sees the others. It begins with nothing in mind: meanwhile another
    /// one wrote.
    async fn hold(&self, role: &mut watch::Receiver<Role>, replicas: &mut watch::Receiver<View>) {
        let mut changes = self.catalog.changes();
        let mut publications = self.in_force.publications();
        let mut agenda = Agenda::new(self.catalog.clone(), Arc::clone(&self.metrics), plan::steps);
        let performer = &Performer { client: &self.client, id: &self.id, metrics: &self.metrics };
        let mut work = FuturesUnordered::new();
        loop {
            changes.mark_unchanged();
            publications.mark_unchanged();
            let view = replicas.borrow_and_update().clone();
            let (true, Some(in_force)) = (acts(*role.borrow_and_update(), &view), self.in_force.load()) else {
                // Writes that are under way end by themselves; each is refused if it has been overtaken.
                while work.next().await.is_some() {}
                return;
            };
            agenda.look(&in_force, Instant::now());
            let mut turns = 0;
            while work.len() < AT_ONCE && turns < TURNS {
                turns += 1;
                match agenda.turn(&in_force, &view, Instant::now()) {
                    Turn::Idle => break,
                    Turn::Looked => {}
                    Turn::Work(next) => work.push(async move {
                        let (key, form) = (next.entry.object.key.clone(), next.form());
                        let done = AssertUnwindSafe(performer.perform(&next)).catch_unwind().await;
                        (key, form, done.unwrap_or(Done::Panicked))
                    }),
                }
            }
            if turns == TURNS {
                tokio::task::yield_now().await;
                continue;
            }
            let next = agenda.next().filter(|_| work.len() < AT_ONCE);
            tokio::select! {
                Some((key, form, done)) = work.next() => agenda.end(&key, Some(form), done, Instant::now()),
                Ok(()) = changes.changed() => tokio::time::sleep(GATHER).await,
                Ok(()) = publications.changed() => agenda.replicas_moved(Instant::now()),
                Ok(()) = replicas.changed() => agenda.replicas_moved(Instant::now()),
                Ok(()) = role.changed() => {}
                () = at(next) => {}
            }
        }
    }
}

/// Whether a replica in this role, which sees this of the others, writes.
fn acts(role: Role, replicas: &View) -> bool {
    role == Role::Holder && replicas.connection == Connection::Seen
}
