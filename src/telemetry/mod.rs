//! The metrics: their registry, their names and the closed sets of values that their labels take.
//!
//! No label ever holds a user's name, an object's name or an error's text (`standards.md` §12.7). Logs are not here.

pub mod label;
mod metrics;

pub use metrics::{Metrics, OPENMETRICS_CONTENT_TYPE};
