//! `simulate`: questions in AWS words, and the conformance corpus.

mod cases;
mod form;
mod named;

pub(super) use form::{Arguments, run};
pub(super) use named::{NamedArguments, reason};
