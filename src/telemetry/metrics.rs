//! Every metric by its name, cheap to record.

use std::collections::BTreeMap;
use std::fmt::{self, Write};
use std::sync::{Mutex, OnceLock, PoisonError, atomic::AtomicU64};
use std::time::{Duration, Instant};

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

use super::label::{
    Decision, DecisionLabels, DigestLabel, FailClosed, FailClosedLabel, Kind, KindLabel, Layer, Mode, Surface,
    SurfaceLabel, WriteLabels, WriteResult, WriteTarget,
};

/// The `Content-Type` of [`Metrics::expose`].
pub const OPENMETRICS_CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// All metrics of the process, prefix `kube_iam_`.
///
/// Guarantees: recording a decision takes no lock (the series are looked up once and kept). A histogram has the short
/// lock that prometheus-client gives it.
///
/// A series of `kube_iam_decisions_total` appears with its first decision; all others stand at 0 from the start.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    decisions: Family<DecisionLabels, Counter>,
    /// One slot for each combination of labels, in the order of [`decision_slot`].
    decision_counters: Vec<OnceLock<Counter>>,
    decision_durations: Vec<Histogram>,
    snapshot_revision: Gauge<u64, AtomicU64>,
    snapshot_objects: Family<KindLabel, Gauge<u64, AtomicU64>>,
    undecodable_objects: Family<KindLabel, Gauge<u64, AtomicU64>>,
    snapshot_build: Histogram,
    store_digest: Family<DigestLabel, Gauge<u64, AtomicU64>>,
    digest: Mutex<Option<DigestLabel>>,
    source_errors: Family<KindLabel, Counter>,
    source_relists: Family<KindLabel, Counter>,
    snapshot_age: Family<KindLabel, Gauge<f64, AtomicU64>>,
    /// When something was last heard about a kind.
    heard: Mutex<BTreeMap<Kind, Instant>>,
    source_refused_older: Family<KindLabel, Counter>,
    source_resource_version: Family<KindLabel, Gauge<u64, AtomicU64>>,
    store_epoch: Gauge<u64, AtomicU64>,
    rebuild_checks: Counter,
    rebuild_mismatch: Counter,
    fail_closed: Family<FailClosedLabel, Counter>,
    budget_exhausted: Counter,
    unmapped_identity: Counter,
    impersonation_unparsed: Counter,
    root_activity: Counter,
    certificate_expiry: Gauge<i64>,
    leader: Gauge<i64>,
    live_replicas: Gauge<u64, AtomicU64>,
    registered_webhooks: Gauge<u64, AtomicU64>,
    operator_writes: Family<WriteLabels, Counter>,
    operator_panics: Counter,
    propagation: Histogram,
}

// === impl Metrics ===

