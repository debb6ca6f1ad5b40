//! One cluster for many tests.

use std::sync::OnceLock;

/// Something started by the first test that needs it, used by all, never stopped before the process ends. Meant for a
/// `static`:
///
/// ```ignore
/// static RBAC: Shared<Cluster> = Shared::new(|| Cluster::try_start(&Options::default()));
/// let cluster = RBAC.get();
/// ```
///
/// Tests beside each other keep apart by namespaces and names of their own; a test that stops a component has a cluster
/// of its own.
#[derive(Debug)]
pub struct Shared<T> {
    value: OnceLock<Result<T, String>>,
    start: fn() -> Result<T, String>,
}

// === impl Shared ===

impl<T> Shared<T> {
    pub const fn new(start: fn() -> Result<T, String>) -> Self {
        Self { value: OnceLock::new(), start }
    }

    /// Fails the test when it could not be started. It is tried once, not by every test again.
    #[track_caller]
    pub fn get(&self) -> &T {
        match self.value.get_or_init(self.start) {
            Ok(value) => value,
            Err(message) => panic!("{message}"),
        }
    }
}
