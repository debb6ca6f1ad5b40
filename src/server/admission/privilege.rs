//! Who may make a change that is reserved (`guarantees.md` 8.2.4): kube-iam itself, the management root, installers, and
//! callers to whom the API server's authorizers grant the verb `escalate`.

use std::collections::BTreeSet;
use std::sync::OnceLock;
use std::time::Duration;

use k8s_openapi::api::authentication::v1::SelfSubjectReview;
use k8s_openapi::api::authorization::v1::{ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec};
use kube::api::{Api, PostParams};
use tokio::time::timeout;

use super::review::Caller;
use super::verdict::Subject;
use crate::store::Catalog;

/// The longest that an API server is waited for: less than the five seconds that it waits for us.
const PATIENCE: Duration = Duration::from_secs(3);

/// Knows who may make reserved changes, or asks.
pub(super) struct Privileges {
    client: kube::Client,
    installers: BTreeSet<String>,
    /// The user name that this process has at the API server, once that has said it.
    own_name: OnceLock<String>,
}

/// Whether a caller may make a reserved change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Privilege {
    /// Yes: it is kube-iam itself.
    Own,
    /// Yes.
    Held,
    /// No.
    Missing,
    /// The API server did not say; why, in one line.
    Unknown(String),
}

// === impl Privileges ===

impl Privileges {
    pub(super) fn new(client: kube::Client, installers: Vec<String>) -> Self {
        Self { client, installers: installers.into_iter().collect(), own_name: OnceLock::new() }
    }

    /// What a person can ask, who is not kube-iam and does not know its installers. Nobody has the empty name.
    pub(super) fn of_a_person(client: kube::Client) -> Self {
        Self { client, installers: BTreeSet::new(), own_name: OnceLock::from(String::new()) }
    }

    /// Whether a caller may change this. `root` is the active root of the management account.
    pub(super) async fn of(&self, caller: &Caller, subject: &Subject, root: Option<&str>) -> Privilege {
        let name = caller.username.as_str();
        if name.is_empty() {
            return Privilege::Missing;
        }
        if root == Some(name) || self.installers.contains(name) {
            return Privilege::Held;
        }
        match timeout(PATIENCE, self.ask(caller, subject)).await {
            Ok(Ok(privilege)) => privilege,
            Ok(Err(error)) => Privilege::Unknown(error.to_string()),
            Err(_) => Privilege::Unknown(format!("no answer within {} s", PATIENCE.as_secs())),
        }
    }

    async fn ask(&self, caller: &Caller, subject: &Subject) -> Result<Privilege, kube::Error> {
        if let Subject::Object(_) = subject
            && self.own_name().await? == caller.username
        {
            return Ok(Privilege::Own);
        }
        let review = SubjectAccessReview { spec: question(caller, subject), ..SubjectAccessReview::default() };
        let answered = Api::all(self.client.clone()).create(&PostParams::default(), &review).await?;
        let allowed = answered.status.is_some_and(|status| status.allowed);
        Ok(if allowed { Privilege::Held } else { Privilege::Missing })
    }

    /// Asked until it is known, then never again: the name does not change while the process lives. Nobody has the empty
    /// name: a server that does not say makes nobody us, this time.
    async fn own_name(&self) -> Result<String, kube::Error> {
        if let Some(known) = self.own_name.get() {
            return Ok(known.clone());
        }
        let asked = Api::all(self.client.clone());
        let answered: SelfSubjectReview = asked.create(&PostParams::default(), &SelfSubjectReview::default()).await?;
        let user = answered.status.and_then(|status| status.user_info).and_then(|user| user.username);
        let name = user.unwrap_or_default();
        if !name.is_empty() {
            // Another task may have been first, with the same answer.
            let _ = self.own_name.set(name.clone());
        }
        Ok(name)
    }
}