impl Metrics {
    /// A registry with every metric in it.
    pub fn new() -> Self {
        let mut registry = Registry::with_prefix("kube_iam");
        let r = &mut registry;

        let decisions = Family::default();
        r.register("decisions", "Decisions by door, mode, outcome and deciding layer", decisions.clone());
        let durations: Family<SurfaceLabel, Histogram> = Family::new_with_constructor(decision_histogram as fn() -> _);
        r.register("decision_duration_seconds", "Time from request read to answer made, in seconds", durations.clone());
        let snapshot_revision = Gauge::default();
        r.register(
            "snapshot_revision",
            "Number of the snapshot in force; 0 before the first",
            snapshot_revision.clone(),
        );
        let snapshot_objects = Family::default();
        r.register("snapshot_objects", "Objects in the snapshot in force, by kind", snapshot_objects.clone());
        let undecodable_objects = Family::default();
        r.register("undecodable_objects", "Objects that could not be read, by kind", undecodable_objects.clone());
        let snapshot_build = build_histogram();
        r.register(
            "snapshot_build_seconds",
            "Time to build and publish a snapshot, in seconds",
            snapshot_build.clone(),
        );
        let store_digest = Family::default();
        r.register("store_digest_info", "Fingerprint of the objects in force, as a label", store_digest.clone());
        let source_errors = Family::default();
        r.register("source_errors", "Failures to read objects, by kind", source_errors.clone());
        let snapshot_age: Family<KindLabel, Gauge<f64, AtomicU64>> = Family::default();
        let help = "Seconds since the API server last said something about a kind, by kind";
        r.register("snapshot_age_seconds", help, snapshot_age.clone());
        let source_relists = Family::default();
        r.register("source_relists", "Complete lists of a kind from the API server", source_relists.clone());
        let source_refused_older = Family::default();
        let help = "Answers of the API server that were older than what had been seen, by kind";
        r.register("source_refused_older", help, source_refused_older.clone());
        let source_resource_version = Family::default();
        let help = "Resource version up to which a kind has been seen and is in force";
        r.register("source_resource_version", help, source_resource_version.clone());
        let store_epoch = Gauge::default();
        let help = "How often the API server went back to an older state since the process started";
        r.register("store_epoch", help, store_epoch.clone());
        let rebuild_checks = Counter::default();
        let help = "Builds from scratch with which what was in force has been compared";
        r.register("rebuild_checks", help, rebuild_checks.clone());
        let rebuild_mismatch = Counter::default();
        let help = "Builds from scratch that differed from what was in force";
        r.register("rebuild_mismatch", help, rebuild_mismatch.clone());
        let fail_closed = Family::default();
        r.register("fail_closed", "Requests refused without a decision, by reason", fail_closed.clone());
        let budget_exhausted = Counter::default();
        r.register("budget_exhausted", "Evaluations that spent their budget and refused", budget_exhausted.clone());
        let unmapped_identity = Counter::default();
        r.register("unmapped_identity", "Requests of identities that no principal claims", unmapped_identity.clone());
        let impersonation_unparsed = Counter::default();
        let help = "Impersonations whose target could not be read";
        r.register("impersonation_unparsed", help, impersonation_unparsed.clone());
        let root_activity = Counter::default();
        r.register("root_activity", "Requests made by the root of an account", root_activity.clone());
        let certificate_expiry = Gauge::default();
        let help = "Seconds until the serving certificate expires; negative once it has";
        r.register("certificate_expiry_seconds", help, certificate_expiry.clone());
        let leader = Gauge::default();
        r.register("leader", "Whether this replica writes status: 1 or 0", leader.clone());
        let registered_webhooks = Gauge::default();
        let help =
            "Webhooks of kube-iam that are registered with the API server; without them objects are stored unchecked";
        r.register("registered_webhooks", help, registered_webhooks.clone());
        let live_replicas = Gauge::default();
        r.register("live_replicas", "Replicas that live, as this one sees it", live_replicas.clone());
        let operator_writes = Family::default();
        r.register("operator_writes", "Writes into the cluster, by what and outcome", operator_writes.clone());
        let operator_panics = Counter::default();
        r.register("operator_panics", "Panics while reconciling, each caught", operator_panics.clone());
        let propagation = propagation_histogram();
        let help = "Time from when the holder saw a change of an object until every live replica ran it, in seconds";
        r.register("propagation_seconds", help, propagation.clone());

        for kind in Kind::ALL {
            let _ = snapshot_objects.get_or_create(&KindLabel { kind: *kind });
            let _ = undecodable_objects.get_or_create(&KindLabel { kind: *kind });
            let _ = source_errors.get_or_create(&KindLabel { kind: *kind });
            let _ = source_relists.get_or_create(&KindLabel { kind: *kind });
            let _ = source_refused_older.get_or_create(&KindLabel { kind: *kind });
        }
        for target in WriteTarget::ALL.iter().copied() {
            for result in WriteResult::ALL.iter().copied() {
                let _ = operator_writes.get_or_create(&WriteLabels { target, result });
            }
        }
        for reason in FailClosed::ALL {
            let _ = fail_closed.get_or_create(&FailClosedLabel { reason: *reason });
        }
        let decision_durations =
            Surface::ALL.iter().map(|surface| durations.get_or_create_owned(&SurfaceLabel { surface: *surface }));
        Self {
            decision_counters: (0..decision_slots()).map(|_| OnceLock::new()).collect(),
            decision_durations: decision_durations.collect(),
            registry,
            decisions,
            snapshot_revision,
            snapshot_objects,
            undecodable_objects,
            snapshot_build,
            store_digest,
            digest: Mutex::new(None),
            source_errors,
            source_relists,
            snapshot_age,
            heard: Mutex::new(BTreeMap::new()),
            source_refused_older,
            source_resource_version,
            store_epoch,
            rebuild_checks,
            rebuild_mismatch,
            fail_closed,
            budget_exhausted,
            unmapped_identity,
            impersonation_unparsed,
            root_activity,
            certificate_expiry,
            leader,
            live_replicas,
            registered_webhooks,
            operator_writes,
            operator_panics,
            propagation,
        }
    }

