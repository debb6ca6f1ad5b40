//! IamGroup.

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::schema;
use super::statement::InlinePolicy;
use super::status::{self, Conditions, LastGood};

/// What the members of a group may do, and which Kubernetes groups count as members.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, CustomResource, KubeSchema)]
#[kube(
    group = "kube-iam.dev",
    version = "v1alpha1",
    kind = "IamGroup",
    plural = "iamgroups",
    singular = "iamgroup",
    shortname = "iamgroup",
    category = "iam",
    namespaced,
    doc = "A group of users: its policies hold for every member. Members are listed on the users; a group is never a principal.",
    derive = "PartialEq",
    status = "IamGroupStatus",
    selectable = ".spec.path",
    printcolumn = r#"{"name": "Ready", "type": "string", "jsonPath": ".status.conditions[?(@.type==\"Ready\")].status"}"#,
    printcolumn = r#"{"name": "Members", "type": "integer", "jsonPath": ".status.memberCount"}"#,
    printcolumn = r#"{"name": "Policies", "type": "integer", "jsonPath": ".status.policyCount"}"#,
    printcolumn = r#"{"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"}"#,
    printcolumn = r#"{"name": "ARN", "type": "string", "priority": 1, "jsonPath": ".status.arn"}"#,
    printcolumn = r#"{"name": "Message", "type": "string", "priority": 1, "jsonPath": ".status.conditions[?(@.type==\"Ready\")].message"}"#
)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-preserve-unknown-fields" = true))]
pub struct IamGroupSpec {
    /// The folder of the group in its ARN. Default `/`; begins and ends with `/`; at most 512 characters. Example:
    /// `/teams/`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = schema::PATH))]
    pub path: Option<String>,

    /// The policies of the members: the name of a policy in this account, or the ARN of one in the management account.
    /// Default: none; no duplicates; at most 256 entries. Example: `[read-web]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(max = schema::REFERENCES),
        inner(length(min = 1, max = 2048)),
        extend("x-kubernetes-list-type" = "set")
    )]
    pub policies: Option<Vec<String>>,

    /// Policies that live in this object. Default: none; at most 32. Example: `[{name: own, statements: […]}]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(max = schema::INLINE_POLICIES),
        extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"])
    )]
    pub inline_policies: Option<Vec<InlinePolicy>>,

    /// Names of groups that the API server's authenticator reports. Who is in one of them and is no IamUser of this
    /// account acts as a federated user with this group's policies. Default: none; no duplicates, no `system:` groups;
    /// at most 256 names of 1024 characters. Example: `["oidc:payments-devs"]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(max = schema::REFERENCES),
        inner(length(min = 1, max = schema::IDENTITY_NAME)),
        extend("x-kubernetes-list-type" = "set")
    )]
    pub external_groups: Option<Vec<String>>,
}

/// What kube-iam made of a group.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct IamGroupStatus {
    /// The generation of the object that this status speaks about. Example: `3`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,

    /// Where the group stands; wait for `Ready`. At most 16 conditions, one per type.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = status::CONDITIONS),
        extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"])
    )]
    pub conditions: Conditions,

    /// The group's ARN. Example: `arn:k8s:iam::payments:group/developers`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048))]
    pub arn: Option<String>,

    /// The group's unique id: a group of the same name that is created later has another one. Example:
    /// `KIAGQWERTYUIOPASDFGH`.
    #[serde(default, rename = "groupID", skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub group_id: Option<String>,

    /// How many users name this group. Example: `12`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub member_count: Option<i64>,

    /// How many policies the group has, inline ones included. Example: `2`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy_count: Option<i64>,

    /// The revision of the snapshot in which this form of the group came into force. Example: `17`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<i64>,

    /// The last valid form of the group, there while its present form is not valid: what it denied stays denied on every
    /// replica. It can only refuse, never grant. Absent while the group is valid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_good: Option<LastGood>,
}
