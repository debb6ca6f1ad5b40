//! One object as an API server stores it.
//!
//! What an object of ours declares is read like a manifest, by the one strict reader; only what stands around it is taken
//! apart here. Whatever its `spec` holds, an object whose namespace and name can be read is never passed over: its
//! restrictions may be all that stands between somebody and something.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::value::RawValue;
use smol_str::SmolStr;

use super::lines;
use crate::name::Scope;
use crate::policy::json;
use crate::policy::tree::{Entry, Node, Value};
use crate::store::{NamespaceEntry, Seen, WatchedKind};
use crate::world::{Declaration, Kind, KindFacts, NamespaceFacts, Object, ObjectKey, ROOT_IDENTITY, ROOT_MFA, Spec};

/// One object.
#[derive(Clone, Debug)]
pub(super) struct Item {
    /// `metadata.resourceVersion`.
    pub version: u64,
    /// What it is.
    pub content: Content,
}

/// What an object is.
#[derive(Clone, Debug)]
pub(super) enum Content {
    /// One of ours.
    Ours(Box<Stored>),
    /// A namespace; without an entry when its labels or annotations cannot be read.
    Namespace(SmolStr, Option<NamespaceEntry>),
    /// A CustomResourceDefinition, and the kind that it brings if that can be read.
    Definition(SmolStr, Option<KindFacts>),
    /// An APIService, and the `group/version` that another server serves; none for what the API server itself serves.
    ApiService(SmolStr, Option<SmolStr>),
}

/// Which object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Id {
    /// One of ours.
    Ours(ObjectKey),
    /// A namespace.
    Namespace(SmolStr),
    /// A CustomResourceDefinition.
    Definition(SmolStr),
    /// An APIService.
    ApiService(SmolStr),
}

/// One object of ours.
#[derive(Clone, Debug)]
pub(super) struct Stored {
    /// What it declares. It carries no last good form yet.
    pub object: Object,
    /// `metadata.generation`.
    pub generation: i64,
    /// `metadata.finalizers`.
    pub finalizers: Vec<SmolStr>,
    /// `status`, JSON.
    pub status: Option<Arc<str>>,
    /// The last good form that its status records.
    pub recorded: Option<Recorded>,
}

/// The record of a last good form: `status.lastGood`.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Recorded {
    /// The generation that it was; 0 where the record does not say.
    pub generation: i64,
    /// The `spec`.
    pub spec: Arc<Node>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(borrow, default)]
    namespace: Cow<'a, str>,
    #[serde(borrow)]
    resource_version: Cow<'a, str>,
    #[serde(borrow, default)]
    uid: Cow<'a, str>,
    #[serde(default)]
    generation: i64,
    #[serde(borrow, default)]
    deletion_timestamp: Option<&'a RawValue>,
    #[serde(borrow, default)]
    finalizers: Vec<Cow<'a, str>>,
}

/// The top of an object, or its metadata: keys with their texts.
type Texts<'a> = BTreeMap<Cow<'a, str>, &'a RawValue>;

// === impl Item ===

impl Item {
    /// Reads an object of a collection. `None` when not even its name and version can be read.
    pub(super) fn read(kind: WatchedKind, text: &str) -> Option<Self> {
        #[derive(Deserialize)]
        struct Named<'a> {
            #[serde(borrow)]
            metadata: Metadata<'a>,
        }
        let Named { metadata } = serde_json::from_str(text).ok()?;
        let version = metadata.resource_version.parse().ok()?;
        let name = SmolStr::from(&*metadata.name);
        if name.is_empty() {
            return None;
        }
        let content = match kind {
            // Ours are namespaced; a definition that says otherwise is not ours.
            WatchedKind::Ours(_) if metadata.namespace.is_empty() => return None,
            WatchedKind::Ours(kind) => Content::Ours(Box::new(Stored::read(kind, &metadata, text))),
            WatchedKind::Namespace => {
                let facts = namespace_facts(&name, text);
                let deleting = metadata.deletion_timestamp.is_some();
                let uid = (&*metadata.uid).into();
                // The epoch is not the item's to know.
                let since = Seen { epoch: 0, version };
                Content::Namespace(name, facts.map(|facts| NamespaceEntry { facts, uid, deleting, since, left: None }))
            }
            WatchedKind::CustomResourceDefinition => Content::Definition(name, kind_facts(text)),
            WatchedKind::ApiService => Content::ApiService(name, elsewhere(text)),
        };
        Some(Self { version, content })
    }
}

// === impl Content ===

impl Content {
    /// Which object it is.
    pub(super) fn id(&self) -> Id {
        match self {
            Self::Ours(stored) => Id::Ours(stored.object.key.clone()),
            Self::Namespace(name, _) => Id::Namespace(name.clone()),
            Self::Definition(name, _) => Id::Definition(name.clone()),
            Self::ApiService(name, _) => Id::ApiService(name.clone()),
        }
    }
}

// === impl Stored ===

impl Stored {
    fn read(kind: Kind, metadata: &Metadata<'_>, text: &str) -> Self {
        let key = ObjectKey { kind, account: (&*metadata.namespace).into(), name: (&*metadata.name).into() };
        let object = match declared(text) {
            Ok(Declaration::Object(object)) if object.key == key => object,
            Ok(_) => unreadable(key, metadata, format!("it is no {}", kind.as_str())),
            Err(why) => unreadable(key, metadata, why),
        };
        let status = status(text);
        Self {
            object,
            generation: metadata.generation,
            finalizers: metadata.finalizers.iter().map(|name| SmolStr::from(&**name)).collect(),
            recorded: status.and_then(recorded),
            status: status.map(|status| Arc::from(status.get())),
        }
    }
}

