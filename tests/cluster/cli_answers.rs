//! Asked about a cluster, commands answer as they do about the same objects as manifests.

use std::fs;

use serde_json::Value;

use crate::cli::{LIBRARY, ROOT, Said};

/// Questions beside those of the examples.
const QUESTIONS: &[&str] = &[
    "can-i get pods --as alice",
    "can-i list secrets -A --as ivan",
    "can-i list pods -A --as alice",
    "can-i list pods -n payments -l app=web --as dave --as-group oidc:payments-devs",
    "can-i list pods -n prod --field-selector metadata.name=web --as ivan -o json",
    "can-i watch po -n payments --as alice -o json",
    "can-i get nodes --as alice --mode authoritative -o json",
    "can-i get namespaces/prod --as judy -o json",
    "can-i * * -A --as erin -o json",
    "can-i get /metrics --as otto",
    "can-i get /metrics --as alice --mode shadow",
    "can-i get widgets -n payments --as otto",
    "can-i get widget.x.example.org/a -n payments --as otto -o yaml",
    "can-i list widgets -A --as otto",
    "can-i get gadgets.example.org -n payments --as otto",
    "can-i get pods -n payments --as system:serviceaccount:payments:default",
    "can-i get pods -n payments --as system:anonymous",
    "can-i get secrets/db -n prod --as ivan --context aws:MultiFactorAuthPresent=true -o json",
    "can-i delete pods/web -n sandbox --as judy --context aws:MultiFactorAuthPresent=true",
    "can-i delete pods/web -n sandbox --as root@example.org --management-root root@example.org",
    "can-i create pods --subresource exec -n payments --as carol --as-uid 7 --as-extra a=b",
    "explain get secrets -n prod --as alice",
    "explain delete deployments.apps/web -n payments --as helen -o json",
    "explain get configmaps/ledger -n payments --as gina -o yaml",
    "explain list secrets -A --as ivan",
    "explain get widgets -n payments --as otto --context k8s:Whatever=x",
    "explain --principal arn:k8s:iam::payments:user/erin --action k8s:get --resource arn:k8s:core::payments:secrets/db",
    "simulate --principal arn:k8s:iam::payments:user/bob --action k8s:get --action k8s:delete --resource \
     arn:k8s:apps::payments:deployments/web --resource arn:k8s:apps::staging:deployments/web",
    "simulate --principal arn:k8s:iam::audit:user/frank --action k8s:get --resource \
     arn:k8s:core::payments:configmaps/ledger -o json",
    "simulate --principal arn:k8s:iam::payments:user/erin --action http:get --resource arn:k8s:url:::/metrics --context a=b",
];

/// The questions that the examples answer in their comments.
fn of_examples() -> Vec<String> {
    let mut found = Vec::new();
    for file in fs::read_dir(format!("{ROOT}/examples")).unwrap() {
        let text = fs::read_to_string(file.unwrap().path()).unwrap();
        let commands = text.lines().filter_map(|line| line.strip_prefix("# $ kube-iam "));
        found.extend(commands.map(|command| command.strip_suffix(" -f examples").unwrap().to_owned()));
    }
    found
}

/// Without the revision, which is the reader's own, and without the places of manifests.
fn normal(said: Said) -> Said {
    let stdout = match serde_json::from_str::<Value>(&said.stdout) {
        Ok(mut json) => {
            json.as_object_mut().unwrap().remove("revision");
            json.to_string()
        }
        Err(_) => said.stdout,
    };
    let mut stderr: Vec<String> = Vec::new();
    for line in said.stderr.lines() {
        stderr.push(match line.split_once("beside.yaml:") {
            Some((_, rest)) => format!("warning: {}", rest.splitn(3, ':').last().unwrap().trim_start()),
            None => line.to_owned(),
        });
    }
    Said { code: said.code, stdout, stderr: stderr.join("\n") }
}

#[test]
fn a_cluster_is_answered_for_as_its_manifests_are() {
    let library = LIBRARY.get();
    let examples = of_examples();
    assert!(examples.len() >= 20, "{examples:?}");
    let questions = examples.iter().map(String::as_str).chain(QUESTIONS.iter().copied());
    let mut codes = [0, 0];
    for question in questions {
        let arguments: Vec<&str> = question.split_whitespace().collect();
        let of_manifests = normal(library.ask_manifests(&arguments));
        let of_cluster = normal(library.ask(library.reader.path(), &arguments));
        assert_eq!(of_cluster, of_manifests, "{question}");
        assert!(of_cluster.stderr.contains("there is no IamPolicy `nowhere`"), "{question}: {of_cluster:?}");
        // Each of them is an answer.
        codes[usize::try_from(of_cluster.code.unwrap()).unwrap()] += 1;
    }
    assert!(codes[0] >= 10 && codes[1] >= 10, "{codes:?}");
}

