//! AdmissionReviews: bytes in, bytes out (`admission.k8s.io/v1`, `kubernetes-contract.md` A11).
//!
//! Unknown fields are passed over and `null` is an absent field, as everywhere in Kubernetes; a key that stands twice where
//! we read is where two parsers disagree, so it is refused. The `spec` of an object stays text here: it is read by the
//! parser of the policy language and by no other, see [`super::spec`].

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserializer, Error, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::answer::Answer;
use crate::mapping::one_line;

const API_VERSION: &str = "admission.k8s.io/v1";
const KIND: &str = "AdmissionReview";

/// A review as it was asked.
#[derive(Debug)]
pub struct Review<'a> {
    /// By which the API server knows the answer again.
    pub uid: String,
    /// What is done.
    pub operation: Operation,
    /// API group of what it is done to.
    pub group: String,
    /// Plural of what it is done to.
    pub plural: String,
    /// Subresource; empty for the object itself.
    pub subresource: String,
    /// Namespace; empty for what has none.
    pub namespace: String,
    /// Name; empty where one of many is deleted.
    pub name: String,
    /// Who does it.
    pub caller: Caller,
    /// The object as it would be; `None` on a deletion.
    pub object: Option<Part<'a>>,
    /// The object as it is; `None` on a creation.
    pub old: Option<Part<'a>>,
}

/// What is done to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Operation {
    /// It is made.
    Create,
    /// It is changed, by PUT or PATCH.
    Update,
    /// It is deleted.
    Delete,
    /// Something is opened on it.
    Connect,
}

/// Who asks: the impersonated user, where there is one.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Caller {
    /// User name.
    #[serde(deserialize_with = "or_default")]
    pub username: String,
    /// User id.
    #[serde(deserialize_with = "or_default")]
    pub uid: String,
    /// Groups.
    #[serde(deserialize_with = "or_default")]
    pub groups: Vec<String>,
    /// Extras.
    #[serde(deserialize_with = "or_default")]
    pub extra: Once<Vec<String>>,
}

/// An object as far as it is looked at.
#[derive(Debug, Default, Deserialize)]
pub struct Part<'a> {
    /// What stands around it.
    #[serde(default, deserialize_with = "or_default")]
    pub metadata: Metadata,
    #[serde(default, borrow)]
    spec: Option<&'a RawValue>,
    #[serde(default, borrow)]
    status: Option<&'a RawValue>,
}

/// The `metadata` of an object.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Metadata {
    /// `name`.
    #[serde(deserialize_with = "or_default")]
    pub name: String,
    /// `namespace`.
    #[serde(deserialize_with = "or_default")]
    pub namespace: String,
    /// `labels`.
    #[serde(deserialize_with = "or_default")]
    pub labels: Once<String>,
    /// `annotations`.
    #[serde(deserialize_with = "or_default")]
    pub annotations: Once<String>,
    /// `finalizers`.
    #[serde(deserialize_with = "or_default")]
    pub finalizers: Vec<String>,
    /// `ownerReferences`.
    #[serde(deserialize_with = "or_default")]
    pub owner_references: Vec<Owner>,
    deletion_timestamp: Option<IgnoredAny>,
}

/// An entry of `ownerReferences`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Owner {
    /// `apiVersion`.
    #[serde(default)]
    pub api_version: String,
    /// `kind`.
    #[serde(default)]
    pub kind: String,
    /// `name`.
    #[serde(default)]
    pub name: String,
    /// `uid`.
    #[serde(default)]
    pub uid: String,
}

/// A map in which every key stands once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Once<T>(pub BTreeMap<String, T>);

/// Why bytes are no review. One line; the caller answers HTTP 400.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReviewError {
    /// No JSON, a field of another type, or a key twice.
    #[error("cannot read the review: {0}")]
    Json(String),
    /// Another kind of object.
    #[error("expected apiVersion `admission.k8s.io/v1` and kind `AdmissionReview`, found {0}")]
    Kind(String),
    /// A part that is not there.
    #[error("expected {0}")]
    Missing(&'static str),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Envelope<'a> {
    #[serde(default, deserialize_with = "or_default")]
    api_version: String,
    #[serde(default, deserialize_with = "or_default")]
    kind: String,
    #[serde(default, borrow)]
    request: Option<Request<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request<'a> {
    #[serde(default, deserialize_with = "or_default")]
    uid: String,
    operation: Operation,
    resource: Resource,
    #[serde(default, deserialize_with = "or_default")]
    sub_resource: String,
    #[serde(default, deserialize_with = "or_default")]
    namespace: String,
    #[serde(default, deserialize_with = "or_default")]
    name: String,
    #[serde(default, deserialize_with = "or_default")]
    user_info: Caller,
    #[serde(default, borrow)]
    object: Option<Part<'a>>,
    #[serde(default, borrow)]
    old_object: Option<Part<'a>>,
}

#[derive(Deserialize)]
struct Resource {
    #[serde(default)]
    group: String,
    resource: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Answered<'a> {
    api_version: &'static str,
    kind: &'static str,
    response: Response<'a>,
}

#[derive(Serialize)]
struct Response<'a> {
    uid: &'a str,
    allowed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<Status<'a>>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    warnings: &'a [String],
}

