//! Deleting a namespace with everything in it never hangs, in whatever order its objects go.

use std::time::Duration;

use http::Method;
use serde_json::{Value, json};

use crate::control_plane::deadline::holds_within;
use crate::followed::object;
use crate::operated::{OPERATED, Operated, path, reads, statements};
use crate::site::MANAGEMENT;

const PATIENCE: Duration = Duration::from_secs(60);

/// Everything that names something, and a Deny that must hold while any of it is there.
fn household(account: &str, person: &str) -> Vec<Value> {
    let trust = json!([{"sid": "Who", "effect": "Allow", "principals": [account], "actions": ["sts:AssumeRole"]}]);
    vec![
        object("IamPolicy", account, "no", &json!({"statements": statements("Deny")})),
        reads(account, "read"),
        object("IamGroup", account, "devs", &json!({"policies": ["read", "no"]})),
        object(
            "IamUser",
            account,
            "alice",
            &json!({
                "identities": [{"kind": "User", "name": person}],
                "groups": ["devs"], "policies": ["read"], "permissionsBoundary": "read",
            }),
        ),
        object("IamRole", account, "deployer", &json!({"policies": ["read"], "trustPolicy": {"statements": trust}})),
    ]
}

fn settle(operated: &Operated, account: &str, objects: &[Value]) {
    for object in objects {
        operated.writer.create(object);
    }
    for object in objects {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let (kind, name) = (text(&object["kind"]), text(&object["metadata"]["name"]));
        operated.until_ready(&kind, account, &name, "True", "InForce");
    }
    for (kind, name) in [("IamPolicy", "no"), ("IamPolicy", "read"), ("IamGroup", "devs")] {
        operated.until(kind, account, name, "kept", |object| object["metadata"]["finalizers"].is_array());
    }
}

#[track_caller]
fn until_namespace_gone(operated: &Operated, account: &str) {
    let namespace = format!("/api/v1/namespaces/{account}");
    let mut left = String::new();
    let gone = holds_within(PATIENCE, || match operated.writer.try_send(Method::GET, &namespace, &Value::Null) {
        Ok(namespace) => {
            left = namespace["status"].to_string();
            false
        }
        Err(error) => error.contains("not found"),
    });
    assert!(gone, "{account} is still there: {left}{}", operated.log_tails());
}

#[test]
fn a_namespace_goes_with_everything_in_it() {
    let operated = OPERATED.get();
    let account = "deletion-whole";
    operated.writer.namespace(account);
    settle(operated, account, &household(account, "whole-alice"));
    operated.writer.send(Method::DELETE, &format!("/api/v1/namespaces/{account}"), &Value::Null);
    until_namespace_gone(operated, account);
    operated.check_history(Some(account));
}

#[test]
fn its_objects_may_go_before_it_in_any_order_and_no_deny_goes_before_its_user() {
    let operated = OPERATED.get();
    let orders: [[usize; 5]; 6] =
        [[0, 1, 2, 3, 4], [4, 3, 2, 1, 0], [2, 0, 1, 4, 3], [3, 0, 4, 1, 2], [1, 4, 0, 2, 3], [0, 2, 3, 1, 4]];
    for (number, order) in orders.into_iter().enumerate() {
        let (account, person) = (format!("deletion-{number}"), format!("deletion-alice-{number}"));
        operated.writer.namespace(&account);
        let objects = household(&account, &person);
        settle(operated, &account, &objects);
        let reason = || operated.reason(0, &person, &account);
        assert!(holds_within(PATIENCE, || reason().contains("ExplicitDeny")), "{}", reason());
        for index in order {
            let text = |value: &Value| value.as_str().unwrap().to_owned();
            let (kind, name) = (text(&objects[index]["kind"]), text(&objects[index]["metadata"]["name"]));
            operated.writer.send(Method::DELETE, &path(&kind, &account, &name), &Value::Null);
            let reason = reason();
            assert!(!reason.starts_with("Allow"), "{order:?} after {kind} {name}: {reason}");
            if !operated.get("IamUser", &account, "alice").is_null() {
                assert!(reason.contains("ExplicitDeny"), "{order:?} after {kind} {name}: {reason}");
            }
        }
        operated.writer.send(Method::DELETE, &format!("/api/v1/namespaces/{account}"), &Value::Null);
        until_namespace_gone(operated, &account);
        operated.check_history(Some(&account));
    }
}

#[test]
fn what_another_account_names_is_kept_until_it_lets_go_or_an_administrator_does() {
    let operated = OPERATED.get();
    let account = "deletion-outside";
    operated.writer.namespace(account);
    let name = "deletion-shared";
    operated.writer.create(&reads(MANAGEMENT, name));
    let alice = json!({"policies": [format!("arn:k8s:iam::{MANAGEMENT}:policy/{name}")]});
    operated.writer.create(&object("IamUser", account, "alice", &alice));
    operated.until("IamPolicy", MANAGEMENT, name, "kept", |policy| policy["metadata"]["finalizers"].is_array());
    operated.writer.delete(&reads(MANAGEMENT, name));
    operated.until("IamPolicy", MANAGEMENT, name, "held", |policy| {
        let message = crate::operated::condition(policy, "Ready")["message"].as_str().unwrap_or_default().to_owned();
        message.ends_with("named by 1 object of another account")
    });
    std::thread::sleep(Duration::from_secs(1));
    assert!(!operated.get("IamPolicy", MANAGEMENT, name).is_null());
    // The documented forced path.
    let patch = r#"[{"op": "remove", "path": "/metadata/finalizers"}]"#;
    operated.by_admin(["patch", "iampolicy", name, "-n", MANAGEMENT, "--type", "json", "-p", patch]);
    operated.until_gone("IamPolicy", MANAGEMENT, name);
    operated.until_ready("IamUser", account, "alice", "False", "ReferenceNotFound");
}
