//! What notices make of a catalog, and what is decided from it.

use std::sync::Arc;

use proptest::prelude::*;
use serde_json::{Value as Json, json};

use super::api_server::Holder;
use super::departure::Departure;
use super::item::Item;
use super::listing::Listing;
use super::mirror::Mirror;
use super::notice::Notice;
use super::pace::Urgency;
use crate::decide::{Verdict, decide};
use crate::mapping::{self, Attributes, Now, ResourceAttributes, ScopeFacts, Setting, Target};
use crate::name::{Mode, Revision};
use crate::snapshot::Snapshot;
use crate::store::{CatalogReader, Entry, Seen, WatchedKind, catalog};
use crate::world::{self, Kind, ObjectKey, Settings, Spec, World};

const POLICIES: WatchedKind = WatchedKind::Ours(Kind::Policy);

/// A mirror, and a reader of what it writes.
struct Fixture {
    mirror: Mirror,
    reader: CatalogReader,
    epoch: u64,
}

// === impl Fixture ===

impl Fixture {
    /// Everything listed, nothing there but the namespace `shop`.
    fn new() -> Self {
        let (writer, reader) = catalog(Settings::default());
        let mut fixture = Self { mirror: Mirror::new(writer), reader, epoch: 0 };
        assert!(!fixture.mirror.is_whole());
        for kind in WatchedKind::ALL {
            let objects = if kind == WatchedKind::Namespace { vec![namespace(1, &json!({}))] } else { Vec::new() };
            fixture.list(kind, 1, &objects);
        }
        assert!(fixture.mirror.is_whole());
        fixture.mirror.take();
        fixture
    }

    fn list(&mut self, kind: WatchedKind, version: u64, objects: &[Json]) {
        let definition = Holder::There("1".to_owned());
        self.list_as(kind, version, objects, definition);
    }

    fn list_as(&mut self, kind: WatchedKind, version: u64, objects: &[Json], definition: Holder) {
        let items: Vec<Item> = objects.iter().filter_map(|object| Item::read(kind, &object.to_string())).collect();
        let unidentified = objects.len() - items.len();
        let listing = Listing { version, epoch: self.epoch, items, unidentified, definition };
        let missing = self.mirror.listed(kind, listing);
        self.departed(missing);
    }

    /// Everything that is around them stands as far as is known.
    fn departed(&mut self, objects: Vec<Departure>) {
        let standing = |departure: &Departure| {
            let account = &departure.key.account;
            let uid = self.reader.read(|catalog| catalog.namespace(account).map(|namespace| namespace.uid.to_string()));
            (account.clone(), uid.map_or(Holder::Gone, Holder::There))
        };
        let namespaces = objects.iter().map(standing).collect();
        self.mirror.apply(Notice::Departed(objects, namespaces));
    }

    fn change(&mut self, object: &Json) {
        self.mirror.apply(Notice::Changed(watched(object), item(object)));
    }

    fn delete(&mut self, object: &Json) {
        self.mirror.apply(Notice::Deleted(watched(object), item(object)));
    }

    fn depart(&mut self, object: &Json) {
        self.departed(vec![departure(object)]);
    }

    /// It was deleted, and this became of its namespace after that.
    fn depart_with(&mut self, object: &Json, namespace: Holder) {
        let namespaces = [("shop".into(), namespace)].into();
        self.mirror.apply(Notice::Departed(vec![departure(object)], namespaces));
    }

    fn entry(&self, object: &Json) -> Option<Entry> {
        self.reader.read(|catalog| catalog.get(&key(object)).cloned())
    }

    fn world(&mut self) -> World {
        world::build(&self.mirror.take().0)
    }

    /// Statements in force of all policies, by effect and sid.
    fn statements(&mut self) -> Vec<String> {
        let world = self.world();
        let statements = world.policies.iter().flat_map(|managed| managed.policy.statements.iter());
        statements.map(|statement| format!("{:?} {}", statement.effect, statement.sid)).collect()
    }
}

fn departure(object: &Json) -> Departure {
    let uid = object["metadata"]["uid"].as_str().map(Into::into);
    Departure { key: key(object), uid, version: item(object).version }
}

fn watched(object: &Json) -> WatchedKind {
    let of = |kind: WatchedKind| object["kind"] == kind.as_str();
    WatchedKind::ALL.into_iter().find(|kind| of(*kind)).unwrap()
}

fn item(object: &Json) -> Item {
    Item::read(watched(object), &object.to_string()).unwrap()
}

fn key(object: &Json) -> ObjectKey {
    let WatchedKind::Ours(kind) = watched(object) else { panic!("{object}") };
    let metadata = &object["metadata"];
    ObjectKey {
        kind,
        account: metadata["namespace"].as_str().unwrap().into(),
        name: metadata["name"].as_str().unwrap().into(),
    }
}

/// An object as an API server hands it over.
fn stored(kind: &str, account: &str, name: &str, version: u64, spec: &Json) -> Json {
    json!({
        "apiVersion": "kube-iam.dev/v1alpha1",
        "kind": kind,
        "metadata": {
            "namespace": account, "name": name, "uid": format!("{kind}-{account}-{name}"),
            "resourceVersion": version.to_string(), "generation": version, "creationTimestamp": "2026-01-01T00:00:00Z",
            "managedFields": [{"manager": "kubectl", "fieldsV1": {"f:spec": {"f:statements": {}}}}],
        },
        "spec": spec,
    })
}

/// The namespace `shop` with more in its metadata.
fn namespace(version: u64, more: &Json) -> Json {
    let mut metadata = json!({"name": "shop", "uid": "shop", "resourceVersion": version.to_string()});
    for (key, value) in more.as_object().unwrap() {
        metadata[key] = value.clone();
    }
    json!({"kind": "Namespace", "metadata": metadata})
}

fn statement(sid: &str, effect: &str) -> Json {
    json!({"sid": sid, "effect": effect, "actions": ["k8s:get"], "resources": ["*"]})
}

/// A policy with an Allow `A` and a Deny `D`.
fn policy(version: u64) -> Json {
    let spec = json!({"statements": [statement("A", "Allow"), statement("D", "Deny")]});
    stored("IamPolicy", "shop", "p", version, &spec)
}

fn with(mut object: Json, version: u64, path: &str, value: Json) -> Json {
    *object.pointer_mut(path).unwrap() = value;
    object["metadata"]["resourceVersion"] = version.to_string().into();
    object["metadata"]["generation"] = version.into();
    object
}

fn invalid(version: u64) -> Json {
    with(policy(version), version, "/spec", json!({"statements": [statement("A", "Allow")], "statementz": []}))
}

