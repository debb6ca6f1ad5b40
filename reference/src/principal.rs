//! Callers, and the `Principal` and `NotPrincipal` elements (§7).

use std::collections::BTreeSet;

use serde_json::Value;

/// Who makes the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Caller {
    /// Nobody known.
    Anonymous,
    /// A service, by its host name.
    Service(String),
    /// Anybody with an account.
    Account {
        /// The ARN as written in the request.
        arn: String,
        /// Partition of the ARN.
        partition: String,
        /// Account number.
        account: String,
        /// What kind of identity.
        identity: Identity,
    },
}

/// An identity within an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Identity {
    /// The root user.
    Root,
    /// A session of the role with this name (session ARNs carry no path).
    RoleSession(String),
    /// A federated-user session with this name.
    FederatedUser(String),
    /// An IAM user, or whatever else has an ARN.
    Other,
}

/// How a statement's principal covers the caller (§7.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Match {
    /// By `*`.
    Any,
    /// By its account.
    Account,
    /// By its own name.
    Direct,
    /// By the user behind a federated-user session.
    User,
    /// By the role behind the session.
    Role,
}

impl Caller {
    /// Reads the request's principal: an ARN, a service host, or `anonymous`.
    ///
    /// The account is `principal_account` where given, else that of the ARN; `root_user` makes the ARN the root user.
    pub fn read(request: &Value) -> Self {
        let field = |name: &str| request.get(name).and_then(Value::as_str);
        let arn = field("principal").unwrap_or("anonymous");
        if arn == "anonymous" {
            return Self::Anonymous;
        }
        let [_, partition, service, _, account, rest] = arn.splitn(6, ':').collect::<Vec<_>>()[..] else {
            return Self::Service(arn.to_owned());
        };
        let root = request.get("root_user").and_then(Value::as_bool).unwrap_or(rest == "root");
        let identity = match (service, rest.split_once('/')) {
            _ if root => Identity::Root,
            ("sts", Some(("assumed-role", role))) => {
                Identity::RoleSession(role.split('/').next().unwrap_or_default().to_owned())
            }
            ("sts", Some(("federated-user", name))) => Identity::FederatedUser(name.to_owned()),
            _ => Identity::Other,
        };
        Self::Account {
            arn: arn.to_owned(),
            partition: partition.to_owned(),
            account: field("principal_account").unwrap_or(account).to_owned(),
            identity,
        }
    }

    /// The account of the caller; services and anonymous callers have none.
    pub fn account(&self) -> Option<&str> {
        match self {
            Self::Account { account, .. } => Some(account),
            Self::Anonymous | Self::Service(_) => None,
        }
    }

    /// The identity within its account.
    pub fn identity(&self) -> Option<&Identity> {
        match self {
            Self::Account { identity, .. } => Some(identity),
            Self::Anonymous | Self::Service(_) => None,
        }
    }

    /// How the listed principals cover this caller; empty if they do not.
    pub fn covered_by(&self, principals: &[(String, String)]) -> BTreeSet<Match> {
        principals.iter().filter_map(|(class, value)| self.covered_by_one(class, value)).collect()
    }

    fn covered_by_one(&self, class: &str, value: &str) -> Option<Match> {
        match (class, self) {
            ("AWS", _) if value == "*" => Some(Match::Any),
            ("AWS", Self::Account { arn, partition, account, identity }) => {
                let last_of = |class: &str| {
                    let path = value.strip_prefix(&format!("arn:{partition}:iam::{account}:{class}/"))?;
                    path.rsplit('/').next()
                };
                let whole_account = value == account || value == format!("arn:{partition}:iam::{account}:root");
                match identity {
                    _ if whole_account => Some(Match::Account),
                    _ if value == arn => Some(Match::Direct),
                    Identity::RoleSession(role) => (last_of("role")? == role).then_some(Match::Role),
                    Identity::FederatedUser(name) => (last_of("user")? == name).then_some(Match::User),
                    Identity::Root | Identity::Other => None,
                }
            }
            ("Service", Self::Service(host)) => (value == host).then_some(Match::Direct),
            ("Federated", Self::Service(provider) | Self::Account { arn: provider, .. }) => {
                (value == provider).then_some(Match::Direct)
            }
            _ => None,
        }
    }
}

