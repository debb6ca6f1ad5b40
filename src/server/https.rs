//! The HTTPS listener: accepts connections, and ends them when the process stops.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::{sleep, timeout};

use super::admit::Admit;
use super::authorize::Authorize;
use super::connection::Connections;
use super::lifecycle::{Lifecycle, stopped};
use super::limits::Limits;
use super::tls::Tls;

/// How long the listener rests when the process cannot open another connection.
const REST: Duration = Duration::from_millis(50);

/// Serves the webhooks until `lifecycle` says [`Lifecycle::Stopping`]; returns when the last connection has ended, after
/// [`Limits::grace`] and a second at most.
///
/// Guarantees: nothing that a caller does ends the listener; out of file descriptors it rests and goes on.
pub async fn serve_https<A: Authorize, M: Admit>(
    listener: TcpListener,
    tls: Arc<Tls>,
    authorize: A,
    admit: M,
    limits: Limits,
    mut lifecycle: watch::Receiver<Lifecycle>,
) {
    let connections = Arc::new(Connections::new(tls, authorize, admit, limits));
    let states = lifecycle.clone();
    loop {
        let accepted = tokio::select! {
            () = stopped(&mut lifecycle) => break,
            accepted = accept(&listener, &connections) => accepted,
        };
        match accepted {
            Ok((tcp, permit)) => {
                let (connections, lifecycle) = (Arc::clone(&connections), states.clone());
                tokio::spawn(async move {
                    connections.run(tcp, lifecycle).await;
                    drop(permit);
                });
            }
            Err(error) if concerns_one_connection(&error) => {}
            Err(error) => {
                tracing::warn!(%error, "cannot accept connections; trying again");
                tokio::select! {
                    () = stopped(&mut lifecycle) => break,
                    () = sleep(REST) => {}
                }
            }
        }
    }
    drop(listener);
    let all = u32::try_from(limits.connections).unwrap_or(u32::MAX);
    let ended = timeout(limits.grace + Duration::from_secs(1), connections.free.acquire_many(all)).await;
    if ended.is_err() {
        tracing::warn!("some requests did not finish in time");
    }
}

/// The next connection, once there is room for it.
async fn accept<A, M>(
    listener: &TcpListener,
    connections: &Connections<A, M>,
) -> io::Result<(TcpStream, OwnedSemaphorePermit)> {
    let permit = Arc::clone(&connections.free).acquire_owned().await.map_err(io::Error::other)?;
    let (tcp, _) = listener.accept().await?;
    // Answers are one small write each; waiting for more to send would only delay them.
    let _ = tcp.set_nodelay(true);
    Ok((tcp, permit))
}

/// Whether an error of `accept` is about the peer, not about us.
fn concerns_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}
