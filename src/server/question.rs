//! From what Kubernetes asks to an answer: the one way that the webhook and the command line share.

use super::tls::unix_now;
use crate::decide::{Decision, Request, decide};
use crate::mapping::{self, Answer, Attributes, Now, Outcome, ScopeFacts, Setting, Unasked};
use crate::name::Mode;
use crate::policy::condition::Instant;
use crate::snapshot::Snapshot;

/// An answer, and the decision behind it where policies were asked.
#[derive(Clone, Debug)]
pub struct Answered {
    /// What Kubernetes is told.
    pub answer: Answer,
    /// What the policies said, or why they were not asked.
    pub decision: Result<Decision, Unasked>,
    /// The action and the resource that the policies were asked about.
    pub asked: Option<(String, String)>,
}

/// Answers a question from a snapshot, at this moment.
pub fn answer(snapshot: &Snapshot, attributes: &Attributes<'_>, mode: Mode) -> Answered {
    with_request(snapshot, attributes, mode, |request| match request {
        Ok(request) => decided(snapshot, &request, mode),
        Err(unasked) => refused(unasked, mode),
    })
}

/// Answers a request that is ready.
pub fn decided(snapshot: &Snapshot, request: &Request<'_>, mode: Mode) -> Answered {
    let decision = decide(snapshot, request);
    Answered {
        answer: mapping::answer(mode, Outcome::Decided { request, decision: &decision }),
        decision: Ok(decision),
        asked: Some((request.action.to_string(), request.resource.to_string())),
    }
}

/// Answers a question that policies are not asked.
pub fn refused(unasked: Unasked, mode: Mode) -> Answered {
    Answered { answer: mapping::answer(mode, Outcome::Unasked(unasked)), decision: Err(unasked), asked: None }
}

/// The request that a question is, with the snapshot's settings and the clock of this moment.
pub fn with_request<T>(
    snapshot: &Snapshot,
    attributes: &Attributes<'_>,
    mode: Mode,
    ask: impl FnOnce(Result<Request<'_>, Unasked>) -> T,
) -> T {
    let settings = snapshot.settings();
    let epoch_seconds = unix_now();
    let rfc3339 = Instant { seconds: epoch_seconds, nanoseconds: 0 }.to_string();
    let scope = |group: &str, plural: &str| ScopeFacts::from(snapshot.kinds().scope(group, plural));
    let setting = Setting {
        cluster: &settings.cluster,
        management_account: &settings.management_account,
        mode,
        now: Now { epoch_seconds, rfc3339: &rfc3339 },
        scope: &scope,
    };
    ask(mapping::request(attributes, &setting))
}
