//! The decision over all candidates of a caller: the steps of `design.md` §5.

use std::cell::RefCell;

use smol_str::SmolStr;

use super::candidate::{self, Candidate, CandidateKind};
use super::decision::{Cause, Decision, Layer, Matched, Narrower, Verdict};
use super::evaluate::{
    Asked, Conclusion, Guard, Hit, Layers, PrincipalKind, Recorder, Relation, SetResult, Silent, Traits, Trust, Walk,
    conclude,
};
use super::facts::{Facts, NamespaceView, PrincipalFacts};
use super::request::{AccountSlot, Action, Baseline, Caller, Request, Resource, ResourceAccount, Rest, Slot};
use super::statement::{Asking, Reach, Subject, Within};
use super::truth::Applies;
use crate::name::Arn;
use crate::policy::Effect;
use crate::policy::pattern::Budget;
use crate::snapshot::{Account, CompiledPolicy, Grant, Permissions, PolicyId, Snapshot};

/// Decides one request.
///
/// Bounded: at most [`Budget::DECISION`] steps of matching; when they are spent the answer is a refusal with
/// [`Cause::BudgetSpent`].
pub fn decide(snapshot: &Snapshot, request: &Request<'_>) -> Decision {
    decide_with(snapshot, request, &Budget::new(Budget::DECISION), &mut Silent)
}

/// What became of one candidate.
struct Judged<'c, 's> {
    label: &'c SmolStr,
    account: Option<&'c str>,
    kind: PrincipalKind,
    is_root_of_management: bool,
    counts: bool,
    disabled: bool,
    boundary_missing: bool,
    /// What its own side and the resource's side say together.
    conclusion: Conclusion,
    /// Whether a Deny on the resource's side applies to it.
    resource_denies: bool,
    hits: Vec<Hit<'s>>,
    covers_a_part: bool,
    refusing: Vec<(Layer, &'s CompiledPolicy)>,
}

pub(crate) fn decide_with<'s, R: Recorder<'s>>(
    snapshot: &'s Snapshot,
    request: &Request<'_>,
    budget: &Budget,
    recorder: &mut R,
) -> Decision {
    let missing = RefCell::new(Vec::new());
    let candidates = candidate::of(snapshot, &request.caller);
    let alone = matches!(request.caller, Caller::Principal(_) | Caller::PrincipalAsGiven(_));
    let counts: Vec<bool> = candidates.iter().map(|candidate| alone || counts(snapshot, request, candidate)).collect();
    // Whoever writes policies for a candidate that does not count can void that candidate, and nothing else: what they
    // cost must not be taken from the others. All of them together have one budget more.
    let guests = candidates.iter().zip(&counts).filter(|(candidate, counts)| is_guest(candidate, **counts)).count();
    let share = Budget::DECISION.checked_div(u64::try_from(guests).unwrap_or(u64::MAX)).unwrap_or(0);
    let mut judged = Vec::with_capacity(candidates.len());
    for (candidate, counts) in candidates.iter().zip(counts) {
        recorder.candidate(&candidate.label, counts);
        if is_guest(candidate, counts) {
            let budget = Budget::new(share);
            let mut guest = judge(snapshot, request, candidate, counts, &budget, &missing, recorder);
            if budget.is_spent() {
                guest.conclusion.allowed = None;
            }
            judged.push(guest);
        } else {
            judged.push(judge(snapshot, request, candidate, counts, budget, &missing, recorder));
        }
    }
    let mut decision = combine(request, &judged);
    if budget.is_spent() {
        decision = Decision {
            verdict: Verdict::ExplicitDeny,
            layer: None,
            cause: Cause::BudgetSpent,
            matched: Vec::new(),
            ..decision
        };
    }
    decision.revision = snapshot.revision();
    decision.missing_context_keys = missing.into_inner();
    decision
}

/// A candidate of an account that has no say here.
fn is_guest(candidate: &Candidate<'_>, counts: bool) -> bool {
    !counts && candidate.account().is_some()
}

/// A candidate counts if it belongs to the resource's account or to the management account.
fn counts(snapshot: &Snapshot, request: &Request<'_>, candidate: &Candidate<'_>) -> bool {
    let Some(account) = candidate.account() else { return false };
    snapshot.is_management(account)
        || match &request.account {
            ResourceAccount::One(owner) => owner == account,
            ResourceAccount::Management | ResourceAccount::All => false,
            ResourceAccount::OfPrincipal => true,
        }
}

fn judge<'c, 's, R: Recorder<'s>>(
    snapshot: &'s Snapshot,
    request: &Request<'_>,
    candidate: &'c Candidate<'s>,
    counts: bool,
    budget: &Budget,
    missing: &RefCell<Vec<SmolStr>>,
    recorder: &mut R,
) -> Judged<'c, 's> {
    let mut walk = Walk { budget, missing, hits: Vec::new(), covers_a_part: false, refusing: Vec::new(), recorder };
    let as_given = matches!(request.caller, Caller::PrincipalAsGiven(_));
    let principal = if as_given { PrincipalFacts::AsGiven } else { candidate.facts() };
    let side = Side {
        snapshot,
        request,
        action: Asking::new(&request.action),
        in_force: candidate.account().map(|account| snapshot.account(account)),
        candidate,
        principal,
        as_given,
    };
    let layers = side.layers(&mut walk);
    let mut conclusion = conclude(&layers);
    // Where a request spans all accounts only the management account speaks, and whom its resource policies name.
    let is_tenant = candidate.account().is_some_and(|account| !snapshot.is_management(account));
    if !candidate.may_be_allowed() || (request.account == ResourceAccount::All && is_tenant && candidate.is_capped()) {
        conclusion.allowed = None;
    }
    let boundary_missing = *candidate.permissions() == Permissions::BoundaryMissing;
    if boundary_missing && conclusion.limit.is_none_or(|limit| limit != Layer::ServiceControl) {
        conclusion.limit = Some(Layer::Boundary);
    }
    let disabled = candidate.is_disabled();
    if disabled {
        conclusion.denied = conclusion.denied.or(Some(Layer::Identity));
        conclusion.allowed = None;
    }
    walk.recorder.concluded(&layers, &conclusion);
    Judged {
        label: &candidate.label,
        account: candidate.account(),
        kind: layers.traits.kind,
        is_root_of_management: matches!(candidate.kind, CandidateKind::Root)
            && candidate.account().is_some_and(|account| snapshot.is_management(account)),
        counts,
        disabled,
        boundary_missing,
        conclusion,
        resource_denies: layers.resource.deny != Applies::No || layers.resource_control.denies != Applies::No,
        hits: walk.hits,
        covers_a_part: walk.covers_a_part,
        refusing: walk.refusing,
    }
}

