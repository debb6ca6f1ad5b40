//! One server of the control plane, stopped and started again at will.

use std::process::ExitStatus;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::deadline::holds_within;
use super::process::{Process, Program, Signal};

const START: Duration = Duration::from_secs(60);
/// kube-apiserver lets running requests finish, which takes it a second or two.
const STOP: Duration = Duration::from_secs(30);

/// A server with its command line, whether it runs or not. It keeps its port and its data from run to run.
pub struct Component {
    program: Program,
    running: Mutex<Option<Process>>,
    ready: Box<dyn Fn() -> bool + Send + Sync>,
}

// === impl Component ===

impl Component {
    pub(super) fn new(program: Program, ready: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        Self { program, running: Mutex::new(None), ready: Box::new(ready) }
    }

    /// Starts it, and returns when it is ready. Nothing happens when it runs already.
    ///
    /// # Errors
    /// When it ends, or is not ready in a minute; the message carries the end of its log.
    pub fn try_start(&self) -> Result<(), String> {
        let mut running = self.running();
        if running.as_mut().is_some_and(|process| process.ended().is_none()) {
            return Ok(());
        }
        *running = Some(self.program.start()?);
        drop(running);
        self.wait_until_ready()
    }

    /// Starts it and does not wait: it may be waiting itself, for another one.
    ///
    /// # Errors
    /// When it cannot be run.
    pub fn launch(&self) -> Result<(), String> {
        *self.running() = Some(self.program.start()?);
        Ok(())
    }

    /// Waits until it is ready.
    ///
    /// # Errors
    /// As [`Self::try_start`].
    pub fn wait_until_ready(&self) -> Result<(), String> {
        let mut ended = None;
        let ready = holds_within(START, || {
            ended = self.running().as_mut().and_then(Process::ended);
            ended.is_some() || (self.ready)()
        });
        match ended {
            Some(status) => Err(format!("{} ended ({status}){}", self.program.name, self.program.log_tails())),
            None if ready => Ok(()),
            None => Err(format!("{} is not ready after {START:?}{}", self.program.name, self.program.log_tails())),
        }
    }

    /// [`Self::try_start`] for a test, which fails where it fails.
    #[track_caller]
    pub fn start(&self) {
        if let Err(message) = self.try_start() {
            panic!("{message}");
        }
    }

    /// Sends SIGTERM and returns when it has ended; `None` when it was not running.
    #[track_caller]
    pub fn stop(&self) -> Option<ExitStatus> {
        let process = self.running().take()?;
        match process.stop(STOP) {
            Ok(status) => Some(status),
            Err(message) => panic!("{message}"),
        }
    }

    /// Ends it with SIGKILL, and returns when it is gone.
    pub fn kill(&self) {
        if let Some(process) = self.running().take() {
            process.kill();
        }
    }

    /// Suspends it (SIGSTOP): connections stay open and nothing answers. Takes effect a moment later.
    pub fn suspend(&self) {
        self.signal(Signal::Stop);
    }

    /// Lets it go on after [`Self::suspend`].
    pub fn resume(&self) {
        self.signal(Signal::Continue);
    }

    /// The last lines of its log.
    pub fn log_tails(&self) -> String {
        self.program.log_tails()
    }

    fn signal(&self, signal: Signal) {
        if let Some(process) = self.running().as_mut() {
            process.signal(signal);
        }
    }

    fn running(&self) -> MutexGuard<'_, Option<Process>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
