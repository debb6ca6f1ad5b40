//! The files that put us in front of a kube-apiserver: kubeconfigs and configurations, as texts.
//!
//! Sources: `kubernetes-contract.md` A3, A11, B6, B10; `apiserver.config.k8s.io/v1` AuthorizationConfiguration,
//! AdmissionConfiguration and WebhookAdmissionConfiguration; `admissionregistration.k8s.io/v1`. Where they lie is the business of [`super::state_folder`].

use std::fmt::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;

use k8s_openapi::ByteString;
use k8s_openapi::api::admissionregistration::v1::{
    MatchCondition, RuleWithOperations, ServiceReference, ValidatingWebhook, ValidatingWebhookConfiguration,
    WebhookClientConfig,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use crate::name::Mode;
use crate::world::{GROUP, VERSION};

/// How an API server authenticates to us.
pub enum ClientIdentity<'a> {
    /// By a certificate and key that go into the file, PEM.
    Embedded {
        /// The certificate.
        certificate_pem: &'a str,
        /// Its key.
        key_pem: &'a str,
    },
    /// By a certificate and key in files that somebody else provides.
    Files {
        /// The certificate.
        certificate: &'a Path,
        /// Its key.
        key: &'a Path,
    },
}

/// How an API server reaches the webhooks of a cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reach {
    /// At the address of a listener.
    Address(SocketAddr),
    /// Through a Service, at port 443.
    Service {
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
    },
}

/// When a change of a Namespace may concern kube-iam: the webhook itself compares. Creations always do, for a namespace
/// that is created again without a label would leave a guardrail.
const ACCOUNT_CHANGED: &str = "request.operation == 'CREATE' || object.metadata.?labels != oldObject.metadata.?labels || \
    ['kube-iam.dev/root-identity', 'kube-iam.dev/root-mfa'].exists(key, \
    object.metadata.?annotations[?key] != oldObject.metadata.?annotations[?key])";

/// Where API servers on this machine reach a listener: an address that means "all" becomes loopback.
pub fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

/// The kubeconfig for `connectionInfo.kubeConfigFile`: where `/authorize` is, whom to trust, what to present.
pub fn authorizer_kubeconfig(address: SocketAddr, authority_pem: &str, identity: &ClientIdentity<'_>) -> String {
    let server = text(&format!("https://{}/authorize", reachable(address)));
    let authority = base64(authority_pem);
    let mut out = format!(
        "apiVersion: v1\nkind: Config\nclusters:\n- name: kube-iam\n  cluster:\n    server: {server}\n    \
         certificate-authority-data: {authority}\n"
    );
    out.push_str("users:\n");
    push_user(&mut out, "kube-apiserver", identity);
    out.push_str(
        "contexts:\n- name: kube-iam\n  context:\n    cluster: kube-iam\n    user: kube-apiserver\n\
         current-context: kube-iam\n",
    );
    out
}

/// The kubeconfig for admission webhooks: one user for each `host:port` under which `/admit` may be registered.
///
/// kube-apiserver looks a user up by the host and port of the webhook's URL, or by `<service>.<namespace>.svc` with the
/// port left out when it is 443.
pub fn admission_kubeconfig(hosts: &[String], identity: &ClientIdentity<'_>) -> String {
    let mut out = String::from("apiVersion: v1\nkind: Config\nusers:\n");
    for host in hosts {
        push_user(&mut out, host, identity);
    }
    out
}

