//! What a SubjectAccessReview asks, as plain data (`authorization.k8s.io` SubjectAccessReviewSpec).
//!
//! The same structs carry a question that a person types, so everything may be built by hand:
//!
//! ```
//! use kube_iam::mapping::{Attributes, ResourceAttributes, Target};
//!
//! let question = Attributes {
//!     user: "alice@example.org".into(),
//!     target: Target::Resource(ResourceAttributes {
//!         namespace: "payments".into(),
//!         verb: "get".into(),
//!         resource: "secrets".into(),
//!         name: "db".into(),
//!         ..ResourceAttributes::default()
//!     }),
//!     ..Attributes::default()
//! };
//! # assert_eq!(question.target.verb(), "get");
//! ```

use std::borrow::Cow;

/// Who asks, and for what.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Attributes<'a> {
    /// The user name.
    pub user: Cow<'a, str>,
    /// The user's uid; identifies nobody.
    pub uid: Cow<'a, str>,
    /// Groups, as authenticated.
    pub groups: Vec<Cow<'a, str>>,
    /// Extras: key and values.
    pub extra: Vec<(Cow<'a, str>, Vec<Cow<'a, str>>)>,
    /// What is asked for.
    pub target: Target<'a>,
}

/// What is asked for: an object or a set of objects, or a URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target<'a> {
    /// `resourceAttributes`.
    Resource(ResourceAttributes<'a>),
    /// `nonResourceAttributes`.
    Url(UrlAttributes<'a>),
}

/// `resourceAttributes`. An empty text is a field that is not there.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct ResourceAttributes<'a> {
    /// Empty for cluster-scoped kinds and for all namespaces: the API server does not tell them apart.
    pub namespace: Cow<'a, str>,
    /// `get`, `list`, …; `*` for every verb.
    pub verb: Cow<'a, str>,
    /// API group, empty for the core group; `*` for every group.
    pub group: Cow<'a, str>,
    /// API version; `*` for every version.
    pub version: Cow<'a, str>,
    /// Plural; `*` for every kind.
    pub resource: Cow<'a, str>,
    /// Subresource; `*` for every one.
    pub subresource: Cow<'a, str>,
    /// Name; empty for all, or for not known yet.
    pub name: Cow<'a, str>,
    /// Field selector: all of these hold.
    pub field_selector: Vec<Requirement<'a>>,
    /// Label selector: all of these hold.
    pub label_selector: Vec<Requirement<'a>>,
}

/// `nonResourceAttributes`.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct UrlAttributes<'a> {
    /// The path as sent: neither decoded nor normalised.
    pub path: Cow<'a, str>,
    /// The HTTP method in lower case.
    pub verb: Cow<'a, str>,
}

/// One requirement of a selector. Requirements that are not understood are left out: the question is then broader.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requirement<'a> {
    /// Label key, or field path.
    pub key: Cow<'a, str>,
    /// How the values bind it.
    pub operator: SelectorOperator,
    /// At least one for In and NotIn, none otherwise.
    pub values: Vec<Cow<'a, str>>,
}

/// How a requirement binds a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SelectorOperator {
    /// The key has one of the values.
    In,
    /// The key has another value, or none.
    NotIn,
    /// The key has a value.
    Exists,
    /// The key has no value.
    DoesNotExist,
}

// === impl Target ===

impl<'a> Target<'a> {
    /// The verb, or the HTTP method of a URL.
    pub fn verb(&self) -> &str {
        match self {
            Target::Resource(resource) => &resource.verb,
            Target::Url(url) => &url.verb,
        }
    }
}

impl Default for Target<'_> {
    fn default() -> Self {
        Self::Resource(ResourceAttributes::default())
    }
}

// === impl SelectorOperator ===

impl SelectorOperator {
    /// Reads an operator as selectors write it; `None` for one that is not known.
    pub fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "In" => Self::In,
            "NotIn" => Self::NotIn,
            "Exists" => Self::Exists,
            "DoesNotExist" => Self::DoesNotExist,
            _ => return None,
        })
    }
}
