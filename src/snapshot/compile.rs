//! From the world to the snapshot.

use std::collections::HashMap;
use std::sync::Arc;

use smol_str::{SmolStr, format_smolstr};

use super::index::{
    Account, CompiledPolicy, Grant, Group, GroupId, Permissions, PolicyId, ResourcePolicy, Role, RoleId,
    ServiceControl, Snapshot, User, UserId,
};
use super::several::multimap;
use crate::name::Revision;
use crate::policy::Policy;
use crate::world::{
    AccountTargets, Attachment, Boundary, ManagedPolicyType, NamedPolicy, ObjectKey, PolicyIndex, Standing, World,
};

impl Snapshot {
    /// Compiles the world. The result depends on the world and the revision only.
    pub fn compile(world: &World, revision: Revision) -> Self {
        let mut arena = Arena::default();
        for managed in &world.policies {
            arena.add(format_smolstr!("{}/{}", managed.key.account, managed.key.name), &managed.policy);
        }
        let groups: Vec<Group> = world
            .groups
            .iter()
            .map(|group| Group {
                arn: group.arn.text().clone(),
                account: group.key.account.clone(),
                grants: arena.grants(&group.key, &group.policies, &group.inline, group.standing),
            })
            .collect();
        let users: Vec<User> = world
            .users
            .iter()
            .map(|user| {
                let mut grants = arena.grants(&user.key, &user.policies, &user.inline, user.standing).into_vec();
                let of_groups = user.groups.iter().filter_map(|index| groups.get(*index));
                grants.extend(of_groups.clone().flat_map(|group| group.grants.iter().copied()));
                User {
                    arn: user.arn.clone(),
                    name: user.key.name.clone(),
                    uid: user.uid.clone(),
                    standing: user.standing,
                    disabled: user.disabled,
                    grants: grants.into(),
                    permissions: permissions(&user.boundary),
                    tags: user.tags.clone().into(),
                    groups: of_groups.map(|group| group.arn.clone()).collect(),
                }
            })
            .collect();
        let roles: Vec<Role> = world
            .roles
            .iter()
            .map(|role| Role {
                arn: role.arn.clone(),
                uid: role.uid.clone(),
                standing: role.standing,
                grants: arena.grants(&role.key, &role.policies, &role.inline, role.standing),
                permissions: permissions(&role.boundary),
                tags: role.tags.clone().into(),
                trust: arena.add(format_smolstr!("{}/role/{}#trust", role.key.account, role.key.name), &role.trust),
            })
            .collect();

        let mut snapshot =
            Self {
                revision,
                digest: world.digest,
                objects: world.outcomes.len(),
                settings: world.settings.clone(),
                kinds: world.kinds.clone(),
                users_by_identity: multimap(
                    world
                        .users
                        .iter()
                        .enumerate()
                        .flat_map(|(at, user)| user.identities.iter().map(move |name| (name.clone(), UserId(id(at))))),
                ),
                users_by_arn: multimap(
                    users.iter().enumerate().map(|(at, user)| (user.arn.text().clone(), UserId(id(at)))),
                ),
                roles_by_arn: multimap(
                    roles.iter().enumerate().map(|(at, role)| (role.arn.text().clone(), RoleId(id(at)))),
                ),
                roles_by_name: multimap(
                    world
                        .roles
                        .iter()
                        .enumerate()
                        .map(|(at, role)| ((role.key.account.clone(), role.key.name.clone()), RoleId(id(at)))),
                ),
                groups_by_external: multimap(world.groups.iter().enumerate().flat_map(|(at, group)| {
                    group.external_groups.iter().map(move |name| (name.clone(), GroupId(id(at))))
                })),
                roots_by_identity: multimap(
                    world.roots.iter().map(|(account, root)| (root.identity.clone(), account.clone())),
                ),
                policies: Vec::new(),
                services: Vec::new(),
                groups,
                users,
                roles,
                accounts: HashMap::new(),
                account_names: Vec::new(),
                account_without_facts: Account::default(),
                resource_controls: Vec::new(),
            };
        snapshot.settle_accounts(world);
        snapshot.services = arena.policies.iter().map(CompiledPolicy::services).collect();
        snapshot.account_names = snapshot.accounts.keys().cloned().collect();
        snapshot.account_names.sort_unstable();
        snapshot.policies = arena.policies;
        snapshot
    }

