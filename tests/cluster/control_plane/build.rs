//! Building the control plane's programs with Go, once for each machine.
//!
//! The programs lie in a cache folder outside the checkout, under a name made from everything that decides what they
//! are: go.mod, go.sum, the sources of `supervise`, the flags and the platform. One process builds at a time, and the
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

const MODULE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cluster/control-plane");
const SOURCES: [&str; 5] =
    ["go.mod", "go.sum", "supervise/attributes_linux.go", "supervise/attributes_other.go", "supervise/main.go"];
/// Program and Go package. The first watches over the builds of the others.
const PROGRAMS: [(&str, &str); 5] = [
    ("supervise", "kube-iam.dev/tests/control-plane/supervise"),
    ("etcd", "go.etcd.io/etcd/server/v3"),
    ("kube-apiserver", "k8s.io/kubernetes/cmd/kube-apiserver"),
    ("kube-controller-manager", "k8s.io/kubernetes/cmd/kube-controller-manager"),
    ("kubectl", "k8s.io/kubernetes/cmd/kubectl"),
];
/// How many lines of a failed build stand in the message.
const TAIL: usize = 20;
const FLAGS: [&str; 3] = ["-mod=readonly", "-trimpath", "-buildvcs=false"];

/// The folder with the programs of the control plane, complete.
#[derive(Debug)]
pub struct Programs {
    folder: PathBuf,
}

// === impl Programs ===

impl Programs {
    /// The programs, built now if this machine does not have them yet. The first build takes about ten minutes on two
    /// cores; its progress goes to standard error, past the capture of the test runner.
    ///
    /// # Errors
    /// One message for all tests of the process, for instance that `go` is missing. A failed build is not tried twice.
    pub fn get() -> Result<&'static Self, String> {
        static PROGRAMS: OnceLock<Result<Programs, String>> = OnceLock::new();
        PROGRAMS.get_or_init(build).as_ref().map_err(Clone::clone)
    }

    /// The file of `supervise`, `etcd`, `kube-apiserver`, `kube-controller-manager` or `kubectl`.
    pub fn path(&self, program: &str) -> PathBuf {
        self.folder.join(program)
    }
}

// === building ===

fn build() -> Result<Programs, String> {
    let go_mod =
        fs::read_to_string(Path::new(MODULE).join("go.mod")).map_err(|e| format!("cannot read go.mod: {e}"))?;
    let linker_flags = linker_flags(&go_mod)?;
    let cache = cache_folder()?;
    let folder = cache.join(key(&linker_flags)?);
    if folder.is_dir() {
        return Ok(Programs { folder });
    }
    // Before any work: whether there is anything to build with.
    go_version()?;

    fs::create_dir_all(&cache).map_err(|e| format!("cannot create {}: {e}", cache.display()))?;
    let lock = File::create(cache.join("build.lock")).map_err(|e| format!("cannot lock {}: {e}", cache.display()))?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            say("waiting for another test process that is building the control plane");
            lock.lock().map_err(|e| format!("cannot lock {}: {e}", cache.display()))?;
        }
        Err(TryLockError::Error(e)) => return Err(format!("cannot lock {}: {e}", cache.display())),
    }
    if folder.is_dir() {
        return Ok(Programs { folder });
    }

    say(format_args!(
        "building the control plane of the cluster tests into {}; the first build on a machine takes about 10 minutes",
        folder.display()
    ));
    let partial = folder.with_extension("partial");
    fs::create_dir_all(&partial).map_err(|e| format!("cannot create {}: {e}", partial.display()))?;
    let begun = Instant::now();
    for (number, (program, package)) in (1..).zip(PROGRAMS) {
        let file = partial.join(program);
        let step = format!("[{number}/{}] {program}", PROGRAMS.len());
        if file.is_file() {
            say(format_args!("{step}: kept from an interrupted build"));
            continue;
        }
        say(format_args!("{step}: building"));
        let step_begun = Instant::now();
        let supervisor = Some(partial.join("supervise")).filter(|file| file.is_file());
        go_build(package, &file, &linker_flags, supervisor.as_deref())?;
        say(format_args!("{step}: done in {} s", step_begun.elapsed().as_secs()));
    }
    fs::rename(&partial, &folder).map_err(|e| format!("cannot create {}: {e}", folder.display()))?;
    say(format_args!("the control plane is built, in {} s; later runs find it there", begun.elapsed().as_secs()));
    Ok(Programs { folder })
}

