//! What is in force, and what it is made from: one writer publishes it, any number of readers load it.
//!
//! The task that builds snapshots owns the [`Publisher`]; surfaces hold a [`Reader`] each. Of a cluster there is the
//! [`Catalog`] beside it: the objects themselves, for who judges the present. [`RootUses`] carries word of roots from who
//! decides to who tells. How a snapshot is made is not here
//! (`snapshot`), nor where its objects come from (`source`). `operator` and `server` never see each other: they meet here.

mod catalog;
mod in_force;
mod pointer;
mod root_use;
mod vector;

pub use catalog::{Catalog, CatalogReader, CatalogWriter, Entry, NamespaceEntry, catalog, catalog_of};
pub use in_force::InForce;
pub use pointer::{Publisher, Reader, channel};
pub use root_use::{RootUse, RootUses, root_uses};
pub use vector::{Seen, Vector, WatchedKind};
