//! The program under test, as a process.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Duration;

use crate::control_plane::deadline::holds_within;
use crate::control_plane::folder::Folder;
use crate::control_plane::http::{self, Answer};
use crate::control_plane::kubeconfig::Kubeconfig;
use crate::control_plane::process::{Process, Program, Signal};

const START: Duration = Duration::from_secs(30);
/// Running requests have ten seconds to finish.
const STOP: Duration = Duration::from_secs(15);

/// Where its world comes from.
#[derive(Debug, Clone)]
pub enum World {
    /// A folder of manifests.
    Folder(PathBuf),
    /// The objects of a cluster, read as somebody.
    Cluster(Kubeconfig),
}

/// `kube-iam serve` on free loopback ports, with a state folder of its own. Dropping it kills it.
///
/// Started again, it listens where it listened before and finds its state folder as it left it, so an API server that
/// was told about it finds it too.
pub struct KubeIam {
    process: Option<Process>,
    program: Program,
    world: World,
    extra: Vec<String>,
    ready: Option<Ready>,
    state_dir: PathBuf,
    _folder: Folder,
}

/// What the ready line says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ready {
    pub revision: String,
    pub objects: u64,
    pub authorize_url: String,
    pub health_url: String,
}

// === impl KubeIam ===

impl KubeIam {
    /// Starts it and returns when it is ready, or fails the test.
    #[track_caller]
    pub fn start(world: World, extra: &[&str]) -> Self {
        match Self::try_start(world, extra) {
            Ok(kube_iam) => kube_iam,
            Err(message) => panic!("{message}"),
        }
    }

    /// [`Self::start`] for a [`crate::control_plane::shared::Shared`].
    ///
    /// # Errors
    /// When it ends, or is not ready in time; the message carries the end of its log.
    pub fn try_start(world: World, extra: &[&str]) -> Result<Self, String> {
        let mut kube_iam = Self::launch(world, extra)?;
        kube_iam.wait_until_ready()?;
        Ok(kube_iam)
    }

    /// Starts it and does not wait: it may be waiting itself, for an API server that waits for its files.
    ///
    /// # Errors
    /// When it cannot be run.
    pub fn launch(world: World, extra: &[&str]) -> Result<Self, String> {
        let folder = Folder::new("serve")?;
        let state_dir = folder.path().join("state");
        let program = Program {
            name: "kube-iam".to_owned(),
            file: executable(),
            arguments: Vec::new(),
            environment: Vec::new(),
            logs: folder.path().to_owned(),
        };
        let extra = extra.iter().map(|argument| (*argument).to_owned()).collect();
        let mut kube_iam = Self { process: None, program, world, extra, ready: None, state_dir, _folder: folder };
        kube_iam.launch_again()?;
        Ok(kube_iam)
    }

    /// Waits for the ready line.
    ///
    /// # Errors
    /// When it ends, or does not come in time.
    pub fn wait_until_ready(&mut self) -> Result<(), String> {
        // A line that is being written may end within a port.
        let whole_lines = |output: &str| {
            output
                .split_inclusive('\n')
                .filter(|line| line.ends_with('\n'))
                .find_map(|line| Ready::parse(line.trim_end()))
        };
        let ready = self.wait_for("ready", whole_lines)?;
        self.ready = Some(ready);
        Ok(())
    }

    /// Starts it again, after [`Self::stop_gracefully`] or [`Self::kill`], and returns when it is ready.
    #[track_caller]
    pub fn start_again(&mut self) {
        if let Err(message) = self.launch_again().and_then(|()| self.wait_until_ready()) {
            panic!("{message}");
        }
    }

    /// Takes its world from somewhere else from its next start on.
    pub fn follow(&mut self, world: World) {
        self.world = world;
    }

    /// Sends SIGTERM and returns how it ended.
    #[track_caller]
    pub fn stop_gracefully(&mut self) -> ExitStatus {
        match self.process.take().expect("kube-iam does not run").stop(STOP) {
            Ok(status) => status,
            Err(message) => panic!("{message}"),
        }
    }

    /// Ends it with SIGKILL, and returns when it is gone.
    pub fn kill(&mut self) {
        if let Some(process) = self.process.take() {
            process.kill();
        }
    }

    /// Suspends it or lets it go on: it keeps its connections and answers nothing meanwhile.
    pub fn signal(&mut self, signal: Signal) {
        if let Some(process) = &mut self.process {
            process.signal(signal);
        }
    }

    /// GET of a path of the health address, such as `readyz` or `metrics`.
    #[track_caller]
    pub fn health(&self, path: &str) -> Option<Answer> {
        http::get(&format!("{}/{path}", self.ready().health_url))
    }

    /// What it said when it became ready.
    #[track_caller]
    pub fn ready(&self) -> &Ready {
        self.ready.as_ref().expect("kube-iam was never ready")
    }

