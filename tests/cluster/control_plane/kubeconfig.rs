//! Who talks to the API server.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::folder::Folder;

/// A kubeconfig file: one server, one identity.
#[derive(Debug, Clone)]
pub struct Kubeconfig {
    path: PathBuf,
}

// === impl Kubeconfig ===

impl Kubeconfig {
    /// Writes a kubeconfig for an identity that proves itself with `user`, the fields of a kubeconfig's `user`.
    pub(super) fn write(folder: &Folder, name: &str, server: &str, ca: &Path, user: Value) -> Result<Self, String> {
        let content = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "test", "cluster": {"server": server, "certificate-authority": ca}}],
            "users": [{"name": "test", "user": user}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
            "current-context": "test",
        });
        let path = folder.write(&format!("{name}.kubeconfig"), &content.to_string())?;
        Ok(Self { path })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }
}
