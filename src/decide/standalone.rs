//! The decision over policies that are given with the question, without any store: what AWS itself evaluates
//! (`iam-semantics.md` §9). Conformance cases come through here.

use std::borrow::Cow;
use std::cell::RefCell;

use smol_str::SmolStr;

use super::decision::{Cause, Decision, Layer, Narrower, Verdict};
use super::evaluate::{
    Asked, Guard, Hit, Layers, PrincipalKind, Relation, SetResult, Silent, Traits, Trust, Walk, conclude,
};
use super::facts::{Facts, NamespaceView, PrincipalFacts};
use super::principal::{Who, named};
use super::request::{Action, Baseline, Caller, Request, Resource, ResourceAccount};
use super::statement::{Asking, Reach, Subject, Within, action_matches, resource_matches};
use super::truth::{Applies, Truth};
use super::{Context, condition};
use crate::name::Arn;
use crate::policy::condition::Condition;
use crate::policy::pattern::{ActionPattern, Budget, ResourcePattern};
use crate::policy::principal::PrincipalPattern;
use crate::policy::statement::Element;
use crate::snapshot::CompiledPolicy;

/// Policies and a principal, given with a question.
#[derive(Clone, Debug, Default)]
pub struct Standalone {
    /// Of the user and its groups, or of the role.
    pub identity: Vec<CompiledPolicy>,
    /// Attached to the resource.
    pub resource: Option<CompiledPolicy>,
    /// The trust policy of the role that is the resource.
    pub trust: Option<CompiledPolicy>,
    /// The permissions boundary; `None` without one.
    pub boundary: Option<Vec<CompiledPolicy>>,
    /// Session policies; `None` without any.
    pub session: Option<Vec<CompiledPolicy>>,
    /// Guardrails on the principal's account, level by level; each level must allow.
    pub service_control: Vec<Vec<CompiledPolicy>>,
    /// Guardrails on the resource's account; every level holds an Allow of everything besides.
    pub resource_control: Vec<Vec<CompiledPolicy>>,
    /// Endpoint policies; `None` without any.
    pub endpoint: Option<Vec<CompiledPolicy>>,
}

/// Who asks.
#[derive(Clone, Debug)]
pub enum StandalonePrincipal {
    /// By ARN: a user, a role session, a federated user, or an account's root.
    Arn(Arn),
    /// A service or a web identity, by its name.
    Named(String),
    /// Nobody in particular.
    Anonymous,
}

/// A question for [`Standalone::decide`]. The context is complete: no key is added.
#[derive(Clone, Debug)]
pub struct StandaloneRequest<'a> {
    /// Who.
    pub principal: StandalonePrincipal,
    /// The principal's account; of its ARN unless given.
    pub principal_account: Option<Cow<'a, str>>,
    /// Whether the principal is the root user of its account.
    pub is_root: IsRoot,
    /// What.
    pub action: Action<'a>,
    /// On what.
    pub resource: Resource<'a>,
    /// The account that owns the resource.
    pub resource_account: Cow<'a, str>,
    /// The facts.
    pub context: Context<'a>,
}

/// Whether a principal is the root user of its account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IsRoot {
    /// It is if its ARN says so.
    ByArn,
    /// It is.
    Yes,
}

// === impl Standalone ===

