//! Building programs with Go, once for each machine: the control plane, and what tests of the chart need beside it.
//!
//! The programs of a module lie in a cache folder outside the checkout, under a name made from everything that decides
//! what they are: go.mod, go.sum, our own sources, the flags and the platform. One process builds at a time, and the
//! folder appears under its name when all programs are in it, so whoever finds it can use it without a look inside.
//! Programs that an interrupted build had finished are kept. Folders of other versions are left alone: another checkout
//! may use them; removing the cache folder is always safe.

use std::env;
use std::fmt::Display;
use std::fs::{self, File, TryLockError};
use std::hash::Hasher;
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::Instant;

use siphasher::sip128::{Hasher128, SipHasher13};

/// The folder of a Go module of ours.
macro_rules! module {
    ($name:literal) => {
        concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cluster/", $name)
    };
}

static CONTROL_PLANE: Module = Module {
    name: "control plane",
    cache: "control-plane",
    folder: module!("control-plane"),
    sources: &[
        "go.mod",
        "go.sum",
        "supervise/attributes_linux.go",
        "supervise/attributes_other.go",
        "supervise/main.go",
    ],
    // The first watches over the builds of the others.
    programs: &[
        ("supervise", "kube-iam.dev/tests/control-plane/supervise"),
        ("etcd", "go.etcd.io/etcd/server/v3"),
        ("kube-apiserver", "k8s.io/kubernetes/cmd/kube-apiserver"),
        ("kube-controller-manager", "k8s.io/kubernetes/cmd/kube-controller-manager"),
        ("kubectl", "k8s.io/kubernetes/cmd/kubectl"),
    ],
    duration: "10 minutes",
    linker_flags: kubernetes_flags,
    built: OnceLock::new(),
};

/// helm, the current line. Its program is `helm`.
pub static HELM_4: Module = Module {
    name: "helm 4",
    cache: "helm",
    folder: module!("helm/v4"),
    sources: &["go.mod", "go.sum"],
    programs: &[("helm", "helm.sh/helm/v4/cmd/helm")],
    duration: "3 minutes",
    linker_flags: helm_4_flags,
    built: OnceLock::new(),
};

/// helm, the line before. Its program is `helm`.
pub static HELM_3: Module = Module {
    name: "helm 3",
    cache: "helm",
    folder: module!("helm/v3"),
    sources: &["go.mod", "go.sum"],
    programs: &[("helm", "helm.sh/helm/v3/cmd/helm")],
    duration: "2 minutes",
    linker_flags: helm_3_flags,
    built: OnceLock::new(),
};

/// What evaluates files of the chart: `alerts` and `health`.
pub static CHART_TOOLS: Module = Module {
    name: "chart tools",
    cache: "chart-tools",
    folder: module!("chart-tools"),
    sources: &["go.mod", "go.sum", "alerts/main.go", "health/main.go"],
    programs: &[
        ("alerts", "kube-iam.dev/tests/chart-tools/alerts"),
        ("health", "kube-iam.dev/tests/chart-tools/health"),
    ],
    duration: "2 minutes",
    linker_flags: |_| Ok("-s -w".to_owned()),
    built: OnceLock::new(),
};

/// How many lines of a failed build stand in the message.
const TAIL: usize = 20;
const FLAGS: [&str; 3] = ["-mod=readonly", "-trimpath", "-buildvcs=false"];

/// A Go module of ours, and the programs that are built from it.
pub struct Module {
    /// For people.
    name: &'static str,
    /// Names its folder in the cache.
    cache: &'static str,
    folder: &'static str,
    /// Files of the module, all of them.
    sources: &'static [&'static str],
    /// Program and Go package.
    programs: &'static [(&'static str, &'static str)],
    /// Of a first build on two cores.
    duration: &'static str,
    /// From the text of go.mod.
    linker_flags: fn(&str) -> Result<String, String>,
    built: OnceLock<Result<Programs, String>>,
}

/// The folder with the programs of a module, complete.
#[derive(Debug)]
pub struct Programs {
    folder: PathBuf,
}

// === impl Programs ===

impl Programs {
    /// The programs of the control plane: `supervise`, `etcd`, `kube-apiserver`, `kube-controller-manager`, `kubectl`.
    ///
    /// # Errors
    /// As [`Module::programs`].
    pub fn get() -> Result<&'static Self, String> {
        CONTROL_PLANE.programs()
    }

    /// The file of a program.
    pub fn path(&self, program: &str) -> PathBuf {
        self.folder.join(program)
    }
}

// === impl Module ===