/// The policies that concern one candidate and one request.
struct Side<'e, 's> {
    snapshot: &'s Snapshot,
    request: &'e Request<'e>,
    action: Asking<'e>,
    /// What is in force for the candidate's account.
    in_force: Option<&'s Account>,
    candidate: &'e Candidate<'s>,
    principal: PrincipalFacts<'e>,
    as_given: bool,
}

// === impl Side ===

impl<'e, 's> Side<'e, 's> {
    fn layers<R: Recorder<'s>>(&self, walk: &mut Walk<'_, 's, R>) -> Layers {
        let spans_all = self.request.account == ResourceAccount::All;
        let owner = self.owner();
        let account = self.candidate.account();
        let in_management = account.is_some_and(|account| self.snapshot.is_management(account));
        let is_management_root = in_management && matches!(self.candidate.kind, CandidateKind::Root);
        let same = in_management || (account.is_some() && account == owner);
        let trust = self.trust_policies();
        let traits = Traits {
            kind: self.candidate.principal_kind(),
            relation: if same { Relation::SameAccount } else { Relation::CrossAccount },
            trust: if trust.is_some() { Trust::Explicit } else { Trust::Implicit },
        };
        // What a tenant wrote says nothing about a request over all accounts.
        let speaks = !spans_all || in_management;
        let identity = if speaks {
            let grants = self.candidate.grants();
            self.ask(walk, Layer::Identity, grants, Reach::Principal)
        } else {
            SetResult::EMPTY
        };
        let boundary = match self.candidate.permissions() {
            Permissions::Boundary(policies) if speaks => policies
                .iter()
                .map(|policy| {
                    let said = self.ask_one(walk, Layer::Boundary, *policy, Reach::Principal);
                    self.note_refusal(walk, Layer::Boundary, *policy, said);
                    said
                })
                .reduce(SetResult::intersection),
            Permissions::Boundary(_) | Permissions::Unlimited | Permissions::BoundaryMissing => None,
        };
        let service_control = match account {
            Some(account) if speaks && self.candidate.is_capped() && !in_management => {
                self.account(account).service_controls.iter().fold(Guard::OPEN, |guard, control| {
                    let level = self.ask_one(walk, Layer::ServiceControl, control.policy, Reach::Principal);
                    if control.requires_allow {
                        self.note_refusal(walk, Layer::ServiceControl, control.policy, level);
                    }
                    guard.and(level, control.requires_allow)
                })
            }
            Some(_) | None => Guard::OPEN,
        };
        // Resource policies and guardrails on resources never bind the management root.
        let (resource, resource_control) = if is_management_root {
            (SetResult::EMPTY, Guard::OPEN)
        } else {
            (self.resource_side(walk, owner, trust), self.resource_controls(walk, owner))
        };
        Layers {
            traits,
            identity,
            boundary,
            session: None,
            service_control,
            resource_control,
            endpoint: None,
            resource,
        }
    }

    /// Keeps the policy of a limit that does not allow, to name it.
    fn note_refusal<R>(&self, walk: &mut Walk<'_, 's, R>, layer: Layer, policy: PolicyId, said: SetResult) {
        if !said.allows() {
            walk.refusing.extend(self.snapshot.policy(policy).map(|policy| (layer, policy)));
        }
    }

    /// What is in force for an account: most often the candidate's.
    fn account(&self, name: &str) -> &'s Account {
        match self.in_force {
            Some(in_force) if self.candidate.account() == Some(name) => in_force,
            _ => self.snapshot.account(name),
        }
    }

    /// The account that owns the resource, if it is one.
    fn owner(&self) -> Option<&'e str> {
        match &self.request.account {
            ResourceAccount::One(owner) => Some(owner),
            ResourceAccount::OfPrincipal => self.candidate.account(),
            ResourceAccount::Management | ResourceAccount::All => None,
        }
    }

    /// Policies attached to resources of the owner's account and, as they may speak about any, of the management
    /// account.
    fn resource_side<R: Recorder<'s>>(
        &self,
        walk: &mut Walk<'_, 's, R>,
        owner: Option<&str>,
        trust: Option<PolicyId>,
    ) -> SetResult {
        let management = self.snapshot.settings().management_account.as_str();
        let of_owner = owner.filter(|owner| *owner != management);
        let mut result = SetResult::EMPTY;
        for account in of_owner.into_iter().chain(std::iter::once(management)) {
            for attached in &self.account(account).resource_policies {
                let said = self.ask_one(walk, Layer::Resource, attached.policy, Reach::Targets(&attached.targets));
                result = result.union(said);
            }
        }
        if let Some(policy) = trust {
            result = result.union(self.ask_one(walk, Layer::Trust, policy, Reach::Resource));
        }
        result
    }

    /// Guardrails on the resource's account; over all accounts each one on the part that it protects.
    fn resource_controls<R: Recorder<'s>>(&self, walk: &mut Walk<'_, 's, R>, owner: Option<&str>) -> Guard {
        let mut guard = Guard::OPEN;
        if self.request.account == ResourceAccount::All {
            let known = |name: &str| self.snapshot.knows_account(name);
            for (policy, targets) in self.snapshot.resource_controls() {
                if !self.meets_any_account(walk, *policy) {
                    continue;
                }
                for (name, account) in self.snapshot.accounts() {
                    let excluded = self.snapshot.is_management(name) || self.excludes(name);
                    if !excluded && targets.includes(name, account.labels.as_deref()) {
                        let view = NamespaceView::Within { account: name, labels: account.labels.as_deref() };
                        let level = self.ask_within(walk, *policy, Within::Account(name), view);
                        guard = guard.and(level, false);
                    }
                }
                // Accounts without any facts exist, too.
                if targets.includes("", None) {
                    let level = self.ask_within(walk, *policy, Within::OtherThan(&known), NamespaceView::Unknown);
                    guard = guard.and(level, false);
                }
            }
            return guard;
        }
        if let Some(owner) = owner.filter(|owner| !self.snapshot.is_management(owner)) {
            for policy in &self.account(owner).resource_controls {
                let level = self.ask_one(walk, Layer::ResourceControl, *policy, Reach::Resource);
                guard = guard.and(level, false);
            }
        }
        guard
    }

    /// Whether a guardrail may deny in some account. What it says over all of them together holds for each of them, and
    /// most guardrails speak about something else: so their cost does not grow with the number of accounts.
    fn meets_any_account<R>(&self, walk: &Walk<'_, 's, R>, policy: PolicyId) -> bool {
        let mut aside = Walk {
            budget: walk.budget,
            missing: walk.missing,
            hits: Vec::new(),
            covers_a_part: false,
            refusing: Vec::new(),
            recorder: &mut Silent,
        };
        self.ask_within(&mut aside, policy, Within::Whole, NamespaceView::Any).deny != Applies::No
    }

    /// Whether a selector took this account out of a request over all.
    fn excludes(&self, account: &str) -> bool {
        match &self.request.resource {
            Resource::Arn(slots) => match &slots.account {
                AccountSlot::Any { except } => except.iter().any(|name| name == account),
                _ => false,
            },
            Resource::Any => false,
        }
    }

    /// The trust policy, when a role is to be assumed.
    fn trust_policies(&self) -> Option<PolicyId> {
        let Action::One(action) = &self.request.action else { return None };
        let Resource::Arn(slots) = &self.request.resource else { return None };
        let (Slot::One(service), AccountSlot::One(account), Rest::One(rest)) =
            (&slots.service, &slots.account, &slots.rest)
        else {
            return None;
        };
        let is_sts = || action.get(.."sts:".len()).is_some_and(|prefix| prefix.eq_ignore_ascii_case("sts:"));
        if service != "iam" || !rest.starts_with("role/") || !is_sts() {
            return None;
        }
        let arn = Arn::new(&slots.partition, service, "", account, rest).ok()?;
        self.snapshot.roles_by_arn(&arn).next().map(|role| role.trust)
    }

    fn ask<R: Recorder<'s>>(
        &self,
        walk: &mut Walk<'_, 's, R>,
        layer: Layer,
        grants: impl Iterator<Item = Grant>,
        reach: Reach<'s>,
    ) -> SetResult {
        self.ask_as(walk, layer, grants, reach, Within::Whole, self.namespace())
    }

    /// Asks one policy whose Allows count.
    fn ask_one<R: Recorder<'s>>(
        &self,
        walk: &mut Walk<'_, 's, R>,
        layer: Layer,
        policy: PolicyId,
        reach: Reach<'s>,
    ) -> SetResult {
        self.ask(walk, layer, std::iter::once(Grant { policy, allows: true }), reach)
    }

    fn ask_within<R: Recorder<'s>>(
        &self,
        walk: &mut Walk<'_, 's, R>,
        policy: PolicyId,
        within: Within<'_>,
        namespace: NamespaceView<'_>,
    ) -> SetResult {
        let grant = Grant { policy, allows: true };
        self.ask_as(walk, Layer::ResourceControl, std::iter::once(grant), Reach::Resource, within, namespace)
    }

    fn ask_as<R: Recorder<'s>>(
        &self,
        walk: &mut Walk<'_, 's, R>,
        layer: Layer,
        grants: impl Iterator<Item = Grant>,
        reach: Reach<'s>,
        within: Within<'_>,
        namespace: NamespaceView<'_>,
    ) -> SetResult {
        let facts =
            Facts { request: &self.request.context, principal: self.principal, namespace, missing: walk.missing };
        let subject = Subject {
            request: self.request,
            action: self.action,
            facts: &facts,
            who: self.candidate.who(self.snapshot),
            has_boundary: *self.candidate.permissions() != Permissions::Unlimited,
            within,
            budget: walk.budget,
        };
        let spoken = self.action.services();
        let speaking = grants.filter(|grant| R::SEES_ALL || self.snapshot.speaks_about(grant.policy, spoken));
        let asked = speaking.filter_map(|grant| {
            self.snapshot.policy(grant.policy).map(|policy| Asked { policy, allows: grant.allows, reach })
        });
        walk.set(layer, asked, &subject)
    }

    fn namespace(&self) -> NamespaceView<'s> {
        if self.as_given {
            return NamespaceView::AsGiven;
        }
        match &self.request.account {
            ResourceAccount::One(owner) => match &self.snapshot.account(owner).labels {
                Some(labels) => NamespaceView::Labels(labels),
                None => NamespaceView::Unknown,
            },
            ResourceAccount::Management | ResourceAccount::OfPrincipal => NamespaceView::Absent,
            ResourceAccount::All => NamespaceView::Any,
        }
    }
}