#[test]
fn what_is_listed_after_the_server_went_back_is_of_a_new_epoch() {
    let mut fixture = Fixture::new();
    fixture.list(POLICIES, 1_000, &[]);
    fixture.epoch = 1;
    fixture.list(POLICIES, 50, &[]);
    let vector = fixture.mirror.vector();
    assert_eq!(vector.seen(POLICIES), Seen { epoch: 1, version: 50 });
    // The others are still to be listed.
    assert_eq!(vector.seen(WatchedKind::Namespace), Seen { epoch: 0, version: 1 });
}

#[test]
fn an_object_that_becomes_invalid_keeps_its_denies_until_it_is_valid_again() {
    let mut fixture = Fixture::new();
    fixture.change(&policy(2));
    assert_eq!(fixture.statements(), ["Allow A", "Deny D"]);
    fixture.change(&invalid(3));
    assert_eq!(fixture.mirror.pending(), Some(Urgency::Restricts));
    assert_eq!(fixture.statements(), ["Deny D"]);
    // More than once, and through a list.
    fixture.change(&invalid(4));
    fixture.list(POLICIES, 5, &[invalid(4)]);
    assert_eq!(fixture.statements(), ["Deny D"]);
    fixture.change(&with(policy(6), 6, "/spec/statements", json!([statement("A", "Allow")])));
    assert_eq!(fixture.statements(), ["Allow A"]);
    fixture.change(&invalid(7));
    assert_eq!(fixture.statements(), [""; 0]);
}

#[test]
fn whatever_a_spec_holds_its_object_is_known() {
    let deep = (0..40).fold(json!(1), |inner, _| json!({ "x": inner }));
    for (what, broken) in [
        ("nested too deep", with(policy(3), 3, "/spec", deep)),
        ("no map", with(policy(3), 3, "/spec", json!("text"))),
        ("null", with(policy(3), 3, "/spec", Json::Null)),
        ("an unknown version", with(policy(3), 3, "/apiVersion", json!("kube-iam.dev/v9"))),
        ("another kind", with(policy(3), 3, "/kind", json!("IamUser"))),
        ("more beside spec", {
            let mut more = policy(3);
            more["grants"] = json!([1]);
            more
        }),
        ("1.5 MiB", with(policy(3), 3, "/spec/statements/0/sid", json!("x".repeat(3 << 19)))),
    ] {
        let mut fixture = Fixture::new();
        fixture.change(&policy(2));
        let item = Item::read(POLICIES, &broken.to_string()).unwrap_or_else(|| panic!("{what}"));
        fixture.mirror.apply(Notice::Changed(POLICIES, item));
        assert_eq!(fixture.statements(), ["Deny D"], "{what}");
        let world = fixture.world();
        assert!(!world.outcomes[&key(&policy(2))].is_in_force(), "{what}");
        fixture.change(&policy(4));
        assert_eq!(fixture.statements(), ["Allow A", "Deny D"], "{what}");
    }
}

#[test]
fn what_managers_of_fields_left_is_not_looked_at() {
    let deep = (0..60).fold(json!({}), |inner, _| json!({ "f:x": inner }));
    let mut fixture = Fixture::new();
    fixture.change(&with(policy(2), 2, "/metadata/managedFields/0/fieldsV1", deep));
    assert_eq!(fixture.statements(), ["Allow A", "Deny D"]);
}

#[test]
fn what_cannot_be_told_apart_is_no_object_and_nothing_counts_as_deleted_beside_it() {
    for (path, value) in [
        ("/metadata/name", json!("")),
        ("/metadata/name", json!(7)),
        ("/metadata/namespace", json!("")),
        ("/metadata/resourceVersion", json!("abc")),
        ("/metadata", json!([])),
    ] {
        let mut broken = policy(3);
        *broken.pointer_mut(path).unwrap() = value;
        assert!(Item::read(POLICIES, &broken.to_string()).is_none(), "{path}");
        let mut fixture = Fixture::new();
        fixture.change(&policy(2));
        fixture.list(POLICIES, 4, &[broken]);
        assert_eq!(fixture.statements(), ["Deny D"], "{path}");
        fixture.list(POLICIES, 5, &[policy(2)]);
        assert_eq!(fixture.statements(), ["Allow A", "Deny D"], "{path}");
    }
}

#[test]
fn after_a_restart_the_record_on_the_object_is_the_last_good_form() {
    let record = |generation: Json| {
        let spec = json!({"statements": [statement("R", "Deny"), statement("Q", "Allow")]});
        json!({"lastGood": {"spec": spec, "generation": generation}, "conditions": []})
    };
    let recorded = |version: u64, generation: Json| {
        let mut object = invalid(version);
        object["status"] = record(generation);
        object
    };
    let mut fresh = Fixture::new();
    fresh.change(&recorded(9, json!(1)));
    assert_eq!(fresh.statements(), ["Deny R"]);
    assert!(fresh.entry(&policy(1)).unwrap().status.unwrap().contains("lastGood"));
    // Who saw a later form keeps it, and whose form is older takes the record. What was seen is known better than what
    // somebody wrote about the same generation.
    for (generation, expected) in
        [(json!(1), "Deny D"), (json!(5), "Deny R"), (json!(0), "Deny D"), (json!(3), "Deny D")]
    {
        let mut fixture = Fixture::new();
        fixture.change(&policy(3));
        fixture.change(&invalid(6));
        fixture.change(&recorded(7, generation.clone()));
        assert_eq!(fixture.statements(), [expected], "{generation}");
    }
    // After the server went back, what was seen may be of a generation that came to be another.
    for (seen, generation, expected) in [(3, 3, "Deny R"), (3, 1, "Deny D"), (6, 1, "Deny R")] {
        let mut fixture = Fixture::new();
        fixture.change(&policy(seen));
        fixture.epoch = 1;
        fixture.list(POLICIES, 7, &[recorded(6, json!(generation))]);
        assert_eq!(fixture.statements(), [expected], "{seen} {generation}");
    }
    // A record is nothing while the object is valid, and cannot grant.
    let mut valid = policy(8);
    valid["status"] = record(json!(9));
    fresh.change(&valid);
    assert_eq!(fresh.statements(), ["Allow A", "Deny D"]);
}

#[test]
fn a_record_that_is_not_valid_is_no_form() {
    let mut fixture = Fixture::new();
    let mut object = invalid(2);
    object["status"] = json!({"lastGood": {"spec": {"statements": [statement("R", "Deny")], "typo": 1}}});
    fixture.change(&object);
    // What is readable of the object itself.
    assert_eq!(fixture.statements(), [""; 0]);
    fixture.change(&policy(3));
    let mut object = invalid(4);
    object["status"] = json!({"lastGood": {"spec": {"statements": [statement("R", "Deny")], "typo": 1}}});
    fixture.change(&object);
    assert_eq!(fixture.statements(), ["Deny D"]);
}

