//! The same walk with a recorder: why the answer is what it is, and what nearly made it another one.

use smol_str::{SmolStr, ToSmolStr};

use super::combine::decide_with;
use super::decision::{Decision, Layer};
use super::evaluate::{Conclusion, Layers, Recorder, Seen};
use super::facts::View;
use super::request::Request;
use super::statement::Mismatch;
use super::truth::Applies;
use crate::policy::condition::Condition;
use crate::policy::pattern::Budget;
use crate::policy::{Effect, Version};
use crate::snapshot::Snapshot;

/// Near misses that an explanation lists at most.
const NEAR_MISSES: usize = 10;

/// A decision with the whole walk behind it.
#[derive(Clone, Debug)]
pub struct Explanation {
    /// The decision: the same as without explanation.
    pub decision: Decision,
    /// One walk per principal that the caller may be, in the order in which they were asked.
    pub candidates: Vec<CandidateTrace>,
    /// Allow statements that matched in part, the nearest first; at most ten.
    pub near_misses: Vec<StatementTrace>,
}

/// The walk of one principal.
#[derive(Clone, Debug, Default)]
pub struct CandidateTrace {
    /// Its ARN; empty for the caller as other authorizers see it.
    pub principal: SmolStr,
    /// Whether it counts: it belongs to the resource's account or to the management account.
    pub counts: bool,
    /// Every statement that was asked, in the order of the walk.
    pub statements: Vec<StatementTrace>,
    /// The layer that explicitly denies it.
    pub denied: Option<Layer>,
    /// The layer that grants it, if nothing denies or limits.
    pub allowed: Option<Layer>,
    /// The first limit that does not allow.
    pub limit: Option<Layer>,
}

/// One statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatementTrace {
    /// Where it spoke from.
    pub layer: Layer,
    /// Its policy.
    pub policy: SmolStr,
    /// Its sid, or `statement N`.
    pub sid: SmolStr,
    /// Allow or Deny.
    pub effect: Effect,
    /// Whether it applies.
    pub applies: Applies,
    /// The first element that did not match.
    pub mismatch: Option<Mismatch>,
    /// The condition that did not hold, if that is the mismatch.
    pub condition: Option<ConditionTrace>,
}

/// A condition that did not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConditionTrace {
    /// The operator as written.
    pub operator: SmolStr,
    /// The key as written.
    pub key: SmolStr,
    /// The values of the policy.
    pub expected: Vec<SmolStr>,
    /// The values of the request; `None` when the key is missing.
    pub actual: Option<Vec<SmolStr>>,
}

/// Decides one request and keeps every step.
pub fn explain(snapshot: &Snapshot, request: &Request<'_>) -> Explanation {
    let mut trace = Trace::default();
    let decision = decide_with(snapshot, request, &Budget::new(Budget::DECISION), &mut trace);
    let mut near_misses: Vec<StatementTrace> = Vec::new();
    for statement in trace.candidates.iter().flat_map(|candidate| &candidate.statements) {
        if statement.effect == Effect::Allow && statement.nearness() > 0 && !near_misses.contains(statement) {
            near_misses.push(statement.clone());
        }
    }
    near_misses.sort_by_key(|statement| std::cmp::Reverse(statement.nearness()));
    near_misses.truncate(NEAR_MISSES);
    Explanation { decision, candidates: trace.candidates, near_misses }
}

#[derive(Default)]
struct Trace {
    candidates: Vec<CandidateTrace>,
}

// === impl Trace ===

impl<'s> Recorder<'s> for Trace {
    const SEES_ALL: bool = true;

    fn statement(&mut self, seen: Seen<'_, 's>) {
        let condition = match seen.outcome.mismatch {
            Some(Mismatch::Condition(index)) => seen.statement.conditions.get(index).map(|condition| ConditionTrace {
                operator: condition.operator.to_smolstr(),
                key: condition.key.written().into(),
                expected: expected(condition),
                actual: match seen.facts.get(&condition.key) {
                    None => None,
                    Some(View::One(value)) => Some(vec![value.into()]),
                    Some(View::Many(values)) => Some(values.iter().map(SmolStr::from).collect()),
                    Some(View::Possible(_) | View::Anything) => Some(vec!["(a set of values)".into()]),
                    Some(View::Unknown) => Some(vec!["(not known here)".into()]),
                },
            }),
            _ => None,
        };
        let statement = StatementTrace {
            layer: seen.layer,
            policy: seen.policy.label.clone(),
            sid: seen.statement.label(seen.index),
            effect: seen.statement.effect,
            applies: seen.outcome.applies,
            mismatch: seen.outcome.mismatch,
            condition,
        };
        if let Some(candidate) = self.candidates.last_mut() {
            candidate.statements.push(statement);
        }
    }

    fn candidate(&mut self, principal: &str, counts: bool) {
        self.candidates.push(CandidateTrace { principal: principal.into(), counts, ..CandidateTrace::default() });
    }

    fn concluded(&mut self, _: &Layers, conclusion: &Conclusion) {
        if let Some(candidate) = self.candidates.last_mut() {
            candidate.denied = conclusion.denied;
            candidate.allowed = conclusion.allowed;
            candidate.limit = conclusion.limit;
        }
    }
}

// === impl StatementTrace ===

impl StatementTrace {
    /// How near the statement came: the number of elements that matched before the first that did not. Zero for one
    /// that speaks about another action, and for one that applies.
    fn nearness(&self) -> u32 {
        match self.mismatch {
            None => u32::from(self.applies == Applies::Undetermined).saturating_mul(6),
            Some(Mismatch::Action | Mismatch::Malformed) => 0,
            Some(Mismatch::Resource) => 1,
            Some(Mismatch::Target) => 2,
            Some(Mismatch::Principal) => 3,
            Some(Mismatch::NotCovered) => 5,
            Some(Mismatch::Condition(_)) => 4,
        }
    }
}

fn expected(condition: &Condition) -> Vec<SmolStr> {
    condition.values.written(condition.operator.base, Version::V2012).into_iter().map(SmolStr::from).collect()
}
