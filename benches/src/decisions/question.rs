//! Requests: as a server has them after decoding a call, and as the evaluator takes them.

use std::borrow::Cow;
use std::path::Path;

use anyhow::Context as _;
use kube_iam::decide::{
    AccountSlot, Action, Baseline, Caller, Context, Fact, Request, Resource, ResourceAccount, Rest, Slot, Slots,
};
use serde::Deserialize;
use serde::de::{MapAccess, Visitor};

/// A neutral request.
#[derive(Debug, Deserialize)]
pub struct Question {
    principal: String,
    action: String,
    resource: String,
    context: Facts,
}

/// Context keys with their values, in the order of the request.
#[derive(Debug)]
struct Facts(Vec<(String, Values)>);

/// A string, or a list of strings for a multivalued key.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Values {
    One(String),
    Many(Vec<String>),
}

/// Reads at most so many requests.
///
/// # Errors
/// When the file cannot be read, or a line is no request.
pub fn load(workload: &Path, limit: usize) -> anyhow::Result<Vec<Question>> {
    let text = std::fs::read_to_string(workload.join("requests.jsonl")).context("read `requests.jsonl`")?;
    let lines = text.lines().take(limit).enumerate();
    lines
        .map(|(at, line)| serde_json::from_str(line).with_context(|| format!("read request {} of the file", at + 1)))
        .collect()
}

// === impl Question ===

impl Question {
    /// The same for the evaluator; `None` if the principal is no ARN.
    pub fn request(&self) -> Option<Request<'_>> {
        let mut context = Context::with_capacity(self.context.0.len());
        for (key, values) in &self.context.0 {
            let fact = match values {
                Values::One(value) => Fact::One(Cow::Borrowed(value)),
                Values::Many(values) => Fact::Many(values.iter().map(|value| Cow::Borrowed(value.as_str())).collect()),
            };
            context.push(key.as_str(), fact);
        }
        Some(Request {
            caller: Caller::PrincipalAsGiven(Cow::Owned(self.principal.parse().ok()?)),
            action: Action::One(Cow::Borrowed(&self.action)),
            resource: resource(&self.resource),
            account: ResourceAccount::OfPrincipal,
            context,
            baseline: Baseline::No,
        })
    }

    /// Reads every byte, so that the request is in cache as it would be right after decoding a call.
    pub fn touch(&self) -> u64 {
        let mut sum = touch(&self.principal) + touch(&self.action) + touch(&self.resource);
        for (key, values) in &self.context.0 {
            sum += touch(key);
            sum += match values {
                Values::One(value) => touch(value),
                Values::Many(values) => values.iter().map(|value| touch(value)).sum(),
            };
        }
        sum
    }
}

impl<'de> Deserialize<'de> for Facts {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Pairs;
        impl<'de> Visitor<'de> for Pairs {
            type Value = Facts;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a map from context keys to strings or lists of strings")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Facts, A::Error> {
                let mut facts = Vec::new();
                while let Some(fact) = map.next_entry()? {
                    facts.push(fact);
                }
                Ok(Facts(facts))
            }
        }
        deserializer.deserialize_map(Pairs)
    }
}

// === free functions ===

/// What is not written as an ARN is the bare `*` of actions without a resource.
fn resource(text: &str) -> Resource<'_> {
    let mut rest = text.strip_prefix("arn:");
    let mut segment = || {
        let text = rest?;
        let colon = text.bytes().position(|byte| byte == b':')?;
        rest = text.get(colon + 1..);
        text.get(..colon).map(Cow::Borrowed)
    };
    let segments = [(); 4].map(|()| segment());
    match (segments, rest) {
        ([Some(partition), Some(service), Some(region), Some(account)], Some(rest)) => Resource::Arn(Slots {
            partition,
            service: Slot::One(service),
            region,
            account: AccountSlot::One(account),
            rest: Rest::One(Cow::Borrowed(rest)),
        }),
        _ => Resource::Any,
    }
}

fn touch(text: &str) -> u64 {
    text.bytes().map(u64::from).sum()
}
