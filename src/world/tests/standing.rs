//! Which objects grant, and what is left of those that do not.

use super::*;

/// A spec of each kind with Allows and Denies that is valid.
fn valid(kind: Kind) -> Json {
    match kind {
        Kind::User => json!({"identities": [{"kind": "User", "name": "u"}], "policies": ["p"], "groups": ["g"],
            "inlinePolicies": [{"name": "i", "statements": both()}]}),
        Kind::Group => {
            json!({"policies": ["p"], "externalGroups": ["x"], "inlinePolicies": [{"name": "i", "statements": both()}]})
        }
        Kind::Role => {
            json!({"trustPolicy": trust(), "policies": ["p"], "inlinePolicies": [{"name": "i", "statements": both()}]})
        }
        Kind::Policy => json!({"statements": both()}),
    }
}

/// The same with an unknown key.
fn invalid(kind: Kind) -> Json {
    let mut spec = valid(kind);
    spec["owner"] = json!("x");
    spec
}

/// The object under test, in an account where everything that it names is there.
fn world_of(tested: Object) -> World {
    let mut objects = vec![];
    if tested.key.kind != Kind::Policy {
        objects.push(policy("a/p", valid(Kind::Policy)));
        if tested.key.kind != Kind::Group {
            objects.push(group("a/g", valid(Kind::Group)));
        }
    }
    objects.push(tested);
    world(objects)
}

/// Standing, sids of what it says itself, and what its attachments grant.
fn state(world: &World, kind: Kind) -> (Standing, Vec<String>, Vec<bool>) {
    let (standing, own, attached): (_, Vec<&Policy>, &[Attachment]) = match kind {
        Kind::User => {
            let user = &world.users[0];
            (user.standing, vec![&user.inline[0].policy], &user.policies)
        }
        Kind::Group => {
            let group = &world.groups[0];
            (group.standing, vec![&group.inline[0].policy], &group.policies)
        }
        Kind::Role => {
            let role = &world.roles[0];
            (role.standing, vec![&role.trust, &role.inline[0].policy], &role.policies)
        }
        Kind::Policy => (world.policies[0].standing, vec![&world.policies[0].policy], &[]),
    };
    let own = own.into_iter().flat_map(sids).map(str::to_owned).collect();
    (standing, own, attached.iter().map(|attachment| attachment.grants).collect())
}

#[test]
fn what_is_in_order_grants_and_restricts() {
    for kind in Kind::ALL {
        let world = world_of(object(kind, "a/x", valid(kind)));
        let (standing, own, attached) = state(&world, kind);
        assert_eq!(standing, Standing::Full, "{kind:?}");
        assert_eq!(own[..2], ["A", "D"], "{kind:?}");
        assert!(attached.iter().all(|grants| *grants), "{kind:?}");
        assert_eq!(findings(&world), [""; 0], "{kind:?}");
    }
}

#[test]
fn what_is_invalid_or_being_deleted_restricts() {
    for kind in Kind::ALL {
        let right = object(kind, "a/x", valid(kind));
        let wrong = object(kind, "a/x", invalid(kind));
        for (tested, reason) in [
            (deleting(right.clone()), None),
            (wrong.clone(), Some("SpecInvalid spec.owner")),
            (with_last_good(wrong, valid(kind)), Some("SpecInvalid spec.owner")),
            (with_last_good(unreadable(right), valid(kind)), Some("Unreadable ")),
        ] {
            let world = world_of(tested);
            let (standing, own, attached) = state(&world, kind);
            assert_eq!(standing, Standing::Restricts, "{kind:?} {reason:?}");
            assert!(!own.is_empty() && own.iter().all(|sid| sid == "D"), "{kind:?} {reason:?} {own:?}");
            assert!(attached.iter().all(|grants| !*grants), "{kind:?} {reason:?}");
            let expected: Vec<String> =
                reason.iter().map(|reason| format!("{} a/x: {reason}", kind.as_str())).collect();
            assert_eq!(findings(&world), expected, "{kind:?}");
        }
    }
}

#[test]
fn the_last_good_form_is_what_restricts() {
    let last_good = json!({"statements": [statement("Old", "Deny"), statement("OldA", "Allow")]});
    for (now, left) in [
        (json!({"statements": [statement("New", "Deny")], "owner": 1}), "Old"),
        (json!({"statements": []}), "Old"),
        (json!(null), "Old"),
        (json!({"statements": [statement("New", "Deny")]}), "New"),
    ] {
        let world = world([with_last_good(policy("a/p", now.clone()), last_good.clone())]);
        assert_eq!(sids(&world.policies[0].policy), [left], "{now}");
    }
}

#[test]
fn a_last_good_form_that_is_not_good_is_passed_over() {
    let now = json!({"statements": both(), "owner": 1});
    let world =
        world([with_last_good(policy("a/p", now), json!({"statements": [statement("Old", "Deny")], "owner": 1}))]);
    assert_eq!(sids(&world.policies[0].policy), ["D"]);
}

#[test]
fn an_object_of_which_nothing_is_known_is_there_all_the_same() {
    for kind in Kind::ALL {
        let world = world([unreadable(object(kind, "a/x", json!({})))]);
        assert_eq!(findings(&world), [format!("{} a/x: Unreadable ", kind.as_str())]);
        let number = world.users.len() + world.groups.len() + world.roles.len() + world.policies.len();
        assert_eq!(number, 1);
    }
}

