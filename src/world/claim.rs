//! Who may be whom: roots of accounts, and one IamUser per identity in an account.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use smol_str::SmolStr;

use super::assess::{Assessed, Judged};
use super::entity::Root;
use super::finding::Quoted;
use super::input::{Input, NamespaceFacts, Object};
use super::outcome::Reason;
use super::spec::{UserSpec, user_name};

/// Namespaces and their roots.
#[derive(Debug, Default)]
pub(super) struct Accounts {
    /// What is known of each namespace. One that is described in two ways is not known.
    pub namespaces: BTreeMap<SmolStr, NamespaceFacts>,
    /// Root of each account that has one.
    pub roots: BTreeMap<SmolStr, Root>,
    /// Every identity that is declared as root of an account, also where two declarations make that none.
    root_identities: BTreeSet<(SmolStr, SmolStr)>,
}

/// Who claims one identity in one account.
struct Claim<'a> {
    first: &'a SmolStr,
    /// Everybody, sorted, where there is more than one.
    all: BTreeSet<&'a SmolStr>,
}

// === impl Accounts ===

impl Accounts {
    /// Reads namespace facts and settings.
    pub(super) fn new(input: &Input) -> Self {
        let management = &input.settings.management_account;
        let mut accounts = Self::default();
        let mut contradictory: BTreeSet<SmolStr> = BTreeSet::new();
        for facts in &input.namespaces {
            if facts.name != *management {
                let identity = facts.root_identity.as_deref().and_then(|name| user_name(name).ok());
                accounts.root_identities.extend(identity.map(|identity| (facts.name.clone(), identity)));
            }
            match accounts.namespaces.get(&facts.name) {
                Some(other) if other != facts => {
                    contradictory.insert(facts.name.clone());
                }
                Some(_) => {}
                None => {
                    accounts.namespaces.insert(facts.name.clone(), facts.clone());
                }
            }
        }
        accounts.namespaces.retain(|name, _| !contradictory.contains(name));
        for (name, facts) in &accounts.namespaces {
            let identity = if name == management { None } else { facts.root_identity.as_deref() };
            if let Some(Ok(identity)) = identity.map(user_name) {
                let root = Root { identity, mfa_optional: facts.root_mfa_optional };
                accounts.roots.insert(name.clone(), root);
            }
        }
        if let Some(Ok(identity)) = input.settings.management_root.as_deref().map(user_name) {
            let mfa_optional = accounts.namespaces.get(management).is_some_and(|facts| facts.root_mfa_optional);
            accounts.root_identities.insert((management.clone(), identity.clone()));
            accounts.roots.insert(management.clone(), Root { identity, mfa_optional });
        }
        accounts
    }
}

// === free functions ===

/// Users that claim what another user of their account claims, or its root is: none of them grants any more.
pub(super) fn mark_conflicts(users: &mut [Assessed<'_, UserSpec>], accounts: &Accounts) {
    // Names of objects outlive what is said about them.
    let objects: Vec<(&Object, Arc<Judged<UserSpec>>)> =
        users.iter().map(|user| (user.object, Arc::clone(&user.judged))).collect();
    let mut claims: HashMap<(&SmolStr, &SmolStr), Claim<'_>> = HashMap::new();
    for (object, judged) in &objects {
        let name = &object.key.name;
        for identity in &judged.spec.identities {
            claims
                .entry((&object.key.account, identity))
                .and_modify(|claim| {
                    if claim.first != name {
                        claim.all.extend([claim.first, name]);
                    }
                })
                .or_insert_with(|| Claim { first: name, all: BTreeSet::new() });
        }
    }
    for (user, (object, judged)) in users.iter_mut().zip(&objects) {
        let account = &object.key.account;
        for identity in &judged.spec.identities {
            if accounts.root_identities.contains(&(account.clone(), identity.clone())) {
                let message =
                    format!("{} is root of account {}; take one of the two away", Quoted(identity), Quoted(account));
                user.restrict(Reason::IdentityConflict, "spec.identities", message);
            }
            let Some(claim) = claims.get(&(account, identity)).filter(|claim| !claim.all.is_empty()) else { continue };
            let others: Vec<String> = claim
                .all
                .iter()
                .filter(|name| **name != &object.key.name)
                .take(3)
                .map(|name| Quoted(name).to_string())
                .collect();
            let message = format!(
                "{} is claimed by IamUser {} too; one identity belongs to one IamUser of an account",
                Quoted(identity),
                others.join(", ")
            );
            user.restrict(Reason::IdentityConflict, "spec.identities", message);
        }
    }
}
