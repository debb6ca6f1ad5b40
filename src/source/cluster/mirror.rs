//! The catalog as an image of the API server: what each notice changes.
//!
//! Pure but for the catalog's lock: the same notices in the same order make the same catalog, whenever they come.
//!
//! # Guarantees
//! No restriction gets lost on the way. An object whose `spec` is not valid keeps its last good form beside it: the one
//! that its status records, or the one that was seen here, whichever is later. An object that was deleted grants nothing
//! from that moment and restricts until it is known that its kind is still served; one whose kind is gone restricts until
//! the kind is listed again. A list that is not whole takes nothing away, and the first one does not count. While a namespace
//! is being deleted, what was in it restricts until it is gone, in whatever order its objects go. In one that was made anew
//! nothing of the former one grants anything; for that, moments of our kinds and of namespaces are compared.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use smol_str::{SmolStr, format_smolstr};

use super::api_server::Holder;
use super::departure::Departure;
use super::item::{Content, Id, Item, Recorded, Stored};
use super::listing::Listing;
use super::notice::Notice;
use super::pace::Urgency;
use super::resource;
use crate::policy::tree::Node;
use crate::store::{Catalog, CatalogWriter, Entry, Seen, Vector, WatchedKind};
use crate::world::{self, Input, Kind, KindFacts, Object, ObjectKey, Spec};

/// Before the name of a CustomResourceDefinition that says something about kinds.
const DEFINITION: &str = "CustomResourceDefinition/";
/// Before the name of an APIService.
const API_SERVICE: &str = "APIService/";

/// The image, and what of it has not been built yet.
#[derive(Debug)]
pub(super) struct Mirror {
    writer: CatalogWriter,
    /// Of each object: what was good of it last.
    good: BTreeMap<ObjectKey, Good>,
    listed: BTreeSet<WatchedKind>,
    /// APIServices behind which other servers stand, by name.
    elsewhere: BTreeMap<SmolStr, Elsewhere>,
    pending: Option<Urgency>,
}

/// A group that another server serves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Elsewhere {
    /// Its group and version.
    pub served: SmolStr,
    /// The resource version of the APIService that says so.
    pub version: u64,
}

/// How something is seen.
#[derive(Clone, Copy, Debug)]
struct Sight {
    /// As it was at this moment.
    at: Seen,
    /// Whether it is the first sight of its kind since the API server went back to an older state.
    begins: bool,
}

/// Whether an object is valid, and the generation of its last good form.
#[derive(Clone, Copy, Debug)]
struct Good {
    now: bool,
    generation: i64,
}

// === impl Mirror ===

impl Mirror {
    pub(super) fn new(writer: CatalogWriter) -> Self {
        Self { writer, good: BTreeMap::new(), listed: BTreeSet::new(), elsewhere: BTreeMap::new(), pending: None }
    }

    /// Whether every kind has been listed.
    pub(super) fn is_whole(&self) -> bool {
        self.listed.len() == WatchedKind::ALL.len()
    }

    /// Whether a kind has been listed.
    pub(super) fn has_listed(&self, kind: WatchedKind) -> bool {
        self.listed.contains(&kind)
    }

    /// How urgent the changes are that were not taken yet; `None` when there are none.
    pub(super) fn pending(&self) -> Option<Urgency> {
        self.pending
    }

    /// How far everything was seen.
    pub(super) fn vector(&self) -> Vector {
        self.writer.read(Catalog::vector)
    }

    /// Takes what there is to build from. What changes from now on is pending.
    pub(super) fn take(&mut self) -> (Input, Vector) {
        self.pending = None;
        self.writer.read(|catalog| (catalog.input(), catalog.vector()))
    }

    /// What there is, all of it built already.
    pub(super) fn input(&self) -> Input {
        self.writer.read(Catalog::input)
    }

    /// What was built is to be built again.
    pub(super) fn doubt(&mut self) {
        self.changes(Urgency::Restricts);
    }

    /// The APIServices behind which other servers stand.
    pub(super) fn elsewhere(&self) -> &BTreeMap<SmolStr, Elsewhere> {
        &self.elsewhere
    }

    /// The kinds of which a list is owed: some object of theirs may be of another namespace than the one that is there. One
    /// that is deleted is no reason: it grants nothing anyway.
    pub(super) fn owed(&self) -> BTreeSet<WatchedKind> {
        self.writer.read(|catalog| {
            let living = |key: &&ObjectKey| catalog.get(key).is_some_and(|entry| !entry.object.deleting);
            catalog.distrusted().filter(living).map(|key| WatchedKind::Ours(key.kind)).collect()
        })
    }

