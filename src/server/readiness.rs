//! Whether requests can be answered, and if not, why.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::watch;

/// What must hold for the process to be ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Condition {
    /// The process is not on its way out.
    Running,
    /// A snapshot is in force and young enough.
    Snapshot,
    /// The serving certificate is valid now.
    Certificate,
    /// Whoever calls our webhooks trusts our authority.
    Trust,
    /// The other replicas hear of this one.
    Report,
}

/// A shared record of what keeps the process from being ready. Clones are the same record.
///
/// It starts with [`Condition::Snapshot`] open: nothing is ready before the first snapshot.
#[derive(Clone, Debug)]
pub struct Readiness {
    open: Arc<watch::Sender<BTreeMap<Condition, String>>>,
}

// === impl Readiness ===

impl Readiness {
    /// A record of a process that has just started.
    pub fn new() -> Self {
        let open = BTreeMap::from([(Condition::Snapshot, "no snapshot yet".to_owned())]);
        Self { open: Arc::new(watch::Sender::new(open)) }
    }

    /// A condition does not hold. The reason is one line for people.
    pub fn block(&self, condition: Condition, reason: impl Into<String>) {
        let reason = reason.into();
        self.open.send_if_modified(|open| open.insert(condition, reason.clone()).as_ref() != Some(&reason));
    }

    /// A condition holds.
    pub fn clear(&self, condition: Condition) {
        self.open.send_if_modified(|open| open.remove(&condition).is_some());
    }

    /// What keeps the process from being ready, one reason a line; `None` when it is ready.
    pub fn reason(&self) -> Option<String> {
        let open = self.open.borrow();
        if open.is_empty() { None } else { Some(open.values().map(String::as_str).collect::<Vec<_>>().join("\n")) }
    }

    /// Waits until the process is ready.
    pub async fn ready(&self) {
        // The sender lives in `self`, so the channel does not close.
        let _ = self.open.subscribe().wait_for(BTreeMap::is_empty).await;
    }
}

impl Default for Readiness {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ready_means_that_every_condition_holds() {
        let readiness = Readiness::new();
        assert_eq!(readiness.reason().as_deref(), Some("no snapshot yet"));
        readiness.clone().block(Condition::Certificate, "expired");
        readiness.clear(Condition::Snapshot);
        assert_eq!(readiness.reason().as_deref(), Some("expired"));
        readiness.clear(Condition::Certificate);
        assert_eq!(readiness.reason(), None);
        readiness.block(Condition::Running, "shutting down");
        assert_eq!(readiness.reason().as_deref(), Some("shutting down"));
    }
}
