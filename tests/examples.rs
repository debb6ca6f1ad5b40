//! What the examples and the documents promise: every command in them is run with the real program, from the root of
//! the checkout, and its output and exit code compared.
//!
//! - An example begins with comments; `# $ command` is followed by its output, each line behind `# `.
//! - A document has its commands in fenced blocks called `console`, `$ command` followed by its output; blocks called
//!   `sh` are for reading only. A line `...` in an output stands for any number of lines. What the README says of a
//!   cluster needs one: `cluster/readme.rs` runs that section.
//! - A block called `yaml` in the README is a part of an example. Those of the language guide are its own world:
//!   together they are `language.yaml`, and those called `yaml broken.yaml` are that file.
//!
//! What a command says on standard error comes first. Promised is also the exit code: 1 after `no - …` and after a walk
//! or a verdict that is not an Allow, else 0.
#![expect(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
/// For what takes a moment when the machine has nothing else to do.
const DEADLINE: Duration = Duration::from_secs(60);

/// A command and what it prints.
#[derive(Debug, Default)]
struct Promise {
    command: String,
    output: Vec<String>,
}

fn examples() -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(Path::new(ROOT).join("examples"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .collect();
    files.sort();
    files
}

/// A folder of this process, empty.
fn temporary(name: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("kube-iam-examples-{}-{name}", std::process::id()));
    fs::create_dir_all(&path).unwrap();
    path
}

fn read(path: impl AsRef<Path>) -> String {
    let path = Path::new(ROOT).join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Promises among lines; `None` is a line that belongs to none of them.
fn promises<'a>(lines: impl Iterator<Item = Option<&'a str>>) -> Vec<Promise> {
    let mut found: Vec<Promise> = Vec::new();
    let mut open = false;
    for line in lines {
        match line {
            Some(line) if line.starts_with("$ ") => {
                found.push(Promise { command: line.split_at(2).1.to_owned(), output: Vec::new() });
                open = true;
            }
            Some(line) if open => found.last_mut().unwrap().output.push(line.to_owned()),
            Some(_) => {}
            None => open = false,
        }
    }
    found
}

/// The promises in the comments at the head of a manifest.
fn of_manifest(text: &str) -> Vec<Promise> {
    let head = text.lines().take_while(|line| line.starts_with('#'));
    promises(head.map(|line| line.strip_prefix("# ")))
}

/// Blocks of a document with this name.
fn blocks(text: &str, name: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut block: Option<String> = None;
    for line in text.lines() {
        match &mut block {
            Some(_) if line == "```" => found.extend(block.take()),
            Some(text) => {
                text.push_str(line);
                text.push('\n');
            }
            None if line == format!("```{name}") => block = Some(String::new()),
            None => {}
        }
    }
    assert!(block.is_none(), "a block `{name}` has no end");
    found
}

fn of_document(text: &str) -> Vec<Promise> {
    blocks(text, "console").iter().flat_map(|block| promises(block.lines().map(Some))).collect()
}

/// The program with the arguments of this command; the environment says nothing.
fn program(command: &str) -> Command {
    let arguments = command
        .strip_prefix("kube-iam ")
        .or_else(|| command.strip_prefix("cargo run --release -- "))
        .unwrap_or_else(|| panic!("`{command}` does not run kube-iam"));
    assert!(!arguments.contains(['\'', '"', '|', '>', '<', '\\', '*']), "`{command}` needs a shell");
    let mut program = Command::new(env!("CARGO_BIN_EXE_kube-iam"));
    program.args(arguments.split_whitespace()).stdin(Stdio::null());
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("KUBE_IAM_")) {
        program.env_remove(name);
    }
    program
}

/// Whether an output is what was promised; `...` stands for any number of lines.
fn fits(promised: &[String], printed: &[&str]) -> bool {
    match promised.split_first() {
        None => printed.is_empty(),
        Some((line, rest)) if line == "..." => (0..=printed.len()).any(|from| fits(rest, printed.get(from..).unwrap())),
        Some((line, rest)) => printed.split_first().is_some_and(|(first, others)| first == line && fits(rest, others)),
    }
}

