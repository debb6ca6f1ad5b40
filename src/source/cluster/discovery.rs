//! Scopes of kinds that other servers serve, behind an APIService.
//!
//! Nothing waits for it: a kind whose server does not answer has an unknown scope, which no Allow covers by accident.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;
use smol_str::SmolStr;
use tokio::sync::{mpsc, watch};

use super::api_server::{ApiServer, read};
use super::backoff::{Backoff, dice};
use super::failure::Failure;
use super::mirror::Elsewhere;
use super::notice::Notice;
use crate::name::Scope;
use crate::world::KindFacts;

/// Bytes of a group's answer.
const MOST_BYTES: usize = 8 << 20;

/// What other servers serve, by the names of their APIServices.
pub(super) type Wanted = BTreeMap<SmolStr, Elsewhere>;

/// Asks every server whose APIService is new or has changed, and again after a while the ones that did not answer.
pub(super) async fn follow(server: ApiServer, mut wanted: watch::Receiver<Wanted>, notices: mpsc::Sender<Notice>) {
    let mut known = Wanted::new();
    let mut backoff = Backoff::new();
    loop {
        let now = wanted.borrow_and_update().clone();
        known.retain(|name, _| now.contains_key(name));
        let mut failed = None;
        for (name, other) in &now {
            if known.get(name) == Some(other) {
                continue;
            }
            match discover(&server, &other.served).await {
                Ok(kinds) => {
                    known.insert(name.clone(), other.clone());
                    if notices.send(Notice::Discovered(name.clone(), kinds)).await.is_err() {
                        return;
                    }
                }
                Err(failure) => {
                    tracing::debug!(api_service = %name, error = %failure, "the scopes of its kinds are not known yet");
                    failed = Some(failure);
                }
            }
        }
        let again = match failed {
            Some(failure) => backoff.after(&failure, dice()),
            None => {
                backoff.reset();
                Duration::MAX
            }
        };
        // An end of the waiting is as good as a change: both look again.
        if let Ok(Err(_)) = tokio::time::timeout(again, wanted.changed()).await {
            return;
        }
    }
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
}
