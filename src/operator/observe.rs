//! What is known of one object, put together from the catalog, the world in force and the other replicas.

use k8s_openapi::jiff::Timestamp;

use super::event::seconds;
use super::replicas::View;
use crate::lint;
use crate::name::Arn;
use crate::plan::{self, Declared, LastGood, Observation, Referrers, Status};
use crate::store::{Catalog, Entry, InForce, Seen, Vector, WatchedKind};
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
    let seen = catalog.vector();
    let needed: Vec<(WatchedKind, Seen)> =
        std::iter::once(entry).chain(named).map(|entry| position(entry, &seen)).collect();
    let runs = |vector: &Vector| needed.iter().all(|(kind, seen)| vector.seen(*kind) >= *seen);
    let others = replicas.live.values().filter(|vector| runs(vector)).count();
    let (kind, seen) = position(entry, &seen);
    let world = (in_force.vector.seen(kind) >= seen).then_some(&*in_force.world);
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
                let without = policy.and_then(|(policy, world)| lint::of_targets(policy, world));
                lint::of_object(&entry.object, catalog.settings()).into_iter().chain(without).collect()
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

/// Whoever has seen this much of this kind has seen the object's generation. `catalog` is how far the catalog has come: an
/// entry counts in the epoch in which its kind was listed last.
fn position(entry: &Entry, catalog: &Vector) -> (WatchedKind, Seen) {
    let kind = WatchedKind::Ours(entry.object.key.kind);
    (kind, Seen { epoch: catalog.seen(kind).epoch, version: entry.generation_version })
}

/// The last valid form of an object that is not valid, where one is known.
pub(super) fn last_good(entry: &Entry) -> Option<LastGood> {
    match serde_json::Value::from(entry.object.last_good.as_deref()?) {
        serde_json::Value::Object(spec) => Some(LastGood { generation: entry.last_good_generation, spec }),
        _ => None,
    }
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::name::Revision;
    use crate::policy::tree::Node;
    use crate::snapshot::Snapshot;
    use crate::store::catalog;
    use crate::world::{Object, Settings, Spec, build};

    #[test]
    fn what_a_replica_saw_before_a_restore_says_nothing_of_what_came_after_it() {
        let kind = WatchedKind::Ours(Kind::Group);
        let key = ObjectKey { kind: Kind::Group, account: "shop".into(), name: "readers".into() };
        let (mut writer, reader) = catalog(Settings::default());
        writer.write(|catalog| {
            catalog.seen(kind, 1_000);
            // Restored, and listed anew.
            catalog.begin(kind, 1);
            catalog.insert(Entry {
                object: Object {
                    key: key.clone(),
                    uid: Some("u".into()),
                    spec: Spec::Read(Arc::new(Node::from(&serde_json::json!({})))),
                    last_good: None,
                    deleting: false,
                    origin: None,
                },
                last_good_generation: None,
                version: 50,
                generation: 1,
                generation_version: 50,
                finalizers: Vec::new(),
                status: None,
                change: 0,
            });
            catalog.seen(kind, 60);
        });
        let world = Arc::new(build(&writer.read(Catalog::input)));
        let observed = |own: &str, other: &str| {
            let snapshot = Arc::new(Snapshot::compile(&world, Revision(1)));
            let in_force = InForce { snapshot, world: Arc::clone(&world), vector: Vector::parse(own) };
            let mut view = View::default();
            view.live.insert("other".into(), Vector::parse(other));
            let observe = |catalog: &Catalog| observe(catalog, &in_force, &view, &key, Timestamp::now());
            let observation = reader.read(observe).unwrap().observation;
            (observation.in_force.is_some(), observation.replicas.running)
        };
        assert_eq!(observed("IamGroup=1/60", "IamGroup=1/50"), (true, 2));
        assert_eq!(observed("IamGroup=1/60", "IamGroup=1000"), (true, 1));
        assert_eq!(observed("IamGroup=1000", "IamGroup=2/3"), (false, 1));
        assert_eq!(observed("IamGroup=1/49", "IamGroup=1/49"), (false, 0));
    }
}
