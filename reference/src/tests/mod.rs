//! Tests of the whole evaluator.

mod corpus;
mod decisions;