#[test]
fn an_invalid_user_keeps_claim_and_limits() {
    let spec = json!({"identities": [{"kind": "User", "name": "u"}, {"kind": "User", "name": "system:node:n"}],
        "groups": ["g"], "policies": ["p"], "permissionsBoundary": "p", "disabled": true, "tags": {"team": "x"}});
    let world = world([
        user("a/x", spec),
        policy("a/p", valid(Kind::Policy)),
        group("a/g", json!({"inlinePolicies": [{"name": "i", "statements": both()}]})),
    ]);
    let user = &world.users[0];
    assert_eq!(user.standing, Standing::Restricts);
    assert_eq!(user.identities, ["u"]);
    assert_eq!(user.groups, [0]);
    assert_eq!(user.policies, [Attachment { policy: PolicyIndex(0), grants: false }]);
    assert_eq!(user.boundary, Boundary::Policies(vec![PolicyIndex(0)]));
    assert!(user.disabled);
    assert_eq!(user.tags, [("team".into(), "x".into())]);
    assert_eq!(findings(&world), ["IamUser a/x: SpecInvalid spec.identities[1].name"]);
}

#[test]
fn declared_twice_both_restrict_and_the_message_names_both_places() {
    let twin = |line, sid: &str| {
        let mut twin = policy("a/p", json!({"statements": [statement(sid, "Deny"), statement("A", "Allow")]}));
        let at = crate::policy::tree::Position { line, column: 1 };
        twin.origin = Some(Origin { file: "x.yaml".to_owned(), at });
        twin
    };
    let world = world([
        twin(9, "Second"),
        twin(1, "First"),
        user("a/u", json!({"policies": ["p"], "permissionsBoundary": "p"})),
    ]);
    assert_eq!(world.policies.len(), 2);
    assert!(world.policies.iter().all(|policy| policy.standing == Standing::Restricts && only_denies(&policy.policy)));
    assert_eq!(sids(&world.policies[0].policy), ["First"]);
    let user = &world.users[0];
    assert_eq!(user.policies.len(), 2);
    assert_eq!(user.boundary, Boundary::Policies(vec![PolicyIndex(0), PolicyIndex(1)]));
    let outcome = &world.outcomes[&world.policies[0].key];
    assert_eq!(outcome.findings.len(), 1);
    assert_eq!(outcome.findings[0].message, "declared 2 times: x.yaml:1:1 and x.yaml:9:1; keep one");
    assert_eq!(outcome.origins.len(), 2);
    assert_eq!(findings(&world).len(), 1);
}

#[test]
fn the_same_name_in_another_account_or_kind_is_another_object() {
    let world = world([
        policy("a/x", valid(Kind::Policy)),
        policy("b/x", valid(Kind::Policy)),
        user("a/x", json!({})),
        role("a/x", json!({"trustPolicy": trust()})),
        group("a/x", json!({})),
    ]);
    assert_eq!(findings(&world), [""; 0]);
    assert_eq!(world.outcomes.len(), 5);
    let arns: Vec<&str> = world.policies.iter().map(|policy| policy.arn.as_str()).collect();
    assert_eq!(arns, ["arn:k8s:iam::a:policy/x", "arn:k8s:iam::b:policy/x"]);
}

#[test]
fn names_follow_kubernetes_and_iam() {
    let long = |length: usize| "n".repeat(length);
    for (kind, name, right) in [
        (Kind::User, long(64), true),
        (Kind::User, long(65), false),
        (Kind::Role, long(65), false),
        (Kind::Group, long(128), true),
        (Kind::Group, long(129), false),
        (Kind::Policy, long(129), false),
        (Kind::Policy, "Deny".to_owned(), false),
        (Kind::Policy, String::new(), false),
        (Kind::Policy, "a:b".to_owned(), false),
    ] {
        let world = world_of(object(kind, &format!("a/{name}"), valid(kind)));
        assert_eq!(findings(&world).is_empty(), right, "{kind:?} {name}");
        let expected = if right { Standing::Full } else { Standing::Restricts };
        assert_eq!(state(&world, kind).0, expected, "{kind:?} {name}");
    }
    for account in ["A", "a.b", "", "a:b"] {
        let world = world([user(&format!("{account}/u"), json!({}))]);
        assert_eq!(findings(&world).len(), 1, "{account}");
    }
}

#[test]
fn what_can_stand_in_no_arn_is_in_no_list() {
    let world = world([policy("a:b/p", json!({"statements": both()})), user("a/u", json!({}))]);
    assert!(world.policies.is_empty());
    assert_eq!(world.users.len(), 1);
    assert_eq!(findings(&world), ["IamPolicy a:b/p: SpecInvalid metadata.namespace"]);
}

#[test]
fn paths_are_part_of_the_arn() {
    let world = world([
        user("a/u", json!({"path": "/team/"})),
        role("a/r", json!({"path": "/x/y/", "trustPolicy": trust()})),
        group("a/g", json!({"path": "/"})),
        policy("a/p", json!({"path": "/team/", "statements": both()})),
    ]);
    assert_eq!(world.users[0].arn.as_str(), "arn:k8s:iam::a:user/team/u");
    assert_eq!(world.roles[0].arn.as_str(), "arn:k8s:iam::a:role/x/y/r");
    assert_eq!(world.groups[0].arn.as_str(), "arn:k8s:iam::a:group/g");
    assert_eq!(world.policies[0].arn.as_str(), "arn:k8s:iam::a:policy/team/p");
}
