//! What may be created and changed of the four kinds.

use serde_json::{Value, json};

use super::*;
use crate::store::{NamespaceEntry, Seen, catalog};
use crate::world::{NamespaceFacts, Spec};

#[test]
fn what_the_evaluator_would_not_read_is_refused_with_path_and_remedy() {
    let nothing = cluster(&[]);
    let statement = |more: Value| {
        let mut statements = allow();
        statements[0].as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        policy("a", "p", json!({"statements": statements}))
    };
    let groups: Vec<String> = (0..11).map(|index| format!("g{index}")).collect();
    let without_spec = json!({
        "apiVersion": "kube-iam.dev/v1alpha1", "kind": "IamGroup", "metadata": {"name": "g", "namespace": "a"},
    });
    let document = json!({"Version": "2012-10-17", "Statement": {"Effect": "allow", "Action": "*", "Resource": "*"}});
    for (object, message) in [
        (
            statement(json!({"conditoins": []})),
            "spec.statements[0]: unknown key `conditoins`; did you mean `conditions`?",
        ),
        (
            statement(json!({"conditions": null})),
            "spec.statements[0].conditions: expected a list of conditions, found null",
        ),
        (
            statement(json!({"actions": []})),
            "spec.statements[0].actions: expected a list of strings, found an empty list",
        ),
        (
            policy("a", "p", json!({"document": document})),
            "spec.document.Statement.Effect: unknown effect `allow`; did you mean `Allow`?",
        ),
        (
            policy("a", "p", json!({"statements": allow(), "targets": {"resources": ["*"]}})),
            "spec.targets: a policy of type `Managed` has no targets: users, groups and roles name it",
        ),
        (
            policy("a", "Bad_Name", json!({"statements": allow()})),
            "metadata.name: `Bad_Name` is no name; expected at most 128 lower-case letters, digits, `-` and `.`, with a letter or \
             digit at both ends",
        ),
        (
            user("a", "u", json!({"permissionsBoundary": null})),
            "spec.permissionsBoundary: found null; name a policy, or leave `permissionsBoundary` out",
        ),
        (user("a", "u", json!({"groups": groups})), "spec.groups: 11 entries; at most 10 are admitted"),
        (
            user("a", "u", json!({"identities": [{"kind": "User", "name": "system:admin"}]})),
            "spec.identities[0].name: `system:admin` is an identity of Kubernetes itself, which nobody can claim",
        ),
        (without_spec, "spec: missing `spec`"),
        (policy("a", "p", json!([])), "spec: expected a map, found a list"),
    ] {
        assert_eq!(created(&object, &nothing), refused(message), "{object}");
    }
}

#[test]
fn bombs_are_refused_at_once() {
    let nothing = cluster(&[]);
    let began = std::time::Instant::now();
    let many: Vec<Value> = (0..100_000).map(Value::from).collect();
    let text = "x".repeat(2 << 20);
    let mut deep = json!(1);
    (0..100).for_each(|_| deep = json!({"a": deep}));
    for (spec, message) in [
        (json!({"statements": many}), "spec: more than 65536 values; no valid object has as many"),
        (json!({"description": text}), "spec: found 2097170 bytes; at most 1048576 are read"),
        (json!({"document": deep}), "spec: more than 16 lists and maps inside one another"),
    ] {
        assert_eq!(created(&policy("a", "p", spec), &nothing), refused(message));
    }
    assert!(began.elapsed().as_secs() < 10, "{:?}", began.elapsed());
}

#[test]
fn the_type_of_a_policy_stays() {
    let nothing = cluster(&[]);
    let old = policy("kube-iam-system", "p", json!({"statements": allow()}));
    let same = policy("kube-iam-system", "p", json!({"type": "Managed", "statements": allow()}));
    assert_eq!(changed(&old, &same, &nothing), admitted());
    let other = policy("kube-iam-system", "p", json!({"type": "ServiceControl", "statements": allow()}));
    let message = "spec.type: the type stays `Managed`, found `ServiceControl`; create another policy instead";
    assert_eq!(changed(&old, &other, &nothing), refused(message));
}