    /// Counts a decision and its duration.
    pub fn decision(&self, labels: DecisionLabels, duration: Duration) {
        if let Some(slot) = self.decision_counters.get(decision_slot(labels)) {
            slot.get_or_init(|| self.decisions.get_or_create_owned(&labels)).inc();
        }
        if let Some(histogram) = self.decision_durations.get(labels.surface as usize) {
            histogram.observe(duration.as_secs_f64());
        }
    }

    /// A snapshot was published: its number, its fingerprint and how long it took to build.
    pub fn published(&self, revision: u64, digest: impl fmt::Display, build: Duration) {
        self.snapshot_revision.set(revision);
        self.snapshot_build.observe(build.as_secs_f64());
        let label = DigestLabel { digest: digest.to_string() };
        let mut last = self.digest.lock().unwrap_or_else(PoisonError::into_inner);
        self.store_digest.get_or_create(&label).set(1);
        if let Some(old) = last.replace(label.clone()).filter(|old| *old != label) {
            self.store_digest.remove(&old);
        }
    }

    /// How many objects of a kind are in force.
    pub fn objects(&self, kind: Kind, count: u64) {
        self.snapshot_objects.get_or_create(&KindLabel { kind }).set(count);
    }

    /// How many objects of a kind cannot be read.
    pub fn undecodable(&self, kind: Kind, count: u64) {
        self.undecodable_objects.get_or_create(&KindLabel { kind }).set(count);
    }

    /// Reading objects of a kind failed once more.
    pub fn source_error(&self, kind: Kind) {
        self.source_errors.get_or_create(&KindLabel { kind }).inc();
    }

