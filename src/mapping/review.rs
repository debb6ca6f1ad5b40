//! SubjectAccessReviews: bytes in, bytes out (`standards.md` §2.1, `kubernetes-contract.md` A6).
//!
//! Unknown fields are ignored and `null` is an absent field, as everywhere in Kubernetes; everything else that is not
//! exactly a review is malformed and never becomes a question.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::answer::{Answer, Opinion};
use super::attributes::{Attributes, Requirement, ResourceAttributes, SelectorOperator, Target, UrlAttributes};
use super::json::{self, Node};
use super::text;

/// Bytes of the longest review: what an API server takes as a request body.
pub const MAX_REVIEW_BYTES: usize = 3 << 20;

/// JSON values of the largest review, so that its tree stays small.
const MAX_VALUES: u32 = 100_000;

/// Requirements of a selector that are read; without the others the question is broader.
const MAX_REQUIREMENTS: usize = 256;

const KIND: &str = "SubjectAccessReview";

/// A review as it was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Review<'a> {
    /// In which version, to answer in the same.
    pub version: ReviewVersion,
    /// The question.
    pub attributes: Attributes<'a>,
}

/// Versions of the review.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ReviewVersion {
    /// `authorization.k8s.io/v1`.
    V1,
    /// `authorization.k8s.io/v1beta1`: the default of the `--authorization-webhook-*` flags.
    V1Beta1,
}

/// Why bytes are no review. One line; the caller answers HTTP 400.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReviewError {
    /// More than [`MAX_REVIEW_BYTES`].
    #[error("the review has more than {MAX_REVIEW_BYTES} bytes")]
    TooLarge,
    /// No JSON, nested too deep, too many values, or a key twice.
    #[error("cannot read the review as JSON: {0}")]
    Json(String),
    /// Another kind of object.
    #[error("expected kind `SubjectAccessReview`, found `{0}`")]
    Kind(String),
    /// Another version.
    #[error("expected apiVersion `authorization.k8s.io/v1` or `authorization.k8s.io/v1beta1`, found `{0}`")]
    Version(String),
    /// A field of another type, or not there at all.
    #[error("expected {expected} at `{}`", text::name(field))]
    Field {
        /// What should be there.
        expected: &'static str,
        /// Where; `.` for the whole review.
        field: String,
    },
    /// Both `resourceAttributes` and `nonResourceAttributes`, or neither.
    #[error("expected exactly one of `spec.resourceAttributes` and `spec.nonResourceAttributes`")]
    Target,
    /// A selector in both forms.
    #[error("expected `{0}` to hold either `rawSelector` or `requirements`")]
    Selector(&'static str),
}

/// Reads a review.
///
/// # Errors
/// When it is larger than [`MAX_REVIEW_BYTES`], no JSON, of another kind or version, or not exactly one question.
pub fn decode(bytes: &[u8]) -> Result<Review<'_>, ReviewError> {
    if bytes.len() > MAX_REVIEW_BYTES {
        return Err(ReviewError::TooLarge);
    }
    let root = json::read(bytes, MAX_VALUES).map_err(|error| ReviewError::Json(text::name(&error.to_string())))?;
    let mut root = Fields::new(String::new(), root)?;
    let version = root.text("apiVersion")?;
    let version = ReviewVersion::parse(&version).ok_or_else(|| ReviewError::Version(text::name(&version)))?;
    let kind = root.text("kind")?;
    if kind != KIND {
        return Err(ReviewError::Kind(text::name(&kind)));
    }
    let spec = root.object("spec")?.ok_or_else(|| root.wrong("an object", "spec"))?;
    Ok(Review { version, attributes: attributes(version, spec)? })
}

/// Writes the answer to a review of this version.
pub fn encode(version: ReviewVersion, answer: &Answer) -> Vec<u8> {
    let mut status = Map::new();
    status.insert("allowed".into(), Value::Bool(answer.opinion == Opinion::Allowed));
    status.insert("denied".into(), Value::Bool(answer.opinion == Opinion::Denied));
    status.insert("reason".into(), Value::String(answer.reason.clone()));
    if let Some(error) = &answer.evaluation_error {
        status.insert("evaluationError".into(), Value::String(error.clone()));
    }
    let mut review = Map::new();
    review.insert("apiVersion".into(), Value::String(version.as_str().into()));
    review.insert("kind".into(), Value::String(KIND.into()));
    review.insert("status".into(), Value::Object(status));
    Value::Object(review).to_string().into_bytes()
}

// === impl ReviewVersion ===

impl ReviewVersion {
    /// The `apiVersion` of a review.
    pub fn as_str(self) -> &'static str {
        match self {
            ReviewVersion::V1 => "authorization.k8s.io/v1",
            ReviewVersion::V1Beta1 => "authorization.k8s.io/v1beta1",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        [Self::V1, Self::V1Beta1].into_iter().find(|version| version.as_str() == text)
    }

    fn groups_field(self) -> &'static str {
        match self {
            ReviewVersion::V1 => "groups",
            ReviewVersion::V1Beta1 => "group",
        }
    }
}

// === reading ===

/// An object whose fields are taken one by one; those that are left are unknown and ignored.
struct Fields<'a> {
    path: String,
    left: BTreeMap<Cow<'a, str>, Node<'a>>,
}