/// A cluster in which a policy was good last in this form, and cannot be read now.
fn broken(last_good: &Value, more: &[Value]) -> CatalogReader {
    let mut input = Input::default();
    for object in std::iter::once(last_good).chain(more) {
        input.add(Declaration::read(&Node::from(object), None).unwrap());
    }
    let policy = &mut input.objects[0];
    let Spec::Read(spec) = std::mem::replace(&mut policy.spec, Spec::Unreadable("too deep".to_owned())) else {
        panic!()
    };
    policy.last_good = Some(spec);
    catalog_of(&input)
}

#[test]
fn type_and_path_of_a_policy_that_cannot_be_read_stay_those_of_its_last_good_form() {
    let guardrail = guardrail("p", json!({"matchLabels": {"a": "b"}}));
    let values: Vec<Value> = (0..70_000).map(Value::from).collect();
    let plain = policy("kube-iam-system", "p", json!({"statements": allow()}));
    let message = "spec.type: the type stays `ResourceControl`, found `Managed`; create another policy instead";
    for spec in [json!({"statements": values}), json!([]), json!(null), json!({"type": 3, "statements": allow()})] {
        let old = with(&guardrail, "/spec", spec.clone());
        assert_eq!(changed(&old, &plain, &broken(&guardrail, &[])), refused(message), "{spec:.80}");
        assert!(matches!(changed(&old, &guardrail, &broken(&guardrail, &[])), Verdict::Admitted(_)));
        // Where no good form is known it may be repaired.
        assert_eq!(changed(&old, &plain, &cluster(&[])), admitted());
    }
    // A type that is written wrong is none.
    let old = with(&plain, "/spec/type", json!("Managd"));
    assert_eq!(changed(&old, &plain, &cluster(&[])), admitted());
    assert_eq!(changed(&old, &plain, &broken(&guardrail, &[])), refused(message));

    let good = policy("a", "p", json!({"path": "/x/", "statements": allow()}));
    let user = user("a", "u", json!({"policies": ["arn:k8s:iam::a:policy/x/p"]}));
    let message = "spec.path: the path stays `/x/` while the policy is named by IamUser a/u; found `/`";
    for spec in [json!({"statements": values}), json!({"path": 3, "statements": allow()})] {
        let old = with(&good, "/spec", spec);
        let repaired = policy("a", "p", json!({"statements": allow()}));
        assert_eq!(changed(&old, &repaired, &broken(&good, std::slice::from_ref(&user))), refused(message));
        assert_eq!(changed(&old, &good, &broken(&good, std::slice::from_ref(&user))), admitted());
    }
    // The old form has lost it: what is in force comes back, and nothing else does.
    let lost = {
        let mut lost = guardrail.clone();
        lost["spec"].as_object_mut().unwrap().remove("type");
        lost
    };
    let in_force = || broken(&guardrail, &[]);
    assert!(matches!(changed(&lost, &guardrail, &in_force()), Verdict::Admitted(_)));
    let stays = "spec.type: the type stays `ResourceControl`, found `Managed`; create another policy instead";
    assert_eq!(changed(&lost, &plain, &in_force()), refused(stays));
    assert_eq!(changed(&lost, &with(&lost, "/spec/description", json!("x")), &in_force()), admitted());
    let moved = with(&with(&good, "/spec/path", json!("/y/")), "/spec/statements", json!("none"));
    let named = || broken(&good, std::slice::from_ref(&user));
    assert_eq!(changed(&moved, &good, &named()), admitted());
    let elsewhere = with(&good, "/spec/path", json!("/y/"));
    let stays = "spec.path: the path stays `/x/` while the policy is named by IamUser a/u; found `/y/`";
    assert_eq!(changed(&moved, &elsewhere, &named()), refused(stays));
    // What is left as it is stops no other change.
    let old = with(&good, "/spec/path", json!(3));
    let described = with(&old, "/spec/description", json!("x"));
    assert_eq!(changed(&old, &described, &broken(&good, std::slice::from_ref(&user))), admitted());
}