    /// Gives each account its facts and what is in force for it.
    fn settle_accounts(&mut self, world: &World) {
        let names = world
            .outcomes
            .keys()
            .map(|key| &key.account)
            .chain(world.namespaces.keys())
            .chain(world.roots.keys())
            .chain(std::iter::once(&world.settings.management_account));
        for name in names {
            self.accounts.entry(name.clone()).or_default();
        }
        for (name, facts) in &world.namespaces {
            self.accounts.entry(name.clone()).or_default().labels = Some(Arc::clone(&facts.labels));
        }
        for (name, root) in &world.roots {
            self.accounts.entry(name.clone()).or_default().root = Some(root.clone());
        }
        for (at, managed) in world.policies.iter().enumerate() {
            let policy = PolicyId(id(at));
            let in_management = managed.key.account == world.settings.management_account;
            match &managed.kind {
                ManagedPolicyType::Managed => {}
                ManagedPolicyType::Resource(targets) => {
                    let account = self.accounts.entry(managed.key.account.clone()).or_default();
                    account.resource_policies.push(ResourcePolicy { policy, targets: targets.clone() });
                }
                ManagedPolicyType::ServiceControl { targets, requires_allow } if in_management => {
                    let control = ServiceControl { policy, requires_allow: *requires_allow };
                    self.for_targets(targets, |account| account.service_controls.push(control));
                }
                ManagedPolicyType::ResourceControl { targets } if in_management => {
                    self.for_targets(targets, |account| account.resource_controls.push(policy));
                    self.resource_controls.push((policy, targets.clone()));
                }
                // Of no effect outside the management account.
                ManagedPolicyType::ServiceControl { .. } | ManagedPolicyType::ResourceControl { .. } => {}
            }
        }
    }

    /// Every targeted account, and the one that stands for accounts without facts. Guardrails never target the
    /// management account (`design.md` §5).
    fn for_targets(&mut self, targets: &AccountTargets, mut apply: impl FnMut(&mut Account)) {
        for name in &targets.accounts {
            self.accounts.entry(name.clone()).or_insert_with(|| self.account_without_facts.clone());
        }
        for (name, account) in &mut self.accounts {
            if *name != self.settings.management_account && targets.includes(name, account.labels.as_deref()) {
                apply(account);
            }
        }
        // No name at all: only a selector, or targets that mean every account, include it.
        if targets.includes("", None) {
            apply(&mut self.account_without_facts);
        }
    }
}

#[derive(Default)]
struct Arena {
    policies: Vec<CompiledPolicy>,
}

// === impl Arena ===

impl Arena {
    fn add(&mut self, label: SmolStr, policy: &Policy) -> PolicyId {
        let added = PolicyId(id(self.policies.len()));
        self.policies.push(CompiledPolicy::new(label, Arc::clone(&policy.statements)));
        added
    }

    /// Managed policies of the holder and its inline policies. Managed policies stand at the same place in the arena as
    /// in the world.
    fn grants(
        &mut self,
        key: &ObjectKey,
        managed: &[Attachment],
        inline: &[NamedPolicy],
        standing: Standing,
    ) -> Box<[Grant]> {
        let holder_grants = standing == Standing::Full;
        let mut grants: Vec<Grant> = managed
            .iter()
            .map(|attachment| Grant { policy: of_world(attachment.policy), allows: holder_grants && attachment.grants })
            .collect();
        for named in inline {
            let label = format_smolstr!("{}/{}/{}#{}", key.account, key.kind.arn_word(), key.name, named.name);
            grants.push(Grant { policy: self.add(label, &named.policy), allows: holder_grants });
        }
        grants.into()
    }
}

fn permissions(boundary: &Boundary) -> Permissions {
    match boundary {
        Boundary::None => Permissions::Unlimited,
        Boundary::Policies(policies) => Permissions::Boundary(policies.iter().map(|index| of_world(*index)).collect()),
        Boundary::Missing => Permissions::BoundaryMissing,
    }
}

fn of_world(index: PolicyIndex) -> PolicyId {
    PolicyId(id(index.0))
}

/// The store's quotas keep every arena far below 2^32 entries.
fn id(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::{self, Input, NamespaceFacts};

    #[test]
    fn accounts_are_walked_in_the_order_of_their_names() {
        let namespaces = (0..40).map(|number| NamespaceFacts {
            name: format_smolstr!("n{number}"),
            labels: Arc::default(),
            root_identity: None,
            root_mfa_optional: false,
        });
        let input = Input { namespaces: namespaces.collect(), ..Input::default() };
        let snapshot = Snapshot::compile(&world::build(&input), Revision(1));
        let names: Vec<&SmolStr> = snapshot.accounts().map(|(name, _)| name).collect();
        // One more: the management account.
        assert!(names.len() == 41 && names.is_sorted(), "{names:?}");
    }
}
