//! Each object says how it stands.

use std::time::Duration;

use serde_json::{Value, json};

use crate::control_plane::deadline::holds_within;
use crate::followed::object;
use crate::operated::{OPERATED, condition, reads, statements};
use crate::site::MANAGEMENT;

/// A status without what differs from run to run.
fn bare(object: &Value, id: &str) -> Value {
    let mut status = object["status"].clone();
    for condition in status["conditions"].as_array_mut().unwrap() {
        condition.as_object_mut().unwrap().remove("lastTransitionTime");
    }
    let found = status[id].as_str().unwrap().to_owned();
    assert!(found.len() == 20 && found.starts_with("KIA"), "{found}");
    assert!(status["revision"].as_i64().unwrap() > 0);
    status.as_object_mut().unwrap().remove("revision");
    status.as_object_mut().unwrap().remove(id);
    status
}

fn in_force(generation: i64) -> Value {
    json!([
        {"type": "Ready", "status": "True", "observedGeneration": generation, "reason": "InForce",
         "message": "in force on every replica"},
        {"type": "Enforced", "status": "True", "observedGeneration": generation, "reason": "EveryReplica",
         "message": "1 of 1 replicas run this version"},
    ])
}

#[test]
fn every_kind_says_who_it_is_and_how_it_stands() {
    let operated = OPERATED.get();
    let account = "status-kinds";
    operated.writer.namespace(account);
    operated.writer.create(&reads(account, "read"));
    operated.writer.create(&object("IamGroup", account, "devs", &json!({"path": "/teams/", "policies": ["read"]})));
    let alice = json!({
        "groups": ["devs"], "policies": ["read"], "permissionsBoundary": "read",
        "inlinePolicies": [{"name": "own", "statements": statements("Deny")}],
    });
    operated.writer.create(&object("IamUser", account, "alice", &alice));
    let trust = json!([{"sid": "Who", "effect": "Allow", "principals": [account], "actions": ["sts:AssumeRole"]}]);
    let role = json!({"policies": ["read"], "maxSessionDuration": "90m", "trustPolicy": {"statements": trust}});
    operated.writer.create(&object("IamRole", account, "deployer", &role));

    let user = operated.until_ready("IamUser", account, "alice", "True", "InForce");
    assert_eq!(
        bare(&user, "userID"),
        json!({
            "observedGeneration": 1, "conditions": in_force(1), "arn": format!("arn:k8s:iam::{account}:user/alice"),
            "groupCount": 1, "policyCount": 2, "mfaDeviceCount": 0, "accessKeyCount": 0,
        })
    );
    let role = operated.until_ready("IamRole", account, "deployer", "True", "InForce");
    assert_eq!(
        bare(&role, "roleID"),
        json!({
            "observedGeneration": 1, "conditions": in_force(1), "arn": format!("arn:k8s:iam::{account}:role/deployer"),
            "policyCount": 1, "maxSessionDuration": "1h30m", "trustedPrincipalCount": 1,
        })
    );
    let group = operated.until("IamGroup", account, "devs", "one member", |group| group["status"]["memberCount"] == 1);
    assert_eq!(
        bare(&group, "groupID"),
        json!({
            "observedGeneration": 1, "conditions": in_force(1),
            "arn": format!("arn:k8s:iam::{account}:group/teams/devs"), "policyCount": 1, "memberCount": 1,
        })
    );
    let policy =
        operated.until("IamPolicy", account, "read", "attached", |policy| policy["status"]["attachmentCount"] == 3);
    assert_eq!(
        bare(&policy, "policyID"),
        json!({
            "observedGeneration": 1, "conditions": in_force(1), "arn": format!("arn:k8s:iam::{account}:policy/read"),
            "type": "Managed", "statementCount": 1, "attachmentCount": 3, "findingCount": 1,
            "findings": [{
                "code": "K8S_WILDCARD_COVERS_PRIVILEGE_TRANSITION", "severity": "SecurityWarning",
                "path": "spec.statements[0].resources[0]",
                "message": "`k8s:get` on `*` reaches a privilege transition: read Secrets (list and watch return their \
                            contents, too)",
            }],
        })
    );
    // What another test had kubectl remember may be older than the kinds.
    let fresh = std::env::temp_dir().join(format!("kube-iam-discovery-{}", std::process::id()));
    let cache = format!("--cache-dir={}", fresh.display());
    let printed = operated.by_admin(["get", "iam", "-n", account, &cache]);
    let _ = std::fs::remove_dir_all(&fresh);
    assert!(printed.contains("iamuser.kube-iam.dev/alice") && printed.contains("True"), "{printed}");
    operated.check_history(Some(account));
}

#[test]
fn kubectl_wait_waits_until_an_object_is_in_force() {
    let operated = OPERATED.get();
    let account = "status-wait";
    operated.writer.namespace(account);
    operated.send(["apply", "-f", "-"], &reads(account, "read").to_string());
    let wait = ["wait", "--for=condition=Ready", "iampolicy/read", "-n", account, "--timeout=20s"];
    operated.by_admin(wait);
    // A change is not ready because its predecessor was.
    let changed = json!({"statements": statements("Deny")});
    operated.writer.respecify(&reads(account, "read"), &changed);
    let policy = operated.until_ready("IamPolicy", account, "read", "True", "InForce");
    assert_eq!(policy["status"]["observedGeneration"], 2);
    operated.check_history(Some(account));
}