#[test]
fn the_path_of_a_policy_stays_while_others_name_it() {
    let old = policy("a", "p", json!({"statements": allow()}));
    let moved = with(&old, "/spec/path", json!("/x/"));
    assert_eq!(changed(&old, &moved, &cluster(&[])), admitted());
    let named = cluster(&[user("a", "u", json!({"policies": ["arn:k8s:iam::a:policy/p"]}))]);
    let message = "spec.path: the path stays `/` while the policy is named by IamUser a/u; found `/x/`";
    assert_eq!(changed(&old, &moved, &named), refused(message));
}

#[test]
fn maps_of_very_many_keys_are_judged_at_once() {
    let began = std::time::Instant::now();
    let labels: serde_json::Map<String, Value> = (0..40_000).map(|index| (format!("k{index}"), json!("v"))).collect();
    let targets = json!({"accountSelector": {"matchLabels": labels}});
    let guard = json!({"type": "ResourceControl", "targets": targets, "statements": []});
    assert_ne!(created(&policy("kube-iam-system", "p", guard), &cluster(&[])), admitted());
    let inline: Vec<Value> = (0..20_000).map(|index| json!({"name": format!("n{index}")})).collect();
    assert_ne!(created(&user("a", "u", json!({"inlinePolicies": inline})), &cluster(&[])), admitted());
    assert!(began.elapsed().as_secs() < 5, "{:?}", began.elapsed());
}

#[test]
fn an_account_holds_what_its_quota_says() {
    let groups = |count: usize, account: &str| -> Vec<Value> {
        (0..count).map(|index| object("IamGroup", account, &format!("g{index}"), json!({}))).collect()
    };
    let full = cluster(&[groups(500, "a"), groups(3, "b")].concat());
    let message = "metadata.namespace: account `a` holds 500 of kind IamGroup already; that is the most it may hold";
    assert_eq!(created(&object("IamGroup", "a", "more", json!({})), &full), refused(message));
    assert_eq!(created(&object("IamGroup", "b", "more", json!({})), &full), admitted());
    assert_eq!(created(&user("a", "u", json!({})), &full), admitted());
    let old = object("IamGroup", "a", "g0", json!({}));
    assert_eq!(changed(&old, &with(&old, "/spec/path", json!("/x/")), &full), admitted());
}

#[test]
fn an_account_holds_what_its_size_says() {
    // Of two MiB each.
    let large = |account: &str, name: &str, targets: usize| {
        let target = |index: usize| format!("arn:k8s:core::{account}:{index}{}", "x".repeat(2_000));
        let statement = json!({"sid": "A", "effect": "Deny", "principals": ["*"], "actions": ["k8s:get"]});
        let targets: Vec<String> = (0..targets).map(target).collect();
        policy(account, name, json!({"type": "Resource", "targets": {"resources": targets}, "statements": [statement]}))
    };
    let stored: Vec<Value> = (0..62).map(|index| large("a", &format!("p{index}"), 256)).collect();
    let held = cluster(&stored);
    assert_eq!(created(&large("a", "more", 130), &held), admitted());
    let message = "spec: it takes 2096 KiB of memory, and the other objects of account `a` take 129939 KiB; an account \
                   may hold 131072 KiB";
    assert_eq!(created(&large("a", "more", 256), &held), refused(message));
    assert_eq!(created(&large("b", "more", 256), &held), admitted());
    // What is there already counts once.
    assert_eq!(changed(&stored[0], &large("a", "p0", 255), &held), admitted());

    let over = cluster(&[stored.clone(), vec![large("a", "p62", 256)]].concat());
    assert_eq!(changed(&stored[0], &large("a", "p0", 255), &over), admitted());
    assert_eq!(changed(&stored[0], &with(&stored[0], "/metadata/labels", json!({"x": "y"})), &over), admitted());
    assert_eq!(judged(&review(Some(&stored[0]), None), &over), admitted());
    let larger = with(&stored[0], "/spec/description", json!("more"));
    let Verdict::Refused(found) = changed(&stored[0], &larger, &over) else { panic!() };
    assert!(found.contains("an account may hold 131072 KiB"), "{found}");
}

