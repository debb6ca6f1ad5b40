//! What the API server holds of what matters here, as the watches last saw it.
//!
//! The task that watches is the only writer ([`CatalogWriter`]); readers judge the present by it (admission, status),
//! never requests: decisions are made from a snapshot. Reading takes a lock that is held for a look-up; writing holds it
//! for one change.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::{Arc, PoisonError, RwLock};

use smol_str::SmolStr;
use tokio::sync::watch;

use super::vector::{Seen, Vector, WatchedKind};
use crate::world::{
    Input, Kind, KindFacts, Links, NamespaceFacts, Object, ObjectKey, Settings, can_be_named, is_same, links, size,
};

/// One object of ours.
#[derive(Clone, Debug)]
pub struct Entry {
    /// What it declares, with its last good form where one is known.
    pub object: Object,
    /// The generation of the last good form; `None` where it is not known.
    pub last_good_generation: Option<i64>,
    /// `metadata.resourceVersion`.
    pub version: u64,
    /// `metadata.generation`.
    pub generation: i64,
    /// The resource version with which this generation was first seen: whoever has seen this has seen the generation.
    pub generation_version: u64,
    /// `metadata.finalizers`.
    pub finalizers: Vec<SmolStr>,
    /// `status`, JSON, as it is stored; `None` when there is none.
    pub status: Option<Arc<str>>,
    /// The number of the change that brought this state, see [`Catalog::change`].
    pub change: u64,
}

/// One namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamespaceEntry {
    /// What decisions depend on.
    pub facts: NamespaceFacts,
    /// `metadata.uid`.
    pub uid: SmolStr,
    /// Whether it is being deleted: no object in it grants anything any more.
    pub deleting: bool,
    /// When the one with this uid was first seen.
    pub since: Seen,
    /// When something else than its own watch told that it is being deleted, or gone.
    pub left: Option<Seen>,
}

/// Everything that the watches have seen.
#[derive(Debug, Default)]
pub struct Catalog {
    settings: Settings,
    entries: BTreeMap<ObjectKey, Entry>,
    /// Objects by the number of their last change.
    changed: BTreeMap<u64, ObjectKey>,
    links: BTreeMap<ObjectKey, Links>,
    /// Sizes of the objects of each account, together.
    sizes: BTreeMap<SmolStr, usize>,
    namespaces: BTreeMap<SmolStr, NamespaceEntry>,
    /// Objects that are gone, and restrict until their namespace is gone too or was seen to stand after that moment. Where
    /// another has the name meanwhile, it is declared twice: neither grants anything, and both restrict.
    retained: BTreeMap<(ObjectKey, Option<SmolStr>), (Object, Seen)>,
    /// Objects that may be of another namespace, which had the same name before: they grant nothing until they were seen in
    /// this one.
    distrusted: BTreeSet<ObjectKey>,
    /// By the name of the CustomResourceDefinition or APIService that says so.
    kinds: BTreeMap<SmolStr, Vec<KindFacts>>,
    referrers: BTreeMap<ObjectKey, BTreeSet<ObjectKey>>,
    claims: BTreeMap<(SmolStr, SmolStr), BTreeSet<ObjectKey>>,
    selected_labels: BTreeMap<SmolStr, BTreeSet<ObjectKey>>,
    vector: Vector,
    change: u64,
}

/// The writing end. There is one: it cannot be cloned.
#[derive(Debug)]
pub struct CatalogWriter {
    catalog: Arc<RwLock<Catalog>>,
    changes: watch::Sender<u64>,
}

/// A reading end, cheap to clone.
#[derive(Clone, Debug)]
pub struct CatalogReader {
    catalog: Arc<RwLock<Catalog>>,
    changes: watch::Receiver<u64>,
}

/// The two ends of a catalog that is empty.
pub fn catalog(settings: Settings) -> (CatalogWriter, CatalogReader) {
    let catalog = Arc::new(RwLock::new(Catalog { settings, ..Catalog::default() }));
    let (sender, receiver) = watch::channel(0);
    (CatalogWriter { catalog: Arc::clone(&catalog), changes: sender }, CatalogReader { catalog, changes: receiver })
}

