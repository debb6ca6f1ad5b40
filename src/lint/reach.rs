//! How a statement comes to an action and to a set of resources.
//!
//! The evaluator asks whether a statement matches one request; here a whole set of requests is asked for, and by which
//! entry. The patterns and their matching are the same: [`crate::policy::pattern`].

use std::borrow::Cow;

use super::transition::{Owner, Place};
use crate::policy::pattern::{ActionPattern, Budget, Case, NoVariables, PrefixMatch, ResourcePattern, Template};
use crate::policy::statement::{Element, Polarity};
use crate::world::Settings;

/// How a list comes to something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// An entry without wildcards names it: this one.
    Named(usize),
    /// An entry with wildcards covers it: this one.
    Wildcard(usize),
    /// A list of exceptions does not except it.
    NotExcepted,
    /// There is no list: whatever the policy is attached to.
    Attached,
}

/// What a pattern says about a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Share {
    None,
    Some,
    All,
}

// === impl Share ===

impl From<bool> for Share {
    fn from(matches: bool) -> Self {
        if matches { Self::All } else { Self::None }
    }
}

impl From<PrefixMatch> for Share {
    fn from(matches: PrefixMatch) -> Self {
        match matches {
            PrefixMatch::All => Self::All,
            PrefixMatch::Some => Self::Some,
            PrefixMatch::None => Self::None,
        }
    }
}

// === free functions ===

/// How a list of actions comes to an action of the table.
pub(super) fn to_action(actions: &Element<ActionPattern>, action: &str, budget: &Budget) -> Option<Way> {
    let (service, name) = action.split_once(':')?;
    way(actions, has_wildcard_action, |pattern, _| match pattern {
        ActionPattern::Named { service: own, name: template } if name.ends_with('/') => {
            let whole_service = ActionPattern::Named { service: own.clone(), name: Template::any() };
            if whole_service.matches(service, name, budget) {
                template.matches_prefix(name, Case::Fold, &NoVariables, budget).into()
            } else {
                Share::None
            }
        }
        ActionPattern::Any | ActionPattern::Nothing(_) | ActionPattern::Named { .. } => {
            pattern.matches(service, name, budget).into()
        }
    })
}

/// How a list of resources comes to a set of the table. In a policy without a list that is what it is attached to.
pub(super) fn to_place(
    resources: &Element<ResourcePattern>,
    place: &Place,
    settings: &Settings,
    budget: &Budget,
) -> Option<Way> {
    way(resources, has_wildcard_resource, |pattern, polarity| share(pattern, polarity, place, settings, budget))
}

/// Whether one of the patterns that a policy is attached to comes to a set of the table.
pub(super) fn is_target(targets: &[ResourcePattern], place: &Place, settings: &Settings, budget: &Budget) -> bool {
    targets.iter().any(|pattern| share(pattern, Polarity::Positive, place, settings, budget) > Share::None)
}

/// Whether an entry without a `/` of its own spans the `/` of an action on a subresource: `k8s:get*`, but not `k8s:*`
/// (`kubernetes-contract.md` B12).
pub(super) fn spans_subresource(pattern: &ActionPattern, action: &str, budget: &Budget) -> bool {
    let (ActionPattern::Named { name: template, .. }, Some((service, name))) = (pattern, action.split_once(':')) else {
        return false;
    };
    name.contains('/')
        && !template.is_any()
        && !template.to_string().contains('/')
        && pattern.matches(service, name, budget)
}

/// The first entry that names something, else the first one that comes to it.
fn way<T>(
    element: &Element<T>,
    has_wildcard: impl Fn(&T) -> bool,
    share: impl Fn(&T, Polarity) -> Share,
) -> Option<Way> {
    let (polarity, entries) = match element {
        Element::Absent => return Some(Way::Attached),
        Element::Malformed => return None,
        Element::Listed(polarity, entries) => (*polarity, entries),
    };
    match polarity {
        Polarity::Negated => {
            let excepted = entries.iter().any(|entry| share(entry, polarity) == Share::All);
            (!excepted).then_some(Way::NotExcepted)
        }
        Polarity::Positive => {
            let mut by_wildcard = None;
            for (index, entry) in entries.iter().enumerate() {
                if has_wildcard(entry) {
                    if by_wildcard.is_none() && share(entry, polarity) > Share::None {
                        by_wildcard = Some(Way::Wildcard(index));
                    }
                } else if share(entry, polarity) > Share::None {
                    return Some(Way::Named(index));
                }
            }
            by_wildcard
        }
    }
}

fn has_wildcard_action(pattern: &ActionPattern) -> bool {
    match pattern {
        ActionPattern::Any | ActionPattern::Named { service: None, .. } => true,
        ActionPattern::Named { service: Some(_), name } => name.has_wildcard(),
        ActionPattern::Nothing(_) => false,
    }
}

/// The cluster slot does not count: there is one cluster here.
fn has_wildcard_resource(pattern: &ResourcePattern) -> bool {
    match pattern {
        ResourcePattern::Any => true,
        ResourcePattern::Nothing(_) => false,
        ResourcePattern::Arn { head: [_, service, _, account], resource } => {
            service.has_wildcard() || account.has_wildcard() || resource.has_wildcard()
        }
    }
}

fn share(pattern: &ResourcePattern, polarity: Polarity, place: &Place, settings: &Settings, budget: &Budget) -> Share {
    let ([partition, service, region, account], resource) = match pattern {
        ResourcePattern::Any => return Share::All,
        ResourcePattern::Nothing(_) => return Share::None,
        ResourcePattern::Arn { head, resource } => (head, resource),
    };
    let fixed = |template: &Template, text: &str| template.matches(text, Case::Fold, &NoVariables, budget);
    if !fixed(partition, "k8s") {
        return Share::None;
    }
    let (wanted, owner, begin) = match place {
        Place::Anything => return Share::Some,
        Place::Kind { service, owner, begin } => (*service, *owner, *begin),
    };
    if !fixed(service, wanted) {
        return Share::None;
    }
    // The ARNs of IAM have no cluster; in others an empty slot means this one (`design.md` §3).
    let in_this_cluster = match wanted {
        "iam" => fixed(region, ""),
        _ => region.as_literal() == Some("") || fixed(region, &settings.cluster),
    };
    if !in_this_cluster {
        return Share::None;
    }
    let account = match owner {
        Owner::Anyone if account.is_any() => Share::All,
        Owner::Anyone if account.as_literal() == Some("") => Share::None,
        Owner::Anyone => Share::Some,
        Owner::Nobody => fixed(account, "").into(),
        Owner::Management => fixed(account, &settings.management_account).into(),
        Owner::Namespace(name) => fixed(account, name).into(),
    };
    // A variable without a value excepts nothing.
    let resource = match polarity {
        Polarity::Positive => resource.with_any_values(),
        Polarity::Negated => Cow::Borrowed(resource),
    };
    let rest = if begin.ends_with('/') {
        resource.matches_prefix(begin, Case::Exact, &NoVariables, budget).into()
    } else {
        resource.matches(begin, Case::Exact, &NoVariables, budget).into()
    };
    account.min(rest)
}
