//! Label selectors of Kubernetes: `matchLabels` and `matchExpressions`, all of which must hold.

use std::collections::BTreeMap;

use smol_str::SmolStr;

/// A label selector. Without requirements it selects everything.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct LabelSelector {
    /// All must hold.
    pub requirements: Vec<Requirement>,
}

/// One requirement on one label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Requirement {
    /// The label is there with one of these values.
    In(SmolStr, Vec<SmolStr>),
    /// The label is absent or has none of these values.
    NotIn(SmolStr, Vec<SmolStr>),
    /// The label is there.
    Exists(SmolStr),
    /// The label is absent.
    DoesNotExist(SmolStr),
}

// === impl LabelSelector ===

impl LabelSelector {
    /// Whether labels satisfy every requirement.
    pub fn selects(&self, labels: &BTreeMap<SmolStr, SmolStr>) -> bool {
        self.requirements.iter().all(|requirement| match requirement {
            Requirement::In(key, values) => labels.get(key).is_some_and(|value| values.contains(value)),
            Requirement::NotIn(key, values) => labels.get(key).is_none_or(|value| !values.contains(value)),
            Requirement::Exists(key) => labels.contains_key(key),
            Requirement::DoesNotExist(key) => !labels.contains_key(key),
        })
    }
}

// === impl Requirement ===

impl Requirement {
    /// The label that it is about.
    pub fn key(&self) -> &SmolStr {
        match self {
            Requirement::In(key, _)
            | Requirement::NotIn(key, _)
            | Requirement::Exists(key)
            | Requirement::DoesNotExist(key) => key,
        }
    }
}

// === impl AccountTargets ===

impl super::AccountTargets {
    /// Whether an account is targeted. `labels` is `None` where they are not known: then a selector selects it.
    pub fn includes(&self, account: &str, labels: Option<&BTreeMap<SmolStr, SmolStr>>) -> bool {
        if self.accounts.is_empty() && self.selector.is_none() {
            return true;
        }
        self.accounts.iter().any(|name| name == account)
            || self.selector.as_ref().is_some_and(|selector| labels.is_none_or(|labels| selector.selects(labels)))
    }
}

// === impl ManagedPolicyType ===

impl super::ManagedPolicyType {
    /// The accounts that a guardrail speaks about; `None` for what is none.
    pub fn account_targets(&self) -> Option<&super::AccountTargets> {
        match self {
            Self::ServiceControl { targets, .. } | Self::ResourceControl { targets } => Some(targets),
            Self::Managed | Self::Resource(_) => None,
        }
    }
}

// === impl World ===

impl super::World {
    /// Accounts that hold objects and whose labels are not known, where a guardrail selects by label: it applies to them
    /// whatever their labels are.
    pub fn accounts_selected_unseen(&self) -> Vec<&SmolStr> {
        use super::ManagedPolicyType::{Managed, Resource, ResourceControl, ServiceControl};
        let management = &self.settings.management_account;
        let selects =
            self.policies.iter().filter(|policy| policy.key.account == *management).any(|policy| match &policy.kind {
                ServiceControl { targets, .. } | ResourceControl { targets } => targets.selector.is_some(),
                Managed | Resource(_) => false,
            });
        if !selects {
            return Vec::new();
        }
        // Neighbours are of one account: most of them need no look-up.
        let mut accounts: Vec<&SmolStr> = self.outcomes.keys().map(|key| &key.account).collect();
        accounts.dedup();
        accounts.retain(|name| *name != management && !self.namespaces.contains_key(*name));
        accounts.sort();
        accounts.dedup();
        accounts
    }
}

#[cfg(test)]
mod tests {
    use super::super::AccountTargets;
    use super::*;

    fn labels(pairs: &[(&str, &str)]) -> BTreeMap<SmolStr, SmolStr> {
        pairs.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect()
    }

    #[test]
    fn requirements() {
        let none = labels(&[]);
        let prod = labels(&[("env", "prod")]);
        let test = labels(&[("env", "test")]);
        for (requirement, expected) in [
            (Requirement::In("env".into(), vec!["prod".into(), "stage".into()]), [false, true, false]),
            (Requirement::NotIn("env".into(), vec!["prod".into()]), [true, false, true]),
            (Requirement::Exists("env".into()), [false, true, true]),
            (Requirement::DoesNotExist("env".into()), [true, false, false]),
        ] {
            let selector = LabelSelector { requirements: vec![requirement] };
            assert_eq!([&none, &prod, &test].map(|labels| selector.selects(labels)), expected, "{selector:?}");
        }
        assert!(LabelSelector::default().selects(&none));
    }

    #[test]
    fn names_and_selector_of_targets_are_a_union() {
        let selector = LabelSelector { requirements: vec![Requirement::Exists("env".into())] };
        let by_name = AccountTargets { accounts: vec!["a".into()], selector: None };
        let by_label = AccountTargets { accounts: vec![], selector: Some(selector.clone()) };
        let either = AccountTargets { accounts: vec!["a".into()], selector: Some(selector) };
        let (none, some) = (labels(&[]), labels(&[("env", "x")]));
        for (targets, account, labels, expected) in [
            (&AccountTargets::default(), "b", Some(&none), true),
            (&AccountTargets::default(), "b", None, true),
            (&by_name, "a", Some(&none), true),
            (&by_name, "b", Some(&some), false),
            (&by_name, "b", None, false),
            (&by_label, "b", Some(&some), true),
            (&by_label, "b", Some(&none), false),
            (&by_label, "b", None, true),
            (&either, "a", Some(&none), true),
            (&either, "b", Some(&some), true),
            (&either, "b", Some(&none), false),
        ] {
            assert_eq!(targets.includes(account, labels), expected, "{targets:?} {account} {labels:?}");
        }
    }
}
