//! Policies, groups and boundaries that objects name.

use super::*;

const MANAGEMENT: &str = "kube-iam-system";

fn managed(place: &str) -> Object {
    policy(place, json!({"statements": both()}))
}

fn attached(place: &str, reference: &str, policies: Vec<Object>) -> (usize, Vec<String>) {
    let world = world(policies.into_iter().chain([user(place, json!({"policies": [reference]}))]));
    let lost = findings(&world);
    assert_eq!(world.users[0].standing, Standing::Full, "a reference that leads nowhere leaves the other grants alone");
    (world.users[0].policies.len(), lost)
}

#[test]
fn a_reference_is_a_name_or_an_arn() {
    let shared = format!("{MANAGEMENT}/p");
    let shared_arn = format!("arn:k8s:iam::{MANAGEMENT}:policy/p");
    let mut in_team = managed("a/p");
    in_team.spec = Spec::Read(Arc::new(Node::from(&json!({"path": "/team/", "statements": both()}))));
    for (holder, reference, target, found) in [
        ("a/u", "p", managed("a/p"), true),
        ("a/u", "arn:k8s:iam::a:policy/p", managed("a/p"), true),
        ("a/u", shared_arn.as_str(), managed(&shared), true),
        ("kube-iam-system/u", "p", managed(&shared), true),
        ("a/u", "p", managed("b/p"), false),
        ("a/u", "p", managed(&shared), false),
        ("a/u", "arn:k8s:iam::b:policy/p", managed("b/p"), false),
        ("kube-iam-system/u", "arn:k8s:iam::b:policy/p", managed("b/p"), false),
        ("a/u", "q", managed("a/p"), false),
        ("a/u", "p", in_team.clone(), true),
        ("a/u", "arn:k8s:iam::a:policy/team/p", in_team.clone(), true),
        ("a/u", "arn:k8s:iam::a:policy/p", in_team.clone(), false),
        ("a/u", "arn:k8s:iam::a:policy/other/p", in_team, false),
    ] {
        let (number, lost) = attached(holder, reference, vec![target]);
        assert_eq!(number, usize::from(found), "{holder} {reference}");
        let expected =
            if found { vec![] } else { vec![format!("IamUser {holder}: ReferenceNotFound spec.policies[0]")] };
        assert_eq!(lost, expected, "{holder} {reference}");
    }
}

#[test]
fn only_managed_policies_are_attached() {
    for spec in [
        json!({"type": "Resource", "statements": [{"sid": "A", "effect": "Allow", "principals": ["*"], "actions": ["k8s:get"]}]}),
        json!({"type": "ServiceControl", "statements": both()}),
        json!({"type": "ResourceControl",
            "statements": [{"sid": "D", "effect": "Deny", "principals": ["*"], "actions": ["k8s:get"], "resources": ["*"]}]}),
    ] {
        let target = policy("kube-iam-system/p", spec.clone());
        let world = world([target, user("kube-iam-system/u", json!({"policies": ["p"], "permissionsBoundary": "p"}))]);
        assert_eq!(world.users[0].policies, [], "{spec}");
        assert_eq!(world.users[0].boundary, Boundary::Missing, "{spec}");
        let lost = ["spec.permissionsBoundary", "spec.policies[0]"]
            .map(|path| format!("IamUser kube-iam-system/u: ReferenceNotFound {path}"));
        assert_eq!(findings(&world), lost, "{spec}");
    }
}

#[test]
fn a_reference_that_stands_twice_counts_once() {
    let spec = json!({"policies": ["q", "p", "p", "arn:k8s:iam::a:policy/p"], "groups": ["g", "g"]});
    let world = world([managed("a/p"), managed("a/q"), group("a/g", json!({})), user("a/u", spec)]);
    let grants = |index| Attachment { policy: PolicyIndex(index), grants: true };
    assert_eq!(world.users[0].policies, [grants(0), grants(1)]);
    assert_eq!(world.users[0].groups, [0]);
}

#[test]
fn an_invalid_policy_whose_path_cannot_be_read_is_found_by_every_path() {
    let arn = "arn:k8s:iam::a:policy/team/p";
    for target in [policy("a/p", json!({"path": "team", "statements": both()})), unreadable(managed("a/p"))] {
        let (number, lost) = attached("a/u", arn, vec![target]);
        assert_eq!((number, lost.len()), (1, 1), "only the policy has a finding");
    }
}

#[test]
fn a_twin_of_another_path_or_type_is_attached_with_its_sibling() {
    let twin = |spec: Json| policy("a/p", spec);
    let here = twin(json!({"statements": both()}));
    let elsewhere = twin(json!({"path": "/team/", "statements": both()}));
    let (number, lost) = attached("a/u", "arn:k8s:iam::a:policy/team/p", vec![here.clone(), elsewhere]);
    assert_eq!((number, lost.len()), (2, 1));
    let resource = twin(json!({"type": "Resource",
        "statements": [{"sid": "A", "effect": "Allow", "principals": ["*"], "actions": ["k8s:get"]}]}));
    let (number, _) = attached("a/u", "p", vec![here, resource]);
    assert_eq!(number, 1);
}

