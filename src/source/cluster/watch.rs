//! Watching one kind: list, follow, and start over when that is the only way to be right.
//!
//! # Guarantees
//! Nothing that is older than what was told is told (`guarantees.md` R10), unless two lists by quorum agree that the API
//! server went back. After a lost connection everything is listed: what answers then may be another state. A watch that says
//! nothing is found out: it ends after half a minute, and where it did not even bring a bookmark the newest resource version
//! is asked for. While a watch is broken, what it last told stands; attempts grow rarer until a watch brings something.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::sync::{Semaphore, mpsc, oneshot, watch};
use tokio::time::{Instant, timeout_at};

use super::api_server::{ApiServer, Holder, Stream, read};
use super::backoff::{Backoff, dice};
use super::departure::{self, Departure, Surroundings};
use super::failure::Failure;
use super::item::{Content, Item};
use super::lines::{LONGEST, Lines, TooLong};
use super::listing::{list, newest, version};
use super::notice::Notice;
use super::resource;
use crate::source::publish::watched_label;
use crate::store::WatchedKind;
use crate::telemetry::Metrics;

/// Seconds of one watch, and how many fewer it may be, so that replicas do not come back all at once.
const SECONDS: u64 = 30;
const FEWER: f64 = 5.0;
/// How much longer a watch is waited for than it was asked for.
const GRACE: Duration = Duration::from_secs(4);
/// A watch that ends so soon has failed.
const TOO_SHORT: Duration = Duration::from_secs(1);
/// A watch that lived so long went well, even if it brought nothing.
const LONG: Duration = Duration::from_secs(10);
/// A list that is owed waits until the watch is so old; twice as long after each one that did not settle what it was for, so
/// many times.
const OWED: Duration = Duration::from_secs(5);
const OWED_DOUBLINGS: u32 = 4;
/// How long it is waited before the same is asked about departures, at first and at most.
const AGAIN: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// How often a kind that is not served is asked for.
const ABSENT: Duration = Duration::from_millis(500);
/// How often a kind whose definition stands must be missing until it counts as gone.
const MISSING: u32 = 3;
/// Bytes of an event that is taken apart in place.
const SMALL: usize = 64 << 10;

/// What all watches of a process share.
#[derive(Clone)]
pub(super) struct Shared {
    pub server: ApiServer,
    /// One list at a time.
    pub lists: Arc<Semaphore>,
    /// Counts how often the API server went back: everything is listed again then.
    pub epoch: watch::Sender<u64>,
    /// The kinds of which a list is owed, whatever their watches tell.
    pub owed: watch::Receiver<BTreeSet<WatchedKind>>,
    pub notices: mpsc::Sender<Notice>,
    pub metrics: Arc<Metrics>,
}

/// The watch of one kind.
pub(super) struct Watch {
    kind: WatchedKind,
    shared: Shared,
    /// How often the server had gone back when the kind was listed.
    epoch: u64,
    /// Up to where it was told.
    seen: u64,
    /// Whether the last list was refused because it was older.
    doubted: bool,
    standing: Standing,
    /// Whether the last list held everything.
    whole: bool,
    /// The uid of its definition when it was listed.
    definition: String,
    /// Objects that were deleted, until it is known whether their kind was.
    departing: Vec<Departure>,
    /// Not asked about before this.
    ask_after: Instant,
    /// How long it is waited after the next question in vain; none was in vain yet where it is the first.
    ask_pause: Duration,
    /// How many lists that were owed came one after the other.
    owed_lists: u32,
    backoff: Backoff,
    failing: bool,
    /// When the last watch began.
    began: Instant,
    /// Whether a watch has brought anything since the last list.
    heard: bool,
}

/// What is known of a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// It was never there.
    Unknown,
    /// It was never there, and that was said.
    Awaited,
    /// It was listed, and since then it was missing so many times in a row.
    Listed(u32),
    /// It was listed, and is served no more.
    Gone,
}

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    List,
    /// Ask whether the server is behind what was seen.
    Probe,
    Follow,
}

