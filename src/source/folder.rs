//! The objects of a folder.
//!
//! A folder that changes under its reader must never lose a restriction. So an object is remembered by its last good
//! form, and while its file cannot be read, or no longer parses, the object stays: it grants nothing and keeps the
//! restrictions of that form.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use smol_str::SmolStr;

use super::settle::Seen;
use crate::manifest::{Files, ManifestError, ManifestObject, read_text};
use crate::policy::tree::{Node, Position};
use crate::world::{
    self, Declaration, Input, KindFacts, NamespaceFacts, Object, ObjectKey, Origin, Settings, Spec, World,
};

/// Bytes of standard input that are read.
const STDIN_BYTES: u64 = 64 << 20;

/// Why a folder cannot be used: every error of every file, one a line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .problems.join("\n"))]
pub struct FolderError {
    /// `file:line:column: what is wrong`.
    pub problems: Vec<String>,
}

/// What the files of a folder declare, and what they declared before.
#[derive(Debug, Default)]
pub struct Folder {
    /// By file: what it last declared while all of it could be read.
    files: BTreeMap<PathBuf, Declared>,
    /// The last valid `spec` of each object, by the place where it stands: one key may be declared twice, and then each
    /// declaration has a form of its own.
    last_good: BTreeMap<ObjectKey, BTreeMap<Place, Arc<Node>>>,
}

/// Where an object stands: a file, and how many of the same key stand before it there.
type Place = (PathBuf, usize);

/// What one file declares.
#[derive(Clone, Debug, Default)]
struct Declared {
    objects: Vec<Object>,
    namespaces: Vec<NamespaceFacts>,
    kinds: Vec<KindFacts>,
    /// Kinds that mean nothing here, with how often they came.
    others: BTreeMap<String, usize>,
    problems: Vec<String>,
}

/// The input of a world, and what is wrong with the files that it came from.
#[derive(Clone, Debug)]
pub struct Interpreted {
    /// The input.
    pub input: Input,
    /// `file:line:column: what is wrong`, of files that cannot be read in whole.
    pub problems: Vec<String>,
    /// Objects that mean nothing here: `apiVersion kind`, and how many.
    pub others: BTreeMap<String, usize>,
}

/// Builds the world of these paths once.
///
/// # Errors
/// As [`read`]. An object whose `spec` is wrong is no error: the world says so in its outcome.
pub fn load(paths: &[PathBuf], settings: Settings) -> Result<World, FolderError> {
    read(paths, settings).map(|input| world::build(&input))
}

/// Reads what these paths declare, once; `-` is standard input.
///
/// # Errors
/// When a file cannot be read, is no YAML or JSON, or holds an object of ours that cannot be placed.
pub fn read(paths: &[PathBuf], settings: Settings) -> Result<Input, FolderError> {
    let (standard_input, files): (Vec<PathBuf>, Vec<PathBuf>) =
        paths.iter().cloned().partition(|path| path.as_os_str() == "-");
    let mut seen = BTreeMap::new();
    let mut problems = Vec::new();
    let read = Files::read(&files);
    problems.extend(read.errors().iter().map(ManifestError::to_string));
    for (path, text) in read.iter() {
        seen.insert(path.to_owned(), Seen::Text(text.to_owned()));
    }
    if !standard_input.is_empty() {
        let stdin = std::io::Read::take(std::io::stdin().lock(), STDIN_BYTES);
        match std::io::read_to_string(stdin) {
            Ok(text) => {
                seen.insert("-".into(), Seen::Text(text));
            }
            Err(error) => problems.push(format!("-: cannot be read: {error}")),
        }
    }
    let interpreted = Folder::default().interpret(&seen, settings);
    problems.extend(interpreted.problems);
    if problems.is_empty() { Ok(interpreted.input) } else { Err(FolderError { problems }) }
}

// === impl Folder ===

