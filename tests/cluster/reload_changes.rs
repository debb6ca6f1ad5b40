//! A file of the folder that changes is in force soon, and never less in force than what was written.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::control_plane::deadline::wait_until;
use crate::https::Client;
use crate::site::COEXIST;

const IN_FORCE: Duration = Duration::from_secs(2);

/// What a file lacks for so long may be meant.
const STALL: Duration = Duration::from_millis(300);

/// Eight seconds of a file that is rewritten under a stream of requests.
struct Churn {
    statuses: Vec<u16>,
    rewrites: u64,
    /// The longest time for which the file lacked something.
    longest_lack: Duration,
}

impl Churn {
    /// Rewrites as an editor does: nothing, then a part that reads well by itself, then the rest. The pace drifts
    /// against that of whoever reads.
    fn of(file: &Path, first: &str, whole: &str, client: &Client) -> Self {
        let done = AtomicBool::new(false);
        thread::scope(|scope| {
            let requests = scope.spawn(|| {
                let mut connection = client.connect().unwrap();
                let mut statuses = Vec::new();
                while !done.load(Ordering::Relaxed) {
                    let answer = connection.request("GET", "/api/v1/namespaces/rewrites/configmaps", b"").unwrap();
                    statuses.push(answer.status);
                }
                statuses
            });
            let (mut rewrites, mut longest_lack) = (0, Duration::ZERO);
            let end = Instant::now() + Duration::from_secs(8);
            while Instant::now() < end {
                let pause = Duration::from_millis(5 + rewrites * 7 % 23);
                let began = Instant::now();
                let mut writer = File::create(file).unwrap();
                thread::sleep(pause);
                writer.write_all(first.as_bytes()).unwrap();
                thread::sleep(pause);
                writer.write_all(&whole.as_bytes()[first.len()..]).unwrap();
                longest_lack = longest_lack.max(began.elapsed());
                thread::sleep(pause * 5);
                rewrites += 1;
            }
            done.store(true, Ordering::Relaxed);
            Self { statuses: requests.join().unwrap(), rewrites, longest_lack }
        })
    }
}

fn user(name: &str, statements: &str) -> String {
    format!(
        r#"
---
apiVersion: kube-iam.dev/v1alpha1
kind: IamUser
metadata: {{name: {name}, namespace: {name}}}
spec:
  identities: [{{kind: User, name: {name}}}]
  inlinePolicies: [{{name: own, statements: [{statements}]}}]
"#
    )
}

#[test]
fn a_policy_that_changes_on_disk_is_in_force_within_two_seconds() {
    let site = COEXIST.get();
    site.account("reload");
    let read = r#"{sid: Read, effect: Allow, actions: ["k8s:list"], resources: ["arn:k8s:core::reload:configmaps/*"]}"#;
    let deny = r#"{sid: Stop, effect: Deny, actions: ["k8s:list"], resources: ["*"]}"#;
    site.declare("reload", &user("reload", read));
    let client = Client::of(&site.person("reload", &[]));
    let status = || client.get("/api/v1/namespaces/reload/configmaps").unwrap().status;
    assert_eq!(status(), 200);

    let file = site.manifest("reload");
    let until = |wanted: u16| wait_until(IN_FORCE, || status() == wanted);
    fs::write(&file, user("reload", &format!("{read}, {deny}"))).unwrap();
    until(403);
    fs::write(&file, user("reload", read)).unwrap();
    until(200);
    fs::write(&file, user("reload", "{sid: Other, effect: Allow, actions: [\"k8s:get\"], resources: [\"*\"]}"))
        .unwrap();
    until(403);
    fs::write(&file, user("reload", read)).unwrap();
    until(200);
    // What cannot be read grants nothing.
    fs::write(&file, user("reload", read) + "\n}{").unwrap();
    until(403);
    fs::write(&file, user("reload", read)).unwrap();
    until(200);
    fs::remove_file(&file).unwrap();
    until(403);
}

#[test]
fn a_deny_in_a_file_that_is_rewritten_all_the_time_lets_nothing_through() {
    let site = COEXIST.get();
    site.account("rewrites");
    site.grant_by_rbac("edit", "rewrites", Some("rewrites"));
    let allow = r#"{sid: Read, effect: Allow, actions: ["k8s:list"], resources: ["arn:k8s:core::rewrites:pods/*"]}"#;
    let deny =
        r#"{sid: Stop, effect: Deny, actions: ["k8s:list"], resources: ["arn:k8s:core::rewrites:configmaps/*"]}"#;
    let first = user("other", allow);
    let whole = format!("{first}{}", user("rewrites", &format!("{allow}, {deny}")));
    site.declare("rewrites", &whole);
    let client = Client::of(&site.person("rewrites", &[]));
    let file = site.manifest("rewrites");
    let began = Instant::now();
    let mut churn = Churn::of(&file, &first, &whole, &client);
    while churn.longest_lack > STALL {
        println!("a rewrite took {:?}; once more", churn.longest_lack);
        assert!(began.elapsed() < Duration::from_secs(60), "this machine is too slow for the test");
        churn = Churn::of(&file, &first, &whole, &client);
    }
    assert!(churn.rewrites >= 10, "{} rewrites", churn.rewrites);
    assert!(churn.statuses.len() >= 50, "{} requests", churn.statuses.len());
    let let_through = churn.statuses.iter().filter(|status| **status != 403).count();
    assert_eq!(let_through, 0, "of {} requests during {} rewrites", churn.statuses.len(), churn.rewrites);

    // It was the Deny that held, not the file that was never read.
    fs::write(&file, &first).unwrap();
    let status = || client.get("/api/v1/namespaces/rewrites/configmaps").unwrap().status;
    wait_until(IN_FORCE, || status() == 200);
}
