//! What an IamUser declares.

use smol_str::SmolStr;

use super::fields::Fields;
use super::name::{self, EntityPath};
use super::reference::{self, BoundaryReference, GroupReference, PolicyReference};
use super::{Declared, body, declared, duration, identity, tags};
use crate::policy::condition::Instant;
use crate::policy::tree::{Node, Value};
use crate::world::entity::NamedPolicy;
use crate::world::finding::{Findings, Hint, Path, Quoted};
use crate::world::outcome::{Finding, Reason};
use crate::world::quota;

/// The `spec` of an IamUser.
#[derive(Clone, Debug, PartialEq)]
pub struct UserSpec {
    /// `path`; `/` by default.
    pub path: EntityPath,
    /// `tags`, sorted by key.
    pub tags: Vec<(SmolStr, SmolStr)>,
    /// `identities` as Kubernetes user names, sorted, each once.
    pub identities: Vec<SmolStr>,
    /// `groups`.
    pub groups: Vec<GroupReference>,
    /// `policies`.
    pub policies: Vec<PolicyReference>,
    /// `inlinePolicies`.
    pub inline: Vec<NamedPolicy>,
    /// `permissionsBoundary`.
    pub boundary: BoundaryReference,
    /// `disabled`.
    pub disabled: bool,
    /// `mfaDevices`.
    pub mfa_devices: Vec<MfaDevice>,
    /// `accessKeys`.
    pub access_keys: Vec<AccessKey>,
    /// `sessions.revokeIssuedBefore`.
    pub revoke_issued_before: Option<Instant>,
}

/// An MFA device that a user is to have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MfaDevice {
    /// `name`.
    pub name: SmolStr,
    /// `type`.
    pub kind: MfaType,
}

/// How a device proves itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MfaType {
    /// `totp`: one-time codes.
    Totp,
    /// `webauthn`: a passkey.
    Webauthn,
}

/// An access key that a user is to have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessKey {
    /// `name`.
    pub name: SmolStr,
    /// `status`; `Active` by default.
    pub status: KeyStatus,
    /// `rotateAfter`, in seconds: how old a pair may get.
    pub rotate_after_seconds: Option<u32>,
    /// `overlap`, in seconds: how long the pair before goes on to work.
    pub overlap_seconds: Option<u32>,
    /// `deliverTo.secretName`: the Secret of the account that receives the pair.
    pub secret_name: Option<SmolStr>,
}

/// Whether a key works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyStatus {
    /// `Active`.
    Active,
    /// `Inactive`.
    Inactive,
}

const KEYS: [&str; 11] = [
    "accessKeys",
    "disabled",
    "groups",
    "identities",
    "inlinePolicies",
    "mfaDevices",
    "path",
    "permissionsBoundary",
    "policies",
    "sessions",
    "tags",
];

// === impl UserSpec ===

impl UserSpec {
    /// Reads a `spec`, and everything that is wrong with it; what is readable of it is there all the same.
    pub fn parse(spec: &Node) -> (Self, Vec<Finding>) {
        declared::parse(spec)
    }
}

impl Declared for UserSpec {
    fn read(spec: &Node, findings: &mut Findings) -> Self {
        let root = Path::ROOT.key("spec");
        let fields = Fields::read(spec, &root, &KEYS, findings);
        let mut identities = Vec::new();
        fields.items("identities", findings, |node, path, _, findings| match identity::read(node, path, findings) {
            Some(user) => identities.push(user),
            None => identities.extend(identity::meant(node)),
        });
        // An entry in place of a list.
        for node in fields.each("identities").filter(|node| matches!(node.value, Value::Map(_) | Value::Text(_))) {
            identities.extend(identity::meant(node));
        }
        identities.sort();
        identities.dedup();
        Self {
            path: tags::entity_path(&fields, findings),
            tags: tags::read(&fields, findings),
            identities,
            groups: reference::groups(&fields, findings),
            policies: reference::policies(&fields, quota::POLICIES_PER_USER, findings),
            inline: body::inline(&fields, findings),
            boundary: reference::boundary(&fields, findings),
            disabled: disabled(&fields, findings),
            mfa_devices: mfa_devices(&fields, findings),
            access_keys: access_keys(&fields, findings),
            revoke_issued_before: tags::revoke_issued_before(&fields, findings),
        }
    }
}

// === free functions ===