impl Module {
    /// The programs, built now if this machine does not have them yet. The progress of a build goes to standard error,
    /// past the capture of the test runner.
    ///
    /// # Errors
    /// One message for all tests of the process, for instance that `go` is missing. A failed build is not tried twice.
    pub fn programs(&'static self) -> Result<&'static Programs, String> {
        self.built.get_or_init(|| self.build()).as_ref().map_err(Clone::clone)
    }

    fn build(&self) -> Result<Programs, String> {
        let go_mod = fs::read_to_string(Path::new(self.folder).join("go.mod"))
            .map_err(|e| format!("cannot read go.mod: {e}"))?;
        let linker_flags = (self.linker_flags)(&go_mod)?;
        let cache = cache_folder()?.join(self.cache);
        let folder = cache.join(self.key(&linker_flags)?);
        if folder.is_dir() {
            return Ok(Programs { folder });
        }
        // Before any work: whether there is anything to build with.
        self.go_version()?;
        let supervisor = match self.programs.first() {
            Some(("supervise", _)) => None,
            _ => Some(Programs::get()?.path("supervise")),
        };

        fs::create_dir_all(&cache).map_err(|e| format!("cannot create {}: {e}", cache.display()))?;
        let lock =
            File::create(cache.join("build.lock")).map_err(|e| format!("cannot lock {}: {e}", cache.display()))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                self.say("waiting for another test process that is building");
                lock.lock().map_err(|e| format!("cannot lock {}: {e}", cache.display()))?;
            }
            Err(TryLockError::Error(e)) => return Err(format!("cannot lock {}: {e}", cache.display())),
        }
        if folder.is_dir() {
            return Ok(Programs { folder });
        }

        self.say(format_args!(
            "building into {}; the first build on a machine takes about {}",
            folder.display(),
            self.duration
        ));
        let partial = folder.with_extension("partial");
        fs::create_dir_all(&partial).map_err(|e| format!("cannot create {}: {e}", partial.display()))?;
        let begun = Instant::now();
        for (number, (program, package)) in (1..).zip(self.programs) {
            let file = partial.join(program);
            let step = format!("[{number}/{}] {program}", self.programs.len());
            if file.is_file() {
                self.say(format_args!("{step}: kept from an interrupted build"));
                continue;
            }
            self.say(format_args!("{step}: building"));
            let step_begun = Instant::now();
            let own = Some(partial.join("supervise")).filter(|file| file.is_file());
            self.go_build(package, &file, &linker_flags, supervisor.as_deref().or(own.as_deref()))?;
            self.say(format_args!("{step}: done in {} s", step_begun.elapsed().as_secs()));
        }
        fs::rename(&partial, &folder).map_err(|e| format!("cannot create {}: {e}", folder.display()))?;
        self.say(format_args!("built in {} s; later runs find it there", begun.elapsed().as_secs()));
        Ok(Programs { folder })
    }

    /// Builds one program; below `supervise`, once that exists, so that an interrupted test leaves no build behind that
    /// writes into the folder of the next.
    fn go_build(
        &self,
        package: &str,
        file: &Path,
        linker_flags: &str,
        supervisor: Option<&Path>,
    ) -> Result<(), String> {
        let unfinished = file.with_extension("unfinished");
        let mut build = self
            .go(supervisor)
            .arg("build")
            .args(FLAGS)
            .args(["-ldflags", linker_flags, "-o"])
            .arg(&unfinished)
            .arg(package)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|e| format!("cannot run `go build {package}`: {e}"))?;
        let alive = build.stdin.take();
        // Shown as it comes, because downloads take their time, and kept for the message.
        let mut said = Vec::new();
        let stderr = build.stderr.take();
        for line in stderr.into_iter().flat_map(|stream| BufReader::new(stream).lines()).map_while(Result::ok) {
            self.say(&line);
            said.push(line);
        }
        let status = build.wait().map_err(|e| format!("cannot wait for `go build {package}`: {e}"))?;
        drop(alive);
        if !status.success() {
            let end = said[said.len().saturating_sub(TAIL)..].join("\n");
            return Err(format!("`go build {package}` in {} failed ({status}):\n{end}", self.folder));
        }
        fs::rename(&unfinished, file).map_err(|e| format!("cannot create {}: {e}", file.display()))
    }

    /// `go` in the module, for this machine, whatever the environment would build for.
    fn go(&self, supervisor: Option<&Path>) -> Command {
        let mut command = Command::new(supervisor.unwrap_or(Path::new("go")));
        if supervisor.is_some() {
            command.arg("go");
        }
        command.current_dir(self.folder).env("CGO_ENABLED", "0").env("GOWORK", "off");
        command.env_remove("GOOS").env_remove("GOARCH");
        command
    }

    fn go_version(&self) -> Result<(), String> {
        match self.go(None).arg("version").stdin(Stdio::null()).output() {
            Ok(output) if output.status.success() => Ok(()),
            Ok(output) => Err(format!("`go version` failed: {}", String::from_utf8_lossy(&output.stderr).trim())),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Err(
                "`go` is missing: the cluster tests build etcd, kube-apiserver, kube-controller-manager, kubectl and \
                 helm from source; install Go 1.26 or later and put it on the PATH"
                    .to_owned(),
            ),
            Err(e) => Err(format!("cannot run `go`: {e}")),
        }
    }

    fn key(&self, linker_flags: &str) -> Result<String, String> {
        let mut hasher = SipHasher13::new();
        let mut part = |bytes: &[u8]| {
            hasher.write(&(bytes.len() as u64).to_le_bytes());
            hasher.write(bytes);
        };
        for source in self.sources {
            let path = Path::new(self.folder).join(source);
            part(&fs::read(&path).map_err(|e| format!("cannot read {}: {e}", path.display()))?);
        }
        for flag in FLAGS.into_iter().chain([linker_flags, env::consts::OS, env::consts::ARCH]) {
            part(flag.as_bytes());
        }
        Ok(format!("{:032x}", hasher.finish128().as_u128()))
    }

    /// To the real standard error: the runner captures only what the print macros write.
    fn say(&self, line: impl Display) {
        let _ = writeln!(io::stderr(), "{}: {line}", self.name);
    }
}

