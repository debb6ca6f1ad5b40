//! Following a handful of objects: a list, then a watch from there.

use std::fmt::Debug;
use std::time::Duration;

use futures::{StreamExt as _, TryStreamExt as _};
use kube::api::{Api, ListParams, WatchEvent, WatchParams};
use kube::{Resource, ResourceExt as _};
use serde::de::DeserializeOwned;
use tokio::sync::mpsc;

use super::call::{CALL, Refusal, RefusalKind, call};

/// How long one watch lasts, in seconds.
const WATCH_SECONDS: u32 = 60;
/// The pause after a failure.
const PAUSE: Duration = Duration::from_secs(1);

/// What happened to the objects.
#[derive(Debug)]
pub(super) enum Change<K> {
    /// These are there, and no others.
    Listed(Vec<K>),
    /// One is there, or is another now.
    Applied(K),
    /// One is gone.
    Gone(K),
    /// What happens is not seen for a while, for this reason; a list follows.
    Lost(RefusalKind),
}

/// Which objects, and how to tell that they are not seen any more.
#[derive(Clone, Debug)]
pub(super) struct Selection {
    /// A selector over labels.
    pub labels: Option<String>,
    /// A selector over fields.
    pub fields: Option<String>,
    /// A watch on which nothing comes for longer than this is given up.
    pub silence: Duration,
}

/// Follows objects for as long as somebody listens.
pub(super) async fn follow<K>(api: &Api<K>, selection: &Selection, changes: &mpsc::Sender<Change<K>>)
where
    K: Resource + Clone + Debug + DeserializeOwned,
{
    let what = std::any::type_name::<K>().rsplit("::").next().unwrap_or_default();
    while !changes.is_closed() {
        let Err(refusal) = seen(api, selection, changes).await else { return };
        tracing::debug!(what, %refusal, "not followed for a moment");
        if changes.send(Change::Lost(refusal.kind)).await.is_err() {
            return;
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Lists, and watches until something goes wrong. `Ok` when nobody listens any more.
async fn seen<K>(api: &Api<K>, selection: &Selection, changes: &mpsc::Sender<Change<K>>) -> Result<(), Refusal>
where
    K: Resource + Clone + Debug + DeserializeOwned,
{
    let list = ListParams {
        label_selector: selection.labels.clone(),
        field_selector: selection.fields.clone(),
        ..ListParams::default()
    };
    let watch = WatchParams {
        label_selector: selection.labels.clone(),
        field_selector: selection.fields.clone(),
        ..WatchParams::default()
    }
    .timeout(WATCH_SECONDS);
    let listed = call(api.list(&list)).await?;
    let mut version = listed.metadata.resource_version.unwrap_or_default();
    if changes.send(Change::Listed(listed.items)).await.is_err() {
        return Ok(());
    }
    loop {
        let mut events = call(api.watch(&watch, &version)).await?.boxed();
        loop {
            // A server that is about to end the watch has a moment more.
            let silence = selection.silence.min(Duration::from_secs(WATCH_SECONDS.into()).saturating_add(CALL));
            let event = match tokio::time::timeout(silence, events.try_next()).await {
                Ok(event) => event.map_err(Refusal::from)?,
                Err(_) => return Err(Refusal::silence(silence)),
            };
            let change = match event {
                None => break,
                Some(WatchEvent::Bookmark(_)) => continue,
                Some(WatchEvent::Error(status)) => return Err(Refusal::from(kube::Error::Api(status))),
                Some(WatchEvent::Added(object) | WatchEvent::Modified(object)) => Change::Applied(object),
                Some(WatchEvent::Deleted(object)) => Change::Gone(object),
            };
            if let Change::Applied(object) | Change::Gone(object) = &change {
                version = object.resource_version().unwrap_or(version);
            }
            if changes.send(change).await.is_err() {
                return Ok(());
            }
        }
    }
}
