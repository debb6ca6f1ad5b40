//! The answer, and what led to it.

use smol_str::SmolStr;

use crate::name::Revision;
use crate::policy::Effect;

/// Allow, or one of two ways to refuse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// Somebody grants it and nobody forbids it.
    Allow,
    /// A statement forbids it.
    ExplicitDeny,
    /// Nobody grants it, or a limit does not.
    ImplicitDeny,
}

/// Where a policy speaks from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Layer {
    /// Policies of the user, its groups, or the role.
    Identity,
    /// Policies attached to the resource.
    Resource,
    /// A role's trust policy.
    Trust,
    /// The permissions boundary.
    Boundary,
    /// Session policies.
    Session,
    /// Guardrails on the principal's account.
    ServiceControl,
    /// Guardrails on the resource's account.
    ResourceControl,
    /// Endpoint policies (conformance cases only).
    Endpoint,
    /// The account's root needs no policy.
    Root,
    /// What every authenticated caller may do.
    Baseline,
}

/// A statement that counted, by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Matched {
    /// `<account>/<name>`, or `<account>/<kind>/<name>#<inline name>`.
    pub policy: SmolStr,
    /// The statement's sid, or `statement N` counted from 1.
    pub sid: SmolStr,
    /// Allow or Deny.
    pub effect: Effect,
    /// Where it spoke from.
    pub layer: Layer,
}

/// What beside statements led to the answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The statements in [`Decision::matched`].
    Statements,
    /// Nothing applied.
    NothingApplies,
    /// A limit of a principal does not allow the action.
    LimitDoesNotAllow {
        /// Which kind of limit.
        layer: Layer,
        /// The policy that does not allow it; empty when questions bring their policies along.
        policy: SmolStr,
        /// Whose limit, as an ARN; empty likewise.
        principal: SmolStr,
    },
    /// The permissions boundary of the user with this ARN is not there.
    BoundaryMissing(SmolStr),
    /// The user with this ARN is disabled.
    UserDisabled(SmolStr),
    /// The caller is the root with this ARN.
    Root(SmolStr),
    /// What every authenticated caller may do.
    Baseline,
    /// The evaluation took too many steps.
    BudgetSpent,
}

/// The answer to one question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Allow, explicit deny, implicit deny.
    pub verdict: Verdict,
    /// The layer that decided; for a refusal the one that refused.
    pub layer: Option<Layer>,
    /// Why.
    pub cause: Cause,
    /// The statements that decided.
    pub matched: Vec<Matched>,
    /// Statements whose answer hangs on facts that are not known in this phase. None of the Allows among them counted,
    /// each of the Denies did.
    pub residual: Vec<Matched>,
    /// The principals that the caller was taken for, as ARNs.
    pub principals: Vec<SmolStr>,
    /// Keys that conditions asked for and the request does not have, as written in the policies; at most 32.
    pub missing_context_keys: Vec<SmolStr>,
    /// Whether a request for a part of what was asked may be answered better.
    pub narrower: Narrower,
    /// The snapshot that answered.
    pub revision: Revision,
}

/// What a request for less than a whole set could hope for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Narrower {
    /// Nothing else: what decided speaks about all that was asked.
    SameAnswer,
    /// A part of it may be allowed: a Deny meets only some of it, or an Allow covers only some of it, or tenants who
    /// have no say over all accounts may have one over theirs.
    MayBeAllowed,
}

// === impl Decision ===

impl Decision {
    /// The answer to a question that policies were not asked.
    pub fn unasked(verdict: Verdict, revision: Revision) -> Self {
        Self {
            verdict,
            layer: None,
            cause: Cause::NothingApplies,
            matched: Vec::new(),
            residual: Vec::new(),
            principals: Vec::new(),
            missing_context_keys: Vec::new(),
            narrower: Narrower::SameAnswer,
            revision,
        }
    }

    /// Whether a limit of the caller refuses: then no other authorizer may allow.
    pub fn is_limited(&self) -> bool {
        self.verdict == Verdict::ImplicitDeny
            && matches!(self.cause, Cause::LimitDoesNotAllow { .. } | Cause::BoundaryMissing(_))
    }
}

// === impl Verdict ===

impl Verdict {
    /// `Allow`, `ExplicitDeny`, `ImplicitDeny`.
    pub fn as_str(self) -> &'static str {
        match self {
            Verdict::Allow => "Allow",
            Verdict::ExplicitDeny => "ExplicitDeny",
            Verdict::ImplicitDeny => "ImplicitDeny",
        }
    }
}

// === impl Layer ===

impl Layer {
    /// The layer's name in JSON and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Layer::Identity => "identity",
            Layer::Resource => "resource",
            Layer::Trust => "trust",
            Layer::Boundary => "boundary",
            Layer::Session => "session",
            Layer::ServiceControl => "scp",
            Layer::ResourceControl => "rcp",
            Layer::Endpoint => "endpoint",
            Layer::Root => "root",
            Layer::Baseline => "baseline",
        }
    }

    /// The layer in a sentence.
    pub fn describe(self) -> &'static str {
        match self {
            Layer::Identity => "identity policy",
            Layer::Resource => "resource policy",
            Layer::Trust => "trust policy",
            Layer::Boundary => "permissions boundary",
            Layer::Session => "session policy",
            Layer::ServiceControl => "service control policy",
            Layer::ResourceControl => "resource control policy",
            Layer::Endpoint => "endpoint policy",
            Layer::Root => "account root",
            Layer::Baseline => "baseline",
        }
    }
}
