//! The one program: `kube-iam`, and `kubectl-iam` as a kubectl plugin.

fn main() {}
