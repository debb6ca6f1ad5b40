//! Whether the process serves or is on its way out.

use tokio::sync::watch;

/// Sent through a [`watch`] channel to everything that runs; a dropped sender means [`Lifecycle::Stopping`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Lifecycle {
    /// New work is taken.
    #[default]
    Serving,
    /// What is running may finish; nothing new begins.
    Stopping,
}

/// Waits until the process stops.
pub(super) async fn stopped(lifecycle: &mut watch::Receiver<Lifecycle>) {
    // An error is a dropped sender: nobody is left who could say that we should go on.
    let _ = lifecycle.wait_for(|lifecycle| *lifecycle == Lifecycle::Stopping).await;
}
