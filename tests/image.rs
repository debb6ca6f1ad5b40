//! The image of the `Dockerfile`: what it is made from, and that the program runs where nothing but the image is.
//!
//! No container engine is needed: the program is built by the command of the `Dockerfile` in the profile of the tests,
//! and started in an empty root that is read-only, as the user of the image.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test stops where something is wrong"
)]

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

const REPOSITORY: &str = env!("CARGO_MANIFEST_DIR");
const USER: &str = "65532:65532";

/// The instructions of the `Dockerfile`, each with what follows it.
fn instructions() -> Vec<(String, String)> {
    let text = fs::read_to_string(Path::new(REPOSITORY).join("Dockerfile")).unwrap();
    let text = text.replace("\\\n", " ");
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let split = |line: &str| line.split_once(' ').map(|(word, rest)| (word.to_owned(), rest.trim().to_owned()));
    lines.map(|line| split(line).unwrap_or_else(|| panic!("odd line `{line}`"))).collect()
}

/// What follows the only instruction of that name.
fn instruction(name: &str) -> String {
    let found: Vec<String> =
        instructions().into_iter().filter(|(word, _)| word == name).map(|(_, rest)| rest).collect();
    assert_eq!(found.len(), 1, "{name}: {found:?}");
    found[0].clone()
}