/// `escalate` on the object or the Namespace, by this caller.
fn question(caller: &Caller, subject: &Subject) -> SubjectAccessReviewSpec {
    let [group, plural, namespace, name] = subject.attributes().map(str::to_owned);
    let some = |text: String| Some(text).filter(|text| !text.is_empty());
    SubjectAccessReviewSpec {
        user: Some(caller.username.clone()),
        uid: some(caller.uid.clone()),
        groups: Some(caller.groups.clone()),
        extra: Some(caller.extra.0.clone()),
        non_resource_attributes: None,
        resource_attributes: Some(ResourceAttributes {
            verb: Some("escalate".to_owned()),
            group: some(group),
            resource: Some(plural),
            namespace: some(namespace),
            name: some(name),
            ..ResourceAttributes::default()
        }),
    }
}

/// The root of the management account, where it needs no MFA: no session can prove any to an API server yet, and until
/// then the root's identity is an ordinary caller (`design.md` §4).
pub(super) fn active_root(catalog: &Catalog) -> Option<String> {
    let settings = catalog.settings();
    let root = settings.management_root.as_ref()?;
    let namespace = catalog.namespace(&settings.management_account)?;
    namespace.facts.root_mfa_optional.then(|| root.to_string())
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;
    use crate::world::{Kind, ObjectKey};

    #[test]
    fn the_question_carries_everything_about_the_caller() {
        let caller = Caller {
            username: "ann".to_owned(),
            uid: "u1".to_owned(),
            groups: vec!["devs".to_owned()],
            extra: serde_json::from_str(r#"{"example.org/k": ["a", "b"]}"#).unwrap(),
        };
        let spec = question(&caller, &Subject::Account("payments".into()));
        assert_eq!(
            serde_json::to_value(&spec).unwrap(),
            serde_json::json!({
                "user": "ann", "uid": "u1", "groups": ["devs"], "extra": {"example.org/k": ["a", "b"]},
                "resourceAttributes": {"verb": "escalate", "resource": "namespaces", "name": "payments"},
            })
        );
    }

    /// An API server that says these names of whoever asks, one after the other, and lets nobody do anything.
    async fn api_server(names: &[&str]) -> std::net::SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut names: Vec<String> = names.iter().rev().map(|name| (*name).to_owned()).collect();
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut request = Vec::new();
                // Small requests: the body has come when it ends like an object.
                while !request.ends_with(b"}") {
                    assert_ne!(stream.read_buf(&mut request).await.unwrap(), 0);
                }
                let status = match String::from_utf8_lossy(&request).contains("/selfsubjectreviews") {
                    true => serde_json::json!({"userInfo": {"username": names.pop().unwrap()}}),
                    false => serde_json::json!({"allowed": false}),
                };
                let body = serde_json::json!({"metadata": {}, "spec": {}, "status": status}).to_string();
                let head = "HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nConnection: close\r\n";
                let answer = format!("{head}Content-Length: {}\r\n\r\n{body}", body.len());
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        });
        address
    }

    #[tokio::test]
    async fn a_name_of_ours_that_is_not_said_is_asked_for_again() {
        let address = api_server(&["", "system:serviceaccount:kube-iam-system:kube-iam"]).await;
        let config = kube::Config::new(format!("http://{address}").parse().unwrap());
        let privileges = Privileges::new(kube::Client::try_from(config).unwrap(), Vec::new());
        let caller = Caller {
            username: "system:serviceaccount:kube-iam-system:kube-iam".to_owned(),
            uid: String::new(),
            groups: Vec::new(),
            extra: serde_json::from_str("{}").unwrap(),
        };
        let key = ObjectKey { kind: Kind::Group, account: "a".into(), name: "devs".into() };
        let subject = Subject::Object(key);
        assert_eq!(privileges.of(&caller, &subject, None).await, Privilege::Missing);
        assert_eq!(privileges.of(&caller, &subject, None).await, Privilege::Own);
        // From now on it is known.
        assert_eq!(privileges.of(&caller, &subject, None).await, Privilege::Own);
    }
}
