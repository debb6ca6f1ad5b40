//! What `serve` is told: every flag of `interface.md` §3, parsed once.
//!
//! Each flag has an environment twin, `KUBE_IAM_` and the flag's name in upper case with `_`. A list in the environment
//! has one value a line, for user names may hold commas and blanks. What a flag leads to is decided elsewhere.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::name::Mode;

/// The flags of `serve`.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub struct ServeConfig {
    /// Take the world from the manifests in this folder, not from a cluster
    ///
    /// Reads *.yaml, *.yml and *.json below DIR. Changes are in force within a second.
    #[arg(long, value_name = "DIR", env = "KUBE_IAM_MANIFESTS")]
    pub manifests: Option<PathBuf>,

    /// Kubeconfig of the cluster to read from [default: in-cluster, then KUBECONFIG, then ~/.kube/config]
    #[arg(long, value_name = "FILE", env = "KUBE_IAM_KUBECONFIG")]
    pub kubeconfig: Option<PathBuf>,

    /// Context of the kubeconfig to use
    #[arg(long, value_name = "NAME", env = "KUBE_IAM_CONTEXT")]
    pub context: Option<String>,

    /// Address of the HTTPS webhooks; port 0 picks a free port
    #[arg(long, value_name = "IP:PORT", default_value = "127.0.0.1:9443", env = "KUBE_IAM_LISTEN")]
    pub listen: SocketAddr,

    /// Address of /healthz, /readyz and /metrics over HTTP; port 0 picks a free port
    #[arg(long, value_name = "IP:PORT", default_value = "127.0.0.1:9440", env = "KUBE_IAM_HEALTH_LISTEN")]
    pub health_listen: SocketAddr,

    /// Folder for self-issued certificates and for the files that a kube-apiserver needs
    /// [default: $XDG_STATE_HOME/kube-iam, or ~/.local/state/kube-iam]
    #[arg(long, value_name = "DIR", env = "KUBE_IAM_STATE_DIR")]
    pub state_dir: Option<PathBuf>,

    /// Serving certificate and its chain, PEM [default: self-issued]
    #[arg(long, value_name = "FILE", requires = "tls_key", env = "KUBE_IAM_TLS_CERT")]
    pub tls_cert: Option<PathBuf>,

    /// Private key of the serving certificate, PEM [default: self-issued]
    #[arg(long, value_name = "FILE", requires = "tls_cert", env = "KUBE_IAM_TLS_KEY")]
    pub tls_key: Option<PathBuf>,

    /// Certificate authorities whose client certificates may call the webhooks, PEM [default: self-issued]
    #[arg(long, value_name = "FILE", env = "KUBE_IAM_CLIENT_CA")]
    pub client_ca: Option<PathBuf>,

    /// Whether /admit and /admit-iam ask for a client certificate; /authorize always does
    #[arg(long, value_name = "WHEN", value_enum, default_value_t, env = "KUBE_IAM_ADMISSION_CLIENT_AUTH")]
    pub admission_client_auth: AdmissionClientAuth,

    /// How far answers go: shadow, coexist or authoritative
    ///
    /// shadow only records; coexist leaves what no policy speaks about to the next authorizer; authoritative denies it.
    #[arg(long, value_name = "MODE", default_value_t, env = "KUBE_IAM_MODE")]
    pub mode: Mode,

    /// Name of the cluster: the region segment of its ARNs
    #[arg(long, value_name = "NAME", default_value = "", env = "KUBE_IAM_CLUSTER_NAME")]
    pub cluster_name: String,

    /// Namespace that is the management account
    #[arg(long, value_name = "NAMESPACE", default_value = "kube-iam-system", env = "KUBE_IAM_MANAGEMENT_ACCOUNT")]
    pub management_account: String,

    /// Kubernetes user that is root of the management account
    #[arg(long, value_name = "USER", env = "KUBE_IAM_MANAGEMENT_ROOT")]
    pub management_root: Option<String>,

    /// Kubernetes user that may change kube-iam's own objects; repeat for several
    #[arg(long, value_name = "USER", value_delimiter = '\n', env = "KUBE_IAM_INSTALLER")]
    pub installer: Vec<String>,

    /// Whether a role's name as user name is believed without a session record; this version believes none
    #[arg(long, value_name = "SWITCH", value_enum, default_value_t, env = "KUBE_IAM_IMPERSONATED_ROLES")]
    pub impersonated_roles: ImpersonatedRoles,

    /// Form of the log [default: text on a terminal, else json]
    #[arg(long, value_name = "FORMAT", value_enum, env = "KUBE_IAM_LOG_FORMAT")]
    pub log_format: Option<LogFormat>,
}

/// Who may call `/admit` and `/admit-iam`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, ValueEnum)]
pub enum AdmissionClientAuth {
    /// Callers with a client certificate.
    #[default]
    Required,
    /// Everybody who reaches them.
    None,
}

