//! What one account can make us hold (`guarantees.md` R22).

use std::env;
use std::fs;
use std::process::Command;
use std::sync::Arc;

use kube_iam::name::Revision;
use kube_iam::policy::json;
use kube_iam::snapshot::Snapshot;
use kube_iam::store::catalog_of;
use kube_iam::world::{Builder, Input, Kind, Object, ObjectKey, Spec, quota, size};

/// Which objects the account is full of.
const SORT: &str = "KUBE_IAM_TEST_SORT";
/// Each is the worst of its kind: the most memory for the fewest characters.
const SORTS: [&str; 8] = ["actions", "conditions", "nothing", "numbers", "patterns", "stars", "targets", "variables"];
/// What an account at its quota takes at most, while a second world is built beside the first.
const MOST: usize = 160 << 20;

/// As many statements of as many entries as a policy has room for.
fn statements(entry: &str, before: &str, after: &str) -> String {
    let room = quota::POLICY_CHARACTERS - 100;
    let mut all = String::new();
    while all.len() + before.len() + after.len() + entry.len() < room {
        let most = (room - all.len() - before.len() - after.len()) / (entry.len() + 1);
        let entries = vec![entry; most.min(256)].join(",");
        all.push_str(&format!("{}{before}{entries}{after}", if all.is_empty() { "" } else { "," }));
    }
    format!(r#"{{"document":{{"Version":"2012-10-17","Statement":[{all}]}}}}"#)
}

fn condition(operator: &str, value: &str) -> String {
    let before = format!(r#"{{"Effect":"Deny","Action":"*","Resource":"*","Condition":{{"{operator}":{{"a":["#);
    statements(value, &before, "]}}}")
}

/// The object of a number; `None` when the account may hold no more of them.
fn spec(sort: &str, number: usize) -> Option<(Kind, String)> {
    const RESOURCES: &str = r#"{"Effect":"Deny","Action":"*","Resource":["#;
    let spec = match sort {
        "actions" => statements(r#""a:""#, r#"{"Effect":"Deny","Action":["#, r#"],"Resource":"*"}"#),
        "conditions" => {
            let keys: Vec<String> =
                (0..64).map(|key| format!(r#""{}{}":[true]"#, char::from(b'a' + key % 26), key / 26)).collect();
            let statement = format!(
                r#"{{"Effect":"Deny","Action":"*","Resource":"*","Condition":{{"Null":{{{}}}}}}}"#,
                keys.join(",")
            );
            statements(&statement, "", "")
        }
        "nothing" => {
            let kind = *[Kind::User, Kind::Role, Kind::Policy].get(number / quota::USERS)?;
            let document = r#"{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"*","Resource":"*"}}"#;
            let trust = r#"{"Statement":{"Effect":"Deny","Principal":"*","Action":"sts:*"}}"#;
            let spec = match kind {
                Kind::User => format!(r#"{{"identities":[{{"kind":"User","name":"u{number}"}}]}}"#),
                Kind::Role => format!(r#"{{"trustPolicy":{{"document":{trust}}}}}"#),
                Kind::Group | Kind::Policy => format!(r#"{{"document":{document}}}"#),
            };
            return Some((kind, spec));
        }
        "numbers" => condition("NumericEquals", "1"),
        "patterns" => statements(r#""arn:*:a*b:?*:?*:?a""#, RESOURCES, "]}"),
        "stars" => statements(r#""*""#, RESOURCES, "]}"),
        "targets" => {
            let long = "x".repeat(2_000);
            let targets: Vec<String> = (0..256).map(|target| format!(r#""arn:k8s:core::a:{target}{long}""#)).collect();
            let policy = statements(r#""a:""#, r#"{"Effect":"Deny","Principal":"*","Action":["#, "]}");
            format!(
                r#"{{"type":"Resource","targets":{{"resources":[{}]}},{}"#,
                targets.join(","),
                policy.strip_prefix('{').unwrap()
            )
        }
        "variables" => condition("StringLike", &format!(r#""{}""#, "${a}".repeat(16))),
        _ => panic!("{sort}"),
    };
    Some((Kind::Policy, spec))
}

/// Bytes of memory that this process takes.
fn taken() -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() << 10
}

#[test]
#[ignore = "run by `one_account_takes_a_bounded_amount_of_memory` in a process of its own for each sort of object"]
fn an_account_at_its_quota() {
    let sort = env::var(SORT).unwrap();
    let before = taken();
    let mut input = Input::default();
    let mut held = 0;
    while let Some((kind, spec)) = spec(&sort, input.objects.len()) {
        let object = Object {
            key: ObjectKey { kind, account: "hostile".into(), name: format!("o{:05}", input.objects.len()).into() },
            uid: Some("00000000-0000-4000-8000-000000000000".into()),
            spec: Spec::Read(Arc::new(json::parse(&spec, 1 << 20).unwrap().without_positions())),
            last_good: None,
            deleting: false,
            origin: None,
        };
        if held + size(&object) > quota::ACCOUNT_SIZE {
            break;
        }
        held += size(&object);
        input.objects.push(object);
    }
    let catalog = catalog_of(&input);
    let mut builder = Builder::default();
    let world = builder.build(&input);
    let snapshot = Snapshot::compile(&world, Revision(1));
    let steady = taken() - before;
    let mut check = Builder::default();
    let second = check.build(&input);
    let most = taken() - before;
    assert!(world.outcomes.values().all(|outcome| outcome.is_fine()), "{:?}", world.outcomes.values().next());
    assert_eq!((catalog.read(|catalog| catalog.len()), snapshot.objects()), (input.objects.len(), input.objects.len()));
    assert_eq!(second.digest, world.digest);
    println!(
        "{sort}: {} objects of {} MiB take {} MiB, {} MiB during the check",
        input.objects.len(),
        held >> 20,
        steady >> 20,
        most >> 20
    );
    assert!(most < MOST, "{} MiB, expected less than {} MiB", most >> 20, MOST >> 20);
    // The estimate is no pretext: what fills the quota is there.
    assert!(most > MOST / 4, "{} MiB", most >> 20);
}

#[test]
fn one_account_takes_a_bounded_amount_of_memory() {
    for sort in SORTS {
        let output = Command::new(env::current_exe().unwrap())
            .args(["--ignored", "--exact", "memory::an_account_at_its_quota", "--nocapture"])
            .env(SORT, sort)
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && text.contains("1 passed"), "{sort}: {text}{errors}");
        println!("{}", text.lines().find(|line| line.contains("MiB")).unwrap());
    }
}
