//! The state folder from outside: what lies there, what a restart keeps, what damage does.

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use kube_iam::name::Mode;
use kube_iam::server::authority::{Authority, ServingNames};
use kube_iam::server::state_folder::{Settings, StateFolderError, prepare};
use kube_iam::server::{ClientAuth, unix_now};

use crate::folder::TestFolder;
use crate::site::settings;

const FILES: [&str; 11] = [
    "admission-config.yaml",
    "admission.kubeconfig",
    "authorization-config.yaml",
    "authorizer.kubeconfig",
    "tls/ca.crt",
    "tls/ca.key",
    "tls/client.crt",
    "tls/client.key",
    "tls/client.pem",
    "tls/tls.crt",
    "tls/tls.key",
];
const YEAR: i64 = 365 * 86_400;

fn of(root: &Path) -> Settings {
    settings(root, SocketAddr::from(([127, 0, 0, 1], 9443)), ClientAuth::Required)
}

fn files(root: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { found.push(path) }
        }
    }
    found.sort();
    found
}

fn read(root: &Path, name: &str) -> String {
    std::fs::read_to_string(root.join(name)).unwrap()
}

fn whole_text(error: &StateFolderError) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}

#[test]
fn the_folder_holds_what_is_promised_for_us_alone() {
    let folder = TestFolder::new();
    let root = folder.path().join("new/state");
    prepare(&of(&root), unix_now()).unwrap();
    let expected: Vec<PathBuf> = FILES.iter().map(|name| root.join(name)).collect();
    let found: Vec<PathBuf> = files(&root).into_iter().filter(|path| !path.ends_with(".lock")).collect();
    assert_eq!(found, expected);
    for path in files(&root) {
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o600, "{}", path.display());
    }
    assert_eq!(std::fs::metadata(&root).unwrap().permissions().mode() & 0o7777, 0o700);
}

#[test]
fn the_files_for_the_api_server_name_each_other_by_absolute_paths() {
    let folder = TestFolder::new();
    let root = folder.path();
    prepare(&of(root), unix_now()).unwrap();
    let yaml = |name: &str| serde_yaml::from_str::<serde_json::Value>(&read(root, name)).unwrap();
    let configuration = yaml("authorization-config.yaml");
    let webhook = &configuration["authorizers"][1]["webhook"];
    assert_eq!(webhook["connectionInfo"]["kubeConfigFile"], root.join("authorizer.kubeconfig").to_str().unwrap());
    assert_eq!(webhook["failurePolicy"], "Deny");
    let admission = yaml("admission-config.yaml");
    let kubeconfig = &admission["plugins"][0]["configuration"]["kubeConfigFile"];
    assert_eq!(kubeconfig, root.join("admission.kubeconfig").to_str().unwrap());
    let authorizer = yaml("authorizer.kubeconfig");
    assert_eq!(authorizer["clusters"][0]["cluster"]["server"], "https://127.0.0.1:9443/authorize");
    let users = yaml("admission.kubeconfig");
    let users: Vec<&str> =
        users["users"].as_array().unwrap().iter().map(|user| user["name"].as_str().unwrap()).collect();
    let service = "kube-iam.kube-iam-system.svc";
    assert_eq!(users, ["127.0.0.1:9443", "localhost:9443", &format!("{service}:9443"), service]);

    prepare(&Settings { mode: Mode::Shadow, ..of(root) }, unix_now()).unwrap();
    assert_eq!(yaml("authorization-config.yaml")["authorizers"][1]["webhook"]["failurePolicy"], "NoOpinion");
}

