//! The syntax tree: a policy is a list of statements.

use std::sync::Arc;

use smol_str::SmolStr;

use super::condition::Condition;
use super::pattern::{ActionPattern, ResourcePattern};
use super::principal::PrincipalPattern;
use super::tree::Position;

/// Where a policy is used; decides which elements it must, may and must not have (`iam-semantics.md` §2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PolicyKind {
    /// Attached to users, groups and roles, managed or inline; also boundaries and session policies.
    Identity,
    /// Attached to resources; names principals.
    Resource,
    /// Who may assume a role.
    Trust,
    /// A guardrail on the principals of accounts.
    ServiceControl,
    /// A guardrail on the resources of accounts.
    ResourceControl,
}

/// The language version of a document (`iam-semantics.md` §5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Version {
    /// `2008-10-17`, also when `Version` is absent: `${…}` is literal text.
    V2008,
    /// `2012-10-17`: policy variables.
    V2012,
}

/// What a statement does when it applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Effect {
    /// Grants.
    Allow,
    /// Refuses.
    Deny,
}

/// Whether a list names what matches, or what does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Polarity {
    /// `Action`, `Resource`, `Principal`.
    Positive,
    /// `NotAction`, `NotResource`, `NotPrincipal`.
    Negated,
}

/// One list element of a statement.
#[derive(Clone, Debug, PartialEq)]
pub enum Element<T> {
    /// Not written; the place decides what that means.
    Absent,
    /// Written, each entry readable.
    Listed(Polarity, Box<[T]>),
    /// Written in a way that cannot be read, or missing where it must stand: matches in a Deny (`iam-semantics.md` §2
    /// rule 12). An Allow with it is not sound.
    Malformed,
}

/// Whether everything in a statement could be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Soundness {
    /// Yes.
    Sound,
    /// No. An Allow never applies; a Deny applies by its readable elements.
    Malformed,
}

/// One statement.
#[derive(Clone, Debug, PartialEq)]
pub struct Statement {
    /// The statement's name; empty if it has none.
    pub sid: SmolStr,
    /// Allow or Deny; an effect that cannot be read counts as Deny.
    pub effect: Effect,
    /// Whether everything in it could be read.
    pub soundness: Soundness,
    /// `Principal` or `NotPrincipal`.
    pub principals: Element<PrincipalPattern>,
    /// `Action` or `NotAction`.
    pub actions: Element<ActionPattern>,
    /// `Resource` or `NotResource`.
    pub resources: Element<ResourcePattern>,
    /// All of these must hold. With one that cannot be read none is here: in a Deny they count as true, and an Allow is
    /// not sound.
    pub conditions: Box<[Condition]>,
    /// Where the statement began.
    pub at: Option<Position>,
}

/// A parsed policy.
#[derive(Clone, Debug)]
pub struct Policy {
    /// Language version.
    pub version: Version,
    /// The statements, in the order written. Whoever compiles them shares them.
    pub statements: Arc<[Statement]>,
}

// === impl Policy ===

impl PartialEq for Policy {
    fn eq(&self, other: &Self) -> bool {
        // Nearly always they are the very same: two worlds, one after the other, differ in an object.
        self.version == other.version
            && (Arc::ptr_eq(&self.statements, &other.statements) || self.statements == other.statements)
    }
}

// === impl Statement ===

impl Statement {
    /// How people find the statement: its sid, or its number counted from 1.
    pub fn label(&self, index: usize) -> SmolStr {
        if self.sid.is_empty() {
            smol_str::format_smolstr!("statement {}", index.saturating_add(1))
        } else {
            self.sid.clone()
        }
    }
}
