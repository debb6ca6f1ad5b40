//! IamPolicy.

use std::collections::BTreeMap;

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::schema::{self, Document};
use super::statement::Statement;
use super::status::{self, Conditions, LastGood};
use crate::policy::limits::{LIST_ENTRIES, STATEMENTS, STRING_BYTES};

/// What a policy says, what it is for, and what it is attached to.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, CustomResource, KubeSchema)]
#[kube(
    group = "kube-iam.dev",
    version = "v1alpha1",
    kind = "IamPolicy",
    plural = "iampolicies",
    singular = "iampolicy",
    shortname = "iampolicy",
    category = "iam",
    namespaced,
    doc = "A policy: statements that allow or deny actions on resources. It acts through what names it: users, groups and roles (Managed), resources (Resource) or accounts (ServiceControl, ResourceControl).",
    derive = "PartialEq",
    status = "IamPolicyStatus",
    selectable = ".spec.path",
    selectable = ".spec.type",
    printcolumn = r#"{"name": "Ready", "type": "string", "jsonPath": ".status.conditions[?(@.type==\"Ready\")].status"}"#,
    printcolumn = r#"{"name": "Type", "type": "string", "jsonPath": ".status.type"}"#,
    printcolumn = r#"{"name": "Statements", "type": "integer", "jsonPath": ".status.statementCount"}"#,
    printcolumn = r#"{"name": "Attached", "type": "integer", "jsonPath": ".status.attachmentCount"}"#,
    printcolumn = r#"{"name": "Findings", "type": "integer", "jsonPath": ".status.findingCount"}"#,
    printcolumn = r#"{"name": "Revision", "type": "integer", "jsonPath": ".status.revision"}"#,
    printcolumn = r#"{"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"}"#,
    printcolumn = r#"{"name": "ARN", "type": "string", "priority": 1, "jsonPath": ".status.arn"}"#,
    printcolumn = r#"{"name": "Message", "type": "string", "priority": 1, "jsonPath": ".status.conditions[?(@.type==\"Ready\")].message"}"#
)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-preserve-unknown-fields" = true))]
#[x_kube(
    validation = ("has(self.statements) != has(self.document)", "write exactly one of statements and document"),
    validation = (
        "(has(self.type) ? self.type : 'Managed') == (has(oldSelf.type) ? oldSelf.type : 'Managed')",
        "type is immutable; create another policy instead"
    )
)]
pub struct IamPolicySpec {
    /// What the policy is for, in words. No default; at most 1000 characters. Example: `Developers read what runs`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1000))]
    pub description: Option<String>,

    /// The folder of the policy in its ARN. Default `/`; begins and ends with `/`; at most 512 characters. Example:
    /// `/baseline/`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = schema::PATH))]
    pub path: Option<String>,

    /// What the policy is attached to. Default `Managed`: users, groups and roles that name it. `Resource`: the
    /// resources in `targets`, which needs `principals` in its statements. `ServiceControl`: caps the principals of
    /// accounts; `ResourceControl`: protects what is in accounts; both only in the management account. Immutable.
    /// Example: `ResourceControl`.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::optional::<PolicyType>")]
    pub policy_type: Option<PolicyType>,

    /// What the policy says, as typed statements. Exactly one of `statements` and `document` is needed; at most 128
    /// statements. Example: `[{sid: Read, effect: Allow, actions: ["k8s:get"], resources: ["*"]}]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(max = STATEMENTS),
        extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["sid"])
    )]
    pub statements: Option<Vec<Statement>>,

    /// What the policy says, as an AWS policy document pasted unchanged. Exclusive with `statements`; at most 131072
    /// characters. Example: `{Version: "2012-10-17", Statement: [{Effect: Allow, Action: "k8s:get", Resource: "*"}]}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::document")]
    pub document: Option<Document>,

    /// What a policy of type Resource, ServiceControl or ResourceControl is attached to; not allowed in others. Default:
    /// a Resource policy is attached to nothing, a guardrail to every account. Example: `{accounts: [prod]}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub targets: Option<PolicyTargets>,
}

/// What an IamPolicy is attached to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum PolicyType {
    /// Users, groups and roles that name it.
    Managed,
    /// Resources.
    Resource,
    /// The principals of accounts.
    ServiceControl,
    /// The resources of accounts.
    ResourceControl,
}