impl<'a> Fields<'a> {
    fn new(path: String, node: Node<'a>) -> Result<Self, ReviewError> {
        match node {
            Node::Map(left) => Ok(Self { path, left }),
            Node::Null | Node::Bool | Node::Number | Node::Text(_) | Node::List(_) => {
                let field = if path.is_empty() { ".".to_owned() } else { path };
                Err(ReviewError::Field { expected: "an object", field })
            }
        }
    }

    fn path(&self, field: &str) -> String {
        if self.path.is_empty() { field.to_owned() } else { format!("{}.{field}", self.path) }
    }

    fn wrong(&self, expected: &'static str, field: &str) -> ReviewError {
        ReviewError::Field { expected, field: self.path(field) }
    }

    fn take(&mut self, field: &str) -> Option<Node<'a>> {
        self.left.remove(field).filter(|node| !matches!(node, Node::Null))
    }

    fn object(&mut self, field: &str) -> Result<Option<Fields<'a>>, ReviewError> {
        self.take(field).map(|node| Fields::new(self.path(field), node)).transpose()
    }

    fn text(&mut self, field: &str) -> Result<Cow<'a, str>, ReviewError> {
        match self.take(field) {
            None => Ok(Cow::Borrowed("")),
            Some(Node::Text(text)) => Ok(text),
            Some(Node::Null | Node::Bool | Node::Number | Node::List(_) | Node::Map(_)) => {
                Err(self.wrong("a text", field))
            }
        }
    }

    fn list(&mut self, field: &str) -> Result<Vec<Node<'a>>, ReviewError> {
        match self.take(field) {
            None => Ok(Vec::new()),
            Some(Node::List(list)) => Ok(list),
            Some(Node::Null | Node::Bool | Node::Number | Node::Text(_) | Node::Map(_)) => {
                Err(self.wrong("a list", field))
            }
        }
    }

    fn texts(&mut self, field: &str) -> Result<Vec<Cow<'a, str>>, ReviewError> {
        let texts = self.list(field)?.into_iter().map(|node| match node {
            Node::Text(text) => Ok(text),
            Node::Null | Node::Bool | Node::Number | Node::List(_) | Node::Map(_) => {
                Err(self.wrong("a list of texts", field))
            }
        });
        texts.collect()
    }
}

fn attributes(version: ReviewVersion, mut spec: Fields<'_>) -> Result<Attributes<'_>, ReviewError> {
    let target = match (spec.object("resourceAttributes")?, spec.object("nonResourceAttributes")?) {
        (Some(fields), None) => Target::Resource(resource(fields)?),
        (None, Some(mut url)) => Target::Url(UrlAttributes { path: url.text("path")?, verb: url.text("verb")? }),
        (Some(_), Some(_)) | (None, None) => return Err(ReviewError::Target),
    };
    let mut extra = Vec::new();
    if let Some(mut fields) = spec.object("extra")? {
        let keys: Vec<_> = fields.left.keys().cloned().collect();
        for key in keys {
            let values = fields.texts(&key)?;
            extra.push((key, values));
        }
    }
    let groups = spec.texts(version.groups_field())?;
    Ok(Attributes { user: spec.text("user")?, uid: spec.text("uid")?, groups, extra, target })
}

fn resource(mut fields: Fields<'_>) -> Result<ResourceAttributes<'_>, ReviewError> {
    Ok(ResourceAttributes {
        namespace: fields.text("namespace")?,
        verb: fields.text("verb")?,
        group: fields.text("group")?,
        version: fields.text("version")?,
        resource: fields.text("resource")?,
        subresource: fields.text("subresource")?,
        name: fields.text("name")?,
        field_selector: selector("fieldSelector", &mut fields)?,
        label_selector: selector("labelSelector", &mut fields)?,
    })
}

fn selector<'a>(field: &'static str, fields: &mut Fields<'a>) -> Result<Vec<Requirement<'a>>, ReviewError> {
    let Some(mut selector) = fields.object(field)? else { return Ok(Vec::new()) };
    let raw = selector.text("rawSelector")?;
    let requirements = selector.list("requirements")?;
    if !raw.is_empty() && !requirements.is_empty() {
        return Err(ReviewError::Selector(field));
    }
    let path = selector.path("requirements");
    let mut read = Vec::new();
    for node in requirements {
        let requirement = requirement(Fields::new(path.clone(), node)?)?;
        if read.len() < MAX_REQUIREMENTS {
            read.extend(requirement);
        }
    }
    Ok(read)
}

/// A requirement, unless it is one that we do not understand.
fn requirement(mut fields: Fields<'_>) -> Result<Option<Requirement<'_>>, ReviewError> {
    let key = fields.text("key")?;
    let operator = SelectorOperator::parse(&fields.text("operator")?);
    let values = fields.texts("values")?;
    Ok(operator.and_then(|operator| {
        let well_formed = match operator {
            SelectorOperator::In | SelectorOperator::NotIn => !values.is_empty(),
            SelectorOperator::Exists | SelectorOperator::DoesNotExist => values.is_empty(),
        };
        (well_formed && !key.is_empty()).then_some(Requirement { key, operator, values })
    }))
}

#[cfg(test)]
mod tests;