    /// The sum of the series of a metric, by the beginning of their lines; zero while it does not answer.
    pub fn metric(&self, series: &str) -> f64 {
        let text = self.health("metrics").map(|answer| answer.body).unwrap_or_default();
        let lines = text.lines().filter(|line| line.starts_with(series));
        lines.filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok()).sum()
    }

    /// Which replica it is.
    #[track_caller]
    pub fn replica_id(&self) -> String {
        fs::read_to_string(self.state_dir.join("replica-id")).unwrap()
    }

    pub fn state_dir(&self) -> &Path {
        &self.state_dir
    }

    /// For [`crate::control_plane::cluster::Options::authorization_config`].
    pub fn authorization_config(&self) -> PathBuf {
        self.state_dir.join("authorization-config.yaml")
    }

    /// Everything that it has written to standard error, and the end of standard output.
    pub fn log_tails(&self) -> String {
        self.program.log_tails()
    }

    /// What this run has written to standard output so far.
    pub fn output(&self) -> String {
        self.process.as_ref().map(Process::output).unwrap_or_default()
    }

    /// Starts it again and does not wait.
    ///
    /// # Errors
    /// When it cannot be run.
    pub fn launch_again(&mut self) -> Result<(), String> {
        let again = self.ready.as_ref();
        let listen = again.map_or_else(|| Ok("127.0.0.1:0".to_owned()), |ready| address(&ready.authorize_url))?;
        let health = again.map_or_else(|| Ok("127.0.0.1:0".to_owned()), |ready| address(&ready.health_url))?;
        let (flag, source) = match &self.world {
            World::Folder(folder) => ("--manifests", folder.as_path()),
            World::Cluster(kubeconfig) => ("--kubeconfig", kubeconfig.path()),
        };
        let mut arguments = vec!["serve".to_owned(), flag.to_owned(), source.display().to_string()];
        arguments.extend(["--listen".to_owned(), listen, "--health-listen".to_owned(), health]);
        arguments.extend(["--state-dir".to_owned(), self.state_dir.display().to_string()]);
        arguments.extend(self.extra.iter().cloned());
        self.program.arguments = arguments;
        self.process = Some(self.program.start()?);
        Ok(())
    }

    fn wait_for<T>(&mut self, what: &str, mut find: impl FnMut(&str) -> Option<T>) -> Result<T, String> {
        let process = self.process.as_mut().ok_or("kube-iam does not run")?;
        let (mut ended, mut found) = (None, None);
        holds_within(START, || {
            ended = process.ended();
            found = find(&process.output());
            ended.is_some() || found.is_some()
        });
        match (ended, found) {
            (None, Some(found)) => Ok(found),
            (Some(status), _) => Err(format!("kube-iam ended ({status}){}", self.program.log_tails())),
            (None, None) => Err(format!("kube-iam: {what} not within {START:?}{}", self.program.log_tails())),
        }
    }
}

// === impl Ready ===

impl Ready {
    fn parse(line: &str) -> Option<Self> {
        let words: Vec<&str> = line.strip_prefix("ready ")?.split_whitespace().collect();
        let value = |key: &str| words.iter().find_map(|word| word.strip_prefix(key)?.strip_prefix('='));
        Some(Self {
            revision: value("revision")?.to_owned(),
            objects: value("objects")?.parse().ok()?,
            authorize_url: value("authorize")?.to_owned(),
            health_url: value("health")?.trim_end_matches('/').to_owned(),
        })
    }
}

/// The program that cargo built beside these tests; beside the benches it is the release build.
pub fn executable() -> PathBuf {
    let release = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/release/kube-iam");
    PathBuf::from(option_env!("CARGO_BIN_EXE_kube-iam").unwrap_or(release))
}

/// `ADDRESS:PORT` of a URL.
fn address(url: &str) -> Result<String, String> {
    url.split_once("://")
        .and_then(|(_, rest)| rest.split('/').next())
        .and_then(|address| address.parse::<SocketAddr>().ok())
        .map(|address| address.to_string())
        .ok_or_else(|| format!("the ready line names the odd address `{url}`"))
}

#[test]
fn the_ready_line_is_understood() {
    let line = "ready revision=ab12 objects=7 authorize=https://127.0.0.1:4711/authorize health=http://127.0.0.1:4712";
    let ready = Ready::parse(line).unwrap();
    assert_eq!((ready.revision.as_str(), ready.objects), ("ab12", 7));
    assert_eq!(address(&ready.authorize_url).unwrap(), "127.0.0.1:4711");
    assert_eq!(address(&ready.health_url).unwrap(), "127.0.0.1:4712");
    assert_eq!(Ready::parse("loading"), None);
}
