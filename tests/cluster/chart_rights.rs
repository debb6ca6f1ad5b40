//! The rights that the chart gives are those that kube-iam needs: with them nothing is refused, and none is unused.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};

use crate::chart::{RELEASE, beside, list, object, rendered, text};
use crate::control_plane::deadline::{holds_within, wait_until};
use crate::installed::{Asked, Installed, SELF, iam};
use crate::site::MANAGEMENT;

const SOON: Duration = Duration::from_secs(40);

/// One right of a role.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Right {
    verb: String,
    group: String,
    resource: String,
    name: Option<String>,
    namespace: Option<String>,
}

// === impl Right ===

impl Right {
    fn covers(&self, asked: &Asked) -> bool {
        self.verb == asked.verb
            && self.group == asked.group
            && self.resource == asked.resource
            && self.name.as_ref().is_none_or(|name| *name == asked.name)
            && self.namespace.as_ref().is_none_or(|namespace| *namespace == asked.namespace)
    }
}

/// The rights of a Role or ClusterRole, one by one.
fn rights(role: &Value) -> Vec<Right> {
    let mut rights = Vec::new();
    let namespace = role["metadata"]["namespace"].as_str().map(str::to_owned);
    for rule in list(&role["rules"]) {
        let names: Vec<Option<String>> = match rule["resourceNames"].as_array() {
            Some(names) => names.iter().map(|name| Some(text(name).to_owned())).collect(),
            None => vec![None],
        };
        for (group, resource) in pairs(&rule["apiGroups"], &rule["resources"]) {
            for verb in list(&rule["verbs"]) {
                rights.extend(names.iter().map(|name| Right {
                    verb: text(verb).to_owned(),
                    group: group.clone(),
                    resource: resource.clone(),
                    name: name.clone(),
                    namespace: namespace.clone(),
                }));
            }
        }
    }
    rights
}

fn pairs(groups: &Value, resources: &Value) -> Vec<(String, String)> {
    let mut pairs = Vec::new();
    for group in list(groups) {
        pairs.extend(list(resources).iter().map(|resource| (text(group).to_owned(), text(resource).to_owned())));
    }
    pairs
}

#[test]
fn what_the_chart_permits_is_what_kube_iam_does() {
    let mut installed = Installed::start(&["--mode", "coexist"]);
    let objects = rendered(&beside(9443));
    let mut given = rights(object(&objects, "ClusterRole", RELEASE));
    given.extend(rights(object(&objects, "Role", RELEASE)));

    // Objects of every kind come, are named, change, break and go; somebody asks for a reserved change.
    installed.by_admin(["create", "namespace", "payments"]);
    let allow = json!([{"sid": "A", "effect": "Allow", "actions": ["k8s:get"], "resources": ["*"]}]);
    let trust = json!({"statements": [{"sid": "T", "effect": "Allow", "actions": ["sts:AssumeRole"],
        "principals": ["arn:k8s:iam::payments:user/alice"]}]});
    installed.apply(&[
        iam("IamPolicy", "payments", "read", &json!({"statements": allow})),
        iam("IamGroup", "payments", "readers", &json!({"policies": ["read"]})),
        iam("IamUser", "payments", "alice", &json!({"groups": ["readers", "later"]})),
        iam("IamRole", "payments", "deployer", &json!({"policies": ["read"], "trustPolicy": trust})),
    ]);
    let wait = ["wait", "--for=condition=Ready", "iampolicy/read", "iamgroup/readers", "iamrole/deployer"];
    installed.by_admin(wait.into_iter().chain(["-n", "payments", "--timeout=30s"]));
    // Only RBAC's cluster-admin makes her somebody who may.
    installed.by_admin(["create", "clusterrolebinding", "carol", "--clusterrole=cluster-admin", "--user=carol"]);
    let carol = installed.cluster.client_certificate("carol", &[]);
    let root = ["kube-iam.dev/root-identity=carol", "kube-iam.dev/root-mfa=optional"];
    installed.kubectl(&carol, ["annotate", "namespace", "payments"].into_iter().chain(root)).succeeded();
    // As root she is told about.
    installed.kubectl(&carol, ["get", "configmaps", "-n", "payments"]).succeeded();

    // A replica goes and comes back with the Lease still its own; the registration is made anew.
    installed.kube_iam.stop_gracefully();
    installed.kube_iam.start_again();
    for (kind, name) in [("iamuser", "alice"), ("iamgroup", "readers"), ("iamrole", "deployer"), ("iampolicy", "read")]
    {
        installed.by_admin(["delete", kind, name, "-n", "payments", "--timeout=30s"]);
    }

    // Used a day after a replica has gone for good.
    given.retain(|right| (right.verb.as_str(), right.resource.as_str()) != ("delete", "leases"));
    let unused = |asked: &[Asked]| -> BTreeSet<Right> {
        given.iter().filter(|right| !asked.iter().any(|asked| right.covers(asked))).cloned().collect()
    };
    holds_within(SOON, || unused(&installed.asked()).is_empty());
    let asked = installed.asked();
    let refused: BTreeSet<&Asked> = asked.iter().filter(|asked| asked.code == 403).collect();
    assert!(refused.is_empty(), "refused to {SELF}: {refused:#?}");
    assert!(unused(&asked).is_empty(), "rights that nothing needs: {:#?}", unused(&asked));
    // Nothing goes around the roles, as what everybody may do does.
    let others: BTreeSet<&str> = asked
        .iter()
        .filter(|asked| !given.iter().any(|right| right.covers(asked)))
        .map(|asked| asked.resource.as_str())
        .collect();
    assert!(others.iter().all(|resource| ["selfsubjectreviews", ""].contains(resource)), "{others:?}");
}

#[test]
fn the_rights_are_enough_wherever_the_management_account_is() {
    let installed = Installed::start(&["--management-account", "iam"]);
    installed.by_admin(["create", "namespace", "iam"]);
    assert!(!installed.holder().is_empty());
    let refused: Vec<Asked> = installed.asked().into_iter().filter(|asked| asked.code == 403).collect();
    assert!(refused.is_empty(), "refused to {SELF}: {refused:#?}");
}

#[test]
fn the_registration_trusts_kube_iam_again_when_somebody_made_it_anew() {
    let installed = Installed::start(&["--mode", "coexist"]);
    let before = installed.get("validatingwebhookconfiguration", MANAGEMENT, RELEASE);
    let bundle = |registration: &Value| -> Vec<String> {
        list(&registration["webhooks"]).iter().map(|hook| text(&hook["clientConfig"]["caBundle"]).to_owned()).collect()
    };
    let mut stripped = json!({"apiVersion": before["apiVersion"], "kind": before["kind"],
        "metadata": {"name": RELEASE}, "webhooks": before["webhooks"]});
    for hook in stripped["webhooks"].as_array_mut().unwrap() {
        hook["clientConfig"].as_object_mut().unwrap().remove("caBundle");
    }
    installed.by_admin(["delete", "validatingwebhookconfiguration", RELEASE]);
    installed.cluster.kubectl_with_input(installed.admin(), ["create", "-f", "-"], &stripped.to_string()).succeeded();
    wait_until(SOON, || {
        let now = installed.get("validatingwebhookconfiguration", MANAGEMENT, RELEASE);
        list(&now["webhooks"]).iter().all(|hook| hook["clientConfig"]["caBundle"].is_string())
            && bundle(&now) == bundle(&before)
    });
    installed.wait_until_registered().unwrap();
}