/// A value that is neither true nor false disables: it was meant to say something.
fn disabled(fields: &Fields<'_>, findings: &mut Findings) -> bool {
    fields.each("disabled").fold(false, |disabled, node| {
        disabled
            | match &node.value {
                Value::Null => false,
                Value::Boolean(value) => *value,
                Value::Number(_) | Value::Text(_) | Value::List(_) | Value::Map(_) => {
                    let message = format!("expected `true` or `false`, found {}", node.describe());
                    findings.invalid(&fields.path_of("disabled"), node.at, message);
                    true
                }
            }
    })
}

fn mfa_devices(fields: &Fields<'_>, findings: &mut Findings) -> Vec<MfaDevice> {
    let mut devices: Vec<MfaDevice> = Vec::new();
    fields.items("mfaDevices", findings, |node, path, _, findings| {
        let entry = Fields::read(node, path, &["name", "type"], findings);
        let name = body::unique_name(&entry, devices.iter().map(|device| &device.name), findings);
        let kind = entry.required_text("type", findings).and_then(|written| {
            let kinds = [("totp", MfaType::Totp), ("webauthn", MfaType::Webauthn)];
            one_of(&entry, "type", written, kinds, findings)
        });
        if let (Some(name), Some(kind)) = (name, kind) {
            devices.push(MfaDevice { name, kind });
        }
    });
    check_number(fields, "mfaDevices", devices.len(), quota::MFA_DEVICES, findings);
    devices
}

fn access_keys(fields: &Fields<'_>, findings: &mut Findings) -> Vec<AccessKey> {
    let mut keys: Vec<AccessKey> = Vec::new();
    fields.items("accessKeys", findings, |node, path, _, findings| {
        let known = ["deliverTo", "name", "overlap", "rotateAfter", "status"];
        let entry = Fields::read(node, path, &known, findings);
        let name = body::unique_name(&entry, keys.iter().map(|key| &key.name), findings);
        let status = match entry.text("status", findings) {
            None => Some(KeyStatus::Active),
            Some(written) => {
                let states = [("Active", KeyStatus::Active), ("Inactive", KeyStatus::Inactive)];
                one_of(&entry, "status", written, states, findings)
            }
        };
        let rotate_after_seconds = checked(&entry, "rotateAfter", duration::seconds, findings);
        let overlap_seconds = checked(&entry, "overlap", duration::seconds, findings);
        let secret_name = entry.get("deliverTo").and_then(|node| {
            let path = entry.path_of("deliverTo");
            let target = Fields::read(node, &path, &["secretName"], findings);
            target.required_text("secretName", findings)?;
            checked(&target, "secretName", |text| name::object_name(text, 253), findings)
        });
        if let (Some(name), Some(status)) = (name, status) {
            keys.push(AccessKey { name, status, rotate_after_seconds, overlap_seconds, secret_name });
        }
    });
    check_number(fields, "accessKeys", keys.len(), quota::ACCESS_KEYS, findings);
    keys
}

/// The value of a field that may be absent, if it passes a check.
pub(super) fn checked<'a, T>(
    fields: &Fields<'a>,
    key: &'a str,
    check: impl Fn(&str) -> Result<T, String>,
    findings: &mut Findings,
) -> Option<T> {
    let text = fields.text(key, findings)?;
    let at = fields.get(key).and_then(|node| node.at);
    check(text).map_err(|message| findings.invalid(&fields.path_of(key), at, message)).ok()
}

/// The meaning of a word of an enumeration.
pub(super) fn one_of<'a, T: Copy, const N: usize>(
    fields: &Fields<'a>,
    key: &'a str,
    written: &str,
    words: [(&str, T); N],
    findings: &mut Findings,
) -> Option<T> {
    let found = words.iter().find(|(word, _)| *word == written).map(|(_, meaning)| *meaning);
    if found.is_none() {
        let at = fields.get(key).and_then(|node| node.at);
        let known = words.map(|(word, _)| word);
        let message = format!("unknown {key} {}{}", Quoted(written), Hint { found: written, known: &known });
        findings.invalid(&fields.path_of(key), at, message);
    }
    found
}

/// A list that is longer than the quota.
pub(super) fn check_number<'a>(fields: &Fields<'a>, key: &'a str, found: usize, most: usize, findings: &mut Findings) {
    if found > most {
        let at = fields.get(key).and_then(|node| node.at);
        let message = format!("{found} entries; at most {most} are admitted");
        findings.add(Reason::QuotaExceeded, fields.path_of(key), at, message);
    }
}
