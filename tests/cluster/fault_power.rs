//! Everything is powered off and comes back, in whatever order (`guarantees.md` R8).

use std::thread;
use std::time::Duration;

use serde_json::json;

use crate::control_plane::deadline::wait_until;
use crate::control_plane::kubectl::Output;
use crate::crds;
use crate::fault_load::{People, Question, SETTINGS};
use crate::https::Client;
use crate::installed::{Installed, iam};

/// How long a part runs before the next one is started.
const ALONE: Duration = Duration::from_millis(1_500);
const READY: Duration = Duration::from_secs(20);

/// What is started.
#[derive(Clone, Copy, Debug)]
enum Part {
    Etcd,
    ApiServer,
    KubeIam,
}

fn power_off(installed: &mut Installed) {
    installed.kube_iam.kill();
    for component in [installed.cluster.controller_manager(), installed.cluster.api_server(), installed.cluster.etcd()]
    {
        component.kill();
    }
}

/// Starts everything, each part before the one before is ready, and returns when all is well.
fn power_on(installed: &mut Installed, order: [Part; 3]) {
    for (number, part) in order.into_iter().enumerate() {
        if number > 0 {
            thread::sleep(ALONE);
        }
        match part {
            Part::Etcd => installed.cluster.etcd().launch(),
            Part::ApiServer => installed.cluster.api_server().launch(),
            Part::KubeIam => installed.kube_iam.launch_again(),
        }
        .unwrap();
    }
    let cluster = &installed.cluster;
    cluster.api_server().wait_until_ready().unwrap_or_else(|message| panic!("{order:?}: {message}"));
    cluster.controller_manager().start();
    installed.kube_iam.wait_until_ready().unwrap_or_else(|message| panic!("{order:?}: {message}"));
}

#[track_caller]
fn comes_back(orders: [[Part; 3]; 2]) {
    let mut installed = Installed::start(&["--mode", "coexist"]);
    let people = People::declare(&installed);
    for order in orders {
        power_off(&mut installed);
        power_on(&mut installed, order);
        wait_until(READY, || people.are_answered_right());
        installed.wait_until_registered().unwrap();
        // What the control plane does by itself: it is never asked about.
        let account = format!("after-{:?}-{:?}", order[0], order[1]).to_lowercase();
        installed.by_admin(["create", "namespace", &account]);
        installed.by_admin(["delete", "namespace", &account, "--timeout=30s"]);
    }
}

#[test]
fn a_cluster_comes_back_when_its_store_is_there_first() {
    comes_back([[Part::Etcd, Part::ApiServer, Part::KubeIam], [Part::Etcd, Part::KubeIam, Part::ApiServer]]);
}

#[test]
fn a_cluster_comes_back_when_its_api_server_is_there_first() {
    comes_back([[Part::ApiServer, Part::Etcd, Part::KubeIam], [Part::ApiServer, Part::KubeIam, Part::Etcd]]);
}

#[test]
fn a_cluster_comes_back_when_kube_iam_is_there_first() {
    comes_back([[Part::KubeIam, Part::Etcd, Part::ApiServer], [Part::KubeIam, Part::ApiServer, Part::Etcd]]);
}

#[test]
fn kube_iam_that_was_there_before_its_kinds_is_ready_once_they_are() {
    let without_kinds = json!({"crds": {"enabled": false}});
    let mut installed = Installed::try_prepare(&["--mode", "coexist"], &without_kinds).unwrap();
    installed.kube_iam.launch_again().unwrap();
    let kinds =
        "not ready: no snapshot yet: waiting for the API server to list IamUser, IamGroup, IamRole, IamPolicy\n";
    wait_until(READY, || {
        installed.kube_iam.health("readyz").is_some_and(|answer| (answer.status, &*answer.body) == (503, kinds))
    });
    let webhook = Client::of_webhook(&installed.kube_iam);
    for question in Question::of_payments() {
        assert_eq!(webhook.post("/authorize", question.body.as_bytes()).unwrap().status, 503);
    }
    let apply = ["apply", "--server-side", "-f", "-"];
    installed.cluster.kubectl_with_input(installed.admin(), apply, &crds::printed()).succeeded();
    installed.kube_iam.wait_until_ready().unwrap();
    assert_eq!(installed.kube_iam.health("readyz").unwrap().status, 200);
    installed.wait_until_registered().unwrap();
    let people = People::declare(&installed);
    assert!(people.are_answered_right());
}

#[test]
fn the_break_glass_admin_opens_a_cluster_whose_kube_iam_never_comes_back() {
    let mut installed = Installed::start(&["--mode", "coexist"]);
    let people = People::declare(&installed);
    installed.by_admin(["create", "serviceaccount", "addon", "-n", "kube-system"]);
    let grant = ["create", "rolebinding", "addon", "--clusterrole=edit", "--serviceaccount=kube-system:addon"];
    installed.by_admin(grant.into_iter().chain(["-n", "payments"]));
    let addon = installed.cluster.service_account_token("kube-system", "addon");
    power_off(&mut installed);
    for component in [installed.cluster.etcd(), installed.cluster.api_server(), installed.cluster.controller_manager()]
    {
        component.start();
    }

    // Nobody gets more than before, and nothing that kube-iam would judge is stored.
    assert_eq!(people.statuses(), (500, 500));
    let write = |installed: &Installed| -> Output {
        let group = iam("IamGroup", "payments", "late", &json!({})).to_string();
        installed.cluster.kubectl_with_input(installed.admin(), ["create", "-f", "-"], &group)
    };
    let refusal = write(&installed).failed();
    assert!(refusal.contains("failed calling webhook \"objects.kube-iam.dev\""), "{refusal}");
    // Who is exempt goes on: an add-on of the control plane, and the controllers.
    installed.kubectl(&addon, ["create", "configmap", "by-the-addon", "-n", "payments"]).succeeded();
    let deploy = ["create", "deployment", "shop", "--image=example.invalid/shop", "-n", "payments"];
    installed.kubectl(&addon, deploy).succeeded();
    wait_until(READY, || !installed.by_admin(["get", "pods", "-n", "payments", "-o", "name"]).is_empty());

    installed.by_admin(["delete", "validatingwebhookconfiguration", "kube-iam"]);
    wait_until(READY, || write(&installed).status.success());
    assert_eq!(Client::of(&people.alice).get(SETTINGS).unwrap().status, 500);

    installed.kube_iam.start_again();
    wait_until(READY, || people.are_answered_right());
    installed.by_admin(["wait", "--for=condition=Ready", "iamgroup/late", "-n", "payments", "--timeout=20s"]);
}