/// The catalog of a world that does not change: what an input holds, of versions that nobody knows.
pub fn catalog_of(input: &Input) -> CatalogReader {
    let (mut writer, reader) = catalog(input.settings.clone());
    writer.write(|catalog| {
        for object in &input.objects {
            catalog.insert(Entry {
                object: object.clone(),
                last_good_generation: None,
                version: 0,
                generation: 0,
                generation_version: 0,
                finalizers: Vec::new(),
                status: None,
                change: 0,
            });
        }
        for facts in &input.namespaces {
            let entry = NamespaceEntry {
                facts: facts.clone(),
                uid: SmolStr::default(),
                deleting: false,
                since: Seen::default(),
                left: None,
            };
            catalog.insert_namespace(entry, Seen::default());
        }
        catalog.set_kinds(SmolStr::default(), input.kinds.clone());
    });
    reader
}

// === impl CatalogWriter ===

impl CatalogWriter {
    /// Changes the catalog, and wakes who waits for changes. Keep it short: readers wait meanwhile.
    pub fn write<T>(&mut self, change: impl FnOnce(&mut Catalog) -> T) -> T {
        let mut catalog = self.catalog.write().unwrap_or_else(PoisonError::into_inner);
        let result = change(&mut catalog);
        let number = catalog.change;
        drop(catalog);
        self.changes.send_if_modified(|seen| std::mem::replace(seen, number) != number);
        result
    }

    /// Looks something up.
    pub fn read<T>(&self, look: impl FnOnce(&Catalog) -> T) -> T {
        look(&self.catalog.read().unwrap_or_else(PoisonError::into_inner))
    }
}

// === impl CatalogReader ===

impl CatalogReader {
    /// Looks something up. Keep it short, and never `await` in it: the writer waits meanwhile.
    pub fn read<T>(&self, look: impl FnOnce(&Catalog) -> T) -> T {
        look(&self.catalog.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The number of the last change ([`Catalog::change`]), to wait for the next one.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.clone()
    }
}

// === impl NamespaceEntry ===

impl NamespaceEntry {
    /// Whether it is being deleted, or gone, whoever tells.
    pub fn is_leaving(&self) -> bool {
        self.deleting || self.left.is_some()
    }
}

// === impl Catalog ===

impl Catalog {
    /// How the process is configured.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// An object.
    pub fn get(&self, key: &ObjectKey) -> Option<&Entry> {
        self.entries.get(key)
    }

    /// All objects, by key.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.values()
    }

    /// The objects that have changed after a change, oldest first. Objects that are gone are none of them.
    pub fn changed_after(&self, change: u64) -> impl Iterator<Item = &Entry> {
        let later = (Bound::Excluded(change), Bound::Unbounded);
        self.changed.range(later).filter_map(|(_, key)| self.entries.get(key))
    }

    /// How many objects there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is no object.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The objects that an object names, by reference or as permissions boundary; whether or not they are there.
    pub fn references(&self, key: &ObjectKey) -> impl Iterator<Item = &ObjectKey> {
        self.links.get(key).into_iter().flat_map(|links| &links.references)
    }

    /// The objects that name an object, by reference or as permissions boundary; whether or not it is there.
    pub fn referrers(&self, key: &ObjectKey) -> impl Iterator<Item = &ObjectKey> {
        self.referrers.get(key).into_iter().flatten()
    }

    /// The objects because of which an object is in use: those that name it where it can be named. Nobody holds a guardrail
    /// or a Resource policy by writing its name where a managed policy belongs.
    pub fn holders(&self, key: &ObjectKey) -> impl Iterator<Item = &ObjectKey> {
        let held = self.entries.get(key).is_none_or(|entry| can_be_named(&entry.object));
        self.referrers(key).filter(move |_| held)
    }

    /// The users of an account that claim a Kubernetes user name.
    pub fn claimants(&self, account: &str, identity: &str) -> impl Iterator<Item = &ObjectKey> {
        self.claims.get(&(account.into(), identity.into())).into_iter().flatten()
    }

    /// The guardrails that ask about a label of namespaces.
    pub fn selecting(&self, label: &str) -> impl Iterator<Item = &ObjectKey> {
        self.selected_labels.get(label).into_iter().flatten()
    }

    /// The guardrails that ask about any label of namespaces.
    pub fn selecting_any(&self) -> impl Iterator<Item = &ObjectKey> {
        self.selected_labels.values().flatten().collect::<BTreeSet<_>>().into_iter()
    }

