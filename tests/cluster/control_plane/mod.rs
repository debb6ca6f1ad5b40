//! A real control plane for the tests: etcd, kube-apiserver, kube-controller-manager, kubectl and helm, built from source
//! on first use ([`build`]), started on loopback with a folder of its own ([`cluster`]) and gone with the test process,
//! also when that crashes ([`process`]).
//!
//! There are no nodes, no scheduler and no kube-proxy: Pods stay Pending, and a webhook is reached by `url` on loopback,
//! never through a Service.

pub mod build;
pub mod certificates;
pub mod cluster;
pub mod component;
pub mod deadline;
pub mod folder;
pub mod helm;
pub mod http;
pub mod kubeconfig;
pub mod kubectl;
pub mod port;
pub mod process;
pub mod shared;
