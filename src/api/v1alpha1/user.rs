//! IamUser.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::schema::{self, Tags};
use super::statement::InlinePolicy;
use super::status::{self, AccessKeyStatus, Conditions, LastGood, MfaDeviceStatus};

/// Who a user is to Kubernetes, and what the user may do.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, CustomResource, KubeSchema)]
#[kube(
    group = "kube-iam.dev",
    version = "v1alpha1",
    kind = "IamUser",
    plural = "iamusers",
    singular = "iamuser",
    shortname = "iamuser",
    category = "iam",
    namespaced,
    doc = "A user: a person or a program with permissions of its own in this account. Without policies a user may do nothing.",
    derive = "PartialEq",
    status = "IamUserStatus",
    selectable = ".spec.disabled",
    selectable = ".spec.path",
    printcolumn = r#"{"name": "Ready", "type": "string", "jsonPath": ".status.conditions[?(@.type==\"Ready\")].status"}"#,
    printcolumn = r#"{"name": "Groups", "type": "integer", "jsonPath": ".status.groupCount"}"#,
    printcolumn = r#"{"name": "Policies", "type": "integer", "jsonPath": ".status.policyCount"}"#,
    printcolumn = r#"{"name": "MFA", "type": "integer", "jsonPath": ".status.mfaDeviceCount"}"#,
    printcolumn = r#"{"name": "Keys", "type": "integer", "jsonPath": ".status.accessKeyCount"}"#,
    printcolumn = r#"{"name": "Last-Used", "type": "date", "jsonPath": ".status.lastUsed"}"#,
    printcolumn = r#"{"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"}"#,
    printcolumn = r#"{"name": "ARN", "type": "string", "priority": 1, "jsonPath": ".status.arn"}"#,
    printcolumn = r#"{"name": "Message", "type": "string", "priority": 1, "jsonPath": ".status.conditions[?(@.type==\"Ready\")].message"}"#
)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-preserve-unknown-fields" = true))]
pub struct IamUserSpec {
    /// The folder of the user in its ARN. Default `/`; begins and ends with `/`; at most 512 characters. Example:
    /// `/people/`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = schema::PATH))]
    pub path: Option<String>,

    /// Facts about the user that conditions read as `aws:PrincipalTag/…`. Default: none; at most 50, keys of 128 and
    /// values of 256 characters. Example: `{team: payments}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::tags")]
    pub tags: Option<Tags>,

    /// Who this user is to Kubernetes, in the shape of RBAC subjects. Each identity may stand on one user of an account
    /// only. Default: none; at most 64. The list is replaced as a whole by server-side apply. Example:
    /// `[{kind: User, name: alice@example.org}]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64), extend("x-kubernetes-list-type" = "atomic"))]
    pub identities: Option<Vec<Identity>>,

    /// The groups of this account that the user is in, by name. Default: none; no duplicates; at most 256. Example:
    /// `[developers]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(max = schema::REFERENCES),
        inner(length(min = 1, max = schema::NAME)),
        extend("x-kubernetes-list-type" = "set")
    )]
    pub groups: Option<Vec<String>>,

    /// The policies of the user: the name of a policy in this account, or the ARN of one in the management account.
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

    /// A policy that the user's permissions never exceed: its name in this account, or its ARN in the management
    /// account. Default: no boundary; null is an error; while the policy is missing the user is allowed nothing.
    /// Example: `limits`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048))]
    pub permissions_boundary: Option<String>,

    /// Whether everything is denied to the user, whatever policies say. Default `false`. Example: `true`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disabled: Option<bool>,

    /// The MFA devices that the user may enroll. A device stays pending until its user proves it. Default: none; at
    /// most 8. Example: `[{name: phone, type: totp}]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(max = 8),
        extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"])
    )]
    pub mfa_devices: Option<Vec<MfaDevice>>,

    /// The access keys that the user has. Secrets never stand here. Default: none; at most 2. Example:
    /// `[{name: ci, rotateAfter: 90d, deliverTo: {secretName: ci-key}}]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(max = 2),
        extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"])
    )]
    pub access_keys: Option<Vec<AccessKey>>,

    /// Which sessions of the user have ended. No default. Example: `{revokeIssuedBefore: "2026-01-01T00:00:00Z"}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sessions: Option<Sessions>,
}

/// One name that the user has in Kubernetes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-preserve-unknown-fields" = true))]
#[x_kube(
    validation = (
        "self.kind != 'ServiceAccount' || has(self.namespace)",
        "an identity of kind ServiceAccount needs a namespace"
    ),
    validation = ("self.kind != 'User' || !has(self.namespace)", "an identity of kind User has no namespace")
)]
pub struct Identity {
    /// Whether the name is that of a person or program that the API server authenticates, or that of a ServiceAccount.
    /// Required; `User` or `ServiceAccount`. Example: `User`.
    pub kind: IdentityKind,

