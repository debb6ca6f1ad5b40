//! What becomes of a null, an empty list and an unknown key on the way through an API server, by every way in; and that
//! what arrived is refused where it stands.
//!
//! They narrow a policy: dropped on the way, a condition would leave an unconditioned Allow behind.

use std::collections::BTreeMap;

use ::kube_iam::policy::tree::Node;
use ::kube_iam::world::{self, Declaration};
use serde_json::{Value, json};

use crate::crds;
use crate::site::Site;

const UNKNOWN: &str = "conditoins";

/// One object with something wrong in one place.
struct Row {
    name: String,
    kind: &'static str,
    spec: Value,
    /// JSON pointer to the place, from `spec`.
    place: String,
}

/// How an object gets in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Apply,
    ApplyOverGood,
    ServerSideApply,
    Create,
    Replace,
    Raw,
}

impl Row {
    fn wrong(&self) -> &Value {
        self.spec.pointer(&self.place).unwrap()
    }

    fn object(&self, account: &str, spec: &Value) -> Value {
        let metadata = json!({"name": self.name, "namespace": account});
        json!({"apiVersion": "kube-iam.dev/v1alpha1", "kind": self.kind, "metadata": metadata, "spec": spec})
    }

    /// As a finding names the place: `spec.statements[0].conditions`.
    fn path(&self) -> String {
        let step = |step: &str| match step.parse::<usize>() {
            Ok(index) => format!("[{index}]"),
            Err(_) if step.contains(':') => format!("[\"{step}\"]"),
            Err(_) => format!(".{step}"),
        };
        format!("spec{}", self.place.split('/').skip(1).map(step).collect::<String>())
    }
}

/// Good objects.
fn goods() -> Vec<(&'static str, Value)> {
    let condition = || json!({"operator": "StringEquals", "key": "k8s:User", "values": ["ann"]});
    let statement = |more: Value| {
        let mut statement = json!({"sid": "A", "effect": "Allow", "conditions": [condition()]});
        statement.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!([statement])
    };
    let plain = || statement(json!({"actions": ["k8s:get"], "resources": ["*"]}));
    let who = || json!({"statements": statement(json!({"principals": ["x"], "actions": ["sts:AssumeRole"]}))});
    let labels = json!({"matchLabels": {"env": "prod"}, "matchExpressions": [{"key": "a", "operator": "Exists"}]});
    let deny = json!([{"sid": "A", "effect": "Deny", "principals": ["*"], "actions": ["k8s:get"], "resources": ["*"]}]);
    let document = json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Effect": "Allow", "Action": ["k8s:get"], "Resource": ["*"], "Condition": {"StringEquals": {"k8s:User": ["ann"]}},
        }],
    });
    vec![
        ("IamPolicy", json!({"statements": plain()})),
        (
            "IamPolicy",
            json!({"statements": statement(json!({"notActions": ["k8s:get"], "notResources": ["arn:k8s:core::x:configmaps/*"]}))}),
        ),
        ("IamPolicy", json!({"document": document})),
        (
            "IamPolicy",
            json!({
                "type": "Resource",
                "targets": {"resources": ["arn:k8s:core::x:configmaps/y"]},
                "statements": statement(json!({"principals": ["*"], "actions": ["k8s:get"], "resources": ["*"]})),
            }),
        ),
        (
            "IamPolicy",
            json!({
                "type": "Resource",
                "targets": {"resources": ["arn:k8s:core::x:configmaps/y"]},
                "statements": statement(json!({"effect": "Deny", "notPrincipals": ["x"], "actions": ["k8s:get"]})),
            }),
        ),
        (
            "IamPolicy",
            json!({
                "type": "ResourceControl",
                "targets": {"accounts": ["prod"], "accountSelector": labels},
                "statements": deny,
            }),
        ),
        (
            "IamUser",
            json!({
                "permissionsBoundary": "limits",
                "identities": [{"kind": "User", "name": "ann"}],
                "inlinePolicies": [{"name": "own", "statements": plain()}],
                "mfaDevices": [{"name": "phone", "type": "totp"}],
                "accessKeys": [{"name": "ci", "deliverTo": {"secretName": "ci-key"}}],
                "sessions": {"revokeIssuedBefore": "2026-01-01T00:00:00Z"},
            }),
        ),
        ("IamGroup", json!({"inlinePolicies": [{"name": "own", "document": document}]})),
        (
            "IamRole",
            json!({
                "permissionsBoundary": "limits",
                "trustPolicy": who(),
                "inlinePolicies": [{"name": "own", "statements": plain()}],
                "sessions": {"revokeIssuedBefore": "2026-01-01T00:00:00Z"},
            }),
        ),
    ]
}

