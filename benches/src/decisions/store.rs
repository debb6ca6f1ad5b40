//! `store.json` as a world of one account, compiled for decisions.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, bail, ensure};
use kube_iam::name::{Arn, Digest, Revision};
use kube_iam::policy::{Policy, PolicyKind, Version, document};
use kube_iam::snapshot::Snapshot;
use kube_iam::world::{
    Attachment, Boundary, Group, Kind, KindTable, ManagedPolicy, ManagedPolicyType, ObjectKey, PolicyIndex, Role,
    Settings, Standing, User, World,
};
use serde::Deserialize;
use serde_json::value::RawValue;

#[derive(Deserialize)]
struct Store<'t> {
    #[serde(borrow)]
    policies: BTreeMap<&'t str, &'t RawValue>,
    groups: BTreeMap<&'t str, Holder<'t>>,
    principals: BTreeMap<&'t str, Holder<'t>>,
}

/// A group or a principal.
#[derive(Deserialize)]
struct Holder<'t> {
    #[serde(borrow, default)]
    groups: Vec<&'t str>,
    policies: Vec<&'t str>,
}

/// Loads and compiles the store.
///
/// # Errors
/// When the file is no store, or a policy in it has a problem: a policy that is not read whole would be measured wrong.
pub fn load(workload: &Path) -> anyhow::Result<Snapshot> {
    let text = std::fs::read_to_string(workload.join("store.json")).context("read `store.json`")?;
    let store: Store<'_> = serde_json::from_str(&text).context("read the store")?;
    let world = world(&store)?;
    Ok(Snapshot::compile(&world, Revision(1)))
}

fn world(store: &Store<'_>) -> anyhow::Result<World> {
    let first = store.principals.keys().next().context("no principals in the store")?;
    let account = first.parse::<Arn>().with_context(|| format!("read principal `{first}`"))?.account().to_owned();
    let key = |kind: Kind, name: &str| ObjectKey { kind, account: account.as_str().into(), name: name.into() };

    let mut policies = Vec::with_capacity(store.policies.len());
    for (name, document) in &store.policies {
        let parsed = document::parse_text(document.get(), PolicyKind::Identity);
        if let Some(problem) = parsed.problems.first() {
            bail!("policy `{name}`: {}: {}", problem.path, problem.message);
        }
        policies.push(ManagedPolicy {
            key: key(Kind::Policy, name),
            arn: Arn::new("aws", "iam", "", &account, &format!("policy/{name}"))?,
            standing: Standing::Full,
            policy: Arc::new(parsed.policy),
            kind: ManagedPolicyType::Managed,
        });
    }
    let index_of_policy: BTreeMap<&str, usize> = indexes(store.policies.keys());
    let attached = |holder: &Holder<'_>| -> anyhow::Result<Vec<Attachment>> {
        let index = |name: &&str| {
            let index = *index_of_policy.get(name).with_context(|| format!("no policy `{name}` in the store"))?;
            Ok(Attachment { policy: PolicyIndex(index), grants: true })
        };
        holder.policies.iter().map(index).collect()
    };

    let mut groups = Vec::with_capacity(store.groups.len());
    for (name, group) in &store.groups {
        groups.push(Group {
            key: key(Kind::Group, name),
            arn: Arn::new("aws", "iam", "", &account, &format!("group/{name}"))?,
            standing: Standing::Full,
            policies: attached(group)?,
            inline: Vec::new(),
            external_groups: Vec::new(),
        });
    }
    let index_of_group: BTreeMap<&str, usize> = indexes(store.groups.keys());

    let nobody = Arc::new(Policy { version: Version::V2012, statements: Arc::default() });
    let (mut users, mut roles) = (Vec::new(), Vec::new());
    for (text, principal) in &store.principals {
        let arn: Arn = text.parse().with_context(|| format!("read principal `{text}`"))?;
        ensure!(arn.account() == account, "principal `{text}` is not of account `{account}`");
        if let Some(name) = arn.resource().strip_prefix("user/") {
            let index = |name: &&str| {
                index_of_group.get(name).copied().with_context(|| format!("no group `{name}` in the store"))
            };
            users.push(User {
                key: key(Kind::User, name),
                uid: None,
                standing: Standing::Full,
                disabled: false,
                identities: Vec::new(),
                groups: principal.groups.iter().map(index).collect::<anyhow::Result<_>>()?,
                policies: attached(principal)?,
                inline: Vec::new(),
                boundary: Boundary::None,
                tags: Vec::new(),
                arn,
            });
        } else if let Some(name) = arn.resource().strip_prefix("role/") {
            ensure!(principal.groups.is_empty(), "role `{text}` is in a group");
            roles.push(Role {
                key: key(Kind::Role, name),
                uid: None,
                standing: Standing::Full,
                trust: Arc::clone(&nobody),
                policies: attached(principal)?,
                inline: Vec::new(),
                boundary: Boundary::None,
                tags: Vec::new(),
                max_session_seconds: 3_600,
                arn,
            });
        } else {
            bail!("principal `{text}` is no user and no role");
        }
    }
    Ok(World {
        settings: Settings::default(),
        policies,
        groups,
        users,
        roles,
        namespaces: BTreeMap::new(),
        roots: BTreeMap::new(),
        kinds: KindTable::default(),
        outcomes: BTreeMap::new(),
        digest: Digest::default(),
    })
}

fn indexes<'k, 't: 'k>(names: impl Iterator<Item = &'k &'t str>) -> BTreeMap<&'t str, usize> {
    names.enumerate().map(|(index, name)| (*name, index)).collect()
}
