//! A table of questions that every build must answer right before it answers anybody.
//!
//! A small world is read by the parsers that read everybody's objects, and asked through the webhook that API servers ask.
//! A program that was built wrong, or whose machine computes wrong, is found out here and not by whom it lets in.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::authorize::{Authorize as _, ReplyStatus};
use super::webhook::AuthorizationWebhook;
use crate::name::{Mode, Revision};
use crate::policy::tree::Node;
use crate::snapshot::Snapshot;
use crate::store::{self, InForce, Vector};
use crate::telemetry::Metrics;
use crate::world::{self, Declaration, GROUP, Input, VERSION};

const TABLE: &str = include_str!("self_test.json");

#[derive(Deserialize)]
struct Table {
    namespaces: Vec<Json>,
    objects: Vec<Json>,
    questions: Vec<Question>,
}

#[derive(Deserialize)]
struct Question {
    /// What is shown.
    what: String,
    user: String,
    #[serde(default)]
    groups: Vec<String>,
    verb: String,
    /// The namespace; empty for all.
    #[serde(rename = "in")]
    account: String,
    #[serde(default)]
    group: String,
    resource: String,
    #[serde(default)]
    subresource: String,
    #[serde(default)]
    name: String,
    expect: String,
    /// What the reason must name.
    because: String,
}

/// An answered review.
#[derive(Default, Deserialize)]
struct Answered {
    status: Status,
}

#[derive(Default, Deserialize)]
struct Status {
    allowed: Option<bool>,
    denied: Option<bool>,
    #[serde(default)]
    reason: String,
}

/// Asks every question.
///
/// # Errors
/// When an answer is another than the expected one: which, and what was answered.
pub fn run() -> Result<(), String> {
    // The log is about real requests.
    tracing::subscriber::with_default(tracing::subscriber::NoSubscriber::default(), || ask(TABLE))
}

fn ask(table: &str) -> Result<(), String> {
    let table: Table = serde_json::from_str(table).map_err(|error| format!("the table cannot be read: {error}"))?;
    let world = world::build(&table.input()?);
    let snapshot = Arc::new(Snapshot::compile(&world, Revision(1)));
    let (mut publisher, reader) = store::channel();
    publisher.publish(Arc::new(InForce { snapshot, world: Arc::new(world), vector: Vector::default() }));
    let webhook = AuthorizationWebhook::new(reader, Mode::Coexist, Arc::new(Metrics::new()));
    for question in &table.questions {
        let reply = webhook.authorize("self-test", question.review().to_string().as_bytes());
        let Answered { status } = serde_json::from_slice(&reply.body).unwrap_or_default();
        let (given, reason) = (given(reply.status, &status), &status.reason);
        if given != question.expect || !reason.contains(&question.because) {
            let Question { what, expect, because, .. } = question;
            return Err(format!(
                "`{what}`: expected `{expect}` with a reason that names `{because}`, answered `{given}`: {reason}"
            ));
        }
    }
    Ok(())
}

fn given(sent: ReplyStatus, status: &Status) -> &'static str {
    match (sent, status.allowed, status.denied) {
        (ReplyStatus::BadRequest, ..) => "malformed",
        (ReplyStatus::Unavailable, ..) => "unavailable",
        (ReplyStatus::Ok, Some(true), None | Some(false)) => "allowed",
        (ReplyStatus::Ok, Some(false), Some(true)) => "denied",
        (ReplyStatus::Ok, Some(false), None | Some(false)) => "no opinion",
        (ReplyStatus::Ok, Some(true), Some(true)) | (ReplyStatus::Ok, None, _) => "no answer",
    }
}

// === impl Table ===

impl Table {
    fn input(&self) -> Result<Input, String> {
        let mut input = Input::default();
        for namespace in &self.namespaces {
            input.add(read(namespace, "v1", "Namespace")?);
        }
        for object in &self.objects {
            let kind = object.get("kind").and_then(Json::as_str).unwrap_or_default();
            let mut plain = object.clone();
            let last_good = plain.as_object_mut().and_then(|object| object.remove("lastGood"));
            let mut declaration = read(&plain, &format!("{GROUP}/{VERSION}"), kind)?;
            if let Declaration::Object(object) = &mut declaration {
                object.last_good = last_good.map(|spec| Arc::new(Node::from(&spec)));
            }
            input.add(declaration);
        }
        Ok(input)
    }
}

fn read(object: &Json, api_version: &str, kind: &str) -> Result<Declaration, String> {
    let mut whole = object.as_object().cloned().unwrap_or_default();
    whole.insert("apiVersion".to_owned(), api_version.into());
    whole.insert("kind".to_owned(), kind.into());
    let node = Node::from(&Json::Object(whole));
    Declaration::read(&node, None).map_err(|error| format!("the table cannot be read: {error}"))
}

// === impl Question ===

impl Question {
    fn review(&self) -> Json {
        let mut groups = self.groups.clone();
        groups.push(
            if self.user == "system:anonymous" { "system:unauthenticated" } else { "system:authenticated" }.into(),
        );
        json!({
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SubjectAccessReview",
            "spec": {
                "user": self.user,
                "groups": groups,
                "resourceAttributes": {
                    "namespace": self.account,
                    "verb": self.verb,
                    "group": self.group,
                    "version": "v1",
                    "resource": self.resource,
                    "subresource": self.subresource,
                    "name": self.name,
                },
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_question_is_answered_right() {
        assert_eq!(run(), Ok(()));
    }

    #[test]
    fn every_layer_is_asked_about() {
        let table: Table = serde_json::from_str(TABLE).unwrap();
        assert!(table.questions.len() >= 12);
        // Without any one object some answer is another: each of them is there for a question.
        for index in 0..table.objects.len() {
            let mut less: Json = serde_json::from_str(TABLE).unwrap();
            let object = less["objects"].as_array_mut().unwrap().remove(index);
            assert!(ask(&less.to_string()).is_err(), "nothing asks about {}", object["metadata"]);
        }
    }

    #[test]
    fn a_wrong_answer_is_told_with_its_question() {
        let wrong =
            TABLE.replace(r#""expect": "denied", "because": "NoLedger""#, r#""expect": "allowed", "because": "x""#);
        let told = ask(&wrong).unwrap_err();
        assert!(told.starts_with("`a Deny beats an Allow beside it`: expected `allowed`"), "{told}");
        assert!(told.contains("answered `denied`: "), "{told}");
    }
}
