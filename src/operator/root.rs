//! Telling people that the root of an account was used: at most one write per account and minute.

use std::collections::BTreeMap;
use std::time::Duration;

use k8s_openapi::api::core::v1::Event;
use k8s_openapi::jiff::Timestamp;
use kube::api::{Api, Patch, PatchParams};
use smol_str::SmolStr;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::call::{at, call};
use super::event;
use super::replicas::ReplicaId;
use super::run::FIELD_MANAGER;
use crate::store::RootUse;

/// How often an account's event may be written.
const EVERY: Duration = Duration::from_secs(60);
/// After this long without a use an account begins anew: by then its event has gone.
const FORGOTTEN: Duration = Duration::from_secs(3_600);

/// Uses of roots, gathered by account.
#[derive(Debug, Default)]
pub(super) struct Uses(BTreeMap<SmolStr, Account>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Account {
    uses: u64,
    told: u64,
    first: Timestamp,
    last: Timestamp,
    next: Instant,
}

/// Tells people for as long as somebody may tell of uses.
pub(super) async fn run(
    client: &kube::Client,
    id: &ReplicaId,
    receiver: &mut mpsc::Receiver<RootUse>,
    uses: &mut Uses,
) {
    loop {
        for (account, event) in uses.due(Instant::now(), id) {
            let events: Api<Event> = Api::namespaced(client.clone(), &account);
            let name = event.metadata.name.clone().unwrap_or_default();
            let parameters = PatchParams::apply(FIELD_MANAGER).force();
            if let Err(refusal) = call(events.patch(&name, &parameters, &Patch::Apply(&event))).await {
                tracing::debug!(account = account.as_str(), %refusal, "cannot tell that the root was used");
            }
        }
        let next = uses.next();
        tokio::select! {
            used = receiver.recv() => match used {
                Some(used) => uses.add(used.account, Instant::now(), Timestamp::now()),
                None => return std::future::pending().await,
            },
            () = at(next) => {}
        }
    }
}

// === impl Uses ===

impl Uses {
    fn add(&mut self, account: SmolStr, now: Instant, clock: Timestamp) {
        self.0.retain(|_, account| now.saturating_duration_since(account.next) < FORGOTTEN);
        let account =
            self.0.entry(account).or_insert(Account { uses: 0, told: 0, first: clock, last: clock, next: now });
        account.uses = account.uses.saturating_add(1);
        account.last = clock;
    }

    /// The events to write now.
    fn due(&mut self, now: Instant, id: &ReplicaId) -> Vec<(SmolStr, Event)> {
        let due = self.0.iter_mut().filter(|(_, account)| account.uses > account.told && account.next <= now);
        due.map(|(name, account)| {
            account.told = account.uses;
            account.next = now.checked_add(EVERY).unwrap_or(now);
            (name.clone(), event::root_used(name, account.uses, account.first, account.last, id))
        })
        .collect()
    }

    fn next(&self) -> Option<Instant> {
        self.0.values().filter(|account| account.uses > account.told).map(|account| account.next).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uses_are_told_at_once_and_then_once_a_minute() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let id = ReplicaId::parse("3f9a").unwrap();
        let mut uses = Uses::default();
        let told = |uses: &mut Uses, now| -> Vec<(SmolStr, Option<i32>)> {
            uses.due(now, &id).into_iter().map(|(account, event)| (account, event.count)).collect()
        };
        assert_eq!((told(&mut uses, at(0)), uses.next()), (vec![], None));
        uses.add("a".into(), at(0), Timestamp::UNIX_EPOCH);
        assert_eq!(told(&mut uses, at(0)), [("a".into(), Some(1))]);
        for _ in 0..5 {
            uses.add("a".into(), at(1), Timestamp::UNIX_EPOCH);
        }
        uses.add("b".into(), at(2), Timestamp::UNIX_EPOCH);
        assert_eq!(told(&mut uses, at(2)), [("b".into(), Some(1))]);
        assert_eq!(uses.next(), Some(at(60)));
        assert_eq!(told(&mut uses, at(60)), [("a".into(), Some(6))]);
        assert_eq!(uses.next(), None);
        // An hour later it is another story.
        uses.add("a".into(), at(60 + 60 + 3_600), Timestamp::UNIX_EPOCH);
        assert_eq!(told(&mut uses, at(60 + 60 + 3_600)), [("a".into(), Some(1))]);
    }
}
