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

mod admission_accounts;
mod admission_callers;
mod admission_deletions;
mod admission_objects;
mod admission_reserved;
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
mod chart;
mod chart_alerts;
mod chart_crds;
mod chart_health;
mod chart_installs;
mod chart_renders;
mod chart_rights;
mod chart_values;
mod cli;
mod cli_answers;
mod cli_self;
mod cli_unreachable;
mod control_plane;
mod control_plane_starts;
mod crds;
mod crds_apply;
mod crds_explain;
mod crds_narrowing;
mod crds_rules;
mod document;
mod examples;
mod fault_certificates;
mod fault_lives;
mod fault_load;
mod fault_power;
mod fault_replicas;
mod fault_storm;
mod followed;
mod guarded;
mod https;
mod installed;
mod kube_iam;
mod operated;
mod operations;
mod operator_authorities;
mod operator_deletions;
mod operator_gitops;
mod operator_references;
mod operator_replicas;
mod operator_status;
mod readme;
mod reload_changes;
mod reload_links;
mod site;
mod store_bad_objects;
mod store_follows;
mod store_gone;
mod store_invalid;
mod store_orders;
mod store_outages;