    /// Takes a notice in.
    pub(super) fn apply(&mut self, notice: Notice) {
        match notice {
            Notice::Listed(kind, listing, missing) => {
                // Whoever asked may be gone: then nothing is done about them until the next list.
                let _ = missing.send(self.listed(kind, listing));
            }
            Notice::Changed(kind, item) => self.told(kind, item),
            Notice::Unsettled(kind, item) => {
                let id = item.content.id();
                self.told(kind, item);
                if let Id::Ours(key) = id {
                    self.distrust(&key);
                }
            }
            Notice::Deleted(kind, item) => {
                self.remove(&item.content.id());
                self.seen(kind, item.version);
            }
            Notice::Departed(objects, namespaces) => {
                for departure in objects {
                    let holder = namespaces.get(&departure.key.account).unwrap_or(&Holder::Leaving);
                    self.depart(&departure, holder);
                }
            }
            Notice::Seen(kind, version) => self.seen(kind, version),
            Notice::Gone(kind) => self.gone(kind),
            Notice::Discovered(source, kinds) => {
                if self.elsewhere.contains_key(&source) {
                    self.kinds(format_smolstr!("{API_SERVICE}{source}"), kinds);
                }
            }
        }
    }

    /// Takes a list in. Returns the objects of ours that it misses: they grant nothing any more, and go when they are told
    /// to have departed.
    pub(super) fn listed(&mut self, kind: WatchedKind, listing: Listing) -> Vec<Departure> {
        let whole = listing.is_whole();
        if listing.unidentified > 0 {
            tracing::error!(
                kind = kind.as_str(),
                objects = listing.unidentified,
                "objects without a name or version that can be read; none of this kind counts as deleted meanwhile"
            );
        }
        let at = Seen { epoch: listing.epoch, version: listing.version };
        let sight = Sight { at, begins: self.vector().seen(kind).epoch != at.epoch };
        // First, for nothing that was seen before says anything about what comes now.
        self.writer.write(|catalog| catalog.begin(kind, at.epoch));
        let mut there = BTreeSet::new();
        let mut missing = Vec::new();
        let mut new = Vec::new();
        for item in listing.items {
            if let (Content::Ours(stored), true) = (&item.content, whole) {
                let key = &stored.object.key;
                let (uid_before, is_distrusted) =
                    (self.uid(key), self.writer.read(|catalog| catalog.is_distrusted(key)));
                if is_distrusted || uid_before.as_ref() != Some(&stored.object.uid) {
                    new.push(key.clone());
                }
            }
            there.insert(item.content.id());
            self.changed(item, sight);
        }
        for id in self.ids(kind).into_iter().filter(|id| !there.contains(id)) {
            let is_ours = matches!(id, Id::Ours(_));
            if whole || is_ours {
                self.remove(&id);
            }
            if let (true, Id::Ours(key)) = (whole, id) {
                let uid = self.uid(&key).flatten();
                missing.push(Departure { key, uid, version: at.version });
            }
        }
        if let (WatchedKind::Ours(kind), true) = (kind, whole) {
            let retained: Vec<(ObjectKey, Option<SmolStr>)> = self
                .writer
                .read(|catalog| catalog.retained(kind).map(|(key, uid)| (key.clone(), uid.cloned())).collect());
            for (key, uid) in retained {
                // After the API server went back, what is retained may be there again.
                if self.uid(&key).as_ref() == Some(&uid) {
                    self.writer.write(|catalog| catalog.forget(&key, uid.as_ref()));
                    self.changes(Urgency::Grants);
                } else {
                    missing.push(Departure { key, uid, version: at.version });
                }
            }
        }
        // Of what is new beside them it is not known either whose namespace it is in.
        let accounts: BTreeSet<&SmolStr> = missing.iter().map(|departure| &departure.key.account).collect();
        for key in new.iter().filter(|key| accounts.contains(&key.account)) {
            self.distrust(key);
        }
        if whole && kind == WatchedKind::Namespace && self.writer.write(|catalog| catalog.keep_namespaces(at)) {
            self.changes(Urgency::Restricts);
        }
        self.seen(kind, at.version);
        // Who has never had all of it cannot know what is missing.
        if whole && self.listed.insert(kind) && self.is_whole() {
            self.changes(Urgency::Restricts);
        }
        missing
    }