/// The AuthorizationConfiguration for `--authorization-config`: Node, then us, then RBAC, with the identities exempt
/// that a control plane needs to start (`kubernetes-contract.md` B10).
///
/// `kubeconfig` must be an absolute path on the machine of the API server. `content` tells what is in it from what was in it
/// before, where that is known: an API server that sees another file reads the kubeconfig anew only if a value in it changed,
/// so some nanoseconds of a TTL say so. While shadowing, our failure is nobody's.
pub fn authorization_configuration(mode: Mode, kubeconfig: &Path, content: Option<u64>) -> String {
    let ttl = marked_ttl(content);
    let failure_policy = match mode {
        Mode::Shadow => "NoOpinion",
        Mode::Coexist | Mode::Authoritative => "Deny",
    };
    let kubeconfig = path_text(kubeconfig);
    format!(
        r#"apiVersion: apiserver.config.k8s.io/v1
kind: AuthorizationConfiguration
authorizers:
- {{type: Node, name: node}}
- type: Webhook
  name: kube-iam
  webhook:
    authorizedTTL: 5s
    unauthorizedTTL: {ttl}
    cacheAuthorizedRequests: false      # 1.34+; leave both out before
    cacheUnauthorizedRequests: false
    timeout: 3s
    subjectAccessReviewVersion: v1
    matchConditionSubjectAccessReviewVersion: v1
    failurePolicy: {failure_policy}
    connectionInfo: {{type: KubeConfigFile, kubeConfigFile: {kubeconfig}}}
    matchConditions:
    # nodes, controller-manager, scheduler, kube-proxy, apiserver, aggregator, bootstrappers: all "system:" users but ServiceAccounts
    - expression: "!request.user.startsWith('system:') || request.user.startsWith('system:serviceaccount:') || request.user == 'system:anonymous'"
    # kube-apiserver as a client of kubelets (asked back by the kubelet's own SubjectAccessReview)
    - expression: "request.user != 'kube-apiserver-kubelet-client'"
    # controllers of the control plane, add-ons, CNI, CSI
    - expression: "!request.user.startsWith('system:serviceaccount:kube-system:')"
    # kube-iam itself (static minimal RBAC role); never ask ourselves
    - expression: "request.user != 'system:serviceaccount:kube-iam-system:kube-iam'"
    # liveness of the apiserver
    - expression: "!has(request.nonResourceAttributes) || !(request.nonResourceAttributes.path in ['/healthz', '/livez', '/readyz'])"
- {{type: RBAC, name: rbac}}
"#
    )
}

/// The time for which an API server of 1.33, which caches in any case, keeps what was not allowed: five seconds, and some
/// nanoseconds that tell the content of the kubeconfig.
pub(super) fn marked_ttl(content: Option<u64>) -> String {
    content.map_or_else(|| "5s".to_owned(), |content| format!("5.0{:08}s", content % 100_000_000))
}

/// The AdmissionConfiguration for `--admission-control-config-file`: what the API server presents to our webhooks.
///
/// `kubeconfig` must be an absolute path on the machine of the API server.
pub fn admission_configuration(kubeconfig: &Path) -> String {
    let kubeconfig = path_text(kubeconfig);
    format!(
        "apiVersion: apiserver.config.k8s.io/v1\nkind: AdmissionConfiguration\nplugins:\n\
         - name: ValidatingAdmissionWebhook\n  configuration:\n    apiVersion: apiserver.config.k8s.io/v1\n    \
         kind: WebhookAdmissionConfiguration\n    kubeConfigFile: {kubeconfig}\n"
    )
}

