//! A cluster that cannot be asked is told apart from a negative answer, with what to do about it.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::cli::{LIBRARY, Said, run};
use crate::control_plane::port::free_port;

const COMMANDS: [&str; 3] = [
    "can-i get pods -n payments",
    "explain get pods -n payments --as alice",
    "simulate --principal arn:k8s:iam::payments:user/bob --action k8s:get",
];

fn words(text: &str) -> Vec<&str> {
    text.split_whitespace().collect()
}

#[track_caller]
fn is_unreachable(said: &Said, needles: &[&str]) {
    assert_eq!(said.code, Some(3), "{said:?}");
    assert_eq!(said.stdout, "", "{said:?}");
    assert!(said.stderr.starts_with("error: ") && said.stderr.lines().count() == 1, "{said:?}");
    for needle in needles {
        assert!(said.stderr.contains(needle), "`{needle}` is not in {said:?}");
    }
}

#[test]
fn a_server_that_is_not_there_is_exit_3() {
    let library = LIBRARY.get();
    let mut config: Value = serde_json::from_slice(&std::fs::read(library.reader.path()).unwrap()).unwrap();
    config["clusters"][0]["cluster"]["server"] = json!(format!("https://127.0.0.1:{}", free_port().unwrap()));
    let nobody = library.folder.write("nobody.kubeconfig", &config.to_string()).unwrap();
    for command in COMMANDS {
        let started = Instant::now();
        is_unreachable(&library.ask(&nobody, &words(command)), &["cannot be reached", "refused"]);
        assert!(started.elapsed() < Duration::from_secs(10), "{command}");
    }
}

#[test]
fn a_server_of_another_authority_is_exit_3() {
    let library = LIBRARY.get();
    let mut config: Value = serde_json::from_slice(&std::fs::read(library.reader.path()).unwrap()).unwrap();
    config["clusters"][0]["cluster"]["certificate-authority"] = json!(config["users"][0]["user"]["client-certificate"]);
    let stranger = library.folder.write("stranger.kubeconfig", &config.to_string()).unwrap();
    is_unreachable(&library.ask(&stranger, &words(COMMANDS[0])), &["cannot be reached", "certificate"]);
}

#[test]
fn a_cluster_without_our_kinds_is_exit_3_and_says_how_to_get_them() {
    let said = &LIBRARY.get().without_kinds;
    is_unreachable(said, &["IamUser", "CustomResourceDefinitions", "`kube-iam crds`"]);
}

#[test]
fn a_list_that_is_forbidden_is_named() {
    let library = LIBRARY.get();
    let kubectl = |arguments: &[&str]| library.cluster.kubectl(library.cluster.admin(), arguments).succeeded();
    let lacking = |user: &str, resources: &str| {
        let role = format!("lists-for-{user}");
        let (resources, role_flag, user_flag) =
            (format!("--resource={resources}"), format!("--clusterrole={role}"), format!("--user={user}"));
        kubectl(&["create", "clusterrole", &role, "--verb=get,list", &resources]);
        kubectl(&["create", "clusterrolebinding", &role, &role_flag, &user_flag]);
        library.cluster.client_certificate(user, &[])
    };
    let crds = "customresourcedefinitions.apiextensions.k8s.io";
    let without_ours = lacking("without-ours", &format!("{crds},namespaces"));
    for command in COMMANDS {
        let said = library.ask(without_ours.path(), &words(command));
        let forbidden = "User \"without-ours\" cannot list resource \"iamusers\" in API group \"kube-iam.dev\"";
        is_unreachable(&said, &["kind IamUser", "403", forbidden]);
    }
    let without_namespaces = lacking("without-namespaces", &format!("{crds},*.kube-iam.dev"));
    let said = library.ask(without_namespaces.path(), &words(COMMANDS[0]));
    is_unreachable(&said, &["kind Namespace", "403", "cannot list resource \"namespaces\""]);
    let without_definitions = lacking("without-definitions", "namespaces");
    let said = library.ask(without_definitions.path(), &words(COMMANDS[0]));
    is_unreachable(&said, &["403", "\"customresourcedefinitions\""]);
}

#[test]
fn a_kubeconfig_that_cannot_be_used_is_wrong_usage() {
    let library = LIBRARY.get();
    let broken = library.folder.write("broken.kubeconfig", "{").unwrap();
    let empty = library.folder.write("empty.kubeconfig", "{}").unwrap();
    for (kubeconfig, message) in [
        (Path::new("/nowhere"), "error: cannot read the kubeconfig `/nowhere`: "),
        (&broken, "error: cannot use the kubeconfig: failed to parse kubeconfig YAML"),
        (&empty, "error: the kubeconfig has no current context: give --context NAME\n"),
    ] {
        let said = library.ask(kubeconfig, &words(COMMANDS[0]));
        assert_eq!((said.code, said.stdout.as_str()), (Some(2), ""), "{said:?}");
        assert!(said.stderr.starts_with(message), "{said:?}");
    }
    let said = run(&words(COMMANDS[0]), &[("HOME", library.folder.path().join("nobody").as_path())]);
    assert_eq!(said.code, Some(2));
    assert!(said.stderr.contains("name one with --kubeconfig FILE, or a folder of manifests"), "{said:?}");
    let said = library.ask_manifests(&["can-i", "get", "pods"]);
    assert_eq!(said.code, Some(2));
    assert!(said.stderr.ends_with("error: --as USER is required with -f: manifests do not say who asks\n"), "{said:?}");
}
