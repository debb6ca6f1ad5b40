//! Tests on a real control plane: what a kube-apiserver, a kubectl and a kube-controller-manager make of the product.
//!
//! One file for each behaviour. The control plane is built on first use, see [`control_plane`].

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a harness fails the test where it fails; none of this is shipped"
)]

mod authorize_all_namespaces;
mod authorize_allows;
mod authorize_bad_input;
mod authorize_denies;
mod authorize_impersonation;
mod authorize_implicit_denies;
mod authorize_outage;
mod authorize_roots;
mod authorize_scopes;
mod authorize_selectors;
mod authorize_service_accounts;
mod authorize_subresources;
mod authorize_system_identities;
mod control_plane;
mod control_plane_starts;
mod crds;
mod crds_apply;
mod crds_explain;
mod crds_narrowing;
mod crds_rules;
mod examples;
mod https;
#[expect(dead_code, reason = "the tests of cluster mode will read a world from a cluster")]
mod kube_iam;
mod reload_changes;
mod reload_links;
mod site;
