//! What each kind may say.

use super::*;

/// `Reason path: message` of an object on its own.
fn problems(kind: Kind, spec: &Json) -> Vec<String> {
    let place = if kind == Kind::Policy { "kube-iam-system/x" } else { "a/x" };
    let world = world([object(kind, place, spec.clone())]);
    let own = world.outcomes.into_values().flat_map(|outcome| outcome.findings);
    own.filter(|found| found.reason != Reason::ReferenceNotFound)
        .map(|found| format!("{} {}: {}", found.reason.as_str(), found.path, found.message))
        .collect()
}

fn right(kind: Kind, spec: Json) {
    assert_eq!(problems(kind, &spec), [""; 0], "{spec}");
}

fn wrong(kind: Kind, spec: Json, expected: &[&str]) {
    assert_eq!(problems(kind, &spec), expected, "{spec}");
}

#[test]
fn everything_that_a_user_may_say() {
    right(
        Kind::User,
        json!({
            "path": "/team/",
            "tags": {"team": "payments", "empty": ""},
            "identities": [{"kind": "User", "name": "alice@example.org"},
                {"kind": "ServiceAccount", "name": "ci", "namespace": "payments"}],
            "groups": ["developers"],
            "policies": ["read-web", "arn:k8s:iam::kube-iam-system:policy/baseline"],
            "inlinePolicies": [{"name": "own", "statements": both()},
                {"name": "Pasted_1", "document": {"Version": "2012-10-17",
                    "Statement": {"Effect": "Allow", "Action": "k8s:get", "Resource": "*"}}}],
            "permissionsBoundary": "limits",
            "disabled": false,
            "mfaDevices": [{"name": "phone", "type": "totp"}, {"name": "key", "type": "webauthn"}],
            "accessKeys": [{"name": "ci", "status": "Active", "rotateAfter": "90d", "overlap": "24h",
                "deliverTo": {"secretName": "ci-key"}}, {"name": "old", "status": "Inactive"}],
            "sessions": {"revokeIssuedBefore": "2026-01-01T00:00:00Z"},
        }),
    );
}

#[test]
fn everything_that_a_group_a_role_and_a_policy_may_say() {
    right(Kind::Group, json!({"path": "/", "policies": ["p"], "inlinePolicies": [], "externalGroups": ["oidc:devs"]}));
    right(
        Kind::Role,
        json!({"path": "/x/", "tags": {"a": "b"}, "trustPolicy": trust(), "policies": ["p"],
            "inlinePolicies": [{"name": "i", "statements": both()}], "permissionsBoundary": "b",
            "maxSessionDuration": "1h30m", "sessions": {"revokeIssuedBefore": "2026-01-01T00:00:00+02:00"}}),
    );
    right(
        Kind::Policy,
        json!({"description": "what it is for", "path": "/team/", "type": "Managed", "statements": both()}),
    );
    right(
        Kind::Policy,
        json!({"type": "ServiceControl", "statements": both(),
            "targets": {"accounts": ["prod"], "accountSelector": {"matchLabels": {"env": "prod"}}}}),
    );
}

#[test]
fn an_object_needs_a_spec_as_an_api_server_says() {
    for kind in Kind::ALL {
        let found = problems(kind, &json!(null));
        assert!(found.contains(&"SpecInvalid spec: missing `spec`".to_owned()), "{kind:?}: {found:?}");
    }
}

#[test]
fn lists_that_grant_may_be_null_or_empty() {
    right(Kind::User, json!({}));
    right(
        Kind::User,
        json!({"groups": null, "policies": null, "inlinePolicies": null, "identities": null, "tags": null,
            "mfaDevices": null, "accessKeys": null, "sessions": null, "disabled": null, "path": null}),
    );
    right(Kind::User, json!({"groups": [], "policies": [], "inlinePolicies": [], "identities": [], "tags": {}}));
    right(Kind::Group, json!({"externalGroups": null}));
    right(Kind::Group, json!({"externalGroups": []}));
}

