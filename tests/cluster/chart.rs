//! The chart, as helm renders and installs it.

use std::path::Path;

use serde_json::{Value, json};

use crate::control_plane::helm::{Helm, Line};
use crate::control_plane::kubectl::Output;
use crate::control_plane::shared::Shared;
use crate::crds;
use crate::site::MANAGEMENT;

/// The chart.
pub const CHART: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/charts/kube-iam");
/// The part of it that is a chart of its own.
pub const CRDS_CHART: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/charts/kube-iam/charts/kube-iam-crds");
/// The name of the release.
pub const RELEASE: &str = "kube-iam";

static FOUR: Shared<Helm> = Shared::new(|| Helm::try_new(Line::Four));
static THREE: Shared<Helm> = Shared::new(|| Helm::try_new(Line::Three));

/// helm of a line, for all tests that need no cluster.
#[track_caller]
pub fn helm(line: Line) -> &'static Helm {
    match line {
        Line::Four => FOUR.get(),
        Line::Three => THREE.get(),
    }
}

/// `helm template` with values over those of the chart.
#[track_caller]
pub fn template(line: Line, chart: &str, values: &Value) -> Output {
    let helm = helm(line);
    let values = helm.values(values).display().to_string();
    helm.run(["template", RELEASE, chart, "--namespace", MANAGEMENT, "--values", &values])
}

/// The objects that the chart renders to, sorted; both lines of helm must agree.
#[track_caller]
pub fn rendered(values: &Value) -> Vec<Value> {
    let [four, three] = Line::ALL.map(|line| {
        let mut objects = crds::documents(&template(line, CHART, values).succeeded());
        objects.sort_by_cached_key(name_of);
        objects
    });
    assert_eq!(inventory(&four), inventory(&three), "{values}");
    for (four, three) in four.iter().zip(&three) {
        assert_eq!(four, three, "{values}");
    }
    four
}

/// The one object of that kind and name.
#[track_caller]
pub fn object<'a>(objects: &'a [Value], kind: &str, name: &str) -> &'a Value {
    let mut found = objects.iter().filter(|object| object["kind"] == kind && object["metadata"]["name"] == name);
    let object = found.next().unwrap_or_else(|| panic!("no {kind} {name}"));
    assert!(found.next().is_none(), "{kind} {name} twice");
    object
}

/// `Kind name` of every object.
pub fn inventory(objects: &[Value]) -> Vec<String> {
    objects.iter().map(name_of).collect()
}

fn name_of(object: &Value) -> String {
    format!("{} {}", text(&object["kind"]), text(&object["metadata"]["name"]))
}

/// A text that must be one.
#[track_caller]
pub fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("`{value}` is no text"))
}

/// The elements of a list that must be one.
#[track_caller]
pub fn list(value: &Value) -> &[Value] {
    value.as_array().unwrap_or_else(|| panic!("`{value}` is no list"))
}

/// Values with which the program runs beside the cluster: webhooks by URL, no Pods.
pub fn beside(port: u16) -> Value {
    json!({"workload": "None", "webhook": {"url": format!("https://127.0.0.1:{port}")}})
}

/// A file of the chart.
#[track_caller]
pub fn file(name: &str) -> String {
    let path = Path::new(CHART).join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}