/// What a policy that is not Managed is attached to.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-preserve-unknown-fields" = true))]
pub struct PolicyTargets {
    /// The resources that a policy of type Resource is attached to: ARNs with `*` and `?` as wildcards, in the policy's
    /// own account unless that is the management account. No default; null and an empty list are errors; at most 256
    /// entries of 2048 characters. Example: `["arn:k8s:core::payments:configmaps/ledger"]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(max = LIST_ENTRIES),
        inner(length(max = STRING_BYTES)),
        extend("x-kubernetes-list-type" = "atomic")
    )]
    pub resources: Option<Vec<String>>,

    /// The accounts (namespaces) that a guardrail is attached to, by name; those of `accountSelector` are added. Default
    /// with no selector either: every account. Null and an empty list are errors; at most 256 names of 63 characters.
    /// Example: `[prod]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(max = LIST_ENTRIES),
        inner(length(max = 63)),
        extend("x-kubernetes-list-type" = "atomic")
    )]
    pub accounts: Option<Vec<String>>,

    /// The accounts (namespaces) that a guardrail is attached to, by the labels of the namespace; those of `accounts`
    /// are added. No default. Example: `{matchLabels: {env: prod}}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account_selector: Option<AccountSelector>,
}

/// A selector over the labels of namespaces; all its parts must match.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-preserve-unknown-fields" = true))]
pub struct AccountSelector {
    /// Labels that the namespace must carry with exactly these values. Default: none; at most 64. Example:
    /// `{env: prod}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::match_labels")]
    pub match_labels: Option<BTreeMap<String, Option<String>>>,

    /// Requirements that the labels of the namespace must all meet. Default: none; at most 64. Example:
    /// `[{key: env, operator: In, values: [prod, staging]}]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64), extend("x-kubernetes-list-type" = "atomic"))]
    pub match_expressions: Option<Vec<SelectorRequirement>>,
}

/// One requirement on a label.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-preserve-unknown-fields" = true))]
pub struct SelectorRequirement {
    /// The label's key. Required; at most 317 characters. Example: `env`.
    #[schemars(length(min = 1, max = 317))]
    pub key: String,

    /// How the label relates to `values`. Required; `In`, `NotIn`, `Exists` or `DoesNotExist`. Example: `In`.
    pub operator: SelectorOperator,

    /// The values for `In` and `NotIn`, which need at least one; absent for the others. At most 64 of 63 characters.
    /// Example: `[prod, staging]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(max = 64),
        inner(length(max = 63)),
        extend("x-kubernetes-list-type" = "atomic")
    )]
    pub values: Option<Vec<String>>,
}

/// How a label relates to values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum SelectorOperator {
    /// The label has one of the values.
    In,
    /// The label is absent or has none of the values.
    NotIn,
    /// The label is there.
    Exists,
    /// The label is not there.
    DoesNotExist,
}

/// What kube-iam made of a policy.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct IamPolicyStatus {
    /// The generation of the object that this status speaks about. Example: `3`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,

    /// Where the policy stands; wait for `Ready`. At most 16 conditions, one per type.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = status::CONDITIONS),
        extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"])
    )]
    pub conditions: Conditions,

    /// The policy's ARN. Example: `arn:k8s:iam::payments:policy/read-web`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = STRING_BYTES))]
    pub arn: Option<String>,

    /// The policy's unique id: a policy of the same name that is created later has another one. Example:
    /// `KIAPQWERTYUIOPASDFGH`.
    #[serde(default, rename = "policyID", skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub policy_id: Option<String>,

    /// The policy's type, the default filled in. Example: `Managed`.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::optional::<PolicyType>")]
    pub policy_type: Option<PolicyType>,

    /// How many statements the policy holds. Example: `2`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub statement_count: Option<i64>,

    /// How many users, groups and roles name the policy, as policy or as permissions boundary. Example: `4`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attachment_count: Option<i64>,

    /// The revision of the snapshot in which this form of the policy came into force. Example: `17`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<i64>,

    /// The last valid form of the policy, there while its present form is not valid: what it denied stays denied on every
    /// replica. It can only refuse, never grant. Absent while the policy is valid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_good: Option<LastGood>,

    /// How many findings the checks of the policy have, also those that `findings` has no room for. Example: `0`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finding_count: Option<i64>,

    /// What the checks of the policy found, the gravest first; at most 20.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = status::FINDINGS), extend("x-kubernetes-list-type" = "atomic"))]
    pub findings: Vec<Finding>,
}

/// One finding about a policy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// The check that found it. Example: `POLICY_NOT_ATTACHED`.
    #[schemars(length(max = 128))]
    pub code: String,

    /// How grave it is. One of `Error`, `SecurityWarning`, `Warning` and `Suggestion`. Example: `Warning`.
    pub severity: FindingSeverity,

    /// The field it is about. Example: `spec.statements[0].actions[1]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    pub path: Option<String>,

    /// What was found and what would be right. Example: `nothing names this policy`.
    #[schemars(length(max = 1024))]
    pub message: String,
}

/// How grave a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum FindingSeverity {
    /// The object is invalid.
    Error,
    /// It allows more than it seems to.
    SecurityWarning,
    /// It probably does not do what was meant.
    Warning,
    /// It could be written better.
    Suggestion,
}
