//! A folder under change: what is in force after each step.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use super::reload::Reload;
use crate::decide::{Verdict, decide};
use crate::mapping::{self, Attributes, Now, ResourceAttributes, ScopeFacts, Setting, Target};
use crate::name::Mode;
use crate::snapshot::Snapshot;
use crate::store::{self, InForce, Reader};
use crate::telemetry::Metrics;
use crate::world::Settings;

const ALICE: &str = "
apiVersion: kube-iam.dev/v1alpha1
kind: IamUser
metadata: {name: alice, namespace: payments}
spec: {identities: [{kind: User, name: alice}], policies: [all]}
";
const ALL: &str = "
apiVersion: kube-iam.dev/v1alpha1
kind: IamPolicy
metadata: {name: all, namespace: payments}
spec:
  statements:
  - {sid: All, effect: Allow, actions: ['k8s:*'], resources: ['*']}
  - {sid: NoSecrets, effect: Deny, actions: ['k8s:*'], resources: ['arn:k8s:core::payments:secrets/*']}
";

struct Fixture {
    base: PathBuf,
    reload: Reload,
    reader: Reader<InForce>,
}

impl Fixture {
    fn new(files: &[(&str, &str)]) -> Self {
        Self::try_new(files).unwrap()
    }

    fn try_new(files: &[(&str, &str)]) -> Result<Self, String> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let base = std::env::temp_dir().join(format!("kube-iam-source-{}-{number}", std::process::id()));
        let _ = std::fs::remove_dir_all(&base);
        std::fs::create_dir_all(base.join("tree")).unwrap();
        std::os::unix::fs::symlink("tree", base.join("root")).unwrap();
        for (name, text) in files {
            write(&base.join("tree").join(name), text);
        }
        let (publisher, reader) = store::channel();
        let started = Reload::start(&base.join("root"), Settings::default(), publisher, Arc::new(Metrics::new()));
        match started {
            Ok(reload) => Ok(Self { base, reload, reader }),
            Err(error) => {
                let _ = std::fs::remove_dir_all(&base);
                Err(error.to_string())
            }
        }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.base.join("tree").join(name)
    }

    fn verdict(&self, resource: &str) -> Verdict {
        verdict(&self.reader.load().unwrap(), "alice", resource)
    }

    /// Follows the folder until something is so, for two seconds at most.
    fn until(&mut self, what: &str, mut holds: impl FnMut(&Self) -> bool) {
        let began = Instant::now();
        while !holds(self) {
            assert!(began.elapsed() < Duration::from_secs(2), "not within two seconds: {what}");
            self.step();
        }
    }

    /// Follows the folder for longer than any change needs, while something stays so.
    fn throughout(&mut self, what: &str, holds: impl Fn(&Self) -> bool) {
        let began = Instant::now();
        while began.elapsed() < Duration::from_millis(1_500) {
            self.step();
            assert!(holds(self), "{what}");
        }
    }

    fn step(&mut self) {
        self.reload.tick();
        std::thread::sleep(Duration::from_millis(10));
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.base);
    }
}

fn write(path: &Path, text: &str) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

/// May this user get one such object in `payments`?
fn verdict(in_force: &InForce, user: &str, resource: &str) -> Verdict {
    let snapshot: &Snapshot = &in_force.snapshot;
    let attributes = Attributes {
        user: user.into(),
        target: Target::Resource(ResourceAttributes {
            namespace: "payments".into(),
            verb: "get".into(),
            resource: resource.into(),
            name: "x".into(),
            ..ResourceAttributes::default()
        }),
        ..Attributes::default()
    };
    let scope = |group: &str, plural: &str| ScopeFacts::from(snapshot.kinds().scope(group, plural));
    let setting = Setting {
        cluster: "",
        management_account: "kube-iam-system",
        mode: Mode::Coexist,
        now: Now { epoch_seconds: 0, rfc3339: "1970-01-01T00:00:00Z" },
        scope: &scope,
    };
    decide(snapshot, &mapping::request(&attributes, &setting).unwrap()).verdict
}

