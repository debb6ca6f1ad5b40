//! IamRole.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::schema::{self, Document, Tags};
use super::statement::{InlinePolicy, Statement};
use super::status::{self, Conditions, LastGood};
use super::user::Sessions;
use crate::policy::limits::STATEMENTS;

/// Who may assume a role, and what the role may do.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, CustomResource, KubeSchema)]
#[kube(
    group = "kube-iam.dev",
    version = "v1alpha1",
    kind = "IamRole",
    plural = "iamroles",
    singular = "iamrole",
    shortname = "iamrole",
    category = "iam",
    namespaced,
    doc = "A role: permissions that whoever its trust policy names can take on for a session, in place of their own.",
    derive = "PartialEq",
    status = "IamRoleStatus",
    selectable = ".spec.path",
    printcolumn = r#"{"name": "Ready", "type": "string", "jsonPath": ".status.conditions[?(@.type==\"Ready\")].status"}"#,
    printcolumn = r#"{"name": "Max-Session", "type": "string", "jsonPath": ".status.maxSessionDuration"}"#,
    printcolumn = r#"{"name": "Trusts", "type": "integer", "jsonPath": ".status.trustedPrincipalCount"}"#,
    printcolumn = r#"{"name": "Last-Used", "type": "date", "jsonPath": ".status.lastUsed"}"#,
    printcolumn = r#"{"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"}"#,
    printcolumn = r#"{"name": "ARN", "type": "string", "priority": 1, "jsonPath": ".status.arn"}"#,
    printcolumn = r#"{"name": "Message", "type": "string", "priority": 1, "jsonPath": ".status.conditions[?(@.type==\"Ready\")].message"}"#
)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-preserve-unknown-fields" = true))]
pub struct IamRoleSpec {
    /// The folder of the role in its ARN. Default `/`; begins and ends with `/`; at most 512 characters. Example:
    /// `/deploy/`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = schema::PATH))]
    pub path: Option<String>,

    /// Facts about the role that conditions read as `aws:PrincipalTag/…`. Default: none; at most 50, keys of 128 and
    /// values of 256 characters. Example: `{team: payments}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::tags")]
    pub tags: Option<Tags>,

    /// Who may assume the role. Required. Example:
    /// `{statements: [{sid: Who, effect: Allow, principals: ["arn:k8s:iam::payments:user/alice"], actions: ["sts:AssumeRole"]}]}`.
    pub trust_policy: TrustPolicy,

    /// The policies of the role: the name of a policy in this account, or the ARN of one in the management account.
    /// Default: none; no duplicates; at most 256 entries. Example: `[deploy]`.
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

    /// A policy that the role's permissions never exceed: its name in this account, or its ARN in the management
    /// account. Default: no boundary; null is an error; while the policy is missing the role is allowed nothing.
    /// Example: `limits`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048))]
    pub permissions_boundary: Option<String>,

    /// How long a session of the role may last, in hours (`h`), minutes (`m`) and seconds (`s`). Default `1h`; from
    /// `1h` to `12h`. Example: `8h`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = schema::DURATION))]
    #[x_kube(
        validation = (
            "duration(self) >= duration('1h') && duration(self) <= duration('12h')",
            "maxSessionDuration is from 1h to 12h"
        )
    )]
    pub max_session_duration: Option<String>,

    /// Which sessions of the role have ended. No default. Example: `{revokeIssuedBefore: "2026-01-01T00:00:00Z"}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sessions: Option<Sessions>,
}

/// Who may assume a role.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-preserve-unknown-fields" = true))]
#[x_kube(validation = ("has(self.statements) != has(self.document)", "write exactly one of statements and document"))]
pub struct TrustPolicy {
    /// Who may assume the role, as typed statements with `principals` and without `resources`. Exactly one of
    /// `statements` and `document` is needed; at most 128 statements. Example:
    /// `[{sid: Who, effect: Allow, principals: ["arn:k8s:iam::payments:user/alice"], actions: ["sts:AssumeRole"]}]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(max = STATEMENTS),
        extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["sid"])
    )]
    pub statements: Option<Vec<Statement>>,

    /// Who may assume the role, as an AWS policy document pasted unchanged. Exclusive with `statements`; at most 131072
    /// characters. Example:
    /// `{Version: "2012-10-17", Statement: [{Effect: Allow, Principal: {AWS: payments}, Action: "sts:AssumeRole"}]}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::document")]
    pub document: Option<Document>,
}

/// What kube-iam made of a role.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct IamRoleStatus {
    /// The generation of the object that this status speaks about. Example: `3`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,

    /// Where the role stands; wait for `Ready`. At most 16 conditions, one per type.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = status::CONDITIONS),
        extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"])
    )]
    pub conditions: Conditions,

    /// The role's ARN. Example: `arn:k8s:iam::payments:role/deployer`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048))]
    pub arn: Option<String>,

    /// The role's unique id: a role of the same name that is created later has another one. Example:
    /// `KIARQWERTYUIOPASDFGH`.
    #[serde(default, rename = "roleID", skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub role_id: Option<String>,

    /// How long a session of the role may last, the default filled in. Example: `1h`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = schema::DURATION))]
    pub max_session_duration: Option<String>,

    /// How many entries of principals the trust policy allows. Example: `1`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trusted_principal_count: Option<i64>,

    /// How many policies the role has, inline ones included. Example: `2`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy_count: Option<i64>,

    /// When a session of the role last made a request, in UTC; absent if never. Example: `2026-02-03T04:15:00Z`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_used: Option<Time>,

    /// The revision of the snapshot in which this form of the role came into force. Example: `17`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<i64>,

    /// The last valid form of the role, there while its present form is not valid: what it denied stays denied on every
    /// replica. It can only refuse, never grant. Absent while the role is valid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_good: Option<LastGood>,
}