#[test]
fn an_identity_is_one_user_of_an_account() {
    let claims = |account: &str, name: &str, identity: &str| {
        user(account, name, json!({"identities": [{"kind": "User", "name": identity}]}))
    };
    let rooted = json!({
        "apiVersion": "v1", "kind": "Namespace",
        "metadata": {"name": "a", "annotations": {"kube-iam.dev/root-identity": "boss"}},
    });
    let held = cluster(&[claims("a", "ann", "ann@x"), rooted]);
    let second =
        "spec.identities: `ann@x` is claimed by IamUser `ann` too; one identity belongs to one IamUser of an account";
    assert_eq!(created(&claims("a", "bob", "ann@x"), &held), refused(second));
    assert_eq!(created(&claims("b", "bob", "ann@x"), &held), admitted());
    let root = "spec.identities: `boss` is root of account `a`; root is no IamUser beside";
    assert_eq!(created(&claims("a", "bob", "boss"), &held), refused(root));
    let management = "spec.identities: `chief` is root of account `kube-iam-system`; root is no IamUser beside";
    assert_eq!(created(&claims("kube-iam-system", "c", "chief"), &held), refused(management));
    assert_eq!(created(&claims("a", "c", "chief"), &held), admitted());
    // One's own claim, again; and one that was there before, beside another change.
    let ann = claims("a", "ann", "ann@x");
    assert_eq!(changed(&ann, &with(&ann, "/spec/disabled", json!(true)), &held), admitted());
    let late = claims("a", "late", "ann@x");
    assert_eq!(changed(&late, &with(&late, "/spec/disabled", json!(true)), &held), admitted());
    let more = json!([{"kind": "User", "name": "ann@x"}, {"kind": "User", "name": "boss"}]);
    assert_eq!(changed(&late, &with(&late, "/spec/identities", more), &held), refused(root));
}

#[test]
fn a_resource_policy_of_a_tenant_targets_its_own_resources() {
    let nothing = cluster(&[]);
    let targets = |account: &str, targets: Value| {
        let statements = json!([{"sid": "A", "effect": "Allow", "principals": ["*"], "actions": ["k8s:get"]}]);
        policy(account, "p", json!({"type": "Resource", "targets": {"resources": targets}, "statements": statements}))
    };
    let foreign = "arn:k8s:core::other:configmaps/*";
    let message = "spec.targets.resources[1]: `arn:k8s:core::other:configmaps/*` is of another account; a Resource policy \
                   speaks about resources of its own account, `a`";
    let own = "arn:k8s:core::a:configmaps/*";
    assert_eq!(created(&targets("a", json!([own, foreign])), &nothing), refused(message));
    assert_eq!(created(&targets("kube-iam-system", json!([own, foreign])), &nothing), admitted());
    for good in [own, "*", "arn:k8s:core::*:configmaps/x", "arn:k8s:core::?:configmaps/x", "arn:aws:s3:::bucket/key"] {
        assert_eq!(created(&targets("a", json!([good])), &nothing), admitted(), "{good}");
    }
    let pattern = "spec.targets.resources[0]: `arn:k8s:core::prod-*:configmaps/x` is of another account; a Resource policy \
                   speaks about resources of its own account, `a`";
    assert_eq!(created(&targets("a", json!(["arn:k8s:core::prod-*:configmaps/x"])), &nothing), refused(pattern));
    let cluster_scoped = "spec.targets.resources[0]: `arn:k8s:core:::namespaces/a` has no account: what is cluster-scoped \
                          is of the management account, and this policy says nothing about it";
    assert_eq!(created(&targets("a", json!(["arn:k8s:core:::namespaces/a"])), &nothing), warned(&[cluster_scoped]));
    let without = "spec.targets: without targets a Resource policy is attached to nothing";
    for account in ["a", "kube-iam-system"] {
        let mut policy = targets(account, json!([]));
        policy["spec"].as_object_mut().unwrap().remove("targets");
        assert_eq!(created(&policy, &nothing), warned(&[without]), "{account}");
    }
    let old = targets("a", json!([own, foreign]));
    assert_eq!(changed(&old, &with(&old, "/spec/description", json!("x")), &nothing), admitted());
    assert_eq!(changed(&old, &targets("a", json!([foreign])), &nothing), admitted());
}

