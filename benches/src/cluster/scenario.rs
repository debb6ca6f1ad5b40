//! What is measured.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};

use crate::bench::{Bench, metric, until, write};
use crate::https::{Client, Connection};
use crate::objects;

/// Writes whose effect is timed, of each sort.
const ROUNDS: usize = 300;
/// How long the creations, changes and deletions of `churn` take together.
const CHURN_SECONDS: f64 = 300.0;
const DIGEST: &str = "kube_iam_store_digest_info";
/// Comparisons of what is in force with a build from scratch.
const CHECKS: &str = "kube_iam_rebuild_checks_total";
const MISMATCHES: &str = "kube_iam_rebuild_mismatch_total";
/// How long the API server waited for our webhook of objects, and how long that took to judge, in seconds.
const WAITED: [&str; 2] = ["apiserver_admission_webhook_admission_duration_seconds_bucket{", "objects.kube-iam.dev"];
const JUDGED: [&str; 2] = ["kube_iam_decision_duration_seconds_bucket{", "admit"];

/// A write's 200 to its effect in a decision.
pub fn latency(stored: usize) -> anyhow::Result<Value> {
    let bench = Bench::start(stored)?;
    bench.store(stored)?;
    let replica = bench.replica()?;
    let mut writer = bench.connect()?;
    rested(&mut writer)?;
    let mut asker = Client::of_webhook(&replica).connect()?;
    let policy = |deny: bool, allow: bool| {
        let statement = |sid: &str, effect: &str| {
            json!({"sid": sid, "effect": effect, "actions": ["k8s:get"],
                "resources": ["arn:k8s:core::account-0:configmaps/probe"]})
        };
        let mut statements = vec![json!({"sid": "Base", "effect": "Allow", "actions": ["k8s:list"],
            "resources": ["arn:k8s:core::account-0:configmaps/*"]})];
        statements.extend(deny.then(|| statement("Deny", "Deny")));
        statements.extend(allow.then(|| statement("Allow", "Allow")));
        json!({"apiVersion": "kube-iam.dev/v1alpha1", "kind": "IamPolicy",
            "metadata": {"name": "probe", "namespace": "account-0"}, "spec": {"statements": statements}})
    };
    let collection = "/apis/kube-iam.dev/v1alpha1/namespaces/account-0";
    write(&mut writer, "POST", &format!("{collection}/iampolicies"), &policy(false, false))?;
    let user = json!({"apiVersion": "kube-iam.dev/v1alpha1", "kind": "IamUser",
        "metadata": {"name": "probe", "namespace": "account-0"},
        "spec": {"identities": [{"kind": "User", "name": "probe"}], "policies": ["probe"]}});
    write(&mut writer, "POST", &format!("{collection}/iamusers"), &user)?;
    until("the user is known", || answer(&mut asker, "list", "").is_ok_and(|said| said == Said::Allowed))?;

    let mut times: BTreeMap<&str, Vec<Duration>> = BTreeMap::new();
    let steps = [
        ("allow_added", false, true, Said::Allowed),
        ("deny_added", true, true, Said::Denied),
        ("deny_removed", false, true, Said::Allowed),
        ("allow_removed", false, false, Said::Nothing),
    ];
    for _ in 0..ROUNDS {
        for (name, deny, allow, expected) in steps {
            let patch = json!({"spec": policy(deny, allow)["spec"]});
            merge_patch(&mut writer, &format!("{collection}/iampolicies/probe"), &patch)?;
            let written = Instant::now();
            while answer(&mut asker, "get", "probe")? != expected {
                ensure!(written.elapsed() < Duration::from_secs(10), "{name} has no effect");
            }
            times.entry(name).or_default().push(written.elapsed());
            std::thread::sleep(Duration::from_millis(20));
        }
    }
    let mut all: Vec<Duration> = times.values().flatten().copied().collect();
    let mut result = json!({"scenario": "latency", "objects": stored, "writes": all.len(), "ms": quantiles(&mut all)});
    for (name, mut of_one) in times {
        result[name] = quantiles(&mut of_one);
    }
    Ok(result)
}

/// Objects created, changed and deleted; when two replicas agree again.
pub fn churn(objects: usize) -> anyhow::Result<Value> {
    let bench = Bench::start(objects)?;
    let replicas = [bench.replica()?, bench.replica()?];
    let rate = (objects * 3) as f64 / CHURN_SECONDS;
    let began = Instant::now();
    let mut agreed_ms = serde_json::Map::new();
    for phase in ["created", "changed", "deleted"] {
        bench.each(objects, Some(rate), |connection, number| {
            let object = objects::object(number, usize::from(phase == "changed"));
            match phase {
                "created" => write(connection, "POST", &object.collection(), &object.body),
                "changed" => merge_patch(connection, &object.path(), &json!({"spec": object.body["spec"]})),
                _ => write(connection, "DELETE", &object.path(), &json!({})),
            }
        })?;
        let last = Instant::now();
        let stored = if phase == "deleted" { 0 } else { objects };
        until("the replicas agree on what is stored", || {
            let digests = replicas.each_ref().map(|replica| metric(replica, DIGEST));
            let known = replicas.iter().all(|replica| objects_of(replica) == Some(stored));
            digests[0].is_some() && digests[0] == digests[1] && known
        })?;
        agreed_ms.insert(phase.to_owned(), json!(last.elapsed().as_millis()));
    }
    let compared = replicas.each_ref().map(|replica| [CHECKS, MISMATCHES].map(|name| metric(replica, name)));
    Ok(json!({
        "scenario": "churn", "objects": objects, "seconds": began.elapsed().as_secs_f64(), "agreed_after_ms": agreed_ms,
        "compared_and_differed": compared,
    }))
}

