//! What decisions are made from at one moment, with all that tells where it came from.

use std::sync::Arc;

use super::vector::Vector;
use crate::snapshot::Snapshot;
use crate::world::World;

/// A snapshot in force.
#[derive(Clone, Debug)]
pub struct InForce {
    /// What decisions are made from.
    pub snapshot: Arc<Snapshot>,
    /// What it was compiled from.
    pub world: Arc<World>,
    /// How far each watched kind had been seen: everything up to here is in the snapshot. From a folder it is empty.
    pub vector: Vector,
}