// === versions ===

/// The version that go.mod requires of a module.
fn required<'a>(go_mod: &'a str, module: &str) -> Result<&'a str, String> {
    go_mod
        .lines()
        .map(|line| line.trim().trim_start_matches("require "))
        .find_map(|line| line.strip_prefix(module)?.strip_prefix(" v")?.split_whitespace().next())
        .ok_or_else(|| format!("go.mod does not require {module}"))
}

/// Without a version the servers call themselves v0.0.0, which clients refuse.
fn kubernetes_flags(go_mod: &str) -> Result<String, String> {
    let version = required(go_mod, "k8s.io/kubernetes")?;
    let mut parts = version.split('.');
    let (Some(major), Some(minor)) = (parts.next(), parts.next()) else {
        return Err(format!("go.mod requires k8s.io/kubernetes in the odd version `{version}`"));
    };
    let variables = [
        ("gitVersion", format!("v{version}")),
        ("gitMajor", major.to_owned()),
        ("gitMinor", minor.to_owned()),
        ("gitTreeState", "clean".to_owned()),
        ("gitCommit", "kube-iam-tests".to_owned()),
        ("buildDate", "1970-01-01T00:00:00Z".to_owned()),
    ];
    let mut flags = "-s -w".to_owned();
    for (name, value) in variables {
        flags.push_str(&format!(" -X k8s.io/component-base/version.{name}={value}"));
    }
    Ok(flags)
}

/// Without a version helm calls itself by its line and a commit.
fn helm_4_flags(go_mod: &str) -> Result<String, String> {
    let version = required(go_mod, "helm.sh/helm/v4")?;
    Ok(format!("-s -w -X helm.sh/helm/v4/internal/version.version=v{version}"))
}

/// As helm's own Makefile: a helm 3 without these renders for Kubernetes 1.20 where there is no cluster to ask.
fn helm_3_flags(go_mod: &str) -> Result<String, String> {
    let version = required(go_mod, "helm.sh/helm/v3")?;
    let client = required(go_mod, "k8s.io/client-go")?;
    let Some(minor) = client.split('.').nth(1) else {
        return Err(format!("go.mod requires k8s.io/client-go in the odd version `{client}`"));
    };
    let mut flags = format!("-s -w -X helm.sh/helm/v3/internal/version.version=v{version}");
    for package in ["lint/rules", "chartutil"] {
        flags.push_str(&format!(" -X helm.sh/helm/v3/pkg/{package}.k8sVersionMajor=1"));
        flags.push_str(&format!(" -X helm.sh/helm/v3/pkg/{package}.k8sVersionMinor={minor}"));
    }
    Ok(flags)
}

fn cache_folder() -> Result<PathBuf, String> {
    let set = |name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let folder = set("KUBE_IAM_TEST_CACHE")
        .or_else(|| set("XDG_CACHE_HOME").map(|cache| cache.join("kube-iam")))
        .or_else(|| set("HOME").map(|home| home.join(".cache/kube-iam")))
        .ok_or("no place to keep what is built: set KUBE_IAM_TEST_CACHE, XDG_CACHE_HOME or HOME")?;
    Ok(folder)
}
