//! Kinds as people type them: `pods`, `pod`, `po`, `deployments.apps`, `deployments.v1.apps`.

use smol_str::SmolStr;

use crate::world::KindTable;

/// kubectl's short names of Kubernetes' own kinds and ours.
const SHORT: &[(&str, &str)] = &[
    ("cm", "configmaps"),
    ("cj", "cronjobs"),
    ("crd", "customresourcedefinitions"),
    ("crds", "customresourcedefinitions"),
    ("csr", "certificatesigningrequests"),
    ("deploy", "deployments"),
    ("ds", "daemonsets"),
    ("ep", "endpoints"),
    ("ev", "events"),
    ("hpa", "horizontalpodautoscalers"),
    ("ing", "ingresses"),
    ("limits", "limitranges"),
    ("netpol", "networkpolicies"),
    ("no", "nodes"),
    ("ns", "namespaces"),
    ("pc", "priorityclasses"),
    ("pdb", "poddisruptionbudgets"),
    ("po", "pods"),
    ("pv", "persistentvolumes"),
    ("pvc", "persistentvolumeclaims"),
    ("quota", "resourcequotas"),
    ("rc", "replicationcontrollers"),
    ("rs", "replicasets"),
    ("sa", "serviceaccounts"),
    ("sc", "storageclasses"),
    ("sts", "statefulsets"),
    ("svc", "services"),
];

/// The group and plural of a kind, and whether it is a known one. An unknown one is taken as it is written.
pub(super) fn resolve(kinds: &KindTable, text: &str) -> (String, String, bool) {
    let (word, group) = match text.split_once('.') {
        Some((word, rest)) => {
            // `deployments.v1.apps` names a version, too.
            let group = match rest.split_once('.') {
                Some((version, group)) if is_version(version) => group,
                _ => rest,
            };
            (word, Some(if is_version(group) { "" } else { group }))
        }
        None => (text, None),
    };
    let word = word.to_lowercase();
    let long = SHORT.iter().find(|(short, _)| *short == word).map_or(word.as_str(), |(_, long)| long);
    let guesses = [long.to_owned(), format!("{long}s"), format!("{long}es"), plural_of_y(long)];
    for plural in &guesses {
        if let Some(found) = kinds.find(group, plural) {
            return (found.to_string(), plural.clone(), true);
        }
    }
    (SmolStr::from(group.unwrap_or("")).to_string(), word, false)
}

fn plural_of_y(word: &str) -> String {
    word.strip_suffix('y').map_or_else(|| word.to_owned(), |stem| format!("{stem}ies"))
}

fn is_version(text: &str) -> bool {
    let mut chars = text.chars();
    chars.next() == Some('v') && chars.next().is_some_and(|c| c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_found_as_kubectl_finds_them() {
        let kinds = KindTable::default();
        for (text, group, plural, known) in [
            ("pods", "", "pods", true),
            ("pod", "", "pods", true),
            ("po", "", "pods", true),
            ("Deployment", "apps", "deployments", true),
            ("deployments.apps", "apps", "deployments", true),
            ("deployments.v1.apps", "apps", "deployments", true),
            ("ingress", "networking.k8s.io", "ingresses", true),
            ("networkpolicy", "networking.k8s.io", "networkpolicies", true),
            ("ns", "", "namespaces", true),
            ("iamusers", "kube-iam.dev", "iamusers", true),
            ("widgets.example.org", "example.org", "widgets", false),
            ("deployments.example.org", "example.org", "deployments", false),
            ("*", "", "*", false),
        ] {
            assert_eq!(resolve(&kinds, text), (group.into(), plural.into(), known), "{text}");
        }
    }
}
