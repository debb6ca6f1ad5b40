//! The corpus: worlds, questions and the answers that the documents promise, each asked at every door.
//!
//! A file of `tests/corpus` holds a world (manifests) and cases. Every case goes through the evaluator, its explanation,
//! `can-i -o json` of the real program, and a SubjectAccessReview of either version; all of them have to agree with each
//! other and with what the row expects. A row that the program is known to answer wrongly says `known_wrong: true` and
//! must still be answered wrongly, so that the mark goes when the fault does.
//!
//! Left out, an expectation of `allowed` or `denied` is that of the mode `coexist` where no limit refuses.
#![expect(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use kube_iam::decide::{Decision, decide, explain};
use kube_iam::manifest::read_text;
use kube_iam::mapping::{
    Answer, Attributes, Outcome, Requirement, ResourceAttributes, SelectorOperator, Target, UrlAttributes, answer,
    decode, encode,
};
use kube_iam::name::{Mode, Revision};
use kube_iam::policy::tree::Node;
use kube_iam::server::{self, with_request};
use kube_iam::snapshot::Snapshot;
use kube_iam::world::{self, Declaration, Input, ObjectKey, Settings, Spec};
use serde::Deserialize;
use serde_json::{Value as Json, json};

// === rows ===

/// One file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Corpus {
    /// What its rows are about, and where that is written.
    about: String,
    #[serde(default)]
    cluster_name: String,
    #[serde(default)]
    management_account: Option<String>,
    #[serde(default)]
    management_root: Option<String>,
    /// The manifests before these, where that matters: their valid objects are the last good ones. The program reads
    /// its manifests once, so it is not asked then.
    #[serde(default)]
    before: Option<String>,
    /// Manifests.
    world: String,
    cases: Vec<Case>,
}

/// One row.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Case {
    /// What it shows.
    name: String,
    /// The caller.
    r#as: String,
    #[serde(default)]
    groups: Vec<String>,
    #[serde(default)]
    uid: String,
    #[serde(default)]
    extra: BTreeMap<String, Vec<String>>,
    verb: String,
    /// Plural; this or `url`.
    #[serde(default)]
    resource: String,
    #[serde(default)]
    url: String,
    #[serde(default)]
    group: String,
    #[serde(default)]
    subresource: String,
    /// Name of the object.
    #[serde(default)]
    object: String,
    #[serde(default)]
    namespace: String,
    #[serde(default)]
    all_namespaces: bool,
    #[serde(default)]
    labels: Vec<Selector>,
    #[serde(default)]
    fields: Vec<Selector>,
    #[serde(default)]
    mode: Option<String>,
    expect: Expect,
    #[serde(default, rename = "known_wrong")]
    known_wrong: bool,
    /// Why `can-i` cannot ask this.
    #[serde(default, rename = "no_can_i")]
    no_can_i: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Selector {
    key: String,
    operator: String,
    #[serde(default)]
    values: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Expect {
    decision: String,
    /// `none` where no layer decides.
    #[serde(default)]
    layer: Option<String>,
    /// `<account>/<policy> <sid>`, in any order.
    #[serde(default)]
    matched: Option<Vec<String>>,
    #[serde(default)]
    allowed: Option<bool>,
    #[serde(default)]
    denied: Option<bool>,
    /// ARNs, in any order.
    #[serde(default)]
    principals: Option<Vec<String>>,
    /// A part of the reason.
    #[serde(default)]
    reason: Option<String>,
}

/// What a door says.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Answered {
    decision: String,
    layer: Option<String>,
    matched: Vec<String>,
    principals: BTreeSet<String>,
    allowed: bool,
    denied: bool,
    reason: String,
}

// === impl Corpus ===

impl Corpus {
    fn settings(&self) -> Settings {
        let default = Settings::default();
        Settings {
            cluster: self.cluster_name.as_str().into(),
            management_account: self.management_account.as_deref().map_or(default.management_account, Into::into),
            management_root: self.management_root.as_deref().map(Into::into),
        }
    }

    /// The world as `source::folder` builds it.
    fn snapshot(&self, file: &Path) -> Snapshot {
        let last_good = self.before.as_deref().map(|text| last_good(file, text)).unwrap_or_default();
        let mut input = Input { settings: self.settings(), ..Input::default() };
        for declaration in declarations(file, &self.world) {
            match declaration {
                Declaration::Object(mut object) => {
                    object.last_good = last_good.get(&object.key).cloned();
                    input.objects.push(object);
                }
                Declaration::Namespace(facts) => input.namespaces.push(facts),
                Declaration::Kind(facts) => input.kinds.push(facts),
                Declaration::Other { .. } => panic!("{}: an object that means nothing", file.display()),
            }
        }
        Snapshot::compile(&world::build(&input), Revision(1))
    }
}

