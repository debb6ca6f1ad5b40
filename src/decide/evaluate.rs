//! The decision for one principal (`iam-semantics.md` §9): layers in, conclusion out.
//!
//! [`Walk`] asks sets of policies and keeps what applied; [`conclude`] is the algorithm of §9.3, a pure function of what
//! the layers said.

use std::cell::RefCell;

use smol_str::SmolStr;

use super::decision::{Layer, Matched};
use super::facts::Facts;
use super::principal::Kinds;
use super::statement::{self, Outcome, Reach, Subject};
use super::truth::Applies;
use crate::policy::pattern::Budget;
use crate::policy::{Effect, Statement};
use crate::snapshot::CompiledPolicy;

/// Sees every statement that is asked. The hot path uses [`Silent`].
pub(crate) trait Recorder<'s> {
    /// Whether it wants those statements too that speak about other services.
    const SEES_ALL: bool;

    /// A statement was matched.
    fn statement(&mut self, seen: Seen<'_, 's>);
    /// The evaluation of a principal begins.
    fn candidate(&mut self, principal: &str, counts: bool);
    /// What a principal's layers said and what follows.
    fn concluded(&mut self, layers: &Layers, conclusion: &Conclusion);
}

/// A statement that was matched, with the facts that its conditions saw.
pub(crate) struct Seen<'f, 's> {
    pub(crate) layer: Layer,
    pub(crate) policy: &'s CompiledPolicy,
    pub(crate) index: usize,
    pub(crate) statement: &'s Statement,
    pub(crate) outcome: Outcome,
    pub(crate) facts: &'f Facts<'f>,
}

/// Records nothing.
pub(crate) struct Silent;

impl<'s> Recorder<'s> for Silent {
    const SEES_ALL: bool = false;

    fn statement(&mut self, _: Seen<'_, 's>) {}
    fn candidate(&mut self, _: &str, _: bool) {}
    fn concluded(&mut self, _: &Layers, _: &Conclusion) {}
}

/// A policy as it is asked.
#[derive(Clone, Copy)]
pub(crate) struct Asked<'s> {
    pub(crate) policy: &'s CompiledPolicy,
    /// Whether its Allows count; its Denies always do.
    pub(crate) allows: bool,
    pub(crate) reach: Reach<'s>,
}

/// What a set of policies says (`iam-semantics.md` §9.2).
#[derive(Clone, Copy, Debug)]
pub(crate) struct SetResult {
    pub(crate) deny: Applies,
    pub(crate) allow: Applies,
    /// How the Allows that apply name the principal.
    pub(crate) kinds: Kinds,
}

/// A statement that applies, or hangs on unknown facts.
#[derive(Clone, Copy)]
pub(crate) struct Hit<'s> {
    pub(crate) policy: &'s CompiledPolicy,
    pub(crate) index: usize,
    pub(crate) effect: Effect,
    pub(crate) layer: Layer,
    pub(crate) applies: Applies,
    /// Whether it reaches only a part of what was asked.
    pub(crate) partial: bool,
}

/// The state of one evaluation.
pub(crate) struct Walk<'e, 's, R> {
    pub(crate) budget: &'e Budget,
    pub(crate) missing: &'e RefCell<Vec<SmolStr>>,
    pub(crate) hits: Vec<Hit<'s>>,
    /// Whether an Allow covers a part of what was asked.
    pub(crate) covers_a_part: bool,
    /// Limits that must allow and do not.
    pub(crate) refusing: Vec<(Layer, &'s CompiledPolicy)>,
    pub(crate) recorder: &'e mut R,
}

/// What each layer said about one principal.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Layers {
    pub(crate) traits: Traits,
    pub(crate) identity: SetResult,
    pub(crate) boundary: Option<SetResult>,
    pub(crate) session: Option<SetResult>,
    pub(crate) service_control: Guard,
    pub(crate) resource_control: Guard,
    pub(crate) endpoint: Option<SetResult>,
    pub(crate) resource: SetResult,
}

