//! What a process answers before it is ready and after it was told to end (`guarantees.md` R7, I31).

use std::time::{Duration, Instant};

use serde_json::json;

use crate::control_plane::deadline::wait_until;
use crate::control_plane::process::Signal;
use crate::fault_load::{Opinion, People, Question, review, until_live, until_ready};
use crate::followed::Writer;
use crate::https::Client;
use crate::installed::{Installed, iam};

const COEXIST: [&str; 2] = ["--mode", "coexist"];
const SOON: Duration = Duration::from_secs(2);
const HANDED_OVER: Duration = Duration::from_secs(5);
const READY: Duration = Duration::from_secs(20);

#[test]
fn a_replica_says_503_and_why_until_it_has_read_everything() {
    let mut installed = Installed::start(&COEXIST);
    let people = People::declare(&installed);
    installed.kube_iam.kill();
    installed.cluster.api_server().kill();
    installed.kube_iam.launch_again().unwrap();
    let why = "not ready: no snapshot yet: waiting for the API server to list Namespace, IamUser, IamGroup, IamRole, \
               IamPolicy, CustomResourceDefinition, APIService\n";
    wait_until(READY, || installed.kube_iam.health("readyz").is_some_and(|answer| answer.body.starts_with(why)));
    assert_eq!(installed.kube_iam.health("readyz").unwrap().status, 503);
    assert_eq!(installed.kube_iam.health("healthz").unwrap().status, 200);
    let webhook = Client::of_webhook(&installed.kube_iam);
    let mut connection = webhook.connect().unwrap();
    for question in Question::of_payments() {
        let answer = connection.request("POST", "/authorize", question.body.as_bytes()).unwrap();
        assert_eq!(answer.status, 503, "{}", answer.body);
        assert!(answer.body.contains("no snapshot is in force yet"), "{}", answer.body);
    }
    assert_eq!(connection.request("POST", "/admit-iam", b"{}").unwrap().status, 503);
    assert!(installed.kube_iam.metric("kube_iam_fail_closed_total{reason=\"not_ready\"") >= 4.0);

    // From the first answer on, every answer is right.
    installed.cluster.api_server().launch().unwrap();
    let began = Instant::now();
    let questions = Question::of_payments();
    let mut answered = 0;
    while answered < 200 {
        assert!(began.elapsed() < READY, "not ready within {READY:?}");
        for question in &questions {
            let answer = connection.request("POST", "/authorize", question.body.as_bytes()).unwrap();
            match answer.status {
                503 => assert_eq!(answered, 0, "not ready again: {}", answer.body),
                _ => {
                    assert_eq!(Opinion::of(&answer), question.expected, "{}", question.body);
                    answered += 1;
                }
            }
        }
    }
    installed.kube_iam.wait_until_ready().unwrap();
    installed.cluster.api_server().wait_until_ready().unwrap();
    wait_until(READY, || people.are_answered_right());
}

#[test]
fn a_replica_that_is_told_to_end_finishes_what_runs_and_hands_over() {
    let mut installed = Installed::start(&COEXIST);
    People::declare(&installed);
    let mut other = installed.replica(&COEXIST);
    until_live(&installed.kube_iam, 2.0, READY);
    // The one that the API server does not ask becomes the one that writes status.
    assert!(installed.kube_iam.stop_gracefully().success());
    wait_until(HANDED_OVER, || installed.holder() == other.replica_id());
    installed.kube_iam.start_again();
    installed.wait_until_registered().unwrap();
    until_live(&other, 2.0, READY);

    let client = Client::of_webhook(&other);
    let mut running = client.connect().unwrap();
    let body = review("alice", "payments", "configmaps", "x");
    let head = format!(
        "POST /authorize HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nExpect: 100-continue\r\n\
         Content-Length: {}\r\n\r\n",
        body.len()
    );
    running.send(head.as_bytes()).unwrap();
    assert_eq!(running.answer().unwrap().status, 100);
    other.signal(Signal::Terminate);
    wait_until(SOON, || {
        let ready = other.health("readyz");
        ready.is_some_and(|answer| (answer.status, &*answer.body) == (503, "not ready: shutting down\n"))
    });
    wait_until(SOON, || client.post("/authorize", body.as_bytes()).is_err());
    running.send(body.as_bytes()).unwrap();
    let answer = running.answer().unwrap();
    assert_eq!(Opinion::of(&answer), Opinion::Allowed, "{}", answer.body);
    assert!(other.stop_gracefully().success());

    let writer = Writer::new(installed.admin());
    let ended = Instant::now();
    let group = iam("IamGroup", "payments", "after", &json!({}));
    writer.create(&group);
    until_ready(&writer, &group, HANDED_OVER);
    eprintln!("the next status {:?} after the end", ended.elapsed());
    assert_eq!(installed.holder(), installed.kube_iam.replica_id());
    assert_eq!(installed.kube_iam.metric("kube_iam_live_replicas"), 1.0);
}
