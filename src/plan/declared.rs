//! What an object says of itself, as far as its status repeats it.

use std::collections::BTreeSet;

use crate::world::{
    GroupSpec, Kind, ManagedPolicyType, Object, PolicyReference, PolicySpec, RoleSpec, Spec, UserSpec, check,
};

/// What an object says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Declared {
    /// Whether it is valid, looked at by itself.
    pub validity: Validity,
    /// What stands in it; `None` when it cannot be read.
    pub details: Option<Details>,
}

/// Whether an object is valid, looked at by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Validity {
    /// Nothing is wrong with it.
    Valid,
    /// Its last good form restricts in its place.
    Invalid,
}

/// What stands in a readable object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Details {
    /// An IamUser.
    User {
        /// Groups that it names.
        groups: usize,
        /// Policies that it names or holds.
        policies: usize,
        /// Whether everything is refused to it.
        disabled: bool,
        /// MFA devices that it asks for.
        mfa_devices: usize,
        /// Access keys that it asks for.
        access_keys: usize,
    },
    /// An IamGroup.
    Group {
        /// Policies that it names or holds.
        policies: usize,
    },
    /// An IamRole.
    Role {
        /// Policies that it names or holds.
        policies: usize,
        /// Longest session, in seconds.
        max_session_seconds: u32,
        /// Entries of principals that its trust policy allows.
        trusted_principals: usize,
    },
    /// An IamPolicy.
    Policy {
        /// Its type.
        kind: PolicyType,
        /// Its statements.
        statements: usize,
    },
}

/// What an IamPolicy is attached to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PolicyType {
    /// Users, groups and roles that name it.
    Managed,
    /// Resources.
    Resource,
    /// The principals of accounts.
    ServiceControl,
    /// The resources of accounts.
    ResourceControl,
}

// === impl Declared ===

impl Declared {
    /// Reads an object.
    pub fn of(object: &Object) -> Self {
        let validity = if check(object).is_empty() { Validity::Valid } else { Validity::Invalid };
        let details = match &object.spec {
            Spec::Unreadable(_) => None,
            Spec::Read(spec) => Some(match object.key.kind {
                Kind::User => {
                    let (spec, _) = UserSpec::parse(spec);
                    Details::User {
                        groups: spec.groups.iter().map(|group| &group.name).collect::<BTreeSet<_>>().len(),
                        policies: distinct(&spec.policies).saturating_add(spec.inline.len()),
                        disabled: spec.disabled,
                        mfa_devices: spec.mfa_devices.len(),
                        access_keys: spec.access_keys.len(),
                    }
                }
                Kind::Group => {
                    let (spec, _) = GroupSpec::parse(spec);
                    Details::Group { policies: distinct(&spec.policies).saturating_add(spec.inline.len()) }
                }
                Kind::Role => {
                    let (spec, _) = RoleSpec::parse(spec);
                    Details::Role {
                        policies: distinct(&spec.policies).saturating_add(spec.inline.len()),
                        max_session_seconds: spec.max_session_seconds,
                        trusted_principals: spec.trusted_principals(),
                    }
                }
                Kind::Policy => {
                    let (spec, _) = PolicySpec::parse(spec);
                    Details::Policy { kind: PolicyType::of(&spec.kind), statements: spec.policy.statements.len() }
                }
            }),
        };
        Self { validity, details }
    }
}

// === impl PolicyType ===

impl PolicyType {
    fn of(kind: &ManagedPolicyType) -> Self {
        match kind {
            ManagedPolicyType::Managed => Self::Managed,
            ManagedPolicyType::Resource(_) => Self::Resource,
            ManagedPolicyType::ServiceControl { .. } => Self::ServiceControl,
            ManagedPolicyType::ResourceControl { .. } => Self::ResourceControl,
        }
    }

    /// As in `spec.type`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Managed => "Managed",
            Self::Resource => "Resource",
            Self::ServiceControl => "ServiceControl",
            Self::ResourceControl => "ResourceControl",
        }
    }
}

// === free functions ===

/// How many policies are named. What is written twice counts once.
fn distinct(references: &[PolicyReference]) -> usize {
    references.iter().map(|reference| &reference.written).collect::<BTreeSet<_>>().len()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use super::*;
    use crate::policy::tree::Node;
    use crate::world::ObjectKey;

    fn declared(kind: Kind, spec: &serde_json::Value) -> Declared {
        Declared::of(&Object {
            key: ObjectKey { kind, account: "payments".into(), name: "it".into() },
            uid: None,
            spec: Spec::Read(Arc::new(Node::from(spec))),
            last_good: None,
            deleting: false,
            origin: None,
        })
    }

    #[test]
    fn what_stands_in_an_object_is_counted() {
        let statements = json!([{"sid": "A", "effect": "Deny", "actions": ["k8s:get"], "resources": ["*"]}]);
        let user = json!({
            "groups": ["a", "b", "a"],
            "policies": ["x", "x", "arn:k8s:iam::kube-iam-system:policy/x"],
            "inlinePolicies": [{"name": "own", "statements": statements}],
            "disabled": true,
            "mfaDevices": [{"name": "phone", "type": "totp"}],
        });
        let details = Details::User { groups: 2, policies: 3, disabled: true, mfa_devices: 1, access_keys: 0 };
        assert_eq!(declared(Kind::User, &user).details, Some(details));
        let group = json!({"policies": ["x"]});
        assert_eq!(declared(Kind::Group, &group).details, Some(Details::Group { policies: 1 }));
        let role = json!({
            "maxSessionDuration": "90m",
            "trustPolicy": {"statements": [
                {"sid": "A", "effect": "Allow", "principals": ["payments", "audit"], "actions": ["sts:AssumeRole"]},
                {"sid": "B", "effect": "Allow", "notPrincipals": ["payments"], "actions": ["sts:AssumeRole"]},
                {"sid": "C", "effect": "Deny", "principals": ["*"], "actions": ["sts:AssumeRole"]},
            ]},
        });
        let details = Details::Role { policies: 0, max_session_seconds: 5_400, trusted_principals: 2 };
        assert_eq!(declared(Kind::Role, &role).details, Some(details));
        let policy = json!({"type": "ResourceControl", "statements": statements});
        let found = declared(Kind::Policy, &json!({"statements": statements}));
        assert_eq!(found.details, Some(Details::Policy { kind: PolicyType::Managed, statements: 1 }));
        assert_eq!(found.validity, Validity::Valid);
        let details = Some(Details::Policy { kind: PolicyType::ResourceControl, statements: 1 });
        // Its principals are missing; what can be read is counted all the same.
        assert_eq!(declared(Kind::Policy, &policy), Declared { validity: Validity::Invalid, details });
    }

    #[test]
    fn a_tree_becomes_the_json_that_it_was() {
        let json = json!({"a": [1, 0.5, -3, true, null, "x"], "b": {"c": {}}});
        assert_eq!(serde_json::Value::from(&Node::from(&json)), json);
    }
}