fn combine(request: &Request<'_>, judged: &[Judged<'_, '_>]) -> Decision {
    let mut principals: Vec<SmolStr> = Vec::with_capacity(judged.len());
    for j in judged {
        if !j.label.is_empty() && !principals.contains(j.label) {
            principals.push(j.label.clone());
        }
    }
    let residual = judged
        .iter()
        .flat_map(|j| &j.hits)
        .filter(|hit| hit.applies == Applies::Undetermined)
        .map(Hit::matched)
        .fold(Vec::new(), push_new);
    let answer = |verdict, layer, cause, matched| Decision {
        verdict,
        layer,
        cause,
        matched,
        residual,
        principals,
        missing_context_keys: Vec::new(),
        narrower: Narrower::SameAnswer,
        revision: crate::name::Revision::default(),
    };

    // Step 0.
    if let Some(root) = judged.iter().find(|j| j.is_root_of_management) {
        return answer(Verdict::Allow, Some(Layer::Root), Cause::Root(root.label.clone()), Vec::new());
    }
    // Step 1.
    let denied = judged.iter().filter(|j| j.counts).find_map(|j| j.conclusion.denied.map(|layer| (j, layer)));
    if let Some((by, layer)) = denied {
        let matched = denials(by);
        let cause =
            if by.disabled && matched.is_empty() { Cause::UserDisabled(by.label.clone()) } else { Cause::Statements };
        let denied = answer(Verdict::ExplicitDeny, Some(layer), cause, matched);
        return Decision { narrower: beside_denials(request, by), ..denied };
    }
    // Step 2.
    let capped = judged.iter().any(|j| j.counts && j.conclusion.limit == Some(Layer::ServiceControl));
    for j in judged {
        let Some(layer) = j.conclusion.allowed else { continue };
        if j.kind == PrincipalKind::Unnamed && j.account.is_none() && capped && request.baseline == Baseline::No {
            continue;
        }
        let cause = if layer == Layer::Root { Cause::Root(j.label.clone()) } else { Cause::Statements };
        return answer(Verdict::Allow, Some(layer), cause, allows(j, layer));
    }
    let without_account = judged.iter().find(|j| j.label.is_empty());
    if request.baseline == Baseline::Allowed && without_account.is_some_and(|j| !j.resource_denies) {
        return answer(Verdict::Allow, Some(Layer::Baseline), Cause::Baseline, Vec::new());
    }
    // Step 3.
    if !judged.iter().any(|j| j.counts)
        && let Some(by) = without_account
        && by.resource_denies
    {
        let denied = answer(Verdict::ExplicitDeny, by.conclusion.denied, Cause::Statements, denials(by));
        return Decision { narrower: beside_denials(request, by), ..denied };
    }
    // Step 4.
    if request.baseline == Baseline::No {
        let limited = judged.iter().filter(|j| j.counts).find_map(|j| j.conclusion.limit.map(|layer| (j, layer)));
        if let Some((by, layer)) = limited {
            let cause = if layer == Layer::Boundary && by.boundary_missing {
                Cause::BoundaryMissing(by.label.clone())
            } else {
                let policy = by.refusing.iter().find(|(of, _)| *of == layer).map(|(_, policy)| policy.label.clone());
                Cause::LimitDoesNotAllow { layer, policy: policy.unwrap_or_default(), principal: by.label.clone() }
            };
            return answer(Verdict::ImplicitDeny, Some(layer), cause, Vec::new());
        }
    }
    // Step 5.
    let implicit = answer(Verdict::ImplicitDeny, None, Cause::NothingApplies, Vec::new());
    // Over all accounts tenants have no say; over theirs they may.
    let is_partial = request.account == ResourceAccount::All || judged.iter().any(|j| j.covers_a_part);
    Decision { narrower: if is_partial { Narrower::MayBeAllowed } else { Narrower::SameAnswer }, ..implicit }
}

