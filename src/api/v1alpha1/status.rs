//! The parts of a status that several kinds share.
//!
//! Conditions follow kstatus: `Ready` is the one to wait for; `Reconciling` and `Stalled` stand there only while true;
//! each carries the generation it speaks about.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::schema::{self, Document};

/// The conditions of an object, one per type.
pub type Conditions = Vec<Condition>;

/// The largest number of findings that a status lists; `findingCount` counts all.
pub const FINDINGS: usize = 20;
/// The largest number of conditions that a status may hold.
pub(super) const CONDITIONS: usize = 16;

/// The last valid form of an object that is not valid at present.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LastGood {
    /// The generation that had this form, where it is known. Example: `3`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generation: Option<i64>,

    /// The `spec` that it had, unchanged. Only its restrictions count.
    #[schemars(schema_with = "schema::recorded_spec")]
    pub spec: Document,
}

/// What became of a declared MFA device.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MfaDeviceStatus {
    /// The device's name in `spec.mfaDevices`. Example: `phone`.
    #[schemars(length(max = schema::ITEM_NAME))]
    pub name: String,

    /// The device's ARN, which is its serial number in AWS calls. Example: `arn:k8s:iam::payments:mfa/alice/phone`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048))]
    pub arn: Option<String>,

    /// How far the device is. One of `PendingActivation`, `Active` and `Locked`. Example: `Active`.
    pub state: MfaDeviceState,

    /// When the device became active, in UTC; absent before. Example: `2026-01-02T03:04:05Z`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub activated_at: Option<Time>,
}

/// How far an MFA device is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum MfaDeviceState {
    /// Declared; waits for its user to enroll.
    PendingActivation,
    /// In use.
    Active,
    /// Refused after too many wrong codes.
    Locked,
}

/// What became of a declared access key.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AccessKeyStatus {
    /// The key's name in `spec.accessKeys`. Example: `ci`.
    #[schemars(length(max = schema::ITEM_NAME))]
    pub name: String,

    /// The id of the key in use, which is no secret; 20 characters. Example: `KIAKQWERTYUIOPASDF23`.
    #[serde(default, rename = "accessKeyID", skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub access_key_id: Option<String>,

    /// How far the key is. One of `Pending`, `Active`, `Inactive` and `Rotating`. Example: `Active`.
    pub state: AccessKeyState,

    /// When the key in use was made, in UTC. Example: `2026-01-02T03:04:05Z`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Time>,

    /// When the key was last used, in UTC and to a quarter of an hour; absent if never. Example:
    /// `2026-02-03T04:15:00Z`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_used: Option<Time>,
}

/// How far an access key is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum AccessKeyState {
    /// Declared; not made yet.
    Pending,
    /// In use.
    Active,
    /// Switched off by its spec.
    Inactive,
    /// In use beside its predecessor until the overlap ends.
    Rotating,
}