/// What the levels of a guardrail say together.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Guard {
    pub(crate) denies: Applies,
    /// Whether each level that must allow does.
    pub(crate) allows: bool,
}

/// What the algorithm has to know of the principal.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Traits {
    pub(crate) kind: PrincipalKind,
    pub(crate) relation: Relation,
    pub(crate) trust: Trust,
}

/// Kinds of principals that the algorithm tells apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PrincipalKind {
    /// A user, a role session, a member of an external group.
    Ordinary,
    /// The root of its account.
    Root,
    /// A session of GetFederationToken: has no identity permissions without a session policy.
    FederatedSession,
    /// A service, or a ServiceAccount as itself: has no identity side.
    Service,
    /// Nobody, or any authenticated caller: only `*` grants.
    Unnamed,
}

/// Whether principal and resource belong together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Relation {
    /// Of one account.
    SameAccount,
    /// Of two.
    CrossAccount,
}

/// Whether the resource must trust the principal's account before its identity policies count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trust {
    /// An ordinary resource.
    Implicit,
    /// A role, a key.
    Explicit,
}

/// What follows for one principal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Conclusion {
    /// The first layer that explicitly denies, in the order in which answers name them.
    pub(crate) denied: Option<Layer>,
    /// The layer that grants, if nothing denies or limits.
    pub(crate) allowed: Option<Layer>,
    /// The first limit that does not allow, whether or not the identity policies do.
    pub(crate) limit: Option<Layer>,
}

// === impl SetResult ===

impl SetResult {
    /// No policy at all.
    pub(crate) const EMPTY: Self = Self {
        deny: Applies::No,
        allow: Applies::No,
        kinds: Kinds { any: false, account: false, direct: false, role: false, user: false },
    };

    /// Both sets together: either may deny or allow.
    pub(crate) fn union(self, other: Self) -> Self {
        Self {
            deny: self.deny.max(other.deny),
            allow: self.allow.max(other.allow),
            kinds: self.kinds.join(other.kinds),
        }
    }

    /// Both limits: either may deny, each must allow.
    pub(crate) fn intersection(self, other: Self) -> Self {
        Self { allow: self.allow.min(other.allow), ..self.union(other) }
    }

    fn denies(self) -> bool {
        // What is not determined in this phase denies.
        self.deny != Applies::No
    }

    pub(crate) fn allows(self) -> bool {
        self.allow == Applies::Yes
    }
}

// === impl Guard ===

impl Guard {
    /// No guardrail.
    pub(crate) const OPEN: Self = Self { denies: Applies::No, allows: true };

    /// One more level.
    pub(crate) fn and(self, level: SetResult, requires_allow: bool) -> Self {
        Self { denies: self.denies.max(level.deny), allows: self.allows && (!requires_allow || level.allows()) }
    }
}

// === impl Walk ===

impl<'s, R: Recorder<'s>> Walk<'_, 's, R> {
    /// Asks a set of policies. Every statement that may apply is seen, so that the answer can name all that do.
    pub(crate) fn set(
        &mut self,
        layer: Layer,
        policies: impl Iterator<Item = Asked<'s>>,
        subject: &Subject<'_>,
    ) -> SetResult {
        let mut result = SetResult::EMPTY;
        let spoken = subject.action.services();
        for asked in policies {
            for (index, statement, services) in asked.policy.spoken() {
                // A statement about other services only ends at its actions, and no condition is asked.
                let is_silent = !R::SEES_ALL && !services.meets(spoken);
                if is_silent || (statement.effect == Effect::Allow && !asked.allows) {
                    continue;
                }
                let outcome = statement::applies(statement, asked.reach, subject);
                self.recorder.statement(Seen {
                    layer,
                    policy: asked.policy,
                    index,
                    statement,
                    outcome,
                    facts: subject.facts,
                });
                self.covers_a_part |= statement.effect == Effect::Allow && outcome.partial;
                if outcome.applies == Applies::No {
                    continue;
                }
                match statement.effect {
                    Effect::Allow => {
                        result.allow = result.allow.max(outcome.applies);
                        if outcome.applies == Applies::Yes {
                            result.kinds = result.kinds.join(outcome.kinds);
                        }
                    }
                    Effect::Deny => result.deny = result.deny.max(outcome.applies),
                }
                self.hits.push(Hit {
                    policy: asked.policy,
                    index,
                    effect: statement.effect,
                    layer,
                    applies: outcome.applies,
                    partial: outcome.partial,
                });
            }
        }
        result
    }
}

