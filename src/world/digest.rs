//! The fingerprint of an input (`guarantees.md` §1).
//!
//! It is the sum, modulo 2^128, of one part per object, namespace and kind, and one for the settings, so a change costs
//! the parts that it touches. A part is the SipHash-2-4 with 128 bits, under fixed keys, of the thing's canonical bytes:
//! every text and list with its length before it, keys of maps sorted, positions and origins left out. Nothing in it
//! depends on the machine. It tells whether two replicas hold the same; it is no proof against somebody who forges
//! inputs, for its keys are known.

use std::hash::Hasher as _;

use siphasher::sip128::{Hasher128 as _, SipHasher24};
use smol_str::SmolStr;

use super::assess::judge;
use super::input::{Input, Kind, KindFacts, NamespaceFacts, Object, Settings, Spec};
use super::spec::{GroupSpec, PolicySpec, RoleSpec, UserSpec};
use crate::name::{Digest, Scope};
use crate::policy::tree::{Entry, Node, Value};

/// The keys. They change with the canonical form, so that two forms never agree by accident.
const KEYS: (u64, u64) = (0x6b75_6265_2d69_616d, 0x776f_726c_6420_7631);

/// Canonical bytes on their way into the hash.
struct Canon(SipHasher24);

// === impl Canon ===

impl Canon {
    /// A part of its own class, so that parts of different things never agree.
    fn new(class: u8) -> Self {
        let mut canon = Self(SipHasher24::new_with_keys(KEYS.0, KEYS.1));
        canon.byte(class);
        canon
    }

    fn byte(&mut self, byte: u8) {
        self.0.write(&[byte]);
    }

    fn length(&mut self, length: usize) {
        self.0.write(&u64::try_from(length).unwrap_or(u64::MAX).to_le_bytes());
    }

    fn text(&mut self, text: &str) {
        self.length(text.len());
        self.0.write(text.as_bytes());
    }

    fn optional(&mut self, text: Option<&SmolStr>) {
        self.byte(u8::from(text.is_some()));
        if let Some(text) = text {
            self.text(text);
        }
    }

    fn node(&mut self, node: &Node) {
        match &node.value {
            Value::Null => self.byte(0),
            Value::Boolean(value) => self.0.write(&[1, u8::from(*value)]),
            Value::Number(number) => {
                self.byte(2);
                self.text(number);
            }
            Value::Text(text) => {
                self.byte(3);
                self.text(text);
            }
            Value::List(items) => {
                self.byte(4);
                self.length(items.len());
                for item in items {
                    self.node(item);
                }
            }
            Value::Map(entries) => {
                self.byte(5);
                self.length(entries.len());
                // Stable: a key that stands twice keeps the order of its values, the only one that means something.
                let mut sorted: Vec<&Entry> = entries.iter().collect();
                sorted.sort_by(|a, b| a.key.cmp(&b.key));
                for entry in sorted {
                    self.text(&entry.key);
                    self.node(&entry.value);
                }
            }
        }
    }

    fn finish(self) -> Digest {
        Digest(self.0.finish128().as_u128())
    }
}

// === free functions ===

/// The part of an object.
pub fn of_object(object: &Object) -> Digest {
    match object.key.kind {
        Kind::User => judge::<UserSpec>(object).part,
        Kind::Group => judge::<GroupSpec>(object).part,
        Kind::Role => judge::<RoleSpec>(object).part,
        Kind::Policy => judge::<PolicySpec>(object).part,
    }
}

/// The part of an object. `last_good` is its last good form where that matters, while the object is not valid.
pub(super) fn of_judged(object: &Object, last_good: Option<&Node>) -> Digest {
    let mut canon = Canon::new(1);
    canon.byte(match object.key.kind {
        Kind::User => 0,
        Kind::Group => 1,
        Kind::Role => 2,
        Kind::Policy => 3,
    });
    canon.text(&object.key.account);
    canon.text(&object.key.name);
    canon.optional(object.uid.as_ref());
    canon.byte(u8::from(object.deleting));
    for spec in [
        match &object.spec {
            Spec::Read(node) => Some(&**node),
            // Why it cannot be read changes nothing.
            Spec::Unreadable(_) => None,
        },
        last_good,
    ] {
        canon.byte(u8::from(spec.is_some()));
        if let Some(node) = spec {
            canon.node(node);
        }
    }
    canon.finish()
}

/// The part of a namespace.
pub fn of_namespace(facts: &NamespaceFacts) -> Digest {
    let mut canon = Canon::new(2);
    canon.text(&facts.name);
    canon.length(facts.labels.len());
    for (key, value) in &*facts.labels {
        canon.text(key);
        canon.text(value);
    }
    canon.optional(facts.root_identity.as_ref());
    canon.byte(u8::from(facts.root_mfa_optional));
    canon.finish()
}

/// The part of a kind.
pub fn of_kind(facts: &KindFacts) -> Digest {
    let mut canon = Canon::new(3);
    canon.text(&facts.group);
    canon.text(&facts.plural);
    canon.byte(match facts.scope {
        Scope::Namespaced => 0,
        Scope::Cluster => 1,
        Scope::Unknown => 2,
    });
    canon.finish()
}

/// The part of the settings.
pub fn of_settings(settings: &Settings) -> Digest {
    let mut canon = Canon::new(4);
    canon.text(&settings.cluster);
    canon.text(&settings.management_account);
    canon.optional(settings.management_root.as_ref());
    canon.finish()
}

/// The parts of everything but objects.
pub(super) fn surroundings(input: &Input) -> Digest {
    let namespaces = input.namespaces.iter().map(of_namespace);
    let kinds = input.kinds.iter().map(of_kind);
    sum(namespaces.chain(kinds).chain([of_settings(&input.settings)]))
}

/// Parts put together, in any order.
pub fn sum(parts: impl IntoIterator<Item = Digest>) -> Digest {
    Digest(parts.into_iter().fold(0, |sum, part| sum.wrapping_add(part.0)))
}