/// The ValidatingWebhookConfiguration `kube-iam`, YAML: which changes an API server asks about, and where.
///
/// It names the webhooks that this version answers and no other: one that nobody answers would stop a cluster. Neither
/// exempts anybody; who may do what is judged in the webhook.
pub fn webhook_registration(reach: &Reach, authority_pem: &str) -> String {
    let client = || {
        let (url, service) = match reach {
            Reach::Address(address) => (Some(format!("https://{}/admit-iam", reachable(*address))), None),
            Reach::Service { namespace, name } => {
                let (namespace, name) = (namespace.clone(), name.clone());
                let path = Some("/admit-iam".to_owned());
                (None, Some(ServiceReference { namespace, name, path, port: Some(443) }))
            }
        };
        WebhookClientConfig { ca_bundle: Some(ByteString(authority_pem.as_bytes().to_vec())), service, url }
    };
    let webhook = |name: &str, rule: RuleWithOperations, conditions: Option<Vec<MatchCondition>>| ValidatingWebhook {
        admission_review_versions: texts(&["v1"]),
        client_config: client(),
        failure_policy: Some("Fail".to_owned()),
        match_conditions: conditions,
        match_policy: Some("Equivalent".to_owned()),
        name: name.to_owned(),
        namespace_selector: None,
        object_selector: None,
        rules: Some(vec![rule]),
        side_effects: "None".to_owned(),
        timeout_seconds: Some(5),
    };
    let rule = |scope: &str, [group, version]: [&str; 2], resources: &[&str], operations: &[&str]| RuleWithOperations {
        api_groups: Some(texts(&[group])),
        api_versions: Some(texts(&[version])),
        operations: Some(texts(operations)),
        resources: Some(texts(resources)),
        scope: Some(scope.to_owned()),
    };
    let objects = [
        "iamgroups",
        "iamgroups/status",
        "iampolicies",
        "iampolicies/status",
        "iamroles",
        "iamroles/status",
        "iamusers",
        "iamusers/status",
    ];
    let objects = rule("Namespaced", [GROUP, VERSION], &objects, &["CREATE", "UPDATE", "DELETE"]);
    let accounts = ["namespaces", "namespaces/finalize", "namespaces/status"];
    let accounts = rule("Cluster", ["", "v1"], &accounts, &["CREATE", "UPDATE"]);
    let changed = MatchCondition { name: "labels-or-root-changed".to_owned(), expression: ACCOUNT_CHANGED.to_owned() };
    let registration = ValidatingWebhookConfiguration {
        metadata: ObjectMeta { name: Some("kube-iam".to_owned()), ..ObjectMeta::default() },
        webhooks: Some(vec![
            webhook("objects.kube-iam.dev", objects, None),
            webhook("accounts.kube-iam.dev", accounts, Some(vec![changed])),
        ]),
    };
    // A type of Kubernetes' own always has a YAML form.
    serde_yaml::to_string(&registration).unwrap_or_default()
}

fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

fn push_user(out: &mut String, name: &str, identity: &ClientIdentity<'_>) {
    let (certificate, key) = match identity {
        ClientIdentity::Embedded { certificate_pem, key_pem } => (
            format!("client-certificate-data: {}", base64(certificate_pem)),
            format!("client-key-data: {}", base64(key_pem)),
        ),
        ClientIdentity::Files { certificate, key } => {
            (format!("client-certificate: {}", path_text(certificate)), format!("client-key: {}", path_text(key)))
        }
    };
    // Writing into a String does not fail.
    let _ = write!(out, "- name: {}\n  user:\n    {certificate}\n    {key}\n", text(name));
}

