//! Which replicas live, how far each is, and which authority each is served under: read from their Leases.
//!
//! A replica lives while its Lease changes: whoever has not seen a new `renewTime` for [`LIVENESS`] by a clock of its own
//! counts it no more. Clocks of different machines are never compared.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use k8s_openapi::api::coordination::v1::Lease;
use kube::ResourceExt as _;
use tokio::time::Instant;

use super::bundle;
use crate::store::Vector;

/// The label of a replica's Lease, with its identity as value.
pub(super) const REPLICA: &str = "kube-iam.dev/replica";
/// The annotation with the vector in force; absent while nothing is in force there.
pub(super) const VECTOR: &str = "kube-iam.dev/vector";
/// The annotation with the digest in force.
pub(super) const DIGEST: &str = "kube-iam.dev/digest";
/// The annotation with the revision in force.
pub(super) const REVISION: &str = "kube-iam.dev/revision";
/// The annotation with the authorities under which the replica serves or is about to, PEM.
pub(super) const AUTHORITIES: &str = "kube-iam.dev/authorities";

/// How long a replica lives without renewing its Lease.
pub(super) const LIVENESS: Duration = Duration::from_secs(10);
/// How long the Lease of a dead replica is kept, and its authority trusted: it may come back under its identity.
pub(super) const KEPT: Duration = Duration::from_secs(3_600);

/// Who a replica is: the same after a restart.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ReplicaId(String);

/// A text that cannot be the identity of a replica.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is no replica id; expected 1 to 40 lower-case letters and digits", .0.escape_debug())]
pub struct ReplicaIdError(String);

/// The Leases of all replicas, as they were last seen.
#[derive(Debug, Default)]
pub(super) struct Table {
    replicas: BTreeMap<String, Replica>,
    connection: Connection,
}

/// Whether Leases are seen as they change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(super) enum Connection {
    /// They are.
    Seen,
    /// They are not, so nobody knows who lives.
    #[default]
    Lost,
}

#[derive(Clone, Debug)]
struct Replica {
    /// The name of its Lease.
    lease: String,
    vector: Option<Vector>,
    authorities: String,
    /// What changes with each renewal.
    version: Option<String>,
    renewed: Instant,
}

/// What the table says at one moment, of every replica but oneself.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(super) struct View {
    pub connection: Connection,
    /// The vectors of those that live and serve, by identity.
    pub live: BTreeMap<String, Vector>,
    /// Certificates of the authorities of all that are remembered.
    pub authorities: BTreeSet<String>,
}

// === impl ReplicaId ===

impl ReplicaId {
    /// An identity: 1 to 40 lower-case letters and digits.
    ///
    /// # Errors
    /// When it is another text: it would be no name of a Lease, or no label.
    pub fn parse(text: &str) -> Result<Self, ReplicaIdError> {
        let known = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        if (1..=40).contains(&text.len()) && text.bytes().all(known) {
            Ok(Self(text.to_owned()))
        } else {
            Err(ReplicaIdError(text.chars().take(64).collect()))
        }
    }

    /// As it was parsed.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name of its Lease.
    pub(super) fn lease(&self) -> String {
        format!("kube-iam-replica-{}", self.0)
    }
}

// === impl Table ===

impl Table {
    /// All Leases that there are. Who was not seen meanwhile may have renewed meanwhile.
    pub(super) fn listed(&mut self, leases: &[Lease], now: Instant) {
        self.replicas.clear();
        for lease in leases {
            self.seen(lease, now);
        }
        self.connection = Connection::Seen;
    }

    /// A Lease is there, or is another now.
    pub(super) fn seen(&mut self, lease: &Lease, now: Instant) {
        let Some(id) = lease.labels().get(REPLICA) else { return };
        let version = lease.spec.as_ref().and_then(|spec| spec.renew_time.as_ref()).map(|time| time.0.to_string());
        let before = self.replicas.get(id).filter(|before| before.version == version).map(|before| before.renewed);
        let annotation = |name: &str| lease.annotations().get(name);
        let replica = Replica {
            lease: lease.name_any(),
            vector: annotation(VECTOR).map(|vector| Vector::parse(vector)),
            authorities: annotation(AUTHORITIES).cloned().unwrap_or_default(),
            version,
            renewed: before.unwrap_or(now),
        };
        self.replicas.insert(id.clone(), replica);
    }

    /// A Lease is gone.
    pub(super) fn gone(&mut self, lease: &Lease) {
        if let Some(id) = lease.labels().get(REPLICA) {
            self.replicas.remove(id);
        }
    }

    /// Leases are not seen for a while.
    pub(super) fn lost(&mut self) {
        self.connection = Connection::Lost;
    }