impl Folder {
    /// What these files declare. Files that cannot be read in whole keep what they declared before, without its grants.
    pub fn interpret(&mut self, files: &BTreeMap<PathBuf, Seen>, settings: Settings) -> Interpreted {
        let mut declared: BTreeMap<PathBuf, Declared> = BTreeMap::new();
        for (path, seen) in files {
            let now = match seen {
                Seen::Text(text) if text.is_empty() && self.declares(path) => Declared {
                    problems: vec![format!(
                        "{}: it is empty and declared objects before; remove the file, or leave a comment in it",
                        path.display()
                    )],
                    ..Declared::default()
                },
                Seen::Text(text) => declarations(path, text),
                Seen::Unreadable(why) => {
                    Declared { problems: vec![format!("{}: {why}", path.display())], ..Declared::default() }
                }
            };
            declared.insert(path.clone(), now);
        }
        self.remember(&declared);
        let mut input = Input { settings, ..Input::default() };
        let mut problems = Vec::new();
        let mut others = BTreeMap::new();
        for (path, now) in &declared {
            problems.extend(now.problems.iter().cloned());
            for (kind, count) in &now.others {
                let total: &mut usize = others.entry(kind.clone()).or_default();
                *total = total.saturating_add(*count);
            }
            if now.problems.is_empty() {
                let placed = now.placed(path);
                input.objects.extend(placed.map(|(place, object)| self.with_last_good(&place, object)));
                input.namespaces.extend(now.namespaces.iter().cloned());
                input.kinds.extend(now.kinds.iter().cloned());
            } else {
                self.restrictions_only(path, now, &mut input);
            }
        }
        // What is whole now is what a later, broken state of the same file falls back to; what a broken file declares
        // comes on top of what it declared before.
        let mut before = std::mem::take(&mut self.files);
        for (path, now) in &mut declared {
            if !now.problems.is_empty() {
                now.keep(before.remove(path).unwrap_or_default());
            }
        }
        self.files = declared;
        self.forget();
        Interpreted { input, problems, others }
    }

    /// Whether a file has declared anything. What is cut to nothing, as on a full disk, is no deletion.
    fn declares(&self, path: &Path) -> bool {
        self.files.get(path).is_some_and(|file| !file.objects.is_empty() || !file.namespaces.is_empty())
    }

    /// Keeps the valid form of every object that can be read now. An object that is invalid and new at its place takes
    /// the form over from a place where it stands no more: it has moved.
    fn remember(&mut self, declared: &BTreeMap<PathBuf, Declared>) {
        let mut invalid: Vec<(Place, ObjectKey)> = Vec::new();
        let mut live: BTreeSet<(ObjectKey, Place)> = BTreeSet::new();
        for (path, now) in declared {
            for (place, object) in now.placed(path) {
                live.insert((object.key.clone(), place.clone()));
                match &object.spec {
                    Spec::Read(spec) if world::check(object).is_empty() => {
                        self.last_good.entry(object.key.clone()).or_default().insert(place, Arc::clone(spec));
                    }
                    Spec::Read(_) | Spec::Unreadable(_) => invalid.push((place, object.key.clone())),
                }
            }
            if !now.problems.is_empty()
                && let Some(before) = self.files.get(path)
            {
                live.extend(before.placed(path).map(|(place, object)| (object.key.clone(), place)));
            }
        }
        for (place, key) in invalid {
            let Some(forms) = self.last_good.get_mut(&key) else { continue };
            if forms.contains_key(&place) {
                continue;
            }
            let left = forms.iter().find(|(place, _)| !live.contains(&(key.clone(), (*place).clone())));
            if let Some((from, form)) = left.map(|(from, form)| (from.clone(), Arc::clone(form))) {
                forms.remove(&from);
                forms.insert(place, form);
            }
        }
    }

    /// Forgets objects that no file declares any more.
    fn forget(&mut self) {
        let live: BTreeSet<(ObjectKey, Place)> = self
            .files
            .iter()
            .flat_map(|(path, file)| file.placed(path).map(|(place, object)| (object.key.clone(), place)))
            .collect();
        self.last_good.retain(|key, forms| {
            forms.retain(|place, _| live.contains(&(key.clone(), place.clone())));
            !forms.is_empty()
        });
    }