#[test]
fn guardrails_stand_in_the_management_account() {
    let nothing = cluster(&[]);
    for guardrail_type in ["ServiceControl", "ResourceControl"] {
        let statements = if guardrail_type == "ServiceControl" {
            allow()
        } else {
            json!([{"sid": "A", "effect": "Deny", "principals": ["*"], "actions": ["k8s:get"], "resources": ["*"]}])
        };
        let spec = json!({"type": guardrail_type, "statements": statements});
        assert_eq!(created(&policy("kube-iam-system", "p", spec.clone()), &nothing), admitted());
        let message =
            "spec.type: guardrails have an effect in the management account `kube-iam-system` only; create it there";
        let stored = policy("a", "p", spec);
        assert_eq!(created(&stored, &nothing), refused(message));
        assert_eq!(changed(&stored, &with(&stored, "/spec/description", json!("x")), &nothing), admitted());
    }
}

#[test]
fn a_guardrail_that_meets_nobody_is_warned_of() {
    let (mut writer, held) = catalog(Settings::default());
    for (name, env) in [("prod", "prod"), ("kube-iam-system", "hub")] {
        let facts = NamespaceFacts {
            name: name.into(),
            labels: std::sync::Arc::new([("env".into(), env.into())].into()),
            root_identity: None,
            root_mfa_optional: false,
        };
        writer.write(|catalog| {
            let since = Seen::default();
            let entry = NamespaceEntry { facts, uid: "n".into(), deleting: false, since, left: None };
            catalog.insert_namespace(entry, since)
        });
    }
    let of = |targets: Value| {
        let mut policy = guardrail("g", json!({}));
        policy["spec"]["targets"] = targets;
        created(&policy, &held)
    };
    let selecting = |env: &str| json!({"accountSelector": {"matchLabels": {"env": env}}});
    assert_eq!(of(json!({"accounts": ["prod"]})), admitted());
    assert_eq!(of(selecting("prod")), admitted());
    let names = [
        "spec.targets.accounts: guardrails do not bind the management account `kube-iam-system`",
        "spec.targets.accounts: there is no namespace `prodd` yet; nothing is refused there",
    ];
    assert_eq!(of(json!({"accounts": ["prodd", "kube-iam-system"]})), warned(&names));
    let nobody = ["spec.targets.accountSelector: it selects no namespace yet; nothing is refused by it"];
    for env in ["prodd", "hub"] {
        assert_eq!(of(selecting(env)), warned(&nobody), "{env}");
    }
}

#[test]
fn policies_of_third_accounts_cannot_be_named() {
    let nothing = cluster(&[]);
    let message = "spec.policies[0]: `arn:k8s:iam::b:policy/x` is of another account; only policies of the own one and of \
                   `kube-iam-system` can be named";
    for (kind, more) in [("IamUser", json!({})), ("IamGroup", json!({})), ("IamRole", json!({"trustPolicy": trust()}))]
    {
        let mut spec = more;
        spec["policies"] = json!(["arn:k8s:iam::b:policy/x"]);
        let stored = object(kind, "a", "x", spec);
        assert_eq!(created(&stored, &nothing), refused(message), "{kind}");
        assert_eq!(changed(&stored, &with(&stored, "/spec/path", json!("/x/")), &nothing), admitted());
    }
    let boundary = "spec.permissionsBoundary: `arn:k8s:iam::b:policy/x` is of another account; only policies of the own one \
                    and of `kube-iam-system` can be named";
    let user = user("a", "u", json!({"permissionsBoundary": "arn:k8s:iam::b:policy/x"}));
    assert_eq!(created(&user, &nothing), refused(boundary));
}

fn trust() -> Value {
    json!({"statements": [{"sid": "A", "effect": "Allow", "principals": ["a"], "actions": ["sts:AssumeRole"]}]})
}

