//! What is known of one object, put together from the catalog, the world in force and the other replicas.

use k8s_openapi::jiff::Timestamp;

use super::event::seconds;
use super::replicas::View;
use crate::lint;
use crate::name::Arn;
use crate::plan::{self, Declared, LastGood, Observation, Referrers, Status};
use crate::store::{Catalog, Entry, InForce, Vector, WatchedKind};
use crate::world::{Kind, ObjectKey, World};

/// An object as it stands in the catalog, and what is known of it.
#[derive(Clone, Debug)]
pub(super) struct Observed {
    /// The object.
    pub entry: Entry,
    /// What the plan is made from.
    pub observation: Observation,
}

/// What is known of an object; `None` when it is gone.
pub(super) fn observe(
    catalog: &Catalog,
    in_force: &InForce,
    replicas: &View,
    key: &ObjectKey,
    now: Timestamp,
) -> Option<Observed> {
    let entry = catalog.get(key)?;
    let named = catalog.references(key).filter_map(|named| catalog.get(named));
    let needed: Vec<(WatchedKind, u64)> = std::iter::once(entry).chain(named).map(position).collect();
    let runs = |vector: &Vector| needed.iter().all(|(kind, version)| vector.get(*kind) >= *version);
    let others = replicas.live.values().filter(|vector| runs(vector)).count();
    let (kind, version) = position(entry);
    let world = (in_force.vector.get(kind) >= version).then_some(&*in_force.world);
    let outcome = world.and_then(|world| Some((world, world.outcomes.get(key)?)));
    let observation = Observation {
        key: key.clone(),
        uid: entry.object.uid.clone(),
        generation: entry.generation,
        deleting: entry.object.deleting,
        finalizers: entry.finalizers.clone(),
        status: entry.status.as_deref().map(Status::read).unwrap_or_default(),
        declared: Declared::of(&entry.object),
        lint: match key.kind {
            Kind::Policy => {
                let policy = world.and_then(|world| Some((find(&world.policies, key, |policy| &policy.key)?, world)));
                let guardrail = policy.and_then(|(policy, world)| lint::of_guardrail(policy, world));
                lint::of_object(&entry.object, catalog.settings()).into_iter().chain(guardrail).collect()
            }
            Kind::User | Kind::Group | Kind::Role => Vec::new(),
        },
        in_force: outcome.map(|(world, outcome)| plan::InForce {
            outcome: outcome.clone(),
            arn: arn(world, key).cloned(),
            revision: in_force.snapshot.revision(),
        }),
        referrers: Referrers::of(key, catalog.holders(key)),
        replicas: plan::Replicas {
            live: replicas.live.len().saturating_add(1),
            running: others.saturating_add(usize::from(runs(&in_force.vector))),
        },
        last_good: last_good(entry),
        now: seconds(now),
    };
    Some(Observed { entry: entry.clone(), observation })
}

/// The last valid form of an object that is not valid, where one is known.
pub(super) fn last_good(entry: &Entry) -> Option<LastGood> {
    match serde_json::Value::from(entry.object.last_good.as_deref()?) {
        serde_json::Value::Object(spec) => Some(LastGood { generation: entry.last_good_generation, spec }),
        _ => None,
    }
}

/// Whoever has seen this version of this kind has seen the object's generation.
fn position(entry: &Entry) -> (WatchedKind, u64) {
    (WatchedKind::Ours(entry.object.key.kind), entry.generation_version)
}

/// The ARN of an object in the world, whose lists are sorted by key.
fn arn<'a>(world: &'a World, key: &ObjectKey) -> Option<&'a Arn> {
    match key.kind {
        Kind::User => find(&world.users, key, |user| &user.key).map(|user| &user.arn),
        Kind::Group => find(&world.groups, key, |group| &group.key).map(|group| &group.arn),
        Kind::Role => find(&world.roles, key, |role| &role.key).map(|role| &role.arn),
        Kind::Policy => find(&world.policies, key, |policy| &policy.key).map(|policy| &policy.arn),
    }
}

fn find<'a, T>(sorted: &'a [T], key: &ObjectKey, of: fn(&T) -> &ObjectKey) -> Option<&'a T> {
    let index = sorted.partition_point(|item| of(item) < key);
    sorted.get(index).filter(|found| of(found) == key)
}
