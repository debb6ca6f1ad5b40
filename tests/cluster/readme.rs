//! The README's way onto a cluster, walked as it stands there; `-- --nocapture` shows what is printed on it.

use std::fs;
use std::time::Duration;

use crate::control_plane::cluster::{Cluster, Controllers, Options};
use crate::control_plane::deadline::holds_within;
use crate::control_plane::folder::Folder;
use crate::document::{Document, Shell};
use crate::kube_iam::{KubeIam, World};

const STATE: &str = "/etc/kubernetes/kube-iam";
const AUTHORIZE: &str = "127.0.0.1:9443";
const HEALTH: &str = "127.0.0.1:9440";
const SOON: Duration = Duration::from_secs(10);

#[test]
fn the_readme_leads_a_newcomer_onto_a_cluster() {
    let promises = Document::read("README.md").section("On a cluster").promises();
    let serve = promises.iter().find(|promise| promise.command.starts_with("kube-iam serve ")).unwrap();
    let flags = serve.command.strip_prefix("kube-iam serve ").unwrap();
    let flags = flags.strip_suffix(&format!(" --state-dir {STATE}")).unwrap_or_else(|| panic!("`{flags}`"));
    let flags: Vec<&str> = flags.split(' ').collect();

    // The section before leaves an API server that was given the files of kube-iam.
    let folder = Folder::new("readme").unwrap();
    let empty = folder.path().join("empty");
    fs::create_dir(&empty).unwrap();
    let mut kube_iam = KubeIam::start(World::Folder(empty), &flags);
    kube_iam.kill();
    let admission = kube_iam.state_dir().join("admission-config.yaml");
    let cluster = Cluster::start(&Options {
        authorization_config: Some(kube_iam.authorization_config()),
        api_server_flags: vec![format!("--admission-control-config-file={}", admission.display())],
        controllers: Controllers::Running,
        ..Options::default()
    });
    let shell = Shell::new(&cluster);
    kube_iam.follow(World::Cluster(cluster.admin().clone()));

    let state = kube_iam.state_dir().display().to_string();
    let address = |url: &str| url.split('/').nth(2).unwrap().to_owned();
    let authorize = address(&kube_iam.ready().authorize_url);
    let health = address(&kube_iam.ready().health_url);
    let here = |text: &str| text.replace(STATE, &state).replace(AUTHORIZE, &authorize).replace(HEALTH, &health);
    let as_documented =
        |text: &str| text.replace(&state, STATE).replace(&authorize, AUTHORIZE).replace(&health, HEALTH);
    for promise in &promises {
        let command = &promise.command;
        let printed = if *command == serve.command {
            kube_iam.start_again();
            holds_within(SOON, || promise.is_kept_by(&as_documented(&kube_iam.output())));
            kube_iam.output()
        } else {
            let output = shell.run(&here(command));
            let refused = promise.output.iter().any(|line| line.starts_with("Error "));
            assert_eq!(output.status.success(), !refused, "{command}: {}{}", output.stdout, output.stderr);
            output.stderr + &output.stdout
        };
        let printed = as_documented(&printed);
        eprintln!("$ {command}\n{printed}");
        assert!(
            promise.is_kept_by(&printed),
            "`{command}` printed\n{printed}instead of what is promised:\n{}",
            promise.output.join("\n"),
        );
    }
}
