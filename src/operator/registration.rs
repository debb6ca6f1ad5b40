//! The registration of our webhooks: whom the API server trusts there, and keeping it so.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::ByteString;
use k8s_openapi::api::admissionregistration::v1::ValidatingWebhookConfiguration;
use kube::ResourceExt as _;
use kube::api::{Api, Patch, PatchParams};
use serde_json::json;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use super::bundle;
use super::call::{Refusal, RefusalKind, at, call};
use super::election::Role;
use super::follow::{Change, Selection, follow};
use super::perform::label;
use super::replicas::{Connection, View};
use super::run::{Authorities, Trusted};
use crate::telemetry::Metrics;
use crate::telemetry::label::WriteTarget;

/// The registration.
const NAME: &str = "kube-iam";
/// What the names of our webhooks in it end with.
const OURS: &str = ".kube-iam.dev";
/// The field manager of its `caBundle`s.
const FIELD_MANAGER: &str = "kube-iam-ca";
/// The pause after a write that came to nothing.
const PAUSE: Duration = Duration::from_secs(2);

/// What is registered.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
struct Registered {
    uid: Option<String>,
    version: Option<String>,
    /// Our webhooks, in the order of the registration, which writing them keeps.
    webhooks: Vec<Webhook>,
}

/// One webhook of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Webhook {
    name: String,
    bundle: String,
}

/// Keeps the registration.
pub(super) struct Keeper {
    pub registrations: Api<ValidatingWebhookConfiguration>,
    pub authorities: Authorities,
    pub metrics: Arc<Metrics>,
}

// === impl Keeper ===

impl Keeper {
    /// Tells whether our webhooks are registered and whom the API server trusts there, and while this replica is the
    /// holder sees to it that every replica is among them. For ever.
    pub(super) async fn run(&mut self, role: &mut watch::Receiver<Role>, replicas: &mut watch::Receiver<View>) {
        let mut ours = match &mut self.authorities {
            Authorities::Ours { certificates, trusted } => Some((certificates, trusted)),
            Authorities::Theirs => None,
        };
        let selection =
            Selection { labels: None, fields: Some(format!("metadata.name={NAME}")), silence: Duration::MAX };
        let (sender, mut changes) = mpsc::channel(16);
        let follow = follow(&self.registrations, &selection, &sender);
        tokio::pin!(follow);
        let mut registered: Option<Registered> = None;
        // Whether it was said that there is none.
        let mut missed = false;
        loop {
            let replicas_now = replicas.borrow_and_update().clone();
            let wanted =
                ours.as_mut().and_then(|(certificates, _)| wanted(&certificates.borrow_and_update(), &replicas_now));
            let holds = *role.borrow_and_update() == Role::Holder;
            let patch = registered.as_ref().filter(|_| holds).and_then(|found| found.patch(&wanted?));
            let mut again = None;
            if let Some(patch) = patch {
                let result = write(&self.registrations, &patch).await;
                self.metrics.write(WriteTarget::CaBundle, label(&result));
                if let Err(refusal) = result {
                    match refusal.kind {
                        // It is another by now, or gone, and that is about to be seen.
                        RefusalKind::Conflict | RefusalKind::Gone => tracing::debug!(%refusal, "caBundle not written"),
                        _ => tracing::warn!(%refusal, "cannot write the caBundle of registration {NAME}"),
                    }
                }
                // What was written comes back as a change; if not, it is tried again.
                again = Instant::now().checked_add(PAUSE);
            }
            tokio::select! {
                () = &mut follow => return,
                Some(change) = changes.recv() => {
                    match change {
                        Change::Listed(found) => registered = found.iter().find_map(Registered::read),
                        Change::Applied(found) => registered = Registered::read(&found),
                        Change::Gone(_) => registered = None,
                        // Not for us to see, and so not for us to keep.
                        Change::Lost(RefusalKind::Refused) => {}
                        // Nothing else is known than what was seen last; who waits for trust goes on waiting.
                        Change::Lost(_) => continue,
                    }
                    self.metrics.registered_webhooks(registered.as_ref().map_or(0, |found| found.webhooks.len()));
                    if registered.is_none() && !std::mem::replace(&mut missed, true) {
                        tracing::warn!(
                            "the registration `{NAME}` is not there: IAM objects and Namespaces are stored unchecked"
                        );
                    }
                    missed &= registered.is_none();
                    let seen = match &registered {
                        Some(registered) => Trusted::Registered(registered.bundle()),
                        None => Trusted::Nowhere,
                    };
                    if let Some((_, trusted)) = &ours {
                        trusted.send_if_modified(|before| std::mem::replace(before, seen.clone()) != seen);
                    }
                }
                Ok(()) = renewed(&mut ours) => {}
                Ok(()) = replicas.changed() => {}
                Ok(()) = role.changed() => {}
                () = at(again) => {}
            }
        }
    }
}

// === impl Registered ===

impl Registered {
    /// `None` for another registration than ours, and for one in which no webhook is ours.
    fn read(found: &ValidatingWebhookConfiguration) -> Option<Self> {
        if found.name_any() != NAME {
            return None;
        }
        let ours = found.webhooks.iter().flatten().filter(|webhook| webhook.name.ends_with(OURS));
        let webhooks = ours.map(|webhook| {
            let bundle = webhook.client_config.ca_bundle.as_ref().map(|bundle| String::from_utf8_lossy(&bundle.0));
            Webhook { name: webhook.name.clone(), bundle: bundle.unwrap_or_default().into_owned() }
        });
        let webhooks: Vec<Webhook> = webhooks.collect();
        (!webhooks.is_empty()).then(|| Self { uid: found.uid(), version: found.resource_version(), webhooks })
    }