/// A text as YAML reads it back, whatever is in it: JSON is YAML.
fn text(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn path_text(path: &Path) -> String {
    text(&path.to_string_lossy())
}

pub(super) fn base64(text: &str) -> String {
    serde_json::to_value(ByteString(text.as_bytes().to_vec()))
        .ok()
        .and_then(|value| value.as_str().map(str::to_owned))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn yaml(text: &str) -> serde_json::Value {
        serde_yaml::from_str(text).unwrap()
    }

    #[test]
    fn base64_is_the_standard_one() {
        for (plain, encoded) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("fooba>?", "Zm9vYmE+Pw==")]
        {
            assert_eq!(base64(plain), encoded);
        }
    }

    #[test]
    fn an_authorizer_kubeconfig_names_an_address_that_can_be_reached() {
        let identity = ClientIdentity::Embedded { certificate_pem: "C", key_pem: "K" };
        for (listen, server) in [
            ("127.0.0.1:9443", "https://127.0.0.1:9443/authorize"),
            ("0.0.0.0:1", "https://127.0.0.1:1/authorize"),
            ("[::]:1", "https://[::1]:1/authorize"),
            ("10.1.2.3:1", "https://10.1.2.3:1/authorize"),
        ] {
            let kubeconfig = yaml(&authorizer_kubeconfig(listen.parse().unwrap(), "A", &identity));
            assert_eq!(kubeconfig["clusters"][0]["cluster"]["server"], server);
            assert_eq!(kubeconfig["clusters"][0]["cluster"]["certificate-authority-data"], "QQ==");
            assert_eq!(kubeconfig["users"][0]["user"]["client-certificate-data"], "Qw==");
            assert_eq!(kubeconfig["users"][0]["user"]["client-key-data"], "Sw==");
            assert_eq!(kubeconfig["contexts"][0]["context"]["user"], kubeconfig["users"][0]["name"]);
            assert_eq!(kubeconfig["contexts"][0]["name"], kubeconfig["current-context"]);
        }
    }

    #[test]
    fn an_admission_kubeconfig_has_a_user_for_each_host() {
        let identity = ClientIdentity::Files { certificate: Path::new("/s/c: x"), key: Path::new("/s/k\"y") };
        let hosts = ["127.0.0.1:9443".to_owned(), "kube-iam.kube-iam-system.svc".to_owned()];
        let kubeconfig = yaml(&admission_kubeconfig(&hosts, &identity));
        assert_eq!(kubeconfig["users"][0]["name"], "127.0.0.1:9443");
        assert_eq!(kubeconfig["users"][1]["name"], "kube-iam.kube-iam-system.svc");
        assert_eq!(kubeconfig["users"][1]["user"]["client-certificate"], "/s/c: x");
        assert_eq!(kubeconfig["users"][1]["user"]["client-key"], "/s/k\"y");
        let configuration = yaml(&admission_configuration(Path::new("/s/admission.kubeconfig")));
        assert_eq!(configuration["plugins"][0]["name"], "ValidatingAdmissionWebhook");
        assert_eq!(configuration["plugins"][0]["configuration"]["kubeConfigFile"], "/s/admission.kubeconfig");
    }

    #[test]
    fn a_registration_reaches_an_address_or_a_service() {
        let clients = |reach: &Reach| {
            let registration = yaml(&webhook_registration(reach, "A"));
            let webhooks = registration["webhooks"].as_array().unwrap().clone();
            webhooks.iter().map(|webhook| webhook["clientConfig"].clone()).collect::<Vec<_>>()
        };
        let by_address = serde_json::json!({"url": "https://127.0.0.1:9443/admit-iam", "caBundle": "QQ=="});
        assert_eq!(clients(&Reach::Address("0.0.0.0:9443".parse().unwrap())), [by_address.clone(), by_address]);
        let service = Reach::Service { namespace: "kube-iam-system".to_owned(), name: "kube-iam".to_owned() };
        let service_reference = serde_json::json!({
            "namespace": "kube-iam-system", "name": "kube-iam", "path": "/admit-iam", "port": 443,
        });
        let by_service = serde_json::json!({"service": service_reference, "caBundle": "QQ=="});
        assert_eq!(clients(&service), [by_service.clone(), by_service]);
    }

    #[test]
    fn a_registration_is_the_published_one() {
        insta::assert_snapshot!(webhook_registration(&Reach::Address("127.0.0.1:9443".parse().unwrap()), "A"));
    }

    #[test]
    fn our_failure_denies_in_every_mode_but_shadow() {
        for (mode, policy) in [(Mode::Shadow, "NoOpinion"), (Mode::Coexist, "Deny"), (Mode::Authoritative, "Deny")] {
            let configuration = yaml(&authorization_configuration(mode, Path::new("/a b/x,}.kubeconfig"), None));
            let webhook = &configuration["authorizers"][1]["webhook"];
            assert_eq!(webhook["failurePolicy"], policy);
            assert_eq!(webhook["connectionInfo"]["kubeConfigFile"], "/a b/x,}.kubeconfig");
            assert_eq!(webhook["matchConditions"].as_array().map(Vec::len), Some(5));
            assert_eq!(configuration["authorizers"][0]["type"], "Node");
            assert_eq!(configuration["authorizers"][2]["type"], "RBAC");
        }
    }

    #[test]
    fn another_kubeconfig_is_another_value() {
        let ttl = |content| {
            let text = authorization_configuration(Mode::Coexist, Path::new("/x"), content);
            yaml(&text)["authorizers"][1]["webhook"]["unauthorizedTTL"].as_str().unwrap().to_owned()
        };
        let found = [None, Some(0), Some(7), Some(1_200_000_034)].map(ttl);
        assert_eq!(found, ["5s", "5.000000000s", "5.000000007s", "5.000000034s"]);
    }
}
