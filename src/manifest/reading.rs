//! The doors of this module: files or a text in, objects and errors out.

use std::path::{Path, PathBuf};

use super::error::ManifestError;
use super::files::{Files, TEXT_BYTES};
use super::object::{self, ManifestObject};
use super::yaml;

/// What was read, and what could not be.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reading {
    /// The objects, in the order of the paths asked for, of the files below them, and of the text.
    ///
    /// A file that has an error may have objects here as well: those of its other documents.
    pub objects: Vec<ManifestObject>,
    /// Everything that is wrong, in the same order.
    pub errors: Vec<ManifestError>,
}

/// Reads the files at and below these paths once.
pub fn read(paths: &[PathBuf]) -> Reading {
    Files::read(paths).parse()
}

/// Reads a text, such as standard input; `file` is what errors call it.
pub fn read_text(file: impl AsRef<Path>, text: &str) -> (Vec<ManifestObject>, Vec<ManifestError>) {
    let file = file.as_ref();
    if text.len() > TEXT_BYTES {
        return (Vec::new(), vec![ManifestError::new(file, None, too_large())]);
    }
    let (documents, mut errors) = yaml::documents(file, text);
    let mut objects = Vec::new();
    for document in documents {
        object::objects(file, document, &mut objects, &mut errors);
    }
    errors.sort_by_key(|error| error.at);
    (objects, errors)
}

pub(super) fn too_large() -> String {
    format!("larger than {} MiB; split it", TEXT_BYTES >> 20)
}

// === impl Files ===

impl Files {
    /// The objects of all files.
    pub fn parse(&self) -> Reading {
        let mut reading = Reading { objects: Vec::new(), errors: self.errors().to_vec() };
        for (file, text) in self.iter() {
            let (objects, errors) = read_text(file, text);
            reading.objects.extend(objects);
            reading.errors.extend(errors);
        }
        reading
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// A folder of its own, removed at the end.
    struct Folder(PathBuf);

    impl Folder {
        fn new() -> Self {
            static NUMBER: AtomicUsize = AtomicUsize::new(0);
            let number = NUMBER.fetch_add(1, Ordering::Relaxed);
            let path = std::env::temp_dir().join(format!("kube-iam-manifest-{}-{number}", std::process::id()));
            fs::create_dir_all(&path).unwrap();
            Self(path)
        }

        fn write(&self, path: &str, text: impl AsRef<[u8]>) {
            let path = self.0.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }

        fn object(&self, path: &str, name: &str) {
            self.write(path, format!("apiVersion: v1\nkind: A\nmetadata: {{name: {name}}}\n"));
        }

        fn link(&self, target: &str, path: &str) {
            symlink(target, self.0.join(path)).unwrap();
        }

        /// `<name> <file>` of each object, then the errors.
        fn read(&self) -> Vec<String> {
            self.shown(&read(std::slice::from_ref(&self.0)))
        }

        fn shown(&self, reading: &Reading) -> Vec<String> {
            let root = format!("{}/", self.0.display());
            let objects = reading.objects.iter().map(|object| format!("{} {}", object.name, object.file.display()));
            let errors = reading.errors.iter().map(ToString::to_string);
            objects.chain(errors).map(|line| line.replace(&root, "")).collect()
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            fs::remove_dir_all(&self.0).unwrap();
        }
    }

    #[test]
    fn manifests_are_read_in_the_order_of_their_names() {
        let folder = Folder::new();
        folder.object("b.yml", "b");
        folder.object("a/z.yaml", "z");
        folder.write("c.json", r#"{"apiVersion": "v1", "kind": "A", "metadata": {"name": "c"}}"#);
        folder.write("README.md", "- not a manifest");
        folder.object(".hidden.yaml", "hidden");
        folder.object(".git/x.yaml", "hidden");
        folder.object("a/.b/x.yaml", "hidden");
        assert_eq!(folder.read(), ["z a/z.yaml", "b b.yml", "c c.json"]);
    }

    #[test]
    fn a_mounted_config_map_is_read_through_its_links() {
        let folder = Folder::new();
        folder.object("..2026_01_01/alice.yaml", "alice");
        folder.link("..2026_01_01", "..data");
        folder.link("..data/alice.yaml", "alice.yaml");
        assert_eq!(folder.read(), ["alice alice.yaml"]);

        folder.object("..2026_02_02/alice.yaml", "changed");
        folder.link("..2026_02_02", "..new");
        fs::rename(folder.0.join("..new"), folder.0.join("..data")).unwrap();
        assert_eq!(folder.read(), ["changed alice.yaml"]);
    }

    #[test]
    fn each_file_is_read_once_whatever_links_lead_to_it() {
        let (folder, elsewhere) = (Folder::new(), Folder::new());
        elsewhere.object("x/e.yaml", "e");
        elsewhere.link("x", "y");
        folder.object("d/a.yaml", "a");
        folder.link("d/a.yaml", "0.yaml");
        folder.link("0.yaml", "1.yaml");
        folder.link("d", "0");
        folder.link(".", "d/loop");
        folder.link("loop2", "loop2");
        folder.link(elsewhere.0.to_str().unwrap(), "outside");
        let read = folder.read();
        assert_eq!(read.get(..2).unwrap(), ["a d/a.yaml", "e outside/x/e.yaml"]);
        assert!(read.len() == 3 && read[2].starts_with("loop2: cannot be read: "), "{read:?}");
    }

    #[test]
    fn the_root_may_be_a_link_and_a_file_may_have_any_name() {
        let folder = Folder::new();
        folder.object("d/a.yaml", "a");
        folder.object("d/.b.txt", "b");
        folder.link("d", "current");
        let paths = [folder.0.join("current"), folder.0.join("d/.b.txt"), folder.0.join("d/a.yaml")];
        assert_eq!(folder.shown(&read(&paths)), ["a current/a.yaml", "b d/.b.txt"]);
    }

    #[test]
    fn errors_of_all_files_are_reported_and_hide_nothing() {
        let folder = Folder::new();
        folder.object("b.yaml", "b");
        folder.write("a.yaml", "a: 1\na: 2\n");
        folder.write("c.yaml", "é: 1\nx: \u{1}");
        folder.write("d.yaml", b"a: 1\n\xc3\xa9\xff");
        folder.write("e.yaml", "# ".repeat(TEXT_BYTES));
        folder.link("nowhere", "f.yaml");
        folder.write("g.yaml/b.yaml", "1");
        let mut read = folder.read();
        read.sort();
        assert_eq!(
            read,
            [
                "a.yaml:2:1: duplicate key `a`; it stands at 1:1 already",
                "b b.yaml",
                "c.yaml:2:4: U+0001 is a control character; write it as an escape in double quotes",
                "d.yaml:2:2: not UTF-8",
                "e.yaml: larger than 4 MiB; split it",
                "f.yaml: cannot be read: No such file or directory (os error 2)",
                "g.yaml/b.yaml:1:1: expected a Kubernetes object, found a number",
            ]
        );
    }

    #[test]
    fn a_folder_that_is_not_there_is_an_error_and_not_an_empty_one() {
        let reading = read(&[PathBuf::from("/nowhere/at/all")]);
        assert_eq!(reading.objects, []);
        assert_eq!(reading.errors.len(), 1);
        assert_eq!(reading.errors[0].at, None);
    }
}
