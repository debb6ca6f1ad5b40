//! Scopes of kinds that other servers serve, behind an APIService.
//!
//! Nothing waits for it: a kind whose server does not answer has an unknown scope, which no Allow covers by accident.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;
use smol_str::SmolStr;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use super::api_server::{ApiServer, read};
use super::backoff::{Backoff, dice};
use super::failure::Failure;
use super::mirror::Elsewhere;
use super::notice::Notice;
use crate::name::Scope;
use crate::world::KindFacts;

/// Bytes of a group's answer.
const MOST_BYTES: usize = 8 << 20;
/// How long what servers answered is taken for what they serve.
const AGAIN: Duration = Duration::from_secs(240);

/// What other servers serve, by the names of their APIServices.
pub(super) type Wanted = BTreeMap<SmolStr, Elsewhere>;

/// What is known of the servers that were asked.
#[derive(Debug)]
struct Asked {
    known: BTreeMap<SmolStr, Known>,
    /// When all of them are asked again.
    again: Instant,
}

/// What one server answered.
#[derive(Debug)]
struct Known {
    other: Elsewhere,
    kinds: Vec<KindFacts>,
    /// Whether it was asked since all are to be asked again.
    is_fresh: bool,
}

/// Asks every server whose APIService is new or has changed, again after a while the ones that did not answer, and every
/// few minutes all of them: a server may come to serve other kinds, and replicas that asked at different times are not to
/// differ for ever. What is known stays while a server does not answer.
pub(super) async fn follow(server: ApiServer, mut wanted: watch::Receiver<Wanted>, notices: mpsc::Sender<Notice>) {
    let mut asked = Asked::new(Instant::now(), dice());
    let mut backoff = Backoff::new();
    loop {
        let now = wanted.borrow_and_update().clone();
        let mut failed = None;
        for name in asked.due(&now, Instant::now(), dice()) {
            let Some(other) = now.get(&name) else { continue };
            match discover(&server, &other.served).await {
                Ok(kinds) => {
                    if asked.answered(&name, other, &kinds)
                        && notices.send(Notice::Discovered(name, kinds)).await.is_err()
                    {
                        return;
                    }
                }
                Err(failure) => {
                    tracing::debug!(api_service = %name, error = %failure, "cannot ask for the scopes of its kinds");
                    failed = Some(failure);
                }
            }
        }
        let again = match failed {
            Some(failure) => Instant::now().checked_add(backoff.after(&failure, dice())),
            None => {
                backoff.reset();
                None
            }
        };
        let again = again.map_or(asked.again, |again| again.min(asked.again));
        // An end of the waiting is as good as a change: both look again.
        if let Ok(Err(_)) = tokio::time::timeout_at(again, wanted.changed()).await {
            return;
        }
    }
}

// === impl Asked ===

impl Asked {
    fn new(now: Instant, dice: f64) -> Self {
        Self { known: BTreeMap::new(), again: later(now, dice) }
    }

    /// The servers that are to be asked now.
    fn due(&mut self, wanted: &Wanted, now: Instant, dice: f64) -> Vec<SmolStr> {
        self.known.retain(|name, _| wanted.contains_key(name));
        if now >= self.again {
            self.again = later(now, dice);
            self.known.values_mut().for_each(|known| known.is_fresh = false);
        }
        let is_known = |name: &SmolStr, other: &Elsewhere| {
            self.known.get(name).is_some_and(|known| known.is_fresh && known.other == *other)
        };
        wanted.iter().filter(|(name, other)| !is_known(name, other)).map(|(name, _)| name.clone()).collect()
    }

    /// Remembers an answer. Whether it is another one than before.
    fn answered(&mut self, name: &SmolStr, other: &Elsewhere, kinds: &[KindFacts]) -> bool {
        let known = Known { other: other.clone(), kinds: kinds.to_vec(), is_fresh: true };
        let before = self.known.insert(name.clone(), known);
        before.is_none_or(|before| before.other != *other || before.kinds != kinds)
    }
}

// === free functions ===

/// When servers are asked again: at most a quarter later than they might be, so that replicas do not ask together.
fn later(now: Instant, dice: f64) -> Instant {
    now.checked_add(AGAIN + AGAIN.mul_f64(dice.clamp(0.0, 1.0) / 4.0)).unwrap_or(now)
}

