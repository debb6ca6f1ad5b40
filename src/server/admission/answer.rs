//! What an API server is told.

use super::judge::judge;
use super::privilege::{Privilege, Privileges, active_root};
use super::review::{self, Review, ReviewError};
use super::verdict::{Reserved, Verdict};
use crate::policy::report::Quoted;
use crate::store::CatalogReader;

/// A verdict that depends on nobody any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    /// Why the change is refused; `None` when it goes on.
    pub refusal: Option<String>,
    /// What its author is told when it goes on.
    pub warnings: Vec<String>,
}

/// An answer that was made outside the process that answers API servers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reviewed {
    /// The answered review, as the webhook sends it.
    pub body: Vec<u8>,
    /// What the answer leaves open, for people: whether the caller is one of those who may do it.
    pub open: Option<String>,
}

/// Answers a review as the webhook does to a caller without the verb `escalate`: nobody can be asked for it here.
///
/// # Errors
/// When the bytes are no review.
pub fn answer_offline(bytes: &[u8], catalog: &CatalogReader) -> Result<Reviewed, ReviewError> {
    let review = review::decode(bytes)?;
    Ok(match settled(judge(&review, catalog)) {
        Ok(answer) => answer.of(&review, None),
        Err(reserved) => {
            let open = format!(
                "answered as to a caller without the verb `escalate`: whether {} has it, only an API server can say",
                Quoted(&review.caller.username)
            );
            Answer::reserved(&reserved).of(&review, Some(open))
        }
    })
}

/// Answers a review as the webhook does, and asks the API server about its caller as the webhook does.
///
/// Caveat: who kube-iam is there and who its installers are is not known here.
///
/// # Errors
/// When the bytes are no review.
pub async fn answer_online(
    bytes: &[u8],
    catalog: &CatalogReader,
    client: kube::Client,
) -> Result<Reviewed, ReviewError> {
    let review = review::decode(bytes)?;
    let reserved = match settled(judge(&review, catalog)) {
        Ok(answer) => return Ok(answer.of(&review, None)),
        Err(reserved) => reserved,
    };
    let root = catalog.read(active_root);
    let caller = Quoted(&review.caller.username);
    let open = match Privileges::of_a_person(client).of(&review.caller, &reserved.subject, root.as_deref()).await {
        Privilege::Own | Privilege::Held => return Ok(Answer::admitted(reserved.warnings).of(&review, None)),
        Privilege::Missing => format!("it goes on if {caller} is kube-iam itself or one of its installers"),
        Privilege::Unknown(why) => {
            format!("answered as to a caller without the verb `escalate`: cannot ask whether {caller} has it: {why}")
        }
    };
    Ok(Answer::reserved(&reserved).of(&review, Some(open)))
}

/// What depends on nobody any more.
pub(super) fn settled(verdict: Verdict) -> Result<Answer, Reserved> {
    match verdict {
        Verdict::Admitted(warnings) => Ok(Answer::admitted(warnings)),
        Verdict::Refused(message) => Ok(Answer::refused(message)),
        Verdict::Reserved(reserved) => Err(reserved),
    }
}

// === impl Answer ===

impl Answer {
    /// The change goes on.
    pub(super) fn admitted(warnings: Vec<String>) -> Self {
        Self { refusal: None, warnings }
    }

    /// The change is refused.
    pub(super) fn refused(message: String) -> Self {
        Self { refusal: Some(message), warnings: Vec::new() }
    }

    /// What the webhook sends.
    fn of(&self, review: &Review<'_>, open: Option<String>) -> Reviewed {
        Reviewed { body: review::encode(&review.uid, self), open }
    }

    /// The change is refused to a caller who is none of those who may make it.
    pub(super) fn reserved(reserved: &Reserved) -> Self {
        Self::refused(format!("{}; {}", reserved.changes, reserved.subject.reserved_for()))
    }
}
