//! The status of an object, as JSON exactly what the CustomResourceDefinitions describe.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};

use crate::lint;

/// The reason of conditions that wait for replicas.
pub(super) const NOT_ENFORCED: &str = "NotEnforced";

/// The status of an object of any of the four kinds: fields that a kind does not have are absent.
///
/// Reading passes over what this program does not write.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Status {
    /// The generation that this status speaks about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// One per type.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "readable")]
    pub conditions: Vec<Condition>,
    /// The object's ARN.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub arn: Option<String>,
    /// IamUser: its unique id.
    #[serde(rename = "userID", skip_serializing_if = "Option::is_none")]
    pub user_id: Option<String>,
    /// IamGroup: its unique id.
    #[serde(rename = "groupID", skip_serializing_if = "Option::is_none")]
    pub group_id: Option<String>,
    /// IamRole: its unique id.
    #[serde(rename = "roleID", skip_serializing_if = "Option::is_none")]
    pub role_id: Option<String>,
    /// IamPolicy: its unique id.
    #[serde(rename = "policyID", skip_serializing_if = "Option::is_none")]
    pub policy_id: Option<String>,
    /// IamUser: groups.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group_count: Option<i64>,
    /// IamGroup: users that name it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub member_count: Option<i64>,
    /// IamUser, IamGroup, IamRole: policies, inline ones included.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy_count: Option<i64>,
    /// IamUser: active MFA devices.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mfa_device_count: Option<i64>,
    /// IamUser: active access keys.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access_key_count: Option<i64>,
    /// IamRole: longest session, the default filled in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_session_duration: Option<String>,
    /// IamRole: entries of principals that the trust policy allows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trusted_principal_count: Option<i64>,
    /// IamPolicy: its type, the default filled in.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub policy_type: Option<String>,
    /// IamPolicy: statements.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub statement_count: Option<i64>,
    /// IamPolicy: users, groups and roles that name it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attachment_count: Option<i64>,
    /// The revision of the snapshot in which this generation came into force.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revision: Option<i64>,
    /// IamPolicy: all findings, also those that `findings` has no room for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finding_count: Option<i64>,
    /// IamPolicy: the gravest findings.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "readable")]
    pub findings: Vec<Finding>,
    /// The last valid form, while the present one is not valid.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_good: Option<LastGood>,
}

/// One condition, in the shape of Kubernetes' own type.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    /// `Ready`, …
    #[serde(rename = "type")]
    pub kind: String,
    /// Whether it holds.
    pub status: ConditionStatus,
    /// The generation that it speaks about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// When `status` last became what it is, RFC 3339.
    pub last_transition_time: String,
    /// Why, CamelCase and stable.
    pub reason: String,
    /// Why, for people.
    pub message: String,
}

/// Whether a condition holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ConditionStatus {
    /// It holds.
    True,
    /// It does not.
    False,
    /// Nobody knows. This program never says so.
    Unknown,
}

/// One finding about a policy.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// How grave it is; the gravest come first in order.
    pub severity: Severity,
    /// The field it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The check that found it.
    pub code: String,
    /// What was found and what would be right.
    pub message: String,
}

/// How grave a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Severity {
    /// The object is invalid.
    Error,
    /// It allows more than it seems to.
    SecurityWarning,
    /// It probably does not do what was meant.
    Warning,
    /// It could be written better.
    Suggestion,
}

impl From<lint::Severity> for Severity {
    fn from(severity: lint::Severity) -> Self {
        match severity {
            lint::Severity::Error => Self::Error,
            lint::Severity::SecurityWarning => Self::SecurityWarning,
            lint::Severity::Warning => Self::Warning,
            lint::Severity::Suggestion => Self::Suggestion,
        }
    }
}

/// The last valid form of an object.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LastGood {
    /// The generation that had this form, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generation: Option<i64>,
    /// The `spec` that it had.
    pub spec: serde_json::Map<String, serde_json::Value>,
}

// === impl Status ===

impl Status {
    /// Reads a stored status. An entry of a list that is not of its shape counts as none, for others write conditions
    /// beside ours; so does a whole status that is not of this shape, which is written anew.
    pub fn read(json: &str) -> Self {
        serde_json::from_str(json).unwrap_or_default()
    }

    /// Whether it says that replicas are waited for.
    pub fn waits_for_replicas(&self) -> bool {
        self.conditions.iter().any(|condition| condition.reason == NOT_ENFORCED)
    }

    /// The condition of a type.
    pub fn condition(&self, kind: &str) -> Option<&Condition> {
        self.conditions.iter().find(|condition| condition.kind == kind)
    }
}

// === free functions ===

/// The entries of a list that can be read.
fn readable<'de, D: Deserializer<'de>, T: DeserializeOwned>(deserializer: D) -> Result<Vec<T>, D::Error> {
    let entries = Vec::<serde_json::Value>::deserialize(deserializer)?;
    Ok(entries.into_iter().filter_map(|entry| serde_json::from_value(entry).ok()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_that_cannot_be_read_hides_nothing_else() {
        let ready = r#"{"type":"Ready","status":"True","lastTransitionTime":"2026-01-02T03:04:05Z","reason":"InForce",
            "message":"in force"}"#;
        let status = Status::read(&format!(
            r#"{{"observedGeneration":3,"arn":"a","conditions":[{{"type":"Theirs","status":"Maybe"}},{ready}]}}"#
        ));
        assert_eq!((status.observed_generation, status.arn.as_deref()), (Some(3), Some("a")));
        assert_eq!(status.conditions.len(), 1);
        assert_eq!(status.condition("Ready").unwrap().status, ConditionStatus::True);
        assert_eq!(Status::read(r#"{"observedGeneration":"three"}"#), Status::default());
    }
}