/// What became of objects that were deleted.
enum Departed {
    /// They are gone; others may have been deleted meanwhile.
    Gone,
    /// Their restrictions stay. The next event, or the next watch, asks again.
    Held,
    /// The kind was made anew: what it holds now is not what was followed.
    Unknown,
}

/// What is around departures, and how many of them it is about.
type Asked = Pin<Box<dyn Future<Output = (usize, Result<Surroundings, Failure>)> + Send>>;

// === impl Watch ===

impl Watch {
    pub(super) fn new(kind: WatchedKind, shared: Shared) -> Self {
        Self {
            kind,
            shared,
            epoch: 0,
            seen: 0,
            doubted: false,
            standing: Standing::Unknown,
            whole: false,
            definition: String::new(),
            departing: Vec::new(),
            ask_after: Instant::now(),
            ask_pause: AGAIN,
            owed_lists: 0,
            backoff: Backoff::new(),
            failing: false,
            began: Instant::now(),
            heard: false,
        }
    }

    /// Watches for ever.
    pub(super) async fn run(mut self) {
        let mut next = Next::List;
        loop {
            let result = match next {
                Next::List => self.list().await,
                Next::Probe => self.probe().await,
                Next::Follow => self.follow().await,
            };
            next = match result {
                Ok(next) => next,
                Err(Failure::NotFound(why)) => self.missing(Failure::NotFound(why)).await,
                Err(failure) => self.failed(next, failure).await,
            };
        }
    }

    async fn list(&mut self) -> Result<Next, Failure> {
        let listed = {
            // Held until the last page is there. It is never closed.
            let _one_at_a_time = self.shared.lists.acquire().await;
            // What is listed while the server goes back may be of before.
            let epoch = *self.shared.epoch.borrow();
            list(&self.shared.server, self.kind, epoch).await
        };
        let mut listing = listed?;
        self.shared.metrics.source_relist(watched_label(self.kind));
        if listing.version < self.seen {
            self.shared.metrics.source_refused_older(watched_label(self.kind));
            // Also where others say that the server went back: one list alone is not believed.
            if !std::mem::replace(&mut self.doubted, true) {
                tracing::warn!(
                    kind = self.kind.as_str(),
                    found = listing.version,
                    seen = self.seen,
                    "a list is older than what was seen; listing again"
                );
                return Ok(Next::List);
            }
            if listing.epoch == self.epoch {
                listing.epoch = self.went_back(listing.version);
            }
        }
        self.epoch = listing.epoch;
        self.shared.metrics.store_epoch(*self.shared.epoch.borrow());
        self.doubted = false;
        self.seen = listing.version;
        let is_first = !matches!(self.standing, Standing::Listed(_));
        self.standing = Standing::Listed(0);
        self.whole = listing.is_whole();
        self.heard = false;
        if is_first && listing.definition == Holder::Leaving {
            tracing::error!(
                kind = self.kind.as_str(),
                objects = listing.items.len(),
                "the kind is being deleted, and what it held before cannot be known: it counts when it is gone and there anew; \
                 finalizers may hold it up, see \"Locked out\" in docs/operations.md"
            );
        }
        if let Holder::There(uid) = &listing.definition {
            if !self.definition.is_empty() && self.definition != *uid {
                tracing::error!(
                    kind = self.kind.as_str(),
                    "the CustomResourceDefinition was deleted and made anew: what it holds now is all that counts"
                );
                self.shared.metrics.source_error(watched_label(self.kind));
            }
            self.definition.clone_from(uid);
        }
        self.shared.metrics.source_heard(watched_label(self.kind));
        let (told, missing) = oneshot::channel();
        self.tell(Notice::Listed(self.kind, listing, told)).await;
        self.departing = missing.await.unwrap_or_default();
        Ok(Next::Follow)
    }

    /// Two lists agree that the server is behind what was seen; the epoch that has begun with that.
    fn went_back(&self, found: u64) -> u64 {
        tracing::error!(
            kind = self.kind.as_str(),
            found,
            seen = self.seen,
            "the API server went back to an older state: its objects count as they are now"
        );
        self.shared.epoch.send_if_modified(|epoch| {
            // Another kind may have found out at the same time.
            let is_news = *epoch == self.epoch;
            *epoch = if is_news { epoch.saturating_add(1) } else { *epoch };
            is_news
        });
        *self.shared.epoch.borrow()
    }