    /// The uid of an object; `None` when there is no such object.
    fn uid(&self, key: &ObjectKey) -> Option<Option<SmolStr>> {
        self.writer.read(|catalog| catalog.get(key).map(|entry| entry.object.uid.clone()))
    }

    /// Everything of a kind that is known.
    fn ids(&self, kind: WatchedKind) -> Vec<Id> {
        let sources = |catalog: &Catalog, prefix: &str, id: fn(SmolStr) -> Id| -> Vec<Id> {
            catalog.kind_sources().filter_map(|source| Some(id(source.strip_prefix(prefix)?.into()))).collect()
        };
        self.writer.read(|catalog| match kind {
            WatchedKind::Ours(kind) => catalog.keys(kind).cloned().map(Id::Ours).collect(),
            WatchedKind::Namespace => catalog.namespace_names().cloned().map(Id::Namespace).collect(),
            WatchedKind::CustomResourceDefinition => sources(catalog, DEFINITION, Id::Definition),
            WatchedKind::ApiService => {
                let mut ids = sources(catalog, API_SERVICE, Id::ApiService);
                ids.extend(self.elsewhere.keys().cloned().map(Id::ApiService));
                ids
            }
        })
    }

    /// Takes in what a watch told of an object.
    fn told(&mut self, kind: WatchedKind, item: Item) {
        let sight = Sight { at: self.moment(kind, item.version), begins: false };
        self.changed(item, sight);
        self.seen(kind, sight.at.version);
    }

    fn changed(&mut self, item: Item, sight: Sight) {
        match item.content {
            Content::Ours(stored) => self.stored(item.version, *stored, sight),
            Content::Namespace(name, None) => {
                tracing::error!(
                    namespace = %name,
                    "its labels or annotations cannot be read: it has no root, and no object in it grants anything"
                );
                self.remove(&Id::Namespace(name));
            }
            Content::Namespace(name, Some(mut entry)) => {
                entry.since.epoch = sight.at.epoch;
                let before = |catalog: &Catalog| catalog.namespace(&name).is_some_and(|before| before.uid == entry.uid);
                let is_another = !self.writer.read(before);
                if self.writer.write(|catalog| catalog.insert_namespace(entry, sight.at)) {
                    self.changes(Urgency::Restricts);
                }
                if is_another {
                    self.suspect(&name);
                }
            }
            Content::Definition(name, None) => {
                tracing::error!(definition = %name, "it does not say which kind it brings; what it brought stands");
            }
            Content::Definition(name, Some(facts)) => self.kinds(format_smolstr!("{DEFINITION}{name}"), vec![facts]),
            Content::ApiService(name, None) => self.remove(&Id::ApiService(name)),
            Content::ApiService(name, Some(served)) => {
                self.elsewhere.insert(name, Elsewhere { served, version: item.version });
            }
        }
    }

    fn stored(&mut self, version: u64, stored: Stored, sight: Sight) {
        let Stored { mut object, generation, finalizers, status, recorded } = stored;
        let before = self.writer.read(|catalog| catalog.get(&object.key).cloned());
        // Another object of the same name inherits nothing. What it restricted stays until it is known what went with it.
        let same_object = before.as_ref().filter(|before| before.object.uid == object.uid);
        if let (Some(before), None) = (&before, same_object) {
            self.writer.write(|catalog| catalog.retain(before.object.clone(), sight.at));
        }
        let good = match world::check(&object).is_empty() {
            true => Good { now: true, generation },
            false => {
                // After etcd went back, what is remembered may be of a generation that is still to come, or of one that
                // came to be another.
                let latest = if sight.begins { generation.saturating_sub(1) } else { generation };
                let memory = same_object.and_then(|before| self.remembered(before));
                let memory = memory.filter(|memory| memory.generation <= latest);
                let record = recorded.filter(|record| record.generation <= generation && is_valid(&object, record));
                let (last_good, generation) = later(memory, record, sight.begins);
                object.last_good = last_good;
                Good { now: false, generation }
            }
        };
        let mut is_news = true;
        let mut generation_version = version;
        if let Some(before) = same_object {
            if before.generation == generation {
                generation_version = before.generation_version.min(version);
            }
            if says_the_same(&before.object, &object) {
                // The very same tree, so that what was made of it can be recognized.
                object = before.object.clone();
                is_news = false;
            }
        }
        if is_news {
            self.changes(Urgency::of(before.as_ref().map(|before| &before.object), &object));
        }
        self.good.insert(object.key.clone(), good);
        let (key, last_good_generation) = (object.key.clone(), good.last());
        self.writer.write(|catalog| {
            catalog.insert(Entry {
                object,
                last_good_generation,
                version,
                generation,
                generation_version,
                finalizers,
                status,
                change: 0,
            });
        });
        let is_behind =
            |catalog: &Catalog| catalog.namespace(&key.account).is_some_and(|namespace| sight.at < namespace.since);
        if self.writer.read(is_behind) {
            self.distrust(&key);
        } else {
            self.trust(&key);
        }
    }

