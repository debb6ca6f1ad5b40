//! Conditions: operator, key and values (`iam-semantics.md` §6), read once into typed tests.

mod decimal;
mod instant;
pub mod key;
pub mod operator;
pub(super) mod parse;
pub mod value;

pub use decimal::Decimal;
pub use instant::Instant;
pub use key::ConditionKey;
pub use operator::{Base, MissingKey, Operator, Quantifier};
pub use value::{ArnTemplate, Network, Values};

/// One operator on one key.
#[derive(Clone, Debug, PartialEq)]
pub struct Condition {
    /// How to compare.
    pub operator: Operator,
    /// Which value of the request.
    pub key: ConditionKey,
    /// With what.
    pub values: Values,
}