/// From exec to ready, and what is answered before.
pub fn cold_start(objects: usize) -> anyhow::Result<Value> {
    let bench = Bench::start(objects)?;
    bench.store(objects)?;
    // Its address and its certificates are known from a first run.
    let mut replica = bench.replica()?;
    replica.stop_gracefully();
    let began = Instant::now();
    let (ready, before) = std::thread::scope(|scope| -> anyhow::Result<_> {
        let client = Client::of_webhook(&replica);
        let asked = scope.spawn(move || early_answers(&client));
        replica.start_again();
        let ready = began.elapsed();
        Ok((ready, asked.join().map_err(|_| anyhow::anyhow!("the asker panicked"))??))
    })?;
    Ok(json!({
        "scenario": "cold-start", "objects": objects, "ready_s": ready.as_secs_f64(), "refused_before": before,
        "objects_in_force": objects_of(&replica),
    }))
}

/// Asks without pause until something else than 503 is answered, which must be right at once; how often 503 was.
fn early_answers(client: &Client) -> anyhow::Result<usize> {
    let mut unavailable = 0;
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(120) {
        let Ok(mut connection) = client.connect() else { continue };
        let Ok(answer) = connection.request("POST", "/authorize", review("user-0", "get", "c0-x").as_bytes()) else {
            continue;
        };
        if answer.status == 503 {
            unavailable += 1;
            continue;
        }
        ensure!(said(&answer.body)? == Said::Allowed, "the first answer is wrong: {}", answer.body);
        let answer = connection.request("POST", "/authorize", review("user-1", "get", "c0-x").as_bytes())?;
        ensure!(said(&answer.body)? == Said::Nothing, "an early answer is wrong: {}", answer.body);
        return Ok(unavailable);
    }
    anyhow::bail!("nothing is answered")
}

/// What our webhooks add to writes, as the API server counts it: users created and changed beside 1,000 objects.
pub fn admission(number: usize) -> anyhow::Result<Value> {
    let stored = 1_000;
    let bench = Bench::start(stored)?;
    bench.store(stored)?;
    let replica = bench.replica_registered()?;
    let mut connection = bench.connect()?;
    rested(&mut connection)?;
    let before = histogram(&connection.request("GET", "/metrics", b"")?.body, WAITED)?;
    let path = "/apis/kube-iam.dev/v1alpha1/namespaces/account-0/iamusers";
    let mut own = Vec::with_capacity(number);
    for index in 0..number {
        let round = index / 2;
        let user = json!({"apiVersion": "kube-iam.dev/v1alpha1", "kind": "IamUser",
            "metadata": {"name": format!("new-{round}"), "namespace": "account-0"},
            "spec": {"policies": [format!("p{}", round % 500)], "tags": {"round": round.to_string()}}});
        let began = Instant::now();
        if index.is_multiple_of(2) {
            write(&mut connection, "POST", path, &user)?;
        } else {
            merge_patch(
                &mut connection,
                &format!("{path}/new-{round}"),
                &json!({"spec": {"tags": {"changed": "yes"}}}),
            )?;
        }
        own.push(began.elapsed());
        // What is asked is how long a call takes, not how many a saturated API server gets through.
        std::thread::sleep(Duration::from_millis(20));
    }
    let after = histogram(&connection.request("GET", "/metrics", b"")?.body, WAITED)?;
    let judged = histogram(&replica.health("metrics").context("no metrics")?.body, JUDGED)?;
    let counts: BTreeMap<String, u64> =
        after.iter().map(|(bound, count)| (bound.clone(), count - before.get(bound).copied().unwrap_or(0))).collect();
    let all = counts.get("+Inf").copied().unwrap_or(0);
    ensure!(all >= u64::try_from(number)?, "{all} calls of {number} writes");
    Ok(json!({"scenario": "admission", "objects": stored, "writes": number, "whole_write_ms": quantiles(&mut own),
        "calls": all, "calls_within_seconds": counts, "judged_within_seconds": judged}))
}

/// How many calls took no longer than each bound.
fn histogram(metrics: &str, [series, label]: [&str; 2]) -> anyhow::Result<BTreeMap<String, u64>> {
    let mut counts = BTreeMap::new();
    for line in metrics.lines().filter(|line| line.starts_with(series) && line.contains(label)) {
        let bound = line.split("le=\"").nth(1).and_then(|rest| rest.split('"').next()).context("a bound")?;
        let count: f64 = line.rsplit(' ').next().unwrap_or_default().parse().context("a count")?;
        *counts.entry(bound.to_owned()).or_default() += count as u64;
    }
    Ok(counts)
}