    /// A namespace is another than before, if there was one. Objects that were seen in it before all that happened to the
    /// former one was told may be of that; afterwards none is.
    fn suspect(&mut self, account: &str) {
        for kind in Kind::ALL {
            let (is_behind, held): (bool, Vec<ObjectKey>) = self.writer.read(|catalog| {
                let seen = catalog.vector().seen(WatchedKind::Ours(kind));
                let is_behind = catalog.namespace(account).is_some_and(|namespace| seen < namespace.since);
                (is_behind, catalog.held(kind, account).map(|entry| entry.object.key.clone()).collect())
            });
            for key in held {
                if is_behind {
                    self.distrust(&key);
                } else {
                    self.trust(&key);
                }
            }
        }
    }

    fn distrust(&mut self, key: &ObjectKey) {
        if self.writer.write(|catalog| catalog.distrust(key)) {
            self.changes(Urgency::Restricts);
        }
    }

    fn trust(&mut self, key: &ObjectKey) {
        if self.writer.write(|catalog| catalog.trust(key)) {
            self.changes(Urgency::Grants);
        }
    }

    /// The last good form of an object as it was seen here, and its generation.
    fn remembered(&self, entry: &Entry) -> Option<Recorded> {
        let good = self.good.get(&entry.object.key)?;
        let spec = match (&entry.object.spec, good.now) {
            (Spec::Read(spec), true) => Arc::clone(spec),
            (Spec::Read(_), false) | (Spec::Unreadable(_), _) => Arc::clone(entry.object.last_good.as_ref()?),
        };
        Some(Recorded { generation: good.generation, spec })
    }

    /// An object grants nothing any more, as if it were being deleted.
    fn restrict(&mut self, key: &ObjectKey) {
        let entry = self.writer.read(|catalog| catalog.get(key).filter(|entry| !entry.object.deleting).cloned());
        let Some(mut entry) = entry else { return };
        entry.object.deleting = true;
        self.writer.write(|catalog| catalog.insert(entry));
        self.changes(Urgency::Restricts);
    }

    /// The kind is not served any more: what it held restricts.
    fn gone(&mut self, kind: WatchedKind) {
        let Some(definition) = resource::definition(kind) else { return };
        let entries: Vec<Entry> = self.writer.read(|catalog| {
            catalog.entries().filter(|entry| WatchedKind::Ours(entry.object.key.kind) == kind).cloned().collect()
        });
        for mut entry in entries {
            let remembered = self.remembered(&entry);
            let generation = remembered.as_ref().map_or(0, |remembered| remembered.generation);
            let good = Good { now: false, generation };
            self.good.insert(entry.object.key.clone(), good);
            entry.last_good_generation = good.last();
            match remembered {
                Some(remembered) => {
                    entry.object.last_good = Some(remembered.spec);
                    let why = format!("the CustomResourceDefinition `{definition}` is gone");
                    entry.object.spec = Spec::Unreadable(why);
                }
                // It was never valid: what can be read of it is all that restricts.
                None => entry.object.deleting = true,
            }
            self.writer.write(|catalog| catalog.insert(entry));
        }
        self.changes(Urgency::Restricts);
    }

    fn kinds(&mut self, source: SmolStr, kinds: Vec<KindFacts>) {
        if self.writer.write(|catalog| catalog.set_kinds(source, kinds)) {
            self.changes(Urgency::Restricts);
        }
    }