    fn with_last_good(&self, place: &Place, object: &Object) -> Object {
        let last_good = self.last_good.get(&object.key).and_then(|forms| forms.get(place)).cloned();
        Object { last_good, ..object.clone() }
    }

    /// A file that cannot be read in whole: everything it declares or declared restricts and grants nothing.
    fn restrictions_only(&self, path: &Path, now: &Declared, input: &mut Input) {
        let why = now.problems.first().cloned().unwrap_or_default();
        let before = self.files.get(path);
        let readable: BTreeSet<&ObjectKey> = now.objects.iter().map(|object| &object.key).collect();
        let before_placed = before.into_iter().flat_map(|before| before.placed(path));
        let gone = before_placed.filter(|(_, object)| !readable.contains(&object.key));
        for (place, object) in now.placed(path).chain(gone) {
            input.objects.push(Object { spec: Spec::Unreadable(why.clone()), ..self.with_last_good(&place, object) });
        }
        let readable: BTreeSet<&str> = now.namespaces.iter().map(|facts| facts.name.as_str()).collect();
        let gone = before.into_iter().flat_map(|b| &b.namespaces).filter(|f| !readable.contains(f.name.as_str()));
        for facts in now.namespaces.iter().chain(gone) {
            // A root from a file that is not whole is nobody's power; who claims its identity is in conflict all the same.
            input.namespaces.push(NamespaceFacts { root_mfa_optional: false, ..facts.clone() });
        }
        let gone = before.into_iter().flat_map(|before| &before.kinds).filter(|kind| !now.kinds.contains(kind));
        input.kinds.extend(now.kinds.iter().chain(gone).cloned());
    }
}

/// Whether a text lacks an object, a namespace or a kind that another one declares, or cannot be read in whole.
pub(super) fn takes_away(path: &Path, old: &str, new: &str) -> bool {
    let (old, new) = (declarations(path, old), declarations(path, new));
    if !new.problems.is_empty() {
        return true;
    }
    let objects: BTreeSet<&ObjectKey> = new.objects.iter().map(|object| &object.key).collect();
    let namespaces: BTreeSet<&str> = new.namespaces.iter().map(|facts| facts.name.as_str()).collect();
    old.objects.iter().any(|object| !objects.contains(&object.key))
        || old.namespaces.iter().any(|facts| !namespaces.contains(facts.name.as_str()))
        || old.kinds.iter().any(|kind| !new.kinds.contains(kind))
}

fn declarations(path: &Path, text: &str) -> Declared {
    let (objects, errors) = read_text(path, text);
    let mut declared =
        Declared { problems: errors.iter().map(ManifestError::to_string).collect(), ..Declared::default() };
    for object in &objects {
        declared.add(object);
    }
    declared
}

// === impl Declared ===

impl Declared {
    /// The objects, each with its place in this file.
    fn placed(&self, path: &Path) -> impl Iterator<Item = (Place, &Object)> {
        let mut seen: BTreeMap<&ObjectKey, usize> = BTreeMap::new();
        self.objects.iter().map(move |object| {
            let number = seen.entry(&object.key).or_default();
            let place = (path.to_owned(), *number);
            *number = number.saturating_add(1);
            (place, object)
        })
    }

    /// Adds what is declared there and not here.
    fn keep(&mut self, before: Self) {
        let objects: BTreeSet<ObjectKey> = self.objects.iter().map(|object| object.key.clone()).collect();
        self.objects.extend(before.objects.into_iter().filter(|object| !objects.contains(&object.key)));
        let names: BTreeSet<SmolStr> = self.namespaces.iter().map(|facts| facts.name.clone()).collect();
        self.namespaces.extend(before.namespaces.into_iter().filter(|facts| !names.contains(&facts.name)));
        self.kinds.extend(before.kinds);
        self.kinds.dedup();
    }