    /// A server that is behind what was seen accepts a watch and says nothing.
    async fn probe(&mut self) -> Result<Next, Failure> {
        let newest = newest(&self.shared.server, self.kind).await?;
        // Where the watch is refused nothing is heard.
        if !self.failing {
            self.shared.metrics.source_heard(watched_label(self.kind));
        }
        Ok(if newest < self.seen { Next::List } else { Next::Follow })
    }

    async fn follow(&mut self) -> Result<Next, Failure> {
        let fewer = Duration::from_secs_f64(FEWER * dice()).as_secs();
        let seconds = SECONDS.saturating_sub(fewer);
        self.began = Instant::now();
        let deadline = self.began + Duration::from_secs(seconds) + GRACE;
        let mut stream = self.shared.server.open(&resource::watch(self.kind, self.seen, seconds)).await?;
        let (epoch, mut epochs) = (self.epoch, self.shared.epoch.subscribe());
        let (kind, mut owed) = (self.kind, self.shared.owed.clone());
        if !owed.borrow().contains(&kind) {
            self.owed_lists = 0;
        }
        let owed_from = self.began + OWED.saturating_mul(1 << self.owed_lists.min(OWED_DOUBLINGS));
        let mut lines = Lines::default();
        let mut asked: Option<Asked> = self.ask();
        let mut heard = false;
        loop {
            tokio::select! {
                piece = timeout_at(deadline, next_piece(&mut stream, &mut lines)) => {
                    if !piece.map_err(|_| Failure::Silent)?? {
                        break;
                    }
                    while let Some(line) = lines.take().map_err(|TooLong| Failure::TooLong(LONGEST))? {
                        let event = Event::read(self.kind, line).await?;
                        let is_settled = match self.settle(&event, &mut asked).await {
                            Departed::Gone => true,
                            Departed::Held => false,
                            Departed::Unknown => return Ok(Next::List),
                        };
                        self.event(event, is_settled).await?;
                        self.went_well();
                        heard = true;
                    }
                    if asked.is_none() {
                        asked = self.ask();
                    }
                }
                (count, answer) = answered(&mut asked) => {
                    asked = match self.departed(count, answer).await {
                        Departed::Gone => self.ask(),
                        Departed::Held => None,
                        Departed::Unknown => return Ok(Next::List),
                    };
                }
                () = tokio::time::sleep_until(self.ask_after), if asked.is_none() && !self.departing.is_empty() => {
                    asked = self.ask();
                }
                () = newer(&mut epochs, epoch) => return Ok(Next::List),
                () = owes(&mut owed, kind, owed_from) => {
                    self.owed_lists = self.owed_lists.saturating_add(1);
                    return Ok(Next::List);
                }
            }
        }
        match (heard, self.began.elapsed() < TOO_SHORT) {
            (false, true) => Err(Failure::Unreachable("it ended the watch at once".to_owned())),
            // What was missing may be there by now, and what was there may have gone unseen.
            (true, _) | (false, false) if !self.whole => Ok(Next::List),
            (true, _) => Ok(Next::Follow),
            (false, false) => {
                self.is_well();
                Ok(Next::Probe)
            }
        }
    }

    async fn event(&mut self, event: Event, is_settled: bool) -> Result<(), Failure> {
        let version = match &event {
            Event::Changed(item) | Event::Deleted(item) => item.version,
            Event::Seen(version) => *version,
            Event::Unidentified => {
                tracing::error!(
                    kind = self.kind.as_str(),
                    "an object without a name or version that can be read changed; what it was before stands"
                );
                self.shared.metrics.source_error(watched_label(self.kind));
                return Ok(());
            }
            Event::Failed(failure) => return Err(failure.clone()),
        };
        if version < self.seen {
            self.shared.metrics.source_refused_older(watched_label(self.kind));
            return Err(Failure::Older);
        }
        self.seen = version;
        let notice = match event {
            Event::Changed(item) if is_settled => Notice::Changed(self.kind, item),
            Event::Changed(item) => Notice::Unsettled(self.kind, item),
            Event::Deleted(item) => {
                if let Content::Ours(stored) = &item.content {
                    self.departing.push(Departure {
                        key: stored.object.key.clone(),
                        uid: stored.object.uid.clone(),
                        version,
                    });
                }
                Notice::Deleted(self.kind, item)
            }
            Event::Seen(_) | Event::Unidentified | Event::Failed(_) => Notice::Seen(self.kind, version),
        };
        self.tell(notice).await;
        Ok(())
    }

