//! The one task that takes in what the watches tell, builds, and publishes.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::{Semaphore, mpsc, watch as channel};
use tokio::task::{JoinError, JoinHandle, JoinSet};
use tokio::time::Instant;

use super::api_server::ApiServer;
use super::check::{Check, News};
use super::discovery::{self, Wanted};
use super::mirror::Mirror;
use super::notice::Notice;
use super::pace::Pace;
use super::watch::{Shared, Watch};
use crate::source::publish::Publication;
use crate::store::{CatalogWriter, InForce, Publisher, Vector, WatchedKind};
use crate::telemetry::Metrics;
use crate::world::{Builder, Input};

/// Notices that wait to be taken in; watches wait when there are more.
const WAITING: usize = 1_024;
/// Notices that are taken in at a time.
const BATCH: usize = 256;

/// A cluster in force: what its API server holds becomes snapshots.
///
/// Nothing is published before every kind has been listed. From then on everything up to the published vector is in the
/// published snapshot.
pub struct Cluster {
    server: ApiServer,
    works: Works,
    mirror: Mirror,
    awaited: channel::Sender<Vec<WatchedKind>>,
    epoch: channel::Sender<u64>,
    metrics: Arc<Metrics>,
}

/// What builds and publishes.
struct Works {
    builder: Builder,
    publication: Publication,
}

/// Where the works are: here, or lent to a build that runs, which says how long it took.
enum Building {
    Idle(Box<Works>),
    Running(JoinHandle<(Box<Works>, Duration)>),
}

// === impl Cluster ===

impl Cluster {
    /// A cluster behind a client, see [`client`].
    pub fn new(
        client: kube::Client,
        publisher: Publisher<InForce>,
        catalog: CatalogWriter,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self {
            server: ApiServer::new(client),
            works: Works {
                builder: Builder::default(),
                publication: Publication::new(publisher, Arc::clone(&metrics)),
            },
            mirror: Mirror::new(catalog),
            awaited: channel::Sender::new(WatchedKind::ALL.into()),
            epoch: channel::Sender::new(0),
            metrics,
        }
    }

    /// The kinds that were not listed yet: nothing is published while there are any.
    pub fn awaited(&self) -> channel::Receiver<Vec<WatchedKind>> {
        self.awaited.subscribe()
    }

    /// How often the API server went back to an older state. Whoever knows of a later epoch than the watches sends it: then
    /// they list everything anew.
    pub fn epoch(&self) -> channel::Sender<u64> {
        self.epoch.clone()
    }

