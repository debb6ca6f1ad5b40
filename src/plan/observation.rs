//! What is known of one object at one moment.

use smol_str::SmolStr;

use super::declared::Declared;
use super::status::{LastGood, Status};
use crate::lint;
use crate::name::{Arn, Revision};
use crate::world::{ObjectKey, Outcome};

/// Everything that the steps for an object are a function of.
#[derive(Clone, Debug)]
pub struct Observation {
    /// Which object.
    pub key: ObjectKey,
    /// `metadata.uid`; absent where it could not be read.
    pub uid: Option<SmolStr>,
    /// `metadata.generation`.
    pub generation: i64,
    /// Whether `metadata.deletionTimestamp` is set.
    pub deleting: bool,
    /// `metadata.finalizers`.
    pub finalizers: Vec<SmolStr>,
    /// The status as it was last written; an empty one where there is none.
    pub status: Status,
    /// What the object says of itself.
    pub declared: Declared,
    /// What the checks of a policy found that is valid and worth a second look.
    pub lint: Vec<lint::Finding>,
    /// What became of this version where the observer decides; `None` while the version is not in force there.
    pub in_force: Option<InForce>,
    /// Who names the object.
    pub referrers: Referrers,
    /// How far the replicas are.
    pub replicas: Replicas,
    /// The last valid form of the object, where one is known.
    pub last_good: Option<LastGood>,
    /// The present, RFC 3339 in UTC and whole seconds: `2026-01-02T03:04:05Z`.
    pub now: String,
}

/// What became of a version that is in force.
#[derive(Clone, Debug)]
pub struct InForce {
    /// What there is to say about it.
    pub outcome: Outcome,
    /// Its ARN; `None` for a name that can stand in none.
    pub arn: Option<Arn>,
    /// The revision of the snapshot in force.
    pub revision: Revision,
}

/// The objects that name an object as policy, group or permissions boundary, those that are being deleted included.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Referrers {
    /// How many.
    pub count: usize,
    /// How many of them are of other accounts. Who reads an object of the management account need not know their names.
    pub elsewhere: usize,
    /// Some of the others, to name in messages.
    pub examples: Vec<ObjectKey>,
}

/// The live replicas, the observer included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Replicas {
    /// How many there are.
    pub live: usize,
    /// How many of them run this version of the object and of what it names.
    pub running: usize,
}

// === impl Referrers ===

impl Referrers {
    /// The most that a message names.
    const EXAMPLES: usize = 3;

    /// Those that name an object.
    pub fn of<'a>(key: &ObjectKey, all: impl Iterator<Item = &'a ObjectKey>) -> Self {
        let mut referrers = Self::default();
        for referrer in all {
            referrers.count = referrers.count.saturating_add(1);
            if referrer.account != key.account {
                referrers.elsewhere = referrers.elsewhere.saturating_add(1);
            } else if referrers.examples.len() < Self::EXAMPLES {
                referrers.examples.push(referrer.clone());
            }
        }
        referrers
    }

    /// `IamUser payments/alice, IamRole payments/deployer, 3 more and 2 objects of other accounts`; `None` for nobody.
    pub fn named(&self) -> Option<String> {
        let mut parts: Vec<String> = self.examples.iter().map(ObjectKey::to_string).collect();
        match self.count.saturating_sub(self.elsewhere).saturating_sub(parts.len()) {
            0 => {}
            more => parts.push(format!("{more} more")),
        }
        match self.elsewhere {
            0 => {}
            1 => parts.push("1 object of another account".to_owned()),
            elsewhere => parts.push(format!("{elsewhere} objects of other accounts")),
        }
        let last = parts.pop()?;
        Some(if parts.is_empty() { last } else { format!("{} and {last}", parts.join(", ")) })
    }
}

// === impl Replicas ===

impl Replicas {
    /// Whether none is waited for.
    pub fn all_run(self) -> bool {
        self.running >= self.live
    }
}

impl std::fmt::Display for Replicas {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} of {} replicas run this version", self.running, self.live)
    }
}
