//! Whether what is in force is what a build from scratch makes of the same objects (`guarantees.md` I17).
//!
//! It always is, or the program is wrong: nothing that is remembered from build to build may ever show. So it is looked at
//! from time to time, beside everything else, and a difference is told, counted and mended.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::{JoinError, JoinHandle};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};

use crate::store::InForce;
use crate::telemetry::Metrics;
use crate::world::{self, Input, World};

const EVERY: Duration = Duration::from_secs(60);

/// The check from time to time.
pub(super) struct Check {
    metrics: Arc<Metrics>,
    due: Interval,
    running: Option<JoinHandle<bool>>,
}

/// What there is to say about the check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum News {
    /// It is time for one.
    Due,
    /// What was in force is right.
    Agrees,
    /// What was in force has to be built again, from scratch.
    Differs,
}

// === impl Check ===

impl Check {
    pub(super) fn new(metrics: Arc<Metrics>) -> Self {
        let mut due = interval_at(Instant::now() + EVERY, EVERY);
        due.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self { metrics, due, running: None }
    }

    /// Checks what is in force against the objects of the same moment.
    pub(super) fn begin(&mut self, input: Input, in_force: Arc<InForce>) {
        self.running = Some(tokio::task::spawn_blocking(move || differs(&input, &in_force.world)));
    }

    /// Waits until a check is due, or for the end of the one that runs.
    pub(super) async fn news(&mut self) -> Result<News, JoinError> {
        let Some(running) = &mut self.running else {
            self.due.tick().await;
            return Ok(News::Due);
        };
        let differs = running.await;
        self.running = None;
        self.metrics.rebuild_check();
        Ok(if differs? {
            self.metrics.rebuild_mismatch();
            News::Differs
        } else {
            News::Agrees
        })
    }
}

// === free functions ===

fn differs(input: &Input, in_force: &World) -> bool {
    let scratch = world::build(input);
    let differs = scratch != *in_force;
    if differs {
        tracing::error!(
            in_force = %in_force.digest,
            from_scratch = %scratch.digest,
            "what is in force differs from a build from scratch, which takes its place; please report it as a bug"
        );
    }
    differs
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::NamespaceFacts;

    fn input(names: &[&str]) -> Input {
        let facts = |name: &&str| NamespaceFacts {
            name: (*name).into(),
            labels: Arc::default(),
            root_identity: None,
            root_mfa_optional: false,
        };
        Input { namespaces: names.iter().map(facts).collect(), ..Input::default() }
    }

    #[tokio::test]
    async fn what_differs_is_counted_and_what_does_not_is_not() {
        let metrics = Arc::new(Metrics::new());
        let mut check = Check::new(Arc::clone(&metrics));
        let in_force = |names: &[&str]| {
            let world = world::build(&input(names));
            let snapshot = Arc::new(crate::snapshot::Snapshot::compile(&world, crate::name::Revision(1)));
            Arc::new(InForce { snapshot, world: Arc::new(world), vector: crate::store::Vector::default() })
        };
        check.begin(input(&["a", "b"]), in_force(&["b", "a"]));
        assert_eq!(check.news().await.unwrap(), News::Agrees);
        check.begin(input(&["a", "b"]), in_force(&["a"]));
        assert_eq!(check.news().await.unwrap(), News::Differs);
        assert!(metrics.expose().contains("kube_iam_rebuild_checks_total 2\n"));
        assert!(metrics.expose().contains("kube_iam_rebuild_mismatch_total 1\n"));
    }
}