#[test]
fn another_object_of_the_same_name_inherits_nothing() {
    let mut fixture = Fixture::new();
    fixture.change(&policy(2));
    fixture.change(&invalid(3));
    let other = with(invalid(4), 4, "/metadata/uid", json!("another"));
    fixture.change(&other);
    assert_eq!(fixture.statements(), ["Deny D"], "nobody has told what became of the former one");
    fixture.depart(&policy(4));
    assert_eq!(fixture.statements(), [""; 0]);
}

#[test]
fn what_is_deleted_restricts_until_it_is_known_that_its_kind_was_not() {
    let mut fixture = Fixture::new();
    fixture.change(&policy(2));
    fixture.delete(&policy(3));
    assert_eq!(fixture.statements(), ["Deny D"]);
    let other = with(policy(3), 3, "/metadata/uid", json!("another"));
    fixture.depart(&other);
    assert_eq!(fixture.statements(), ["Deny D"]);
    fixture.depart(&policy(3));
    assert_eq!(fixture.statements(), [""; 0]);
    assert!(fixture.entry(&policy(3)).is_none());
    // Made again before the answer came: it is another object, and stays.
    fixture.change(&policy(4));
    fixture.delete(&policy(5));
    fixture.change(&with(policy(6), 6, "/metadata/uid", json!("another")));
    fixture.depart(&policy(5));
    assert_eq!(fixture.statements(), ["Allow A", "Deny D"]);
}

#[test]
fn a_spec_of_more_values_than_any_valid_one_is_not_kept() {
    let mut fixture = Fixture::new();
    fixture.change(&policy(2));
    let bomb = with(policy(2), 3, "/spec/statements", json!(vec![json!([]); 70_000]));
    fixture.change(&bomb);
    let entry = fixture.entry(&bomb).unwrap();
    let Spec::Unreadable(why) = &entry.object.spec else { panic!("it was kept") };
    assert_eq!(why, "more than 65536 values; no valid object has as many");
    assert_eq!(fixture.statements(), ["Deny D"]);
    // A record of such a form is none.
    let mut recorded = with(bomb.clone(), 4, "/metadata/uid", json!("another"));
    recorded["status"] = json!({"lastGood": {"generation": 1, "spec": bomb["spec"]}});
    fixture.change(&recorded);
    assert_eq!(fixture.entry(&bomb).unwrap().object.last_good, None);
}

#[test]
fn what_a_kind_held_restricts_while_the_kind_is_gone() {
    let mut fixture = Fixture::new();
    fixture.change(&policy(2));
    fixture.change(&with(stored("IamPolicy", "shop", "q", 3, &json!({"typo": 1})), 3, "/spec", json!({"typo": 1})));
    // The definition is being deleted: its objects vanish, one by one, then it does.
    fixture.delete(&policy(4));
    fixture.list_as(POLICIES, 5, &[], Holder::Leaving);
    assert_eq!(fixture.statements(), ["Deny D"]);
    fixture.mirror.apply(Notice::Gone(POLICIES));
    assert_eq!(fixture.statements(), ["Deny D"]);
    let entry = fixture.entry(&policy(1)).unwrap();
    let Spec::Unreadable(why) = &entry.object.spec else { panic!("{entry:?}") };
    assert_eq!(why, "the CustomResourceDefinition `iampolicies.kube-iam.dev` is gone");
    // Told twice, it is the same.
    fixture.mirror.apply(Notice::Gone(POLICIES));
    assert_eq!(fixture.statements(), ["Deny D"]);
    // Served and listed again, without them.
    fixture.list(POLICIES, 9, &[]);
    assert_eq!(fixture.statements(), [""; 0]);
}

#[test]
fn what_was_never_valid_restricts_by_what_is_readable_while_its_kind_is_gone() {
    let mut fixture = Fixture::new();
    let mut unsound = policy(2);
    unsound["spec"]["typo"] = 1.into();
    fixture.change(&unsound);
    assert_eq!(fixture.statements(), ["Deny D"]);
    for _ in 0..2 {
        fixture.mirror.apply(Notice::Gone(POLICIES));
        assert_eq!(fixture.statements(), ["Deny D"]);
    }
}

#[test]
fn a_form_of_a_generation_that_is_still_to_come_is_not_remembered() {
    let mut fixture = Fixture::new();
    let of = |version: u64, generation: i64, typo: bool| {
        let mut policy = policy(version);
        policy["metadata"]["generation"] = generation.into();
        if typo {
            policy["spec"]["typo"] = 1.into();
        }
        policy
    };
    let last_good = |fixture: &Fixture| {
        let entry = fixture.entry(&policy(1)).unwrap();
        (entry.object.last_good.is_some(), entry.last_good_generation)
    };
    fixture.change(&of(2, 5, false));
    // A write past the API server leaves the generation as it was.
    fixture.change(&of(3, 5, true));
    assert_eq!(last_good(&fixture), (true, Some(5)));
    // An older state of etcd.
    fixture.change(&of(4, 3, true));
    assert_eq!(last_good(&fixture), (false, None));
}

#[test]
fn a_kind_that_is_served_again_with_its_objects_is_as_before() {
    let mut fixture = Fixture::new();
    fixture.change(&policy(2));
    fixture.mirror.apply(Notice::Gone(POLICIES));
    fixture.list(POLICIES, 9, &[policy(2)]);
    assert_eq!(fixture.statements(), ["Allow A", "Deny D"]);
    // And one that is invalid by now has its last good form from before.
    fixture.mirror.apply(Notice::Gone(POLICIES));
    fixture.list(POLICIES, 12, &[invalid(11)]);
    assert_eq!(fixture.statements(), ["Deny D"]);
}

