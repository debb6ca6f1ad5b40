//! Statements as they stand in a manifest, and the objects that hold them.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use super::schema::{self, Document};
use crate::policy::limits::{CONDITION_VALUES, CONDITIONS, LIST_ENTRIES, STATEMENTS, STRING_BYTES};

/// What a statement does when it applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub enum Effect {
    /// Grants what it matches, unless a Deny matches too.
    Allow,
    /// Refuses what it matches, whatever any Allow says.
    Deny,
}

/// One statement of a policy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-preserve-unknown-fields" = true))]
pub struct Statement {
    /// The statement's name, by which decisions, findings and errors call it. Required; unique in its list; 1 to 128
    /// characters. Example: `ReadWeb`.
    #[schemars(length(min = 1, max = schema::ITEM_NAME))]
    pub sid: String,

    /// Whether the statement grants or refuses. Required; `Allow` or `Deny`; a Deny that applies always wins. Example:
    /// `Allow`.
    pub effect: Effect,

    /// The callers it speaks about, in policies of type Resource and ResourceControl and in trust policies; not
    /// allowed in others. An entry is `*`, an ARN, or the name of an account; no default; at most 256 entries. Exclusive
    /// with `notPrincipals`. Example: `["arn:k8s:iam::audit:role/auditor"]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(max = LIST_ENTRIES),
        inner(length(max = STRING_BYTES)),
        extend("x-kubernetes-list-type" = "atomic")
    )]
    pub principals: Option<Vec<String>>,

    /// Every caller except these. Entries and limits as in `principals`, with which it is exclusive. Example:
    /// `["arn:k8s:iam::kube-iam-system:role/break-glass"]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(max = LIST_ENTRIES),
        inner(length(max = STRING_BYTES)),
        extend("x-kubernetes-list-type" = "atomic")
    )]
    pub not_principals: Option<Vec<String>>,

    /// The actions it speaks about, `service:Action` with `*` and `?` as wildcards. No default; at most 256 entries of
    /// 2048 characters. Exactly one of `actions` and `notActions` is needed. Example: `["k8s:get", "k8s:list"]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(max = LIST_ENTRIES),
        inner(length(max = STRING_BYTES)),
        extend("x-kubernetes-list-type" = "atomic")
    )]
    pub actions: Option<Vec<String>>,

    /// Every action except these. Entries and limits as in `actions`, with which it is exclusive. Example:
    /// `["iam:*"]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(max = LIST_ENTRIES),
        inner(length(max = STRING_BYTES)),
        extend("x-kubernetes-list-type" = "atomic")
    )]
    pub not_actions: Option<Vec<String>>,

    /// The resources it speaks about: ARNs with `*` and `?` as wildcards and `${…}` as variables, or `*`. No default,
    /// but a policy of type Resource may leave it out and then means its targets; at most 256 entries of 2048
    /// characters. Exclusive with `notResources`. Example: `["arn:k8s:apps::payments:deployments/*"]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(max = LIST_ENTRIES),
        inner(length(max = STRING_BYTES)),
        extend("x-kubernetes-list-type" = "atomic")
    )]
    pub resources: Option<Vec<String>>,

    /// Every resource except these. Entries and limits as in `resources`, with which it is exclusive. Example:
    /// `["arn:k8s:core::payments:secrets/*"]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(max = LIST_ENTRIES),
        inner(length(max = STRING_BYTES)),
        extend("x-kubernetes-list-type" = "atomic")
    )]
    pub not_resources: Option<Vec<String>>,

    /// Conditions on the request, all of which must hold for the statement to apply. Default: none; null and an empty
    /// list are errors; at most 64. Example: `[{operator: Bool, key: "aws:MultiFactorAuthPresent", values: ["true"]}]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = CONDITIONS), extend("x-kubernetes-list-type" = "atomic"))]
    pub conditions: Option<Vec<Condition>>,
}

/// One condition of a statement.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-preserve-unknown-fields" = true))]
pub struct Condition {
    /// How the key is compared: an operator of AWS IAM, with `ForAllValues:` or `ForAnyValue:` before it or `IfExists`
    /// after it where wanted. Required; at most 64 characters. Example: `StringEquals`.
    #[schemars(length(min = 1, max = 64))]
    pub operator: String,

    /// The context key that is compared; upper and lower case do not matter. Required; at most 2048 characters.
    /// Example: `aws:PrincipalTag/team`.
    #[schemars(length(min = 1, max = STRING_BYTES))]
    pub key: String,

    /// The values to compare with, always strings. One match is enough; with a negated operator none may match.
    /// Required; null and an empty list are errors; at most 256 values of 2048 characters. Example: `[payments]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(max = CONDITION_VALUES),
        inner(length(max = STRING_BYTES)),
        extend("x-kubernetes-list-type" = "atomic")
    )]
    pub values: Option<Vec<String>>,
}

/// A policy that lives inside its user, group or role.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-preserve-unknown-fields" = true))]
#[x_kube(validation = ("has(self.statements) != has(self.document)", "write exactly one of statements and document"))]
pub struct InlinePolicy {
    /// The policy's name within its object. Required; unique in the list; 1 to 128 characters. Example: `own-secrets`.
    #[schemars(length(min = 1, max = schema::ITEM_NAME))]
    pub name: String,

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
}