    /// The objects of a kind that an account holds.
    pub fn held(&self, kind: Kind, account: &str) -> impl Iterator<Item = &Entry> {
        let first = ObjectKey { kind, account: account.into(), name: SmolStr::default() };
        let all = self.entries.range(first..);
        all.take_while(move |(key, _)| key.kind == kind && key.account == account).map(|(_, entry)| entry)
    }

    /// How many objects of a kind an account holds.
    pub fn count(&self, kind: Kind, account: &str) -> usize {
        self.held(kind, account).count()
    }

    /// The size of all objects that an account holds.
    pub fn size(&self, account: &str) -> usize {
        self.sizes.get(account).copied().unwrap_or_default()
    }

    /// A namespace.
    pub fn namespace(&self, name: &str) -> Option<&NamespaceEntry> {
        self.namespaces.get(name)
    }

    /// How many namespaces and how many kinds are known.
    pub fn surroundings(&self) -> (usize, usize) {
        (self.namespaces.len(), self.kinds.values().map(Vec::len).sum())
    }

    /// How far each kind has been seen.
    pub fn vector(&self) -> Vector {
        self.vector
    }

    /// The number of the last change; it grows by one with each. An entry carries the number of its own.
    pub fn change(&self) -> u64 {
        self.change
    }

    /// Everything that a world is a function of. An object whose namespace is being deleted, or is not known, or may be
    /// another than its own, grants nothing, as if it were being deleted itself.
    pub fn input(&self) -> Input {
        let mut objects: Vec<Object> = self.entries.values().map(|entry| entry.object.clone()).collect();
        // Those of one kind and account stand together.
        for of_account in objects.chunk_by_mut(|a, b| a.key.account == b.key.account) {
            let account = of_account.first().map(|object| object.key.account.as_str()).unwrap_or_default();
            if self.namespaces.get(account).is_none_or(NamespaceEntry::is_leaving) {
                of_account.iter_mut().for_each(|object| object.deleting = true);
            }
        }
        for key in &self.distrusted {
            let found = objects.binary_search_by(|object| object.key.cmp(key));
            if let Some(object) = found.ok().and_then(|index| objects.get_mut(index)) {
                object.deleting = true;
            }
        }
        objects.extend(self.retained.values().map(|(object, _)| object.clone()));
        Input {
            settings: self.settings.clone(),
            objects,
            namespaces: self.namespaces.values().map(|entry| entry.facts.clone()).collect(),
            kinds: self.kinds.values().flatten().cloned().collect(),
        }
    }

    /// An object is there, or is another now.
    pub fn insert(&mut self, mut entry: Entry) {
        entry.change = self.next();
        let key = entry.object.key.clone();
        self.changed.insert(entry.change, key.clone());
        // Most changes are of the status alone: what the object names and how large it is stays.
        if !self.entries.get(&key).is_some_and(|before| is_same(&before.object, &entry.object)) {
            self.unlearn(&key);
            self.learn(&entry.object);
        }
        if let Some(before) = self.entries.insert(key, entry) {
            self.changed.remove(&before.change);
        }
    }

    /// An object is gone.
    pub fn remove(&mut self, key: &ObjectKey) -> Option<Entry> {
        self.unlearn(key);
        self.distrusted.remove(key);
        let removed = self.entries.remove(key);
        if let Some(entry) = &removed {
            self.next();
            self.changed.remove(&entry.change);
        }
        removed
    }

    /// An object that was gone at this moment restricts until its namespace is gone too, or was seen to stand later. Only
    /// decisions know of it.
    pub fn retain(&mut self, object: Object, at: Seen) {
        self.next();
        self.retained.insert((object.key.clone(), object.uid.clone()), (Object { deleting: true, ..object }, at));
    }

    /// An object may be of another namespace, which had the same name before. Only decisions know of it.
    pub fn distrust(&mut self, key: &ObjectKey) -> bool {
        let is_news = self.entries.contains_key(key) && self.distrusted.insert(key.clone());
        if is_news {
            self.next();
        }
        is_news
    }

    /// An object was seen in its namespace. Returns whether that was in doubt.
    pub fn trust(&mut self, key: &ObjectKey) -> bool {
        let is_news = self.distrusted.remove(key);
        if is_news {
            self.next();
        }
        is_news
    }