// === free functions ===

fn unreadable(key: ObjectKey, metadata: &Metadata<'_>, why: String) -> Object {
    Object {
        key,
        uid: Some((&*metadata.uid).into()),
        spec: Spec::Unreadable(why),
        last_good: None,
        deleting: metadata.deletion_timestamp.is_some(),
        origin: None,
    }
}

/// What an object of ours declares. Of its metadata only what the declaration needs is looked at: what managers of fields
/// left there may be nested deeper than anything that is read.
fn declared(text: &str) -> Result<Declaration, String> {
    let top: Texts<'_> = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let mut entries = Vec::new();
    for (key, raw) in &top {
        let value = match &**key {
            "status" => continue,
            "metadata" => metadata_of(raw, &["name", "namespace", "uid", "deletionTimestamp"])?,
            _ => node(raw.get())?,
        };
        entries.push(entry(key, value));
    }
    let object = Node::new(Value::Map(entries.into()));
    Declaration::read(&object, None).map_err(|error| error.to_string())
}

/// What a namespace says. There is no limit on how much: who writes a namespace could make it unreadable otherwise.
fn namespace_facts(name: &str, text: &str) -> Option<NamespaceFacts> {
    #[derive(Deserialize)]
    struct Namespace<'a> {
        #[serde(borrow)]
        metadata: NamespaceMetadata<'a>,
    }
    #[derive(Deserialize)]
    struct NamespaceMetadata<'a> {
        #[serde(default)]
        labels: Option<BTreeMap<String, String>>,
        #[serde(borrow, default)]
        annotations: Option<Texts<'a>>,
    }
    let Namespace { metadata } = serde_json::from_str(text).ok()?;
    let annotations = metadata.annotations.unwrap_or_default();
    let annotation = |key: &str| -> Result<Option<String>, serde_json::Error> {
        annotations.get(key).map(|raw| serde_json::from_str(raw.get())).transpose()
    };
    let (identity, mfa) = (annotation(ROOT_IDENTITY).ok()?, annotation(ROOT_MFA).ok()?);
    let labels =
        metadata.labels.unwrap_or_default().into_iter().map(|(key, value)| (key.into(), value.into())).collect();
    Some(NamespaceFacts::new(name.into(), labels, identity.as_deref(), mfa.as_deref()))
}

fn kind_facts(text: &str) -> Option<KindFacts> {
    #[derive(Deserialize)]
    struct Definition<'a> {
        #[serde(borrow)]
        spec: DefinitionSpec<'a>,
    }
    #[derive(Deserialize)]
    struct DefinitionSpec<'a> {
        #[serde(borrow)]
        group: Cow<'a, str>,
        #[serde(borrow)]
        names: Names<'a>,
        #[serde(borrow)]
        scope: Cow<'a, str>,
    }
    #[derive(Deserialize)]
    struct Names<'a> {
        #[serde(borrow)]
        plural: Cow<'a, str>,
    }
    let Definition { spec } = serde_json::from_str(text).ok()?;
    let scope = match &*spec.scope {
        "Namespaced" => Scope::Namespaced,
        "Cluster" => Scope::Cluster,
        _ => return None,
    };
    Some(KindFacts { group: (&*spec.group).into(), plural: (&*spec.names.plural).into(), scope })
}

/// The group and version of an APIService behind which another server stands.
fn elsewhere(text: &str) -> Option<SmolStr> {
    #[derive(Deserialize)]
    struct ApiService<'a> {
        #[serde(borrow)]
        spec: ApiServiceSpec<'a>,
    }
    #[derive(Deserialize)]
    struct ApiServiceSpec<'a> {
        #[serde(borrow)]
        group: Cow<'a, str>,
        #[serde(borrow)]
        version: Cow<'a, str>,
        #[serde(borrow, default)]
        service: Option<&'a RawValue>,
    }
    let ApiService { spec } = serde_json::from_str(text).ok()?;
    spec.service?;
    Some(smol_str::format_smolstr!("{}/{}", spec.group, spec.version))
}

fn status(text: &str) -> Option<&RawValue> {
    #[derive(Deserialize)]
    struct WithStatus<'a> {
        #[serde(borrow, default)]
        status: Option<&'a RawValue>,
    }
    serde_json::from_str::<WithStatus<'_>>(text).ok()?.status
}

fn recorded(status: &RawValue) -> Option<Recorded> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct WithRecord<'a> {
        #[serde(borrow)]
        last_good: Record<'a>,
    }
    #[derive(Deserialize)]
    struct Record<'a> {
        #[serde(default)]
        generation: i64,
        #[serde(borrow)]
        spec: &'a RawValue,
    }
    let WithRecord { last_good } = serde_json::from_str(status.get()).ok()?;
    let spec = Arc::new(node(last_good.spec.get()).ok()?);
    Some(Recorded { generation: last_good.generation, spec })
}

/// These keys of metadata.
fn metadata_of(text: &RawValue, wanted: &[&str]) -> Result<Node, String> {
    let texts: Texts<'_> = serde_json::from_str(text.get()).map_err(|error| error.to_string())?;
    let wanted = texts.iter().filter(|(key, _)| wanted.contains(&&***key));
    let entries: Result<Vec<Entry>, String> = wanted.map(|(key, text)| Ok(entry(key, node(text.get())?))).collect();
    Ok(Node::new(Value::Map(entries?.into())))
}

fn node(text: &str) -> Result<Node, String> {
    json::parse(text, lines::LONGEST).map(Node::without_positions).map_err(|error| error.to_string())
}

fn entry(key: &str, value: Node) -> Entry {
    Entry { key: key.into(), key_at: None, value }
}