#[test]
fn a_change_is_in_force_within_a_second() {
    let mut folder = Fixture::new(&[("users/alice.yaml", ALICE), ("all.yaml", ALL)]);
    assert_eq!(folder.verdict("pods"), Verdict::Allow);
    assert_eq!(folder.verdict("secrets"), Verdict::ExplicitDeny);
    write(&folder.file("more.yml"), &ALL.replace("name: all", "name: other"));
    folder.until("another policy", |folder| folder.reader.load().unwrap().snapshot.objects() == 3);
    let began = Instant::now();
    write(&folder.file("all.yaml"), &ALL.replace("effect: Allow", "effect: Deny"));
    folder.until("a Deny in place of the Allow", |folder| folder.verdict("pods") == Verdict::ExplicitDeny);
    assert!(began.elapsed() < Duration::from_secs(1));
}

#[test]
fn a_file_that_no_longer_parses_keeps_its_denies_and_grants_nothing() {
    let mut folder = Fixture::new(&[("alice.yaml", ALICE), ("all.yaml", ALL)]);
    write(&folder.file("all.yaml"), &format!("{ALL}\n  bad: [indentation"));
    folder.until("the Allow is gone", |folder| folder.verdict("pods") == Verdict::ImplicitDeny);
    assert_eq!(folder.verdict("secrets"), Verdict::ExplicitDeny);
    folder.throughout("the Deny stays", |folder| folder.verdict("secrets") == Verdict::ExplicitDeny);
    write(&folder.file("all.yaml"), ALL);
    folder.until("healed", |folder| folder.verdict("pods") == Verdict::Allow);
}

#[test]
fn an_object_that_becomes_invalid_keeps_the_denies_of_its_last_good_form() {
    let mut folder = Fixture::new(&[("alice.yaml", ALICE), ("all.yaml", ALL)]);
    let misspelt = ALL.replace("sid: NoSecrets, effect: Deny, actions", "sid: NoSecrets, effect: Deny, actoins");
    write(&folder.file("all.yaml"), &misspelt.replace("secrets/*", "configmaps/*"));
    folder.until("the Allow is gone", |folder| folder.verdict("pods") == Verdict::ImplicitDeny);
    assert_eq!(folder.verdict("secrets"), Verdict::ExplicitDeny, "the last good form, not the readable part");
    write(&folder.file("all.yaml"), &format!("{misspelt} "));
    folder.throughout("another bad form changes nothing", |folder| {
        folder.verdict("secrets") == Verdict::ExplicitDeny && folder.verdict("pods") == Verdict::ImplicitDeny
    });
}

#[test]
fn what_is_gone_for_a_moment_was_never_gone() {
    let mut folder = Fixture::new(&[("alice.yaml", ALICE), ("all.yaml", ALL)]);
    let before = folder.reader.load().unwrap().snapshot.revision();
    for _ in 0..3 {
        std::fs::remove_file(folder.file("all.yaml")).unwrap();
        for _ in 0..5 {
            folder.step();
        }
        write(&folder.file("all.yaml"), ALL);
        for _ in 0..5 {
            folder.step();
        }
    }
    assert_eq!(folder.reader.load().unwrap().snapshot.revision(), before);
    std::fs::remove_file(folder.file("all.yaml")).unwrap();
    folder.until("gone for good", |folder| folder.verdict("secrets") == Verdict::ImplicitDeny);
}

#[test]
fn a_file_that_is_cut_to_nothing_is_no_deletion() {
    let mut folder = Fixture::new(&[("alice.yaml", ALICE), ("all.yaml", ALL)]);
    write(&folder.file("all.yaml"), "");
    folder.until("the Allow is gone", |folder| folder.verdict("pods") == Verdict::ImplicitDeny);
    folder.throughout("the Deny stays", |folder| folder.verdict("secrets") == Verdict::ExplicitDeny);
    write(&folder.file("all.yaml"), "# moved elsewhere");
    folder.until("said on purpose", |folder| folder.verdict("secrets") == Verdict::ImplicitDeny);
}