#[test]
fn a_restart_keeps_the_authority_and_the_client_certificate() {
    let folder = TestFolder::new();
    let root = folder.path();
    let content = || FILES.map(|name| (name, read(root, name)));
    prepare(&of(root), unix_now()).unwrap();
    let first = content();
    prepare(&of(root), unix_now() + YEAR / 2).unwrap();
    let changed = |before: &[(&'static str, String)]| -> Vec<&str> {
        let after = content();
        before.iter().zip(&after).filter(|(old, new)| old != new).map(|(old, _)| old.0).collect()
    };
    assert_eq!(changed(&first), ["tls/tls.crt", "tls/tls.key"]);

    // A client certificate with less than a third of its time left is replaced, an authority with a month left too.
    prepare(&of(root), unix_now() + YEAR * 3 / 4).unwrap();
    let late = changed(&first);
    assert!(late.contains(&"tls/client.crt") && late.contains(&"authorizer.kubeconfig"), "{late:?}");
    assert!(!late.contains(&"tls/ca.crt"), "{late:?}");
    prepare(&of(root), unix_now() + 10 * YEAR).unwrap();
    assert!(changed(&first).contains(&"tls/ca.crt"));
}

#[test]
fn damage_is_one_clear_error() {
    let cases: [(&str, Option<&str>, &str); 7] = [
        ("tls/ca.key", Some("-----BEGIN PRIVATE KEY-----\nAAAA"), "the key is not a PEM private key"),
        ("tls/ca.key", Some(""), "the key is not a PEM private key"),
        ("tls/ca.crt", Some("half"), "the certificate is not a PEM certificate"),
        ("tls/ca.key", None, "ca.key` is missing: restore it"),
        ("tls/client.key", Some("\u{0}"), "the key is not a PEM private key"),
        ("tls/client.crt", Some(""), "the certificate is not a PEM certificate"),
        ("authorization-config.yaml", Some("folder"), "cannot write"),
    ];
    for (name, content, expected) in cases {
        let folder = TestFolder::new();
        let root = folder.path();
        prepare(&of(root), unix_now()).unwrap();
        let path = root.join(name);
        std::fs::remove_file(&path).unwrap();
        match content {
            Some("folder") => std::fs::create_dir_all(path.join("in the way")).unwrap(),
            Some(content) => std::fs::write(&path, content).unwrap(),
            None => {}
        }
        let Err(error) = prepare(&of(root), unix_now()) else { panic!("{name} was taken") };
        let text = whole_text(&error);
        assert!(text.contains(expected) && text.contains(root.to_str().unwrap()) && !text.contains('\n'), "{text}");
    }
}

#[test]
fn what_can_be_made_anew_is() {
    for name in ["tls/ca.crt", "tls/client.crt", "tls/client.key", "tls/tls.key", "authorizer.kubeconfig"] {
        let folder = TestFolder::new();
        let root = folder.path();
        prepare(&of(root), unix_now()).unwrap();
        std::fs::remove_file(root.join(name)).unwrap();
        std::fs::write(root.join("tls/tls.crt"), "half").unwrap();
        prepare(&of(root), unix_now()).unwrap();
        assert!(read(root, "tls/tls.crt").starts_with("-----BEGIN CERTIFICATE-----"), "{name}");
        assert!(root.join(name).is_file());
    }
}

#[test]
fn a_file_in_place_of_the_folder_is_one_clear_error() {
    let folder = TestFolder::new();
    let path = folder.path().join("state");
    std::fs::write(&path, "").unwrap();
    let Err(error) = prepare(&of(&path), unix_now()) else { panic!("taken") };
    assert!(whole_text(&error).starts_with(&format!("cannot use the state folder `{}`", path.display())));
}

#[test]
fn processes_that_start_together_agree_on_one_authority() {
    let folder = TestFolder::new();
    let root = folder.path();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| prepare(&of(root), unix_now()).unwrap());
        }
    });
    Authority::restore(&read(root, "tls/ca.key"), &read(root, "tls/ca.crt")).unwrap();
    let before = read(root, "tls/ca.crt");
    prepare(&of(root), unix_now()).unwrap();
    assert_eq!(read(root, "tls/ca.crt"), before);
}

#[test]
fn certificates_of_somebody_else_are_used_as_they_are() {
    let folder = TestFolder::new();
    let (root, given) = (folder.path().join("state"), folder.path().join("given"));
    std::fs::create_dir(&given).unwrap();
    let authority = Authority::create(unix_now()).unwrap();
    let names = ServingNames { hosts: vec!["localhost".into()], addresses: Vec::new() };
    let pair = authority.issue_serving(&names, unix_now()).unwrap();
    let path = |name: &str| given.join(name);
    std::fs::write(path("tls.crt"), &pair.certificate_pem).unwrap();
    std::fs::write(path("tls.key"), &pair.key_pem).unwrap();
    std::fs::write(path("clients.crt"), authority.certificate_pem()).unwrap();
    let settings = Settings {
        serving: Some((path("tls.crt"), path("tls.key"))),
        client_ca: Some(path("clients.crt")),
        ..of(&root)
    };
    prepare(&settings, unix_now()).unwrap();
    assert!(!root.join("tls/ca.key").exists());
    let kubeconfig = read(&root, "authorizer.kubeconfig");
    assert!(kubeconfig.contains(&format!("client-key: \"{}\"", root.join("tls/client.key").display())), "{kubeconfig}");

    std::fs::write(path("tls.key"), authority.issue_client(unix_now()).unwrap().key_pem).unwrap();
    let Err(error) = prepare(&settings, unix_now()) else { panic!("taken") };
    assert!(whole_text(&error).contains("cannot be used with its key"), "{}", whole_text(&error));
    let Err(error) = prepare(&Settings { client_ca: Some(path("none")), ..of(&root) }, unix_now()) else {
        panic!("taken")
    };
    assert!(whole_text(&error).contains("cannot read"), "{}", whole_text(&error));
}