    /// The certificates that every webhook of ours trusts, PEM.
    fn bundle(&self) -> String {
        let mut all = self.webhooks.iter().map(|webhook| bundle::certificates(&webhook.bundle));
        let first = all.next().unwrap_or_default();
        all.fold(first, |common, certificates| &common & &certificates).into_iter().collect()
    }

    /// What to apply so that these are trusted, and no others, by every webhook of ours that is registered; `None` when
    /// it is so.
    fn patch(&self, wanted: &BTreeSet<String>) -> Option<serde_json::Value> {
        let wanted: String = wanted.iter().cloned().collect();
        if wanted.is_empty() || self.webhooks.iter().all(|webhook| webhook.bundle == wanted) {
            return None;
        }
        let bundle = ByteString(wanted.into_bytes());
        let webhooks =
            self.webhooks.iter().map(|webhook| json!({"name": webhook.name, "clientConfig": {"caBundle": bundle}}));
        Some(json!({
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "ValidatingWebhookConfiguration",
            "metadata": {"name": NAME, "uid": self.uid, "resourceVersion": self.version},
            "webhooks": webhooks.collect::<Vec<_>>(),
        }))
    }
}

// === free functions ===

/// Waits for other certificates of ours; for ever where they are somebody else's.
async fn renewed(
    ours: &mut Option<(&mut watch::Receiver<String>, &mut watch::Sender<Trusted>)>,
) -> Result<(), watch::error::RecvError> {
    match ours {
        Some((certificates, _)) => certificates.changed().await,
        None => std::future::pending().await,
    }
}

/// The certificates to trust: our own and those of the other replicas. `None` while the others are not known.
fn wanted(own: &str, replicas: &View) -> Option<BTreeSet<String>> {
    (replicas.connection == Connection::Seen).then(|| &bundle::certificates(own) | &replicas.authorities)
}

async fn write(registrations: &Api<ValidatingWebhookConfiguration>, patch: &serde_json::Value) -> Result<(), Refusal> {
    let parameters = PatchParams::apply(FIELD_MANAGER).force();
    call(registrations.patch(NAME, &parameters, &Patch::Apply(patch))).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn certificate(letter: char) -> String {
        let body: String = std::iter::repeat_n(letter, 62).collect();
        format!("-----BEGIN CERTIFICATE-----\nMI{body}\n-----END CERTIFICATE-----\n")
    }

    fn registration(name: &str, webhooks: &[(&str, &str)]) -> ValidatingWebhookConfiguration {
        let webhooks: Vec<serde_json::Value> = webhooks
            .iter()
            .map(|(name, bundle)| {
                json!({
                    "name": name,
                    "clientConfig": {"url": "https://127.0.0.1/admit", "caBundle": ByteString(bundle.as_bytes().into())},
                    "sideEffects": "None",
                    "admissionReviewVersions": ["v1"],
                })
            })
            .collect();
        serde_json::from_value(
            json!({"metadata": {"name": name, "uid": "u", "resourceVersion": "7"}, "webhooks": webhooks}),
        )
        .unwrap()
    }

    #[test]
    fn every_webhook_of_ours_that_is_registered_gets_the_bundle() {
        let [a, b] = ['A', 'B'].map(certificate);
        let found = registration(
            "kube-iam",
            &[("objects.kube-iam.dev", &a), ("accounts.kube-iam.dev", ""), ("else.example.org", "")],
        );
        let registered = Registered::read(&found).unwrap();
        assert_eq!(registered.bundle(), "");
        let wanted = BTreeSet::from([b.clone(), a.clone()]);
        let patch = registered.patch(&wanted).unwrap();
        assert_eq!(patch["metadata"], json!({"name": "kube-iam", "uid": "u", "resourceVersion": "7"}));
        let names: Vec<&str> =
            patch["webhooks"].as_array().unwrap().iter().map(|w| w["name"].as_str().unwrap()).collect();
        assert_eq!(names, ["objects.kube-iam.dev", "accounts.kube-iam.dev"]);
        let both = format!("{a}{b}");
        assert_eq!(patch["webhooks"][0]["clientConfig"], json!({"caBundle": ByteString(both.clone().into())}));
        let kept = registration("kube-iam", &[("objects.kube-iam.dev", &both), ("accounts.kube-iam.dev", &both)]);
        let kept = Registered::read(&kept).unwrap();
        assert_eq!(kept.patch(&wanted), None);
        assert_eq!(kept.bundle(), both);
        assert!(
            Registered::read(&registration("kube-iam", &[("objects.kube-iam.dev", &format!("#{both}"))]))
                .unwrap()
                .patch(&wanted)
                .is_some()
        );
    }

    #[test]
    fn nothing_is_written_where_nothing_is_known() {
        let found = Registered::read(&registration("kube-iam", &[("objects.kube-iam.dev", "")])).unwrap();
        assert_eq!(found.patch(&BTreeSet::new()), None);
        assert_eq!(Registered::read(&registration("other", &[("objects.kube-iam.dev", "")])), None);
        assert_eq!(Registered::read(&registration("kube-iam", &[("else.example.org", "")])), None);
        assert_eq!(wanted(&certificate('A'), &View::default()), None);
        let seen = View { connection: Connection::Seen, ..View::default() };
        assert_eq!(wanted(&certificate('A'), &seen), Some(BTreeSet::from([certificate('A')])));
    }
}
