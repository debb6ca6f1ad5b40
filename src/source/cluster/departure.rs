//! Objects that were deleted, and what went with them.
//!
//! An object's restrictions go with it when somebody takes it away on its own. They stay for as long as more than itself is
//! on its way out: its kind, whose objects may come back, or its namespace, where things are still left to protect
//! (`guarantees.md` F37, F38).

use std::collections::{BTreeMap, BTreeSet};

use futures::future::try_join_all;
use smol_str::SmolStr;

use super::api_server::{ApiServer, Holder};
use super::failure::Failure;
use super::resource;
use crate::world::ObjectKey;

/// About so many namespaces is asked at once.
const NAMESPACES: usize = 32;

/// An object that was deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Departure {
    /// Which object.
    pub key: ObjectKey,
    /// Its uid, if it had one.
    pub uid: Option<SmolStr>,
    /// The resource version with which it was seen not to be there.
    pub version: u64,
}

/// What is known of the surroundings of some departures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Surroundings {
    /// Their kind.
    pub definition: Holder,
    /// Their namespaces.
    pub namespaces: BTreeMap<SmolStr, Holder>,
}

/// How many departures are asked about at once, and their namespaces.
pub(super) fn next(departures: &[Departure]) -> (usize, BTreeSet<SmolStr>) {
    let mut namespaces = BTreeSet::new();
    let mut count = 0usize;
    for departure in departures {
        if namespaces.len() == NAMESPACES && !namespaces.contains(&departure.key.account) {
            break;
        }
        namespaces.insert(departure.key.account.clone());
        count = count.saturating_add(1);
    }
    (count, namespaces)
}

/// Asks a quorum about a CustomResourceDefinition and, where that stands, about these namespaces. The objects were deleted
/// before, so whatever deletes them together with one of these shows.
///
/// # Errors
/// When one of the questions is not answered.
pub(super) async fn ask(
    server: &ApiServer,
    definition: &str,
    namespaces: BTreeSet<SmolStr>,
) -> Result<Surroundings, Failure> {
    let definition = server.holder(&resource::of_definition(definition)).await?;
    if !matches!(definition, Holder::There(_)) {
        return Ok(Surroundings { definition, namespaces: BTreeMap::new() });
    }
    let asked = namespaces.into_iter().map(|name| async move {
        let holder = server.holder(&resource::of_namespace(&name)).await?;
        Ok((name, holder))
    });
    Ok(Surroundings { definition, namespaces: try_join_all(asked).await?.into_iter().collect() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::Kind;

    fn departures(namespaces: &[&str]) -> Vec<Departure> {
        let of = |account: &&str| Departure {
            key: ObjectKey { kind: Kind::User, account: (*account).into(), name: "a".into() },
            uid: None,
            version: 1,
        };
        namespaces.iter().map(of).collect()
    }

    #[test]
    fn many_objects_of_one_namespace_are_one_question() {
        let (count, namespaces) = next(&departures(&["a", "b", "a", "a"]));
        assert_eq!((count, namespaces), (4, ["a", "b"].map(SmolStr::from).into()));
        assert_eq!(next(&[]), (0, BTreeSet::new()));
    }

    #[test]
    fn so_many_namespaces_are_asked_about_at_once_and_no_more() {
        let names: Vec<String> = (0..NAMESPACES + 1).map(|number| format!("n{number:03}")).collect();
        let mut names: Vec<&str> = names.iter().map(String::as_str).collect();
        names.insert(NAMESPACES, "n000");
        let (count, namespaces) = next(&departures(&names));
        assert_eq!((count, namespaces.len()), (NAMESPACES + 1, NAMESPACES));
    }
}
