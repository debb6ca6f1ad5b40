//! Whole objects, as a folder or an API server hands them over: which kind, which name, and where they go.
//!
//! Only what stands around `spec` is judged here; an object whose `spec` is wrong is read all the same, for the world
//! has to know of it. Annotations of an object of ours mean nothing.

use std::collections::BTreeMap;
use std::sync::Arc;

use smol_str::SmolStr;

use super::finding::{Findings, Hint, Path, Quoted};
use super::input::{Kind, KindFacts, NamespaceFacts, Object, ObjectKey, Origin, Spec};
use super::spec::fields::{self, Fields};
use crate::name::Scope;
use crate::policy::Problem;
use crate::policy::report::nearest;
use crate::policy::tree::{Node, Value};

/// The API group of our kinds.
pub const GROUP: &str = "kube-iam.dev";
/// The one version of it.
pub const VERSION: &str = "v1alpha1";
/// The annotation of a namespace that names its root.
pub const ROOT_IDENTITY: &str = "kube-iam.dev/root-identity";
/// The annotation of a namespace that, if it is `optional`, makes root need no MFA.
pub const ROOT_MFA: &str = "kube-iam.dev/root-mfa";
/// The label with its own name that Kubernetes keeps on every namespace.
pub(super) const NAME_LABEL: &str = "kubernetes.io/metadata.name";

/// One object, of whatever kind.
#[derive(Clone, Debug)]
pub enum Declaration {
    /// One of ours.
    Object(Object),
    /// A Namespace.
    Namespace(NamespaceFacts),
    /// A CustomResourceDefinition.
    Kind(KindFacts),
    /// Any other object: it means nothing here.
    Other {
        /// `apiVersion`.
        api_version: SmolStr,
        /// `kind`.
        kind: SmolStr,
    },
}

/// Why something is no declaration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .problems.iter().map(Problem::to_string).collect::<Vec<_>>().join("; "))]
pub struct DeclarationError {
    /// Everything that is wrong, at least one thing; paths from the object: `metadata.namespace`.
    pub problems: Vec<Problem>,
}

// === impl Declaration ===

impl Declaration {
    /// Reads an object. `origin` is where it was found in a folder.
    ///
    /// # Errors
    /// When it is no map with `apiVersion` and `kind`; when it is one of ours without a name or a namespace, of a
    /// version or kind that is not there, or with something beside `metadata`, `spec` and `status`; when a Namespace or
    /// CustomResourceDefinition lacks what is needed of it. Names are judged by the world.
    pub fn read(node: &Node, origin: Option<Origin>) -> Result<Self, DeclarationError> {
        let mut findings = Findings::default();
        let read = declaration(node, origin, &mut findings);
        match read {
            Some(declaration) if findings.is_empty() => Ok(declaration),
            _ => {
                let findings = findings.into_vec().into_iter();
                let problems =
                    findings.map(|found| Problem { path: found.path, at: found.at, message: found.message }).collect();
                Err(DeclarationError { problems })
            }
        }
    }
}

// === free functions ===

/// `None` only beside a finding.
fn declaration(node: &Node, origin: Option<Origin>, findings: &mut Findings) -> Option<Declaration> {
    let root = Path::ROOT;
    let fields = Fields::open(node, &root, &["apiVersion", "kind", "metadata", "spec"], findings);
    let api_version = fields.required_text("apiVersion", findings);
    let kind = fields.required_text("kind", findings);
    let (api_version, kind) = (api_version?, kind?);
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    match (group, kind) {
        (GROUP, _) => {
            Fields::read(node, &root, &["apiVersion", "kind", "metadata", "spec", "status"], findings);
            check_version(&fields, version, findings);
            object(&fields, our_kind(&fields, kind, findings)?, origin, findings).map(Declaration::Object)
        }
        ("", "Namespace") => namespace(&fields, findings).map(Declaration::Namespace),
        ("apiextensions.k8s.io", "CustomResourceDefinition") => kind_facts(&fields, findings).map(Declaration::Kind),
        _ => {
            if nearest(group, [GROUP]).is_some() {
                let at = fields.get("apiVersion").and_then(|node| node.at);
                let message = format!("unknown API group {}; did you mean `{GROUP}`?", Quoted(group));
                findings.invalid(&fields.path_of("apiVersion"), at, message);
            }
            Some(Declaration::Other { api_version: api_version.into(), kind: kind.into() })
        }
    }
}