/// Whether something of what was asked lies beside every Deny. A guardrail on the accounts of a request that spans all
/// meets some of them.
fn beside_denials(request: &Request<'_>, judged: &Judged<'_, '_>) -> Narrower {
    let spans_all = request.account == ResourceAccount::All;
    let is_partial = |hit: &Hit<'_>| hit.partial || (spans_all && hit.layer == Layer::ResourceControl);
    let mut denials = judged.hits.iter().filter(|hit| hit.effect == Effect::Deny);
    if judged.disabled || !denials.all(is_partial) { Narrower::SameAnswer } else { Narrower::MayBeAllowed }
}

fn denials(judged: &Judged<'_, '_>) -> Vec<Matched> {
    judged.hits.iter().filter(|hit| hit.effect == Effect::Deny).map(Hit::matched).fold(Vec::new(), push_new)
}

/// The Allows that count: those of the layer that grants and, where both sides must, of the resource's.
fn allows(judged: &Judged<'_, '_>, layer: Layer) -> Vec<Matched> {
    let counts = |hit: &&Hit<'_>| {
        hit.effect == Effect::Allow
            && hit.applies == Applies::Yes
            && (hit.layer == layer || matches!(hit.layer, Layer::Resource | Layer::Trust))
    };
    judged.hits.iter().filter(counts).map(Hit::matched).fold(Vec::new(), push_new)
}

/// Statements that an answer names at most: the search for twins takes time that no budget bounds.
const NAMED: usize = 64;

fn push_new(mut list: Vec<Matched>, matched: Matched) -> Vec<Matched> {
    if list.len() < NAMED && !list.contains(&matched) {
        list.push(matched);
    }
    list
}