    /// What is retained of a kind: objects, by name and uid.
    pub fn retained(&self, kind: Kind) -> impl Iterator<Item = (&ObjectKey, Option<&SmolStr>)> {
        self.retained.keys().filter(move |(key, _)| key.kind == kind).map(|(key, uid)| (key, uid.as_ref()))
    }

    /// An object that was retained went on its own, or is there after all. Returns whether it was.
    pub fn forget(&mut self, key: &ObjectKey, uid: Option<&SmolStr>) -> bool {
        let is_it = self.retained.remove(&(key.clone(), uid.cloned())).is_some();
        if is_it {
            self.next();
        }
        is_it
    }

    /// Whether an object may be of another namespace.
    pub fn is_distrusted(&self, key: &ObjectKey) -> bool {
        self.distrusted.contains(key)
    }

    /// The objects that may be of another namespace.
    pub fn distrusted(&self) -> impl Iterator<Item = &ObjectKey> {
        self.distrusted.iter()
    }

    /// A namespace is there as it was seen at this moment. Returns whether anything about it is another now.
    pub fn insert_namespace(&mut self, mut entry: NamespaceEntry, at: Seen) -> bool {
        let name = entry.facts.name.clone();
        let before = self.namespaces.get(&name);
        if let Some(before) = before.filter(|before| before.uid == entry.uid) {
            entry.since = before.since;
            // What was seen before that says nothing against it.
            entry.left = before.left.filter(|left| at <= *left);
        }
        let is_another = before.is_some_and(|before| before.uid != entry.uid);
        let stands = !entry.is_leaving();
        let changed = before != Some(&entry);
        let released = self.release(|account, since| *account == name && (is_another || (stands && *since < at)));
        if changed {
            self.next();
            self.namespaces.insert(name, entry);
        }
        changed || released
    }

    /// A namespace is being deleted, or gone, at this moment, as something else than its own watch tells: nothing in it grants
    /// anything. Returns whether that is news; it is none of a namespace that was first seen later.
    pub fn leave_namespace(&mut self, name: &str, at: Seen) -> bool {
        let namespace = self.namespaces.get_mut(name).filter(|namespace| namespace.since <= at);
        let Some(namespace) = namespace.filter(|namespace| namespace.left < Some(at)) else { return false };
        let is_news = !namespace.is_leaving();
        namespace.left = Some(at);
        self.next();
        is_news
    }

    /// A namespace is gone, and everything that was in it. Returns whether there was anything.
    pub fn remove_namespace(&mut self, name: &str) -> bool {
        let removed = self.namespaces.remove(name).is_some();
        if removed {
            self.next();
        }
        self.release(|account, _| account == name) || removed
    }

    /// No other namespaces than those that are known are there at this moment. Returns whether anything was left of others.
    pub fn keep_namespaces(&mut self, at: Seen) -> bool {
        let known: BTreeSet<SmolStr> = self.namespaces.keys().cloned().collect();
        self.release(|account, since| !known.contains(account) && *since <= at)
    }

    /// What a CustomResourceDefinition or an APIService says about kinds; nothing when it is gone. Returns whether that is
    /// another thing than before.
    pub fn set_kinds(&mut self, source: SmolStr, kinds: Vec<KindFacts>) -> bool {
        if self.kinds.get(&source).map_or(&[][..], Vec::as_slice) == kinds {
            return false;
        }
        self.next();
        if kinds.is_empty() {
            self.kinds.remove(&source);
        } else {
            self.kinds.insert(source, kinds);
        }
        true
    }

    /// Every source of kinds.
    pub fn kind_sources(&self) -> impl Iterator<Item = &SmolStr> {
        self.kinds.keys()
    }

    /// A kind is seen in this epoch from now on.
    pub fn begin(&mut self, kind: WatchedKind, epoch: u64) {
        self.vector.begin(kind, epoch);
    }

    /// A kind has been seen up to this resource version.
    pub fn seen(&mut self, kind: WatchedKind, version: u64) {
        self.vector.set(kind, version);
    }

    /// The keys of all objects of a kind.
    pub fn keys(&self, kind: Kind) -> impl Iterator<Item = &ObjectKey> {
        self.entries.keys().filter(move |key| key.kind == kind)
    }