fn check_version(fields: &Fields<'_>, version: &str, findings: &mut Findings) {
    if version != VERSION {
        let at = fields.get("apiVersion").and_then(|node| node.at);
        let message = format!("unknown version {}; expected `{GROUP}/{VERSION}`", Quoted(version));
        findings.invalid(&fields.path_of("apiVersion"), at, message);
    }
}

fn our_kind(fields: &Fields<'_>, written: &str, findings: &mut Findings) -> Option<Kind> {
    let found = Kind::ALL.into_iter().find(|kind| kind.as_str() == written);
    if found.is_none() {
        let known = Kind::ALL.map(Kind::as_str);
        let at = fields.get("kind").and_then(|node| node.at);
        let message = format!("unknown kind {}{}", Quoted(written), Hint { found: written, known: &known });
        findings.invalid(&fields.path_of("kind"), at, message);
    }
    found
}

fn object(fields: &Fields<'_>, kind: Kind, origin: Option<Origin>, findings: &mut Findings) -> Option<Object> {
    let path = fields.path_of("metadata");
    let metadata = metadata(fields, &path, &["name", "namespace", "uid", "deletionTimestamp"], findings)?;
    let name = required_name(&metadata, "name", findings);
    let account = required_name(&metadata, "namespace", findings);
    let uid = metadata.text("uid", findings).map(SmolStr::from);
    let spec = fields.each("spec").next().cloned().unwrap_or(Node { value: Value::Null, at: fields.at() });
    Some(Object {
        key: ObjectKey { kind, account: account?.into(), name: name?.into() },
        uid,
        spec: Spec::Read(Arc::new(spec)),
        last_good: None,
        deleting: metadata.get("deletionTimestamp").is_some(),
        origin,
    })
}

fn namespace(fields: &Fields<'_>, findings: &mut Findings) -> Option<NamespaceFacts> {
    let path = fields.path_of("metadata");
    let metadata = metadata(fields, &path, &["name", "labels", "annotations"], findings)?;
    let name: SmolStr = required_name(&metadata, "name", findings)?.into();
    let mut labels = BTreeMap::new();
    if let Some(node) = metadata.get("labels") {
        let path = metadata.path_of("labels");
        Fields::any(node, &path, findings);
        for entry in node.entries() {
            if let Some(value) = fields::text(&entry.value, &path.key(&entry.key), findings) {
                labels.insert(entry.key.clone(), value.into());
            }
        }
    }
    let (mut root_identity, mut root_mfa) = (None, None);
    let path = metadata.path_of("annotations");
    if let Some(node) = metadata.get("annotations") {
        let annotations = Fields::open(node, &path, &[ROOT_IDENTITY, ROOT_MFA], findings);
        root_identity = annotations.text(ROOT_IDENTITY, findings);
        root_mfa = annotations.text(ROOT_MFA, findings);
    }
    Some(NamespaceFacts::new(name, labels, root_identity, root_mfa))
}

fn kind_facts(fields: &Fields<'_>, findings: &mut Findings) -> Option<KindFacts> {
    let path = fields.path_of("spec");
    let node = fields.required("spec", findings)?;
    let spec = Fields::open(node, &path, &["group", "names", "scope"], findings);
    let group = spec.required_text("group", findings);
    let scope = match spec.required_text("scope", findings) {
        Some("Namespaced") => Some(Scope::Namespaced),
        Some("Cluster") => Some(Scope::Cluster),
        Some(other) => {
            let at = spec.get("scope").and_then(|node| node.at);
            let hint = Hint { found: other, known: &["Namespaced", "Cluster"] };
            findings.invalid(&spec.path_of("scope"), at, format!("unknown scope {}{hint}", Quoted(other)));
            None
        }
        None => None,
    };
    let path = spec.path_of("names");
    let names = spec.required("names", findings);
    let plural =
        names.and_then(|node| Fields::open(node, &path, &["plural"], findings).required_text("plural", findings));
    Some(KindFacts { group: group?.into(), plural: plural?.into(), scope: scope? })
}

fn metadata<'a>(fields: &Fields<'a>, path: &'a Path<'a>, keys: &[&str], findings: &mut Findings) -> Option<Fields<'a>> {
    let node = fields.required("metadata", findings)?;
    Some(Fields::open(node, path, keys, findings))
}

/// A name that is there and not empty.
fn required_name<'a>(metadata: &Fields<'a>, key: &'a str, findings: &mut Findings) -> Option<&'a str> {
    let name = metadata.required_text(key, findings)?;
    if name.is_empty() {
        let at = metadata.get(key).and_then(|node| node.at);
        findings.invalid(&metadata.path_of(key), at, format!("`{key}` is empty"));
        return None;
    }
    Some(name)
}
