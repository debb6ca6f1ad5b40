//! Match in several values: for a request that stands for a set, and for facts that are not known yet.

/// How much of a requested set something matches (`kubernetes-contract.md` B4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Truth {
    /// Every member.
    All,
    /// No member.
    None,
    /// Neither is proved.
    Some,
    /// It hangs on a fact that is not known in this phase.
    Unknown,
}

/// How far a statement, the product of its elements, reaches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Extent {
    some: bool,
    unknown: bool,
}

/// Whether a statement applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Applies {
    /// No.
    No,
    /// It hangs on facts that are not known in this phase.
    Undetermined,
    /// Yes.
    Yes,
}

// === impl Truth ===

impl From<bool> for Truth {
    fn from(value: bool) -> Self {
        if value { Truth::All } else { Truth::None }
    }
}

impl Truth {
    /// The match of a negated element.
    pub(crate) fn negate(self) -> Self {
        match self {
            Truth::All => Truth::None,
            Truth::None => Truth::All,
            Truth::Some => Truth::Some,
            Truth::Unknown => Truth::Unknown,
        }
    }

    /// Both must match.
    pub(crate) fn and(self, other: Self) -> Self {
        match (self, other) {
            (Truth::None, _) | (_, Truth::None) => Truth::None,
            (Truth::Some, _) | (_, Truth::Some) => Truth::Some,
            (Truth::Unknown, _) | (_, Truth::Unknown) => Truth::Unknown,
            (Truth::All, Truth::All) => Truth::All,
        }
    }

    /// One of a list matches; unions are not combined.
    pub(crate) fn or(self, other: Self) -> Self {
        match (self, other) {
            (Truth::All, _) | (_, Truth::All) => Truth::All,
            (Truth::Some, _) | (_, Truth::Some) => Truth::Some,
            (Truth::Unknown, _) | (_, Truth::Unknown) => Truth::Unknown,
            (Truth::None, Truth::None) => Truth::None,
        }
    }
}

// === impl Extent ===

impl Extent {
    /// Takes another element in; false when it rules the statement out.
    pub(crate) fn take(&mut self, element: Truth) -> bool {
        match element {
            Truth::All => {}
            Truth::Some => self.some = true,
            Truth::Unknown => self.unknown = true,
            Truth::None => return false,
        }
        true
    }

    /// Whether it may reach less than all of the set.
    pub(crate) fn is_partial(self) -> bool {
        self.some
    }

    /// An Allow applies if it covers every member.
    pub(crate) fn covers(self) -> Applies {
        if self.some {
            Applies::No
        } else if self.unknown {
            Applies::Undetermined
        } else {
            Applies::Yes
        }
    }

    /// A Deny applies if it may meet a member.
    pub(crate) fn intersects(self) -> Applies {
        if self.unknown { Applies::Undetermined } else { Applies::Yes }
    }
}