const NARROWING: [&str; 14] = [
    "conditions",
    "values",
    "principals",
    "notPrincipals",
    "actions",
    "notActions",
    "resources",
    "notResources",
    "accounts",
    "permissionsBoundary",
    "Action",
    "Resource",
    "Condition",
    "k8s:User",
];

/// Every place of a value, as JSON pointers.
fn places(value: &Value, at: &str, found: &mut Vec<String>) {
    found.push(at.to_owned());
    match value {
        Value::Object(map) => map.iter().for_each(|(key, child)| places(child, &format!("{at}/{key}"), found)),
        Value::Array(list) => list.iter().enumerate().for_each(|(i, child)| places(child, &format!("{at}/{i}"), found)),
        _ => {}
    }
}

/// Everything that narrows, once null and once empty, and an unknown key in every map.
fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    for (kind, good) in goods() {
        let mut all = Vec::new();
        places(&good, "", &mut all);
        for place in all {
            let key = place.rsplit('/').next().unwrap();
            let mut wrongs = Vec::new();
            let value = good.pointer(&place).unwrap();
            if NARROWING.contains(&key) {
                wrongs.push((place.clone(), json!(null)));
                // Of an AWS document AWS takes an empty list of values, which nothing matches.
                if value.is_array() && key != "k8s:User" {
                    wrongs.push((place.clone(), json!([])));
                }
            }
            // Labels and condition keys are free.
            if value.is_object() && !["matchLabels", "StringEquals"].contains(&key) {
                wrongs.push((format!("{place}/{UNKNOWN}"), json!([{"operator": "Bool"}])));
            }
            for (place, wrong) in wrongs {
                let mut spec = good.clone();
                let (parent, key) = place.rsplit_once('/').unwrap();
                spec.pointer_mut(parent).unwrap()[key] = wrong;
                rows.push(Row { name: format!("row-{}", rows.len()), kind, spec, place });
            }
        }
    }
    rows
}

fn list(objects: Vec<Value>) -> String {
    json!({"apiVersion": "v1", "kind": "List", "items": objects}).to_string()
}

/// Sends all rows in, and returns what is stored, by name.
#[track_caller]
fn stored(site: &Site, account: &str, rows: &[Row], way: Way) -> BTreeMap<String, Value> {
    let goods: BTreeMap<&str, Value> = goods().into_iter().collect();
    let wrong = || list(rows.iter().map(|row| row.object(account, &row.spec)).collect());
    let good = || list(rows.iter().map(|row| row.object(account, &good_of(row, &goods))).collect());
    let run = |arguments: &[&str], input: &str| {
        site.kubectl_with_input(site.admin(), arguments.iter().copied(), input).succeeded();
    };
    match way {
        Way::Apply => run(&["apply", "-f", "-"], &wrong()),
        Way::ApplyOverGood => {
            run(&["apply", "-f", "-"], &good());
            run(&["apply", "-f", "-"], &wrong());
        }
        Way::ServerSideApply => run(&["apply", "--server-side", "-f", "-"], &wrong()),
        Way::Create => run(&["create", "-f", "-"], &wrong()),
        Way::Replace => {
            run(&["create", "-f", "-"], &good());
            run(&["replace", "-f", "-"], &wrong());
        }
        Way::Raw => {
            for row in rows {
                let plural =
                    if row.kind == "IamPolicy" { "iampolicies".to_owned() } else { row.kind.to_lowercase() + "s" };
                let path = format!("/apis/kube-iam.dev/v1alpha1/namespaces/{account}/{plural}");
                run(&["create", "--raw", &path, "-f", "-"], &row.object(account, &row.spec).to_string());
            }
        }
    }
    let found = site.by_admin(["get", "iam", "-n", account, "-o", "json"]);
    let found: Value = serde_json::from_str(&found).unwrap();
    let named = |object: &Value| (object["metadata"]["name"].as_str().unwrap().to_owned(), object.clone());
    found["items"].as_array().unwrap().iter().map(named).collect()
}

