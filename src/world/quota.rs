//! How much an account and an object may hold: AWS's own maxima (`iam-semantics.md` §14.4), and sizes.
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