#[test]
fn boundaries() {
    let limit = || managed("a/limit");
    let invalid = || policy("a/limit", json!({"statements": both(), "owner": 1}));
    for (spec, target, boundary, standing) in [
        (json!({}), limit(), Boundary::None, Standing::Full),
        (json!({"permissionsBoundary": "limit"}), limit(), Boundary::Policies(vec![PolicyIndex(0)]), Standing::Full),
        (json!({"permissionsBoundary": "limit"}), invalid(), Boundary::Policies(vec![PolicyIndex(0)]), Standing::Full),
        (
            json!({"permissionsBoundary": "limit"}),
            unreadable(limit()),
            Boundary::Policies(vec![PolicyIndex(0)]),
            Standing::Full,
        ),
        (json!({"permissionsBoundary": "other"}), limit(), Boundary::Missing, Standing::Full),
        (json!({"permissionsBoundary": "arn:k8s:iam::b:policy/limit"}), limit(), Boundary::Missing, Standing::Full),
        (json!({"permissionsBoundary": null}), limit(), Boundary::Missing, Standing::Restricts),
        (json!({"permissionsBoundary": ""}), limit(), Boundary::Missing, Standing::Restricts),
        (json!({"permissionsBoundary": ["limit"]}), limit(), Boundary::Missing, Standing::Restricts),
    ] {
        let mut role_spec = spec.clone();
        role_spec["trustPolicy"] = trust();
        let world = world([target, user("a/u", spec.clone()), role("a/r", role_spec)]);
        assert_eq!((&world.users[0].boundary, world.users[0].standing), (&boundary, standing), "{spec}");
        assert_eq!((&world.roles[0].boundary, world.roles[0].standing), (&boundary, standing), "{spec}");
    }
}

#[test]
fn an_invalid_boundary_allows_nothing() {
    let world = world([
        policy("a/limit", json!({"statements": both(), "owner": 1})),
        user("a/u", json!({"permissionsBoundary": "limit"})),
    ]);
    assert_eq!(sids(&world.policies[0].policy), ["D"]);
    assert_eq!(findings(&world), ["IamPolicy a/limit: SpecInvalid spec.owner"], "the user is in order");
}

#[test]
fn missing_groups_are_the_users_finding_alone() {
    let world = world([user("a/u", json!({"groups": ["g", "h"]})), group("a/h", json!({})), group("b/g", json!({}))]);
    assert_eq!(world.users[0].groups, [0]);
    assert_eq!(world.users[0].standing, Standing::Full);
    assert_eq!(findings(&world), ["IamUser a/u: ReferenceNotFound spec.groups[0]"]);
}

#[test]
fn a_group_declared_twice_is_joined_twice() {
    let world = world([
        group("a/g", json!({"externalGroups": ["x"]})),
        group("a/g", json!({})),
        user("a/u", json!({"groups": ["g"]})),
    ]);
    assert_eq!(world.users[0].groups, [0, 1]);
}

#[test]
fn references_of_a_last_good_form_hold_without_a_word() {
    let last_good = json!({"policies": ["p", "gone"], "permissionsBoundary": "gone"});
    let world = world([managed("a/p"), with_last_good(user("a/u", json!({"owner": 1})), last_good)]);
    assert_eq!(world.users[0].policies, [Attachment { policy: PolicyIndex(0), grants: false }]);
    assert_eq!(world.users[0].boundary, Boundary::Missing);
    assert_eq!(findings(&world), ["IamUser a/u: SpecInvalid spec.owner"]);
}

#[test]
fn messages_say_what_would_be_right() {
    let messages = |spec: Json| -> Vec<String> {
        let resource = json!({"type": "Resource", "path": "/team/",
            "statements": [{"sid": "A", "effect": "Allow", "principals": ["*"], "actions": ["k8s:get"]}]});
        let world = world([policy("a/r", resource), user("a/u", spec)]);
        world.outcomes.values().flat_map(|outcome| &outcome.findings).map(|finding| finding.message.clone()).collect()
    };
    let spec = json!({"groups": ["g"], "policies": ["p", "arn:k8s:iam::b:policy/p", "arn:k8s:iam::a:policy/r", "r"]});
    assert_eq!(
        messages(spec),
        [
            "there is no IamGroup `g` in account `a`",
            "there is no IamPolicy `p` in account `a`",
            "`arn:k8s:iam::b:policy/p` is of another account; only policies of the own one and of `kube-iam-system` can \
             be named",
            "`arn:k8s:iam::a:policy/r` has another path; its ARN is `arn:k8s:iam::a:policy/team/r`",
            "`r` is not of type `Managed`; only such a policy can be attached or be a boundary",
        ]
    );
}