    /// The names of all namespaces.
    pub fn namespace_names(&self) -> impl Iterator<Item = &SmolStr> {
        self.namespaces.keys()
    }

    /// What was retained in such a namespace since such a moment goes. Returns whether there was any.
    fn release(&mut self, is_it: impl Fn(&SmolStr, &Seen) -> bool) -> bool {
        let before = self.retained.len();
        self.retained.retain(|(key, _), (_, since)| !is_it(&key.account, since));
        let released = self.retained.len() != before;
        if released {
            self.next();
        }
        released
    }

    fn next(&mut self) -> u64 {
        self.change = self.change.saturating_add(1);
        self.change
    }

    /// Enters what an object names, claims and selects, and its size.
    fn learn(&mut self, object: &Object) {
        let key = &object.key;
        let links = links(object, &self.settings.management_account);
        for target in &links.references {
            self.referrers.entry(target.clone()).or_default().insert(key.clone());
        }
        for identity in &links.identities {
            self.claims.entry((key.account.clone(), identity.clone())).or_default().insert(key.clone());
        }
        for label in &links.selected_labels {
            self.selected_labels.entry(label.clone()).or_default().insert(key.clone());
        }
        self.links.insert(key.clone(), links);
        let held = self.sizes.entry(key.account.clone()).or_default();
        *held = held.saturating_add(size(object));
    }

    /// Takes all that back, for the object of this key that is there.
    fn unlearn(&mut self, key: &ObjectKey) {
        if let (Some(entry), Some(held)) = (self.entries.get(key), self.sizes.get_mut(&key.account)) {
            *held = held.saturating_sub(size(&entry.object));
            if *held == 0 {
                self.sizes.remove(&key.account);
            }
        }
        let Some(links) = self.links.remove(key) else { return };
        for target in &links.references {
            forget(&mut self.referrers, target, key);
        }
        for identity in links.identities {
            forget(&mut self.claims, &(key.account.clone(), identity), key);
        }
        for label in &links.selected_labels {
            forget(&mut self.selected_labels, label, key);
        }
    }
}