#[test]
fn the_image_is_built_in_one_stage_and_holds_no_more_than_program_and_state_folder() {
    let instructions = instructions();
    let stages: Vec<&str> =
        instructions.iter().filter(|(word, _)| word == "FROM").map(|(_, rest)| rest.as_str()).collect();
    let [build, image] = stages[..] else { panic!("{stages:?}") };
    assert_eq!(image, "scratch");
    // Pinned by its version, and able to build us.
    let version = build.strip_prefix("rust:").and_then(|rest| rest.strip_suffix("-bookworm AS build")).expect(build);
    let number = |version: &str| version.split('.').map(|part| part.parse().unwrap()).collect::<Vec<u32>>();
    assert_eq!(number(version).len(), 3, "{version}");
    assert!(number(version) >= number(env!("CARGO_PKG_RUST_VERSION")), "{version}");

    let at = instructions.iter().position(|(_, rest)| rest == "scratch").unwrap();
    let words: Vec<&str> = instructions[at + 1..].iter().map(|(word, _)| word.as_str()).collect();
    assert_eq!(words, ["COPY", "COPY", "USER", "ENV", "EXPOSE", "ENTRYPOINT", "CMD"]);
    for (_, copy) in instructions[at + 1..].iter().filter(|(word, _)| word == "COPY") {
        assert!(copy.starts_with("--from=build "), "{copy}");
    }
    assert_eq!(instruction("USER"), USER);
    assert_eq!(instruction("ENV"), "KUBE_IAM_STATE_DIR=/var/lib/kube-iam");
    assert_eq!(instruction("ENTRYPOINT"), r#"["/kube-iam"]"#);
    assert_eq!(instruction("CMD"), r#"["serve"]"#);
    // What the two folders that are copied hold.
    let runs: Vec<&str> =
        instructions.iter().filter(|(word, _)| word == "RUN").map(|(_, rest)| rest.as_str()).collect();
    assert_eq!(runs[1], "install -D target/release/kube-iam /image/kube-iam");
    assert_eq!(runs[2], "install -d -m 0700 /state/lib/kube-iam");
    assert_eq!(runs.len(), 3);
}

#[test]
fn the_build_is_given_all_that_it_reads() {
    let ignore = fs::read_to_string(Path::new(REPOSITORY).join(".dockerignore")).unwrap();
    let lines: Vec<&str> = ignore.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
    let (first, given) = lines.split_first().unwrap();
    assert_eq!(*first, "*");
    let given: Vec<&str> = given.iter().map(|line| line.strip_prefix('!').expect(line)).collect();
    for path in &given {
        assert!(Path::new(REPOSITORY).join(path).exists(), "{path} is not there");
    }
    let is_given = |path: &Path| given.iter().any(|given| path.starts_with(given));

    let manifest = fs::read_to_string(Path::new(REPOSITORY).join("Cargo.toml")).unwrap();
    for (_, rest) in
        manifest.lines().filter(|line| line.contains("{ path = ")).filter_map(|l| l.split_once("path = \""))
    {
        let folder = Path::new(rest.split('"').next().unwrap());
        assert!(is_given(&folder.join("Cargo.toml")) && is_given(&folder.join("src")), "{}", folder.display());
    }
    assert!(["Cargo.toml", "Cargo.lock", "src"].iter().all(|path| is_given(Path::new(path))));
    assert!(!Path::new(REPOSITORY).join("build.rs").exists(), "a build script needs a line in .dockerignore");
    let mut sources = vec![Path::new(REPOSITORY).join("src")];
    while let Some(path) = sources.pop() {
        if path.is_dir() {
            sources.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else {
            let text = fs::read_to_string(&path).unwrap();
            for included in text.split("include_str!(\"").chain(text.split("include_bytes!(\"")).skip(1) {
                let Some((name, _)) = included.split_once('"') else { continue };
                let Ok(file) = fs::canonicalize(path.parent().unwrap().join(name)) else { continue };
                let file = file.strip_prefix(fs::canonicalize(REPOSITORY).unwrap()).unwrap().to_owned();
                assert!(is_given(&file), "{} includes {}", path.display(), file.display());
            }
        }
    }
}

// === the root ===

/// A root with what the image holds, and the folder of manifests that a person would mount.
struct Root {
    path: PathBuf,
    unshare: Vec<&'static str>,
}

impl Root {
    /// `None`, with a line that says why, where this machine does not let us have a root of our own.
    fn new(name: &str) -> Option<Self> {
        if cfg!(not(target_os = "linux")) {
            println!("SKIPPED: the image is one of Linux");
            return None;
        }
        let ways: [&[&str]; 2] = [&["--mount"], &["--user", "--map-root-user", "--mount"]];
        let permitted = |way: &&&[&str]| {
            let probe = "mount -t tmpfs tmpfs /tmp && exec chroot / true";
            let output = Command::new("unshare").args(**way).args(["--", "sh", "-c", probe]).output();
            output.is_ok_and(|output| output.status.success())
        };
        let Some(way) = ways.iter().find(permitted) else {
            println!("SKIPPED: this machine permits no mounts of our own (`unshare --mount`), as root or as a user");
            return None;
        };
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("image-{name}"));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(path.join("var/lib/kube-iam")).unwrap();
        fs::create_dir(path.join("manifests")).unwrap();
        fs::copy(program(), path.join("kube-iam")).unwrap();
        Some(Self { path, unshare: way.to_vec() })
    }

    /// The program in this root, with the variables of the image and no others.
    fn command(&self, arguments: &[&str]) -> Command {
        // Root of a user namespace of its own has nobody else to become.
        let user = if self.unshare.contains(&"--user") { "0:0" } else { USER };
        let (uid, _) = user.split_once(':').unwrap();
        let script = format!(
            r#"root=$1; manifests=$2; shift 2
            mount --bind "$root" "$root"
            mount --bind "$manifests" "$root/manifests"
            mount -o remount,bind,ro "$root"
            mount -t tmpfs -o mode=0700,uid={uid} tmpfs "$root/var/lib/kube-iam"
            exec chroot --userspec={user} "$root" /kube-iam "$@""#
        );
        let mut command = Command::new("unshare");
        command.args(&self.unshare).args(["--", "sh", "-euc", &script, "sh"]);
        command.arg(&self.path).arg(Path::new(REPOSITORY).join("examples")).args(arguments);
        let (name, value) = instruction("ENV").split_once('=').map(|(n, v)| (n.to_owned(), v.to_owned())).unwrap();
        command.env_clear().env(name, value).stdin(Stdio::null());
        command
    }
}

impl Drop for Root {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.path);
    }
}

