//! The kinds of the chart are those of the program.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::chart::{CHART, CRDS_CHART, rendered, template};
use crate::control_plane::helm::Line;
use crate::crds::{self, PLURALS};

fn kinds(objects: Vec<Value>) -> Vec<Value> {
    objects.into_iter().filter(|object| object["kind"] == "CustomResourceDefinition").collect()
}

#[test]
fn the_files_of_the_chart_are_those_of_the_repository() {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("crds");
    let chart = Path::new(CRDS_CHART).join("files/crds");
    let names = |folder: &Path| {
        let mut names: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    };
    assert_eq!(names(&chart), names(&repository));
    for name in names(&chart) {
        let same = fs::read(chart.join(&name)).unwrap() == fs::read(repository.join(&name)).unwrap();
        assert!(same, "copy crds/{} to {}", name.display(), chart.display());
    }
}

#[test]
fn both_charts_render_what_the_program_prints_with_labels() {
    let printed = crds::documents(&crds::printed());
    assert_eq!(printed.len(), PLURALS.len());
    let alone = crds::documents(&template(Line::Four, CRDS_CHART, &json!({})).succeeded());
    for mut objects in [kinds(rendered(&json!({}))), alone] {
        for object in &mut objects {
            let metadata = object["metadata"].as_object_mut().unwrap();
            assert_eq!(metadata.remove("annotations"), Some(json!({"helm.sh/resource-policy": "keep"})));
            assert_eq!(metadata.remove("labels").unwrap()["app.kubernetes.io/component"], "crds");
        }
        objects.sort_by_key(|object| object["metadata"]["name"].to_string());
        let mut expected = printed.clone();
        expected.sort_by_key(|object| object["metadata"]["name"].to_string());
        assert_eq!(objects, expected);
    }
}

#[test]
fn people_choose_whether_the_kinds_come_and_whether_they_stay() {
    for object in kinds(rendered(&json!({"crds": {"keep": false}}))) {
        assert_eq!(object["metadata"]["annotations"], Value::Null);
    }
    let output = template(Line::Three, CHART, &json!({"crds": {"enabled": false}})).succeeded();
    assert!(kinds(crds::documents(&output)).is_empty());
}