#[test]
fn a_change_that_says_nothing_new_moves_on_the_vector_only() {
    let mut fixture = Fixture::new();
    fixture.change(&policy(2));
    let before = fixture.entry(&policy(2)).unwrap();
    fixture.mirror.take();
    let mut again = policy(2);
    again["metadata"]["resourceVersion"] = "7".into();
    again["metadata"]["labels"] = json!({"a": "b"});
    again["metadata"]["finalizers"] = json!(["kube-iam.dev/in-use"]);
    again["status"] = json!({"arn": "x"});
    fixture.change(&again);
    assert_eq!(fixture.mirror.pending(), None);
    let after = fixture.entry(&policy(2)).unwrap();
    let (Spec::Read(old), Spec::Read(new)) = (&before.object.spec, &after.object.spec) else { panic!() };
    assert!(Arc::ptr_eq(old, new));
    assert_eq!((after.version, after.generation, after.generation_version), (7, 2, 2));
    assert_eq!(after.finalizers, ["kube-iam.dev/in-use"]);
    assert_eq!(after.status.as_deref(), Some(r#"{"arn":"x"}"#));
    assert_eq!(fixture.mirror.vector().get(POLICIES), 7);
    fixture.change(&with(policy(8), 8, "/spec/statements/1/effect", json!("Allow")));
    assert_eq!(fixture.entry(&policy(2)).unwrap().generation_version, 8);
    fixture.mirror.apply(Notice::Seen(POLICIES, 12));
    assert_eq!(fixture.mirror.vector().to_string().matches("IamPolicy=12").count(), 1);
}

#[test]
fn namespaces_and_scopes_come_and_go() {
    let mut fixture = Fixture::new();
    let namespace = |labels: Json| namespace(2, &json!({ "labels": labels }));
    let definition = |scope: &str| {
        json!({"kind": "CustomResourceDefinition", "metadata": {"name": "things.x.org", "resourceVersion": "2"},
            "spec": {"group": "x.org", "scope": scope, "names": {"plural": "things", "kind": "Thing"},
                "versions": [{"schema": (0..40).fold(json!({}), |inner, _| json!({"properties": inner}))}]}})
    };
    fixture.change(&namespace(json!({"env": "prod"})));
    fixture.change(&definition("Cluster"));
    let world = fixture.world();
    assert_eq!(world.namespaces["shop"].labels["env"], "prod");
    assert_eq!(world.kinds.scope("x.org", "things"), crate::name::Scope::Cluster);
    // Nothing new.
    fixture.change(&namespace(json!({"env": "prod"})));
    fixture.change(&definition("Cluster"));
    assert_eq!(fixture.mirror.pending(), None);
    // A definition that cannot be read leaves what was, for its kind is served as it was.
    fixture.change(&definition("Galaxy"));
    assert_eq!(fixture.mirror.pending(), None);
    // Of a namespace nothing is known then.
    fixture.change(&namespace(json!({"env": 7})));
    assert!(!fixture.world().namespaces.contains_key("shop"));
    // Another server's kinds count while it is an APIService's.
    let service = |service: Json| {
        json!({"kind": "APIService", "metadata": {"name": "v1.y.org", "resourceVersion": "3"},
            "spec": {"group": "y.org", "version": "v1", "service": service}})
    };
    fixture.change(&service(json!({"name": "y", "namespace": "z"})));
    assert_eq!(fixture.mirror.elsewhere()["v1.y.org"].served, "y.org/v1");
    let facts =
        crate::world::KindFacts { group: "y.org".into(), plural: "ys".into(), scope: crate::name::Scope::Cluster };
    fixture.mirror.apply(Notice::Discovered("v1.y.org".into(), vec![facts.clone()]));
    assert_eq!(fixture.world().kinds.scope("y.org", "ys"), crate::name::Scope::Cluster);
    fixture.change(&service(Json::Null));
    fixture.mirror.apply(Notice::Discovered("v1.y.org".into(), vec![facts]));
    assert_eq!(fixture.world().kinds.scope("y.org", "ys"), crate::name::Scope::Unknown);
    // A list that does not hold them.
    fixture.list(WatchedKind::Namespace, 9, &[]);
    fixture.list(WatchedKind::CustomResourceDefinition, 9, &[]);
    let world = fixture.world();
    assert!(world.namespaces.is_empty());
    assert_eq!(world.kinds.scope("x.org", "things"), crate::name::Scope::Unknown);
}

#[test]
fn a_first_list_that_is_not_whole_is_none() {
    for (objects, definition) in
        [(vec![policy(2)], Holder::Leaving), (vec![policy(2), json!({"metadata": {}})], Holder::There("1".to_owned()))]
    {
        let (writer, reader) = catalog(Settings::default());
        let mut fixture = Fixture { mirror: Mirror::new(writer), reader, epoch: 0 };
        for kind in WatchedKind::ALL.into_iter().filter(|kind| *kind != POLICIES) {
            fixture.list(kind, 1, &[]);
        }
        fixture.list_as(POLICIES, 3, &objects, definition);
        assert!(!fixture.mirror.is_whole() && !fixture.mirror.has_listed(POLICIES));
        fixture.list(POLICIES, 4, &[policy(2)]);
        assert!(fixture.mirror.is_whole());
    }
}

#[test]
fn nobody_makes_a_namespace_unreadable() {
    let many = |value: &str| {
        let pairs = (0..70_000).map(|number| (format!("k{number}"), json!(value)));
        Json::Object(pairs.collect())
    };
    let mut fixture = Fixture::new();
    let root = json!({"annotations": {world::ROOT_IDENTITY: "boss", world::ROOT_MFA: "optional"}});
    fixture.change(&namespace(2, &root));
    let world = fixture.world();
    assert!(world.roots["shop"].mfa_optional && world.roots["shop"].identity == "boss");
    fixture.change(&namespace(3, &json!({"annotations": many("v"), "labels": many("w")})));
    let world = fixture.world();
    assert_eq!((world.roots.len(), world.namespaces["shop"].labels["k69999"].as_str()), (0, "w"));
}

#[test]
fn while_a_namespace_goes_what_was_in_it_restricts_in_whatever_order_it_goes() {
    let leaving = || namespace(4, &json!({"deletionTimestamp": "2026-01-01T00:00:00Z"}));
    let other = || with(policy(2), 2, "/metadata/name", json!("q"));
    for told_first in [true, false] {
        let mut fixture = Fixture::new();
        fixture.change(&policy(2));
        fixture.change(&other());
        fixture.mirror.take();
        if told_first {
            fixture.change(&leaving());
            assert_eq!(fixture.mirror.pending(), Some(Urgency::Restricts));
            assert_eq!(fixture.statements(), ["Deny D", "Deny D"]);
        }
        fixture.delete(&policy(5));
        fixture.depart_with(&policy(5), if told_first { Holder::There("shop".to_owned()) } else { Holder::Leaving });
        assert!(fixture.entry(&policy(5)).is_none(), "only decisions know of it");
        if !told_first {
            assert_eq!(fixture.statements(), ["Deny D", "Deny D"]);
            fixture.change(&namespace(3, &json!({"labels": {"a": "b"}})));
            fixture.change(&leaving());
        }
        assert_eq!(fixture.statements(), ["Deny D", "Deny D"]);
        fixture.list(POLICIES, 7, &[]);
        assert_eq!(fixture.statements(), ["Deny D", "Deny D"], "a list takes them away, too");
        fixture.delete(&leaving());
        assert_eq!(fixture.statements(), [""; 0]);
    }
}

#[test]
fn what_a_list_misses_may_have_gone_with_a_namespace_of_which_nothing_was_told_yet() {
    for became in [Holder::Leaving, Holder::Gone, Holder::There("another".to_owned())] {
        let mut fixture = Fixture::new();
        fixture.change(&policy(2));
        let definition = Holder::There("1".to_owned());
        let listing = Listing { version: 7, epoch: 0, items: Vec::new(), unidentified: 0, definition };
        let missing = fixture.mirror.listed(POLICIES, listing);
        assert_eq!(missing, [departure(&policy(7))]);
        assert_eq!(fixture.statements(), ["Deny D"], "nobody has said why it is missing");
        fixture.mirror.apply(Notice::Departed(missing, [("shop".into(), became)].into()));
        assert_eq!(fixture.statements(), ["Deny D"]);
        fixture.delete(&namespace(9, &json!({})));
        assert_eq!(fixture.statements(), [""; 0]);
    }
}

#[test]
fn a_namespace_that_is_made_anew_has_nothing_of_the_old_one() {
    let mut fixture = Fixture::new();
    fixture.change(&policy(2));
    fixture.change(&namespace(4, &json!({"deletionTimestamp": "2026-01-01T00:00:00Z"})));
    fixture.delete(&policy(5));
    fixture.depart(&policy(5));
    assert_eq!(fixture.statements(), ["Deny D"]);
    fixture.list(WatchedKind::Namespace, 9, &[namespace(8, &json!({"uid": "another"}))]);
    assert_eq!(fixture.statements(), [""; 0]);
}

#[test]
fn a_namespace_that_is_gone_before_the_answer_about_it_leaves_nothing_behind() {
    let mut fixture = Fixture::new();
    fixture.change(&policy(2));
    fixture.delete(&policy(5));
    fixture.delete(&namespace(6, &json!({})));
    fixture.depart_with(&policy(5), Holder::Leaving);
    assert_eq!(fixture.statements(), [""; 0]);
    fixture.change(&namespace(8, &json!({"uid": "another"})));
    assert_eq!(fixture.statements(), [""; 0]);
}

#[test]
fn a_namespace_that_was_made_anew_after_the_answer_is_not_burdened_with_what_was_in_the_former_one() {
    for became in [Holder::There("shop".to_owned()), Holder::Leaving, Holder::Gone] {
        let mut fixture = Fixture::new();
        fixture.change(&policy(2));
        fixture.delete(&policy(5));
        fixture.change(&namespace(8, &json!({"uid": "another"})));
        fixture.depart_with(&policy(5), became);
        assert_eq!(fixture.statements(), [""; 0]);
    }
}

#[test]
fn in_a_namespace_that_was_made_anew_nothing_of_the_former_one_grants() {
    let another = |version| namespace(version, &json!({"uid": "another"}));
    let new = |version| with(policy(version), version, "/metadata/uid", json!("new"));
    let mut fixture = Fixture::new();
    fixture.change(&policy(2));
    fixture.change(&another(8));
    assert_eq!(fixture.statements(), ["Deny D"], "that it was deleted has not been told yet");
    fixture.change(&policy(4));
    assert_eq!(fixture.statements(), ["Deny D"], "nor this change before");
    assert_eq!(fixture.mirror.owed(), [POLICIES].into());
    fixture.delete(&policy(5));
    assert!(fixture.mirror.owed().is_empty(), "a list would tell nothing about it");
    fixture.depart(&policy(5));
    fixture.change(&new(9));
    assert_eq!(fixture.statements(), ["Allow A", "Deny D"]);
    // One that only a list can tell from one of before.
    let mut fixture = Fixture::new();
    fixture.change(&new(7));
    fixture.change(&another(8));
    assert_eq!(fixture.statements(), ["Deny D"]);
    assert_eq!(fixture.mirror.owed(), [POLICIES].into());
    let mut list = |version| {
        fixture.list(POLICIES, version, &[new(7)]);
        (fixture.statements(), fixture.mirror.owed().len())
    };
    assert_eq!(list(7), (vec!["Deny D".to_owned()], 1), "it may be of before");
    assert_eq!(list(9), (vec!["Allow A".to_owned(), "Deny D".to_owned()], 0));
}

#[test]
fn what_is_seen_of_a_namespace_by_the_same_uid_raises_no_doubt() {
    let mut fixture = Fixture::new();
    fixture.change(&policy(2));
    fixture.change(&namespace(8, &json!({"labels": {"a": "b"}})));
    fixture.list(WatchedKind::Namespace, 9, &[namespace(9, &json!({"labels": {"a": "c"}}))]);
    assert!(fixture.mirror.owed().is_empty());
    assert_eq!(fixture.statements(), ["Allow A", "Deny D"]);
}

#[test]
fn after_the_api_server_went_back_the_versions_of_before_say_nothing() {
    let mut fixture = Fixture::new();
    fixture.change(&namespace(800, &json!({"uid": "another"})));
    fixture.change(&policy(900));
    fixture.epoch = 1;
    fixture.list(POLICIES, 30, &[policy(2)]);
    assert_eq!(fixture.statements(), ["Allow A", "Deny D"], "the namespace is the one that was known before");
    fixture.list(WatchedKind::Namespace, 31, &[namespace(31, &json!({}))]);
    assert_eq!(fixture.statements(), ["Deny D"], "it was changed after the list");
    fixture.list(POLICIES, 32, &[policy(2)]);
    assert_eq!(fixture.statements(), ["Allow A", "Deny D"]);
    assert!(fixture.mirror.owed().is_empty());
}

#[test]
fn what_is_retained_goes_when_its_namespace_is_seen_to_stand_later() {
    // A backup of before the deletion was restored: with what is known to be an older state, and with one that has moved on.
    for (epoch, version, is_there) in [(1, 3, false), (0, 50, false), (1, 3, true), (0, 50, true)] {
        let mut fixture = Fixture::new();
        fixture.change(&policy(2));
        fixture.delete(&policy(5));
        fixture.depart_with(&policy(5), Holder::Leaving);
        assert_eq!(fixture.statements(), ["Deny D"]);
        fixture.change(&namespace(4, &json!({"labels": {"a": "b"}})));
        assert_eq!(fixture.statements(), ["Deny D"], "that was before");
        fixture.epoch = epoch;
        let there: &[Json] = if is_there { &[policy(2)] } else { &[] };
        fixture.list(POLICIES, version, there);
        assert_eq!(fixture.statements(), ["Deny D"]);
        fixture.list(WatchedKind::Namespace, version, &[namespace(1, &json!({}))]);
        let expected: &[&str] = if is_there { &["Allow A", "Deny D"] } else { &[] };
        assert_eq!(fixture.statements(), expected);
        fixture.change(&policy(version + 1));
        assert_eq!(fixture.statements(), ["Allow A", "Deny D"]);
    }
}

#[test]
fn an_object_that_went_tells_that_its_namespace_did() {
    let other = || with(policy(2), 2, "/metadata/name", json!("q"));
    let new = with(policy(9), 9, "/metadata/uid", json!("new"));
    for became in [Holder::Leaving, Holder::Gone, Holder::There("another".to_owned())] {
        let mut fixture = Fixture::new();
        fixture.change(&policy(2));
        fixture.change(&other());
        fixture.delete(&policy(5));
        fixture.depart_with(&policy(5), became.clone());
        assert_eq!(fixture.statements(), ["Deny D", "Deny D"]);
        let other = with(other(), 6, "/metadata/name", json!("q"));
        fixture.delete(&other);
        fixture.depart_with(&other, became);
        fixture.change(&new);
        assert_eq!(fixture.statements(), ["Deny D"; 3], "nor does anything else in it grant anything");
        fixture.change(&namespace(4, &json!({"labels": {"a": "b"}})));
        assert_eq!(fixture.statements(), ["Deny D"; 3], "what was before that says nothing against it");
        fixture.change(&namespace(8, &json!({"uid": "another"})));
        assert_eq!(fixture.statements(), ["Allow A", "Deny D"]);
    }
    // So with what takes its place before the answer in a list, and with anything else that is new there.
    let beside = with(policy(8), 8, "/metadata/name", json!("r"));
    for (became, expected) in [
        (Holder::There("shop".to_owned()), vec!["Allow A", "Deny D", "Allow A", "Deny D"]),
        (Holder::Gone, vec!["Deny D"; 3]),
    ] {
        let mut fixture = Fixture::new();
        fixture.change(&policy(2));
        let items = vec![item(&new), item(&beside)];
        let definition = Holder::There("1".to_owned());
        let missing =
            fixture.mirror.listed(POLICIES, Listing { version: 9, epoch: 0, items, unidentified: 0, definition });
        assert_eq!(fixture.statements(), ["Deny D"; 3]);
        fixture.mirror.apply(Notice::Departed(missing, [("shop".into(), became)].into()));
        assert_eq!(fixture.statements(), expected);
    }
    // And with what is told before the answer, where that cannot be had.
    let mut fixture = Fixture::new();
    fixture.change(&policy(2));
    fixture.delete(&policy(5));
    for object in [&new, &beside] {
        fixture.mirror.apply(Notice::Unsettled(POLICIES, item(object)));
    }
    assert_eq!(fixture.statements(), ["Deny D"; 3]);
    assert_eq!(fixture.mirror.owed(), [POLICIES].into());
    fixture.depart_with(&policy(5), Holder::There("shop".to_owned()));
    assert_eq!(fixture.statements(), ["Allow A", "Deny D", "Allow A", "Deny D"]);
    // A list that finds another object under the name tells it, too.
    let mut fixture = Fixture::new();
    fixture.change(&policy(2));
    let definition = Holder::There("1".to_owned());
    let listing = Listing { version: 9, epoch: 0, items: vec![item(&new)], unidentified: 0, definition };
    let missing = fixture.mirror.listed(POLICIES, listing);
    assert_eq!(missing, [Departure { version: 9, ..departure(&policy(2)) }]);
    fixture.mirror.apply(Notice::Departed(missing, [("shop".into(), Holder::Gone)].into()));
    assert_eq!(fixture.statements(), ["Deny D"; 2]);
    assert_eq!(fixture.entry(&new).unwrap().object.uid.as_deref(), Some("new"));
}

#[test]
fn what_went_with_a_namespace_of_which_nothing_was_told_restricts_until_that_is_known_to_be_gone() {
    let in_lab = |version| with(policy(version), version, "/metadata/namespace", json!("lab"));
    let departed = |fixture: &mut Fixture| {
        fixture.change(&in_lab(2));
        fixture.delete(&in_lab(5));
        let namespaces = [("lab".into(), Holder::Leaving)].into();
        fixture.mirror.apply(Notice::Departed(vec![departure(&in_lab(5))], namespaces));
    };
    let lab = |version, more: Json| with(namespace(version, &more), version, "/metadata/name", json!("lab"));
    let mut fixture = Fixture::new();
    departed(&mut fixture);
    assert_eq!(fixture.statements(), ["Deny D"]);
    fixture.change(&lab(1, json!({})));
    fixture.change(&lab(4, json!({"deletionTimestamp": "2026-01-01T00:00:00Z"})));
    assert_eq!(fixture.statements(), ["Deny D"]);
    fixture.delete(&lab(6, json!({})));
    assert_eq!(fixture.statements(), [""; 0]);
    let mut fixture = Fixture::new();
    departed(&mut fixture);
    fixture.list(WatchedKind::Namespace, 7, &[namespace(1, &json!({}))]);
    assert_eq!(fixture.statements(), [""; 0]);
    // Where more of the namespaces is known than of the object, nothing is to come.
    let mut fixture = Fixture::new();
    fixture.change(&namespace(30, &json!({"labels": {"a": "b"}})));
    departed(&mut fixture);
    assert_eq!(fixture.statements(), [""; 0]);
}

#[test]
fn an_object_whose_namespace_is_not_there_grants_nothing() {
    let mut fixture = Fixture::new();
    fixture.change(&policy(2));
    fixture.delete(&namespace(3, &json!({})));
    assert_eq!(fixture.statements(), ["Deny D"]);
    fixture.change(&policy(5));
    assert_eq!(fixture.statements(), ["Deny D"]);
    fixture.change(&namespace(4, &json!({"uid": "another"})));
    assert_eq!(fixture.statements(), ["Allow A", "Deny D"]);
}

/// What is there before: guardrails and the accounts.
fn ground() -> Vec<Json> {
    let namespace = |name: &str, env: &str| json!({"kind": "Namespace", "metadata": {"name": name, "resourceVersion": "1", "labels": {"env": env}}});
    let guard = json!({"type": "ResourceControl", "targets": {"accountSelector": {"matchLabels": {"env": "prod"}}},
        "statements": [{"sid": "NoSecrets", "effect": "Deny", "principals": ["*"], "actions": ["k8s:delete"],
            "resources": ["arn:k8s:core::*:secrets/*"]}]});
    let cap = json!({"type": "ServiceControl", "targets": {"accounts": ["lab"]},
        "statements": [{"sid": "Some", "effect": "Allow", "actions": ["k8s:get", "k8s:list"], "resources": ["*"]}]});
    vec![
        namespace("shop", "prod"),
        namespace("lab", "dev"),
        namespace("kube-iam-system", "none"),
        stored("IamPolicy", "kube-iam-system", "guard", 1, &guard),
        stored("IamPolicy", "kube-iam-system", "cap", 1, &cap),
    ]
}

/// Twelve objects that belong together.
fn configuration() -> Vec<Json> {
    let statement = |sid: &str, effect: &str, verbs: Json, resources: &str| json!({"sid": sid, "effect": effect, "actions": verbs, "resources": [resources]});
    let read = |account: &str| {
        statement("Read", "Allow", json!(["k8s:get", "k8s:list"]), &format!("arn:k8s:core::{account}:*"))
    };
    let user = |name: &str, spec: Json| {
        let mut spec = spec;
        spec["identities"] = json!([{"kind": "User", "name": name}]);
        spec
    };
    let all = |sid: &str| statement(sid, "Allow", json!(["k8s:*"]), "*");
    let never = statement("Never", "Deny", json!(["k8s:delete"]), "arn:k8s:core::shop:configmaps/*");
    let everybody = json!({"type": "Resource", "targets": {"resources": ["arn:k8s:core::shop:configmaps/x"]},
        "statements": [{"sid": "Public", "effect": "Allow", "principals": ["*"], "actions": ["k8s:get"]}]});
    let specs = [
        ("IamPolicy", "shop", "read", json!({"statements": [read("shop")]})),
        ("IamPolicy", "shop", "work", json!({"statements": [all("Work"), never]})),
        ("IamPolicy", "shop", "limits", json!({"statements": [read("shop")]})),
        ("IamPolicy", "shop", "public", everybody),
        ("IamPolicy", "lab", "work", json!({"statements": [all("Work")]})),
        (
            "IamPolicy",
            "kube-iam-system",
            "base",
            json!({"statements": [statement("Base", "Allow", json!(["k8s:list"]), "*")]}),
        ),
        ("IamGroup", "shop", "devs", json!({"policies": ["work"], "externalGroups": ["oidc:devs"]})),
        ("IamUser", "shop", "alice", user("alice", json!({"policies": ["read"], "groups": ["devs"]}))),
        ("IamUser", "shop", "bob", user("bob", json!({"groups": ["devs"], "permissionsBoundary": "limits"}))),
        (
            "IamUser",
            "lab",
            "carol",
            user("carol", json!({"policies": ["work", "arn:k8s:iam::kube-iam-system:policy/base"]})),
        ),
        ("IamUser", "kube-iam-system", "dave", user("dave", json!({"policies": ["base"]}))),
        (
            "IamUser",
            "shop",
            "erin",
            user(
                "erin",
                json!({"policies": ["work"], "permissionsBoundary": "arn:k8s:iam::kube-iam-system:policy/base"}),
            ),
        ),
    ];
    specs.iter().map(|(kind, account, name, spec)| stored(kind, account, name, 2, spec)).collect()
}

/// Whether each of many questions is allowed.
fn allowed(world: &World) -> Vec<bool> {
    let snapshot = Snapshot::compile(world, Revision(1));
    let mut allowed = Vec::new();
    for (user, groups) in
        [("alice", ""), ("bob", ""), ("carol", ""), ("dave", ""), ("erin", ""), ("guest", "oidc:devs")]
    {
        for account in ["shop", "lab", ""] {
            for verb in ["get", "list", "delete", "create"] {
                for resource in ["configmaps", "secrets", "pods"] {
                    let name = if matches!(verb, "list" | "create") || account.is_empty() { "" } else { "x" };
                    let attributes = Attributes {
                        user: user.into(),
                        groups: vec!["system:authenticated".into(), groups.into()],
                        target: Target::Resource(ResourceAttributes {
                            namespace: account.into(),
                            verb: verb.into(),
                            resource: resource.into(),
                            name: name.into(),
                            ..ResourceAttributes::default()
                        }),
                        ..Attributes::default()
                    };
                    let scope = |group: &str, plural: &str| ScopeFacts::from(snapshot.kinds().scope(group, plural));
                    let setting = Setting {
                        cluster: "",
                        management_account: "kube-iam-system",
                        mode: Mode::Coexist,
                        now: Now { epoch_seconds: 0, rfc3339: "1970-01-01T00:00:00Z" },
                        scope: &scope,
                    };
                    let decision = decide(&snapshot, &mapping::request(&attributes, &setting).unwrap());
                    allowed.push(decision.verdict == Verdict::Allow);
                }
            }
        }
    }
    allowed
}

fn laid(objects: &[Json]) -> Fixture {
    let mut fixture = Fixture::new();
    for object in objects {
        fixture.change(object);
    }
    fixture
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    /// The kinds arrive in any order, objects come twice, in lists and in events, and are touched in between.
    #[test]
    fn no_order_of_arrival_grants_what_neither_the_old_nor_the_new_state_grants(
        order in Just((0..12).collect::<Vec<usize>>()).prop_shuffle(),
        manners in proptest::collection::vec(0u8..4, 12),
    ) {
        let (ground, configuration) = (ground(), configuration());
        let whole: Vec<Json> = ground.iter().chain(&configuration).cloned().collect();
        let (old, new) = (allowed(&laid(&ground).world()), laid(&whole).world());
        let (digest, new) = (new.digest, allowed(&new));
        prop_assert!(new.len() >= 200 && new.iter().filter(|yes| **yes).count() > 30);
        let mut fixture = laid(&ground);
        let mut arrived = ground;
        for (place, manner) in order.into_iter().zip(manners) {
            let object = &configuration[place];
            arrived.push(object.clone());
            match manner {
                0 => {
                    let kind = watched(object);
                    let of_kind: Vec<Json> = arrived.iter().filter(|object| watched(object) == kind).cloned().collect();
                    fixture.list(kind, 50, &of_kind);
                }
                1 => {
                    fixture.change(object);
                    fixture.change(object);
                }
                2 => {
                    fixture.change(object);
                    let mut touched = object.clone();
                    touched["status"] = json!({"seen": true});
                    touched["metadata"]["resourceVersion"] = "40".into();
                    fixture.change(&touched);
                }
                _ => fixture.change(object),
            }
            let now = allowed(&fixture.world());
            for (index, now) in now.into_iter().enumerate() {
                prop_assert!(!now || old[index] || new[index], "question {index} after {}", object["metadata"]);
            }
        }
        prop_assert_eq!(fixture.world().digest, digest);
    }
}

/// What one watch tells while a namespace goes and is made anew.
#[derive(Clone, Debug)]
enum Told {
    Changed(Json),
    Deleted(Json),
    /// An object that was deleted, or all that a list missed, departs: this has become of its namespace.
    Departed(Option<Json>, Holder),
    Listed(WatchedKind, u64, Vec<Json>),
}

/// In the namespace that goes, two policies say who may do what and two what nobody may; in the one that is made anew others
/// have their names, and name a policy that was in the former one.
fn before_and_after() -> [Vec<Json>; 2] {
    let statement = |sid: &str, effect: &str, verbs: Json| json!({"sid": sid, "effect": effect, "actions": verbs, "resources": ["arn:k8s:core::shop:*"]});
    let policy = |statement: Json| json!({ "statements": [statement] });
    let shut = json!({"type": "Resource", "targets": {"resources": ["arn:k8s:core::shop:secrets/*"]},
        "statements": [{"sid": "Shut", "effect": "Deny", "principals": ["*"], "actions": ["k8s:get"]}]});
    let user = |name: &str, policies: Json| json!({"identities": [{"kind": "User", "name": name}], "policies": policies, "groups": ["devs"]});
    let of = |uid: &str, specs: Vec<(&str, &str, Json)>| {
        let objects = specs.iter().map(|(kind, name, spec)| {
            let mut object = stored(kind, "shop", name, 2, spec);
            object["metadata"]["uid"] = format!("{kind}-{name}-{uid}").into();
            object
        });
        objects.collect()
    };
    [
        of(
            "old",
            vec![
                ("IamPolicy", "work", policy(statement("Work", "Allow", json!(["k8s:*"])))),
                ("IamPolicy", "never", policy(statement("Never", "Deny", json!(["k8s:delete"])))),
                ("IamPolicy", "shut", shut),
                ("IamGroup", "devs", json!({"policies": ["never"], "externalGroups": ["oidc:devs"]})),
                ("IamUser", "alice", user("alice", json!(["work"]))),
                ("IamUser", "bob", user("bob", json!(["work", "never"]))),
            ],
        ),
        of(
            "new",
            vec![
                ("IamPolicy", "never", policy(statement("List", "Allow", json!(["k8s:list"])))),
                ("IamGroup", "devs", json!({"policies": ["work"], "externalGroups": ["oidc:devs"]})),
                ("IamUser", "alice", user("alice", json!(["work", "never"]))),
                ("IamUser", "carol", user("carol", json!(["work"]))),
            ],
        ),
    ]
}

/// What the watch of a kind tells: everything in events, or what a list finds after the old namespace was gone, or at the
/// end.
fn told(kind: WatchedKind, manner: u8, answers: &[u8], [old, new]: &[Vec<Json>; 2]) -> Vec<Told> {
    let of_kind = |objects: &[Json], first: u64| -> Vec<Json> {
        let mine = objects.iter().filter(|object| watched(object) == kind).enumerate();
        mine.map(|(index, object)| with(object.clone(), first + index as u64, "/kind", json!(kind.as_str()))).collect()
    };
    let (gone, there) = (of_kind(old, 101), of_kind(new, 211));
    let another = Holder::There("another".to_owned());
    let became = |index: usize| match answers[index % answers.len()] {
        0 => Holder::Leaving,
        1 => Holder::Gone,
        _ => another.clone(),
    };
    let mut told = Vec::new();
    match manner {
        0 => {
            told.extend(gone.iter().cloned().map(Told::Deleted));
            let departed =
                gone.into_iter().enumerate().map(|(index, object)| Told::Departed(Some(object), became(index)));
            // The answers come at once, or after what is told next.
            let place = if answers[0].is_multiple_of(2) { told.len() } else { usize::from(!told.is_empty()) };
            told.splice(place..place, departed.clone().take(usize::from(place > 0)));
            told.extend(departed.skip(usize::from(place > 0)));
            told.extend(there.into_iter().map(Told::Changed));
        }
        1 => {
            told.extend([Told::Listed(kind, 205, Vec::new()), Told::Departed(None, another)]);
            told.extend(there.into_iter().map(Told::Changed));
        }
        _ => told.extend([Told::Listed(kind, 300, there), Told::Departed(None, another)]),
    }
    told
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    /// A namespace goes with all that is in it and is made anew with something else; each watch is as far as it is.
    #[test]
    fn a_namespace_that_is_made_anew_opens_nothing_that_neither_of_the_two_opens(
        manners in proptest::collection::vec((0u8..3, proptest::collection::vec(0u8..3, 3)), 4),
        turns in proptest::collection::vec(0usize..5, 60),
    ) {
        let both = before_and_after();
        let another = || namespace(201, &json!({"uid": "another"}));
        let (old, mut whole) = (allowed(&laid(&both[0]).world()), Fixture::new());
        whole.change(&another());
        for (index, object) in both[1].iter().enumerate() {
            whole.change(&with(object.clone(), 211 + index as u64, "/kind", object["kind"].clone()));
        }
        let whole = whole.world();
        let (digest, new) = (whole.digest, allowed(&whole));
        prop_assert!(old.contains(&true) && new.contains(&true));

        let leaving = namespace(100, &json!({"deletionTimestamp": "2026-01-01T00:00:00Z"}));
        let gone = namespace(200, &json!({"deletionTimestamp": "2026-01-01T00:00:00Z"}));
        let mut streams = vec![vec![Told::Changed(leaving), Told::Deleted(gone), Told::Changed(another())]];
        for (kind, (manner, answers)) in Kind::ALL.into_iter().zip(&manners) {
            streams.push(told(WatchedKind::Ours(kind), *manner, answers, &both));
        }
        for stream in &mut streams {
            stream.reverse();
        }
        let mut fixture = laid(&both[0]);
        let mut missing = vec![Vec::new(); streams.len()];
        for turn in turns.into_iter().chain((0..5).flat_map(|stream| [stream; 20])) {
            let Some(told) = streams[turn].pop() else { continue };
            match told.clone() {
                Told::Changed(object) => fixture.change(&object),
                Told::Deleted(object) => fixture.delete(&object),
                Told::Departed(Some(object), became) => fixture.depart_with(&object, became),
                Told::Departed(None, became) => {
                    let objects = std::mem::take(&mut missing[turn]);
                    fixture.mirror.apply(Notice::Departed(objects, [("shop".into(), became)].into()));
                }
                Told::Listed(kind, version, objects) => {
                    let items = objects.iter().map(item).collect();
                    let definition = Holder::There("1".to_owned());
                    let listing = Listing { version, epoch: 0, items, unidentified: 0, definition };
                    missing[turn] = fixture.mirror.listed(kind, listing);
                }
            }
            let now = allowed(&fixture.world());
            for (index, now) in now.into_iter().enumerate() {
                prop_assert!(!now || old[index] || new[index], "question {} after {:?}", index, told);
            }
        }
        prop_assert_eq!(fixture.world().digest, digest);
    }
}