impl Standalone {
    /// Decides (`iam-semantics.md` §9.3).
    pub fn decide(&self, asked: &StandaloneRequest<'_>) -> Decision {
        let budget = Budget::new(Budget::DECISION);
        let missing = RefCell::new(Vec::new());
        let caller = Caller::Anonymous;
        let request = Request {
            caller,
            action: asked.action.clone(),
            resource: asked.resource.clone(),
            account: ResourceAccount::One(asked.resource_account.clone()),
            context: asked.context.clone(),
            baseline: Baseline::No,
        };
        let facts = Facts {
            request: &request.context,
            principal: PrincipalFacts::AsGiven,
            namespace: NamespaceView::AsGiven,
            missing: &missing,
        };
        let subject = Subject {
            request: &request,
            action: Asking::new(&request.action),
            facts: &facts,
            who: who(&asked.principal),
            has_boundary: self.boundary.is_some(),
            within: Within::Whole,
            budget: &budget,
        };
        let mut walk = Walk {
            budget: &budget,
            missing: &missing,
            hits: Vec::new(),
            covers_a_part: false,
            refusing: Vec::new(),
            recorder: &mut Silent,
        };
        let layers = self.layers(asked, &subject, &mut walk);
        let conclusion = conclude(&layers);
        let hits = walk.hits;
        if budget.is_spent() {
            return answer(Verdict::ExplicitDeny, None, Cause::BudgetSpent, &[], missing);
        }
        if let Some(layer) = conclusion.denied {
            return answer(Verdict::ExplicitDeny, Some(layer), Cause::Statements, &hits, missing);
        }
        match (conclusion.allowed, conclusion.limit) {
            (Some(layer), _) => answer(Verdict::Allow, Some(layer), Cause::Statements, &hits, missing),
            (None, Some(layer)) => answer(
                Verdict::ImplicitDeny,
                Some(layer),
                Cause::LimitDoesNotAllow { layer, policy: SmolStr::default(), principal: SmolStr::default() },
                &[],
                missing,
            ),
            (None, None) => answer(Verdict::ImplicitDeny, None, Cause::NothingApplies, &[], missing),
        }
    }

    fn layers<'s>(
        &'s self,
        asked: &StandaloneRequest<'_>,
        subject: &Subject<'_>,
        walk: &mut Walk<'_, 's, Silent>,
    ) -> Layers {
        let kind = match &asked.principal {
            StandalonePrincipal::Anonymous => PrincipalKind::Unnamed,
            StandalonePrincipal::Named(_) => PrincipalKind::Service,
            StandalonePrincipal::Arn(arn) if asked.is_root == IsRoot::Yes || is_root(arn) => PrincipalKind::Root,
            StandalonePrincipal::Arn(arn) if arn.resource().starts_with("federated-user/") => {
                PrincipalKind::FederatedSession
            }
            StandalonePrincipal::Arn(_) => PrincipalKind::Ordinary,
        };
        let account = asked.principal_account.as_deref().or(match &asked.principal {
            StandalonePrincipal::Arn(arn) => Some(arn.account()),
            StandalonePrincipal::Named(_) | StandalonePrincipal::Anonymous => None,
        });
        let relation = if account == Some(asked.resource_account.as_ref()) {
            Relation::SameAccount
        } else {
            Relation::CrossAccount
        };
        let trust = if self.trust.is_some() { Trust::Explicit } else { Trust::Implicit };
        // Guardrails cap the principals of accounts: a service or nobody is of none.
        let capped = matches!(asked.principal, StandalonePrincipal::Arn(_));
        let of_principal = |policy| Asked { policy, allows: true, reach: Reach::Principal };
        let of_resource = |policy| Asked { policy, allows: true, reach: Reach::Resource };
        let identity = walk.set(Layer::Identity, self.identity.iter().map(of_principal), subject);
        let mut optional = |layer, policies: &'s Option<Vec<CompiledPolicy>>| {
            policies.as_ref().map(|policies| walk.set(layer, policies.iter().map(of_principal), subject))
        };
        let boundary = optional(Layer::Boundary, &self.boundary);
        let session = optional(Layer::Session, &self.session);
        let mut service_control = Guard::OPEN;
        for level in self.service_control.iter().filter(|_| capped) {
            let said = walk.set(Layer::ServiceControl, level.iter().map(of_principal), subject);
            service_control = service_control.and(said, true);
        }
        let mut resource_control = Guard::OPEN;
        for level in &self.resource_control {
            let said = walk.set(Layer::ResourceControl, level.iter().map(of_resource), subject);
            resource_control = resource_control.and(said, false);
        }
        let endpoint =
            self.endpoint.as_ref().map(|policies| walk.set(Layer::Endpoint, policies.iter().map(of_endpoint), subject));
        let resource = walk.set(Layer::Resource, self.resource.iter().map(of_resource), subject);
        let trusted = walk.set(Layer::Trust, self.trust.iter().map(of_resource), subject);
        Layers {
            traits: Traits { kind, relation, trust },
            identity,
            boundary,
            session,
            service_control,
            resource_control,
            endpoint,
            resource: SetResult::union(resource, trusted),
        }
    }
}

