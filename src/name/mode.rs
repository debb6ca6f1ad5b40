//! How far the answers go: the mode of a cluster (`design.md` §5).

/// What a decision becomes at the API server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Mode {
    /// Never an opinion; records what it would have said.
    Shadow,
    /// Denies and allows; what no policy speaks about is left to the next authorizer.
    #[default]
    Coexist,
    /// What no policy allows is denied.
    Authoritative,
}

/// Why a text is no mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected shadow, coexist or authoritative")]
pub struct ModeError;

// === impl Mode ===

impl Mode {
    /// Every mode, from the one that enforces least.
    pub const ALL: [Self; 3] = [Self::Shadow, Self::Coexist, Self::Authoritative];

    /// As it is written in flags: lower case.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Shadow => "shadow",
            Self::Coexist => "coexist",
            Self::Authoritative => "authoritative",
        }
    }
}

impl std::fmt::Display for Mode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::str::FromStr for Mode {
    type Err = ModeError;

    fn from_str(text: &str) -> Result<Self, ModeError> {
        Self::ALL.into_iter().find(|mode| mode.as_str() == text).ok_or(ModeError)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mode_is_read_as_it_is_written() {
        for mode in Mode::ALL {
            assert_eq!(mode.to_string().parse(), Ok(mode));
        }
        assert_eq!("Shadow".parse::<Mode>(), Err(ModeError));
        assert_eq!("".parse::<Mode>(), Err(ModeError));
    }
}
