//! Policies that nothing names.

use std::collections::BTreeMap;

use super::finding::{Code, Finding, Severity};
use crate::world::{Boundary, ManagedPolicyType, ObjectKey, World};

/// The finding about a policy of type Managed that nothing names.
pub fn not_attached() -> Finding {
    Finding {
        code: Code::PolicyNotAttached,
        severity: Severity::Warning,
        path: "spec".to_owned(),
        message: "no user, group or role names this policy, so it has no effect".to_owned(),
    }
}

/// What is only seen when all objects are known.
pub fn of_world(world: &World) -> BTreeMap<ObjectKey, Vec<Finding>> {
    let attached = |attachments: &[crate::world::Attachment]| attachments.iter().map(|a| a.policy).collect::<Vec<_>>();
    let boundary = |boundary: &Boundary| match boundary {
        Boundary::Policies(policies) => policies.clone(),
        Boundary::None | Boundary::Missing => Vec::new(),
    };
    let mut named = vec![false; world.policies.len()];
    let groups = world.groups.iter().flat_map(|group| attached(&group.policies));
    let users = world.users.iter().flat_map(|user| [attached(&user.policies), boundary(&user.boundary)].concat());
    let roles = world.roles.iter().flat_map(|role| [attached(&role.policies), boundary(&role.boundary)].concat());
    for index in groups.chain(users).chain(roles) {
        if let Some(named) = named.get_mut(index.0) {
            *named = true;
        }
    }
    let unnamed = world.policies.iter().zip(named).filter(|(policy, named)| match policy.kind {
        ManagedPolicyType::Managed => !named,
        ManagedPolicyType::Resource(_)
        | ManagedPolicyType::ServiceControl { .. }
        | ManagedPolicyType::ResourceControl { .. } => false,
    });
    unnamed.map(|(policy, _)| (policy.key.clone(), vec![not_attached()])).collect()
}
