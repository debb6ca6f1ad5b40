//! The one program: `kube-iam`, and `kubectl-iam` as a kubectl plugin.

use std::process::ExitCode;

fn main() -> ExitCode {
    // One provider for all of TLS; a second call in the same process finds it installed, which is what is wanted.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    kube_iam::command::run()
}