/// A good object that may become the row's: a policy keeps its type.
fn good_of(row: &Row, goods: &BTreeMap<&str, Value>) -> Value {
    let mut good = if row.kind == "IamPolicy" {
        json!({"statements": [{"sid": "B", "effect": "Deny", "principals": ["*"], "actions": ["k8s:get"], "resources": ["*"]}]})
    } else {
        goods[row.kind].clone()
    };
    if let Some(policy_type) = row.spec.get("type") {
        good["type"] = policy_type.clone();
    }
    good
}

/// Where the world refuses an object, and why.
fn refused_at(object: &Value) -> Vec<(String, String)> {
    match Declaration::read(&Node::from(object), None).unwrap() {
        Declaration::Object(object) => {
            world::check(&object).into_iter().map(|finding| (finding.path, finding.message)).collect()
        }
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn assert_arrives(account: &str, way: Way) {
    let site = crds::installed();
    site.account(account);
    let rows = rows();
    assert!(rows.len() > 60, "{}", rows.len());
    let stored = stored(site, account, &rows, way);
    let mut wrongs = Vec::new();
    for row in &rows {
        let object = &stored[&row.name];
        let place = format!("/spec{}", row.place);
        let about = format!("{} {} = {}", row.kind, row.path(), row.wrong());
        let kubectl_drops_it = row.wrong().is_null() && matches!(way, Way::Apply | Way::ApplyOverGood);
        if kubectl_drops_it {
            let applied = &object["metadata"]["annotations"]["kubectl.kubernetes.io/last-applied-configuration"];
            let applied: Value = serde_json::from_str(applied.as_str().unwrap()).unwrap();
            if object.pointer(&place).is_some() || applied.pointer(&place) != Some(&Value::Null) {
                wrongs.push(format!("{about}: is not dropped, or is not in the annotation: {object}"));
            }
            continue;
        }
        if object.pointer(&place) != Some(row.wrong()) {
            wrongs.push(format!("{about}: does not arrive: {object}"));
            continue;
        }
        let findings = refused_at(object);
        let path = row.path();
        let is_named = |(at, message): &(String, String)| {
            // An unknown key is named at its map, too.
            let map = path.strip_suffix(&format!(".{UNKNOWN}"));
            *at == path || map == Some(at) && message.contains(&format!("`{UNKNOWN}`"))
        };
        if !findings.iter().any(is_named) {
            wrongs.push(format!("{about}: refused at {findings:?}"));
        }
    }
    assert!(wrongs.is_empty(), "{way:?}, {} of {} rows:\n{}", wrongs.len(), rows.len(), wrongs.join("\n"));
}

#[test]
fn the_good_objects_of_the_table_are_good() {
    for (kind, spec) in goods() {
        let row = Row { name: "good".to_owned(), kind, spec: spec.clone(), place: String::new() };
        assert_eq!(refused_at(&row.object("x", &spec)), Vec::new(), "{kind} {spec}");
    }
}

#[test]
fn apply_drops_nulls_and_brings_the_rest() {
    assert_arrives("narrowing-apply", Way::Apply);
}

#[test]
fn apply_over_a_good_object_drops_nulls_and_brings_the_rest() {
    assert_arrives("narrowing-apply-over", Way::ApplyOverGood);
}

#[test]
fn server_side_apply_brings_everything() {
    assert_arrives("narrowing-ssa", Way::ServerSideApply);
}

#[test]
fn create_brings_everything() {
    assert_arrives("narrowing-create", Way::Create);
}

#[test]
fn replace_brings_everything() {
    assert_arrives("narrowing-replace", Way::Replace);
}

#[test]
fn a_raw_post_brings_everything() {
    assert_arrives("narrowing-raw", Way::Raw);
}