    /// Before another object counts in an account in which one was deleted, it must be known what went with that. Where it
    /// cannot be found out now, others need not wait.
    async fn settle(&mut self, event: &Event, asked: &mut Option<Asked>) -> Departed {
        let Event::Changed(Item { content: Content::Ours(stored), .. }) = event else { return Departed::Gone };
        while self.departing.iter().any(|departure| departure.key.account == stored.object.key.account) {
            let Some(asking) = asked.take().or_else(|| self.ask()) else { return Departed::Held };
            let (count, answer) = asking.await;
            match self.departed(count, answer).await {
                Departed::Gone => {}
                departed @ (Departed::Held | Departed::Unknown) => return departed,
            }
        }
        Departed::Gone
    }

    /// Asks whether more is going than the objects that were deleted, unless that was asked in vain just now.
    fn ask(&self) -> Option<Asked> {
        if Instant::now() < self.ask_after {
            return None;
        }
        let definition = resource::definition(self.kind)?;
        let (count, namespaces) = departure::next(&self.departing);
        if count == 0 {
            return None;
        }
        let server = self.shared.server.clone();
        Some(Box::pin(async move { (count, departure::ask(&server, definition, namespaces).await) }))
    }

    /// Lets go of the first so many objects that were deleted, if their kind is served as it was when it was listed.
    async fn departed(&mut self, count: usize, answer: Result<Surroundings, Failure>) -> Departed {
        if let Ok(Surroundings { definition: Holder::There(_), .. }) = &answer {
            self.ask_pause = AGAIN;
        }
        match answer {
            Ok(Surroundings { definition: Holder::There(uid), namespaces }) if uid == self.definition => {
                let departed = self.departing.drain(..count.min(self.departing.len())).collect();
                self.tell(Notice::Departed(departed, namespaces)).await;
                Departed::Gone
            }
            Ok(Surroundings { definition: Holder::There(_), .. }) => Departed::Unknown,
            Ok(Surroundings { definition: Holder::Leaving | Holder::Gone, .. }) => {
                if self.asked_in_vain(Duration::ZERO) {
                    tracing::error!(
                        kind = self.kind.as_str(),
                        "objects are deleted together with their CustomResourceDefinition; their restrictions stay"
                    );
                }
                Departed::Held
            }
            Err(failure) => {
                if self.asked_in_vain(failure.retry_after().unwrap_or_default()) {
                    tracing::warn!(
                        kind = self.kind.as_str(),
                        error = %failure,
                        "cannot tell whether objects were deleted with their kind or namespace; their restrictions stay for now"
                    );
                }
                Departed::Held
            }
        }
    }

    /// Waits before the next question, at least so long. Whether it is the first in a row that was in vain.
    fn asked_in_vain(&mut self, least: Duration) -> bool {
        let is_first = self.ask_pause == AGAIN;
        self.ask_after = Instant::now() + self.ask_pause.max(least.min(LONGEST_PAUSE));
        self.ask_pause = self.ask_pause.saturating_mul(2).min(LONGEST_PAUSE);
        is_first
    }

