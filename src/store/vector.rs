//! How far each kind has been seen: one resource version per watched kind.

use std::fmt;

use crate::world::Kind;

/// What is watched in a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WatchedKind {
    /// One of our four kinds.
    Ours(Kind),
    /// Namespaces: labels and roots.
    Namespace,
    /// CustomResourceDefinitions: scopes of kinds.
    CustomResourceDefinition,
    /// APIServices: which groups another server serves.
    ApiService,
}

/// How far each watched kind has been seen; nothing of one that has not been listed.
///
/// Resource versions are compared within one kind only (`kubernetes-contract.md` A13), but for those of our kinds and of
/// namespaces, which one etcd counts together; and within one epoch only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Vector([Seen; WatchedKind::ALL.len()]);

/// A moment of one kind. A later epoch is later, whatever the versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Seen {
    /// How often the API server had gone back to an older state, as far as the replicas know.
    pub epoch: u64,
    /// The resource version.
    pub version: u64,
}

// === impl WatchedKind ===

impl WatchedKind {
    /// All of them. First what holds the others: who lists in this order never sees an object before its namespace.
    pub const ALL: [WatchedKind; 7] = [
        WatchedKind::Namespace,
        WatchedKind::Ours(Kind::User),
        WatchedKind::Ours(Kind::Group),
        WatchedKind::Ours(Kind::Role),
        WatchedKind::Ours(Kind::Policy),
        WatchedKind::CustomResourceDefinition,
        WatchedKind::ApiService,
    ];

    /// `IamUser`, …
    pub fn as_str(self) -> &'static str {
        match self {
            WatchedKind::Ours(kind) => kind.as_str(),
            WatchedKind::Namespace => "Namespace",
            WatchedKind::CustomResourceDefinition => "CustomResourceDefinition",
            WatchedKind::ApiService => "APIService",
        }
    }

    /// Its place in [`WatchedKind::ALL`].
    fn index(self) -> usize {
        match self {
            WatchedKind::Namespace => 0,
            WatchedKind::Ours(Kind::User) => 1,
            WatchedKind::Ours(Kind::Group) => 2,
            WatchedKind::Ours(Kind::Role) => 3,
            WatchedKind::Ours(Kind::Policy) => 4,
            WatchedKind::CustomResourceDefinition => 5,
            WatchedKind::ApiService => 6,
        }
    }
}

// === impl Vector ===

impl Vector {
    /// The resource version up to which a kind has been seen.
    pub fn get(&self, kind: WatchedKind) -> u64 {
        self.seen(kind).version
    }

    /// How far a kind has been seen.
    pub fn seen(&self, kind: WatchedKind) -> Seen {
        self.0.get(kind.index()).copied().unwrap_or_default()
    }

    /// The latest epoch of which anything has been seen.
    pub fn epoch(&self) -> u64 {
        self.0.iter().map(|seen| seen.epoch).max().unwrap_or(0)
    }

    /// A kind has been seen up to here. It never goes back within one epoch.
    pub fn set(&mut self, kind: WatchedKind, version: u64) {
        if let Some(slot) = self.0.get_mut(kind.index()) {
            slot.version = version;
        }
    }

    /// Nothing of a kind has been seen in this epoch yet, unless it is the one in which it was seen last.
    pub fn begin(&mut self, kind: WatchedKind, epoch: u64) {
        if let Some(slot) = self.0.get_mut(kind.index()).filter(|slot| slot.epoch != epoch) {
            *slot = Seen { epoch, version: 0 };
        }
    }

    /// Reads what [`Vector`] displays. Kinds that are not named stand at 0; names that are not known are passed over, as
    /// another version of the program may have written them.
    pub fn parse(text: &str) -> Self {
        let mut vector = Self::default();
        for (name, version) in text.split(',').filter_map(|part| part.split_once('=')) {
            let kind = WatchedKind::ALL.into_iter().find(|kind| kind.as_str() == name);
            let (epoch, version) = version.split_once('/').unwrap_or(("0", version));
            if let (Some(kind), Ok(epoch), Ok(version)) = (kind, epoch.parse(), version.parse()) {
                vector.begin(kind, epoch);
                vector.set(kind, version);
            }
        }
        vector
    }
}

impl fmt::Display for Vector {
    /// `IamUser=17,IamGroup=3,…`, in a later epoch `IamUser=1/17`; nothing while nothing has been listed, as from a folder.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seen = WatchedKind::ALL.into_iter().filter(|kind| self.seen(*kind) != Seen::default());
        for (index, kind) in seen.enumerate() {
            let comma = if index == 0 { "" } else { "," };
            let Seen { epoch, version } = self.seen(kind);
            write!(f, "{comma}{}=", kind.as_str())?;
            if epoch > 0 {
                write!(f, "{epoch}/")?;
            }
            write!(f, "{version}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_a_place_of_its_own() {
        for (index, kind) in WatchedKind::ALL.into_iter().enumerate() {
            assert_eq!(kind.index(), index, "{}", kind.as_str());
        }
    }

    #[test]
    fn what_is_displayed_is_read_back() {
        let mut vector = Vector::default();
        assert_eq!((vector.to_string(), Vector::parse("")), (String::new(), vector));
        vector.set(WatchedKind::Ours(Kind::Group), 17);
        vector.set(WatchedKind::ApiService, 18_446_744_073_709_551_615);
        assert_eq!(vector.to_string(), "IamGroup=17,APIService=18446744073709551615");
        assert_eq!(Vector::parse(&vector.to_string()), vector);
        assert_eq!(Vector::parse("Pod=3,IamUser=x,IamGroup=/3,IamRole=1/,IamPolicy").to_string(), "");
    }

    #[test]
    fn what_was_seen_before_a_restore_is_never_later_than_what_was_seen_after_it() {
        let kind = WatchedKind::Ours(Kind::Policy);
        let mut vector = Vector::parse("IamUser=900,IamPolicy=1000");
        let before = vector;
        vector.begin(kind, 0);
        assert_eq!(vector, before);
        vector.begin(kind, 2);
        vector.set(kind, 50);
        assert!(vector.seen(kind) > before.seen(kind));
        assert_eq!((vector.get(kind), vector.epoch(), before.epoch()), (50, 2, 0));
        assert_eq!(vector.to_string(), "IamUser=900,IamPolicy=2/50");
        assert_eq!(Vector::parse(&vector.to_string()), vector);
    }
}
