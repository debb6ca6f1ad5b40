//! Putting worlds in force, one after the other, and saying so.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use crate::name::Revision;
use crate::snapshot::Snapshot;
use crate::store::{InForce, Publisher, Vector, WatchedKind};
use crate::telemetry::Metrics;
use crate::telemetry::label::Kind as KindLabel;
use crate::world::{Kind, Outcome, Reason, World};

/// The publishing end, with its numbering, its metrics and its log lines.
#[derive(Debug)]
pub(super) struct Publication {
    publisher: Publisher<InForce>,
    metrics: Arc<Metrics>,
    revision: Revision,
}

// === impl Publication ===

impl Publication {
    /// Nothing is published yet.
    pub(super) fn new(publisher: Publisher<InForce>, metrics: Arc<Metrics>) -> Self {
        Self { publisher, metrics, revision: Revision::default() }
    }

    /// What is in force.
    pub(super) fn current(&self) -> Option<Arc<InForce>> {
        self.publisher.current()
    }

    /// Puts a world in force. One that equals what is in force is no new revision: then only the vector moves on.
    /// `began` is when its build began.
    pub(super) fn publish(&mut self, world: World, vector: Vector, began: Instant) {
        let before = self.current();
        // Equality, not the digest: who may write objects could choose some that cancel another's part of it.
        if let Some(in_force) = &before
            && *in_force.world == world
        {
            self.progress(vector);
            return;
        }
        self.revision = Revision(self.revision.0.saturating_add(1));
        let snapshot = Arc::new(Snapshot::compile(&world, self.revision));
        let world = Arc::new(world);
        self.publisher.publish(Arc::new(InForce { snapshot, world: Arc::clone(&world), vector }));
        self.metrics.published(self.revision.0, world.digest, began.elapsed());
        self.count(&world, vector);
        self.tell(&world, before.as_deref(), vector);
    }

    /// More has been seen that changes nothing.
    pub(super) fn progress(&mut self, vector: Vector) {
        let Some(in_force) = self.current().filter(|in_force| in_force.vector != vector) else { return };
        self.publisher.publish(Arc::new(InForce { vector, ..(*in_force).clone() }));
        self.versions(vector);
    }

    fn count(&self, world: &World, vector: Vector) {
        let mut counts = Kind::ALL.map(|kind| (kind, 0usize, 0usize));
        for (key, outcome) in &world.outcomes {
            if let Some((_, all, broken)) = counts.iter_mut().find(|(kind, ..)| *kind == key.kind) {
                *all = all.saturating_add(1);
                *broken = broken.saturating_add(usize::from(!outcome.is_in_force()));
            }
        }
        for (kind, all, broken) in counts {
            self.metrics.objects(kind_label(kind), count(all));
            self.metrics.undecodable(kind_label(kind), count(broken));
        }
        self.metrics.objects(KindLabel::Namespace, count(world.namespaces.len()));
        self.metrics.objects(KindLabel::CustomResourceDefinition, count(world.kinds.declared()));
        self.versions(vector);
    }

    fn versions(&self, vector: Vector) {
        for kind in WatchedKind::ALL.into_iter().filter(|kind| vector.get(*kind) > 0) {
            self.metrics.source_resource_version(watched_label(kind), vector.get(kind));
        }
    }

    /// What is new in what there is to say.
    fn tell(&self, world: &World, before: Option<&InForce>, vector: Vector) {
        let none = BTreeMap::new();
        let told = before.map_or(&none, |in_force| &in_force.world.outcomes);
        for (key, outcome) in &world.outcomes {
            let told = told.get(key).map_or(&[][..], |outcome: &Outcome| &outcome.findings);
            for finding in outcome.findings.iter().filter(|finding| !told.contains(finding)) {
                tracing::warn!(
                    object = %key,
                    place = outcome.place(finding),
                    reason = finding.reason.as_str(),
                    path = finding.path,
                    message = finding.message,
                    "{}",
                    effect(finding.reason)
                );
            }
        }
        let told = before.map(|in_force| in_force.world.accounts_selected_unseen()).unwrap_or_default();
        for account in world.accounts_selected_unseen().into_iter().filter(|account| !told.contains(account)) {
            tracing::warn!(%account, "nothing is known of this namespace: guardrails that select by label apply to it");
        }
        let vector = (vector != Vector::default()).then(|| vector.to_string());
        tracing::info!(
            revision = self.revision.0,
            digest = %world.digest,
            objects = world.outcomes.len(),
            vector,
            "a new snapshot is in force"
        );
    }
}

// === free functions ===

/// What a finding does to its object.
fn effect(reason: Reason) -> &'static str {
    match reason {
        Reason::ReferenceNotFound => "a reference leads nowhere: what it would grant is not granted",
        Reason::NotManagementAccount => "this guardrail has no effect",
        Reason::PolicyInvalid
        | Reason::SpecInvalid
        | Reason::Unreadable
        | Reason::IdentityConflict
        | Reason::DeclaredTwice
        | Reason::QuotaExceeded => "this object restricts and grants nothing",
    }
}

pub(super) fn watched_label(kind: WatchedKind) -> KindLabel {
    match kind {
        WatchedKind::Ours(kind) => kind_label(kind),
        WatchedKind::Namespace => KindLabel::Namespace,
        WatchedKind::CustomResourceDefinition => KindLabel::CustomResourceDefinition,
        WatchedKind::ApiService => KindLabel::ApiService,
    }
}

fn kind_label(kind: Kind) -> KindLabel {
    match kind {
        Kind::User => KindLabel::IamUser,
        Kind::Group => KindLabel::IamGroup,
        Kind::Role => KindLabel::IamRole,
        Kind::Policy => KindLabel::IamPolicy,
    }
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}
