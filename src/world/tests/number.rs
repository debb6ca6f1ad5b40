//! How much there may be.

use super::*;

fn numbered(prefix: &str, number: usize) -> Vec<String> {
    (0..number).map(|index| format!("{prefix}{index:04}")).collect()
}

fn exceeded(kind: Kind, spec: Json) -> Vec<String> {
    let world = world([object(kind, "a/x", spec)]);
    findings(&world).into_iter().filter(|finding| !finding.contains("ReferenceNotFound")).collect()
}

#[test]
fn an_object_may_hold_so_much() {
    let tags = |number: usize| -> Json {
        numbered("t", number).into_iter().map(|tag| (tag, json!("x"))).collect::<serde_json::Map<_, _>>().into()
    };
    let keys =
        |number: usize| -> Json { numbered("k", number).into_iter().map(|name| json!({"name": name})).collect() };
    let devices = |number: usize| -> Json {
        numbered("d", number).into_iter().map(|name| json!({"name": name, "type": "totp"})).collect()
    };
    let names = |number: usize| json!(numbered("p", number));
    for (kind, key, most, value) in [
        (Kind::User, "groups", quota::GROUPS_PER_USER, &names as &dyn Fn(usize) -> Json),
        (Kind::User, "policies", quota::POLICIES_PER_USER, &names),
        (Kind::Group, "policies", quota::POLICIES_PER_GROUP, &names),
        (Kind::Role, "policies", quota::POLICIES_PER_ROLE, &names),
        (Kind::User, "tags", quota::TAGS, &tags),
        (Kind::Role, "tags", quota::TAGS, &tags),
        (Kind::User, "accessKeys", quota::ACCESS_KEYS, &keys),
        (Kind::User, "mfaDevices", quota::MFA_DEVICES, &devices),
    ] {
        for (number, is_right) in [(most, true), (most + 1, false)] {
            let mut spec = if kind == Kind::Role { json!({"trustPolicy": trust()}) } else { json!({}) };
            spec[key] = value(number);
            let expected =
                if is_right { vec![] } else { vec![format!("{} a/x: QuotaExceeded spec.{key}", kind.as_str())] };
            assert_eq!(exceeded(kind, spec), expected, "{kind:?} {key} {number}");
        }
    }
}

#[test]
fn twins_in_a_list_count_once() {
    assert_eq!(exceeded(Kind::User, json!({"groups": vec!["g"; 50], "policies": vec!["p"; 50]})), [""; 0]);
}

#[test]
fn policies_have_a_size() {
    let body = |characters: usize| {
        let statement = json!({"sid": "D", "effect": "Deny", "actions": [], "resources": ["*"]});
        let mut body = json!([statement]);
        let action = "k8s:get";
        let mut left = characters - body.to_string().len();
        let mut actions = vec![];
        while left > 0 {
            // Each takes its text, two quotes, and a comma but for the last.
            let comma = usize::from(!actions.is_empty());
            let take = left.min(1_003);
            let take = if left - take > 0 && left - take < 20 { take - 20 } else { take };
            actions.push(format!("{action}{}", "x".repeat(take - action.len() - 2 - comma)));
            left -= take;
        }
        body[0]["actions"] = json!(actions);
        assert_eq!(body.to_string().len(), characters);
        body
    };
    for (characters, expected) in
        [(quota::POLICY_CHARACTERS, vec![]), (quota::POLICY_CHARACTERS + 1, vec!["IamPolicy a/x: QuotaExceeded spec"])]
    {
        assert_eq!(exceeded(Kind::Policy, json!({"statements": body(characters)})), expected);
    }
    let inline = |first: usize, second: usize| json!({"inlinePolicies": [{"name": "a", "statements": body(first)}, {"name": "b", "statements": body(second)}]});
    assert_eq!(exceeded(Kind::Group, inline(10_240, 10_240)), [""; 0]);
    assert_eq!(exceeded(Kind::Group, inline(10_240, 10_241)), ["IamGroup a/x: QuotaExceeded spec.inlinePolicies"]);
}