    /// What it says now, to the replica `me`.
    pub(super) fn view(&self, me: &ReplicaId, now: Instant) -> View {
        let others = self.replicas.iter().filter(|(id, _)| *id != me.as_str());
        let mut view = View { connection: self.connection, ..View::default() };
        for (id, replica) in others {
            if let Some(vector) = replica.vector.filter(|_| replica.lives(now)) {
                view.live.insert(id.clone(), vector);
            }
            view.authorities.extend(bundle::certificates(&replica.authorities));
        }
        view
    }

    /// When the next replica dies if it does not renew.
    pub(super) fn next_death(&self, now: Instant) -> Option<Instant> {
        let deaths = self.replicas.values().filter(|replica| replica.lives(now));
        deaths.filter_map(|replica| replica.renewed.checked_add(LIVENESS)).min()
    }

    /// The names of the Leases of those that have been dead for so long that they are forgotten.
    pub(super) fn forgotten(&self, now: Instant) -> Vec<String> {
        let old = self.replicas.values().filter(|replica| now.saturating_duration_since(replica.renewed) >= KEPT);
        old.map(|replica| replica.lease.clone()).collect()
    }
}

// === impl Replica ===

impl Replica {
    fn lives(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.renewed) < LIVENESS
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use k8s_openapi::api::coordination::v1::LeaseSpec;
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
    use k8s_openapi::jiff::Timestamp;
    use kube::api::ObjectMeta;

    use super::*;

    fn lease(id: &str, renewed: i64, vector: Option<&str>) -> Lease {
        let annotations = vector.map(|vector| (VECTOR.to_owned(), vector.to_owned()));
        Lease {
            metadata: ObjectMeta {
                name: Some(format!("kube-iam-replica-{id}")),
                labels: Some(BTreeMap::from([(REPLICA.to_owned(), id.to_owned())])),
                annotations: Some(annotations.into_iter().collect()),
                ..ObjectMeta::default()
            },
            spec: Some(LeaseSpec {
                renew_time: Some(MicroTime(Timestamp::from_second(renewed).unwrap())),
                ..LeaseSpec::default()
            }),
        }
    }

    fn live(table: &Table, now: Instant) -> Vec<String> {
        table.view(&ReplicaId::parse("me").unwrap(), now).live.into_keys().collect()
    }

    #[test]
    fn a_replica_lives_while_its_lease_changes_whatever_its_clock_says() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut table = Table::default();
        table.listed(&[lease("a", 4_000_000_000, Some("IamUser=3")), lease("b", 0, Some("IamUser=3"))], start);
        assert_eq!(live(&table, at(9)), ["a", "b"]);
        // Seen again without having been renewed, and renewed.
        table.seen(&lease("a", 4_000_000_000, Some("IamUser=4")), at(9));
        table.seen(&lease("b", 1, Some("IamUser=4")), at(9));
        assert_eq!(table.next_death(at(9)), Some(at(10)));
        assert_eq!(live(&table, at(10)), ["b"]);
        assert_eq!(table.next_death(at(10)), Some(at(19)));
        assert_eq!(live(&table, at(19)), [""; 0]);
        // It comes back.
        table.seen(&lease("a", 4_000_000_003, Some("IamUser=4")), at(20));
        assert_eq!(live(&table, at(20)), ["a"]);
        table.gone(&lease("a", 4_000_000_003, None));
        assert_eq!(live(&table, at(20)), [""; 0]);
        assert_eq!(table.forgotten(at(9 + 3_600)), ["kube-iam-replica-b"]);
    }

    #[test]
    fn after_a_gap_nobody_is_dead_yet() {
        let start = Instant::now();
        let mut table = Table::default();
        assert_eq!(table.view(&ReplicaId::parse("me").unwrap(), start).connection, Connection::Lost);
        table.listed(&[lease("a", 1, Some("IamUser=3"))], start);
        table.lost();
        let later = start + Duration::from_secs(60);
        table.listed(&[lease("a", 1, Some("IamUser=3"))], later);
        assert_eq!(live(&table, later), ["a"]);
        assert_eq!(live(&table, later + LIVENESS), [""; 0]);
    }

    #[test]
    fn neither_oneself_nor_one_that_serves_nothing_yet_is_among_the_others() {
        let start = Instant::now();
        let mut table = Table::default();
        table.listed(&[lease("me", 1, Some("IamUser=3")), lease("new", 1, None)], start);
        assert_eq!(live(&table, start), [""; 0]);
    }

    #[test]
    fn an_identity_is_part_of_a_name() {
        assert_eq!(ReplicaId::parse("3f9a").unwrap().lease(), "kube-iam-replica-3f9a");
        for text in ["", "A", "a-b", "a b", &"a".repeat(41)] {
            assert!(ReplicaId::parse(text).is_err(), "{text}");
        }
    }
}
