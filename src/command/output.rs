//! Answers as people and programs read them.

use std::io::Write;

use clap::ValueEnum;
use serde_json::{Value as Json, json};

use crate::decide::{Decision, Layer, Matched};
use crate::policy::Effect;

/// Form of the output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, ValueEnum)]
pub(super) enum Format {
    /// For people.
    #[default]
    Text,
    /// JSON with stable keys.
    Json,
    /// The same as YAML.
    Yaml,
}

/// A decision and how it was asked for.
pub(super) struct Answered<'a> {
    pub(super) decision: &'a Decision,
    pub(super) allowed: bool,
    pub(super) denied: bool,
    pub(super) reason: &'a str,
    pub(super) action: String,
    pub(super) resource: String,
}

/// One statement that counted.
pub(super) fn matched(matched: &Matched) -> Json {
    json!({
        "policy": matched.policy.as_str(),
        "sid": matched.sid.as_str(),
        "effect": effect(matched.effect),
        "layer": matched.layer.as_str(),
    })
}

pub(super) fn effect(effect: Effect) -> &'static str {
    match effect {
        Effect::Allow => "Allow",
        Effect::Deny => "Deny",
    }
}

pub(super) fn answered(answer: &Answered<'_>) -> Json {
    let decision = answer.decision;
    json!({
        "decision": decision.verdict.as_str(),
        "allowed": answer.allowed,
        "denied": answer.denied,
        "reason": answer.reason,
        "layer": decision.layer.map(Layer::as_str),
        "matched": decision.matched.iter().map(matched).collect::<Vec<_>>(),
        "principals": texts(&decision.principals),
        "action": answer.action,
        "resource": answer.resource,
        "missingContextKeys": texts(&decision.missing_context_keys),
        "revision": decision.revision.0,
    })
}

/// Prints a value on standard output: JSON on one line, or one YAML document.
pub(super) fn print(format: Format, value: &Json) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    match format {
        Format::Text | Format::Json => {
            serde_json::to_writer(&mut out, value)?;
            out.write_all(b"\n")?;
        }
        Format::Yaml => {
            out.write_all(b"---\n")?;
            out.write_all(serde_yaml::to_string(value)?.as_bytes())?;
        }
    }
    Ok(())
}

fn texts(texts: &[smol_str::SmolStr]) -> Vec<&str> {
    texts.iter().map(smol_str::SmolStr::as_str).collect()
}
