//! The finalizer that keeps what is still named.
//!
//! As in AWS, a policy that is attached and a group that has members are not deleted. Admission refuses such a deletion;
//! one that gets past it (a namespace that goes, a webhook that was down) only begins: the object stays, with its
//! restrictions in force, until nothing names it any more. References lead from users and roles to groups and policies
//! and never back, and users and roles have no finalizer, so whatever is deleted together goes together.
//!
//! Setting it cannot wait, releasing it can: an object that is not being deleted keeps it for a while after the last that
//! named it has let go, so that who names many objects by turns does not have all of them written each time. That is a
//! matter of time, and so of who does the step.
//!
//! # When it does not go
//!
//! A policy of the management account that an object of another account names stays until that object lets go of it. How
//! many such objects there are is told; their names are theirs, and `kubectl get iam -A -o yaml` shows them to who may see
//! them. While no replica of kube-iam runs, nobody releases anything; an administrator
//! then takes the finalizer off by hand, and with it the restrictions of the object:
//!
//! ```text
//! kubectl patch iampolicy NAME -n NAMESPACE --type json -p '[{"op": "remove", "path": "/metadata/finalizers"}]'
//! ```

use super::observation::Observation;
use super::steps::Step;
use crate::world::Kind;

/// The finalizer.
pub const IN_USE: &str = "kube-iam.dev/in-use";

/// Whether the finalizer is to be set or released.
pub(super) fn step(observation: &Observation) -> Option<Step> {
    let may_be_named = match observation.key.kind {
        Kind::Group | Kind::Policy => true,
        Kind::User | Kind::Role => false,
    };
    let wanted = may_be_named && observation.referrers.count > 0;
    let found = observation.finalizers.iter().any(|finalizer| finalizer == IN_USE);
    match (wanted, found) {
        // An API server takes no new finalizer on what is being deleted.
        (true, false) => (!observation.deleting).then_some(Step::AddFinalizer),
        (false, true) => Some(Step::RemoveFinalizer),
        (true, true) | (false, false) => None,
    }
}
