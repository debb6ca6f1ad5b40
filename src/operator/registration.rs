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
/// The shortest pause between two writes.
const PAUSE: Duration = Duration::from_secs(2);
/// The longest, after many that were refused.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// How long a registration that may not be read is looked for until there counts as none: rights may be on their way.
const LOOKING: Duration = Duration::from_secs(60);

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

/// What has been seen of the registration.
#[derive(Debug, Default)]
struct Sight {
    registered: Option<Registered>,
    looked: Looked,
}

/// Whether anybody has been able to look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
enum Looked {
    #[default]
    NotYet,
    /// Not yet, for it may not be done, and that since then.
    Refused(Instant),
    Seen,
}

/// When the next write may be made.
#[derive(Debug, Default)]
struct Pace {
    next: Option<Instant>,
    failures: u32,
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
        let mut sight = Sight::default();
        let mut pace = Pace::default();
        // Whether it was said that there is none.
        let mut missed = false;
        loop {
            let now = Instant::now();
            let replicas_now = replicas.borrow_and_update().clone();
            let wanted =
                ours.as_mut().and_then(|(certificates, _)| wanted(&certificates.borrow_and_update(), &replicas_now));
            let holds = *role.borrow_and_update() == Role::Holder;
            let patch = sight.registered.as_ref().filter(|_| holds).and_then(|found| found.patch(&wanted?));
            // What was written comes back as a change; if not, it is tried again.
            let again = patch.as_ref().and(pace.next);
            if let Some(patch) = patch.filter(|_| again.is_none_or(|again| again <= now)) {
                let result = write(&self.registrations, &patch).await;
                self.metrics.write(WriteTarget::CaBundle, label(&result));
                if let Err(refusal) = &result {
                    match refusal.kind {
                        // It is another by now, or gone, and that is about to be seen.
                        RefusalKind::Conflict | RefusalKind::Gone => tracing::debug!(%refusal, "caBundle not written"),
                        _ => tracing::warn!(%refusal, "cannot write the caBundle of registration {NAME}"),
                    }
                }
                pace.wrote(result.err().map(|refusal| refusal.kind), Instant::now());
                continue;
            }
            let seen = sight.trusted(now);
            let missing = seen == Trusted::Nowhere;
            if missing && !missed {
                tracing::warn!(
                    "the registration `{NAME}` is not there, or not for us to see: without it IAM objects and Namespaces \
                     are stored unchecked"
                );
            }
            missed = missing;
            if let Some((_, trusted)) = &ours {
                trusted.send_if_modified(|before| std::mem::replace(before, seen.clone()) != seen);
            }
            tokio::select! {
                () = &mut follow => return,
                Some(change) = changes.recv() => {
                    sight.take(change, Instant::now());
                    self.metrics.registered_webhooks(sight.webhooks());
                }
                Ok(()) = renewed(&mut ours) => {}
                Ok(()) = replicas.changed() => {}
                Ok(()) = role.changed() => {}
                () = at(again) => {}
                () = at(sight.gives_up(now)) => {}
            }
        }
    }
}

// === impl Sight ===

impl Sight {
    fn take(&mut self, change: Change<ValidatingWebhookConfiguration>, now: Instant) {
        self.registered = match change {
            Change::Listed(found) => found.iter().find_map(Registered::read),
            Change::Applied(found) => Registered::read(&found),
            Change::Gone(_) => None,
            // Nothing else is known than what was seen last; who waits for trust goes on waiting.
            Change::Lost(kind) => {
                if kind == RefusalKind::Refused && self.looked == Looked::NotYet {
                    self.looked = Looked::Refused(now);
                }
                return;
            }
        };
        self.looked = Looked::Seen;
    }

    fn trusted(&self, now: Instant) -> Trusted {
        match (&self.registered, self.looked) {
            (Some(registered), _) => Trusted::Registered(registered.bundle()),
            (None, Looked::Seen) => Trusted::Nowhere,
            // Not for us to see, and so not for us to keep.
            (None, Looked::Refused(since)) if now.saturating_duration_since(since) >= LOOKING => Trusted::Nowhere,
            (None, Looked::Refused(_) | Looked::NotYet) => Trusted::Unseen,
        }
    }

