//! kube-iam gone and back: nobody gets more meanwhile, and the API server finds it again by itself.

use std::time::{Duration, Instant};

use crate::control_plane::deadline::wait_until;
use crate::control_plane::process::Signal;
use crate::https::Client;
use crate::site::Site;

/// The API server waits three seconds for an answer.
const TIMEOUT: Duration = Duration::from_secs(3);
const BACK: Duration = Duration::from_secs(10);

#[test]
fn an_outage_refuses_ordinary_people_and_ends_when_kube_iam_is_back() {
    let mut site = Site::start("coexist");
    site.account("outage");
    site.grant_by_rbac("edit", "outage", Some("outage"));
    site.grant_by_rbac("edit", "outage-denied", Some("outage"));
    site.declare(
        "outage",
        r#"
apiVersion: kube-iam.dev/v1alpha1
kind: IamUser
metadata: {name: denied, namespace: outage}
spec: {identities: [{kind: User, name: outage-denied}], disabled: true}
"#,
    );
    let person = site.person("outage", &[]);
    let allowed = Client::of(&person);
    let denied = Client::of(&site.person("outage-denied", &[]));
    let path = "/api/v1/namespaces/outage/configmaps";
    let status = |client: &Client| client.get(path).unwrap().status;
    assert_eq!((status(&allowed), status(&denied)), (200, 403));

    assert!(site.kube_iam.stop_gracefully().success());
    for _ in 0..3 {
        let asked = Instant::now();
        assert_eq!(status(&allowed), 500);
        assert!(asked.elapsed() < TIMEOUT, "a refused connection is no reason to wait");
    }
    assert_eq!(status(&denied), 500);
    let refusal = site.kubectl(&person, ["get", "configmaps", "-n", "outage"]).failed();
    assert!(refusal.contains("(InternalError)"), "{refusal}");
    let refusal = site.kubectl(&person, ["get", "configmaps", "-n", "outage", "--as=outage-denied"]).failed();
    assert!(refusal.contains("(Forbidden)"), "{refusal}");
    site.by_admin(["get", "configmaps", "-n", "outage"]);
    site.by_admin(["create", "configmap", "during-the-outage", "-n", "outage"]);

    site.kube_iam.start_again();
    wait_until(BACK, || status(&allowed) == 200);
    assert_eq!(status(&denied), 403);

    // Killed instead of stopped, and back on the same state folder.
    site.kube_iam.kill();
    assert_eq!(status(&allowed), 500);
    site.kube_iam.start_again();
    wait_until(BACK, || status(&allowed) == 200);
    assert_eq!(status(&denied), 403);

    // Stuck: it has the connection and does not answer.
    site.kube_iam.signal(Signal::Stop);
    wait_until(BACK, || status(&allowed) == 500);
    let asked = Instant::now();
    assert_eq!(status(&denied), 500);
    assert!(asked.elapsed() < TIMEOUT * 2, "it asks once and does not try again");
    site.by_admin(["get", "configmaps", "-n", "outage"]);
    site.kube_iam.signal(Signal::Continue);
    wait_until(BACK, || status(&allowed) == 200);
    assert_eq!(status(&denied), 403);
}
