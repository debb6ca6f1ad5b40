//! What a watch tells.

use smol_str::SmolStr;

use super::departure::Departure;
use super::item::Item;
use super::listing::Listing;
use crate::store::WatchedKind;
use crate::world::KindFacts;

/// What a watch of one kind tells, in the order in which it happened.
#[derive(Debug)]
pub(super) enum Notice {
    /// These are all objects of the kind, whatever was told before.
    Listed(WatchedKind, Listing),
    /// An object is there, or is another now.
    Changed(WatchedKind, Item),
    /// An object was deleted. One of ours grants nothing any more, and goes when it is told to have departed: it may have
    /// been deleted together with its kind.
    Deleted(WatchedKind, Item),
    /// These were deleted while their kind is served.
    Departed(Vec<Departure>),
    /// Nothing else happened up to here.
    Seen(WatchedKind, u64),
    /// The kind is not served any more.
    Gone(WatchedKind),
    /// What is behind an APIService.
    Discovered(SmolStr, Vec<KindFacts>),
}