/// The program as the `Dockerfile` links it, in the profile of the tests: what they have compiled is used again.
fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let (_, build) = instructions().into_iter().find(|(word, _)| word == "RUN").unwrap();
        let arguments = build.strip_prefix("cargo rustc ").expect("the image is built by `cargo rustc`");
        let arguments = arguments.split(' ').filter(|argument| *argument != "--release");
        let compiled = Path::new(env!("CARGO_BIN_EXE_kube-iam")).parent().unwrap().parent().unwrap();
        let folder = compiled.join("image");
        let mut cargo = Command::new(env!("CARGO"));
        cargo.current_dir(REPOSITORY).arg("rustc").arg("--target-dir").arg(&folder).args(arguments);
        // What this test was told by cargo is not for another.
        for (name, _) in std::env::vars() {
            if ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_"].iter().any(|prefix| name.starts_with(prefix)) {
                cargo.env_remove(name);
            }
        }
        let output = cargo.env("CARGO_BUILD_BUILD_DIR", compiled).output().unwrap();
        assert!(output.status.success(), "{build}: {}", String::from_utf8_lossy(&output.stderr));
        folder.join("debug/kube-iam")
    })
}

// === tests ===

#[test]
fn the_program_needs_no_library() {
    if cfg!(not(target_os = "linux")) {
        println!("SKIPPED: the image is one of Linux");
        return;
    }
    let program = fs::read(program()).unwrap();
    assert_eq!(&program[..4], b"\x7fELF");
    // The program headers (ELF-64, little endian) name a loader if one is needed: PT_INTERP is 3.
    let at = |offset: usize, bytes: usize| {
        program[offset..offset + bytes].iter().rev().fold(0_usize, |number, byte| (number << 8) | usize::from(*byte))
    };
    let (headers, size, count) = (at(32, 8), at(54, 2), at(56, 2));
    assert!(count > 0);
    assert!((0..count).all(|header| at(headers + header * size, 4) != 3), "the program asks for a loader");
}

#[test]
fn the_program_answers_from_an_empty_root() {
    let Some(root) = Root::new("answers") else { return };
    let question = ["can-i", "get", "deployments.apps/web", "-n", "payments", "--as", "bob", "-f", "/manifests"];
    let output = root.command(&question).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "yes\n");
    let output = root.command(&["--version"]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), concat!("kube-iam ", env!("CARGO_PKG_VERSION"), "\n"));
}

#[test]
fn the_program_serves_from_an_empty_root_that_is_read_only() {
    let Some(root) = Root::new("serves") else { return };
    let serve = ["serve", "--manifests", "/manifests", "--listen", "127.0.0.1:0", "--health-listen", "127.0.0.1:0"];
    let child = root.command(&serve).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut serving = Serving(child);
    let mut ready = String::new();
    let mut stdout = BufReader::new(serving.0.stdout.take().unwrap());
    stdout.read_line(&mut ready).unwrap();
    let health = ready.split_once("health=http://").map(|(_, rest)| rest.trim().to_owned());
    let Some(health) = health else { panic!("not ready: {ready}{}", serving.log()) };
    for path in ["/healthz", "/readyz", "/metrics"] {
        let answer = get(&health, path);
        assert!(answer.starts_with("HTTP/1.1 200 "), "{path}: {answer}");
    }
    let stop = Command::new("kill").arg(serving.0.id().to_string()).status().unwrap();
    assert!(stop.success());
    let status = serving.0.wait().unwrap();
    assert!(status.success(), "{status}: {}", serving.log());
}

fn get(address: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// A process that ends with the test.
struct Serving(Child);

impl Serving {
    fn log(&mut self) -> String {
        let _ = self.0.kill();
        let mut log = String::new();
        if let Some(mut stderr) = self.0.stderr.take() {
            let _ = stderr.read_to_string(&mut log);
        }
        log
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