// === impl Hit ===

impl Hit<'_> {
    pub(crate) fn matched(&self) -> Matched {
        let sid = self.policy.statements().get(self.index).map(|statement| statement.label(self.index));
        Matched {
            policy: self.policy.label.clone(),
            sid: sid.unwrap_or_default(),
            effect: self.effect,
            layer: self.layer,
        }
    }
}

// === free functions ===

/// `iam-semantics.md` §9.3.
pub(crate) fn conclude(layers: &Layers) -> Conclusion {
    let resource_layer = match layers.traits.trust {
        Trust::Implicit => Layer::Resource,
        Trust::Explicit => Layer::Trust,
    };
    let denials = [
        (layers.resource_control.denies != Applies::No, Layer::ResourceControl),
        (layers.service_control.denies != Applies::No, Layer::ServiceControl),
        (layers.resource.denies(), resource_layer),
        (layers.identity.denies(), Layer::Identity),
        (layers.boundary.is_some_and(SetResult::denies), Layer::Boundary),
        (layers.session.is_some_and(SetResult::denies), Layer::Session),
        (layers.endpoint.is_some_and(SetResult::denies), Layer::Endpoint),
    ];
    let passes = |limit: Option<SetResult>| limit.is_none_or(SetResult::allows);
    let limits = [
        (!layers.service_control.allows, Layer::ServiceControl),
        (!passes(layers.boundary), Layer::Boundary),
        (!passes(layers.session), Layer::Session),
    ];
    let first = |checks: &[(bool, Layer)]| checks.iter().find(|(holds, _)| *holds).map(|(_, layer)| *layer);
    let denied = first(&denials);
    let limit = first(&limits);
    let stopped = denied.is_some()
        || !layers.resource_control.allows
        || !layers.service_control.allows
        || !passes(layers.endpoint);
    let allowed = if stopped { None } else { granted(layers, resource_layer) };
    Conclusion { denied, allowed, limit }
}

/// Steps 5 to 8: who grants, when nothing denies and no guardrail refuses.
fn granted(layers: &Layers, resource_layer: Layer) -> Option<Layer> {
    let kinds = layers.resource.kinds;
    let passes = |limit: Option<SetResult>| limit.is_none_or(SetResult::allows);
    let limits = passes(layers.boundary) && passes(layers.session);
    let (identity_layer, needs_session) = match layers.traits.kind {
        PrincipalKind::Unnamed => return kinds.any.then_some(resource_layer),
        PrincipalKind::Service => return (kinds.any || kinds.direct).then_some(resource_layer),
        PrincipalKind::Root => (Layer::Root, false),
        PrincipalKind::FederatedSession => (Layer::Identity, layers.session.is_none()),
        PrincipalKind::Ordinary => (Layer::Identity, false),
    };
    let own = layers.traits.kind == PrincipalKind::Root || layers.identity.allows();
    let identity_path = own && limits && !needs_session;
    match layers.traits.relation {
        Relation::SameAccount => {
            if kinds.any || kinds.direct || ((kinds.role || kinds.user) && limits && !needs_session) {
                Some(resource_layer)
            } else if identity_path && (layers.traits.trust == Trust::Implicit || kinds.account) {
                Some(identity_layer)
            } else {
                None
            }
        }
        Relation::CrossAccount => (!kinds.is_empty() && identity_path).then_some(identity_layer),
    }
}
