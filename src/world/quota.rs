//! How much an account and an object may hold: AWS's own maxima (`iam-semantics.md` §14.4), and sizes.
//!
//! What the numbers come to:
//!
//! - Memory: [`ACCOUNT_SIZE`] bounds what admission lets into an account, whatever its objects are. It does not bound what
//!   is stored past admission, nor by how much creations that are judged at the same time exceed it together: each is
//!   judged by what was there before. What is stored all the same is kept, and grants nothing.
//! - Statements of a user: 20 managed policies of its own and 100 of its 10 groups, of at most
//!   [`crate::policy::limits::STATEMENTS`] statements each, are 15,360. Inline policies have at most 435, for one of the
//!   shortest takes 47 characters, so those of the user and its groups are 4,785. A role has no groups: 2,560 and 435.
//! - Statements of a federated user: those of every group of the account that takes its Kubernetes groups in, at most 500
//!   groups of 1,280 and 435. Nobody has as many by accident. What evaluating them may cost is bounded for each decision,
//!   by [`crate::policy::pattern::Budget::DECISION`].
//!
//! What exceeds a number grants nothing and goes on to restrict, like everything else that is not in order.

use super::input::Kind;

/// IamUsers of one account.
pub const USERS: usize = 5_000;
/// IamGroups of one account.
pub const GROUPS: usize = 500;
/// IamRoles of one account.
pub const ROLES: usize = 5_000;
/// IamPolicies of one account.
pub const POLICIES: usize = 5_000;
/// The size of all objects of one account together, in bytes of memory as [`super::size()`] estimates them. Admission
/// refuses what would exceed it; what is stored past admission, or was admitted at the same time, exceeds it and restricts
/// only.
///
/// The numbers above allow an account 15,500 objects, and a policy 20,480 characters and targets of half a megabyte: one
/// account of nothing but the worst would fill any machine. 5,000 users and 5,000 policies of ordinary size fit.
pub const ACCOUNT_SIZE: usize = 128 << 20;
/// Groups of one user.
pub const GROUPS_PER_USER: usize = 10;
/// Managed policies of one user.
pub const POLICIES_PER_USER: usize = 20;
/// Managed policies of one group.
pub const POLICIES_PER_GROUP: usize = 10;
/// Managed policies of one role.
pub const POLICIES_PER_ROLE: usize = 20;
/// Tags of one user or role.
pub const TAGS: usize = 50;
/// Access keys of one user.
pub const ACCESS_KEYS: usize = 2;
/// MFA devices of one user.
pub const MFA_DEVICES: usize = 8;
/// Entries of a list among which one that stands twice is looked for; every list is bounded below that.
pub const LISTED: usize = 256;
/// Characters of one policy as compact JSON, in the form in which it is written.
///
/// AWS has a number per kind, 2,048 to 10,240, and 20,480 for the policy of an S3 bucket (recalled). That last one is
/// taken for every kind: typed statements need more characters than AWS JSON for the same meaning, and what bounds the work of a
/// decision are the numbers of [`crate::policy::limits`].
pub const POLICY_CHARACTERS: usize = 20_480;
/// Characters of all inline policies of one user, group or role, counted in the same way.
pub const INLINE_CHARACTERS: usize = 20_480;

/// How many objects of a kind one account may hold.
pub fn per_account(kind: Kind) -> usize {
    match kind {
        Kind::User => USERS,
        Kind::Group => GROUPS,
        Kind::Role => ROLES,
        Kind::Policy => POLICIES,
    }
}