#[test]
fn an_unreadable_folder_is_not_an_empty_world() {
    let mut folder = Fixture::new(&[("alice.yaml", ALICE), ("all.yaml", ALL)]);
    let (tree, away) = (folder.base.join("tree"), folder.base.join("away"));
    std::fs::rename(&tree, &away).unwrap();
    folder.throughout("the last snapshot stays", |folder| {
        folder.verdict("secrets") == Verdict::ExplicitDeny && folder.verdict("pods") == Verdict::Allow
    });
    std::fs::rename(&away, &tree).unwrap();
    write(&folder.file("all.yaml"), &ALL.replace("sid: All, effect: Allow", "sid: All, effect: Deny"));
    folder.until("followed again", |folder| folder.verdict("pods") == Verdict::ExplicitDeny);
}

#[test]
fn a_tree_that_is_swapped_by_renaming_a_link_is_taken_in_one_step() {
    let mut folder = Fixture::new(&[("alice.yaml", ALICE), ("all.yaml", ALL)]);
    let next = folder.base.join("next");
    write(&next.join("moved/alice.yaml"), ALICE);
    write(&next.join("moved/all.yaml"), &ALL.replace("secrets/*", "*"));
    std::os::unix::fs::symlink("next", folder.base.join("link")).unwrap();
    let before = folder.reader.load().unwrap().snapshot.revision();
    std::fs::rename(folder.base.join("link"), folder.base.join("root")).unwrap();
    folder.until("the new tree", |folder| folder.verdict("pods") == Verdict::ExplicitDeny);
    assert_eq!(folder.reader.load().unwrap().snapshot.revision().0, before.0 + 1);
}

#[test]
fn a_mounted_config_map_is_followed() {
    let mut folder = Fixture::new(&[("..2026_1/all.yaml", ALL), ("..2026_1/alice.yaml", ALICE)]);
    // Nothing but hidden names yet: the links that make them visible come now.
    assert_eq!(folder.reader.load().unwrap().snapshot.objects(), 0);
    std::os::unix::fs::symlink("..2026_1", folder.file("..data")).unwrap();
    for name in ["all.yaml", "alice.yaml"] {
        std::os::unix::fs::symlink(format!("..data/{name}"), folder.file(name)).unwrap();
    }
    folder.until("the mount", |folder| folder.verdict("pods") == Verdict::Allow);
    write(&folder.file("..2026_2/all.yaml"), &ALL.replace("secrets/*", "*"));
    write(&folder.file("..2026_2/alice.yaml"), ALICE);
    std::os::unix::fs::symlink("..2026_2", folder.file("..tmp")).unwrap();
    std::fs::rename(folder.file("..tmp"), folder.file("..data")).unwrap();
    folder.until("the new version", |folder| folder.verdict("pods") == Verdict::ExplicitDeny);
}

#[test]
fn what_is_declared_twice_grants_nothing_and_both_denies_hold() {
    let other = ALL.replace("secrets/*", "configmaps/*");
    let mut folder = Fixture::new(&[("alice.yaml", ALICE), ("a.yaml", ALL), ("b.yaml", &other)]);
    assert_eq!(folder.verdict("pods"), Verdict::ImplicitDeny);
    assert_eq!(folder.verdict("secrets"), Verdict::ExplicitDeny);
    assert_eq!(folder.verdict("configmaps"), Verdict::ExplicitDeny);
    std::fs::remove_file(folder.file("b.yaml")).unwrap();
    folder.until("one is left", |folder| folder.verdict("pods") == Verdict::Allow);
    assert_eq!(folder.verdict("configmaps"), Verdict::Allow);
}

