//! All objects of one kind at one moment.

use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;

use super::api_server::{ApiServer, Holder, read};
use super::failure::Failure;
use super::item::Item;
use super::resource;
use crate::store::WatchedKind;

/// Objects of a page.
const PAGE: u32 = 500;
/// Bytes of a page. Where its objects are larger than usual, fewer are asked for at once.
const PAGE_BYTES: usize = 64 << 20;
/// Objects of a page by steps down from [`PAGE`].
const SMALLER: u32 = 8;

/// All objects of a kind.
#[derive(Clone, Debug)]
pub(super) struct Listing {
    /// The moment.
    pub version: u64,
    /// How often the server had gone back to an older state before.
    pub epoch: u64,
    /// The objects that can be told apart.
    pub items: Vec<Item>,
    /// How many objects have no name or version that can be read.
    pub unidentified: usize,
    /// The definition that the kind had before and after.
    pub definition: Holder,
}

struct Page {
    version: u64,
    next: Option<String>,
    items: Vec<Item>,
    unidentified: usize,
}

/// Lists a kind, newest state, page by page, in an epoch.
///
/// # Errors
/// [`Failure::NotFound`] when the kind is not served; [`Failure::Expired`] when the pages would not be of one moment.
pub(super) async fn list(server: &ApiServer, kind: WatchedKind, epoch: u64) -> Result<Listing, Failure> {
    let definition = standing(server, kind).await?;
    let mut listing = Listing { version: 0, epoch, items: Vec::new(), unidentified: 0, definition };
    let (mut limit, mut next) = (PAGE, None::<String>);
    loop {
        let answer = match server.get(&resource::page(kind, limit, next.as_deref()), PAGE_BYTES).await {
            Err(Failure::TooLong(_)) if limit > 1 => {
                limit = limit.div_ceil(SMALLER);
                continue;
            }
            answer => answer?,
        };
        // Megabytes of text are taken apart where nobody waits for a thread of the runtime.
        let page = tokio::task::spawn_blocking(move || Page::read(kind, &answer))
            .await
            .map_err(|error| Failure::Malformed(error.to_string()))??;
        if listing.version != 0 && listing.version != page.version {
            return Err(Failure::Expired);
        }
        listing.version = page.version;
        listing.items.extend(page.items);
        listing.unidentified = listing.unidentified.saturating_add(page.unidentified);
        next = page.next;
        if next.is_none() {
            break;
        }
    }
    if standing(server, kind).await? == listing.definition { Ok(listing) } else { Err(Failure::Expired) }
}

/// The newest resource version of a kind.
pub(super) async fn newest(server: &ApiServer, kind: WatchedKind) -> Result<u64, Failure> {
    let answer = server.get(&resource::page(kind, 1, None), PAGE_BYTES).await?;
    Ok(Page::read(kind, &answer)?.version)
}

/// What of its CustomResourceDefinition matters; what every API server serves is always there.
async fn standing(server: &ApiServer, kind: WatchedKind) -> Result<Holder, Failure> {
    let Some(name) = resource::definition(kind) else { return Ok(Holder::There(String::new())) };
    match server.holder(&resource::of_definition(name)).await? {
        Holder::Gone => Err(Failure::NotFound(format!("there is no CustomResourceDefinition `{name}`"))),
        there @ (Holder::There(_) | Holder::Leaving) => Ok(there),
    }
}

// === impl Listing ===

impl Listing {
    /// Whether what it does not hold is not there. While a kind is being deleted its objects vanish one by one.
    pub(super) fn is_whole(&self) -> bool {
        self.unidentified == 0 && matches!(self.definition, Holder::There(_))
    }
}

// === impl Page ===

impl Page {
    fn read(kind: WatchedKind, answer: &[u8]) -> Result<Self, Failure> {
        #[derive(Deserialize)]
        struct List<'a> {
            #[serde(borrow)]
            metadata: Metadata<'a>,
            #[serde(borrow)]
            items: Vec<&'a RawValue>,
        }
        #[derive(Deserialize)]
        struct Metadata<'a> {
            #[serde(borrow, rename = "resourceVersion")]
            resource_version: Cow<'a, str>,
            #[serde(borrow, rename = "continue", default)]
            next: Cow<'a, str>,
        }
        let list: List<'_> = read(answer)?;
        let version = version(&list.metadata.resource_version)?;
        let items: Vec<Item> = list.items.iter().filter_map(|item| Item::read(kind, item.get())).collect();
        Ok(Self {
            version,
            next: Some(list.metadata.next.into_owned()).filter(|next| !next.is_empty()),
            unidentified: list.items.len().saturating_sub(items.len()),
            items,
        })
    }
}

/// A resource version as the number that it is (`kubernetes-contract.md` A13).
pub(super) fn version(text: &str) -> Result<u64, Failure> {
    match text.parse() {
        Ok(version) if version > 0 => Ok(version),
        _ => Err(Failure::Malformed(format!("the resource version `{text}` is no number"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_says_when_it_was_and_what_comes_next() {
        let text = br#"{"kind":"NamespaceList","apiVersion":"v1","metadata":{"resourceVersion":"17","continue":"x"},
            "items":[{"metadata":{"name":"a","resourceVersion":"3"}},{"metadata":{"labels":{}}}]}"#;
        let page = Page::read(WatchedKind::Namespace, text).unwrap();
        assert_eq!((page.version, page.next.as_deref(), page.items.len(), page.unidentified), (17, Some("x"), 1, 1));
    }

    #[test]
    fn a_version_that_is_no_number_is_no_version() {
        for text in ["", "0", "-1", "1.5", "abc", "18446744073709551616"] {
            assert!(matches!(version(text), Err(Failure::Malformed(_))), "{text}");
        }
    }
}
