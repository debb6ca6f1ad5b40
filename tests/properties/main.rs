//! Laws of the policy language and of the world, over random policies, worlds and requests.
//!
//! A case is a row of numbers, read by [`dice::Dice`]: proptest makes the row and shrinks it, the generators make of it
//! whatever a law needs. Every law also counts the cases in which it had something to say, so that none of them holds
//! only because nothing ever matched.
//!
//! `PROPTEST_CASES` and `PROPTEST_RNG_SEED` set the number of cases of every law and their seed; without them both are
//! fixed.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test fails by panicking")]

mod conditions;
mod dice;
mod differential;
mod invariants;
mod language;
mod mutation;
mod naive;
mod names;
mod patterns;
mod questions;
mod records;
mod sets;
mod standalone;
mod worlds;