fn declarations(file: &Path, text: &str) -> Vec<Declaration> {
    let (objects, errors) = read_text(file, text);
    assert!(errors.is_empty(), "{errors:?}");
    objects
        .iter()
        .map(|object| {
            Declaration::read(&object.node, None)
                .unwrap_or_else(|error| panic!("{}:{}: {error}", file.display(), object.at))
        })
        .collect()
}

fn last_good(file: &Path, text: &str) -> BTreeMap<ObjectKey, Arc<Node>> {
    let mut found = BTreeMap::new();
    for declaration in declarations(file, text) {
        if let Declaration::Object(object) = declaration
            && let Spec::Read(spec) = &object.spec
        {
            assert!(world::check(&object).is_empty(), "{}: {} is not good", file.display(), object.key);
            found.insert(object.key.clone(), Arc::clone(spec));
        }
    }
    found
}

// === impl Case ===

impl Case {
    fn mode(&self) -> Mode {
        self.mode.as_deref().unwrap_or("coexist").parse().unwrap()
    }

    fn attributes(&self) -> Attributes<'_> {
        let target = if self.url.is_empty() {
            Target::Resource(ResourceAttributes {
                namespace: Cow::Borrowed(&self.namespace),
                verb: Cow::Borrowed(&self.verb),
                group: Cow::Borrowed(&self.group),
                version: "*".into(),
                resource: Cow::Borrowed(&self.resource),
                subresource: Cow::Borrowed(&self.subresource),
                name: Cow::Borrowed(&self.object),
                field_selector: self.fields.iter().map(Selector::requirement).collect(),
                label_selector: self.labels.iter().map(Selector::requirement).collect(),
            })
        } else {
            Target::Url(UrlAttributes { path: Cow::Borrowed(&self.url), verb: Cow::Borrowed(&self.verb) })
        };
        let texts = |list: &'_ [String]| list.iter().map(|text| Cow::Owned(text.clone())).collect();
        Attributes {
            user: Cow::Borrowed(&self.r#as),
            uid: Cow::Borrowed(&self.uid),
            groups: texts(&self.groups),
            extra: self.extra.iter().map(|(key, values)| (Cow::Borrowed(key.as_str()), texts(values))).collect(),
            target,
        }
    }

