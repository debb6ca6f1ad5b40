//! Without `--as`, a question is about whoever asks the cluster.

use crate::cli::LIBRARY;
use crate::control_plane::kubeconfig::Kubeconfig;

#[track_caller]
fn ask(who: &Kubeconfig, arguments: &str) -> (String, Option<i32>) {
    let said = LIBRARY.get().ask(who.path(), &arguments.split_whitespace().collect::<Vec<_>>());
    (said.stdout, said.code)
}

#[test]
fn a_person_is_known_by_name_and_groups() {
    let library = LIBRARY.get();
    let bob = library.person("bob", &[]);
    for question in [
        "can-i get deployments.apps/web -n payments",
        "can-i delete deployments.apps/web -n payments",
        "can-i get deployments.apps/web -n staging -o json",
        "explain get deployments.apps/web -n payments",
    ] {
        assert_eq!(ask(&bob, question), ask(&library.reader, &format!("{question} --as bob")), "{question}");
    }
    assert_eq!(ask(&bob, "can-i get deployments.apps/web -n payments").0, "yes\n");
    // dave has his power from a group that only the API server can vouch for.
    let dave = library.person("dave", &["oidc:payments-devs"]);
    assert_eq!(ask(&dave, "can-i list pods -n payments"), ("yes\n".to_owned(), Some(0)));
    assert_eq!(ask(&library.person("dave", &[]), "can-i list pods -n payments").1, Some(1));
}

#[test]
fn a_service_account_is_known_by_its_full_name() {
    let library = LIBRARY.get();
    let kubectl = |arguments: &[&str]| library.cluster.kubectl(library.cluster.admin(), arguments).succeeded();
    kubectl(&["create", "serviceaccount", "asks", "-n", "sandbox"]);
    kubectl(&["create", "clusterrolebinding", "asks", "--clusterrole=world-reader", "--serviceaccount=sandbox:asks"]);
    let asks = library.cluster.service_account_token("sandbox", "asks");
    let (answer, code) = ask(&asks, "can-i get pods -n payments");
    assert!(
        answer.contains("system:serviceaccount:sandbox:asks") || answer.contains("serviceaccounts/asks"),
        "{answer}"
    );
    assert_eq!(code, Some(1));
}

#[test]
fn who_is_named_is_asked_about_and_not_impersonated() {
    // The reader may impersonate nobody.
    let library = LIBRARY.get();
    let (answer, _) = ask(&library.reader, "can-i get deployments.apps/web -n payments --as bob");
    assert_eq!(answer, "yes\n");
    let said = library.ask(library.reader.path(), &["can-i", "get", "pods", "--as-group", "x"]);
    assert_eq!(said.code, Some(2));
    assert!(said.stderr.contains("--as <USER>"), "{said:?}");
}
