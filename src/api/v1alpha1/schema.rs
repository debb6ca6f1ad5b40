//! Pieces of schema that a derive cannot express, and the bounds that more than one kind shares.

use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

/// An AWS policy document, pasted as it is.
pub type Document = serde_json::Map<String, serde_json::Value>;
/// Tags. A value is nullable only so that a null arrives and can be refused.
pub type Tags = BTreeMap<String, Option<String>>;

/// Bytes of an entity path, as in AWS.
pub(super) const PATH: usize = 512;
/// Tags of one entity, as in AWS.
pub(super) const TAGS: usize = 50;
/// Bytes of a tag value, as in AWS.
pub(super) const TAG_VALUE: usize = 256;
/// Groups or policies that one object may name. AWS stops at 10 to 25; this only keeps objects finite.
pub(super) const REFERENCES: usize = 256;
/// Inline policies of one object.
pub(super) const INLINE_POLICIES: usize = 32;
/// Bytes of the name of a Kubernetes object.
pub(super) const NAME: usize = 253;
/// Bytes of the name of something inside an object: an inline policy, a device, a key.
pub(super) const ITEM_NAME: usize = 128;
/// Bytes of the name that a Kubernetes user or group signs in with.
pub(super) const IDENTITY_NAME: usize = 1_024;
/// Bytes of a duration.
pub(super) const DURATION: usize = 32;
/// Bytes of a timestamp.
pub(super) const TIMESTAMP: usize = 64;

/// `document`: any object. The API server refuses the string-or-list unions of AWS's grammar as not structural.
pub(super) fn document(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "nullable": true,
        "x-kubernetes-preserve-unknown-fields": true
    })
}

/// `status.lastGood.spec`: any object, replaced whole.
pub(super) fn recorded_spec(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "x-kubernetes-map-type": "atomic",
        "x-kubernetes-preserve-unknown-fields": true
    })
}

/// `tags`: a bounded map. Its keys are free, so nothing of it can be pruned.
pub(super) fn tags(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "nullable": true,
        "maxProperties": TAGS,
        "additionalProperties": {"type": "string", "nullable": true, "maxLength": TAG_VALUE}
    })
}

/// `matchLabels`: a bounded map, nullable values for the same reason as in [`Tags`].
pub(super) fn match_labels(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "nullable": true,
        "maxProperties": 64,
        "additionalProperties": {"type": "string", "nullable": true, "maxLength": 63}
    })
}

/// A choice that may be absent. Left to itself the derive gives the field the description of the choice's type.
pub(super) fn optional<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    let mut choice = T::json_schema(generator);
    choice.remove("description");
    choice.insert("nullable".to_owned(), true.into());
    choice
}