    fn add(&mut self, object: &ManifestObject) {
        let origin = Origin { file: object.file.display().to_string(), at: object.at };
        match Declaration::read(&object.node, Some(origin)) {
            Ok(Declaration::Object(object)) => self.objects.push(object),
            Ok(Declaration::Namespace(facts)) => self.namespaces.push(facts),
            Ok(Declaration::Kind(facts)) => self.kinds.push(facts),
            Ok(Declaration::Other { api_version, kind }) => {
                let count = self.others.entry(format!("{api_version} {kind}")).or_default();
                *count = count.saturating_add(1);
            }
            Err(error) => {
                for problem in &error.problems {
                    let at: Position = problem.at.unwrap_or(object.at);
                    let path = if problem.path.is_empty() { String::new() } else { format!("{}: ", problem.path) };
                    let message = format!("{}:{at}: {path}{}", object.file.display(), problem.message);
                    self.problems.push(message);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "apiVersion: kube-iam.dev/v1alpha1
kind: IamPolicy
metadata: {name: guard, namespace: kube-iam-system}
spec:
  type: ResourceControl
  statements: [{sid: A, effect: Deny, principals: ['*'], actions: ['k8s:delete'], resources: ['*']}]
";

    fn denies(folder: &mut Folder, files: &[(&str, &str)]) -> Vec<String> {
        let files = files.iter().map(|(path, text)| (PathBuf::from(path), Seen::Text((*text).to_owned()))).collect();
        let settings = Settings {
            management_account: "kube-iam-system".into(),
            management_root: None,
            cluster: SmolStr::default(),
        };
        let world = world::build(&folder.interpret(&files, settings).input);
        let statements = world.policies.iter().flat_map(|managed| managed.policy.statements.iter());
        let mut sids: Vec<String> = statements.map(|statement| statement.sid.to_string()).collect();
        sids.sort();
        sids
    }

    #[test]
    fn the_denies_of_a_twin_that_cannot_be_read_are_its_own() {
        let valid = A.replace("sid: A", "sid: B");
        let invalid = valid.replace("spec:", "spec:\n  descriptionn: typo");
        let mut folder = Folder::default();
        assert_eq!(denies(&mut folder, &[("a", A), ("b", &valid)]), ["A", "B"]);
        assert_eq!(denies(&mut folder, &[("a", A), ("b", &invalid)]), ["A", "B"]);
        // Never seen valid: what is readable of it.
        assert_eq!(denies(&mut Folder::default(), &[("a", A), ("b", &invalid)]), ["A", "B"]);
        assert_eq!(denies(&mut Folder::default(), &[("a", &format!("{A}---\n{invalid}"))]), ["A", "B"]);
    }

    #[test]
    fn what_was_added_to_a_broken_file_stays_while_the_file_is_broken() {
        let mut folder = Folder::default();
        let other = A.replace("guard", "other").replace("sid: A", "sid: O");
        assert_eq!(denies(&mut folder, &[("a", &other)]), ["O"]);
        assert_eq!(denies(&mut folder, &[("a", &format!("{other}---\n[broken\n"))]), ["O"]);
        assert_eq!(denies(&mut folder, &[("a", &format!("{A}---\n[broken\n"))]), ["A", "O"]);
        assert_eq!(denies(&mut folder, &[("a", "[broken")]), ["A", "O"]);
        assert_eq!(denies(&mut folder, &[("a", &other)]), ["O"]);
    }

    #[test]
    fn what_moves_into_a_broken_file_and_is_invalid_there_keeps_its_denies() {
        let invalid = A.replace("spec:", "spec:\n  descriptionn: typo");
        let broken = format!("{invalid}---\n[broken\n");
        let mut folder = Folder::default();
        assert_eq!(denies(&mut folder, &[("a", A)]), ["A"]);
        for _ in 0..3 {
            assert_eq!(denies(&mut folder, &[("b", &broken)]), ["A"]);
        }
        assert_eq!(denies(&mut folder, &[("b", "# gone")]), Vec::<String>::new());
    }
}