#[derive(Serialize)]
struct Status<'a> {
    status: &'static str,
    code: u16,
    reason: &'static str,
    message: &'a str,
}

/// Reads a review. What the listener takes bounds its length; memory is that of the text and of its `metadata`.
///
/// # Errors
/// When it is no JSON, of another kind or version, or lacks what its operation must bring.
pub fn decode(bytes: &[u8]) -> Result<Review<'_>, ReviewError> {
    let envelope: Envelope<'_> =
        serde_json::from_slice(bytes).map_err(|error| ReviewError::Json(one_line(&error.to_string())))?;
    if envelope.api_version != API_VERSION || envelope.kind != KIND {
        let found = format!("`{}` and `{}`", envelope.api_version, envelope.kind);
        return Err(ReviewError::Kind(one_line(&found)));
    }
    let request = envelope.request.ok_or(ReviewError::Missing("an object at `request`"))?;
    if request.uid.is_empty() {
        return Err(ReviewError::Missing("a text at `request.uid`"));
    }
    let (needs_object, needs_old) = match request.operation {
        Operation::Create => (true, false),
        Operation::Update => (true, true),
        Operation::Delete => (false, true),
        Operation::Connect => (false, false),
    };
    if needs_object && request.object.is_none() {
        return Err(ReviewError::Missing("an object at `request.object`"));
    }
    if needs_old && request.old_object.is_none() {
        return Err(ReviewError::Missing("an object at `request.oldObject`"));
    }
    Ok(Review {
        uid: request.uid,
        operation: request.operation,
        group: request.resource.group,
        plural: request.resource.resource,
        subresource: request.sub_resource,
        namespace: request.namespace,
        name: request.name,
        caller: request.user_info,
        object: request.object,
        old: request.old_object,
    })
}

/// Writes the answer to the review of this uid.
pub(super) fn encode(uid: &str, answer: &Answer) -> Vec<u8> {
    let status = answer.refusal.as_deref();
    // 403: a code below 400 would be made 400, and kubectl prints the message of no other code as it is.
    let status = status.map(|message| Status { status: "Failure", code: 403, reason: "Forbidden", message });
    let response = Response { uid, allowed: status.is_none(), status, warnings: &answer.warnings };
    // A struct of texts and booleans always has a JSON form; an empty answer would be a failed call, so a refusal.
    serde_json::to_vec(&Answered { api_version: API_VERSION, kind: KIND, response }).unwrap_or_default()
}

// === impl Review ===

impl Review<'_> {
    /// Namespace and name of the object: those of the request, else those that stand in it.
    pub fn place(&self) -> (&str, &str) {
        let metadata = self.object.as_ref().or(self.old.as_ref()).map(|part| &part.metadata);
        let namespace = metadata.map_or("", |metadata| &metadata.namespace);
        let name = metadata.map_or("", |metadata| &metadata.name);
        (first(&self.namespace, namespace), first(&self.name, name))
    }
}

/// The first of two texts that says something.
fn first<'t>(one: &'t str, other: &'t str) -> &'t str {
    if one.is_empty() { other } else { one }
}

// === impl Part ===

impl<'a> Part<'a> {
    /// `spec` as it was sent; `None` when it is absent or null.
    pub fn spec(&self) -> Option<&'a str> {
        self.spec.map(RawValue::get)
    }

    /// `status` as it was sent; `None` when it is absent or null.
    pub fn status(&self) -> Option<&'a str> {
        self.status.map(RawValue::get)
    }
}

// === impl Metadata ===

impl Metadata {
    /// Whether the object is on its way out.
    pub fn is_deleting(&self) -> bool {
        self.deletion_timestamp.is_some()
    }
}

// === impl Once ===

impl<T> Default for Once<T> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Once<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(OnceVisitor(PhantomData))
    }
}

struct OnceVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for OnceVisitor<T> {
    type Value = Once<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Once<T>, A::Error> {
        let mut entries = BTreeMap::new();
        while let Some((key, value)) = map.next_entry::<String, T>()? {
            if entries.insert(key, value).is_some() {
                return Err(A::Error::custom("a key stands twice"));
            }
        }
        Ok(Once(entries))
    }
}

/// A value, or its default in place of null.
fn or_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(deserializer: D) -> Result<T, D::Error> {
    Option::<T>::deserialize(deserializer).map(Option::unwrap_or_default)
}