    fn review(&self, version: &str) -> Vec<u8> {
        let groups = if version == "v1" { "groups" } else { "group" };
        let mut spec = json!({"user": self.r#as, "uid": self.uid, groups: self.groups, "extra": self.extra});
        if self.url.is_empty() {
            let mut resource = json!({
                "namespace": self.namespace, "verb": self.verb, "group": self.group, "version": "*",
                "resource": self.resource, "subresource": self.subresource, "name": self.object,
            });
            for (field, selectors) in [("labelSelector", &self.labels), ("fieldSelector", &self.fields)] {
                if !selectors.is_empty() {
                    let requirements: Vec<Json> = selectors.iter().map(Selector::json).collect();
                    resource[field] = json!({"requirements": requirements});
                }
            }
            spec["resourceAttributes"] = resource;
        } else {
            spec["nonResourceAttributes"] = json!({"path": self.url, "verb": self.verb});
        }
        let api_version = format!("authorization.k8s.io/{version}");
        json!({"apiVersion": api_version, "kind": "SubjectAccessReview", "spec": spec}).to_string().into_bytes()
    }

    /// The arguments of `can-i`.
    fn arguments(&self) -> Vec<String> {
        let mut target = self.url.clone();
        if self.url.is_empty() {
            target = self.resource.clone();
            if !self.group.is_empty() {
                let _ = write!(target, ".{}", self.group);
            }
            if !self.object.is_empty() {
                let _ = write!(target, "/{}", self.object);
            }
        }
        let mut arguments = vec!["can-i".to_owned(), self.verb.clone(), target];
        let mut flag = |name: &str, value: &str| arguments.push(format!("--{name}={value}"));
        flag("as", &self.r#as);
        flag("mode", self.mode().as_str());
        flag("output", "json");
        for group in &self.groups {
            flag("as-group", group);
        }
        if !self.uid.is_empty() {
            flag("as-uid", &self.uid);
        }
        for (key, values) in &self.extra {
            for value in values {
                flag("as-extra", &format!("{key}={value}"));
            }
        }
        if !self.subresource.is_empty() {
            flag("subresource", &self.subresource);
        }
        if !self.namespace.is_empty() {
            flag("namespace", &self.namespace);
        }
        for (name, selectors) in [("selector", &self.labels), ("field-selector", &self.fields)] {
            if !selectors.is_empty() {
                flag(name, &selectors.iter().map(Selector::text).collect::<Vec<_>>().join(","));
            }
        }
        if self.all_namespaces {
            arguments.push("--all-namespaces".to_owned());
        }
        arguments
    }
}

// === impl Selector ===

impl Selector {
    fn requirement(&self) -> Requirement<'_> {
        Requirement {
            key: Cow::Borrowed(&self.key),
            operator: SelectorOperator::parse(&self.operator).unwrap(),
            values: self.values.iter().map(|value| Cow::Borrowed(value.as_str())).collect(),
        }
    }

    fn json(&self) -> Json {
        json!({"key": self.key, "operator": self.operator, "values": self.values})
    }

    fn text(&self) -> String {
        let Selector { key, operator, values } = self;
        match (operator.as_str(), values.as_slice()) {
            ("In", [one]) => format!("{key}={one}"),
            ("NotIn", [one]) => format!("{key}!={one}"),
            ("In", many) => format!("{key} in ({})", many.join(",")),
            ("NotIn", many) => format!("{key} notin ({})", many.join(",")),
            ("DoesNotExist", []) => format!("!{key}"),
            _ => key.clone(),
        }
    }
}

// === doors ===

fn answered(decision: &Decision, answer: &Answer) -> Answered {
    let matched = |matched: &kube_iam::decide::Matched| format!("{} {}", matched.policy, matched.sid);
    Answered {
        decision: decision.verdict.as_str().to_owned(),
        layer: decision.layer.map(|layer| layer.as_str().to_owned()),
        matched: decision.matched.iter().map(matched).collect(),
        principals: decision.principals.iter().map(ToString::to_string).collect(),
        allowed: answer.is_allowed(),
        denied: answer.is_denied(),
        reason: answer.reason.clone(),
    }
}

fn unasked(unasked: kube_iam::mapping::Unasked, mode: Mode) -> Answered {
    let decision = Decision::unasked(unasked.verdict(), Revision(1));
    answered(&decision, &answer(mode, Outcome::Unasked(unasked)))
}

/// The evaluator, and its explanation.
fn evaluated(snapshot: &Snapshot, case: &Case) -> [Answered; 2] {
    let attributes = case.attributes();
    with_request(snapshot, &attributes, case.mode(), |request| match request {
        Err(why) => [unasked(why, case.mode()), unasked(why, case.mode())],
        Ok(request) => [decide(snapshot, &request), explain(snapshot, &request).decision].map(|decision| {
            answered(&decision, &answer(case.mode(), Outcome::Decided { request: &request, decision: &decision }))
        }),
    })
}

fn reviewed(snapshot: &Snapshot, case: &Case, version: &str) -> Answered {
    let bytes = case.review(version);
    let review = decode(&bytes).unwrap_or_else(|error| panic!("{}: {error}", case.name));
    assert_eq!(review.attributes, case.attributes(), "{}: read from {version}", case.name);
    let result = server::answer(snapshot, &review.attributes, case.mode());
    let seen = match &result.decision {
        Ok(decision) => answered(decision, &result.answer),
        Err(why) => unasked(*why, case.mode()),
    };
    let sent: Json = serde_json::from_slice(&encode(review.version, &result.answer)).unwrap();
    let expected = json!({"allowed": seen.allowed, "denied": seen.denied, "reason": seen.reason});
    assert_eq!(sent["status"], expected, "{}: sent in {version}", case.name);
    seen
}

fn typed(case: &Case, corpus: &Corpus, manifests: &Path) -> Answered {
    let mut program = Command::new(env!("CARGO_BIN_EXE_kube-iam"));
    program.args(case.arguments()).arg("-f").arg(manifests).arg(format!("--cluster-name={}", corpus.cluster_name));
    if let Some(account) = &corpus.management_account {
        program.arg(format!("--management-account={account}"));
    }
    if let Some(root) = &corpus.management_root {
        program.arg(format!("--management-root={root}"));
    }
    let run = program.stdin(Stdio::null()).output().unwrap();
    let stderr = String::from_utf8_lossy(&run.stderr);
    let json: Json = serde_json::from_slice(&run.stdout).unwrap_or_else(|_| panic!("{}: {stderr}", case.name));
    let allowed = json["allowed"].as_bool().unwrap();
    assert_eq!(run.status.code(), Some(i32::from(!allowed)), "{}: exit code", case.name);
    let text = |json: &Json| json.as_str().unwrap().to_owned();
    Answered {
        decision: text(&json["decision"]),
        layer: json["layer"].as_str().map(str::to_owned),
        matched: json["matched"]
            .as_array()
            .unwrap()
            .iter()
            .map(|matched| format!("{} {}", text(&matched["policy"]), text(&matched["sid"])))
            .collect(),
        principals: json["principals"].as_array().unwrap().iter().map(text).collect(),
        allowed,
        denied: json["denied"].as_bool().unwrap(),
        reason: text(&json["reason"]),
    }
}

/// What is not as the row expects.
fn wrong(expect: &Expect, seen: &Answered) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut compare = |what: &str, expected: String, found: String| {
        if expected != found {
            wrong.push(format!("{what}: expected {expected}, found {found}"));
        }
    };
    compare("decision", expect.decision.clone(), seen.decision.clone());
    if let Some(layer) = &expect.layer {
        compare("layer", layer.clone(), seen.layer.clone().unwrap_or_else(|| "none".to_owned()));
    }
    if let Some(matched) = &expect.matched {
        let set = |list: &[String]| format!("{:?}", list.iter().collect::<BTreeSet<_>>());
        compare("matched", set(matched), set(&seen.matched));
    }
    if let Some(principals) = &expect.principals {
        let expected: BTreeSet<&String> = principals.iter().collect();
        compare("principals", format!("{expected:?}"), format!("{:?}", seen.principals));
    }
    let allowed = expect.allowed.unwrap_or(expect.decision == "Allow");
    compare("allowed", allowed.to_string(), seen.allowed.to_string());
    let denied = expect.denied.unwrap_or(expect.decision == "ExplicitDeny");
    compare("denied", denied.to_string(), seen.denied.to_string());
    if let Some(part) = &expect.reason
        && !seen.reason.contains(part.as_str())
    {
        wrong.push(format!("reason: expected `{part}` in `{}`", seen.reason));
    }
    wrong
}

// === tests ===

fn corpora() -> Vec<(PathBuf, Corpus)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    let mut files: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
        .into_iter()
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .map(|path| {
            let corpus: Corpus = serde_yaml::from_str(&fs::read_to_string(&path).unwrap())
                .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            (path, corpus)
        })
        .collect()
}