/// Runs the command in this folder.
fn check(source: &str, promise: &Promise, folder: &Path) {
    const NEGATIVE: [&str; 5] = ["no - ", "ImplicitDeny", "ExplicitDeny", "  => not allowed by", "  => denied by"];
    let Promise { command, output } = promise;
    assert!(!output.is_empty(), "{source}: `{command}` promises no output");
    let run = program(command).current_dir(folder).output().unwrap();
    let printed = String::from_utf8([run.stderr, run.stdout].concat()).unwrap();
    assert!(
        fits(output, &printed.lines().collect::<Vec<_>>()),
        "{source}: `{command}` printed\n{printed}instead of what is promised:\n{}",
        output.join("\n"),
    );
    let negative = output.iter().any(|line| NEGATIVE.iter().any(|start| line.starts_with(start)));
    assert_eq!(run.status.code(), Some(i32::from(negative)), "{source}: exit code of `{command}`");
}

#[test]
fn every_example_keeps_its_promises() {
    let files = examples();
    assert!(files.len() >= 8, "the path has {} steps", files.len());
    for (path, number) in files.iter().zip(1..) {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        assert!(name.starts_with(&format!("{number:02}-")), "`{name}` is step {number} of the path");
        let promises = of_manifest(&read(path));
        assert!(!promises.is_empty(), "`{name}` promises nothing");
        for promise in &promises {
            check(&name, promise, Path::new(ROOT));
        }
    }
}

/// A document without what stands below this heading of the second level.
fn without(text: &str, title: &str) -> String {
    let (before, after) = text.split_once(&format!("\n## {title}\n")).unwrap_or_else(|| panic!("no section `{title}`"));
    let rest = after.split_once("\n## ").map(|(_, rest)| rest).unwrap_or_default();
    format!("{before}\n\n## {rest}")
}

#[test]
fn the_commands_of_the_readme_answer_as_printed() {
    let promises = of_document(&without(&read("README.md"), "On a cluster"));
    assert!(!promises.is_empty());
    for promise in promises.iter().filter(|promise| !promise.command.contains(" serve ")) {
        check("README.md", promise, Path::new(ROOT));
    }
}

#[test]
fn the_language_guide_says_what_its_manifests_do() {
    let text = read("docs/language.md");
    let folder = temporary("language");
    for (file, block) in [("language.yaml", "yaml"), ("broken.yaml", "yaml broken.yaml")] {
        let manifests = blocks(&text, block);
        assert!(!manifests.is_empty(), "{file} is empty");
        fs::write(folder.join(file), manifests.join("---\n")).unwrap();
    }
    let promises = of_document(&text);
    assert!(!promises.is_empty());
    for promise in &promises {
        check("docs/language.md", promise, &folder);
    }
    fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn the_manifests_of_the_readme_are_those_of_the_examples() {
    let examples: Vec<String> = examples().iter().map(read).collect();
    let manifests = blocks(&read("README.md"), "yaml");
    assert!(!manifests.is_empty());
    for manifest in manifests {
        assert!(examples.iter().any(|example| example.contains(&manifest)), "no example has\n{manifest}");
    }
}

#[test]
fn links_of_the_documents_lead_somewhere() {
    let mut documents = vec![PathBuf::from("README.md"), "CHANGELOG.md".into()];
    for folder in ["docs", "docs/decisions"] {
        let entries = fs::read_dir(Path::new(ROOT).join(folder)).unwrap().map(|entry| entry.unwrap().path());
        documents.extend(entries.filter(|path| path.extension().is_some_and(|extension| extension == "md")));
    }
    for document in documents {
        let text = read(&document);
        for target in text.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(target, _)| target) {
            if !target.contains("://") {
                let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
                let this = Path::new(ROOT).join(&document);
                let path = if file.is_empty() { this } else { this.parent().unwrap().join(file) };
                assert!(path.exists(), "{}: nothing at `{target}`", document.display());
                let has_anchor = anchor.is_empty() || anchors(&read(&path)).iter().any(|known| known == anchor);
                assert!(has_anchor, "{}: no heading for `{target}`", document.display());
            }
        }
    }
}

