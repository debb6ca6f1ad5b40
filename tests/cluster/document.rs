//! The documents, as somebody follows them in a shell: what is in them is run as it stands there.

use std::env;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use crate::control_plane::build::{HELM_4, Programs};
use crate::control_plane::cluster::Cluster;
use crate::control_plane::folder::Folder;
use crate::control_plane::kubectl::{Output, run_to_end};

/// The checkout.
pub const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// A part of a document.
pub struct Document {
    text: String,
}

/// The break-glass admin's shell, in the checkout: kubectl, helm and kube-iam are on its path.
pub struct Shell {
    folder: Folder,
    kubeconfig: String,
}

/// A command and what it prints.
#[derive(Debug, Default)]
pub struct Promise {
    pub command: String,
    pub output: Vec<String>,
}

// === impl Document ===

impl Document {
    /// A file of the checkout.
    #[track_caller]
    pub fn read(file: &str) -> Self {
        let path = Path::new(ROOT).join(file);
        Self { text: fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display())) }
    }

    /// The part below a heading of the second level.
    #[track_caller]
    pub fn section(self, title: &str) -> Self {
        let heading = format!("\n## {title}\n");
        let (_, after) = self.text.split_once(&heading).unwrap_or_else(|| panic!("no section `{title}`"));
        Self { text: after.split("\n## ").next().unwrap().to_owned() }
    }

    /// Fenced blocks of a language, without the indentation of a list.
    pub fn blocks(&self, language: &str) -> Vec<String> {
        let fence = format!("```{language}");
        let mut found = Vec::new();
        let mut lines = self.text.lines();
        while let Some(line) = lines.next() {
            let Some(indentation) = line.strip_suffix(&fence).filter(|before| before.trim().is_empty()) else {
                continue;
            };
            let end = format!("{indentation}```");
            let inside = lines.by_ref().take_while(|line| *line != end);
            found.push(inside.map(|line| format!("{}\n", line.strip_prefix(indentation).unwrap_or(line))).collect());
        }
        found
    }

    /// The one block of shell commands that begins with `# [name]`.
    #[track_caller]
    pub fn named(&self, name: &str) -> String {
        let first = format!("# [{name}]\n");
        let mut found = self.blocks("sh").into_iter().filter(|block| block.starts_with(&first));
        let block = found.next().unwrap_or_else(|| panic!("no block `{name}`"));
        assert!(found.next().is_none(), "block `{name}` twice");
        block
    }

    /// The names of all blocks that have one.
    pub fn names(&self) -> Vec<String> {
        let first = |block: &String| Some(block.lines().next()?.strip_prefix("# [")?.strip_suffix(']')?.to_owned());
        self.blocks("sh").iter().filter_map(first).collect()
    }

    /// The commands of blocks called `console`, each with its output.
    pub fn promises(&self) -> Vec<Promise> {
        let mut found: Vec<Promise> = Vec::new();
        for block in self.blocks("console") {
            for line in block.lines() {
                match (line.strip_prefix("$ "), found.last_mut()) {
                    (Some(command), _) => found.push(Promise { command: command.to_owned(), output: Vec::new() }),
                    (None, Some(promise)) => promise.output.push(line.to_owned()),
                    (None, None) => panic!("`{line}` follows no command"),
                }
            }
        }
        found
    }
}

// === impl Shell ===

impl Shell {
    /// The shell of a cluster's break-glass admin, whose kubeconfig it may change.
    #[track_caller]
    pub fn new(cluster: &Cluster) -> Self {
        let folder = Folder::new("shell").unwrap();
        let programs = [
            ("kubectl", Programs::get().unwrap().path("kubectl")),
            ("helm", HELM_4.programs().unwrap().path("helm")),
            ("kube-iam", env!("CARGO_BIN_EXE_kube-iam").into()),
        ];
        for (name, program) in programs {
            symlink(program, folder.path().join(name)).unwrap();
        }
        Self { folder, kubeconfig: cluster.admin().path().display().to_string() }
    }

    /// Runs commands up to the first that fails.
    #[track_caller]
    pub fn run(&self, commands: &str) -> Output {
        let path = format!("{}:{}", self.folder.path().display(), env::var("PATH").unwrap_or_default());
        let mut shell = Command::new("sh");
        shell.args(["-euc", commands]).current_dir(ROOT).env_clear();
        shell.env("PATH", path).env("HOME", self.folder.path()).env("KUBECONFIG", &self.kubeconfig);
        match run_to_end(&mut shell, "") {
            Ok(output) => output,
            Err(message) => panic!("{message}"),
        }
    }
}

// === impl Promise ===

impl Promise {
    /// Whether this is what was printed. `...` stands for any number of lines, and within a line for any text.
    pub fn is_kept_by(&self, printed: &str) -> bool {
        fits(&self.output, &printed.lines().collect::<Vec<_>>())
    }
}

// === free functions ===

fn fits(promised: &[String], printed: &[&str]) -> bool {
    match promised.split_first() {
        None => printed.is_empty(),
        Some((line, rest)) if line == "..." => (0..=printed.len()).any(|from| fits(rest, &printed[from..])),
        Some((line, rest)) => {
            printed.split_first().is_some_and(|(first, others)| fits_line(line, first) && fits(rest, others))
        }
    }
}

fn fits_line(promised: &str, printed: &str) -> bool {
    match promised.split_once("...") {
        None => promised == printed,
        Some((start, end)) => {
            printed.len() >= start.len() + end.len() && printed.starts_with(start) && printed.ends_with(end)
        }
    }
}

#[test]
fn a_document_is_taken_apart() {
    let text = "# A\n\n## B\n\n1. c\n\n   ```sh\n   # [d e]\n   f <<'X'\n     g\n   X\n   ```\n\n```console\n$ h\ni 1\n...\n$ j\n```\n\n## K\n";
    let document = Document { text: text.to_owned() }.section("B");
    assert_eq!(document.names(), ["d e"]);
    assert_eq!(document.named("d e"), "# [d e]\nf <<'X'\n  g\nX\n");
    let promises = document.promises();
    assert_eq!(promises.iter().map(|promise| promise.command.as_str()).collect::<Vec<_>>(), ["h", "j"]);
    assert!(promises[0].is_kept_by("i 1\nk\nl\n") && promises[0].is_kept_by("i 1\n"));
    assert!(!promises[0].is_kept_by("i 2\n") && !promises[1].is_kept_by("i\n") && promises[1].is_kept_by(""));
    assert!(fits_line("a ... z", "a b z") && !fits_line("a ... z", "a z") && !fits_line("a", "b"));
}
