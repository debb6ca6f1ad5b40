//! Identities and roots.

use super::*;

fn facts(name: &str, root: Option<&str>, optional: bool) -> NamespaceFacts {
    NamespaceFacts {
        name: name.into(),
        labels: Default::default(),
        root_identity: root.map(Into::into),
        root_mfa_optional: optional,
    }
}

fn claimant(place: &str, identities: Json) -> Object {
    let spec = json!({"identities": identities, "inlinePolicies": [{"name": "i", "statements": both()}]});
    user(place, spec)
}

fn named(name: &str) -> Json {
    json!({"kind": "User", "name": name})
}

fn in_conflict(world: &World) -> Vec<&str> {
    let is_restricted = |user: &&User| user.standing == Standing::Restricts;
    world.users.iter().filter(is_restricted).map(|user| user.key.name.as_str()).collect()
}

#[test]
fn two_users_of_one_account_cannot_be_one_identity() {
    let world = world([
        claimant("a/one", json!([named("x"), named("y")])),
        claimant("a/two", json!([named("x")])),
        claimant("a/three", json!([named("z")])),
        claimant("b/one", json!([named("x")])),
    ]);
    assert_eq!(in_conflict(&world), ["one", "two"]);
    assert!(world.users[..1].iter().all(|user| only_denies(&user.inline[0].policy)));
    assert_eq!(
        findings(&world),
        ["IamUser a/one: IdentityConflict spec.identities", "IamUser a/two: IdentityConflict spec.identities"]
    );
    let key = &world.users.iter().find(|user| user.key.name == "two").unwrap().key;
    assert_eq!(
        world.outcomes[key].findings[0].message,
        "`x` is claimed by IamUser `one` too; one identity belongs to one IamUser of an account"
    );
}

#[test]
fn an_entry_that_cannot_be_read_is_claimed_as_far_as_it_can_be_meant() {
    for identities in [
        json!([{"kind": "user", "name": "zoe"}]),
        json!([{"name": "zoe"}]),
        json!([{"Kind": "User", "Name": "zoe"}]),
        json!([{"kind": "User", "name": "zoe", "namespace": "a"}]),
        json!({"kind": "User", "name": "zoe"}),
        json!(["zoe"]),
    ] {
        let world = world([claimant("a/one", identities.clone())]);
        assert_eq!(in_conflict(&world), ["one"], "{identities}");
        assert!(world.users[0].identities.iter().any(|name| name == "zoe"), "{identities}");
    }
    let world = world([claimant("a/one", json!([{"kind": "serviceaccount", "name": "ci", "namespace": "a"}]))]);
    assert_eq!(world.users[0].identities, ["ci", "system:serviceaccount:a:ci"]);
    let world = self::world([claimant("a/one", json!([{"kind": "user", "name": "system:admin"}]))]);
    assert!(world.users[0].identities.is_empty());
}

#[test]
fn a_service_account_is_one_identity_however_it_is_written() {
    let world = world([
        claimant("a/one", json!([{"kind": "ServiceAccount", "name": "ci", "namespace": "b"}])),
        claimant("a/two", json!([named("system:serviceaccount:b:ci")])),
        claimant("a/three", json!([{"kind": "ServiceAccount", "name": "ci", "namespace": "c"}])),
    ]);
    assert_eq!(in_conflict(&world), ["one", "two"]);
    assert_eq!(world.users[0].identities, ["system:serviceaccount:b:ci"]);
}

#[test]
fn names_compare_byte_for_byte() {
    let world = world([
        claimant("a/one", json!([named("X")])),
        claimant("a/two", json!([named("x")])),
        claimant("a/three", json!([named("x ")])),
        claimant("a/four", json!([named("é")])),
        claimant("a/five", json!([named("e\u{301}")])),
    ]);
    assert_eq!(in_conflict(&world), [""; 0]);
}

#[test]
fn a_claim_that_stands_twice_is_no_conflict() {
    let world = world([claimant("a/one", json!([named("x"), named("x")]))]);
    assert_eq!(in_conflict(&world), [""; 0]);
    assert_eq!(world.users[0].identities, ["x"]);
}

