//! What became of each object.

use super::input::Origin;
use crate::policy::tree::Position;

/// Why an object is not ready. Names are stable: they become reasons of the `Ready` condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// A policy, group or boundary that it names is not there, or may not be named.
    ReferenceNotFound,
    /// Its policy, or the policy inside it, does not parse.
    PolicyInvalid,
    /// Another field does not parse.
    SpecInvalid,
    /// The file that holds it cannot be read.
    Unreadable,
    /// Another IamUser of the account claims the same identity, or it is the account's root.
    IdentityConflict,
    /// The same kind, namespace and name is declared twice.
    DeclaredTwice,
    /// A guardrail outside the management account.
    NotManagementAccount,
    /// More than the account may hold.
    QuotaExceeded,
}

/// One thing to say about an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Which class.
    pub reason: Reason,
    /// Path to the field, from the object: `spec.policies[0]`.
    pub path: String,
    /// Line and column in its file, if known.
    pub at: Option<Position>,
    /// What was found and what would be right.
    pub message: String,
}

/// What became of an object: fine when there is no finding.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Outcome {
    /// Everything that keeps it from being ready, sorted by path.
    pub findings: Vec<Finding>,
    /// Where it was read; several when it is declared twice.
    pub origins: Vec<Origin>,
}

// === impl Reason ===

impl Reason {
    /// The stable CamelCase name.
    pub fn as_str(self) -> &'static str {
        match self {
            Reason::ReferenceNotFound => "ReferenceNotFound",
            Reason::PolicyInvalid => "PolicyInvalid",
            Reason::SpecInvalid => "SpecInvalid",
            Reason::Unreadable => "Unreadable",
            Reason::IdentityConflict => "IdentityConflict",
            Reason::DeclaredTwice => "DeclaredTwice",
            Reason::NotManagementAccount => "NotManagementAccount",
            Reason::QuotaExceeded => "QuotaExceeded",
        }
    }
}

// === impl Outcome ===

impl Outcome {
    /// `file:line:column` of a finding, as near as it is known.
    pub fn place(&self, finding: &Finding) -> Option<String> {
        self.origins.first().map(|origin| format!("{}:{}", origin.file, finding.at.unwrap_or(origin.at)))
    }

    /// Whether the object may grant: what was found leaves it in force.
    pub fn is_in_force(&self) -> bool {
        self.findings.iter().all(|finding| match finding.reason {
            Reason::ReferenceNotFound | Reason::NotManagementAccount => true,
            Reason::PolicyInvalid
            | Reason::SpecInvalid
            | Reason::Unreadable
            | Reason::IdentityConflict
            | Reason::DeclaredTwice
            | Reason::QuotaExceeded => false,
        })
    }

    /// Whether there is nothing to say.
    pub fn is_fine(&self) -> bool {
        self.findings.is_empty()
    }
}
