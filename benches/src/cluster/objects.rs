//! The objects that are stored: half policies, half users that name them, over as many accounts as quotas ask for.

use serde_json::{Value, json};

/// Objects of one account.
const PER_ACCOUNT: usize = 1_000;

/// An object, and where it is stored.
pub struct Stored {
    /// Its account.
    pub account: String,
    /// `iamusers` or `iampolicies`.
    pub plural: &'static str,
    /// Its name.
    pub name: String,
    /// The object.
    pub body: Value,
}

// === impl Stored ===

impl Stored {
    /// The path of its collection.
    pub fn collection(&self) -> String {
        format!("/apis/kube-iam.dev/v1alpha1/namespaces/{}/{}", self.account, self.plural)
    }

    /// Its path.
    pub fn path(&self) -> String {
        format!("{}/{}", self.collection(), self.name)
    }
}

/// The accounts of so many objects.
pub fn accounts(number: usize) -> impl Iterator<Item = String> {
    (0..number.div_ceil(PER_ACCOUNT)).map(account)
}

/// The object of a number: a policy, or the user of the policy before. `version` goes into what the policy says.
pub fn object(number: usize, version: usize) -> Stored {
    let (account, pair) = (account(number / PER_ACCOUNT), number / 2);
    let (plural, kind, name, spec) = if number.is_multiple_of(2) {
        let statements = json!([
            {"sid": "Read", "effect": "Allow", "actions": ["k8s:get", "k8s:list", "k8s:watch"],
                "resources": [format!("arn:k8s:core::{account}:configmaps/c{pair}-*")]},
            {"sid": "Deploy", "effect": "Allow", "actions": ["k8s:create", "k8s:update", "k8s:patch"],
                "resources": [format!("arn:k8s:apps::{account}:deployments/d{version}-*")],
                "conditions": [{"operator": "StringEquals", "key": "aws:PrincipalTag/team", "values": ["a", "b"]}]},
            {"sid": "Never", "effect": "Deny", "actions": ["k8s:delete"],
                "resources": [format!("arn:k8s:core::{account}:secrets/*")]},
        ]);
        ("iampolicies", "IamPolicy", format!("p{pair}"), json!({"statements": statements}))
    } else {
        let spec = json!({
            "identities": [{"kind": "User", "name": format!("user-{pair}")}],
            "policies": [format!("p{pair}")],
            "tags": {"team": "a", "version": version.to_string()},
        });
        ("iamusers", "IamUser", format!("u{pair}"), spec)
    };
    let body = json!({
        "apiVersion": "kube-iam.dev/v1alpha1",
        "kind": kind,
        "metadata": {"name": name, "namespace": account},
        "spec": spec,
    });
    Stored { account, plural, name, body }
}

fn account(number: usize) -> String {
    format!("account-{number}")
}
