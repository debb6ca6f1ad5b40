//! Policies that have no effect: nothing names them, or nothing is among their targets.

use std::collections::BTreeMap;

use super::finding::{Code, Finding, Severity};
use crate::world::{AccountTargets, Boundary, ManagedPolicy, ManagedPolicyType, ObjectKey, ResourceTargets, World};

/// The finding about a policy of type Managed that nothing names.
pub fn not_attached() -> Finding {
    Finding {
        code: Code::PolicyNotAttached,
        severity: Severity::Warning,
        path: "spec".to_owned(),
        message: "no user, group or role names this policy, so it has no effect".to_owned(),
    }
}

/// The finding about a guardrail that no account meets.
fn targets_nobody() -> Finding {
    Finding {
        code: Code::PolicyNotAttached,
        severity: Severity::Warning,
        path: "spec.targets".to_owned(),
        message: "no namespace that there is is among its targets, so it has no effect".to_owned(),
    }
}

/// The finding about a Resource policy without targets.
fn attached_to_nothing() -> Finding {
    Finding {
        code: Code::PolicyNotAttached,
        severity: Severity::Warning,
        path: "spec".to_owned(),
        message: "a Resource policy without `targets` is attached to nothing, so it has no effect".to_owned(),
    }
}

/// Whether a policy with targets has none: a Resource policy that declares none, or a guardrail that no account meets. The
/// management account does not count: guardrails do not bind it.
pub fn of_targets(policy: &ManagedPolicy, world: &World) -> Option<Finding> {
    if policy.kind == ManagedPolicyType::Resource(ResourceTargets::Nothing) {
        return Some(attached_to_nothing());
    }
    let management = &world.settings.management_account;
    let targets = policy.kind.account_targets().filter(|_| policy.key.account == *management)?;
    let met = |targets: &AccountTargets| {
        let mut known = world.namespaces.values().filter(|facts| facts.name != *management);
        // In a folder an account may stand without its Namespace.
        let (users, roles) = (world.users.iter().map(|user| &user.key), world.roles.iter().map(|role| &role.key));
        let mut unseen =
            users.chain(roles).map(|key| &key.account).filter(|account| !world.namespaces.contains_key(*account));
        known.any(|facts| targets.includes(&facts.name, Some(&facts.labels)))
            || unseen.any(|account| account != management && targets.includes(account, None))
    };
    (!met(targets)).then(targets_nobody)
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
    let unnamed = unnamed.map(|(policy, _)| (policy.key.clone(), vec![not_attached()]));
    let without = world.policies.iter().filter_map(|policy| Some((policy, of_targets(policy, world)?)));
    unnamed.chain(without.map(|(policy, finding)| (policy.key.clone(), vec![finding]))).collect()
}