/// Builds one program; below `supervise`, once that exists, so that an interrupted test leaves no build behind that
/// writes into the folder of the next.
fn go_build(package: &str, file: &Path, linker_flags: &str, supervisor: Option<&Path>) -> Result<(), String> {
    let unfinished = file.with_extension("unfinished");
    let mut build = go(supervisor)
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
    for line in build.stderr.take().into_iter().flat_map(|stream| BufReader::new(stream).lines()).map_while(Result::ok)
    {
        say(&line);
        said.push(line);
    }
    let status = build.wait().map_err(|e| format!("cannot wait for `go build {package}`: {e}"))?;
    drop(alive);
    if !status.success() {
        let end = said[said.len().saturating_sub(TAIL)..].join("\n");
        return Err(format!("`go build {package}` in {MODULE} failed ({status}):\n{end}"));
    }
    fs::rename(&unfinished, file).map_err(|e| format!("cannot create {}: {e}", file.display()))
}

/// `go` in our module, for this machine, whatever the environment would build for.
fn go(supervisor: Option<&Path>) -> Command {
    let mut command = Command::new(supervisor.unwrap_or(Path::new("go")));
    if supervisor.is_some() {
        command.arg("go");
    }
    command.current_dir(MODULE).env("CGO_ENABLED", "0").env("GOWORK", "off").env_remove("GOOS").env_remove("GOARCH");
    command
}

fn go_version() -> Result<(), String> {
    match go(None).arg("version").stdin(Stdio::null()).output() {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(format!("`go version` failed: {}", String::from_utf8_lossy(&output.stderr).trim())),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Err(
            "`go` is missing: the cluster tests build etcd, kube-apiserver, kube-controller-manager and kubectl from \
             source; install Go 1.26 or later and put it on the PATH"
                .to_owned(),
        ),
        Err(e) => Err(format!("cannot run `go`: {e}")),
    }
}

/// Without a version the servers call themselves v0.0.0, which clients refuse.
fn linker_flags(go_mod: &str) -> Result<String, String> {
    let version = go_mod
        .lines()
        .find_map(|line| line.trim().strip_prefix("k8s.io/kubernetes v")?.split_whitespace().next())
        .ok_or("go.mod does not require k8s.io/kubernetes")?;
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

fn cache_folder() -> Result<PathBuf, String> {
    let set = |name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let folder = set("KUBE_IAM_TEST_CACHE")
        .or_else(|| set("XDG_CACHE_HOME").map(|cache| cache.join("kube-iam")))
        .or_else(|| set("HOME").map(|home| home.join(".cache/kube-iam")))
        .ok_or("no place to keep the control plane: set KUBE_IAM_TEST_CACHE, XDG_CACHE_HOME or HOME")?;
    Ok(folder.join("control-plane"))
}

fn key(linker_flags: &str) -> Result<String, String> {
    let mut hasher = SipHasher13::new();
    let mut part = |bytes: &[u8]| {
        hasher.write(&(bytes.len() as u64).to_le_bytes());
        hasher.write(bytes);
    };
    for source in SOURCES {
        let path = Path::new(MODULE).join(source);
        part(&fs::read(&path).map_err(|e| format!("cannot read {}: {e}", path.display()))?);
    }
    for flag in FLAGS.into_iter().chain([linker_flags, env::consts::OS, env::consts::ARCH]) {
        part(flag.as_bytes());
    }
    Ok(format!("{:032x}", hasher.finish128().as_u128()))
}

/// To the real standard error: the runner captures only what the print macros write.
fn say(line: impl Display) {
    let _ = writeln!(io::stderr(), "control plane: {line}");
}
