//! `kubectl explain` reads like a manual: it has something to say about every field.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::crds;
use crate::site::Site;

/// Fields by their path, such as `iamuser.spec.identities`; an entry of a list is at the path of its list.
type Fields<'a> = BTreeMap<String, &'a Value>;

fn collect<'a>(path: &str, schema: &'a Value, fields: &mut Fields<'a>) {
    fields.insert(path.to_owned(), schema);
    for (name, child) in children(schema) {
        collect(&format!("{path}.{name}"), child, fields);
    }
}

fn children(schema: &Value) -> impl Iterator<Item = (&String, &Value)> {
    let mut inner = schema;
    while let Some(items) = inner.get("items").or_else(|| inner.get("additionalProperties")) {
        inner = items;
    }
    inner["properties"].as_object().into_iter().flatten()
}

fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What kubectl says, white space folded: it breaks lines where the terminal ends.
#[track_caller]
fn explained(site: &Site, path: &str) -> String {
    words(&site.by_admin(["explain", path, "--api-version=kube-iam.dev/v1alpha1"]))
}

#[test]
fn every_field_of_every_kind_is_explained() {
    let site = crds::installed();
    for kind in crds::documents(&crds::printed()) {
        let singular = kind["spec"]["names"]["singular"].as_str().unwrap();
        let schema = &kind["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
        let mut fields = Fields::new();
        collect(singular, schema, &mut fields);
        assert!(fields.len() > 10, "{fields:?}");

        for (path, schema) in &fields {
            let is_kubernetes_own =
                ["apiVersion", "kind", "metadata"].iter().any(|own| *path == format!("{singular}.{own}"));
            let description = words(schema["description"].as_str().unwrap_or_default());
            assert!(is_kubernetes_own || description.len() > 10, "{path} has no description");
            // What is said of a field stands in what is said of its parent, too.
            if children(schema).next().is_none() {
                continue;
            }
            let text = explained(site, path);
            assert!(text.contains(&description), "{path}: {text}");
            for (name, child) in children(schema) {
                let description = words(child["description"].as_str().unwrap_or_default());
                assert!(text.contains(&format!(" {name} <")), "{path}.{name}: {text}");
                assert!(text.contains(&description), "{path}.{name}: {text}");
            }
        }
        let deepest = fields.keys().max_by_key(|path| path.split('.').count()).unwrap();
        assert!(explained(site, deepest).contains("DESCRIPTION: "), "{deepest}");

        let all = site.by_admin(["explain", singular, "--recursive", "--api-version=kube-iam.dev/v1alpha1"]);
        for path in fields.keys().filter(|path| path.as_str() != singular) {
            let name = path.rsplit('.').next().unwrap();
            assert!(all.lines().any(|line| line.split_whitespace().next() == Some(name)), "{path} in {all}");
        }
    }
}