#[test]
fn names_that_lead_nowhere_are_warned_of() {
    let held = cluster(&[
        policy("kube-iam-system", "shared", json!({"path": "/team/", "statements": allow()})),
        policy("a", "guard", json!({"type": "Resource", "statements": []})),
        policy("a", "good", json!({"statements": allow()})),
    ]);
    let new = user(
        "a",
        "u",
        json!({
            "groups": ["devs"], "permissionsBoundary": "limits",
            "policies": ["good", "none", "guard", "arn:k8s:iam::kube-iam-system:policy/shared",
                "arn:k8s:iam::kube-iam-system:policy/team/shared", "arn:k8s:iam::kube-iam-system:policy/gone"],
        }),
    );
    let warnings = [
        "spec.groups[0]: there is no IamGroup `devs` yet; it grants nothing until then",
        "spec.policies[1]: there is no IamPolicy `none` in account `a` yet; it grants nothing until then",
        "spec.policies[2]: `guard` is not of type `Managed`: only such a policy can be named; it grants nothing like this",
        "spec.policies[3]: `arn:k8s:iam::kube-iam-system:policy/shared` has another path; its ARN is \
         `arn:k8s:iam::kube-iam-system:policy/team/shared`; it grants nothing like this",
        "spec.policies[5]: there is no IamPolicy `gone` in account `kube-iam-system` yet; it grants nothing until then",
        "spec.permissionsBoundary: there is no IamPolicy `limits` in account `a` yet; nothing is allowed until then",
    ];
    assert_eq!(created(&new, &held), warned(&warnings));
    // Who touches a label has heard it before.
    assert_eq!(changed(&new, &with(&new, "/metadata/labels", json!({"x": "y"})), &held), admitted());
}

#[test]
fn a_deny_of_everything_is_admitted_with_a_warning() {
    let deny = |more: Value| {
        let mut statement = json!({"sid": "Stop", "effect": "Deny", "actions": ["k8s:*"], "resources": ["*"]});
        statement.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!([statement])
    };
    let everybody = json!({"principals": ["*"]});
    let held = cluster(&[
        user("a", "ann", json!({"identities": [{"kind": "User", "name": "alice"}], "groups": ["devs"]})),
        object("IamGroup", "a", "devs", json!({"policies": ["theirs"]})),
        user("a", "bob", json!({"policies": ["his"]})),
    ]);
    for (new, whom) in [
        (
            policy("kube-iam-system", "p", json!({"type": "ResourceControl", "statements": deny(everybody.clone())})),
            Some("everybody in the accounts it targets"),
        ),
        (
            policy("kube-iam-system", "p", json!({"type": "ServiceControl", "statements": deny(json!({}))})),
            Some("every principal of the accounts it targets"),
        ),
        (
            policy(
                "a",
                "p",
                json!({"type": "Resource", "targets": {"resources": ["*"]}, "statements": deny(everybody.clone())}),
            ),
            Some("everybody in its account"),
        ),
        (policy("a", "theirs", json!({"statements": deny(json!({}))})), Some("you")),
        (policy("a", "his", json!({"statements": deny(json!({}))})), None),
        (policy("a", "theirs", json!({"statements": deny(json!({"actions": ["k8s:get"]}))})), None),
        (policy("a", "theirs", json!({"statements": deny(json!({"resources": ["arn:k8s:core::a:pods/*"]}))})), None),
    ] {
        let expected = match whom {
            Some(whom) => warned(&[&format!("spec: statement Stop refuses everything to {whom}")]),
            None => admitted(),
        };
        assert_eq!(created(&new, &held), expected, "{new}");
    }
    let inline = json!({
        "identities": [{"kind": "User", "name": "alice"}],
        "inlinePolicies": [{"name": "own", "statements": deny(json!({}))}],
    });
    let message = "spec.inlinePolicies[own]: statement Stop refuses everything to you";
    assert_eq!(created(&user("b", "u", inline), &held), warned(&[message]));
}

