//! Where objects come from, and the one task that builds and publishes.
//!
//! [`folder`] turns the files of a folder into the input of a world, and remembers the last good form of each object;
//! `settle` says when a change of a file is believed; [`reload`] is the task. What a world makes of its input is
//! [`crate::world`]; how texts become trees is [`crate::manifest`].

pub mod folder;
pub mod reload;
mod settle;

#[cfg(test)]
mod tests;