/// The kinds of a group and version.
pub(super) async fn discover(server: &ApiServer, served: &str) -> Result<Vec<KindFacts>, Failure> {
    kinds(served, &server.get(&format!("/apis/{served}"), MOST_BYTES).await?)
}

fn kinds(served: &str, answer: &[u8]) -> Result<Vec<KindFacts>, Failure> {
    #[derive(Deserialize)]
    struct ResourceList<'a> {
        #[serde(borrow, default)]
        resources: Vec<Resource<'a>>,
    }
    #[derive(Deserialize)]
    struct Resource<'a> {
        #[serde(borrow)]
        name: Cow<'a, str>,
        namespaced: bool,
    }
    let group = served.split_once('/').map_or("", |(group, _)| group);
    let list: ResourceList<'_> = read(answer)?;
    // A name with a slash is a subresource: it has the scope of its kind.
    let kinds = list.resources.iter().filter(|resource| !resource.name.contains('/'));
    Ok(kinds
        .map(|resource| KindFacts {
            group: group.into(),
            plural: (&*resource.name).into(),
            scope: if resource.namespaced { Scope::Namespaced } else { Scope::Cluster },
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_a_group_has_its_scope_and_subresources_have_none() {
        let answer = br#"{"kind":"APIResourceList","groupVersion":"metrics.k8s.io/v1beta1","resources":[
            {"name":"nodes","singularName":"","namespaced":false,"kind":"NodeMetrics","verbs":["get"]},
            {"name":"pods","namespaced":true,"kind":"PodMetrics","verbs":["get"]},
            {"name":"pods/log","namespaced":true,"kind":"X","verbs":["get"]}]}"#;
        let found = kinds("metrics.k8s.io/v1beta1", answer).unwrap();
        let fact = |plural: &str, scope| KindFacts { group: "metrics.k8s.io".into(), plural: plural.into(), scope };
        assert_eq!(found, [fact("nodes", Scope::Cluster), fact("pods", Scope::Namespaced)]);
        assert!(kinds("x/v1", b"no").is_err());
    }

    fn other(version: u64) -> Elsewhere {
        Elsewhere { served: "y.org/v1".into(), version }
    }

    fn fact(plural: &str) -> KindFacts {
        KindFacts { group: "y.org".into(), plural: plural.into(), scope: Scope::Cluster }
    }

    #[test]
    fn every_server_is_asked_again_after_a_few_minutes_and_only_another_answer_is_passed_on() {
        let start = Instant::now();
        let mut asked = Asked::new(start, 0.0);
        let mut wanted = Wanted::from([("a".into(), other(1)), ("b".into(), other(1))]);
        assert_eq!(asked.due(&wanted, start, 0.0), ["a", "b"]);
        assert!(asked.answered(&"a".into(), &other(1), &[fact("x")]));
        // One that did not answer is asked again whenever there is a look.
        assert_eq!(asked.due(&wanted, start, 0.0), ["b"]);
        assert!(asked.answered(&"b".into(), &other(1), &[]));
        assert_eq!(asked.due(&wanted, start + AGAIN - Duration::from_secs(1), 0.0), [""; 0]);
        wanted.insert("b".into(), other(2));
        assert_eq!(asked.due(&wanted, start, 0.0), ["b"]);
        assert!(asked.answered(&"b".into(), &other(2), &[]));
        // All of them, once.
        assert_eq!(asked.due(&wanted, start + AGAIN, 1.0), ["a", "b"]);
        assert_eq!(asked.again, start + AGAIN * 9 / 4);
        assert!(!asked.answered(&"a".into(), &other(1), &[fact("x")]));
        // Without an answer it is asked on, and what it said before is still what is known.
        assert_eq!(asked.due(&wanted, start + AGAIN, 1.0), ["b"]);
        assert_eq!(asked.known["b"].kinds, []);
        assert!(asked.answered(&"b".into(), &other(2), &[fact("z")]));
        assert_eq!(asked.due(&wanted, start + AGAIN, 1.0), [""; 0]);
        wanted.remove("a");
        asked.due(&wanted, start + AGAIN, 1.0);
        assert!(!asked.known.contains_key("a"));
    }
}
