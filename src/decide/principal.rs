//! Whom a `Principal` element names (`iam-semantics.md` §7).

use crate::name::Arn;
use crate::policy::principal::PrincipalPattern;
use crate::policy::statement::{Element, Polarity};

/// A principal as resource and trust policies see it.
#[derive(Clone, Copy)]
pub(crate) enum Who<'a> {
    User {
        arn: &'a Arn,
        uid: Option<&'a str>,
    },
    /// `role` is the role's ARN with its path, where it is known.
    Session {
        arn: &'a Arn,
        role: Option<&'a Arn>,
        role_uid: Option<&'a str>,
    },
    /// A session of GetFederationToken carries its issuer's name; a member of an external group has none.
    Federated {
        arn: &'a Arn,
        issuer: Option<&'a str>,
    },
    Root {
        arn: &'a Arn,
    },
    ServiceAccount {
        arn: &'a Arn,
        cluster: &'a str,
    },
    /// A service of AWS, or a web identity, by its name.
    Named(&'a str),
    Anonymous,
    /// Any authenticated caller, for what other authorizers may grant.
    WithoutAccount,
}

/// In which ways a statement named the principal (`iam-semantics.md` §7.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Kinds {
    pub(crate) any: bool,
    pub(crate) account: bool,
    pub(crate) direct: bool,
    pub(crate) role: bool,
    pub(crate) user: bool,
}

// === impl Kinds ===

impl Kinds {
    pub(crate) fn is_empty(self) -> bool {
        self == Kinds::default()
    }

    pub(crate) fn join(self, other: Self) -> Self {
        Self {
            any: self.any || other.any,
            account: self.account || other.account,
            direct: self.direct || other.direct,
            role: self.role || other.role,
            user: self.user || other.user,
        }
    }

    pub(crate) const ANY: Self = Self { any: true, account: false, direct: false, role: false, user: false };
    const ACCOUNT: Self = Self { any: false, account: true, direct: false, role: false, user: false };
    const DIRECT: Self = Self { any: false, account: false, direct: true, role: false, user: false };
    const ROLE: Self = Self { any: false, account: false, direct: false, role: true, user: false };
    const USER: Self = Self { any: false, account: false, direct: false, role: false, user: true };
    const NONE: Self = Self { any: false, account: false, direct: false, role: false, user: false };
}

/// The ways in which an element names the principal; empty when it does not.
pub(crate) fn named(element: &Element<PrincipalPattern>, who: Who<'_>) -> Kinds {
    match element {
        Element::Absent => Kinds::NONE,
        // Only a Deny comes here with it: it holds for everybody.
        Element::Malformed => Kinds::ANY,
        Element::Listed(polarity, patterns) => {
            let kinds = patterns.iter().fold(Kinds::NONE, |kinds, pattern| kinds.join(by_pattern(pattern, who)));
            match polarity {
                Polarity::Positive => kinds,
                Polarity::Negated => {
                    if kinds.is_empty() {
                        Kinds::ANY
                    } else {
                        Kinds::NONE
                    }
                }
            }
        }
    }
}

fn by_pattern(pattern: &PrincipalPattern, who: Who<'_>) -> Kinds {
    match pattern {
        PrincipalPattern::Any => Kinds::ANY,
        PrincipalPattern::Account(account) => match who {
            Who::User { arn, .. }
            | Who::Session { arn, .. }
            | Who::Federated { arn, .. }
            | Who::Root { arn }
            | Who::ServiceAccount { arn, .. }
                if arn.account() == account =>
            {
                Kinds::ACCOUNT
            }
            _ => Kinds::NONE,
        },
        PrincipalPattern::Entity(named) => by_arn(named, who),
        PrincipalPattern::UniqueId(id) => match who {
            Who::User { uid: Some(uid), .. } if uid == id => Kinds::DIRECT,
            Who::Session { role_uid: Some(uid), .. } if uid == id => Kinds::ROLE,
            _ => Kinds::NONE,
        },
        PrincipalPattern::Service(name) | PrincipalPattern::Federated(name) | PrincipalPattern::CanonicalUser(name) => {
            match who {
                Who::Named(who) if who == name => Kinds::DIRECT,
                _ => Kinds::NONE,
            }
        }
    }
}

fn by_arn(named: &Arn, who: Who<'_>) -> Kinds {
    match who {
        Who::User { arn, .. } | Who::Root { arn } if named == arn => Kinds::DIRECT,
        Who::Session { arn, role, .. } => {
            if named == arn {
                Kinds::DIRECT
            } else if role.map_or_else(|| names_role_of(named, arn), |role| role == named || names_role_of(named, arn))
            {
                Kinds::ROLE
            } else {
                Kinds::NONE
            }
        }
        Who::Federated { arn, issuer } => {
            if named == arn {
                Kinds::DIRECT
            } else if issuer.is_some_and(|issuer| names_issuer(named, arn, issuer)) {
                Kinds::USER
            } else {
                Kinds::NONE
            }
        }
        Who::ServiceAccount { arn, cluster } => {
            // An empty cluster slot means this cluster.
            let same_cluster = named.region().is_empty() || named.region() == cluster;
            let same = named.partition() == arn.partition()
                && named.service() == arn.service()
                && named.account() == arn.account()
                && named.resource() == arn.resource();
            if same_cluster && same { Kinds::DIRECT } else { Kinds::NONE }
        }
        Who::User { .. } | Who::Root { .. } | Who::Named(_) | Who::Anonymous | Who::WithoutAccount => Kinds::NONE,
    }
}

/// Session ARNs carry the role's name only: a role with a path is named by its last element.
fn names_role_of(named: &Arn, session: &Arn) -> bool {
    let Some(role) = named.resource().strip_prefix("role/").and_then(|path| path.rsplit('/').next()) else {
        return false;
    };
    let of_session = session.resource().strip_prefix("assumed-role/").and_then(|rest| rest.split('/').next());
    named.service() == "iam"
        && named.partition() == session.partition()
        && named.account() == session.account()
        && Some(role) == of_session
}

fn names_issuer(named: &Arn, session: &Arn, issuer: &str) -> bool {
    let user = named.resource().strip_prefix("user/").and_then(|path| path.rsplit('/').next());
    named.service() == "iam"
        && named.partition() == session.partition()
        && named.account() == session.account()
        && user == Some(issuer)
}