#[test]
fn what_is_too_large_restricts() {
    let mut spec = json!({"policies": numbered("p", quota::POLICIES_PER_USER + 1)});
    let objects = |spec: &Json| vec![user("a/u", spec.clone()), policy("a/p0020", json!({"statements": both()}))];
    let large = world(objects(&spec));
    assert_eq!(large.users[0].policies, [Attachment { policy: PolicyIndex(0), grants: false }]);
    spec["policies"] = json!(["p0020"]);
    assert_eq!(world(objects(&spec)).users[0].policies, [Attachment { policy: PolicyIndex(0), grants: true }]);
}

#[test]
fn an_account_may_hold_so_many() {
    let names = numbered("g", quota::GROUPS + 2);
    let mut objects: Vec<Object> = names.iter().map(|name| group(&format!("a/{name}"), json!({}))).collect();
    objects.push(group("b/g", json!({})));
    objects.reverse();
    let crowded = world(objects.clone());
    let restricted: Vec<&str> = crowded
        .groups
        .iter()
        .filter(|group| group.standing == Standing::Restricts)
        .map(|group| group.key.name.as_str())
        .collect();
    assert_eq!(restricted, ["g0500", "g0501"]);
    assert_eq!(crowded.groups.len(), quota::GROUPS + 3);
    assert_eq!(
        findings(&crowded),
        ["IamGroup a/g0500: QuotaExceeded metadata.name", "IamGroup a/g0501: QuotaExceeded metadata.name"]
    );
    let outcome = &crowded.outcomes[&crowded.groups[500].key];
    assert_eq!(
        outcome.findings[0].message,
        "account `a` may hold 500 of kind IamGroup; in the order of names this one comes after them"
    );
}

#[test]
fn twins_and_what_is_not_in_order_take_one_place_each() {
    let mut objects: Vec<Object> =
        numbered("g", quota::GROUPS).iter().map(|name| group(&format!("a/{name}"), json!({}))).collect();
    objects.push(group("a/g0000", json!({})));
    objects.push(deleting(group("a/g0000", json!({}))));
    let full = world(objects);
    assert!(findings(&full).iter().all(|finding| finding.contains("DeclaredTwice")));
}

#[test]
fn numbers_per_kind() {
    let numbers = Kind::ALL.map(quota::per_account);
    assert_eq!(numbers, [5_000, 500, 5_000, 5_000]);
}

/// A policy of exactly this size: of long targets, and a description for what is left.
fn policy_of(place: &str, bytes: usize) -> Object {
    let of = |targets: &[String], description: &str| {
        let statement = |sid: &str, effect: &str| json!({"sid": sid, "effect": effect, "principals": ["*"], "actions": ["k8s:get"]});
        policy(
            place,
            json!({"type": "Resource", "targets": {"resources": targets}, "description": description,
                "statements": [statement("A", "Allow"), statement("D", "Deny")]}),
        )
    };
    let target = |characters: usize| format!("arn:k8s:core::a:{}", "x".repeat(characters));
    let mut targets = vec![target(1)];
    let mut left = bytes - size(&of(&targets, ""));
    let short = size(&of(&[target(1), target(1)], "")) - size(&of(&[target(1)], ""));
    while left > 3_000 {
        let characters = ((left - short) / 4).min(2_000);
        targets.push(target(1 + characters));
        left -= short + 4 * characters;
    }
    of(&targets, &"x".repeat(left / 4))
}

/// Policies of account `a` that take all that it may hold, but for so many bytes.
fn all_but(bytes: usize) -> Vec<Object> {
    let one = 2 << 20;
    let number = quota::ACCOUNT_SIZE / one;
    let last = quota::ACCOUNT_SIZE - (number - 1) * one - bytes;
    let sizes = std::iter::repeat_n(one, number - 1).chain([last]);
    sizes.enumerate().map(|(index, bytes)| policy_of(&format!("a/p{index:02}"), bytes)).collect()
}