/// Who writes when nobody does anything.
pub fn idle(seconds: usize) -> anyhow::Result<Value> {
    let stored = 1_000;
    let bench = Bench::start(stored)?;
    let _replica = bench.replica()?;
    bench.store(stored)?;
    let mut connection = bench.connect()?;
    let before = rested(&mut connection)?;
    std::thread::sleep(Duration::from_secs(u64::try_from(seconds)?));
    let after = writes(&mut connection)?;
    let new: BTreeMap<&String, u64> = after
        .iter()
        .map(|(resource, count)| (resource, count - before.get(resource).copied().unwrap_or(0)))
        .filter(|(_, count)| *count > 0)
        .collect();
    Ok(json!({"scenario": "idle", "objects": stored, "seconds": seconds, "writes": new}))
}

/// Waits until the status of every object is written; the writes so far.
fn rested(connection: &mut Connection) -> anyhow::Result<BTreeMap<String, u64>> {
    let mut before = writes(connection)?;
    until("the operator rests", || {
        std::thread::sleep(Duration::from_secs(5));
        let now = writes(connection).unwrap_or_default();
        let rests = ours(&now) == ours(&before);
        before = now;
        rests
    })?;
    Ok(before)
}

/// Writes that the API server counted so far, by resource.
fn writes(connection: &mut Connection) -> anyhow::Result<BTreeMap<String, u64>> {
    let text = connection.request("GET", "/metrics", b"")?.body;
    let mut counts = BTreeMap::new();
    for line in text.lines().filter(|line| line.starts_with("apiserver_request_total{")) {
        let label = |name: &str| line.split(&format!("{name}=\"")).nth(1).and_then(|rest| rest.split('"').next());
        let verb = label("verb").unwrap_or_default();
        if ["POST", "PUT", "PATCH", "APPLY", "DELETE", "DELETECOLLECTION"].contains(&verb) {
            let count: f64 = line.rsplit(' ').next().unwrap_or_default().parse().context("a count")?;
            let subresource = label("subresource").filter(|name| !name.is_empty()).map(|name| format!("/{name}"));
            let resource = format!("{}{}", label("resource").unwrap_or_default(), subresource.unwrap_or_default());
            *counts.entry(resource).or_default() += count as u64;
        }
    }
    Ok(counts)
}

/// Those of our own kinds.
fn ours(writes: &BTreeMap<String, u64>) -> u64 {
    writes.iter().filter(|(resource, _)| resource.starts_with("iam")).map(|(_, count)| count).sum()
}

/// What the webhook says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Said {
    Allowed,
    Denied,
    Nothing,
}

fn answer(asker: &mut Connection, verb: &str, name: &str) -> anyhow::Result<Said> {
    let answer = asker.request("POST", "/authorize", review("probe", verb, name).as_bytes())?;
    ensure!(answer.status == 200, "{} {}", answer.status, answer.body);
    said(&answer.body)
}

fn said(body: &str) -> anyhow::Result<Said> {
    let answered: Value = serde_json::from_str(body)?;
    Ok(match (&answered["status"]["allowed"], &answered["status"]["denied"]) {
        (Value::Bool(true), _) => Said::Allowed,
        (_, Value::Bool(true)) => Said::Denied,
        _ => Said::Nothing,
    })
}

fn review(user: &str, verb: &str, name: &str) -> String {
    let attributes = json!({"namespace": "account-0", "verb": verb, "group": "", "version": "v1",
        "resource": "configmaps", "name": name});
    let spec = json!({"user": user, "groups": ["system:authenticated"], "resourceAttributes": attributes});
    json!({"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": spec}).to_string()
}

fn merge_patch(connection: &mut Connection, path: &str, body: &Value) -> anyhow::Result<()> {
    let answer = connection.request_as("PATCH", path, "application/merge-patch+json", body.to_string().as_bytes())?;
    ensure!(answer.status == 200, "PATCH {path}: {} {}", answer.status, answer.body);
    Ok(())
}

fn objects_of(replica: &crate::kube_iam::KubeIam) -> Option<usize> {
    let text = replica.health("metrics")?.body;
    let ours = text.lines().filter(|line| line.starts_with("kube_iam_snapshot_objects{kind=\"Iam"));
    Some(ours.filter_map(|line| line.rsplit(' ').next()?.parse::<usize>().ok()).sum())
}

fn quantiles(times: &mut [Duration]) -> Value {
    times.sort();
    let at = |share: f64| {
        let index = ((times.len() as f64 - 1.0) * share).round() as usize;
        times.get(index).map(|time| (time.as_secs_f64() * 1e5).round() / 100.0)
    };
    json!({"p50": at(0.5), "p90": at(0.9), "p99": at(0.99), "max": at(1.0)})
}