    /// The user name as the API server reports it, or the name of the ServiceAccount. Required; 1 to 1024 characters.
    /// Example: `alice@example.org`.
    #[schemars(length(min = 1, max = schema::IDENTITY_NAME))]
    pub name: String,

    /// The namespace of the ServiceAccount. Needed for kind ServiceAccount, not allowed for kind User; at most 63
    /// characters. Example: `payments`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub namespace: Option<String>,
}

/// What kind of name an identity is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum IdentityKind {
    /// A user name as the API server's authenticator reports it.
    User,
    /// A ServiceAccount.
    ServiceAccount,
}

/// An MFA device that the user may enroll.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-preserve-unknown-fields" = true))]
pub struct MfaDevice {
    /// The device's name, part of its ARN. Required; unique in the list; 1 to 128 characters. Example: `phone`.
    #[schemars(length(min = 1, max = schema::ITEM_NAME))]
    pub name: String,

    /// What the device proves itself with. Required; `totp` (codes of an authenticator app) or `webauthn` (a passkey).
    /// Example: `totp`.
    #[serde(rename = "type")]
    pub device_type: MfaDeviceType,
}

/// What an MFA device proves itself with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum MfaDeviceType {
    /// Codes of an authenticator app.
    Totp,
    /// A passkey.
    Webauthn,
}

/// An access key that the user has.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-preserve-unknown-fields" = true))]
pub struct AccessKey {
    /// The key's name within the user. Required; unique in the list; 1 to 128 characters. Example: `ci`.
    #[schemars(length(min = 1, max = schema::ITEM_NAME))]
    pub name: String,

    /// Whether the key may be used. Default `Active`; `Active` or `Inactive`. Example: `Inactive`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::optional::<AccessKeyMode>")]
    pub status: Option<AccessKeyMode>,

    /// The age at which the key is replaced by a new one, in days (`d`), hours (`h`) and minutes (`m`). Default: never.
    /// Example: `90d`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = schema::DURATION))]
    pub rotate_after: Option<String>,

    /// How long the old key stays valid beside its successor, in days, hours and minutes. Default `24h`. Example: `1h`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = schema::DURATION))]
    pub overlap: Option<String>,

    /// Where the key is delivered to. Default: nowhere; the user collects it. Example: `{secretName: ci-key}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deliver_to: Option<AccessKeyDelivery>,
}

/// Whether an access key may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum AccessKeyMode {
    /// It may be used.
    Active,
    /// It is refused.
    Inactive,
}

/// Where an access key is delivered to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-preserve-unknown-fields" = true))]
pub struct AccessKeyDelivery {
    /// The Secret in this account that receives the key. Required; the namespace must carry the label
    /// `kube-iam.dev/credentials=enabled`; at most 253 characters. Example: `ci-key`.
    #[schemars(length(min = 1, max = schema::NAME))]
    pub secret_name: String,
}

/// Which sessions have ended.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-preserve-unknown-fields" = true))]
pub struct Sessions {
    /// Sessions issued before this moment are refused, and so are sign-ins that do not say when they were issued. A
    /// timestamp of RFC 3339; no default. Example: `2026-01-01T00:00:00Z`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = schema::TIMESTAMP), extend("format" = "date-time"))]
    pub revoke_issued_before: Option<String>,
}

/// What kube-iam made of a user.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct IamUserStatus {
    /// The generation of the object that this status speaks about. Example: `3`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,

    /// Where the user stands; wait for `Ready`. At most 16 conditions, one per type.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = status::CONDITIONS),
        extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"])
    )]
    pub conditions: Conditions,

    /// The user's ARN. Example: `arn:k8s:iam::payments:user/alice`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048))]
    pub arn: Option<String>,

    /// The user's unique id: a user of the same name that is created later has another one. Example:
    /// `KIAUQWERTYUIOPASDFGH`.
    #[serde(default, rename = "userID", skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub user_id: Option<String>,

    /// How many groups the user is in. Example: `2`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group_count: Option<i64>,

    /// How many policies the user has of its own, inline ones included. Example: `2`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy_count: Option<i64>,

    /// How many MFA devices are active. Example: `1`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mfa_device_count: Option<i64>,

    /// What became of the devices in `spec.mfaDevices`. At most 8.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 8),
        extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"])
    )]
    pub mfa_devices: Vec<MfaDeviceStatus>,

    /// How many access keys are active. Example: `1`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access_key_count: Option<i64>,

    /// What became of the keys in `spec.accessKeys`. At most 2.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 2),
        extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"])
    )]
    pub access_keys: Vec<AccessKeyStatus>,

    /// When the user last made a request, in UTC; absent if never. Example: `2026-02-03T04:15:00Z`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_used: Option<Time>,

    /// The revision of the snapshot in which this form of the user came into force. Example: `17`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<i64>,

    /// The last valid form of the user, there while its present form is not valid: what it denied stays denied on every
    /// replica. It can only refuse, never grant. Absent while the user is valid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_good: Option<LastGood>,
}
