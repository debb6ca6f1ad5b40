//! `explain`: the whole walk behind an answer.

use std::ffi::OsString;
use std::io::Write;

use clap::{Args, FromArgMatches as _, Parser};
use serde_json::{Value as Json, json};

use super::cli::{NEGATIVE, given, parse_again};
use super::output::{self, Format};
use super::question::{Question, QuestionArguments};
use super::simulate::{NamedArguments, reason};
use super::world::WorldArguments;
use crate::decide::{
    Applies, CandidateTrace, ConditionTrace, Decision, Explanation, Layer, Mismatch, Request, StatementTrace, Verdict,
    explain,
};
use crate::mapping::{self, Outcome};
use crate::name::Mode;
use crate::server;
use crate::snapshot::Snapshot;

/// The arguments of `can-i` or of `simulate`; which, is seen by `--principal`.
#[derive(Clone, Debug, Args)]
#[command(disable_help_flag = true)]
pub(super) struct Arguments {
    /// The arguments of can-i, or with --principal those of simulate
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARGUMENTS")]
    arguments: Vec<OsString>,
}

/// Show the whole walk behind an answer of can-i, layer by layer
///
/// With --principal: behind an answer of simulate.
#[derive(Clone, Debug, Parser)]
#[command(name = "explain")]
struct CanI {
    #[command(flatten)]
    question: QuestionArguments,

    #[command(flatten)]
    world: WorldArguments,

    /// Form of the output
    #[arg(short = 'o', long, value_enum, default_value_t, value_name = "FORMAT")]
    output: Format,
}

/// Show the whole walk behind an answer of simulate, layer by layer
#[derive(Clone, Debug, Parser)]
#[command(name = "explain")]
struct Simulate {
    #[command(flatten)]
    named: NamedArguments,

    /// Form of the output
    #[arg(short = 'o', long, value_enum, default_value_t, value_name = "FORMAT")]
    output: Format,
}

/// What is shown beside the walk.
struct Shown {
    explanation: Explanation,
    reason: String,
    allowed: bool,
    denied: bool,
    action: String,
    resource: String,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<u8> {
    let named = given(&arguments.arguments, "--principal");
    let (shown, format) = if named {
        let matches = parse_again::<Simulate>("explain", &arguments.arguments);
        let simulate = Simulate::from_arg_matches(&matches)?;
        let facts = simulate.named.world().facts()?;
        let snapshot = &simulate.named.world().open()?.snapshot;
        let shown = simulate.named.with_single_request(snapshot, &facts, |request| {
            let explanation = explain(snapshot, request);
            let reason = reason(&explanation.decision);
            shown(request, explanation, reason)
        })?;
        (shown, simulate.output)
    } else {
        let matches = parse_again::<CanI>("explain", &arguments.arguments);
        let can_i = CanI::from_arg_matches(&matches)?;
        let facts = can_i.world.facts()?;
        let opened = can_i.world.open()?;
        let question = can_i.question.complete(&opened, facts)?;
        (ask(&question, can_i.question.mode, &opened.snapshot)?, can_i.output)
    };
    match format {
        Format::Text => write_text(&shown)?,
        Format::Json | Format::Yaml => output::print(format, &to_json(&shown))?,
    }
    Ok(if shown.allowed { 0 } else { NEGATIVE })
}

fn ask(question: &Question<'_>, mode: Mode, snapshot: &Snapshot) -> anyhow::Result<Shown> {
    let attributes = question.attributes(snapshot)?;
    Ok(server::with_request(snapshot, &attributes, mode, |request| match request {
        Err(unasked) => {
            let answer = mapping::answer(mode, Outcome::Unasked(unasked));
            let decision = Decision::unasked(unasked.verdict(), snapshot.revision());
            Shown {
                explanation: Explanation { decision, candidates: Vec::new(), near_misses: Vec::new() },
                allowed: answer.is_allowed(),
                denied: answer.is_denied(),
                reason: answer.reason,
                action: String::new(),
                resource: String::new(),
            }
        }
        Ok(mut request) => {
            question.add_facts(&mut request);
            let explanation = explain(snapshot, &request);
            let outcome = Outcome::Decided { request: &request, decision: &explanation.decision };
            let answer = mapping::answer(mode, outcome);
            let mut shown = shown(&request, explanation, answer.reason.clone());
            shown.allowed = answer.is_allowed();
            shown.denied = answer.is_denied();
            shown
        }
    }))
}

fn shown(request: &Request<'_>, explanation: Explanation, reason: String) -> Shown {
    let decision = &explanation.decision;
    Shown {
        allowed: decision.verdict == Verdict::Allow,
        denied: decision.verdict == Verdict::ExplicitDeny || decision.is_limited(),
        reason,
        action: request.action.to_string(),
        resource: request.resource.to_string(),
        explanation,
    }
}

// === text ===

fn write_text(shown: &Shown) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    let decision = &shown.explanation.decision;
    let verdict = decision.verdict.as_str();
    // The reasons of `can-i` begin with the verdict.
    let prefix = if shown.reason.contains(verdict) { String::new() } else { format!("{verdict}: ") };
    writeln!(out, "{prefix}{}", shown.reason)?;
    if !shown.action.is_empty() {
        writeln!(out, "asked: {} on {}", shown.action, shown.resource)?;
    }
    for candidate in &shown.explanation.candidates {
        writeln!(out, "\nas {}{}", name(candidate), note(candidate))?;
        for (layer, statements) in by_layer(candidate) {
            writeln!(out, "  {}", layer.describe())?;
            for statement in statements {
                writeln!(out, "    {}", line(statement))?;
            }
        }
        if candidate.statements.is_empty() {
            writeln!(out, "  no policy speaks about it")?;
        }
        writeln!(out, "  => {}", conclusion(candidate))?;
    }
    if decision.verdict != Verdict::Allow && !shown.explanation.near_misses.is_empty() {
        writeln!(out, "\nnearest Allow statements")?;
        for statement in &shown.explanation.near_misses {
            writeln!(out, "  {} {}: {}", statement.policy, statement.sid, change(statement))?;
        }
    }
    if !decision.missing_context_keys.is_empty() {
        writeln!(
            out,
            "\nkeys that policies ask for and the request does not have: {}",
            decision.missing_context_keys.join(", ")
        )?;
    }
    Ok(())
}

