//! What a watch tells.

use std::collections::BTreeMap;

use smol_str::SmolStr;
use tokio::sync::oneshot;

use super::api_server::Holder;
use super::departure::Departure;
use super::item::Item;
use super::listing::Listing;
use crate::store::WatchedKind;
use crate::world::KindFacts;

/// What a watch of one kind tells, in the order in which it happened.
#[derive(Debug)]
pub(super) enum Notice {
    /// These are all objects of the kind, whatever was told before. Those of ours that are missing count as deleted, and
    /// who lists wants to know which.
    Listed(WatchedKind, Listing, oneshot::Sender<Vec<Departure>>),
    /// An object is there, or is another now.
    Changed(WatchedKind, Item),
    /// The same, while it is not known whether its namespace stands: an object in it was deleted just before.
    Unsettled(WatchedKind, Item),
    /// An object was deleted. One of ours grants nothing any more, and goes when it is told to have departed: it may have
    /// been deleted together with its kind.
    Deleted(WatchedKind, Item),
    /// These were deleted while their kind is served; what became of their namespaces after that.
    Departed(Vec<Departure>, BTreeMap<SmolStr, Holder>),
    /// Nothing else happened up to here.
    Seen(WatchedKind, u64),
    /// The kind is not served any more.
    Gone(WatchedKind),
    /// What is behind an APIService.
    Discovered(SmolStr, Vec<KindFacts>),
}
