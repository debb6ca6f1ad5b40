//! The authorization webhook: a SubjectAccessReview in, the same review answered out.

use std::sync::Arc;
use std::time::Instant;

use super::authorize::{Authorize, Reply};
use super::question::{self, Answered};
use crate::decide::{Cause, Layer, Verdict};
use crate::mapping::{self, Outcome, Refusal, Unasked};
use crate::name::{Arn, Mode};
use crate::store::{InForce, Reader, RootUses};
use crate::telemetry::Metrics;
use crate::telemetry::label::{self as telemetry, DecisionLabels, FailClosed, Surface};

/// Answers SubjectAccessReviews from the snapshot in force.
///
/// Guarantees: one snapshot per review, loaded once; no answer before the first snapshot; nothing here waits or calls
/// out.
pub struct AuthorizationWebhook {
    in_force: Reader<InForce>,
    mode: Mode,
    metrics: Arc<Metrics>,
    root_uses: Option<RootUses>,
}

// === impl AuthorizationWebhook ===

impl AuthorizationWebhook {
    /// A webhook that answers in this mode.
    pub fn new(in_force: Reader<InForce>, mode: Mode, metrics: Arc<Metrics>) -> Self {
        Self { in_force, mode, metrics, root_uses: None }
    }

    /// The same, which also tells of each use of a root.
    pub fn telling(self, root_uses: RootUses) -> Self {
        Self { root_uses: Some(root_uses), ..self }
    }

    fn record(&self, answered: &Answered, began: Instant, api_server: &str, in_force: &InForce) {
        let (verdict, layer) = match &answered.decision {
            Ok(decision) => (decision.verdict, decision.layer),
            Err(Unasked::Exempt) => (Verdict::ImplicitDeny, None),
            Err(Unasked::Refused(_)) => (Verdict::ExplicitDeny, None),
        };
        let labels = DecisionLabels {
            surface: Surface::Authorize,
            mode: mode_label(self.mode),
            decision: decision_label(verdict),
            layer: layer.map_or(telemetry::Layer::None, layer_label),
        };
        self.metrics.decision(labels, began.elapsed());
        match &answered.decision {
            Ok(decision) => {
                match &decision.cause {
                    Cause::BudgetSpent => {
                        self.metrics.budget_exhausted();
                        self.metrics.fail_closed(FailClosed::Budget);
                    }
                    Cause::Root(root) => {
                        self.metrics.root_activity();
                        tracing::warn!(%root, api_server, "the root of an account asked");
                        if let (Some(uses), Ok(arn)) = (&self.root_uses, root.parse::<Arn>()) {
                            uses.tell(arn.account());
                        }
                    }
                    Cause::Statements
                    | Cause::NothingApplies
                    | Cause::LimitDoesNotAllow { .. }
                    | Cause::BoundaryMissing(_)
                    | Cause::UserDisabled(_)
                    | Cause::Baseline => {}
                }
                if decision.principals.is_empty() {
                    self.metrics.unmapped_identity();
                }
            }
            Err(Unasked::Refused(Refusal::Impersonation)) => self.metrics.impersonation_unparsed(),
            Err(Unasked::Refused(Refusal::ReservedUserName | Refusal::EmptyVerb) | Unasked::Exempt) => {}
        }
        tracing::debug!(
            api_server,
            decision = verdict.as_str(),
            layer = layer.map(Layer::as_str),
            opinion = ?answered.answer.opinion,
            reason = answered.answer.reason,
            revision = %in_force.snapshot.revision(),
            vector = %in_force.vector,
            digest = %in_force.snapshot.digest(),
            "answered"
        );
    }
}

impl Authorize for AuthorizationWebhook {
    fn authorize(&self, api_server: &str, body: &[u8]) -> Reply {
        let began = Instant::now();
        let Some(in_force) = self.in_force.load() else {
            self.metrics.fail_closed(FailClosed::NotReady);
            return Reply::unavailable("no snapshot is in force yet", None);
        };
        let snapshot = &in_force.snapshot;
        let review = match mapping::decode(body) {
            Ok(review) => review,
            Err(error) => {
                self.metrics.fail_closed(FailClosed::Malformed);
                return Reply::malformed(&error.to_string(), Some(snapshot.revision()));
            }
        };
        let answered = question::answer(snapshot, &review.attributes, self.mode);
        self.record(&answered, began, api_server, &in_force);
        Reply::ok(mapping::encode(review.version, &answered.answer), snapshot.revision())
    }

    fn authorize_panicked(&self, body: &[u8]) -> Reply {
        self.metrics.fail_closed(FailClosed::Panic);
        let revision = self.in_force.load().map(|in_force| in_force.snapshot.revision());
        let answer = mapping::answer(self.mode, Outcome::Panicked);
        match (mapping::decode(body), revision) {
            (Ok(review), Some(revision)) => Reply::ok(mapping::encode(review.version, &answer), revision),
            _ => Reply::malformed("the review cannot be read", revision),
        }
    }
}

pub(super) fn mode_label(mode: Mode) -> telemetry::Mode {
    match mode {
        Mode::Shadow => telemetry::Mode::Shadow,
        Mode::Coexist => telemetry::Mode::Coexist,
        Mode::Authoritative => telemetry::Mode::Authoritative,
    }
}

fn decision_label(verdict: Verdict) -> telemetry::Decision {
    match verdict {
        Verdict::Allow => telemetry::Decision::Allow,
        Verdict::ExplicitDeny => telemetry::Decision::ExplicitDeny,
        Verdict::ImplicitDeny => telemetry::Decision::ImplicitDeny,
    }
}

fn layer_label(layer: Layer) -> telemetry::Layer {
    match layer {
        Layer::Identity => telemetry::Layer::Identity,
        Layer::Resource | Layer::Endpoint => telemetry::Layer::Resource,
        Layer::Trust => telemetry::Layer::Trust,
        Layer::Boundary => telemetry::Layer::Boundary,
        Layer::Session => telemetry::Layer::Session,
        Layer::ServiceControl => telemetry::Layer::Scp,
        Layer::ResourceControl => telemetry::Layer::Rcp,
        Layer::Root => telemetry::Layer::Root,
        Layer::Baseline => telemetry::Layer::None,
    }
}
