//! What a check says.

/// One thing that a check found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Which check.
    pub code: Code,
    /// How grave it is.
    pub severity: Severity,
    /// Path to the field, from the object: `spec.statements[0].actions[1]`; `spec` where it is about the whole.
    pub path: String,
    /// What was found and why it matters: one line of at most [`Finding::MESSAGE_CHARACTERS`].
    pub message: String,
}

/// A check of the catalogue. Names are stable: people ignore findings by them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Code {
    /// An Allow reaches a privilege transition through a wildcard (`kubernetes-contract.md` B11).
    WildcardCoversPrivilegeTransition,
    /// An Allow names a privilege transition.
    SensitiveGrant,
    /// Nothing names a policy of type Managed, or no account is among the targets of a guardrail.
    PolicyNotAttached,
}

/// How grave a finding is, the gravest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// It is a mistake.
    Error,
    /// It allows more than it seems to.
    SecurityWarning,
    /// It probably does not do what was meant.
    Warning,
    /// It is worth a second look.
    Suggestion,
}

// === impl Finding ===

impl Finding {
    /// The longest message.
    pub const MESSAGE_CHARACTERS: usize = 200;
}

/// `spec.statements[0].actions[0]: … (K8S_SENSITIVE_GRANT)`.
impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {} ({})", self.path, self.message, self.code.as_str())
    }
}

// === impl Code ===

impl Code {
    /// The name in the catalogue.
    pub fn as_str(self) -> &'static str {
        match self {
            Code::WildcardCoversPrivilegeTransition => "K8S_WILDCARD_COVERS_PRIVILEGE_TRANSITION",
            Code::SensitiveGrant => "K8S_SENSITIVE_GRANT",
            Code::PolicyNotAttached => "POLICY_NOT_ATTACHED",
        }
    }
}

// === impl Severity ===

impl Severity {
    /// `Error`, `SecurityWarning`, `Warning` or `Suggestion`.
    pub fn as_str(self) -> &'static str {
        match self {
            Severity::Error => "Error",
            Severity::SecurityWarning => "SecurityWarning",
            Severity::Warning => "Warning",
            Severity::Suggestion => "Suggestion",
        }
    }
}