#[test]
fn a_review_is_answered_from_the_cluster() {
    let library = LIBRARY.get();
    let review = r#"{"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": {"user": "bob",
        "resourceAttributes": {"namespace": "payments", "verb": "get", "group": "apps", "version": "v1",
        "resource": "deployments", "name": "web"}}}"#;
    let file = library.folder.write("review.json", review).unwrap().display().to_string();
    let of_cluster = normal(library.ask(library.reader.path(), &["review", &file]));
    assert_eq!(of_cluster, normal(library.ask_manifests(&["review", &file])));
    assert!(of_cluster.stdout.contains(r#""allowed":true"#), "{of_cluster:?}");

    // An attached policy is not deleted; who names it is known from the cluster.
    let policy = r#"{"apiVersion": "kube-iam.dev/v1alpha1", "kind": "IamPolicy",
        "metadata": {"name": "read-web", "namespace": "payments"}, "spec": {}}"#;
    let admission = format!(
        r#"{{"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": {{"uid": "0a1b",
        "operation": "DELETE", "resource": {{"group": "kube-iam.dev", "version": "v1alpha1", "resource": "iampolicies"}},
        "name": "read-web", "namespace": "payments", "userInfo": {{"username": "alice"}}, "object": null,
        "oldObject": {policy}, "dryRun": false}}}}"#
    );
    let admission = library.folder.write("admission.json", &admission).unwrap().display().to_string();
    let of_cluster = library.ask(library.reader.path(), &["review", &admission]);
    assert_eq!(of_cluster, library.ask_manifests(&["review", &admission]));
    assert!(of_cluster.stdout.contains(r#""allowed":false"#) && of_cluster.stdout.contains("bob"), "{of_cluster:?}");

    let said = library.ask(library.reader.path(), &["review", &file, "--context", "a=b"]);
    assert_eq!(said.code, Some(2));
    assert_eq!(said.stderr, "error: --context: `a`: facts cannot be given here\n");
}

#[test]
fn a_context_without_equals_sign_is_one_of_the_kubeconfig() {
    let library = LIBRARY.get();
    let config = library.with_second_context(&library.reader, "contexts.kubeconfig");
    let ask = |arguments: &str| library.ask(&config, &arguments.split_whitespace().collect::<Vec<_>>());
    let question = "can-i get deployments.apps/web --as bob";
    assert_eq!(ask(question).code, Some(1));
    // The namespace of the context is the default one, and `-n` wins.
    let said = ask(&format!("{question} --context payments"));
    assert_eq!((said.stdout.as_str(), said.code), ("yes\n", Some(0)), "{said:?}");
    assert_eq!(ask(&format!("{question} --context payments -n staging")).code, Some(1));
    let said = ask(&format!("{question} --context payments --context a=b --context a=c"));
    assert_eq!(said.stdout, "yes\n", "{said:?}");

    let said = ask(&format!("{question} --context nowhere"));
    assert_eq!(said.code, Some(2));
    assert_eq!(said.stderr, "error: the kubeconfig has no context `nowhere`\n");
    let said = ask(&format!("{question} --context test --context payments"));
    assert_eq!(said.code, Some(2));
    assert_eq!(said.stderr, "error: --context: `test` and `payments`; one kubeconfig context is used\n");
}

#[test]
fn the_kubeconfig_is_found_where_kubectl_finds_it() {
    let library = LIBRARY.get();
    let question: Vec<&str> = "can-i get deployments.apps/web -n payments --as bob".split_whitespace().collect();
    let expected = library.ask(library.reader.path(), &question);
    assert_eq!(expected.stdout, "yes\n", "{expected:?}");
    let by_variable = crate::cli::run(&question, &[("KUBECONFIG", library.reader.path())]);
    assert_eq!(by_variable, expected);
    let home = library.folder.path().join("home");
    fs::create_dir_all(home.join(".kube")).unwrap();
    fs::copy(library.reader.path(), home.join(".kube/config")).unwrap();
    assert_eq!(crate::cli::run(&question, &[("HOME", &home)]), expected);
}