#[test]
fn what_is_not_a_map_is_no_spec() {
    for (spec, found) in
        [(json!([]), "a list"), (json!("x"), "a string"), (json!(1), "a number"), (json!(true), "a boolean")]
    {
        wrong(Kind::User, spec.clone(), &[&format!("SpecInvalid spec: expected a map, found {found}")]);
    }
}

#[test]
fn unknown_keys_are_found_wherever_they_stand() {
    for (kind, spec, path) in [
        (Kind::User, json!({"polices": []}), "spec.polices: unknown key `polices`; did you mean `policies`?"),
        (
            Kind::User,
            json!({"sessions": {"revokeIssuedbefore": "2026-01-01T00:00:00Z"}}),
            "spec.sessions.revokeIssuedbefore: unknown key `revokeIssuedbefore`; did you mean `revokeIssuedBefore`?",
        ),
        (
            Kind::User,
            json!({"identities": [{"kind": "User", "name": "x", "apiGroup": ""}]}),
            "spec.identities[0].apiGroup: unknown key `apiGroup`; expected `kind`, `name` or `namespace`",
        ),
        (
            Kind::User,
            json!({"accessKeys": [{"name": "k", "deliverTo": {"secretName": "s", "secret": "x"}}]}),
            "spec.accessKeys[0].deliverTo.secret: unknown key `secret`; expected `secretName`",
        ),
        (
            Kind::User,
            json!({"mfaDevices": [{"name": "k", "type": "totp", "types": "x"}]}),
            "spec.mfaDevices[0].types: unknown key `types`; did you mean `type`?",
        ),
        (
            Kind::Group,
            json!({"inlinePolicies": [{"name": "i", "statements": both(), "sid": "x"}]}),
            "spec.inlinePolicies[0].sid: unknown key `sid`; expected `name`, `statements` or `document`",
        ),
        (
            Kind::Role,
            json!({"trustPolicy": {"statements": trust()["statements"], "name": "x"}}),
            "spec.trustPolicy.name: unknown key `name`; expected `statements` or `document`",
        ),
        (
            Kind::Policy,
            json!({"type": "ResourceControl", "targets": {"account": ["a"]},
                "statements": [{"sid": "D", "effect": "Deny", "principals": ["*"], "actions": ["k8s:get"], "resources": ["*"]}]}),
            "spec.targets.account: unknown key `account`; did you mean `accounts`?",
        ),
    ] {
        wrong(kind, spec, &[&format!("SpecInvalid {path}")]);
    }
}

#[test]
fn problems_of_a_policy_have_the_path_from_the_object() {
    let statement = json!({"sid": "A", "effect": "Allow", "actions": [], "resources": ["*"]});
    let cases = [
        (Kind::Policy, json!({"statements": [statement]}), "spec.statements[0].actions"),
        (
            Kind::Group,
            json!({"inlinePolicies": [{"name": "i", "statements": [statement]}]}),
            "spec.inlinePolicies[0].statements[0].actions",
        ),
        (Kind::Role, json!({"trustPolicy": {"statements": null}}), "spec.trustPolicy.statements"),
        (Kind::Policy, json!({"statements": []}), "spec.statements"),
        (Kind::Policy, json!({"document": null}), "spec.document"),
        (
            Kind::Policy,
            json!({"document": {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "k8s:get"}}}),
            "spec.document.Statement",
        ),
    ];
    for (kind, spec, path) in cases {
        let found = problems(kind, &spec);
        assert_eq!(found.len(), 1, "{spec} {found:?}");
        assert!(found[0].starts_with(&format!("PolicyInvalid {path}: ")), "{spec} {found:?}");
    }
}

#[test]
fn a_policy_has_exactly_one_body() {
    let document =
        json!({"Version": "2012-10-17", "Statement": {"Effect": "Deny", "Action": "k8s:get", "Resource": "*"}});
    wrong(Kind::Policy, json!({}), &["PolicyInvalid spec: key `statements` or `document` is missing"]);
    let spec = json!({"statements": both(), "document": document});
    wrong(
        Kind::Policy,
        spec.clone(),
        &["PolicyInvalid spec: found both `statements` and `document`; expected exactly one of them"],
    );
    let world = world([policy("a/p", spec)]);
    assert_eq!(sids(&world.policies[0].policy), ["D", ""], "the Denies of both hold");
}