/// What links call the headings of a document.
#[test]
fn a_question_by_arn_is_answered_as_the_same_question_of_a_caller() {
    const WORLD: &str = r#"{"apiVersion": "kube-iam.dev/v1alpha1", "kind": "IamUser",
    "metadata": {"name": "robot", "namespace": "shop"}, "spec": {
      "identities": [{"kind": "ServiceAccount", "namespace": "shop", "name": "robot"}, {"kind": "User", "name": "rob"}],
      "inlinePolicies": [{"name": "own", "statements": [
        {"sid": "All", "effect": "Allow", "actions": ["k8s:*"], "resources": ["*"]},
        {"sid": "Not", "effect": "Deny", "actions": ["k8s:list", "k8s:delete"],
         "resources": ["arn:k8s:core::shop:configmaps/locked"]}]}]}}"#;
    let folder = temporary("simulate");
    fs::write(folder.join("world.yaml"), WORLD).unwrap();
    let answer = |arguments: &str| {
        let mut program = Command::new(env!("CARGO_BIN_EXE_kube-iam"));
        let output = program.args(arguments.split(' ')).arg("-f").arg(&folder).output().unwrap();
        let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        (output.status.code().unwrap(), text)
    };
    let [by_user, by_account] = ["arn:k8s:iam::shop:user/robot", "arn:k8s:core::shop:serviceaccounts/robot"];
    for (action, resource, question, code, found) in [
        ("k8s:get", "configmaps/*", "get configmaps", 0, "Allow"),
        ("k8s:list", "configmaps/*", "list configmaps", 1, "ExplicitDeny"),
        ("k8s:list", "*", "list *", 1, "ExplicitDeny"),
        ("k8s:*", "configmaps/locked", "* configmaps/locked", 1, "ExplicitDeny"),
        ("k8s:*", "configmaps/open", "* configmaps/open", 0, "Allow"),
        ("k8s:list", "secrets/*", "list secrets", 0, "Allow"),
    ] {
        let asked = answer(&format!("can-i {question} -n shop --as rob"));
        assert_eq!(asked.0, code, "{question}: {}", asked.1);
        for principal in [by_user, by_account] {
            let arguments =
                format!("simulate --principal {principal} --action {action} --resource arn:k8s:core::shop:{resource}");
            let (simulated, text) = answer(&arguments);
            assert_eq!((simulated, text.contains(found)), (code, true), "{arguments}: {text}");
        }
    }
    for (principal, action, resource, why) in [
        ("arn:k8s:iam::shop:user/robbie", "k8s:get", "*", "there is no such principal in force"),
        ("arn:k8s:iam::shop:role/robot", "k8s:get", "*", "there is no such principal in force"),
        ("arn:k8s:iam::shop:root", "k8s:get", "*", "there is no such principal in force"),
        ("arn:k8s:iam::shop:group/robot", "k8s:get", "*", "expected a user, a role or a root"),
        (by_user, "k8s:g*", "*", "expected one name, or * for all of them"),
        (by_user, "k8s:get", "arn:k8s:core::shop:configmaps/l*", "found `configmaps/l*`"),
        (by_user, "k8s:get", "arn:k8s:core::s*:configmaps/x", "found `s*`"),
        (by_user, "k8s:get", "arn:k8s:core::*:nodes/x", "`nodes` are in no namespace"),
    ] {
        let (code, text) = answer(&format!("simulate --principal {principal} --action {action} --resource {resource}"));
        assert_eq!((code, text.contains(why)), (2, true), "{principal} {action} {resource}: {text}");
    }
    fs::remove_dir_all(folder).unwrap();
}