    /// The API server said something about a kind: its objects, a change, or that there is none.
    pub fn source_heard(&self, kind: Kind) {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).insert(kind, Instant::now());
    }

    /// All objects of a kind were listed.
    pub fn source_relist(&self, kind: Kind) {
        self.source_relists.get_or_create(&KindLabel { kind }).inc();
    }

    /// An answer about objects of a kind was older than what had been seen, and was refused.
    pub fn source_refused_older(&self, kind: Kind) {
        self.source_refused_older.get_or_create(&KindLabel { kind }).inc();
    }

    /// Up to where a kind has been seen and is in force.
    pub fn source_resource_version(&self, kind: Kind, version: u64) {
        self.source_resource_version.get_or_create(&KindLabel { kind }).set(version);
    }

    /// How often the API server went back.
    pub fn store_epoch(&self, epoch: u64) {
        self.store_epoch.set(epoch);
    }

    /// What was in force has been compared with a build from scratch.
    pub fn rebuild_check(&self) {
        self.rebuild_checks.inc();
    }

    /// A build from scratch differed from what was in force.
    pub fn rebuild_mismatch(&self) {
        self.rebuild_mismatch.inc();
    }

    /// A request was refused without a decision.
    pub fn fail_closed(&self, reason: FailClosed) {
        self.fail_closed.get_or_create(&FailClosedLabel { reason }).inc();
    }

    /// An evaluation spent its budget.
    pub fn budget_exhausted(&self) {
        self.budget_exhausted.inc();
    }

    /// No principal claims the identity of a request.
    pub fn unmapped_identity(&self) {
        self.unmapped_identity.inc();
    }

    /// The target of an impersonation could not be read.
    pub fn impersonation_unparsed(&self) {
        self.impersonation_unparsed.inc();
    }

    /// The root of an account asked.
    pub fn root_activity(&self) {
        self.root_activity.inc();
    }

    /// Seconds until the serving certificate expires; negative once it has.
    pub fn certificate_expiry(&self, seconds: i64) {
        self.certificate_expiry.set(seconds);
    }

    /// Whether this replica writes status.
    pub fn leader(&self, leads: bool) {
        self.leader.set(i64::from(leads));
    }

    /// So many of our webhooks are registered.
    pub fn registered_webhooks(&self, count: usize) {
        self.registered_webhooks.set(u64::try_from(count).unwrap_or(u64::MAX));
    }

    /// How many replicas live, this one included.
    pub fn live_replicas(&self, count: usize) {
        self.live_replicas.set(u64::try_from(count).unwrap_or(u64::MAX));
    }

    /// The operator wrote something, or tried to.
    pub fn write(&self, target: WriteTarget, result: WriteResult) {
        self.operator_writes.get_or_create(&WriteLabels { target, result }).inc();
    }

    /// A panic of the operator was caught.
    pub fn operator_panic(&self) {
        self.operator_panics.inc();
    }

    /// A change of an object runs on every live replica, so long after the holder saw it.
    pub fn propagated(&self, took: Duration) {
        self.propagation.observe(took.as_secs_f64());
    }

    /// All metrics as OpenMetrics text; see [`OPENMETRICS_CONTENT_TYPE`].
    pub fn expose(&self) -> String {
        for (kind, heard) in &*self.heard.lock().unwrap_or_else(PoisonError::into_inner) {
            self.snapshot_age.get_or_create(&KindLabel { kind: *kind }).set(heard.elapsed().as_secs_f64());
        }
        let mut text = String::new();
        if encode(&mut text, &self.registry).is_err() {
            // Writing into a String does not fail, but half an exposition must not look whole.
            text.clear();
            let _ = text.write_str("# EOF\n");
        }
        text
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

fn decision_histogram() -> Histogram {
    // 10 µs, 20 µs, … 5.2 s
    Histogram::new(exponential_buckets(0.000_01, 2.0, 20))
}

fn propagation_histogram() -> Histogram {
    // 1 ms, 2 ms, … 33 s
    Histogram::new(exponential_buckets(0.001, 2.0, 16))
}

fn build_histogram() -> Histogram {
    // 1 ms, 2 ms, … 16 s
    Histogram::new(exponential_buckets(0.001, 2.0, 15))
}

const fn decision_slots() -> usize {
    Surface::ALL.len() * Mode::ALL.len() * Decision::ALL.len() * Layer::ALL.len()
}

/// Where the counter of a combination stands: each enum's discriminants are 0, 1, 2, …
const fn decision_slot(labels: DecisionLabels) -> usize {
    let slot = labels.surface as usize;
    let slot = slot * Mode::ALL.len() + labels.mode as usize;
    let slot = slot * Decision::ALL.len() + labels.decision as usize;
    slot * Layer::ALL.len() + labels.layer as usize
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn all_combinations() -> Vec<DecisionLabels> {
        let mut all = Vec::new();
        for surface in Surface::ALL.iter().copied() {
            for mode in Mode::ALL.iter().copied() {
                for decision in Decision::ALL.iter().copied() {
                    all.extend(Layer::ALL.iter().map(|layer| DecisionLabels {
                        surface,
                        mode,
                        decision,
                        layer: *layer,
                    }));
                }
            }
        }
        all
    }

    #[test]
    fn every_combination_of_labels_has_its_own_counter() {
        let slots: BTreeSet<usize> = all_combinations().into_iter().map(decision_slot).collect();
        assert_eq!(slots, (0..decision_slots()).collect());
    }

    #[test]
    fn a_decision_is_counted_under_its_labels() {
        let metrics = Metrics::new();
        let labels = DecisionLabels {
            surface: Surface::Authorize,
            mode: Mode::Coexist,
            decision: Decision::ExplicitDeny,
            layer: Layer::Scp,
        };
        metrics.decision(labels, Duration::from_micros(15));
        metrics.decision(labels, Duration::from_micros(15));
        let text = metrics.expose();
        let line =
            r#"kube_iam_decisions_total{surface="authorize",mode="Coexist",decision="ExplicitDeny",layer="scp"} 2"#;
        assert!(text.contains(line), "{text}");
        assert!(
            text.contains(r#"kube_iam_decision_duration_seconds_bucket{le="0.00001",surface="authorize"} 0"#),
            "{text}"
        );
        assert!(
            text.contains(r#"kube_iam_decision_duration_seconds_bucket{le="0.00002",surface="authorize"} 2"#),
            "{text}"
        );
        assert!(text.ends_with("# EOF\n"));
    }

    #[test]
    fn a_kind_has_an_age_once_something_was_heard_about_it() {
        let metrics = Metrics::new();
        assert!(!metrics.expose().contains("kube_iam_snapshot_age_seconds{"));
        metrics.source_heard(Kind::IamRole);
        let text = metrics.expose();
        let line =
            text.lines().find(|line| line.starts_with("kube_iam_snapshot_age_seconds{kind=\"IamRole\"} ")).unwrap();
        let age: f64 = line.rsplit(' ').next().unwrap().parse().unwrap();
        assert!((0.0..60.0).contains(&age), "{line}");
    }

    #[test]
    fn one_digest_is_in_force_at_a_time() {
        let metrics = Metrics::new();
        for digest in ["aa", "bb", "bb"] {
            metrics.published(1, digest, Duration::ZERO);
        }
        let text = metrics.expose();
        let lines: Vec<&str> = text.lines().filter(|line| line.starts_with("kube_iam_store_digest_info{")).collect();
        assert_eq!(lines, [r#"kube_iam_store_digest_info{digest="bb"} 1"#]);
    }

    #[test]
    fn the_names_are_the_published_ones() {
        let metrics = Metrics::new();
        metrics.published(7, "aa", Duration::from_millis(3));
        metrics.fail_closed(FailClosed::Panic);
        metrics.certificate_expiry(-5);
        metrics.source_resource_version(Kind::IamUser, 42);
        let text = metrics.expose();
        for line in [
            "kube_iam_snapshot_revision 7",
            r#"kube_iam_snapshot_objects{kind="IamUser"} 0"#,
            r#"kube_iam_undecodable_objects{kind="IamPolicy"} 0"#,
            "kube_iam_snapshot_build_seconds_count 1",
            r#"kube_iam_source_errors_total{kind="Manifest"} 0"#,
            r#"kube_iam_source_relists_total{kind="APIService"} 0"#,
            r#"kube_iam_source_refused_older_total{kind="Namespace"} 0"#,
            r#"kube_iam_source_resource_version{kind="IamUser"} 42"#,
            "kube_iam_store_epoch 0",
            "kube_iam_rebuild_checks_total 0",
            "kube_iam_rebuild_mismatch_total 0",
            r#"kube_iam_fail_closed_total{reason="panic"} 1"#,
            r#"kube_iam_fail_closed_total{reason="not_ready"} 0"#,
            "kube_iam_budget_exhausted_total 0",
            "kube_iam_unmapped_identity_total 0",
            "kube_iam_impersonation_unparsed_total 0",
            "kube_iam_root_activity_total 0",
            "kube_iam_certificate_expiry_seconds -5",
            "kube_iam_leader 0",
            "kube_iam_live_replicas 0",
            "kube_iam_registered_webhooks 0",
            r#"kube_iam_operator_writes_total{target="status",result="written"} 0"#,
            "kube_iam_operator_panics_total 0",
        ] {
            assert!(text.lines().any(|found| found == line), "no `{line}` in\n{text}");
        }
    }
}