/// Whether a role's name as user name is believed without a session record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, ValueEnum)]
pub enum ImpersonatedRoles {
    /// Believed.
    #[default]
    On,
    /// Believed with a session record only.
    Off,
}

/// The form of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// Lines for people.
    Text,
    /// One JSON object a line.
    Json,
}

/// No folder for the state can be made out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot tell where to keep state: set --state-dir, or one of XDG_STATE_HOME and HOME")]
pub struct StateDirError;

// === impl ServeConfig ===

impl ServeConfig {
    /// The state folder: `--state-dir`, else `$XDG_STATE_HOME/kube-iam`, else `$HOME/.local/state/kube-iam`, of which
    /// only absolute values count.
    ///
    /// # Errors
    /// When there is none of the three.
    pub fn state_dir(&self, variable: impl Fn(&str) -> Option<std::ffi::OsString>) -> Result<PathBuf, StateDirError> {
        if let Some(dir) = &self.state_dir {
            return Ok(dir.clone());
        }
        let absolute = |name| variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
        absolute("XDG_STATE_HOME")
            .or_else(|| absolute("HOME").map(|home| home.join(".local/state")))
            .map(|base| base.join("kube-iam"))
            .ok_or(StateDirError)
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use clap::{CommandFactory, Parser};

    use super::*;

    #[derive(Debug, Parser)]
    struct Cli {
        #[command(flatten)]
        serve: ServeConfig,
    }

    fn parse(arguments: &[&str]) -> Result<ServeConfig, clap::Error> {
        Cli::try_parse_from(std::iter::once(&"serve").chain(arguments)).map(|cli| cli.serve)
    }

    #[test]
    fn the_defaults_are_the_published_ones() {
        let config = parse(&[]).unwrap();
        assert_eq!(config.listen.to_string(), "127.0.0.1:9443");
        assert_eq!(config.health_listen.to_string(), "127.0.0.1:9440");
        assert_eq!((config.mode, config.admission_client_auth), (Mode::Coexist, AdmissionClientAuth::Required));
        assert_eq!(config.impersonated_roles, ImpersonatedRoles::On);
        assert_eq!((config.cluster_name.as_str(), config.management_account.as_str()), ("", "kube-iam-system"));
        assert_eq!((config.management_root, config.log_format, config.manifests), (None, None, None));
        assert_eq!(config.installer, Vec::<String>::new());
    }

    #[test]
    fn every_flag_has_its_environment_twin() {
        Cli::command().debug_assert();
        for argument in Cli::command().get_arguments().filter(|a| !matches!(a.get_id().as_str(), "help" | "version")) {
            let flag = argument.get_long().unwrap();
            let twin = format!("KUBE_IAM_{}", flag.to_uppercase().replace('-', "_"));
            assert_eq!(argument.get_env().unwrap().to_str(), Some(twin.as_str()), "--{flag}");
            assert!(argument.get_help().is_some(), "--{flag} has no help");
        }
    }

    #[test]
    fn a_certificate_goes_with_its_key() {
        assert!(parse(&["--tls-cert", "a"]).is_err());
        assert!(parse(&["--tls-key", "a"]).is_err());
        assert!(parse(&["--tls-cert", "a", "--tls-key", "b"]).is_ok());
        assert!(parse(&["--client-ca", "a"]).is_ok());
    }

    #[test]
    fn installers_may_hold_commas() {
        let config = parse(&["--installer", "cn=a,dc=b", "--installer", "oidc:x y"]).unwrap();
        assert_eq!(config.installer, ["cn=a,dc=b", "oidc:x y"]);
    }

    #[test]
    fn a_wrong_mode_is_refused_with_the_right_ones() {
        let error = parse(&["--mode", "enforce"]).unwrap_err().to_string();
        assert!(error.contains("expected shadow, coexist or authoritative"), "{error}");
    }

    #[test]
    fn the_state_folder_follows_the_environment() {
        let with = |set: &'static [(&str, &str)]| {
            move |name: &str| set.iter().find(|(key, _)| *key == name).map(|(_, value)| OsString::from(value))
        };
        let config = parse(&[]).unwrap();
        assert_eq!(
            config.state_dir(with(&[("XDG_STATE_HOME", "/xdg"), ("HOME", "/home/a")])).unwrap(),
            PathBuf::from("/xdg/kube-iam")
        );
        assert_eq!(
            config.state_dir(with(&[("XDG_STATE_HOME", "relative"), ("HOME", "/home/a")])).unwrap(),
            PathBuf::from("/home/a/.local/state/kube-iam")
        );
        assert_eq!(config.state_dir(with(&[])), Err(StateDirError));
        assert_eq!(parse(&["--state-dir", "x"]).unwrap().state_dir(with(&[])).unwrap(), PathBuf::from("x"));
    }
}