#[test]
fn claims_of_invalid_deleted_disabled_and_doubled_users_count() {
    let other = || claimant("a/other", json!([named("x")]));
    let invalid = json!({"identities": [named("x")], "owner": 1});
    let disabled = json!({"identities": [named("x")], "disabled": true});
    for claim in [
        user("a/one", invalid),
        user("a/one", disabled),
        deleting(claimant("a/one", json!([named("x")]))),
        with_last_good(user("a/one", json!({"owner": 1})), json!({"identities": [named("x")]})),
        with_last_good(unreadable(user("a/one", json!({}))), json!({"identities": [named("x")]})),
    ] {
        let world = world([claim, other()]);
        assert_eq!(in_conflict(&world), ["one", "other"]);
    }
    let world = world([claimant("a/one", json!([named("x")])), claimant("a/one", json!([])), other()]);
    assert_eq!(in_conflict(&world), ["one", "one", "other"]);
}

fn world_with(namespaces: Vec<NamespaceFacts>, management_root: Option<&str>, objects: Vec<Object>) -> World {
    let settings = Settings { management_root: management_root.map(Into::into), ..Settings::default() };
    build(&Input { settings, objects, namespaces, kinds: vec![] })
}

#[test]
fn roots_come_from_annotations_and_that_of_the_management_account_from_the_settings() {
    let world = world_with(
        vec![
            facts("a", Some("boss"), false),
            facts("b", Some("system:serviceaccount:b:boss"), true),
            facts("c", None, true),
            facts("kube-iam-system", Some("ignored"), true),
        ],
        Some("admin"),
        vec![],
    );
    let root = |identity: &str, mfa_optional| Root { identity: identity.into(), mfa_optional };
    let expected = [
        ("a".into(), root("boss", false)),
        ("b".into(), root("system:serviceaccount:b:boss", true)),
        ("kube-iam-system".into(), root("admin", true)),
    ];
    assert_eq!(world.roots, expected.into_iter().collect());
    assert_eq!(world.namespaces.len(), 4);
}

#[test]
fn names_that_nobody_may_claim_are_no_root() {
    for name in
        ["", "system:masters", "system:node:x", "arn:k8s:iam::a:user/x", "kube-iam.dev/x", "system:serviceaccount:x"]
    {
        let world = world_with(vec![facts("a", Some(name), true)], Some(name), vec![]);
        assert!(world.roots.is_empty(), "{name:?}");
    }
}

#[test]
fn a_user_of_the_account_cannot_be_its_root() {
    for optional in [true, false] {
        let objects = vec![claimant("a/one", json!([named("boss")])), claimant("b/one", json!([named("boss")]))];
        let world = world_with(vec![facts("a", Some("boss"), optional)], None, objects);
        assert_eq!(world.users[0].standing, Standing::Restricts);
        assert_eq!(world.users[1].standing, Standing::Full);
        assert_eq!(findings(&world), ["IamUser a/one: IdentityConflict spec.identities"]);
    }
}

#[test]
fn the_annotation_of_the_management_account_is_ignored_in_conflicts_too() {
    let claims = json!([named("ignored")]);
    let namespaces = || vec![facts("kube-iam-system", Some("ignored"), false)];
    let one = |identities| vec![claimant("kube-iam-system/one", identities)];
    assert_eq!(in_conflict(&world_with(namespaces(), Some("admin"), one(claims))), [""; 0]);
    assert_eq!(in_conflict(&world_with(namespaces(), Some("admin"), one(json!([named("admin")])))), ["one"]);
}

#[test]
fn a_namespace_described_in_two_ways_is_not_known() {
    let mut labelled = facts("a", Some("boss"), true);
    labelled.labels = Arc::new([("env".into(), "prod".into())].into());
    let both_ways = vec![facts("a", Some("chief"), true), labelled.clone(), labelled.clone()];
    let objects = vec![claimant("a/one", json!([named("boss")])), claimant("a/two", json!([named("chief")]))];
    let world = world_with(both_ways, None, objects);
    assert!(world.namespaces.is_empty() && world.roots.is_empty());
    assert_eq!(in_conflict(&world), ["one", "two"]);
    let world = world_with(vec![labelled.clone(), labelled], None, vec![]);
    assert_eq!((world.namespaces.len(), world.roots.len()), (1, 1));
}

#[test]
fn a_management_namespace_described_in_two_ways_makes_mfa_required() {
    let namespaces = vec![facts("kube-iam-system", None, true), facts("kube-iam-system", None, false)];
    let world = world_with(namespaces, Some("admin"), vec![]);
    assert!(!world.roots["kube-iam-system"].mfa_optional);
}
