//! The two written forms: the same statement under other names.

/// How a policy is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// AWS JSON: a bare string stands for a list of one, `Condition: {}` and an empty value list are legal.
    Document,
    /// Typed statements: lists only, and a key that narrows is never empty (`design.md` §4.1).
    Typed,
}

/// What the keys of a statement are called.
#[derive(Debug)]
pub(super) struct Names {
    pub sid: &'static str,
    pub effect: &'static str,
    pub principal: &'static str,
    pub not_principal: &'static str,
    pub action: &'static str,
    pub not_action: &'static str,
    pub resource: &'static str,
    pub not_resource: &'static str,
    pub condition: &'static str,
}

static DOCUMENT: Names = Names {
    sid: "Sid",
    effect: "Effect",
    principal: "Principal",
    not_principal: "NotPrincipal",
    action: "Action",
    not_action: "NotAction",
    resource: "Resource",
    not_resource: "NotResource",
    condition: "Condition",
};

static TYPED: Names = Names {
    sid: "sid",
    effect: "effect",
    principal: "principals",
    not_principal: "notPrincipals",
    action: "actions",
    not_action: "notActions",
    resource: "resources",
    not_resource: "notResources",
    condition: "conditions",
};

// === impl Form ===

impl Form {
    pub(super) fn names(self) -> &'static Names {
        match self {
            Self::Document => &DOCUMENT,
            Self::Typed => &TYPED,
        }
    }
}

// === impl Names ===

impl Names {
    pub(super) fn all(&self) -> [&'static str; 9] {
        [
            self.sid,
            self.effect,
            self.principal,
            self.not_principal,
            self.action,
            self.not_action,
            self.resource,
            self.not_resource,
            self.condition,
        ]
    }
}