fn anchors(text: &str) -> Vec<String> {
    let headings = text.lines().filter(|line| line.starts_with('#')).map(|line| line.trim_start_matches('#').trim());
    let slug = |c: char| match c {
        ' ' => Some('-'),
        c if c.is_alphanumeric() || "-_".contains(c) => Some(c.to_ascii_lowercase()),
        _ => None,
    };
    headings.map(|heading| heading.chars().filter_map(slug).collect()).collect()
}

// === serve ===

/// A running server, ended with the test.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn the_server_of_the_readme_starts_says_so_and_ends_cleanly() {
    let promises = of_document(&read("README.md"));
    let promise = promises.iter().find(|promise| promise.command.contains(" serve ")).unwrap();
    let state = temporary("state");
    let mut command = program(&promise.command);
    command
        .current_dir(ROOT)
        .args(["--listen", "127.0.0.1:0", "--health-listen", "127.0.0.1:0", "--state-dir"])
        .arg(&state);
    let mut server = Server(command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap());

    let printed = lines(server.0.stdout.take().unwrap(), promise.output.len());
    let ready = printed.first().unwrap();
    let health = ready.rsplit_once("health=http://").unwrap().1.to_owned();
    let authorize = between(ready, "authorize=https://", "/authorize");
    let as_documented = |line: &String| {
        line.replace(&authorize, "127.0.0.1:9443").replace(&format!("http://{health}"), "http://127.0.0.1:9440")
    };
    assert_eq!(printed.iter().map(as_documented).collect::<Vec<_>>(), promise.output);
    assert_eq!(status_of(&health, "/readyz"), 200);
    assert!(state.join("authorization-config.yaml").is_file());

    let killed = Command::new("kill").args(["-TERM", &server.0.id().to_string()]).status().unwrap();
    assert!(killed.success());
    let deadline = Instant::now() + DEADLINE;
    let status = loop {
        if let Some(status) = server.0.try_wait().unwrap() {
            break status;
        }
        assert!(Instant::now() < deadline, "SIGTERM did not end the server");
        thread::sleep(Duration::from_millis(20));
    };
    assert_eq!(status.code(), Some(0));
    fs::remove_dir_all(&state).unwrap();
}

#[test]
fn a_state_folder_serves_one_process() {
    let state = temporary("held");
    let serve = || {
        let mut serve = Command::new(env!("CARGO_BIN_EXE_kube-iam"));
        serve.current_dir(env!("CARGO_MANIFEST_DIR"));
        serve.args(["serve", "--manifests", "examples", "--listen", "127.0.0.1:0", "--health-listen", "127.0.0.1:0"]);
        serve.arg("--state-dir").arg(&state).stdout(Stdio::piped()).stderr(Stdio::piped());
        serve
    };
    let mut first = Server(serve().spawn().unwrap());
    let ready = lines(first.0.stdout.take().unwrap(), 1);
    assert!(ready[0].starts_with("ready "), "{ready:?}");
    let kubeconfig = read(state.join("authorizer.kubeconfig"));
    let second = serve().output().unwrap();
    assert_eq!(second.status.code(), Some(2));
    let said = String::from_utf8_lossy(&second.stderr).into_owned();
    assert!(said.contains("another kube-iam serves from the state folder"), "{said}");
    assert_eq!(read(state.join("authorizer.kubeconfig")), kubeconfig);
    drop(first);
    let mut third = Server(serve().spawn().unwrap());
    let ready = lines(third.0.stdout.take().unwrap(), 1);
    assert!(ready[0].starts_with("ready "), "a killed process holds nothing: {ready:?}");
}

/// The first lines of a stream.
fn lines(stream: impl Read + Send + 'static, count: usize) -> Vec<String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    (0..count).map(|_| receiver.recv_timeout(DEADLINE).expect("the server prints what the README shows")).collect()
}

fn between(text: &str, before: &str, after: &str) -> String {
    text.split_once(before).and_then(|(_, rest)| rest.split_once(after)).unwrap().0.to_owned()
}

/// The HTTP status of a GET.
fn status_of(address: &str, path: &str) -> u16 {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.split_whitespace().nth(1).unwrap().parse().unwrap()
}