    /// When it is given up.
    fn gives_up(&self, now: Instant) -> Option<Instant> {
        match self.looked {
            Looked::Refused(since) => since.checked_add(LOOKING).filter(|end| *end > now),
            Looked::NotYet | Looked::Seen => None,
        }
    }

    /// How many webhooks of ours are registered, as far as is known.
    fn webhooks(&self) -> usize {
        self.registered.as_ref().map_or(0, |found| found.webhooks.len())
    }
}

// === impl Pace ===

impl Pace {
    /// A write was made, or refused for this reason.
    fn wrote(&mut self, refused: Option<RefusalKind>, now: Instant) {
        let asked = match refused {
            None | Some(RefusalKind::Conflict | RefusalKind::Gone) => {
                self.failures = 0;
                Duration::ZERO
            }
            Some(kind) => {
                self.failures = self.failures.saturating_add(1);
                if let RefusalKind::Throttled(wait) = kind { wait } else { Duration::ZERO }
            }
        };
        let grown = PAUSE.saturating_mul(1 << self.failures.saturating_sub(1).min(16));
        self.next = now.checked_add(grown.max(asked).min(LONGEST_PAUSE));
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
    fn bundle(&self) -> BTreeSet<String> {
        let mut all = self.webhooks.iter().map(|webhook| bundle::certificates(&webhook.bundle));
        let first = all.next().unwrap_or_default();
        all.fold(first, |common, certificates| &common & &certificates)
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
        assert_eq!(registered.bundle(), BTreeSet::new());
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
        assert_eq!(kept.bundle(), wanted);
        assert!(
            Registered::read(&registration("kube-iam", &[("objects.kube-iam.dev", &format!("#{both}"))]))
                .unwrap()
                .patch(&wanted)
                .is_some()
        );
    }

    #[test]
    fn a_registration_that_may_not_be_read_counts_as_none_after_a_while_only() {
        let start = Instant::now();
        let end = start + LOOKING;
        let mut sight = Sight::default();
        assert_eq!((sight.trusted(end), sight.gives_up(end)), (Trusted::Unseen, None));
        sight.take(Change::Lost(RefusalKind::Unavailable), start);
        assert_eq!((sight.trusted(end), sight.gives_up(end)), (Trusted::Unseen, None));
        sight.take(Change::Lost(RefusalKind::Refused), start);
        assert_eq!((sight.trusted(start), sight.gives_up(start)), (Trusted::Unseen, Some(end)));
        sight.take(Change::Lost(RefusalKind::Refused), start + Duration::from_secs(30));
        assert_eq!((sight.trusted(end), sight.gives_up(end)), (Trusted::Nowhere, None));

        // The right has come.
        let found = registration("kube-iam", &[("objects.kube-iam.dev", &certificate('A'))]);
        sight.take(Change::Listed(vec![found.clone()]), end);
        let trusted = Trusted::Registered(BTreeSet::from([certificate('A')]));
        assert_eq!((sight.trusted(end), sight.webhooks()), (trusted.clone(), 1));
        // And has gone.
        sight.take(Change::Lost(RefusalKind::Refused), end);
        assert_eq!(sight.trusted(end + LOOKING), trusted);
        sight.take(Change::Gone(found), end);
        assert_eq!((sight.trusted(end), sight.webhooks()), (Trusted::Nowhere, 0));
    }

    #[test]
    fn writes_that_are_refused_become_rare() {
        let now = Instant::now();
        let mut pace = Pace::default();
        assert_eq!(pace.next, None);
        let mut after = |refused| {
            pace.wrote(refused, now);
            (pace.next.unwrap() - now).as_secs()
        };
        let refused = Some(RefusalKind::Refused);
        assert_eq!([refused; 7].map(&mut after), [2, 4, 8, 16, 32, 60, 60]);
        assert_eq!(after(Some(RefusalKind::Conflict)), 2);
        assert_eq!(after(Some(RefusalKind::Throttled(Duration::from_secs(9)))), 9);
        assert_eq!([None, None].map(after), [2, 2]);
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
