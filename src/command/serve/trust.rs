//! Whether others know of this replica: whoever calls its webhooks trusts it, and the other replicas wait for it.

use std::time::{Duration, Instant};

use tokio::sync::watch;

use crate::operator::{Heard, Trusted, certificates_in_order};
use crate::server::{Announced, Condition, Readiness};

/// How long the registration is looked for until there counts as none.
const LOOKING: Duration = Duration::from_secs(60);

/// What is trusted: whom callers must trust to meet us, and whom they have been seen to trust.
pub(super) struct Trust {
    /// Our authorities, PEM, the one that issues first; sent anew when they change.
    pub ours: watch::Sender<String>,
    /// Whom the API server trusts.
    trusted: watch::Receiver<Trusted>,
    /// From when on a registration that is not there is believed to be none: until then it may be on its way.
    looked: Instant,
}

// === impl Trust ===

impl Trust {
    /// Nobody registers our webhooks: a folder is served.
    pub(super) fn unregistered() -> Self {
        let (_, trusted) = watch::channel(Trusted::Nowhere);
        Self { ours: watch::Sender::new(String::new()), trusted, looked: Instant::now() }
    }

    /// Our webhooks may be registered.
    pub(super) fn registered(ours: watch::Sender<String>, trusted: watch::Receiver<Trusted>) -> Self {
        Self { ours, trusted, looked: Instant::now() + LOOKING }
    }

    /// Whether the registration trusts whom it was told to trust.
    pub(super) fn announced(&self) -> Announced {
        let known = match &*self.trusted.borrow() {
            Trusted::Unseen => false,
            Trusted::Nowhere => Instant::now() >= self.looked,
            Trusted::Registered(seen) => {
                certificates_in_order(&self.ours.borrow()).iter().all(|one| seen.contains(one))
            }
        };
        if known { Announced::Everywhere } else { Announced::NotEverywhere }
    }
}

// === free functions ===

/// Keeps the process from being ready while a webhook of ours is registered and does not trust this replica, and while
/// the other replicas are kept from hearing of it: it would fail its share of the calls, or a change would be said to be
/// in force everywhere that is not in force here. Only what is asked through a Service depends on it. For ever.
pub(super) async fn watch(
    readiness: Readiness,
    mut ours: watch::Receiver<String>,
    mut trusted: watch::Receiver<Trusted>,
    mut heard: watch::Receiver<Heard>,
) {
    loop {
        match mistrust(&ours.borrow_and_update(), &trusted.borrow_and_update()) {
            Some(why) => readiness.block(Condition::Trust, why),
            None => readiness.clear(Condition::Trust),
        }
        match &*heard.borrow_and_update() {
            Heard::No(why) => {
                let why = format!("the other replicas do not hear of this one: {why}");
                readiness.block(Condition::Report, why.replace('\n', " "));
            }
            Heard::Yes => readiness.clear(Condition::Report),
        }
        tokio::select! {
            () = change(&mut ours) => {}
            () = change(&mut trusted) => {}
            () = change(&mut heard) => {}
        }
    }
}

/// Waits for a change; for ever where none can come.
async fn change<T>(receiver: &mut watch::Receiver<T>) {
    if receiver.changed().await.is_err() {
        std::future::pending().await
    }
}

/// Why the API server would not get through to us.
fn mistrust(ours: &str, trusted: &Trusted) -> Option<&'static str> {
    match trusted {
        Trusted::Unseen => Some("waiting to see whether our webhooks are registered"),
        Trusted::Nowhere => None,
        Trusted::Registered(seen) => {
            let ours = certificates_in_order(ours);
            let trusts = ours.first().is_some_and(|issuing| seen.contains(issuing));
            (!trusts).then_some("waiting until the registration of our webhooks trusts this replica")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "-----BEGIN CERTIFICATE-----\nMIAA\n-----END CERTIFICATE-----\n";
    const B: &str = "-----BEGIN CERTIFICATE-----\nMIBB\n-----END CERTIFICATE-----\n";

    fn registered(pem: &[&str]) -> Trusted {
        Trusted::Registered(pem.iter().map(|one| (*one).to_owned()).collect())
    }

    #[test]
    fn what_is_announced_has_to_be_seen_in_the_registration() {
        let announced = |ours: &str, trusted: Trusted, looked: Instant| {
            let (_, trusted) = watch::channel(trusted);
            Trust { ours: watch::Sender::new(ours.to_owned()), trusted, looked }.announced()
        };
        let (now, later) = (Instant::now(), Instant::now() + LOOKING);
        let both = format!("{A}{B}");
        assert_eq!(announced(&both, registered(&[B, A]), now), Announced::Everywhere);
        assert_eq!(announced(&both, registered(&[A]), now), Announced::NotEverywhere);
        assert_eq!(announced(A, registered(&[]), now), Announced::NotEverywhere);
        assert_eq!(announced(A, Trusted::Nowhere, now), Announced::Everywhere);
        assert_eq!(announced(A, Trusted::Nowhere, later), Announced::NotEverywhere);
        // Who has not been able to look knows nothing, however long that lasts.
        assert_eq!(announced(A, Trusted::Unseen, now), Announced::NotEverywhere);
    }

    #[test]
    fn a_replica_is_not_ready_before_those_who_call_it_trust_its_authority() {
        assert!(mistrust(A, &Trusted::Unseen).is_some());
        assert_eq!(mistrust(A, &Trusted::Nowhere), None);
        assert!(mistrust(A, &registered(&[])).is_some());
        assert!(mistrust(A, &registered(&[B])).is_some());
        // One to come need not be trusted yet.
        assert_eq!(mistrust(&format!("{A}{B}"), &registered(&[A])), None);
        assert!(mistrust(&format!("{B}{A}"), &registered(&[A])).is_some());
        // Line ends are no part of a certificate.
        assert_eq!(mistrust(&format!("# ours\r\n{}", A.replace('\n', "\r\n")), &registered(&[A])), None);
    }

    #[tokio::test]
    async fn readiness_follows_what_is_seen() {
        let readiness = Readiness::new();
        readiness.clear(Condition::Snapshot);
        let (ours, trusted) = (watch::Sender::new(A.to_owned()), watch::Sender::new(Trusted::Unseen));
        let heard = watch::Sender::new(Heard::No("it has not reported yet".to_owned()));
        let task = tokio::spawn(watch(readiness.clone(), ours.subscribe(), trusted.subscribe(), heard.subscribe()));
        let reason = async |expected: Option<&str>| {
            for _ in 0..200 {
                if readiness.reason().as_deref().map(|found| expected.is_some_and(|part| found.contains(part)))
                    == expected.map(|_| true)
                {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            panic!("{expected:?}: {:?}", readiness.reason());
        };
        reason(Some("whether our webhooks are registered")).await;
        trusted.send_replace(Trusted::Nowhere);
        reason(Some("do not hear of this one: it has not reported yet")).await;
        heard.send_replace(Heard::Yes);
        reason(None).await;
        trusted.send_replace(registered(&[B]));
        reason(Some("trusts this replica")).await;
        trusted.send_replace(registered(&[A, B]));
        reason(None).await;
        heard.send_replace(Heard::No("403 no".to_owned()));
        reason(Some("do not hear of this one: 403 no")).await;
        heard.send_replace(Heard::Yes);
        reason(None).await;
        task.abort();
    }
}
