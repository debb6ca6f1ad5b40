//! Checks of objects that are valid and may still say more than was meant.
//!
//! Pure functions from objects to findings with a code, a severity and a path (`standards.md` §12.3). What makes an
//! object invalid is not said here: that is the [`Outcome`](crate::world::Outcome) which the world gives it.

mod finding;
mod object;
mod privilege;
mod reach;
#[cfg(test)]
mod tests;
mod transition;
mod unattached;

pub use finding::{Code, Finding, Severity};
pub use object::of_object;
pub use unattached::{not_attached, of_targets, of_world};
