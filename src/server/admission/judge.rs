//! From a review to a verdict.

use super::review::Review;
use super::verdict::{Findings, Subject, Verdict, plural};
use super::{account, object};
use crate::policy::report::Quoted;
use crate::store::CatalogReader;
use crate::world::{GROUP, Kind};

/// Judges a change on what the catalog holds at this moment. Who makes it does not matter here, but for the controllers
/// of Kubernetes that delete; that is asked where the verdict is [`Verdict::Reserved`].
pub fn judge(review: &Review<'_>, catalog: &CatalogReader) -> Verdict {
    let kind = Kind::ALL.into_iter().find(|kind| plural(*kind) == review.plural);
    match (review.group.as_str(), kind, review.subresource.as_str()) {
        (GROUP, Some(kind), "" | "status") => object::judge(kind, review, catalog),
        ("", None, "" | "status" | "finalize") if review.plural == "namespaces" => account::judge(review, catalog),
        _ => {
            // Registered for what it does not know: letting it pass would look as if it had been judged.
            let asked = format!("{}.{}/{}", review.plural, review.group, review.subresource);
            let mut findings = Findings::default();
            let message = format_args!("{} is not judged here; the registration is wrong", Quoted(&asked));
            findings.refuse("", message);
            findings.verdict(Subject::Account(review.namespace.as_str().into()))
        }
    }
}
