//! What a world is built from.

use std::collections::BTreeMap;
use std::sync::Arc;

use smol_str::SmolStr;

use super::declaration::{Declaration, NAME_LABEL};
use crate::name::Scope;
use crate::policy::tree::{Node, Position};

/// Everything that a world is a function of.
#[derive(Clone, Debug, Default)]
pub struct Input {
    /// How the process was configured.
    pub settings: Settings,
    /// Objects of our four kinds, in any order.
    pub objects: Vec<Object>,
    /// Facts of namespaces, in any order. An account without an entry exists, with unknown labels.
    pub namespaces: Vec<NamespaceFacts>,
    /// Kinds beside Kubernetes' own, in any order.
    pub kinds: Vec<KindFacts>,
}

/// The part of the configuration that decisions depend on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The cluster's name; empty by default.
    pub cluster: SmolStr,
    /// The management account; `kube-iam-system` by default.
    pub management_account: SmolStr,
    /// The Kubernetes identity that is root of the management account.
    pub management_root: Option<SmolStr>,
}

/// Our four kinds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// IamUser.
    User,
    /// IamGroup.
    Group,
    /// IamRole.
    Role,
    /// IamPolicy.
    Policy,
}

/// Which object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectKey {
    /// Its kind.
    pub kind: Kind,
    /// Its namespace, which is its account.
    pub account: SmolStr,
    /// `metadata.name`.
    pub name: SmolStr,
}

/// One object of ours, as far as it could be read.
#[derive(Clone, Debug)]
pub struct Object {
    /// Which object.
    pub key: ObjectKey,
    /// `metadata.uid`; absent for objects from a folder.
    pub uid: Option<SmolStr>,
    /// What it declares.
    pub spec: Spec,
    /// The last `spec` of this object that was valid, where the reader knows one. It matters only while `spec` is not
    /// valid: then its restrictions hold and it grants nothing.
    pub last_good: Option<Arc<Node>>,
    /// Whether `metadata.deletionTimestamp` is set: it grants nothing any more, its restrictions hold.
    pub deleting: bool,
    /// Where it was read.
    pub origin: Option<Origin>,
}

/// The `spec` of an object.
#[derive(Clone, Debug)]
pub enum Spec {
    /// As it was read; validity is judged by the world.
    Read(Arc<Node>),
    /// It could not be read at all, and why.
    Unreadable(String),
}

/// A place in a folder of manifests.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Origin {
    /// The file, as the user named the folder.
    pub file: String,
    /// Where the object begins.
    pub at: Position,
}

/// What is known of a namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamespaceFacts {
    /// Its name.
    pub name: SmolStr,
    /// Its labels. There may be tens of thousands, so they are shared from build to build.
    pub labels: Arc<BTreeMap<SmolStr, SmolStr>>,
    /// The annotation `kube-iam.dev/root-identity`.
    pub root_identity: Option<SmolStr>,
    /// Whether the annotation `kube-iam.dev/root-mfa` is `optional`.
    pub root_mfa_optional: bool,
}

/// What is known of a kind of object from its CustomResourceDefinition.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct KindFacts {
    /// API group.
    pub group: SmolStr,
    /// Plural resource name.
    pub plural: SmolStr,
    /// Namespaced or Cluster.
    pub scope: Scope,
}

// === impl Input ===

impl Input {
    /// Adds what was declared; a kind that means nothing here changes nothing.
    pub fn add(&mut self, declaration: Declaration) {
        match declaration {
            Declaration::Object(object) => self.objects.push(object),
            Declaration::Namespace(facts) => self.namespaces.push(facts),
            Declaration::Kind(facts) => self.kinds.push(facts),
            Declaration::Other { .. } => {}
        }
    }
}

// === impl NamespaceFacts ===

impl NamespaceFacts {
    /// What a namespace says: `labels` as they were written, and its annotations [`ROOT_IDENTITY`] and [`ROOT_MFA`].
    ///
    /// [`ROOT_IDENTITY`]: super::declaration::ROOT_IDENTITY
    /// [`ROOT_MFA`]: super::declaration::ROOT_MFA
    pub fn new(
        name: SmolStr,
        mut labels: BTreeMap<SmolStr, SmolStr>,
        root_identity: Option<&str>,
        root_mfa: Option<&str>,
    ) -> Self {
        labels.insert(NAME_LABEL.into(), name.clone());
        let root_identity = root_identity.map(SmolStr::from);
        Self { name, labels: Arc::new(labels), root_identity, root_mfa_optional: root_mfa == Some("optional") }
    }
}

// === impl Settings ===

impl Default for Settings {
    fn default() -> Self {
        Self { cluster: SmolStr::default(), management_account: "kube-iam-system".into(), management_root: None }
    }
}

// === impl Kind ===

impl Kind {
    /// All four.
    pub const ALL: [Kind; 4] = [Kind::User, Kind::Group, Kind::Role, Kind::Policy];

    /// `IamUser`, …
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::User => "IamUser",
            Kind::Group => "IamGroup",
            Kind::Role => "IamRole",
            Kind::Policy => "IamPolicy",
        }
    }

    /// The word of this kind in an ARN: `user`, …
    pub fn arn_word(self) -> &'static str {
        match self {
            Kind::User => "user",
            Kind::Group => "group",
            Kind::Role => "role",
            Kind::Policy => "policy",
        }
    }
}

impl std::fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}/{}", self.kind.as_str(), self.account, self.name)
    }
}