    /// An object is gone, and `holder` says what became of its namespace after that: the object's restrictions stay if that
    /// is going too. Where it is gone, or another has its name, and its own watch has not told that yet, it counts as going.
    fn depart(&mut self, departure: &Departure, holder: &Holder) {
        let Departure { key, uid, version } = departure;
        let at = self.moment(WatchedKind::Ours(key.kind), *version);
        let is_it = self.uid(key).is_some_and(|known| known == *uid);
        let (changed, trusted) = self.writer.write(|catalog| {
            let known = catalog.namespace(&key.account);
            let stands = known.is_some_and(|known| matches!(holder, Holder::There(uid) if known.uid == **uid));
            let is_news = !stands && catalog.leave_namespace(&key.account, at);
            let (stays, trusts) = match catalog.namespace(&key.account) {
                Some(namespace) => (namespace.is_leaving(), !namespace.is_leaving() && namespace.since <= at),
                // It may still be to come that it is there at all.
                None => (*holder == Holder::Leaving && catalog.vector().seen(WatchedKind::Namespace) < at, false),
            };
            let removed = if is_it { catalog.remove(key) } else { None };
            let forgotten = match (removed, stays) {
                (Some(entry), true) => {
                    catalog.retain(entry.object, at);
                    false
                }
                (None, true) => false,
                (_, false) => catalog.forget(key, uid.as_ref()),
            };
            let beside = |other: &&ObjectKey| trusts && (other.kind, &other.account) == (key.kind, &key.account);
            let trusted: Vec<ObjectKey> = catalog.distrusted().filter(beside).cloned().collect();
            (is_it || is_news || forgotten, trusted)
        });
        if is_it {
            self.good.remove(key);
        }
        if changed {
            self.changes(Urgency::Restricts);
        }
        for key in trusted {
            self.trust(&key);
        }
    }

    fn remove(&mut self, id: &Id) {
        match id {
            Id::Ours(key) => self.restrict(key),
            Id::Namespace(name) => {
                if self.writer.write(|catalog| catalog.remove_namespace(name)) {
                    self.changes(Urgency::Restricts);
                }
            }
            Id::Definition(name) => self.kinds(format_smolstr!("{DEFINITION}{name}"), Vec::new()),
            Id::ApiService(name) => {
                self.elsewhere.remove(name);
                self.kinds(format_smolstr!("{API_SERVICE}{name}"), Vec::new());
            }
        }
    }

    /// A moment of a kind, in the epoch in which it is seen.
    fn moment(&self, kind: WatchedKind, version: u64) -> Seen {
        Seen { epoch: self.vector().seen(kind).epoch, version }
    }

    fn seen(&mut self, kind: WatchedKind, version: u64) {
        self.writer.write(|catalog| catalog.seen(kind, version));
    }

    fn changes(&mut self, urgency: Urgency) {
        self.pending = self.pending.max(Some(urgency));
    }
}

// === impl Good ===

impl Good {
    fn last(self) -> Option<i64> {
        (self.generation > 0).then_some(self.generation)
    }
}

// === free functions ===

/// Whether an object would be valid in a form that was recorded.
fn is_valid(object: &Object, record: &Recorded) -> bool {
    world::check(&Object { spec: Spec::Read(Arc::clone(&record.spec)), ..object.clone() }).is_empty()
}

/// The later of two forms, and its generation. What was seen here counts before a record of the same generation, which
/// somebody else may have written, and before one that does not say its generation: that may have been written for another
/// invalid form, before the valid one that was seen here. After the API server went back, what was seen here may be of a
/// generation that came to be another.
fn later(memory: Option<Recorded>, record: Option<Recorded>, went_back: bool) -> (Option<Arc<Node>>, i64) {
    let later = match (memory, record) {
        (Some(memory), Some(record)) if went_back && record.generation == memory.generation => Some(record),
        (Some(memory), Some(record)) if record.generation <= memory.generation => Some(memory),
        (_, Some(record)) => Some(record),
        (memory, None) => memory,
    };
    later.map_or((None, 0), |form| (Some(form.spec), form.generation))
}

/// Whether two forms of one object mean the same to a world.
fn says_the_same(a: &Object, b: &Object) -> bool {
    let spec = match (&a.spec, &b.spec) {
        (Spec::Read(a), Spec::Read(b)) => a == b,
        (Spec::Unreadable(a), Spec::Unreadable(b)) => a == b,
        (Spec::Read(_), Spec::Unreadable(_)) | (Spec::Unreadable(_), Spec::Read(_)) => false,
    };
    spec && a.last_good == b.last_good && a.deleting == b.deleting && a.uid == b.uid
}