fn forget<K: Ord>(index: &mut BTreeMap<K, BTreeSet<ObjectKey>>, at: &K, key: &ObjectKey) {
    if let Some(keys) = index.get_mut(at) {
        keys.remove(key);
        if keys.is_empty() {
            index.remove(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::tree::Node;
    use crate::world::Spec;

    fn entry(kind: Kind, account: &str, name: &str, spec: &serde_json::Value) -> Entry {
        Entry {
            object: Object {
                key: ObjectKey { kind, account: account.into(), name: name.into() },
                uid: None,
                spec: Spec::Read(Arc::new(Node::from(spec))),
                last_good: None,
                deleting: false,
                origin: None,
            },
            last_good_generation: None,
            version: 1,
            generation: 1,
            generation_version: 1,
            finalizers: Vec::new(),
            status: None,
            change: 0,
        }
    }

    fn names<'a>(keys: impl Iterator<Item = &'a ObjectKey>) -> Vec<String> {
        keys.map(ObjectKey::to_string).collect()
    }

    #[test]
    fn who_names_and_who_claims_follows_every_change() {
        let (mut writer, reader) = catalog(Settings::default());
        let shared = ObjectKey { kind: Kind::Policy, account: "kube-iam-system".into(), name: "base".into() };
        let spec = serde_json::json!({
            "identities": [{"kind": "User", "name": "alice"}],
            "groups": ["devs"],
            "permissionsBoundary": "arn:k8s:iam::kube-iam-system:policy/base",
            "policies": ["arn:k8s:iam::elsewhere:policy/x"],
        });
        writer.write(|catalog| catalog.insert(entry(Kind::User, "payments", "alice", &spec)));
        reader.read(|catalog| {
            assert_eq!(names(catalog.referrers(&shared)), ["IamUser payments/alice"]);
            let devs = ObjectKey { kind: Kind::Group, account: "payments".into(), name: "devs".into() };
            assert_eq!(names(catalog.referrers(&devs)), ["IamUser payments/alice"]);
            assert_eq!(names(catalog.claimants("payments", "alice")), ["IamUser payments/alice"]);
            assert_eq!(names(catalog.claimants("other", "alice")), [""; 0]);
            let foreign = ObjectKey { kind: Kind::Policy, account: "elsewhere".into(), name: "x".into() };
            assert_eq!(names(catalog.referrers(&foreign)), [""; 0]);
        });
        writer.write(|catalog| catalog.insert(entry(Kind::User, "payments", "alice", &serde_json::json!({}))));
        reader.read(|catalog| {
            assert_eq!(names(catalog.referrers(&shared)), [""; 0]);
            assert_eq!(names(catalog.claimants("payments", "alice")), [""; 0]);
            assert_eq!((catalog.referrers.len(), catalog.claims.len()), (0, 0));
        });
    }

    #[test]
    fn a_guardrail_says_which_labels_it_asks_about() {
        let (mut writer, reader) = catalog(Settings::default());
        let spec = serde_json::json!({
            "type": "ResourceControl",
            "targets": {"accountSelector": {"matchLabels": {"env": "prod"},
                "matchExpressions": [{"key": "team", "operator": "Exists"}]}},
            "statements": [],
        });
        let policy = entry(Kind::Policy, "kube-iam-system", "guard", &spec);
        let key = policy.object.key.clone();
        writer.write(|catalog| catalog.insert(policy));
        for label in ["env", "team"] {
            let selecting = reader.read(|catalog| names(catalog.selecting(label)));
            assert_eq!(selecting, ["IamPolicy kube-iam-system/guard"], "{label}");
        }
        writer.write(|catalog| catalog.remove(&key));
        assert_eq!(reader.read(|catalog| names(catalog.selecting("env"))), [""; 0]);
    }

    #[test]
    fn what_changed_is_told_in_order_and_once() {
        let (mut writer, reader) = catalog(Settings::default());
        let spec = serde_json::json!({});
        let [a, b, c] = ["a", "b", "c"].map(|name| entry(Kind::Group, "x", name, &spec));
        let key = b.object.key.clone();
        writer.write(|catalog| [&a, &b, &c, &a].map(|entry| catalog.insert(entry.clone())));
        let after = |change| reader.read(|catalog| names(catalog.changed_after(change).map(|entry| &entry.object.key)));
        assert_eq!(after(0), ["IamGroup x/b", "IamGroup x/c", "IamGroup x/a"]);
        assert_eq!(after(3), ["IamGroup x/a"]);
        writer.write(|catalog| catalog.remove(&key));
        assert_eq!(after(0), ["IamGroup x/c", "IamGroup x/a"]);
        assert_eq!(after(reader.read(Catalog::change)), [""; 0]);
    }

    #[test]
    fn a_change_wakes_who_waits_and_a_look_does_not() {
        let (mut writer, reader) = catalog(Settings::default());
        let mut changes = reader.changes();
        writer.write(|catalog| catalog.seen(WatchedKind::Namespace, 5));
        assert!(!changes.has_changed().unwrap());
        writer.write(|catalog| catalog.insert(entry(Kind::Group, "a", "b", &serde_json::json!({}))));
        assert!(changes.has_changed().unwrap());
        assert_eq!(*changes.borrow_and_update(), reader.read(Catalog::change));
    }

    #[test]
    fn the_size_of_an_account_follows_its_objects() {
        let (mut writer, reader) = catalog(Settings::default());
        let small = entry(Kind::Policy, "shop", "p", &serde_json::json!({}));
        let large = entry(Kind::Policy, "shop", "p", &serde_json::json!({"description": "x".repeat(100)}));
        let other = entry(Kind::User, "shop", "u", &serde_json::json!({}));
        let of = |entries: &[&Entry]| entries.iter().map(|entry| size(&entry.object)).sum::<usize>();
        for (entry, held) in [(&small, of(&[&small])), (&large, of(&[&large])), (&other, of(&[&large, &other]))] {
            writer.write(|catalog| catalog.insert(entry.clone()));
            assert_eq!(reader.read(|catalog| (catalog.size("shop"), catalog.size("elsewhere"))), (held, 0));
        }
        writer.write(|catalog| catalog.remove(&large.object.key));
        assert_eq!(reader.read(|catalog| catalog.size("shop")), of(&[&other]));
        writer.write(|catalog| catalog.remove(&other.object.key));
        writer.write(|catalog| catalog.remove(&other.object.key));
        assert_eq!(reader.read(|catalog| (catalog.size("shop"), catalog.sizes.len())), (0, 0));
    }
}