#[test]
fn an_account_without_namespace_manifest_is_selected_by_every_label() {
    let guardrail = "
apiVersion: kube-iam.dev/v1alpha1
kind: IamPolicy
metadata: {name: rail, namespace: kube-iam-system}
spec:
  type: ResourceControl
  targets: {accountSelector: {matchLabels: {env: prod}}}
  statements: [{sid: NoPods, effect: Deny, principals: ['*'], actions: ['k8s:*'], resources: ['*']}]
";
    let mut folder = Fixture::new(&[("alice.yaml", ALICE), ("all.yaml", ALL), ("rail.yaml", guardrail)]);
    assert_eq!(folder.verdict("pods"), Verdict::ExplicitDeny);
    let namespace = "{apiVersion: v1, kind: Namespace, metadata: {name: payments, labels: {env: dev}}}";
    write(&folder.file("namespace.yaml"), namespace);
    folder.until("known labels", |folder| folder.verdict("pods") == Verdict::Allow);
}

#[test]
fn at_start_every_error_is_told_with_its_place() {
    let nameless = ALICE.replace(", namespace: payments", "");
    let error = Fixture::try_new(&[("a.yaml", "a: [b"), ("b.yaml", &nameless), ("c.yaml", ALL)]).err().unwrap();
    assert!(error.contains("a.yaml:1:"), "{error}");
    assert!(error.contains("b.yaml:4:"), "{error}");
    assert!(error.contains("namespace"), "{error}");
    assert!(!error.contains("c.yaml"), "{error}");
    assert!(Fixture::try_new(&[]).is_ok(), "an empty folder is an empty world");
}

#[test]
fn a_root_from_a_file_that_no_longer_parses_is_nobodys_power() {
    let namespace = "
apiVersion: v1
kind: Namespace
metadata:
  name: payments
  annotations: {kube-iam.dev/root-identity: alice, kube-iam.dev/root-mfa: optional}
";
    let mut folder = Fixture::new(&[("namespace.yaml", namespace), ("alice.yaml", ALICE), ("all.yaml", ALL)]);
    assert_eq!(folder.verdict("secrets"), Verdict::Allow, "root");
    write(&folder.file("namespace.yaml"), &format!("{namespace}\n---\n: ["));
    folder.until("no root", |folder| folder.verdict("secrets") == Verdict::ExplicitDeny);
    assert_eq!(
        folder.verdict("pods"),
        Verdict::ImplicitDeny,
        "who claims a root's identity is in conflict all the same"
    );
}

#[test]
fn a_writer_that_truncates_and_rewrites_never_opens_a_gap() {
    let mut folder = Fixture::new(&[("alice.yaml", ALICE), ("all.yaml", ALL)]);
    let stop = AtomicBool::new(false);
    let path = folder.file("all.yaml");
    let reader = folder.reader.clone();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut number = 0u32;
            while !stop.load(Ordering::Relaxed) {
                number += 1;
                // What editors do: the file is empty, then half written, then whole.
                std::fs::write(&path, "").unwrap();
                std::thread::yield_now();
                std::fs::write(&path, ALL.split_at(ALL.len() / 2).0).unwrap();
                std::thread::yield_now();
                std::fs::write(&path, format!("# {number}\n{ALL}")).unwrap();
                std::thread::sleep(Duration::from_millis(u64::from(number % 7)));
            }
        });
        let asking = scope.spawn(|| {
            let mut asked = 0u64;
            while !stop.load(Ordering::Relaxed) {
                assert_eq!(verdict(&reader.load().unwrap(), "alice", "secrets"), Verdict::ExplicitDeny);
                asked += 1;
            }
            asked
        });
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(3) && !asking.is_finished() {
            folder.reload.tick();
        }
        stop.store(true, Ordering::Relaxed);
        assert!(asking.join().unwrap() > 1_000);
    });
    folder.until("settled", |folder| folder.verdict("pods") == Verdict::Allow);
}