#[test]
fn documents_need_the_version_of_2012_where_the_language_does() {
    let principal = json!({"Sid": "D", "Effect": "Deny", "Principal": "*", "Action": "k8s:get", "Resource": "*"});
    let identity = json!({"Sid": "D", "Effect": "Deny", "Action": "k8s:get", "Resource": "*"});
    let trust = json!({"Sid": "D", "Effect": "Deny", "Principal": "*", "Action": "sts:AssumeRole"});
    for version in [None, Some("2008-10-17"), Some("2012-10-17")] {
        let document = |statement: &Json| {
            let mut document = json!({"Statement": [statement]});
            if let Some(version) = version {
                document["Version"] = json!(version);
            }
            document
        };
        let is_new = version == Some("2012-10-17");
        for (kind, spec, expected) in [
            (Kind::Policy, json!({"document": document(&identity)}), is_new),
            (Kind::Policy, json!({"type": "ServiceControl", "document": document(&identity)}), is_new),
            (Kind::Policy, json!({"type": "ResourceControl", "document": document(&principal)}), is_new),
            (Kind::Group, json!({"inlinePolicies": [{"name": "i", "document": document(&identity)}]}), is_new),
            (Kind::Policy, json!({"type": "Resource", "document": document(&principal)}), true),
            (Kind::Role, json!({"trustPolicy": {"document": document(&trust)}}), true),
        ] {
            assert_eq!(problems(kind, &spec).is_empty(), expected, "{version:?} {spec} {:?}", problems(kind, &spec));
        }
    }
}

#[test]
fn narrowing_keys_are_never_null_or_empty() {
    for key in ["conditions", "principals", "actions", "notActions", "resources", "notResources", "notPrincipals"] {
        for value in [json!(null), json!([])] {
            let mut statement = statement("A", "Allow");
            statement[key] = value.clone();
            let found = problems(Kind::Policy, &json!({"statements": [statement]}));
            let path = format!("PolicyInvalid spec.statements[0].{key}");
            assert!(found.iter().any(|found| found.starts_with(&path)), "{key} {value} {found:?}");
        }
    }
    wrong(
        Kind::User,
        json!({"permissionsBoundary": null}),
        &["SpecInvalid spec.permissionsBoundary: found null; name a policy, or leave `permissionsBoundary` out"],
    );
    let rail = json!({"type": "ServiceControl", "statements": both(), "targets": {"accounts": []}});
    wrong(
        Kind::Policy,
        rail,
        &["SpecInvalid spec.targets.accounts: found an empty list; name at least one, or leave `accounts` out"],
    );
}