    /// The kind is not served.
    async fn missing(&mut self, failure: Failure) -> Next {
        match self.standing {
            Standing::Unknown => {
                tracing::info!(kind = self.kind.as_str(), "waiting for the kind: the API server does not serve it yet");
                self.standing = Standing::Awaited;
            }
            Standing::Listed(times) => {
                let definition = match resource::definition(self.kind) {
                    Some(name) => self.shared.server.holder(&resource::of_definition(name)).await,
                    None => Ok(Holder::There(String::new())),
                };
                let times = times.saturating_add(1);
                self.standing = match definition {
                    Ok(Holder::Gone | Holder::Leaving) => Standing::Gone,
                    Ok(Holder::There(_)) if times >= MISSING && resource::definition(self.kind).is_some() => {
                        Standing::Gone
                    }
                    Ok(Holder::There(_)) => Standing::Listed(times),
                    Err(failure) => return self.failed(Next::List, failure).await,
                };
                if self.standing == Standing::Gone {
                    tracing::error!(
                        kind = self.kind.as_str(),
                        "the kind is not served any more; its objects restrict and grant nothing until it is"
                    );
                    self.shared.metrics.source_error(watched_label(self.kind));
                    self.departing.clear();
                    self.tell(Notice::Gone(self.kind)).await;
                } else {
                    return self.failed(Next::List, failure).await;
                }
            }
            Standing::Awaited | Standing::Gone => {}
        }
        tokio::time::sleep(ABSENT.mul_f64(1.0 + dice())).await;
        Next::List
    }

    /// Waits, and says how to go on.
    async fn failed(&mut self, during: Next, failure: Failure) -> Next {
        if failure == Failure::Expired && during != Next::List && self.heard {
            tracing::info!(kind = self.kind.as_str(), "what was seen is too old to go on from; listing again");
            return Next::List;
        }
        self.shared.metrics.source_error(watched_label(self.kind));
        if during == Next::Follow && self.began.elapsed() >= LONG {
            self.backoff.reset();
        }
        let wait = match (&failure, during) {
            (Failure::Unreachable(_), Next::Follow) => self.backoff.after_cut(dice()),
            _ => self.backoff.after(&failure, dice()),
        };
        let failed_before = std::mem::replace(&mut self.failing, true);
        if failed_before {
            tracing::debug!(kind = self.kind.as_str(), error = %failure, ?wait, "still cannot watch");
        } else {
            tracing::warn!(
                kind = self.kind.as_str(),
                error = %failure,
                "cannot watch; what was last seen stays in force"
            );
        }
        tokio::time::sleep(wait).await;
        match failure {
            // One that is refused again and again brings nothing: a list does.
            Failure::Refused { .. } if during != Next::List && !failed_before => Next::Probe,
            // What comes back may be an older state that has moved on past what was seen: only a list shows it.
            Failure::Unreachable(_)
            | Failure::Silent
            | Failure::Refused { .. }
            | Failure::NotFound(_)
            | Failure::Expired
            | Failure::Older
            | Failure::TooLong(_)
            | Failure::Malformed(_) => Next::List,
        }
    }

    fn went_well(&mut self) {
        self.shared.metrics.source_heard(watched_label(self.kind));
        self.heard = true;
        self.is_well();
    }

    fn is_well(&mut self) {
        self.backoff.reset();
        if std::mem::replace(&mut self.failing, false) {
            tracing::info!(kind = self.kind.as_str(), "watching again");
        }
    }

    async fn tell(&self, notice: Notice) {
        if self.shared.notices.send(notice).await.is_err() {
            // Nobody listens any more: the process is on its way out.
            std::future::pending::<()>().await;
        }
    }
}

/// What a line of a watch says.
#[derive(Debug)]
enum Event {
    Changed(Item),
    Deleted(Item),
    /// A bookmark.
    Seen(u64),
    /// An object that cannot be told apart.
    Unidentified,
    Failed(Failure),
}

// === impl Event ===

impl Event {
    async fn read(kind: WatchedKind, line: &[u8]) -> Result<Self, Failure> {
        if line.len() <= SMALL {
            return Self::parse(kind, line);
        }
        let line = line.to_vec();
        let parsed = tokio::task::spawn_blocking(move || Self::parse(kind, &line)).await;
        parsed.map_err(|error| Failure::Malformed(error.to_string()))?
    }