fn name(candidate: &CandidateTrace) -> &str {
    if candidate.principal.is_empty() { "any caller, for what other authorizers grant" } else { &candidate.principal }
}

/// A principal of an account that has no say here; the caller as other authorizers see it belongs to none.
fn note(candidate: &CandidateTrace) -> &'static str {
    if candidate.counts || candidate.principal.is_empty() { "" } else { " (does not count here)" }
}

/// Statements in the order of the walk, one group per layer.
fn by_layer(candidate: &CandidateTrace) -> Vec<(Layer, Vec<&StatementTrace>)> {
    let mut groups: Vec<(Layer, Vec<&StatementTrace>)> = Vec::new();
    for statement in &candidate.statements {
        match groups.iter_mut().find(|(layer, _)| *layer == statement.layer) {
            Some((_, group)) => group.push(statement),
            None => groups.push((statement.layer, vec![statement])),
        }
    }
    groups
}

fn line(statement: &StatementTrace) -> String {
    let verdict = match statement.applies {
        Applies::Yes => "applies".to_owned(),
        Applies::Undetermined => "depends on content that is not known here".to_owned(),
        Applies::No => format!("no match: {}", mismatch(statement)),
    };
    format!("{} {} {}: {verdict}", output::effect(statement.effect), statement.policy, statement.sid)
}

fn mismatch(statement: &StatementTrace) -> String {
    match statement.mismatch {
        None => String::new(),
        Some(Mismatch::Malformed) => "it cannot be read".to_owned(),
        Some(Mismatch::Action) => "another action".to_owned(),
        Some(Mismatch::Resource) => "another resource".to_owned(),
        Some(Mismatch::Target) => "attached to other resources".to_owned(),
        Some(Mismatch::Principal) => "another principal".to_owned(),
        Some(Mismatch::NotCovered) => "it covers only a part of what is asked".to_owned(),
        Some(Mismatch::Condition(_)) => statement.condition.as_ref().map_or_else(String::new, condition),
    }
}