#[test]
fn a_wildcard_that_leads_to_more_power_is_admitted_with_a_warning() {
    let nothing = cluster(&[]);
    let wide = json!([{"sid": "A", "effect": "Allow", "actions": ["k8s:get"], "resources": ["arn:k8s:core::a:*"]}]);
    let warning = "spec.statements[0].resources[0]: `k8s:get` on `arn:k8s:core::a:*` reaches a privilege transition: read \
                   Secrets (list and watch return their contents, too) (K8S_WILDCARD_COVERS_PRIVILEGE_TRANSITION)";
    let policy = policy("a", "p", json!({"statements": wide}));
    let Verdict::Admitted(warnings) = created(&policy, &nothing) else { panic!() };
    assert_eq!(warnings.first().map(String::as_str), Some(warning), "{warnings:?}");
    assert_eq!(changed(&policy, &with(&policy, "/metadata/labels", json!({"x": "y"})), &nothing), admitted());
}

#[test]
fn nulls_that_kubectl_leaves_out_are_refused_where_they_narrow() {
    let nothing = cluster(&[]);
    let applied = |spec: Value| {
        let text = json!({"apiVersion": "kube-iam.dev/v1alpha1", "kind": "IamPolicy", "spec": spec}).to_string();
        json!({"kubectl.kubernetes.io/last-applied-configuration": text})
    };
    let mut narrowed = allow();
    narrowed[0]["conditions"] = Value::Null;
    let plain = policy("a", "p", json!({"statements": allow()}));
    let new = with(&plain, "/metadata/annotations", applied(json!({"statements": narrowed})));
    let message = "spec.statements[0].conditions: expected a list of conditions, found null (kubectl leaves the null out \
                   when it sends the object)";
    assert_eq!(created(&new, &nothing), refused(message));
    assert_eq!(changed(&plain, &new, &nothing), refused(message));
    // What was applied before does not stop other changes, with `kubectl apply` either, but nothing may be added to it.
    let applied_anew = |description: &str, other: Value| {
        let mut statements = narrowed.clone();
        statements.as_array_mut().unwrap().insert(0, other);
        let applied = applied(json!({"statements": statements, "description": description}));
        with(&with(&plain, "/metadata/annotations", applied), "/spec/description", json!(description))
    };
    let other = |conditions: Value| {
        json!({"sid": "B", "effect": "Allow", "actions": ["k8s:get"], "resources": ["arn:k8s:core:::nodes/x"],
               "conditions": conditions})
    };
    let condition = json!([{"operator": "StringEquals", "key": "aws:username", "values": ["x"]}]);
    assert_eq!(changed(&new, &applied_anew("x", other(condition)), &nothing), admitted());
    assert_eq!(changed(&new, &applied_anew("x", other(Value::Null)), &nothing), refused(message));
    assert_eq!(changed(&new, &with(&new, "/metadata/labels", json!({"x": "y"})), &nothing), admitted());
    let harmless = applied(json!({"description": null, "path": null, "statements": allow()}));
    assert_eq!(created(&with(&plain, "/metadata/annotations", harmless), &nothing), admitted());
    for odd in ["", "{", "[]", "{}", "null", "{\"spec\":1}"] {
        let annotation = json!({"kubectl.kubernetes.io/last-applied-configuration": odd});
        assert_eq!(created(&with(&plain, "/metadata/annotations", annotation), &nothing), admitted(), "{odd}");
    }
    let document = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": null}]});
    let Verdict::Refused(found) =
        created(&with(&plain, "/metadata/annotations", applied(json!({"document": document}))), &nothing)
    else {
        panic!()
    };
    assert!(found.starts_with("spec.document.Statement[0].Condition: "), "{found}");
    let user = with(
        &user("a", "u", json!({})),
        "/metadata/annotations",
        applied(json!({"permissionsBoundary": null, "groups": null, "policies": null})),
    );
    let message = "spec.permissionsBoundary: found null; name a policy, or leave `permissionsBoundary` out (kubectl leaves \
                   the null out when it sends the object)";
    assert_eq!(created(&user, &nothing), refused(message));
}