    fn parse(kind: WatchedKind, line: &[u8]) -> Result<Self, Failure> {
        #[derive(Deserialize)]
        struct Line<'a> {
            #[serde(borrow, rename = "type")]
            what: Cow<'a, str>,
            #[serde(borrow)]
            object: &'a RawValue,
        }
        #[derive(Deserialize)]
        struct Bookmark {
            metadata: Metadata,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Metadata {
            resource_version: String,
        }
        #[derive(Deserialize)]
        struct Status {
            #[serde(default)]
            code: u16,
            #[serde(default)]
            message: String,
        }
        let Line { what, object } = read(line)?;
        let text = object.get();
        Ok(match &*what {
            "ADDED" | "MODIFIED" => Item::read(kind, text).map_or(Self::Unidentified, Self::Changed),
            "DELETED" => Item::read(kind, text).map_or(Self::Unidentified, Self::Deleted),
            "BOOKMARK" => {
                let Bookmark { metadata } = read(text.as_bytes())?;
                Self::Seen(version(&metadata.resource_version)?)
            }
            "ERROR" => {
                let Status { code, message } = read(text.as_bytes())?;
                Self::Failed(match code {
                    410 => Failure::Expired,
                    _ => Failure::Refused { status: code, message, retry_after: None },
                })
            }
            other => return Err(Failure::Malformed(format!("an event of type `{other}`"))),
        })
    }
}

// === free functions ===

/// Whether more bytes came.
async fn next_piece(stream: &mut Stream, lines: &mut Lines) -> Result<bool, Failure> {
    Ok(match stream.next().await? {
        Some(piece) => {
            lines.push(piece.as_ref());
            true
        }
        None => false,
    })
}

/// Waits until the server has gone back once more.
async fn newer(epochs: &mut watch::Receiver<u64>, epoch: u64) {
    if epochs.wait_for(|now| *now > epoch).await.is_err() {
        std::future::pending().await
    }
}

/// Waits until a list of a kind is owed, not before this.
async fn owes(owed: &mut watch::Receiver<BTreeSet<WatchedKind>>, kind: WatchedKind, from: Instant) {
    tokio::time::sleep_until(from).await;
    if owed.wait_for(|owed| owed.contains(&kind)).await.is_err() {
        std::future::pending().await
    }
}

async fn answered(asked: &mut Option<Asked>) -> (usize, Result<Surroundings, Failure>) {
    match asked {
        Some(asked) => asked.await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Event, Failure> {
        Event::parse(WatchedKind::Namespace, line.as_bytes())
    }

    #[test]
    fn a_line_is_an_object_a_bookmark_or_an_error() {
        let object = r#"{"metadata":{"name":"a","resourceVersion":"7"}}"#;
        for (what, is_it) in [
            ("ADDED", (|event| matches!(event, Event::Changed(item) if item.version == 7)) as fn(Event) -> bool),
            ("MODIFIED", |event| matches!(event, Event::Changed(item) if item.version == 7)),
            ("DELETED", |event| matches!(event, Event::Deleted(item) if item.version == 7)),
            ("BOOKMARK", |event| matches!(event, Event::Seen(7))),
        ] {
            assert!(is_it(parse(&format!(r#"{{"type":"{what}","object":{object}}}"#)).unwrap()), "{what}");
        }
        let error = |status: &str| match parse(&format!(r#"{{"type":"ERROR","object":{status}}}"#)).unwrap() {
            Event::Failed(failure) => failure,
            other => panic!("{other:?}"),
        };
        assert_eq!(error(r#"{"kind":"Status","code":410,"message":"too old"}"#), Failure::Expired);
        let failure = error(r#"{"kind":"Status","code":500,"message":"oh"}"#);
        assert_eq!(failure.to_string(), "the API server answered 500: oh");
    }

    #[test]
    fn an_object_that_cannot_be_told_apart_is_not_passed_over_silently() {
        for object in [r#"{"metadata":{}}"#, r#"{"metadata":{"name":"a","resourceVersion":"x"}}"#, "7"] {
            let event = parse(&format!(r#"{{"type":"MODIFIED","object":{object}}}"#)).unwrap();
            assert!(matches!(event, Event::Unidentified), "{object}: {event:?}");
        }
    }

    #[test]
    fn a_line_that_is_no_event_breaks_the_watch() {
        let bookmark = r#"{"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"later"}}}"#;
        for line in ["", "{", "[]", r#"{"type":"RENAMED","object":{}}"#, r#"{"object":{}}"#, bookmark] {
            assert!(matches!(parse(line), Err(Failure::Malformed(_))), "{line}");
        }
    }
}