#[test]
fn an_account_may_hold_so_much() {
    let mut objects = all_but(0);
    assert_eq!(objects.iter().map(size).sum::<usize>(), quota::ACCOUNT_SIZE);
    objects.push(policy("b/p", json!({"statements": both()})));
    assert_eq!(findings(&world(objects.clone())), [""; 0]);

    objects.extend([user("a/u", json!({})), role("b/r", json!({"trustPolicy": trust()}))]);
    let full = world(objects.clone());
    assert_eq!(findings(&full), ["IamUser a/u: QuotaExceeded spec"]);
    let message = "account `a` may hold objects of 131072 KiB; this one, of 7 KiB, comes after them";
    assert_eq!(full.outcomes[&full.users[0].key].findings[0].message, message);
    assert_eq!(full.users[0].standing, Standing::Restricts);

    objects.reverse();
    assert_eq!(world(objects), full);
}

#[test]
fn what_exceeds_an_account_restricts_and_what_comes_before_it_grants() {
    let mut objects = all_but(0);
    objects.extend([policy_of("a/p99", 20_000), policy_of("a/p00x", 20_000)]);
    let crowded = world(objects.clone());
    // `p00x` takes its place in the order of names, so the last two are too many.
    assert_eq!(findings(&crowded), ["IamPolicy a/p63: QuotaExceeded spec", "IamPolicy a/p99: QuotaExceeded spec"]);
    for policy in &crowded.policies {
        let is_over = ["p63", "p99"].contains(&policy.key.name.as_str());
        let expected = if is_over { vec!["D"] } else { vec!["A", "D"] };
        assert_eq!(sids(&policy.policy), expected, "{}", policy.key);
    }

    // What was built before changes nothing.
    let input = |objects: &[Object]| Input { objects: objects.to_vec(), ..Input::default() };
    let mut builder = Builder::default();
    for number in [1, 40, objects.len(), 63, objects.len()] {
        assert_eq!(builder.build(&input(&objects[..number])), build(&input(&objects[..number])));
    }
}

#[test]
fn a_last_good_form_counts_only_beside_one_that_is_not_valid() {
    let room = size(&policy("a/p98", json!({"statements": both()}))) + 100;
    let mut objects = all_but(room);
    let beside = |spec: Json| with_last_good(policy("a/p98", spec), json!({"statements": both()}));
    objects.push(beside(json!({"statements": both()})));
    assert_eq!(findings(&world(objects.clone())), [""; 0]);
    objects.pop();
    objects.push(beside(json!({"statements": both(), "x": 1})));
    assert_eq!(
        findings(&world(objects)),
        ["IamPolicy a/p98: QuotaExceeded spec", "IamPolicy a/p98: SpecInvalid spec.x"]
    );
}

#[test]
fn thousands_of_ordinary_objects_fit_into_an_account() {
    let statements = json!([
        {"sid": "Read", "effect": "Allow", "actions": ["k8s:get", "k8s:list", "k8s:watch"],
            "resources": ["arn:k8s:core::account-1:configmaps/c100-*"]},
        {"sid": "Deploy", "effect": "Allow", "actions": ["k8s:create", "k8s:update", "k8s:patch"],
            "resources": ["arn:k8s:apps::account-1:deployments/d100-*"],
            "conditions": [{"operator": "StringEquals", "key": "aws:PrincipalTag/team", "values": ["a", "b"]}]},
        {"sid": "Never", "effect": "Deny", "actions": ["k8s:delete"],
            "resources": ["arn:k8s:core::account-1:secrets/*"]},
    ]);
    let person = json!({"identities": [{"kind": "User", "name": "alice@example.org"}], "policies": ["p100"],
        "groups": ["admins"], "tags": {"team": "a", "shift": "1"}});
    let (policy, user) = (size(&policy("a/p", json!({"statements": statements}))), size(&user("a/u", person)));
    assert!(quota::POLICIES * policy + quota::USERS * user <= quota::ACCOUNT_SIZE);
}
