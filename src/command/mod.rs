//! The command line: one file per command, and how answers are printed.
//!
//! Everything that decides anything is below; here arguments are read, one of the other rooms is asked, and the answer
//! becomes text and an exit code.

mod can_i;
mod cli;
mod config;
mod connect;
mod crds;
mod explain;
mod facts;
mod kind;
mod logging;
mod output;
mod question;
mod review;
mod serve;
mod simulate;
mod world;

pub use cli::run;