/// An endpoint policy may name principals and need not.
fn of_endpoint(policy: &CompiledPolicy) -> Asked<'_> {
    let names_principals =
        policy.statements().iter().any(|statement| matches!(statement.principals, Element::Listed(..)));
    let reach = if names_principals { Reach::Resource } else { Reach::Principal };
    Asked { policy, allows: true, reach }
}

fn is_root(arn: &Arn) -> bool {
    arn.service() == "iam" && arn.resource() == "root"
}

fn who(principal: &StandalonePrincipal) -> Who<'_> {
    match principal {
        StandalonePrincipal::Anonymous => Who::Anonymous,
        StandalonePrincipal::Named(name) => Who::Named(name),
        StandalonePrincipal::Arn(arn) if is_root(arn) => Who::Root { arn },
        StandalonePrincipal::Arn(arn) => {
            if let Some(issuer) = arn.resource().strip_prefix("federated-user/") {
                Who::Federated { arn, issuer: Some(issuer) }
            } else if arn.resource().starts_with("assumed-role/") {
                Who::Session { arn, role: None, role_uid: None }
            } else {
                Who::User { arn, uid: None }
            }
        }
    }
}

fn answer(
    verdict: Verdict,
    layer: Option<Layer>,
    cause: Cause,
    hits: &[Hit<'_>],
    missing: RefCell<Vec<SmolStr>>,
) -> Decision {
    let effect = match verdict {
        Verdict::Allow => crate::policy::Effect::Allow,
        Verdict::ExplicitDeny | Verdict::ImplicitDeny => crate::policy::Effect::Deny,
    };
    let counted = |hit: &&Hit<'_>| hit.effect == effect && hit.applies == Applies::Yes;
    Decision {
        verdict,
        layer,
        cause,
        matched: hits.iter().filter(counted).map(Hit::matched).collect(),
        residual: hits.iter().filter(|hit| hit.applies == Applies::Undetermined).map(Hit::matched).collect(),
        principals: Vec::new(),
        missing_context_keys: missing.into_inner(),
        narrower: Narrower::SameAnswer,
        revision: crate::name::Revision::default(),
    }
}

// === parts of a statement on their own ===

/// Whether a condition block holds in a context.
pub fn conditions_hold(conditions: &[Condition], context: &Context<'_>) -> bool {
    let missing = RefCell::new(Vec::new());
    let facts = Facts {
        request: context,
        principal: PrincipalFacts::AsGiven,
        namespace: NamespaceView::AsGiven,
        missing: &missing,
    };
    let budget = Budget::new(Budget::DECISION);
    conditions.iter().all(|condition| condition::holds(condition, &facts, &budget) == Truth::All)
}

/// Whether an entry of `Action` matches an action.
pub fn action_entry_matches(pattern: &ActionPattern, action: &str) -> bool {
    let context = Context::new();
    with_subject(Action::One(action.into()), Resource::Any, &context, |subject| {
        action_matches(pattern, subject) == Truth::All
    })
}

/// Whether an entry of `Resource` matches a resource.
pub fn resource_entry_matches(pattern: &ResourcePattern, resource: Resource<'_>, context: &Context<'_>) -> bool {
    with_subject(Action::One("".into()), resource, context, |subject| {
        resource_matches(pattern, subject, Truth::All) == Truth::All
    })
}

/// Whether a `Principal` or `NotPrincipal` element names a principal.
pub fn principal_element_matches(element: &Element<PrincipalPattern>, principal: &StandalonePrincipal) -> bool {
    !named(element, who(principal)).is_empty()
}

fn with_subject<T>(
    action: Action<'_>,
    resource: Resource<'_>,
    context: &Context<'_>,
    ask: impl FnOnce(&Subject<'_>) -> T,
) -> T {
    let missing = RefCell::new(Vec::new());
    let budget = Budget::new(Budget::DECISION);
    let request = Request {
        caller: Caller::Anonymous,
        action,
        resource,
        account: ResourceAccount::OfPrincipal,
        context: context.clone(),
        baseline: Baseline::No,
    };
    let facts = Facts {
        request: &request.context,
        principal: PrincipalFacts::AsGiven,
        namespace: NamespaceView::AsGiven,
        missing: &missing,
    };
    ask(&Subject {
        request: &request,
        action: Asking::new(&request.action),
        facts: &facts,
        who: Who::Anonymous,
        has_boundary: false,
        within: Within::Whole,
        budget: &budget,
    })
}