#[test]
fn every_row_is_answered_alike_at_every_door() {
    let folder = std::env::temp_dir().join(format!("kube-iam-corpus-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let mut failures = String::new();
    for (path, corpus) in corpora() {
        let file = path.file_name().unwrap().to_string_lossy().into_owned();
        let manifests = folder.join(&file);
        fs::write(&manifests, &corpus.world).unwrap();
        let snapshot = corpus.snapshot(&path);
        for case in &corpus.cases {
            let [plain, explained] = evaluated(&snapshot, case);
            let mut doors = vec![
                ("explain", explained),
                ("SubjectAccessReview v1", reviewed(&snapshot, case, "v1")),
                ("SubjectAccessReview v1beta1", reviewed(&snapshot, case, "v1beta1")),
            ];
            if corpus.before.is_none() && case.no_can_i.is_none() {
                doors.push(("can-i", typed(case, &corpus, &manifests)));
            }
            for (door, seen) in doors {
                if seen != plain {
                    let _ =
                        writeln!(failures, "{file}: {}: {door} says\n  {seen:?}\nand decide\n  {plain:?}", case.name);
                }
            }
            let wrong = wrong(&case.expect, &plain);
            if case.known_wrong && wrong.is_empty() {
                let _ = writeln!(failures, "{file}: {}: is right now; remove `known_wrong`", case.name);
            }
            if !case.known_wrong && !wrong.is_empty() {
                let _ = writeln!(failures, "{file}: {}:\n  {}\n  {}", case.name, wrong.join("\n  "), plain.reason);
            }
        }
    }
    fs::remove_dir_all(&folder).unwrap();
    assert!(failures.is_empty(), "{failures}");
}

#[test]
fn every_file_says_what_it_is_about_and_asks_the_program() {
    for (path, corpus) in corpora() {
        let file = path.display();
        assert!(!corpus.about.is_empty(), "{file}");
        assert!(!corpus.cases.is_empty(), "{file}");
        let names: BTreeSet<&str> = corpus.cases.iter().map(|case| case.name.as_str()).collect();
        assert_eq!(names.len(), corpus.cases.len(), "{file}: two cases have one name");
        let typed = corpus.cases.iter().any(|case| case.no_can_i.is_none());
        assert!(typed || corpus.before.is_some(), "{file}");
    }
}

#[test]
fn each_step_of_the_combination_has_its_file() {
    let files: Vec<String> =
        corpora().iter().map(|(path, _)| path.file_name().unwrap().to_string_lossy().into_owned()).collect();
    for step in 0..=5 {
        assert!(files.iter().any(|file| file.starts_with(&format!("step-{step}-"))), "step {step} of design.md §5");
    }
}
