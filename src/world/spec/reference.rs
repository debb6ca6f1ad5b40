//! How one object names another: a name in its own account, or an ARN.

use std::collections::BTreeSet;

use smol_str::SmolStr;

use super::fields::{self, Fields};
use super::name::{self, EntityPath, NAME_CHARACTERS};
use super::user::check_number;
use crate::name::Arn;
use crate::policy::tree::{Node, Position, Value};
use crate::world::finding::{Findings, Path, Quoted};
use crate::world::quota;

/// A managed policy as an object names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyReference {
    /// As written.
    pub written: SmolStr,
    /// The account and path that an ARN names; `None` for a name, which is one of the referrer's own account.
    pub place: Option<(SmolStr, EntityPath)>,
    /// The policy's name.
    pub name: SmolStr,
    /// Its place in the list, from 0.
    pub index: usize,
    /// Where it stands.
    pub at: Option<Position>,
}

/// A group of the same account as a user names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupReference {
    /// The group's name.
    pub name: SmolStr,
    /// Its place in the list, from 0.
    pub index: usize,
    /// Where it stands.
    pub at: Option<Position>,
}

/// A permissions boundary as an object names it.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum BoundaryReference {
    /// Not written.
    #[default]
    Absent,
    /// This policy.
    Policy(PolicyReference),
    /// Null, or no reference: nothing is allowed.
    Unreadable,
}

/// Reads `policies`. An entry that stands twice counts once.
pub(super) fn policies(fields: &Fields<'_>, most: usize, findings: &mut Findings) -> Vec<PolicyReference> {
    let mut references: Vec<PolicyReference> = Vec::new();
    fields.items("policies", findings, |node, path, index, findings| {
        references.extend(policy(node, path, index, findings));
    });
    let distinct: BTreeSet<&str> = references.iter().map(|reference| reference.written.as_str()).collect();
    check_number(fields, "policies", distinct.len(), most, findings);
    references
}

/// Reads `groups`.
pub(super) fn groups(fields: &Fields<'_>, findings: &mut Findings) -> Vec<GroupReference> {
    let mut references: Vec<GroupReference> = Vec::new();
    fields.items("groups", findings, |node, path, index, findings| {
        let Some(written) = fields::text(node, path, findings) else { return };
        match name::object_name(written, NAME_CHARACTERS) {
            Ok(name) => references.push(GroupReference { name, index, at: node.at }),
            Err(message) => findings.invalid(path, node.at, message),
        }
    });
    let distinct: BTreeSet<&str> = references.iter().map(|reference| reference.name.as_str()).collect();
    check_number(fields, "groups", distinct.len(), quota::GROUPS_PER_USER, findings);
    references
}

/// Reads `permissionsBoundary`.
pub(super) fn boundary(fields: &Fields<'_>, findings: &mut Findings) -> BoundaryReference {
    let path = fields.path_of("permissionsBoundary");
    let mut boundary = BoundaryReference::Absent;
    for node in fields.each("permissionsBoundary") {
        let read = match node.value {
            Value::Null => {
                findings.invalid(&path, node.at, "found null; name a policy, or leave `permissionsBoundary` out");
                None
            }
            _ => policy(node, &path, 0, findings),
        };
        boundary = match (boundary, read) {
            (BoundaryReference::Absent, Some(reference)) => BoundaryReference::Policy(reference),
            _ => BoundaryReference::Unreadable,
        };
    }
    boundary
}

fn policy(node: &Node, path: &Path<'_>, index: usize, findings: &mut Findings) -> Option<PolicyReference> {
    let written = fields::text(node, path, findings)?;
    let read = if written.starts_with("arn:") {
        policy_arn(written).map(|(account, path, name)| (Some((account, path)), name))
    } else {
        name::object_name(written, NAME_CHARACTERS).map(|name| (None, name))
    };
    match read {
        Ok((place, name)) => Some(PolicyReference { written: written.into(), place, name, index, at: node.at }),
        Err(message) => {
            findings.invalid(path, node.at, message);
            None
        }
    }
}

/// Account, path and name in the ARN of an IamPolicy.
fn policy_arn(text: &str) -> Result<(SmolStr, EntityPath, SmolStr), String> {
    let wrong = || format!("{} names no IamPolicy; expected `arn:k8s:iam::<account>:policy/<name>`", Quoted(text));
    let arn: Arn = text.parse().map_err(|_| wrong())?;
    if arn.partition() != "k8s" || arn.service() != "iam" || !arn.region().is_empty() {
        return Err(wrong());
    }
    let account = name::namespace(arn.account()).map_err(|_| wrong())?;
    let rest = arn.resource().strip_prefix("policy").ok_or_else(wrong)?;
    let (path, name) = rest.rsplit_once('/').ok_or_else(wrong)?;
    let path = EntityPath::of_policy(&format!("{path}/"))?;
    Ok((account, path, name::object_name(name, NAME_CHARACTERS)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arn_of_a_policy_has_account_path_and_name() {
        let (account, path, name) = policy_arn("arn:k8s:iam::shared:policy/team/sub/read").unwrap();
        assert_eq!((account.as_str(), path.as_str(), name.as_str()), ("shared", "/team/sub/", "read"));
        let (_, path, name) = policy_arn("arn:k8s:iam::shared:policy/read").unwrap();
        assert_eq!((path.as_str(), name.as_str()), ("/", "read"));
    }

    #[test]
    fn other_arns_name_no_policy() {
        for text in [
            "arn:k8s:iam:east:shared:policy/read",
            "arn:k8s:iam:::policy/read",
            "arn:aws:iam::shared:policy/read",
            "arn:k8s:sts::shared:policy/read",
            "arn:k8s:iam::shared:group/read",
            "arn:k8s:iam::shared:policyread",
            "arn:k8s:iam::shared:policy",
            "arn:k8s:iam::shared:policy/",
            "arn:k8s:iam::shared:policy//read",
            "arn:k8s:iam::shared:policyx/read",
            "arn:k8s:iam::Shared:policy/read",
            "arn:k8s:iam::shared:policy/*",
            "arn:k8s:iam",
        ] {
            assert!(policy_arn(text).is_err(), "{text}");
        }
    }
}
