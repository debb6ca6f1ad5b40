//! Which services a statement speaks about, as a filter before its patterns are read.

use crate::policy::Statement;
use crate::policy::pattern::ActionPattern;
use crate::policy::statement::{Element, Polarity};

/// A set of action services in 64 bits. It may seem to hold a service that was not put in; it never seems to lack one
/// that was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Services(u64);

// === impl Services ===

impl Services {
    /// No service.
    pub const NONE: Self = Self(0);
    /// Every service.
    pub const ALL: Self = Self(u64::MAX);

    /// One service, whatever its case. All of them where folding is not that of ASCII: such a name may equal others.
    pub fn one(name: &str) -> Self {
        if !name.is_ascii() {
            return Self::ALL;
        }
        // FNV-1a; any hash would do.
        let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte.to_ascii_lowercase())).wrapping_mul(0x0100_0000_01b3)
        });
        Self(1 << (hash >> 58))
    }

    /// The services of the actions that a statement can match.
    pub fn of(statement: &Statement) -> Self {
        match &statement.actions {
            Element::Absent => Self::NONE,
            Element::Malformed | Element::Listed(Polarity::Negated, _) => Self::ALL,
            Element::Listed(Polarity::Positive, patterns) => {
                patterns.iter().map(Self::of_pattern).fold(Self::NONE, Self::union)
            }
        }
    }

    fn of_pattern(pattern: &ActionPattern) -> Self {
        match pattern {
            ActionPattern::Any | ActionPattern::Named { service: None, .. } => Self::ALL,
            ActionPattern::Named { service: Some(service), .. } => Self::one(service),
            ActionPattern::Nothing(_) => Self::NONE,
        }
    }

    /// What is in either.
    pub fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether a service may be in both.
    pub fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::{PolicyKind, document};

    fn of(action: &str) -> Services {
        let text =
            format!(r#"{{"Version": "2012-10-17", "Statement": {{"Effect": "Allow", {action}, "Resource": "*"}}}}"#);
        Services::of(&document::parse_text(&text, PolicyKind::Identity).policy.statements[0])
    }

    #[test]
    fn a_statement_speaks_about_the_services_of_its_actions() {
        let s3 = Services::one("S3");
        assert_eq!(of(r#""Action": "s3:Get*""#), s3);
        assert_eq!(of(r#""Action": ["s3:Get*", "ec2:*"]"#), s3.union(Services::one("ec2")));
        assert!(!Services::one("ec2").meets(s3));
        for every in [r#""Action": "*""#, r#""Action": "*:Get*""#, r#""NotAction": "s3:*""#] {
            assert_eq!(of(every), Services::ALL, "{every}");
        }
    }

    #[test]
    fn a_service_that_folds_beyond_ascii_may_be_any() {
        // The Kelvin sign is `k` in lower case.
        assert_eq!(Services::one("\u{212a}8s"), Services::ALL);
        assert!(Services::one("\u{212a}8s").meets(Services::one("k8s")));
    }
}
