//! From a document to the objects in it.

use std::path::{Path, PathBuf};

use smol_str::SmolStr;

use super::error::{ManifestError, quoted};
use crate::policy::tree::{Node, Position, Value};

/// One Kubernetes object as it stands in a file.
#[derive(Clone, Debug, PartialEq)]
pub struct ManifestObject {
    /// `apiVersion`, for instance `kube-iam.dev/v1alpha1`.
    pub api_version: SmolStr,
    /// `kind`, for instance `IamUser`.
    pub kind: SmolStr,
    /// `metadata.namespace`, if it is there and not empty.
    pub namespace: Option<SmolStr>,
    /// `metadata.name`; empty for an object of a foreign kind that has none.
    pub name: SmolStr,
    /// The whole object. No key stands twice in a map.
    pub node: Node,
    /// The file, as it was reached from the path that was asked for.
    pub file: PathBuf,
    /// Where the object begins.
    pub at: Position,
}

/// The group whose objects must have a name. Those of other groups may be files for other tools.
const OUR_GROUP: &str = "kube-iam.dev/";

/// The objects of a document, lists taken apart.
pub(super) fn objects(file: &Path, document: Node, objects: &mut Vec<ManifestObject>, errors: &mut Vec<ManifestError>) {
    let mut waiting = vec![document];
    while let Some(node) = waiting.pop() {
        match Item::of(file, node) {
            Ok(Item::Object(object)) => objects.push(*object),
            Ok(Item::List(items)) => waiting.extend(items.into_iter().rev()),
            Err(error) => errors.push(error),
        }
    }
}

/// What a map with `apiVersion` and `kind` is.
enum Item {
    Object(Box<ManifestObject>),
    List(Vec<Node>),
}

// === impl Item ===

impl Item {
    fn of(file: &Path, mut node: Node) -> Result<Self, ManifestError> {
        let at = node.at.unwrap_or(Position { line: 1, column: 1 });
        let error = |node: Option<&Node>, message: String| {
            ManifestError::new(file, Some(node.and_then(|node| node.at).unwrap_or(at)), message)
        };
        if !matches!(node.value, Value::Map(_)) {
            return Err(error(None, format!("expected a Kubernetes object, found {}", node.describe())));
        }
        let required = |key: &str| match node.get(key) {
            Some(Node { value: Value::Text(text), .. }) if !text.is_empty() => Ok(text.clone()),
            Some(other) => Err(error(Some(other), format!("`{key}` must be a string, found {}", found(other)))),
            None => Err(error(None, format!("expected a Kubernetes object, but `{key}` is missing"))),
        };
        let (api_version, kind) = (required("apiVersion")?, required("kind")?);

        if let Value::Map(entries) = &mut node.value
            && let Some(items) = entries.iter_mut().find(|entry| entry.key == "items")
            && let Value::List(items) = &mut items.value.value
        {
            if kind.ends_with("List") {
                return Ok(Item::List(std::mem::take(items).into()));
            }
            let message = format!("{} has `items`, so kubectl takes it for a list; remove them", quoted(&kind));
            return Err(error(None, message));
        }

        let optional = |key: &str| match node.get("metadata").and_then(|metadata| metadata.get(key)) {
            Some(Node { value: Value::Text(text), .. }) => Ok(Some(text.clone()).filter(|text| !text.is_empty())),
            Some(Node { value: Value::Null, .. }) | None => Ok(None),
            Some(other) => {
                Err(error(Some(other), format!("`metadata.{key}` must be a string, found {}", found(other))))
            }
        };
        let (namespace, name) = (optional("namespace")?, optional("name")?);
        if name.is_none() && api_version.starts_with(OUR_GROUP) {
            return Err(error(node.get("metadata"), format!("{} has no `metadata.name`", quoted(&kind))));
        }
        let (name, file) = (name.unwrap_or_default(), file.to_owned());
        Ok(Item::Object(Box::new(ManifestObject { api_version, kind, namespace, name, node, file, at })))
    }
}

fn found(node: &Node) -> &'static str {
    match &node.value {
        Value::Text(_) => "an empty string",
        Value::Boolean(_) => "a boolean; quote it",
        Value::Number(_) => "a number; quote it",
        Value::Null | Value::List(_) | Value::Map(_) => node.describe(),
    }
}

#[cfg(test)]
mod tests {
    use crate::manifest::read_text;

    fn shown(text: &str) -> Vec<String> {
        let (objects, errors) = read_text("f", text);
        let objects = objects.iter().map(|object| {
            let namespace = object.namespace.as_deref().unwrap_or("-");
            format!("{} {} {namespace} {} {}", object.api_version, object.kind, object.name, object.at)
        });
        objects.chain(errors.iter().map(ToString::to_string)).collect()
    }

    #[test]
    fn lists_are_taken_apart() {
        let text = "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Namespace, metadata: {name: a}}\n\
                    - apiVersion: v1\n  kind: List\n  items:\n  - {apiVersion: g/v1, kind: B, metadata: {name: b, namespace: m}}\n\
                    - {apiVersion: v1, kind: C, metadata: {name: c, namespace: \"\"}}\n- 1\n";
        assert_eq!(
            shown(text),
            [
                "v1 Namespace - a 4:3",
                "g/v1 B m b 8:5",
                "v1 C - c 9:3",
                "f:10:3: expected a Kubernetes object, found a number",
            ]
        );
    }

    #[test]
    fn what_is_no_object_is_refused_where_it_stands() {
        for (text, error) in [
            ("- a", "f:1:1: expected a Kubernetes object, found a list"),
            ("a: 1", "f:1:1: expected a Kubernetes object, but `apiVersion` is missing"),
            ("apiVersion: v1", "f:1:1: expected a Kubernetes object, but `kind` is missing"),
            ("apiVersion: 1\nkind: A", "f:1:13: `apiVersion` must be a string, found a number; quote it"),
            ("apiVersion: v1\nkind: ''", "f:2:7: `kind` must be a string, found an empty string"),
            (
                "apiVersion: v1\nkind: A\nmetadata: {name: n}",
                "f:3:18: `metadata.name` must be a string, found a boolean; quote it",
            ),
            (
                "apiVersion: kube-iam.dev/v1alpha1\nkind: IamUser\nmetadata: {namespace: a}",
                "f:3:11: `IamUser` has no `metadata.name`",
            ),
            (
                "apiVersion: kube-iam.dev/v1alpha1\nkind: IamPolicy\nmetadata: {name: a}\nitems: []",
                "f:1:1: `IamPolicy` has `items`, so kubectl takes it for a list; remove them",
            ),
        ] {
            assert_eq!(shown(text), [error], "{text}");
        }
    }

    #[test]
    fn a_file_for_another_tool_needs_no_name() {
        let text = "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources: [a.yaml]";
        assert_eq!(shown(text), ["kustomize.config.k8s.io/v1beta1 Kustomization -  1:1"]);
    }
}