/// The (type, value) pairs of a principal element; `None` if it is malformed. `"*"` is `{"AWS": "*"}`.
pub fn read(element: &Value) -> Option<Vec<(String, String)>> {
    let classes = match element {
        Value::String(star) => return (star == "*").then(|| vec![("AWS".to_owned(), "*".to_owned())]),
        element => element.as_object()?,
    };
    let mut found = Vec::new();
    for (class, values) in classes {
        let values = match values {
            Value::Array(values) => values.iter().map(Value::as_str).collect::<Option<Vec<_>>>()?,
            value => vec![value.as_str()?],
        };
        if values.is_empty() || !matches!(class.as_str(), "AWS" | "Federated" | "Service" | "CanonicalUser") {
            return None;
        }
        found.extend(values.into_iter().map(|value| (class.clone(), value.to_owned())));
    }
    (!found.is_empty()).then_some(found)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn kind(principal: &str, element: Value) -> Option<Match> {
        let caller = Caller::read(&json!({"principal": principal}));
        caller.covered_by(&read(&element).unwrap()).into_iter().next()
    }

    #[test]
    fn principals_match_as_in_section_7_1() {
        let user = "arn:aws:iam::111111111111:user/team/ann";
        let role = "arn:aws:sts::111111111111:assumed-role/dev/s1";
        let federated = "arn:aws:sts::111111111111:federated-user/ann";
        let root = "arn:aws:iam::111111111111:root";
        for caller in [user, role, federated, root, "s3.amazonaws.com", "anonymous"] {
            assert_eq!(kind(caller, json!("*")), Some(Match::Any), "{caller}");
            assert_eq!(kind(caller, json!({"AWS": ["x", "*"]})), Some(Match::Any), "{caller}");
            let account = caller.starts_with("arn:").then_some(Match::Account);
            assert_eq!(kind(caller, json!({"AWS": root})), account, "{caller}");
            assert_eq!(kind(caller, json!({"AWS": "111111111111"})), account, "{caller}");
            assert_eq!(kind(caller, json!({"AWS": "222222222222"})), None, "{caller}");
        }
        for caller in [user, role, federated] {
            assert_eq!(kind(caller, json!({"AWS": caller})), Some(Match::Direct));
        }
        assert_eq!(kind(federated, json!({"AWS": "arn:aws:iam::111111111111:user/ann"})), Some(Match::User));
        assert_eq!(kind(user, json!({"AWS": "arn:aws:iam::111111111111:user/ann"})), None);
        assert_eq!(kind(role, json!({"AWS": "arn:aws:iam::111111111111:role/dev"})), Some(Match::Role));
        assert_eq!(kind(role, json!({"AWS": "arn:aws:iam::111111111111:role/eng/dev"})), Some(Match::Role));
        assert_eq!(kind(role, json!({"AWS": "arn:aws:iam::222222222222:role/dev"})), None);
        assert_eq!(kind(role, json!({"AWS": "arn:aws:iam::111111111111:role/*"})), None);
        assert_eq!(kind(role, json!({"AWS": "arn:aws:sts::111111111111:assumed-role/dev/s2"})), None);
        assert_eq!(kind("s3.amazonaws.com", json!({"Service": "s3.amazonaws.com"})), Some(Match::Direct));
        assert_eq!(kind("s3.amazonaws.com", json!({"Service": "*"})), None);
    }

    #[test]
    fn malformed_principals_are_unreadable() {
        for bad in [
            json!("arn:aws:iam::1:root"),
            json!({}),
            json!({"AWS": []}),
            json!({"aws": "*"}),
            json!([]),
            json!(null),
            json!({"AWS": [1]}),
            json!({"AWS": "*", "Group": "x"}),
        ] {
            assert_eq!(read(&bad), None, "{bad}");
        }
    }
}
