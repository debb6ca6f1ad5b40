//! The fingerprint: what it depends on.

use super::*;
use crate::name::{Digest, Scope};
use crate::policy::json;
use crate::policy::tree::Position;

fn input() -> Input {
    let labels = Arc::new([("env".into(), "prod".into())].into());
    let namespace =
        NamespaceFacts { name: "a".into(), labels, root_identity: Some("boss".into()), root_mfa_optional: false };
    Input {
        settings: Settings::default(),
        objects: vec![user("a/u", json!({"tags": {"k": "v"}, "groups": ["g", "h"]})), group("a/g", json!({}))],
        namespaces: vec![namespace],
        kinds: vec![KindFacts { group: "x.org".into(), plural: "things".into(), scope: Scope::Cluster }],
    }
}

fn digest_after(change: impl FnOnce(&mut Input)) -> Digest {
    let mut input = input();
    change(&mut input);
    build(&input).digest
}

fn set(object: &mut Object, spec: Json) {
    object.spec = Spec::Read(Arc::new(Node::from(&spec)));
}

#[test]
fn it_is_the_same_on_every_machine() {
    assert_eq!(digest_after(|_| {}).to_string(), "8188bfecb2484c9661d08fdc14bf59f9");
}

#[test]
fn every_change_that_means_something_changes_it() {
    type Change = fn(&mut Input);
    let changes: Vec<Change> = vec![
        |_| {},
        |input| input.objects.clear(),
        |input| input.objects.truncate(1),
        |input| input.objects.push(input.objects[1].clone()),
        |input| input.objects[0].key.account = "b".into(),
        |input| input.objects[0].key.name = "v".into(),
        |input| input.objects[1].key.kind = Kind::User,
        |input| input.objects[0].uid = Some("1".into()),
        |input| input.objects[0].uid = Some("".into()),
        |input| input.objects[0].deleting = true,
        |input| input.objects[0].spec = Spec::Unreadable("x".to_owned()),
        |input| set(&mut input.objects[0], json!(null)),
        |input| set(&mut input.objects[0], json!({})),
        |input| set(&mut input.objects[0], json!({"tags": {"k": "w"}, "groups": ["g", "h"]})),
        |input| set(&mut input.objects[0], json!({"tags": {"k": "v"}, "groups": ["h", "g"]})),
        |input| set(&mut input.objects[0], json!({"tags": {"k": "v"}, "groups": ["gh"]})),
        |input| set(&mut input.objects[0], json!({"tags": {"k": "v"}, "groups": ["g", "h"], "owner": 1})),
        |input| {
            set(&mut input.objects[0], json!({"tags": {"k": "v"}, "groups": ["g", "h"], "owner": 1}));
            input.objects[0].last_good = Some(Arc::new(Node::from(&json!({}))));
        },
        |input| {
            set(&mut input.objects[0], json!({"tags": {"k": "v"}, "groups": ["g", "h"], "owner": 1}));
            input.objects[0].last_good = Some(Arc::new(Node::from(&json!({"groups": []}))));
        },
        |input| input.settings.cluster = "east".into(),
        |input| input.settings.management_account = "iam".into(),
        |input| input.settings.management_root = Some("admin".into()),
        |input| input.namespaces.clear(),
        |input| input.namespaces[0].name = "b".into(),
        |input| input.namespaces[0].labels = Arc::default(),
        |input| input.namespaces[0].root_identity = None,
        |input| input.namespaces[0].root_mfa_optional = true,
        |input| input.kinds.clear(),
        |input| input.kinds[0].scope = Scope::Namespaced,
        |input| input.kinds[0].plural = "stuff".into(),
    ];
    let digests: std::collections::BTreeSet<Digest> = changes.iter().map(|change| digest_after(*change)).collect();
    assert_eq!(digests.len(), changes.len());
}

#[test]
fn nothing_else_changes_it() {
    let place = |line| Origin { file: "x.yaml".to_owned(), at: Position { line, column: 1 } };
    let same = digest_after(|_| {});
    assert_eq!(digest_after(|input| input.objects[0].origin = Some(place(7))), same);
    assert_eq!(digest_after(|input| input.objects.reverse()), same);
    // Positions, blanks and the order of keys.
    let node = json::parse("{\"groups\":\n [\"g\", \"h\"],  \"tags\": {\"k\": \"v\"}}", 1_000).unwrap();
    assert_eq!(digest_after(|input| input.objects[0].spec = Spec::Read(Arc::new(node))), same);
    // A last good form counts while the object is invalid only.
    assert_eq!(digest_after(|input| input.objects[0].last_good = Some(Arc::new(Node::from(&json!({}))))), same);
    let unreadable = |why: &str| digest_after(|input| input.objects[0].spec = Spec::Unreadable(why.to_owned()));
    assert_eq!(unreadable("one"), unreadable("other"));
}

#[test]
fn a_change_costs_the_parts_that_it_touches() {
    let mut after = input();
    after.objects[0].deleting = true;
    let before = input();
    let minus = Digest(digest::of_object(&before.objects[0]).0.wrapping_neg());
    let moved = digest::sum([build(&before).digest, minus, digest::of_object(&after.objects[0])]);
    assert_eq!(moved, build(&after).digest);
}