fn condition(condition: &ConditionTrace) -> String {
    let ConditionTrace { operator, key, expected, actual } = condition;
    let actual = match actual {
        None => "it is missing".to_owned(),
        Some(values) => format!("it is [{}]", values.join(", ")),
    };
    mapping::one_line(&format!("{operator} {key} [{}], and {actual}", expected.join(", ")))
}

/// What would make a near miss apply.
fn change(statement: &StatementTrace) -> String {
    match statement.mismatch {
        Some(Mismatch::Resource) => "would allow it on a resource that it names".to_owned(),
        Some(Mismatch::Target) => "would allow it on a resource that the policy is attached to".to_owned(),
        Some(Mismatch::Principal) => "would allow it to a principal that it names".to_owned(),
        Some(Mismatch::NotCovered) => "would allow a narrower request: name a namespace, a name or a label".to_owned(),
        Some(Mismatch::Condition(_)) => format!("would allow it if this held: {}", mismatch(statement)),
        Some(Mismatch::Action | Mismatch::Malformed) | None => mismatch(statement),
    }
}

fn conclusion(candidate: &CandidateTrace) -> String {
    match (candidate.denied, candidate.allowed, candidate.limit) {
        (Some(layer), _, _) => format!("denied by {}", layer.describe()),
        (None, Some(layer), _) => format!("allowed by {}", layer.describe()),
        (None, None, Some(layer)) => format!("not allowed by {}", layer.describe()),
        (None, None, None) => "not allowed".to_owned(),
    }
}

// === JSON ===

fn to_json(shown: &Shown) -> Json {
    let explanation = &shown.explanation;
    let mut json = output::answered(&output::Answered {
        decision: &explanation.decision,
        allowed: shown.allowed,
        denied: shown.denied,
        reason: &shown.reason,
        action: shown.action.clone(),
        resource: shown.resource.clone(),
    });
    let candidates: Vec<Json> = explanation
        .candidates
        .iter()
        .map(|candidate| {
            json!({
                "principal": candidate.principal.as_str(),
                "counts": candidate.counts,
                "denied": candidate.denied.map(Layer::as_str),
                "allowed": candidate.allowed.map(Layer::as_str),
                "limit": candidate.limit.map(Layer::as_str),
                "layers": by_layer(candidate).into_iter().map(|(layer, statements)| json!({
                    "layer": layer.as_str(),
                    "statements": statements.into_iter().map(statement_json).collect::<Vec<_>>(),
                })).collect::<Vec<_>>(),
            })
        })
        .collect();
    if let Some(object) = json.as_object_mut() {
        object.insert("candidates".into(), candidates.into());
        let near: Vec<Json> = explanation.near_misses.iter().map(statement_json).collect();
        object.insert("nearMisses".into(), near.into());
    }
    json
}

fn statement_json(statement: &StatementTrace) -> Json {
    let element = match statement.mismatch {
        None => None,
        Some(Mismatch::Malformed) => Some("statement"),
        Some(Mismatch::Action) => Some("action"),
        Some(Mismatch::Resource) => Some("resource"),
        Some(Mismatch::Target) => Some("target"),
        Some(Mismatch::Principal) => Some("principal"),
        Some(Mismatch::NotCovered) => Some("cover"),
        Some(Mismatch::Condition(_)) => Some("condition"),
    };
    json!({
        "policy": statement.policy.as_str(),
        "sid": statement.sid.as_str(),
        "effect": output::effect(statement.effect),
        "layer": statement.layer.as_str(),
        "applies": match statement.applies {
            Applies::Yes => "applies",
            Applies::No => "doesNotApply",
            Applies::Undetermined => "undetermined",
        },
        "mismatch": element,
        "condition": statement.condition.as_ref().map(|condition| json!({
            "operator": condition.operator.as_str(),
            "key": condition.key.as_str(),
            "expected": condition.expected.iter().map(smol_str::SmolStr::as_str).collect::<Vec<_>>(),
            "actual": condition.actual.as_ref().map(|values| values.iter().map(smol_str::SmolStr::as_str).collect::<Vec<_>>()),
        })),
    })
}
