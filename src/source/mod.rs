//! Where objects come from, and the one task that builds and publishes.
//!
//! [`folder`] turns the files of a folder into the input of a world, and remembers the last good form of each object;
//! `settle` says when a change of a file is believed; [`reload`] is the task. [`cluster`] does the same for an API
//! server, by watching it. `publish` is what both have in common: one world after the other is put in force. What a world
//! makes of its input is [`crate::world`]; how texts become trees is [`crate::manifest`].

pub mod cluster;
pub mod folder;
mod publish;
pub mod reload;
mod settle;

#[cfg(test)]
mod tests;
