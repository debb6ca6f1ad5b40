//! Scopes of kinds: Kubernetes' own by a built-in table, others by their CustomResourceDefinitions.

use std::collections::BTreeMap;

use smol_str::SmolStr;

use super::input::KindFacts;
use crate::name::Scope;

/// Kinds whose scope is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KindTable {
    custom: BTreeMap<(SmolStr, SmolStr), Scope>,
}

/// Kubernetes' own cluster-scoped kinds: group and plural.
const CLUSTER: &[(&str, &[&str])] = &[
    ("", &["componentstatuses", "namespaces", "nodes", "persistentvolumes"]),
    (
        "admissionregistration.k8s.io",
        &[
            "mutatingadmissionpolicies",
            "mutatingadmissionpolicybindings",
            "mutatingwebhookconfigurations",
            "validatingadmissionpolicies",
            "validatingadmissionpolicybindings",
            "validatingwebhookconfigurations",
        ],
    ),
    ("apiextensions.k8s.io", &["customresourcedefinitions"]),
    ("apiregistration.k8s.io", &["apiservices"]),
    ("authentication.k8s.io", &["selfsubjectreviews", "tokenreviews"]),
    ("authorization.k8s.io", &["selfsubjectaccessreviews", "selfsubjectrulesreviews", "subjectaccessreviews"]),
    ("certificates.k8s.io", &["certificatesigningrequests", "clustertrustbundles", "signers"]),
    ("flowcontrol.apiserver.k8s.io", &["flowschemas", "prioritylevelconfigurations"]),
    ("internal.apiserver.k8s.io", &["storageversions"]),
    ("networking.k8s.io", &["ingressclasses", "ipaddresses", "servicecidrs"]),
    ("node.k8s.io", &["runtimeclasses"]),
    ("rbac.authorization.k8s.io", &["clusterrolebindings", "clusterroles"]),
    ("resource.k8s.io", &["deviceclasses", "devicetaintrules", "resourceslices"]),
    ("scheduling.k8s.io", &["priorityclasses"]),
    ("storage.k8s.io", &["csidrivers", "csinodes", "storageclasses", "volumeattachments", "volumeattributesclasses"]),
    ("storagemigration.k8s.io", &["storageversionmigrations"]),
];

/// Kubernetes' own namespaced kinds: group and plural.
const NAMESPACED: &[(&str, &[&str])] = &[
    (
        "",
        &[
            "bindings",
            "configmaps",
            "endpoints",
            "events",
            "limitranges",
            "persistentvolumeclaims",
            "pods",
            "podtemplates",
            "replicationcontrollers",
            "resourcequotas",
            "secrets",
            "serviceaccounts",
            "services",
        ],
    ),
    ("apps", &["controllerrevisions", "daemonsets", "deployments", "replicasets", "statefulsets"]),
    ("authorization.k8s.io", &["localsubjectaccessreviews"]),
    ("autoscaling", &["horizontalpodautoscalers"]),
    ("batch", &["cronjobs", "jobs"]),
    ("certificates.k8s.io", &["podcertificaterequests"]),
    ("coordination.k8s.io", &["leasecandidates", "leases"]),
    ("discovery.k8s.io", &["endpointslices"]),
    ("events.k8s.io", &["events"]),
    ("networking.k8s.io", &["ingresses", "networkpolicies"]),
    ("policy", &["poddisruptionbudgets"]),
    ("rbac.authorization.k8s.io", &["rolebindings", "roles"]),
    ("resource.k8s.io", &["resourceclaims", "resourceclaimtemplates"]),
    ("scheduling.k8s.io", &["podgroups", "workloads"]),
    ("storage.k8s.io", &["csistoragecapacities"]),
    ("kube-iam.dev", &["iamgroups", "iampolicies", "iamroles", "iamusers"]),
];

// === impl KindTable ===

impl KindTable {
    /// The built-in table and these kinds beside it. A kind that is declared with both scopes is unknown; a declaration
    /// cannot change one of Kubernetes' own.
    pub fn new(kinds: &[KindFacts]) -> Self {
        let mut custom = BTreeMap::new();
        for kind in kinds {
            custom
                .entry((kind.group.clone(), kind.plural.clone()))
                .and_modify(|scope| {
                    if *scope != kind.scope {
                        *scope = Scope::Unknown;
                    }
                })
                .or_insert(kind.scope);
        }
        Self { custom }
    }

    /// How many kinds are declared beside Kubernetes' own.
    pub fn declared(&self) -> usize {
        self.custom.len()
    }

    /// The group of a known kind with this plural, in this group if one is given. Kubernetes' own come first, the core
    /// group before all others.
    pub fn find(&self, group: Option<&str>, plural: &str) -> Option<SmolStr> {
        let group = group.map(|group| if group == "core" { "" } else { group });
        let core = || group.is_none().then_some("");
        let own = [core(), group]
            .into_iter()
            .chain([None])
            .filter(|wanted| group.is_none() || wanted.is_some())
            .find_map(|wanted| find_in(CLUSTER, wanted, plural).or_else(|| find_in(NAMESPACED, wanted, plural)));
        own.map(SmolStr::from).or_else(|| {
            let known = |(g, p): &&(SmolStr, SmolStr)| p == plural && group.is_none_or(|group| g == group);
            self.custom.keys().find(known).map(|(group, _)| group.clone())
        })
    }

    /// The scope of a kind. The empty group may also be written `core`.
    pub fn scope(&self, group: &str, plural: &str) -> Scope {
        let group = if group == "core" { "" } else { group };
        if listed(CLUSTER, group, plural) {
            Scope::Cluster
        } else if listed(NAMESPACED, group, plural) {
            Scope::Namespaced
        } else {
            self.custom.get(&(SmolStr::from(group), SmolStr::from(plural))).copied().unwrap_or(Scope::Unknown)
        }
    }
}

fn find_in(table: &[(&'static str, &[&str])], group: Option<&str>, plural: &str) -> Option<&'static str> {
    table
        .iter()
        .find(|(g, plurals)| group.is_none_or(|group| *g == group) && plurals.contains(&plural))
        .map(|(g, _)| *g)
}

fn listed(table: &[(&str, &[&str])], group: &str, plural: &str) -> bool {
    table.iter().any(|(g, plurals)| *g == group && plurals.contains(&plural))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(group: &str, plural: &str, scope: Scope) -> KindFacts {
        KindFacts { group: group.into(), plural: plural.into(), scope }
    }

    #[test]
    fn scopes_are_built_in_or_declared() {
        let table = KindTable::new(&[
            facts("x.org", "things", Scope::Cluster),
            facts("x.org", "things", Scope::Cluster),
            facts("x.org", "doubtful", Scope::Cluster),
            facts("x.org", "doubtful", Scope::Namespaced),
            facts("", "nodes", Scope::Namespaced),
        ]);
        for (group, plural, scope) in [
            ("", "nodes", Scope::Cluster),
            ("core", "nodes", Scope::Cluster),
            ("", "pods", Scope::Namespaced),
            ("apps", "deployments", Scope::Namespaced),
            ("", "deployments", Scope::Unknown),
            ("kube-iam.dev", "iamusers", Scope::Namespaced),
            ("x.org", "things", Scope::Cluster),
            ("x.org", "doubtful", Scope::Unknown),
            ("x.org", "other", Scope::Unknown),
        ] {
            assert_eq!(table.scope(group, plural), scope, "{group} {plural}");
        }
    }
}
