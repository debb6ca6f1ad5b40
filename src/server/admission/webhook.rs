//! The admission webhook for what decisions are made from: an AdmissionReview in, the same review answered out.

use std::sync::Arc;
use std::time::Instant;

use super::answer::{Answer, settled};
use super::judge::judge;
use super::privilege::{Privilege, Privileges, active_root};
use super::review::{self, Review};
use super::verdict::Reserved;
use crate::name::{Mode, Revision};
use crate::server::admit::Admit;
use crate::server::authorize::Reply;
use crate::server::webhook::mode_label;
use crate::store::{CatalogReader, InForce, Reader};
use crate::telemetry::Metrics;
use crate::telemetry::label::{self as telemetry, DecisionLabels, FailClosed, Surface};

/// Bytes of a review that is judged where it is read.
const SMALL: usize = 64 << 10;

/// Answers AdmissionReviews of our own kinds and of Namespaces from the catalog.
///
/// Guarantees: no answer before everything has been listed and the first snapshot is in force; nothing is written; the API
/// server is asked only about reserved changes, for three seconds at most, and its silence refuses.
pub struct AdmissionWebhook {
    cluster: Option<Cluster>,
    mode: Mode,
    metrics: Arc<Metrics>,
}

/// What there is to judge by.
struct Cluster {
    catalog: CatalogReader,
    in_force: Reader<InForce>,
    privileges: Privileges,
}

// === impl AdmissionWebhook ===

impl AdmissionWebhook {
    /// A webhook that judges by what a cluster holds. It refuses in every mode: `mode` is the one that is counted.
    /// `installers` are the user names that may make reserved changes; `client` asks the API server about everybody else.
    pub fn new(
        catalog: CatalogReader,
        in_force: Reader<InForce>,
        client: kube::Client,
        installers: Vec<String>,
        mode: Mode,
        metrics: Arc<Metrics>,
    ) -> Self {
        let privileges = Privileges::new(client, installers);
        Self { cluster: Some(Cluster { catalog, in_force, privileges }), mode, metrics }
    }

    /// The webhook of a process that reads its world from a folder: it answers 503, for nothing is admitted to a folder.
    pub fn without_cluster(mode: Mode, metrics: Arc<Metrics>) -> Self {
        Self { cluster: None, mode, metrics }
    }

    fn unavailable(&self, message: &str) -> Reply {
        self.metrics.fail_closed(FailClosed::NotReady);
        Reply::unavailable(message, None)
    }

    fn record(&self, review: &Review<'_>, answer: &Answer, began: Instant) {
        let labels = DecisionLabels {
            surface: Surface::AdmitIam,
            mode: mode_label(self.mode),
            decision: if answer.refusal.is_none() {
                telemetry::Decision::Allow
            } else {
                telemetry::Decision::ExplicitDeny
            },
            layer: telemetry::Layer::None,
        };
        self.metrics.decision(labels, began.elapsed());
        let (namespace, name) = review.place();
        tracing::debug!(
            operation = ?review.operation,
            resource = review.plural,
            subresource = review.subresource,
            namespace,
            name,
            allowed = answer.refusal.is_none(),
            reason = answer.refusal.as_deref(),
            "answered"
        );
    }

    /// Who asks decides.
    async fn resolve(&self, review: &Review<'_>, reserved: Reserved, cluster: &Cluster) -> Answer {
        let root = cluster.catalog.read(active_root);
        match cluster.privileges.of(&review.caller, &reserved.subject, root.as_deref()).await {
            Privilege::Own => Answer::admitted(reserved.warnings),
            Privilege::Held => {
                // A caller without a certificate may have made it up.
                tracing::info!(
                    claimed_user = review.caller.username,
                    changes = reserved.changes,
                    "a reserved change is admitted"
                );
                Answer::admitted(reserved.warnings)
            }
            Privilege::Missing => Answer::reserved(&reserved),
            Privilege::Unknown(why) => {
                self.metrics.fail_closed(FailClosed::Unanswered);
                tracing::warn!(why, "cannot ask the API server who may make a reserved change; refused");
                let refused = Answer::reserved(&reserved).refusal.unwrap_or_default();
                Answer::refused(format!("{refused}; whether you have it cannot be found out now: ask again later"))
            }
        }
    }
}

/// Does work on so many bytes; where they are many, other requests are answered meanwhile by other threads.
fn aside<T>(bytes: usize, work: impl FnOnce() -> T) -> T {
    if bytes > SMALL { tokio::task::block_in_place(work) } else { work() }
}

impl Admit for AdmissionWebhook {
    async fn admit(&self, body: &[u8]) -> Reply {
        let began = Instant::now();
        let Some(cluster) = &self.cluster else {
            return self.unavailable("nothing is admitted here: the world is read from a folder of manifests");
        };
        let Some(in_force) = cluster.in_force.load() else {
            return self.unavailable("no snapshot is in force yet");
        };
        let revision = in_force.snapshot.revision();
        let review = match aside(body.len(), || review::decode(body)) {
            Ok(review) => review,
            Err(error) => {
                self.metrics.fail_closed(FailClosed::Malformed);
                return Reply::malformed(&error.to_string(), Some(revision));
            }
        };
        let answer = match settled(aside(body.len(), || judge(&review, &cluster.catalog))) {
            Ok(answer) => answer,
            Err(reserved) => self.resolve(&review, reserved, cluster).await,
        };
        self.record(&review, &answer, began);
        Reply::ok(review::encode(&review.uid, &answer), revision)
    }

    fn admit_panicked(&self, body: &[u8]) -> Reply {
        self.metrics.fail_closed(FailClosed::Panic);
        let revision = self.cluster.as_ref().and_then(|cluster| cluster.in_force.load());
        let revision: Option<Revision> = revision.map(|in_force| in_force.snapshot.revision());
        let answer = Answer::refused("the change could not be judged; the log of kube-iam says why".to_owned());
        match (review::decode(body), revision) {
            (Ok(review), Some(revision)) => Reply::ok(review::encode(&review.uid, &answer), revision),
            _ => Reply::malformed("the review cannot be read", revision),
        }
    }
}
