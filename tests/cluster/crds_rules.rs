//! What the API server refuses by the schema alone, whoever writes it.

use serde_json::{Value, json};

use crate::crds;

#[test]
fn the_schema_refuses_what_cannot_be_meant() {
    let site = crds::installed();
    site.account("rules");
    let statement = json!({"sid": "A", "effect": "Allow", "actions": ["k8s:get"], "resources": ["*"]});
    let statements = json!([statement]);
    let document = json!({"Statement": []});
    let service_account = json!({"kind": "ServiceAccount", "name": "ci"});
    let role = |duration| {
        let who = json!({"sid": "A", "effect": "Allow", "principals": ["x"], "actions": ["sts:AssumeRole"]});
        json!({"trustPolicy": {"statements": [who]}, "maxSessionDuration": duration})
    };
    let inline = |policy: Value| json!({"inlinePolicies": [policy]});
    let cases = [
        ("IamPolicy", json!({}), "write exactly one of statements and document"),
        (
            "IamPolicy",
            json!({"statements": statements, "document": document}),
            "write exactly one of statements and document",
        ),
        ("IamPolicy", json!({"statements": [statement, statement]}), "Duplicate value"),
        ("IamPolicy", json!({"statements": [{"effect": "Allow"}]}), "sid"),
        (
            "IamPolicy",
            json!({"statements": [{"sid": "A", "effect": "allow"}]}),
            "supported values: \"Allow\", \"Deny\"",
        ),
        ("IamPolicy", json!({"statements": "A"}), "must be of type array"),
        ("IamPolicy", json!({"statements": statements, "type": "SCP"}), "Unsupported value: \"SCP\""),
        ("IamPolicy", json!({"statements": statements, "path": ""}), "spec.path"),
        (
            "IamPolicy",
            json!({"statements": [{"sid": "A", "effect": "Allow", "actions": "k8s:get"}]}),
            "must be of type array",
        ),
        ("IamUser", json!({"identities": [service_account]}), "an identity of kind ServiceAccount needs a namespace"),
        (
            "IamUser",
            json!({"identities": [{"kind": "User", "name": "ann", "namespace": "x"}]}),
            "an identity of kind User has no namespace",
        ),
        ("IamUser", json!({"groups": ["a", "a"]}), "Duplicate value"),
        ("IamUser", inline(json!({"name": "own"})), "write exactly one of statements and document"),
        ("IamUser", inline(json!({"statements": statements})), "name"),
        ("IamGroup", json!({"externalGroups": [""]}), "externalGroups"),
        ("IamRole", json!({}), "trustPolicy"),
        ("IamRole", role("13h"), "maxSessionDuration is from 1h to 12h"),
        ("IamRole", role("59m"), "maxSessionDuration is from 1h to 12h"),
        ("IamRole", role("1 hour"), "maxSessionDuration"),
        ("IamRole", json!({"trustPolicy": {}}), "write exactly one of statements and document"),
    ];
    for (kind, spec, why) in cases {
        let object = json!({
            "apiVersion": "kube-iam.dev/v1alpha1", "kind": kind,
            "metadata": {"name": "bad", "namespace": "rules"}, "spec": spec,
        });
        let output = site.kubectl_with_input(site.admin(), ["create", "-f", "-"], &object.to_string());
        assert!(!output.status.success(), "{kind} {spec} is accepted");
        assert!(
            output.stderr.contains("is invalid") && output.stderr.contains(why),
            "{kind} {spec}: {}",
            output.stderr
        );
    }
}

#[test]
fn the_type_of_a_policy_stays_what_it_is() {
    let site = crds::installed();
    site.account("rules-type");
    let policy = |spec: Value| {
        let metadata = json!({"name": "p", "namespace": "rules-type"});
        json!({"apiVersion": "kube-iam.dev/v1alpha1", "kind": "IamPolicy", "metadata": metadata, "spec": spec})
            .to_string()
    };
    let statements =
        json!([{"sid": "A", "effect": "Deny", "principals": ["*"], "actions": ["k8s:get"], "resources": ["*"]}]);
    site.apply(&policy(json!({"statements": statements})));
    site.apply(&policy(json!({"statements": statements, "type": "Managed"})));
    let resource = policy(json!({"statements": statements, "type": "Resource"}));
    let refusal = site.kubectl_with_input(site.admin(), ["apply", "-f", "-"], &resource).failed();
    assert!(refusal.contains("type is immutable; create another policy instead"), "{refusal}");
    let by_type = ["get", "iampolicies", "-A", "--field-selector=spec.type=Managed,metadata.name=p", "-o", "name"];
    assert_eq!(site.by_admin(by_type), "iampolicy.kube-iam.dev/p\n");
}