#[test]
fn an_invalid_policy_says_why_keeps_its_denies_and_heals() {
    let operated = OPERATED.get();
    let account = "status-invalid";
    operated.writer.namespace(account);
    let good = json!({"statements": statements("Deny")});
    let policy = object("IamPolicy", account, "no", &good);
    operated.writer.create(&policy);
    let alice = json!({"identities": [{"kind": "User", "name": "status-alice"}], "policies": ["no"]});
    operated.writer.create(&object("IamUser", account, "alice", &alice));
    let first = operated.until_ready("IamPolicy", account, "no", "True", "InForce");
    let denied = || operated.reason(0, "status-alice", account).contains("ExplicitDeny");
    assert!(holds_within(Duration::from_secs(10), denied), "{}", operated.reason(0, "status-alice", account));

    let broken = json!({"statements": [{"sid": "Read", "effect": "Deny", "action": ["k8s:get"], "resources": ["*"]}]});
    operated.writer.respecify(&policy, &broken);
    let invalid = operated.until_ready("IamPolicy", account, "no", "False", "PolicyInvalid");
    let ready = condition(&invalid, "Ready");
    let message = ready["message"].as_str().unwrap();
    assert!(
        message.starts_with("spec.statements[0]: missing `actions`") && message.contains("1 finding more"),
        "{message}"
    );
    assert!(message.ends_with("what it denied stays denied"), "{message}");
    assert_eq!(condition(&invalid, "Stalled")["status"], "True");
    assert_eq!(invalid["status"]["lastGood"], json!({"generation": 1, "spec": good}));
    assert!(invalid["status"]["findingCount"].as_i64().unwrap() >= 1);
    assert_eq!(invalid["status"]["findings"][0]["severity"], "Error");
    assert!(denied());
    let told = holds_within(Duration::from_secs(10), || {
        operated.by_admin(["get", "events", "-n", account]).contains("PolicyInvalid")
    });
    assert!(told, "{}", operated.by_admin(["get", "events", "-n", account]));

    operated.writer.respecify(&policy, &good);
    let healed = operated.until_ready("IamPolicy", account, "no", "True", "InForce");
    assert_eq!((&healed["status"]["lastGood"], &healed["status"]["findings"]), (&Value::Null, &Value::Null));
    assert_eq!(healed["status"]["policyID"], first["status"]["policyID"]);
    assert_ne!(condition(&healed, "Ready")["lastTransitionTime"], Value::Null);
    operated.check_history(Some(account));
}

#[test]
fn what_only_a_person_can_put_right_is_stalled() {
    let operated = OPERATED.get();
    let account = "status-stalled";
    operated.writer.namespace(account);
    let claim = json!({"identities": [{"kind": "User", "name": "stalled-person"}]});
    operated.writer.create(&object("IamUser", account, "first", &claim));
    operated.until_ready("IamUser", account, "first", "True", "InForce");
    operated.writer.create(&object("IamUser", account, "second", &claim));
    for name in ["first", "second"] {
        let user = operated.until_ready("IamUser", account, name, "False", "IdentityConflict");
        assert_eq!(condition(&user, "Stalled")["status"], "True");
        assert_eq!(condition(&user, "Enforced")["reason"], "IdentityConflict");
    }
    // One lets go, and both heal, the one that was not touched too.
    operated.writer.respecify(&object("IamUser", account, "second", &json!({})), &json!({}));
    for name in ["first", "second"] {
        operated.until_ready("IamUser", account, name, "True", "InForce");
    }
    let principals =
        json!([{"sid": "No", "effect": "Deny", "principals": ["*"], "actions": ["k8s:*"], "resources": ["*"]}]);
    let guardrail = json!({"type": "ResourceControl", "statements": principals});
    operated.writer.create(&object("IamPolicy", account, "elsewhere", &guardrail));
    let elsewhere = operated.until_ready("IamPolicy", account, "elsewhere", "False", "NotManagementAccount");
    assert!(condition(&elsewhere, "Ready")["message"].as_str().unwrap().contains(MANAGEMENT));
    operated.check_history(Some(account));
}

#[test]
fn what_this_version_does_not_do_is_said_and_holds_nothing_up() {
    let operated = OPERATED.get();
    let account = "status-asks";
    operated.writer.namespace(account);
    let asks = json!({
        "disabled": true,
        "mfaDevices": [{"name": "phone", "type": "totp"}],
        "accessKeys": [{"name": "ci"}],
    });
    operated.writer.create(&object("IamUser", account, "alice", &asks));
    let user = operated.until_ready("IamUser", account, "alice", "True", "InForce");
    assert!(condition(&user, "Ready")["message"].as_str().unwrap().contains("everything is denied"));
    for kind in ["MFAReady", "CredentialsReady"] {
        let found = condition(&user, kind);
        assert_eq!((&found["status"], &found["reason"]), (&json!("False"), &json!("NotSupported")), "{found}");
    }
    operated.writer.respecify(&object("IamUser", account, "alice", &asks), &json!({}));
    let user = operated.until_ready("IamUser", account, "alice", "True", "InForce");
    assert_eq!(user["status"]["conditions"].as_array().unwrap().len(), 2);
    operated.check_history(Some(account));
}

#[test]
fn a_thousand_broken_objects_hold_no_good_one_up() {
    let operated = OPERATED.get();
    let account = "status-broken";
    operated.writer.namespace(account);
    for index in 0..1_000 {
        let spec = json!({"statements": [{"sid": "A", "effect": "Deny", "nonsense": index}]});
        operated.writer.create(&object("IamPolicy", account, &format!("broken-{index}"), &spec));
    }
    operated.writer.create(&reads(account, "good"));
    let wait = ["wait", "--for=condition=Ready", "iampolicy/good", "-n", account, "--timeout=20s"];
    operated.by_admin(wait);
    for index in [0, 500, 999] {
        operated.until_ready("IamPolicy", account, &format!("broken-{index}"), "False", "PolicyInvalid");
    }
}