#[test]
fn fields_of_a_user() {
    let user = |spec: Json, expected: &str| wrong(Kind::User, spec, &[expected]);
    user(
        json!({"path": "team"}),
        "SpecInvalid spec.path: `team` is no path; expected `/` or printable characters without blanks between slashes, at most 512 characters",
    );
    user(json!({"disabled": "no"}), "SpecInvalid spec.disabled: expected `true` or `false`, found a string");
    user(json!({"groups": "g"}), "SpecInvalid spec.groups: expected a list, found a string");
    user(json!({"groups": [1]}), "SpecInvalid spec.groups[0]: expected a string, found a number");
    user(
        json!({"groups": ["arn:k8s:iam::a:group/g"]}),
        "SpecInvalid spec.groups[0]: `arn:k8s:iam::a:group/g` is no name; expected at most 128 lower-case letters, \
         digits, `-` and `.`, with a letter or digit at both ends",
    );
    user(json!({"policies": [null]}), "SpecInvalid spec.policies[0]: expected a string, found null");
    user(
        json!({"policies": ["arn:k8s:iam:east:a:policy/p"]}),
        "SpecInvalid spec.policies[0]: `arn:k8s:iam:east:a:policy/p` names no IamPolicy; expected \
         `arn:k8s:iam::<account>:policy/<name>`",
    );
    user(json!({"tags": ["a"]}), "SpecInvalid spec.tags: expected a map, found a list");
    user(json!({"tags": {"a": 1}}), "SpecInvalid spec.tags.a: expected a string, found a number");
    user(json!({"tags": {"a": null}}), "SpecInvalid spec.tags.a: expected a string, found null");
    user(
        json!({"tags": {"Team": "a", "team": "b"}}),
        "SpecInvalid spec.tags.team: tag `team` stands twice, letters compared without case",
    );
    user(
        json!({"tags": {"AWS:x": "a"}}),
        "SpecInvalid spec.tags[\"AWS:x\"]: `AWS:x` begins with `aws:`, which is reserved",
    );
    user(
        json!({"mfaDevices": [{"name": "a", "type": "sms"}]}),
        "SpecInvalid spec.mfaDevices[0].type: unknown type `sms`; expected `totp` or `webauthn`",
    );
    user(json!({"mfaDevices": [{"name": "a"}]}), "SpecInvalid spec.mfaDevices[0]: key `type` is missing");
    user(
        json!({"mfaDevices": [{"name": "a", "type": "totp"}, {"name": "a", "type": "totp"}]}),
        "SpecInvalid spec.mfaDevices[1].name: name `a` stands twice",
    );
    user(
        json!({"accessKeys": [{"name": "a", "status": "active"}]}),
        "SpecInvalid spec.accessKeys[0].status: unknown status `active`; did you mean `Active`?",
    );
    user(
        json!({"accessKeys": [{"name": "a", "rotateAfter": "90"}]}),
        "SpecInvalid spec.accessKeys[0].rotateAfter: `90` is no duration; expected numbers with units, like `1h30m` or `90d`",
    );
    user(
        json!({"accessKeys": [{"name": "a", "deliverTo": {}}]}),
        "SpecInvalid spec.accessKeys[0].deliverTo: key `secretName` is missing",
    );
    user(json!({"accessKeys": [{}]}), "SpecInvalid spec.accessKeys[0]: key `name` is missing");
    user(
        json!({"sessions": {"revokeIssuedBefore": "yesterday"}}),
        "SpecInvalid spec.sessions.revokeIssuedBefore: `yesterday` is no time; expected RFC 3339, like `2026-01-02T03:04:05Z`",
    );
    user(
        json!({"inlinePolicies": [{"statements": both()}]}),
        "SpecInvalid spec.inlinePolicies[0]: key `name` is missing",
    );
    user(
        json!({"inlinePolicies": [{"name": "i", "statements": both()}, {"name": "i", "statements": both()}]}),
        "SpecInvalid spec.inlinePolicies[1].name: name `i` stands twice",
    );
    user(
        json!({"inlinePolicies": [{"name": "a b", "statements": both()}]}),
        "SpecInvalid spec.inlinePolicies[0].name: `a b` is no name; expected 1 to 128 letters, digits and `_+=,.@-`",
    );
    user(json!({"inlinePolicies": ["i"]}), "SpecInvalid spec.inlinePolicies[0]: expected a map, found a string");
}

#[test]
fn identities_of_a_user() {
    let identity = |identity: Json, expected: &str| {
        wrong(Kind::User, json!({"identities": [identity]}), &[&format!("SpecInvalid spec.identities[0]{expected}")]);
    };
    identity(json!("alice"), ": expected a map, found a string");
    identity(json!({"name": "x"}), ": key `kind` is missing");
    identity(json!({"kind": "User"}), ": key `name` is missing");
    identity(json!({"kind": "Group", "name": "x"}), ".kind: unknown kind `Group`; expected `User` or `ServiceAccount`");
    identity(json!({"kind": "User", "name": ""}), ".name: the empty name is nobody");
    identity(json!({"kind": "User", "name": 1}), ".name: expected a string, found a number");
    identity(json!({"kind": "User", "name": "x", "namespace": "a"}), ".namespace: a User has no namespace");
    identity(json!({"kind": "ServiceAccount", "name": "x"}), ": key `namespace` is missing");
    identity(json!({"kind": "ServiceAccount", "name": "x", "namespace": "A"}), ".name: `A` is no name of a namespace");
    identity(
        json!({"kind": "User", "name": "system:node:n"}),
        ".name: `system:node:n` is an identity of Kubernetes itself, which nobody can claim",
    );
    identity(
        json!({"kind": "User", "name": "arn:k8s:iam::a:user/x"}),
        ".name: `arn:k8s:iam::a:user/x` begins with `arn:k8s:`, which is reserved",
    );
    identity(
        json!({"kind": "User", "name": "system:serviceaccount:a"}),
        ".name: `system:serviceaccount:a` names no ServiceAccount; expected `system:serviceaccount:<namespace>:<name>`",
    );
}

