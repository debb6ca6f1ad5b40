//! The world of a cluster, once.

use std::time::Duration;

use futures::future::join_all;

use super::api_server::ApiServer;
use super::discovery::discover;
use super::failure::ClusterError;
use super::listing::list;
use super::mirror::Mirror;
use super::notice::Notice;
use crate::store::{Vector, WatchedKind, catalog};
use crate::world::{self, Input, Settings, World};

/// How long servers of other groups have to say which kinds they serve. Who asks is a person, waiting.
const OTHERS: Duration = Duration::from_secs(2);

/// Builds the world of a cluster once, as `kube-iam serve` would have it in force.
///
/// # Errors
/// As [`read`].
pub async fn load(client: &kube::Client, settings: Settings) -> Result<(World, Vector), ClusterError> {
    read(client, settings).await.map(|(input, vector)| (world::build(&input), vector))
}

/// Lists every kind by quorum: what `kube-iam serve` would build its world from.
///
/// # Errors
/// When a kind cannot be listed: the API server cannot be reached, refuses, or does not know the kind. An object whose
/// `spec` is wrong is no error: the world says so in its outcome.
pub async fn read(client: &kube::Client, settings: Settings) -> Result<(Input, Vector), ClusterError> {
    let server = ApiServer::new(client.clone());
    let (writer, _reader) = catalog(settings);
    let mut mirror = Mirror::new(writer);
    for kind in WatchedKind::ALL {
        let listing = list(&server, kind, 0).await.map_err(|failure| ClusterError { kind, failure })?;
        mirror.listed(kind, listing);
    }
    let others = mirror.elsewhere().iter().map(|(name, other)| {
        let (server, name, served) = (server.clone(), name.clone(), other.served.clone());
        async move {
            let found = tokio::time::timeout(OTHERS, discover(&server, &served)).await;
            // A kind whose server does not answer has an unknown scope, here as in a running replica.
            found.ok()?.ok().map(|kinds| Notice::Discovered(name, kinds))
        }
    });
    for notice in join_all(others.collect::<Vec<_>>()).await.into_iter().flatten() {
        mirror.apply(notice);
    }
    Ok(mirror.take())
}
