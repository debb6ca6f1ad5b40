//! Every way to apply the kinds and the examples is accepted.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::crds::{self, PLURALS};
use crate::site::Site;

/// From a person's terminal, from a GitOps tool, and from a check before a merge.
const WAYS: [&[&str]; 3] =
    [&["apply", "-f", "-"], &["apply", "--server-side", "-f", "-"], &["apply", "--dry-run=server", "-f", "-"]];

#[track_caller]
fn assert_accepted(site: &Site, manifests: &str, what: &str) {
    for way in WAYS {
        let output = site.kubectl_with_input(site.admin(), way.iter().copied(), manifests);
        assert!(output.status.success(), "{what}, {way:?}: {}", output.stderr);
        assert!(!output.stderr.contains("Warning"), "{what}, {way:?}: {}", output.stderr);
    }
}

#[test]
fn the_kinds_are_accepted() {
    let site = crds::installed();
    assert_accepted(site, &crds::printed(), "kube-iam crds");
    for plural in PLURALS {
        let name = format!("{plural}.kube-iam.dev");
        let kind: Value = serde_json::from_str(&site.by_admin(["get", "crd", &name, "-o", "json"])).unwrap();
        let conditions = kind["status"]["conditions"].as_array().unwrap();
        let status = |wanted: &str| {
            conditions.iter().find(|condition| condition["type"] == wanted).map(|condition| &condition["status"])
        };
        assert_eq!(status("NamesAccepted"), Some(&json!("True")), "{conditions:?}");
        assert_eq!(status("NonStructuralSchema"), None, "{conditions:?}");
    }
}

#[test]
fn the_kinds_are_listed_with_their_columns_short_names_and_category() {
    let site = crds::installed();
    site.account("columns");
    site.apply(
        r#"
apiVersion: kube-iam.dev/v1alpha1
kind: IamUser
metadata: {name: one, namespace: columns}
spec: {}
---
apiVersion: kube-iam.dev/v1alpha1
kind: IamGroup
metadata: {name: one, namespace: columns}
spec: {}
---
apiVersion: kube-iam.dev/v1alpha1
kind: IamRole
metadata: {name: one, namespace: columns}
spec:
  trustPolicy: {statements: [{sid: Who, effect: Allow, principals: [columns], actions: ["sts:AssumeRole"]}]}
---
apiVersion: kube-iam.dev/v1alpha1
kind: IamPolicy
metadata: {name: one, namespace: columns}
spec: {statements: [{sid: Read, effect: Allow, actions: ["k8s:get"], resources: ["*"]}]}
"#,
    );
    for kind in crds::documents(&crds::printed()) {
        let names = &kind["spec"]["names"];
        let plural = names["plural"].as_str().unwrap();
        let columns = kind["spec"]["versions"][0]["additionalPrinterColumns"].as_array().unwrap();
        assert!(!columns.is_empty());
        let condition = json!({
            "type": "Ready", "status": "True", "reason": "Ready", "message": "it is in force",
            "lastTransitionTime": "2026-01-01T00:00:00Z", "observedGeneration": 1,
        });
        let arn = format!("arn:k8s:iam::columns:{plural}/one");
        let status = json!({"status": {"arn": arn, "conditions": [condition]}}).to_string();
        site.by_admin(["patch", plural, "one", "-n", "columns", "--subresource=status", "--type=merge", "-p", &status]);

        for (flags, shown) in [(&[][..], 0), (&["-o", "wide"][..], 1)] {
            let list = ["get", plural, "-n", "columns"].into_iter().chain(flags.iter().copied());
            let table = site.by_admin(list);
            let (header, row) = table.trim_end().split_once('\n').unwrap();
            for column in columns {
                let name = column["name"].as_str().unwrap().to_uppercase();
                let is_shown = column["priority"].as_u64().unwrap_or(0) <= shown;
                assert_eq!(header.split_whitespace().any(|word| word == name), is_shown, "{name} in {table}");
            }
            assert!(row.starts_with("one ") && row.contains("True"), "{table}");
            assert_eq!(row.contains(&arn), shown == 1, "{table}");
        }

        let singular = names["singular"].as_str().unwrap();
        let full = format!("{singular}.kube-iam.dev/one\n");
        let short = names["shortNames"].as_array().unwrap().iter().map(|name| name.as_str().unwrap());
        for name in short.chain([singular, plural]) {
            assert_eq!(site.by_admin(["get", name, "-n", "columns", "-o", "name"]), full);
        }
        let all = site.by_admin(["get", "iam", "-n", "columns", "-o", "name"]);
        assert!(all.contains(&full), "{all}");
    }
}

#[test]
fn every_example_is_accepted() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let files = manifests_below(&folder);
    if files.is_empty() {
        println!("SKIPPED every_example_is_accepted: there are no manifests in {}", folder.display());
        return;
    }
    let site = crds::installed();
    let texts: Vec<String> = files.iter().map(|file| fs::read_to_string(file).unwrap()).collect();
    let mut accounts: Vec<String> = texts
        .iter()
        .flat_map(|text| crds::documents(text))
        .filter_map(|document| document["metadata"]["namespace"].as_str().map(str::to_owned))
        .collect();
    accounts.sort();
    accounts.dedup();
    let namespace = |name: &String| json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
    let accounts: Vec<Value> = accounts.iter().map(namespace).collect();
    site.apply(&json!({"apiVersion": "v1", "kind": "List", "items": accounts}).to_string());
    for (file, text) in files.iter().zip(&texts) {
        assert_accepted(site, text, &file.display().to_string());
    }
}

/// In the order in which `kubectl apply -R -f` takes them.
fn manifests_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let Ok(entries) = fs::read_dir(folder) else { return files };
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(manifests_below(&path));
        } else if path.extension().is_some_and(|extension| extension == "yaml") {
            files.push(path);
        }
    }
    files.sort();
    files
}
