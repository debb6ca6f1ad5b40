//! Names, parsed once: a function that needs an ARN takes an [`Arn`].

mod arn;
mod mode;
mod revision;
mod scope;

pub use arn::{Arn, ArnError};
pub use mode::{Mode, ModeError};
pub use revision::{Digest, Revision};
pub use scope::Scope;