    /// Follows the cluster for ever; waits for its API server and for the CustomResourceDefinitions as long as they are
    /// not there. Dropping the future ends everything that it started.
    ///
    /// # Errors
    /// When a part of it panicked: the caller must not go on serving what can no longer change.
    pub async fn run(self) -> Result<Infallible, JoinError> {
        let Self { server, works, mut mirror, awaited, epoch, metrics } = self;
        let mut tasks = JoinSet::new();
        let (notices, mut received) = mpsc::channel(WAITING);
        let lists = Arc::new(Semaphore::new(1));
        let owed_lists = channel::Sender::new(BTreeSet::new());
        for kind in WatchedKind::ALL {
            let shared = Shared {
                server: server.clone(),
                lists: Arc::clone(&lists),
                epoch: epoch.clone(),
                owed: owed_lists.subscribe(),
                notices: notices.clone(),
                metrics: Arc::clone(&metrics),
            };
            tasks.spawn(Watch::new(kind, shared).run());
        }
        let (wanted, to_discover) = channel::channel(Wanted::new());
        tasks.spawn(discovery::follow(server, to_discover, notices.clone()));

        let mut building = Building::Idle(Box::new(works));
        let mut pace = Pace::default();
        let mut check = Check::new(metrics);
        // Whether a check is due, and what the build that runs was given where it is to be checked.
        let (mut owed, mut checked): (bool, Option<Input>) = (false, None);
        // Whether what the builder remembers may be wrong.
        let mut doubted = false;
        let mut batch: Vec<Notice> = Vec::with_capacity(BATCH);
        loop {
            let due = match (&building, mirror.pending()) {
                (Building::Idle(_), Some(urgency)) if mirror.is_whole() => Some(pace.due(urgency, Instant::now())),
                (Building::Idle(_) | Building::Running(_), _) => None,
            };
            tokio::select! {
                biased;
                ended = tasks.join_next() => if let Some(Err(error)) = ended { return Err(error) },
                built = building.end() => {
                    let (works, took) = built?;
                    pace.built(Instant::now(), took);
                    if let (Some(input), Some(in_force)) = (checked.take(), works.publication.current()) {
                        check.begin(input, in_force);
                    }
                    building = Building::Idle(works);
                }
                () = until(due) => {
                    // Whatever has arrived belongs to the same build.
                    while batch.len() < BATCH && let Ok(notice) = received.try_recv() {
                        batch.push(notice);
                    }
                    take_in(&mut mirror, &mut batch, &wanted);
                    let (input, vector) = mirror.take();
                    checked = std::mem::take(&mut owed).then(|| input.clone());
                    building = building.begin(input, vector, std::mem::take(&mut doubted));
                }
                news = check.news() => match news? {
                    News::Due => owed = true,
                    News::Agrees => {}
                    News::Differs => {
                        doubted = true;
                        mirror.doubt();
                    }
                },
                _ = received.recv_many(&mut batch, BATCH) => take_in(&mut mirror, &mut batch, &wanted),
            }
            owed_lists.send_if_modified(|before| {
                let now = mirror.owed();
                std::mem::replace(before, now.clone()) != now
            });
            if owed
                && let (Building::Idle(works), None) = (&building, mirror.pending())
                && let Some(in_force) = works.publication.current()
            {
                owed = false;
                check.begin(mirror.input(), in_force);
            }
            awaited.send_if_modified(|awaited| {
                let before = awaited.len();
                awaited.retain(|kind| !mirror.has_listed(*kind));
                awaited.len() != before
            });
            if let (Building::Idle(works), None, true) = (&mut building, mirror.pending(), mirror.is_whole()) {
                works.publication.progress(mirror.vector());
            }
        }
    }
}

// === impl Building ===

impl Building {
    /// The end of the running build; for ever while none runs.
    async fn end(&mut self) -> Result<(Box<Works>, Duration), JoinError> {
        match self {
            Self::Idle(_) => std::future::pending().await,
            Self::Running(build) => build.await,
        }
    }

    /// Begins a build, off the threads on which requests are answered.
    fn begin(self, input: Input, vector: Vector, forget: bool) -> Self {
        match self {
            Self::Running(_) => self,
            Self::Idle(mut works) => Self::Running(tokio::task::spawn_blocking(move || {
                let began = std::time::Instant::now();
                if forget {
                    works.builder = Builder::default();
                }
                let world = works.builder.build(&input);
                works.publication.publish(world, vector, began);
                (works, began.elapsed())
            })),
        }
    }
}

// === free functions ===

/// A client for watching: it does not repeat requests by itself, for the watches wait as the server asks them to.
///
/// # Errors
/// When the configuration names certificates or keys that cannot be used.
pub fn client(mut config: kube::Config) -> Result<kube::Client, kube::Error> {
    config.default_retry = false;
    kube::Client::try_from(config)
}

fn take_in(mirror: &mut Mirror, batch: &mut Vec<Notice>, wanted: &channel::Sender<Wanted>) {
    for notice in batch.drain(..) {
        match (&notice, Handle::current().runtime_flavor()) {
            // Thousands of objects: meanwhile another thread answers requests.
            (Notice::Listed(..), RuntimeFlavor::MultiThread) => tokio::task::block_in_place(|| mirror.apply(notice)),
            _ => mirror.apply(notice),
        }
    }
    wanted.send_if_modified(|wanted| {
        let changed = wanted != mirror.elsewhere();
        if changed {
            wanted.clone_from(mirror.elsewhere());
        }
        changed
    });
}

async fn until(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due).await,
        None => std::future::pending().await,
    }
}
