//! What is asked: who, which action, on which resource, in what context.
//!
//! A Kubernetes request may stand for a *set* of objects (`kubernetes-contract.md` B4): all namespaces, every name, any
//! verb. So each slot holds one value or a set; a question about one object is the case in which every slot holds one
//! value. Slots are typed and never split again, so no text in one slot can be taken for another.

use std::borrow::Cow;

use super::context::Context;
use crate::name::Arn;

/// One question.
#[derive(Clone, Debug)]
pub struct Request<'a> {
    /// Who asks.
    pub caller: Caller<'a>,
    /// What they want to do.
    pub action: Action<'a>,
    /// On what.
    pub resource: Resource<'a>,
    /// The account that owns the resource.
    pub account: ResourceAccount<'a>,
    /// Facts of the request. Keys of the principal and of the namespace are added by the evaluator from the snapshot
    /// for [`Caller::Identity`] and [`Caller::Principal`], and win over entries of the same name.
    pub context: Context<'a>,
    /// Whether this is a request that every authenticated caller needs.
    pub baseline: Baseline,
}

/// Who asks.
#[derive(Clone, Debug)]
pub enum Caller<'a> {
    /// A caller as Kubernetes authenticated it: it may be several principals.
    Identity(Identity<'a>),
    /// Nobody in particular: meets Denies on the resource's side, and no Allow.
    Anonymous,
    /// This principal and no other; its keys come from the snapshot.
    Principal(Cow<'a, Arn>),
    /// This principal and no other, with the context exactly as given: the snapshot adds no key.
    PrincipalAsGiven(Cow<'a, Arn>),
}

/// A caller as Kubernetes authenticated it. Names compare byte for byte.
#[derive(Clone, Debug)]
pub struct Identity<'a> {
    /// The user name; a ServiceAccount as `system:serviceaccount:<namespace>:<name>`.
    pub user: Cow<'a, str>,
    /// Groups, as authenticated; those with reserved prefixes are already removed.
    pub groups: Vec<Cow<'a, str>>,
}

/// What the caller wants to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action<'a> {
    /// One action, `service:name`.
    One(Cow<'a, str>),
    /// Every action of this service (verb or subresource `*`).
    AnyOf(Cow<'a, str>),
}

/// On what.
#[derive(Clone, Debug)]
pub enum Resource<'a> {
    /// The bare `*` of actions without a resource: only a pattern made of stars matches it.
    Any,
    /// Something with an ARN, or a set of such things.
    Arn(Slots<'a>),
}

/// The slots of a requested ARN.
#[derive(Clone, Debug)]
pub struct Slots<'a> {
    /// Partition: `k8s`, `aws`, …
    pub partition: Cow<'a, str>,
    /// Service; for Kubernetes objects the API group, `core` for the empty one.
    pub service: Slot<'a>,
    /// Region; in partition `k8s` the cluster.
    pub region: Cow<'a, str>,
    /// Account; in partition `k8s` the namespace.
    pub account: AccountSlot<'a>,
    /// Everything after the fifth colon.
    pub rest: Rest<'a>,
}

/// A slot with one value, or any.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Slot<'a> {
    /// This value.
    One(Cow<'a, str>),
    /// Every value.
    Any,
    /// A value that the grammar of names forbids: no Allow applies, whatever it says, and every Deny matches here.
    Forbidden,
}

/// The account slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AccountSlot<'a> {
    /// This account; empty for what belongs to no namespace.
    One(Cow<'a, str>),
    /// Every namespace but these.
    Any {
        /// Excluded by a selector.
        except: Vec<Cow<'a, str>>,
    },
    /// No namespace or every namespace: the scope of the kind is not known.
    Either,
    /// As [`Slot::Forbidden`].
    Forbidden,
}

/// The part of an ARN after the fifth colon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rest<'a> {
    /// All of it is known.
    One(Cow<'a, str>),
    /// It begins with `prefix` (`secrets/`), and a name follows that is not empty.
    Named {
        /// The plural and the slash.
        prefix: Cow<'a, str>,
        /// Whole texts that are not meant, prefix included.
        except: Vec<Cow<'a, str>>,
        /// Every name, or one that is not known yet.
        name: OpenName,
    },
    /// Nothing of it is known (plural `*`).
    Any,
    /// As [`Slot::Forbidden`].
    Forbidden,
}

/// Why a name is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenName {
    /// The request means every name.
    Every,
    /// The request means one object whose name is not known yet (`create`).
    NotYetKnown,
}

/// The account that owns the requested resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ResourceAccount<'a> {
    /// This one.
    One(Cow<'a, str>),
    /// The management account: cluster-scoped resources and non-resource URLs.
    Management,
    /// Every account, or it is not known which: only what the management account says counts.
    All,
    /// The principal's own: resources whose ARN names no account.
    OfPrincipal,
}

/// Requests that every authenticated caller needs: discovery and self-reviews (`kubernetes-contract.md` B10).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Baseline {
    /// An ordinary request.
    No,
    /// No limit refuses it, and it needs an Allow like every other.
    NotLimited,
    /// No limit refuses it, and the candidate without account is allowed.
    Allowed,
}

// === impl Resource ===

impl<'a> Resource<'a> {
    /// One resource by its ARN.
    pub fn one(arn: &'a Arn) -> Self {
        Self::Arn(Slots {
            partition: Cow::Borrowed(arn.partition()),
            service: Slot::One(Cow::Borrowed(arn.service())),
            region: Cow::Borrowed(arn.region()),
            account: AccountSlot::One(Cow::Borrowed(arn.account())),
            rest: Rest::One(Cow::Borrowed(arn.resource())),
        })
    }

    /// Whether a slot holds a value that no name can have.
    pub fn is_forbidden(&self) -> bool {
        match self {
            Resource::Any => false,
            Resource::Arn(slots) => {
                slots.service == Slot::Forbidden
                    || slots.account == AccountSlot::Forbidden
                    || slots.rest == Rest::Forbidden
            }
        }
    }
}

impl std::fmt::Display for Action<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Action::One(name) => f.write_str(name),
            Action::AnyOf(service) => write!(f, "{service}:*"),
        }
    }
}

/// As people write it: a set is shown with `*`.
impl std::fmt::Display for Resource<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Resource::Arn(Slots { partition, service, region, account, rest }) = self else {
            return f.write_str("*");
        };
        let service = match service {
            Slot::One(service) => service,
            Slot::Any | Slot::Forbidden => "*",
        };
        let account = match account {
            AccountSlot::One(account) => account,
            AccountSlot::Any { .. } | AccountSlot::Either | AccountSlot::Forbidden => "*",
        };
        write!(f, "arn:{partition}:{service}:{region}:{account}:")?;
        match rest {
            Rest::One(rest) => f.write_str(rest),
            Rest::Named { prefix, .. } => write!(f, "{prefix}*"),
            Rest::Any | Rest::Forbidden => f.write_str("*"),
        }
    }
}