#[test]
fn fields_of_groups_roles_and_policies() {
    wrong(
        Kind::Group,
        json!({"externalGroups": ["system:masters", "ok", ""]}),
        &[
            "SpecInvalid spec.externalGroups[0]: `system:masters` is a group of Kubernetes itself, which no IamGroup can name",
            "SpecInvalid spec.externalGroups[2]: the empty name is nobody",
        ],
    );
    wrong(
        Kind::Group,
        json!({"tags": {}}),
        &[
            "SpecInvalid spec.tags: unknown key `tags`; expected `externalGroups`, `inlinePolicies`, `path` or `policies`",
        ],
    );
    wrong(Kind::Role, json!({}), &["SpecInvalid spec: key `trustPolicy` is missing"]);
    for (duration, seconds) in [("1h", Some(3_600)), ("12h", Some(43_200)), ("59m", None), ("13h", None), ("x", None)] {
        let spec = json!({"trustPolicy": trust(), "maxSessionDuration": duration});
        let world = world([role("a/r", spec)]);
        assert_eq!(findings(&world).is_empty(), seconds.is_some(), "{duration}");
        assert_eq!(world.roles[0].max_session_seconds, seconds.unwrap_or(3_600), "{duration}");
    }
    wrong(
        Kind::Role,
        json!({"trustPolicy": trust(), "maxSessionDuration": 3_600}),
        &["SpecInvalid spec.maxSessionDuration: expected a string, found a number"],
    );
    wrong(
        Kind::Policy,
        json!({"type": "Guardrail", "statements": both()}),
        &[
            "SpecInvalid spec.type: unknown type `Guardrail`; expected `Managed`, `Resource`, `ServiceControl` or `ResourceControl`",
        ],
    );
    let long = "ä".repeat(1_001);
    wrong(
        Kind::Policy,
        json!({"description": long, "statements": both()}),
        &["SpecInvalid spec.description: 1001 characters; at most 1000 are admitted"],
    );
    right(Kind::Policy, json!({"description": "ä".repeat(1_000), "statements": both()}));
    wrong(
        Kind::Policy,
        json!({"path": "/a b/", "statements": both()}),
        &[
            "SpecInvalid spec.path: `/a b/` is no path; expected `/` or words of letters, digits and `.,+@=_-` between slashes, at most 512 characters",
        ],
    );
}

#[test]
fn a_key_that_stands_twice_is_an_error_and_both_restrict() {
    let text = r#"{"policies": ["p"], "policies": ["q"], "disabled": true, "disabled": false,
        "permissionsBoundary": "p", "permissionsBoundary": "q"}"#;
    let node = crate::policy::json::parse(text, 1_000).unwrap();
    let mut tested = user("a/u", json!({}));
    tested.spec = Spec::Read(Arc::new(node));
    let world =
        world([tested, policy("a/p", json!({"statements": both()})), policy("a/q", json!({"statements": both()}))]);
    let user = &world.users[0];
    assert_eq!(user.policies.len(), 2);
    assert_eq!(user.boundary, Boundary::Missing);
    assert!(user.disabled);
    let outcome = &world.outcomes[&user.key];
    let found: Vec<&str> = outcome.findings.iter().map(|finding| finding.message.as_str()).collect();
    assert_eq!(
        found,
        ["key `disabled` stands twice", "key `permissionsBoundary` stands twice", "key `policies` stands twice"]
    );
    assert!(outcome.findings.iter().all(|finding| finding.at.is_some()));
}

#[test]
fn so_many_problems_are_enough() {
    let spec = json!({"groups": vec![1; 1_000]});
    assert_eq!(problems(Kind::User, &spec).len(), crate::policy::limits::PROBLEMS);
}
