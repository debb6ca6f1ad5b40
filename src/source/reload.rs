//! The task that follows a folder: reads, waits until a change is settled, builds, publishes.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::folder::{Folder, FolderError, Interpreted, takes_away};
use super::publish::Publication;
use super::settle::{Seen, Settling};
use crate::manifest::Files;
use crate::store::{InForce, Publisher, Vector};
use crate::telemetry::Metrics;
use crate::telemetry::label::Kind as KindLabel;
use crate::world::{self, Settings};

/// How often the folder is read.
const INTERVAL: Duration = Duration::from_millis(100);

/// A folder in force: each change that settles becomes one new snapshot.
pub struct Reload {
    root: PathBuf,
    settings: Settings,
    folder: Folder,
    settling: Settling,
    publication: Publication,
    metrics: Arc<Metrics>,
    began: Instant,
    /// Objects that mean nothing here, as the log was told.
    others: BTreeMap<String, usize>,
    unreadable: Option<String>,
    /// Folders below the root that could not be listed, as the log was told.
    unreadable_parts: BTreeSet<String>,
}

/// What one look at the folder found.
struct Look {
    files: BTreeMap<PathBuf, Seen>,
    whole: Result<(), String>,
    /// Folders below the root that cannot be listed.
    parts: BTreeSet<String>,
}

// === impl Reload ===

impl Reload {
    /// Reads the folder and publishes its first snapshot. Blocks until that is done.
    ///
    /// # Errors
    /// When the folder or a file in it cannot be read, a file is no YAML or JSON, or an object of ours cannot be placed.
    pub fn start(
        root: &Path,
        settings: Settings,
        publisher: Publisher<InForce>,
        metrics: Arc<Metrics>,
    ) -> Result<Self, FolderError> {
        let Look { files, whole, parts } = rested(root);
        if let Err(error) = whole {
            return Err(FolderError { problems: vec![error] });
        }
        if !parts.is_empty() {
            // What stands there is not known, and it may be what restricts.
            return Err(FolderError { problems: parts.into_iter().collect() });
        }
        let mut reload = Self {
            root: root.to_owned(),
            settings,
            folder: Folder::default(),
            settling: Settling::begin(files),
            publication: Publication::new(publisher, Arc::clone(&metrics)),
            metrics,
            began: Instant::now(),
            others: BTreeMap::new(),
            unreadable: None,
            unreadable_parts: BTreeSet::new(),
        };
        let interpreted = reload.interpret();
        if !interpreted.problems.is_empty() {
            return Err(FolderError { problems: interpreted.problems });
        }
        reload.publish(&interpreted);
        Ok(reload)
    }

    /// What is in force.
    pub fn current(&self) -> Option<Arc<InForce>> {
        self.publication.current()
    }

    /// Follows the folder for ever. Every read happens off the runtime's threads.
    ///
    /// # Errors
    /// When a read panicked: the caller must not go on serving what can no longer change.
    pub async fn run(mut self) -> Result<(), tokio::task::JoinError> {
        loop {
            tokio::time::sleep(INTERVAL).await;
            self = tokio::task::spawn_blocking(move || {
                self.tick();
                self
            })
            .await?;
        }
    }

    /// Looks once, and publishes if a change has settled.
    pub(super) fn tick(&mut self) {
        let Look { files, whole, parts } = look(&self.root, self.settling.files());
        match (&whole, &self.unreadable) {
            (Err(error), before) => {
                if before.as_ref() != Some(error) {
                    tracing::error!(%error, "the folder cannot be read; what it last held stays in force");
                    self.metrics.source_error(KindLabel::Manifest);
                    self.unreadable = Some(error.clone());
                }
                return;
            }
            (Ok(()), Some(_)) => {
                tracing::info!("the folder can be read again");
                self.unreadable = None;
            }
            (Ok(()), None) => {}
        }
        if parts != self.unreadable_parts {
            for error in parts.difference(&self.unreadable_parts) {
                tracing::error!(%error, "a folder cannot be read; what it last held stays in force");
                self.metrics.source_error(KindLabel::Manifest);
            }
            self.unreadable_parts = parts;
        }
        let changed = self.settling.observe(self.began.elapsed(), &files, takes_away);
        if changed.is_empty() {
            return;
        }
        let interpreted = self.interpret();
        for problem in &interpreted.problems {
            tracing::error!(%problem, "a file cannot be read in whole: its objects grant nothing until it can");
            self.metrics.source_error(KindLabel::Manifest);
        }
        self.publish(&interpreted);
    }

    fn interpret(&mut self) -> Interpreted {
        self.folder.interpret(self.settling.files(), self.settings.clone())
    }

    fn publish(&mut self, interpreted: &Interpreted) {
        let began = Instant::now();
        self.publication.publish(world::build(&interpreted.input), Vector::default(), began);
        if self.others != interpreted.others {
            for (kind, objects) in &interpreted.others {
                tracing::info!(%kind, objects, "ignored: no kind that matters here");
            }
            self.others.clone_from(&interpreted.others);
        }
    }
}

/// The folder as two looks in a row find it; a folder that never rests as the last of some looks finds it. Who starts in
/// the middle of a checkout must not begin without the files that are still to come.
fn rested(root: &Path) -> Look {
    const LOOKS: usize = 20;
    let mut before = look(root, &BTreeMap::new());
    for _ in 0..LOOKS {
        if before.whole.is_err() {
            break;
        }
        std::thread::sleep(INTERVAL);
        let now = look(root, &BTreeMap::new());
        let agree = now.files == before.files && now.parts == before.parts;
        before = now;
        if agree {
            break;
        }
    }
    before
}

/// Everything in the folder at one moment. A file below a part that cannot be listed counts as it was before; an error is
/// about the folder as a whole.
fn look(root: &Path, before: &BTreeMap<PathBuf, Seen>) -> Look {
    let read = Files::read(&[root.to_owned()]);
    let mut files: BTreeMap<PathBuf, Seen> =
        read.iter().map(|(path, text)| (path.to_owned(), Seen::Text(text.to_owned()))).collect();
    let mut whole = Ok(());
    let mut parts = BTreeSet::new();
    for error in read.errors() {
        if error.file == root {
            whole = Err(error.to_string());
        } else if error.file.is_dir() || before.keys().any(|path| *path != error.file && path.starts_with(&error.file))
        {
            // Also a link to a folder that leads nowhere now.
            let below = before.iter().filter(|(path, _)| path.starts_with(&error.file));
            files.extend(below.map(|(path, seen)| (path.clone(), seen.clone())));
            parts.insert(error.to_string());
        } else {
            files.insert(error.file.clone(), Seen::Unreadable(error.message.clone()));
        }
    }
    Look { files, whole, parts }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_to_a_folder_that_leads_nowhere_takes_nothing_away() {
        let folder = std::env::temp_dir().join(format!("kube-iam-reload-{}", std::process::id()));
        let (root, real) = (folder.join("root"), folder.join("real"));
        std::fs::create_dir_all(&root).unwrap();
        std::fs::create_dir_all(&real).unwrap();
        std::fs::write(real.join("a.yaml"), "x: y").unwrap();
        std::os::unix::fs::symlink(&real, root.join("sub")).unwrap();
        let before = look(&root, &BTreeMap::new());
        assert_eq!((before.files.len(), before.parts.len()), (1, 0));
        std::fs::rename(&real, folder.join("gone")).unwrap();
        let after = look(&root, &before.files);
        assert_eq!((after.files, after.parts.len()), (before.files, 1));
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
