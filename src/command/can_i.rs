//! `can-i`: one question, answered as the webhook would answer it.

use std::io::{IsTerminal as _, Write};

use clap::Args;

use super::cli::NEGATIVE;
use super::output::{self, Format};
use super::question::QuestionArguments;
use super::world::WorldArguments;
use crate::decide::Decision;

#[derive(Clone, Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    question: QuestionArguments,

    #[command(flatten)]
    world: WorldArguments,

    /// Form of the output
    #[arg(short = 'o', long, value_enum, default_value_t, value_name = "FORMAT")]
    output: Format,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<u8> {
    let facts = arguments.world.facts()?;
    let opened = arguments.world.open()?;
    let snapshot = &opened.snapshot;
    let question = arguments.question.complete(&opened, facts)?;
    let answered = question.answer(snapshot)?;
    let allowed = answered.answer.is_allowed();
    match arguments.output {
        Format::Text => {
            let mut out = std::io::stdout().lock();
            if allowed {
                writeln!(out, "yes")?;
            } else {
                writeln!(out, "no - {}", answered.answer.reason)?;
            }
            let has_opinion = allowed || answered.answer.is_denied();
            if std::io::stderr().is_terminal()
                && let Some(note) = question.note(has_opinion)
            {
                eprintln!("note: {note}");
            }
        }
        format @ (Format::Json | Format::Yaml) => {
            let decision =
                answered.decision.unwrap_or_else(|unasked| Decision::unasked(unasked.verdict(), snapshot.revision()));
            let (action, resource) = answered.asked.unwrap_or_default();
            output::print(
                format,
                &output::answered(&output::Answered {
                    decision: &decision,
                    allowed,
                    denied: answered.answer.is_denied(),
                    reason: &answered.answer.reason,
                    action,
                    resource,
                }),
            )?;
        }
    }
    Ok(if allowed { 0 } else { NEGATIVE })
}
