//! Who a caller may be: the candidates (`design.md` §5, `kubernetes-contract.md` B1).

use std::borrow::Cow;
use std::collections::BTreeSet;

use smol_str::{SmolStr, format_smolstr};

use super::evaluate::PrincipalKind;
use super::facts::{DerivedFacts, PrincipalFacts};
use super::principal::Who;
use super::request::{Caller, Identity};
use crate::name::Arn;
use crate::snapshot::{Grant, Group, Permissions, Role, Snapshot, Standing, User};

const SERVICE_ACCOUNT: &str = "system:serviceaccount:";

/// One principal that the caller may be.
pub(crate) struct Candidate<'s> {
    pub(crate) kind: CandidateKind<'s>,
    /// Its ARN; empty for the candidate without account and for anonymous.
    pub(crate) label: SmolStr,
    /// Its ARN, parsed.
    pub(crate) arn: Option<Arn>,
    /// Groups of the account that the caller is in from outside: all their policies for a federated user, their Denies
    /// for an IamUser.
    pub(crate) external: Vec<&'s Group>,
    /// What `aws:PrincipalGroups` lists.
    pub(crate) groups: Cow<'s, [SmolStr]>,
    /// What `aws:userid` says, where it is composed.
    pub(crate) user_id: Option<SmolStr>,
}

/// Kinds of candidates.
#[derive(Clone, Copy)]
pub(crate) enum CandidateKind<'s> {
    User(&'s User),
    Session(&'s Role),
    Federated,
    Root,
    ServiceAccount,
    /// A principal that was named and is not in the store.
    Stranger,
    Anonymous,
    WithoutAccount,
}

/// All candidates of a caller.
pub(crate) fn of<'s>(snapshot: &'s Snapshot, caller: &Caller<'_>) -> Vec<Candidate<'s>> {
    match caller {
        Caller::Anonymous => vec![Candidate::unnamed(CandidateKind::Anonymous)],
        Caller::Principal(arn) | Caller::PrincipalAsGiven(arn) => of_arn(snapshot, arn),
        Caller::Identity(identity) => of_identity(snapshot, identity),
    }
}

fn of_arn<'s>(snapshot: &'s Snapshot, arn: &Arn) -> Vec<Candidate<'s>> {
    let label = arn.text().clone();
    let resource = arn.resource();
    let mut found: Vec<Candidate<'s>> = match arn.service() {
        "iam" if resource == "root" => vec![Candidate::named(CandidateKind::Root, label.clone(), Some(arn.clone()))],
        "iam" if resource.starts_with("user/") => snapshot.users_by_arn(arn).map(Candidate::user).collect(),
        "iam" if resource.starts_with("role/") => {
            snapshot.roles_by_arn(arn).map(|role| Candidate::session(role, label.clone(), arn.clone())).collect()
        }
        "sts" if resource.starts_with("assumed-role/") => {
            let name = resource.split('/').nth(1).unwrap_or("");
            snapshot
                .roles_by_name(arn.account(), name)
                .map(|role| Candidate::session(role, label.clone(), arn.clone()))
                .collect()
        }
        "sts" if resource.starts_with("federated-user/") => {
            vec![Candidate::named(CandidateKind::Federated, label.clone(), Some(arn.clone()))]
        }
        "core" if arn.partition() == "k8s" && resource.starts_with("serviceaccounts/") => {
            vec![Candidate::named(CandidateKind::ServiceAccount, label.clone(), Some(arn.clone()))]
        }
        _ => Vec::new(),
    };
    if found.is_empty() {
        found.push(Candidate::named(CandidateKind::Stranger, label, Some(arn.clone())));
    }
    found
}

fn of_identity<'s>(snapshot: &'s Snapshot, identity: &Identity<'_>) -> Vec<Candidate<'s>> {
    let user = identity.user.as_ref();
    if user.is_empty() {
        // An empty name never matches anything (`kubernetes-contract.md` B1).
        return vec![Candidate::unnamed(CandidateKind::WithoutAccount)];
    }
    let mut found = Vec::new();
    let mut rooted: BTreeSet<&str> = BTreeSet::new();
    for account in snapshot.roots_of(user) {
        if snapshot.account(account).root.as_ref().is_some_and(|root| root.mfa_optional) {
            rooted.insert(account);
            let arn = format_smolstr!("arn:k8s:iam::{account}:root");
            let parsed = arn.parse().ok();
            let root = Candidate::named(CandidateKind::Root, arn, parsed);
            // The management root has no other candidate (`design.md` §5): nobody's policies can stand in its way.
            if snapshot.is_management(account) {
                return vec![root];
            }
            found.push(root);
        }
    }
    // Membership from outside, by account.
    let mut external: Vec<(&'s str, Vec<&'s Group>)> = Vec::new();
    let mut seen = BTreeSet::new();
    for name in &identity.groups {
        for (id, group) in snapshot.groups_of(name) {
            if !seen.insert(id) {
                continue;
            }
            match external.iter_mut().find(|(account, _)| *account == group.account) {
                Some((_, groups)) => groups.push(group),
                None => external.push((&group.account, vec![group])),
            }
        }
    }
    let mut claimed: BTreeSet<&str> = BTreeSet::new();
    for claiming in snapshot.users_of(user) {
        claimed.insert(claiming.account());
        if rooted.contains(claiming.account()) {
            continue;
        }
        let mut candidate = Candidate::user(claiming);
        if let Some((_, groups)) = external.iter().find(|(account, _)| *account == claiming.account()) {
            candidate.external = groups.clone();
        }
        found.push(candidate);
    }
    for (account, groups) in external {
        if rooted.contains(account) || claimed.contains(account) {
            continue;
        }
        let arn = format_smolstr!("arn:k8s:sts::{account}:federated-user/{user}");
        let parsed = Arn::of_caller("sts", "", account, &format!("federated-user/{user}")).ok();
        let mut candidate = Candidate::named(CandidateKind::Federated, arn, parsed);
        candidate.groups = groups.iter().map(|group| group.arn.clone()).collect();
        candidate.user_id = Some(format_smolstr!("{account}:{user}"));
        candidate.external = groups;
        found.push(candidate);
    }
    if let Some((namespace, name)) = user.strip_prefix(SERVICE_ACCOUNT).and_then(|rest| rest.split_once(':'))
        && !rooted.contains(namespace)
    {
        let cluster = &snapshot.settings().cluster;
        let arn = format_smolstr!("arn:k8s:core:{cluster}:{namespace}:serviceaccounts/{name}");
        let parsed = Arn::of_caller("core", cluster, namespace, &format!("serviceaccounts/{name}")).ok();
        found.push(Candidate::named(CandidateKind::ServiceAccount, arn, parsed));
    }
    found.push(Candidate::unnamed(CandidateKind::WithoutAccount));
    found
}

// === impl Candidate ===

impl<'s> Candidate<'s> {
    fn named(kind: CandidateKind<'s>, label: SmolStr, arn: Option<Arn>) -> Self {
        Self { kind, label, arn, external: Vec::new(), groups: Cow::Borrowed(&[]), user_id: None }
    }

    fn unnamed(kind: CandidateKind<'s>) -> Self {
        Self::named(kind, SmolStr::default(), None)
    }

    fn user(user: &'s User) -> Self {
        Self {
            groups: Cow::Borrowed(&user.groups),
            ..Self::named(CandidateKind::User(user), user.arn.text().clone(), Some(user.arn.clone()))
        }
    }

    fn session(role: &'s Role, label: SmolStr, arn: Arn) -> Self {
        let session = arn.resource().strip_prefix("assumed-role/").and_then(|rest| rest.split_once('/'));
        let user_id = role.uid.as_ref().zip(session).map(|(uid, (_, session))| format_smolstr!("{uid}:{session}"));
        Self { user_id, ..Self::named(CandidateKind::Session(role), label, Some(arn)) }
    }

    /// The account that it belongs to.
    pub(crate) fn account(&self) -> Option<&str> {
        self.arn.as_ref().map(Arn::account)
    }

    /// Whether it may be allowed anything at all.
    pub(crate) fn may_be_allowed(&self) -> bool {
        let (standing, permissions) = match self.kind {
            CandidateKind::User(user) => (user.standing, &user.permissions),
            CandidateKind::Session(role) => (role.standing, &role.permissions),
            CandidateKind::Anonymous => return false,
            CandidateKind::Federated
            | CandidateKind::Root
            | CandidateKind::ServiceAccount
            | CandidateKind::Stranger
            | CandidateKind::WithoutAccount => return true,
        };
        standing == Standing::Full && *permissions != Permissions::BoundaryMissing
    }

    pub(crate) fn is_disabled(&self) -> bool {
        matches!(self.kind, CandidateKind::User(user) if user.disabled)
    }

    pub(crate) fn permissions(&self) -> &'s Permissions {
        match self.kind {
            CandidateKind::User(user) => &user.permissions,
            CandidateKind::Session(role) => &role.permissions,
            CandidateKind::Federated
            | CandidateKind::Root
            | CandidateKind::ServiceAccount
            | CandidateKind::Stranger
            | CandidateKind::Anonymous
            | CandidateKind::WithoutAccount => &Permissions::Unlimited,
        }
    }

    /// Its own policies, and from groups outside; the Allows of the latter count for a federated user only.
    pub(crate) fn grants(&self) -> impl Iterator<Item = Grant> {
        let own: &'s [Grant] = match self.kind {
            CandidateKind::User(user) => &user.grants,
            CandidateKind::Session(role) => &role.grants,
            CandidateKind::Federated
            | CandidateKind::Root
            | CandidateKind::ServiceAccount
            | CandidateKind::Stranger
            | CandidateKind::Anonymous
            | CandidateKind::WithoutAccount => &[],
        };
        let federated = matches!(self.kind, CandidateKind::Federated);
        let outside = self
            .external
            .iter()
            .flat_map(|group| group.grants.iter())
            .map(move |grant| Grant { allows: grant.allows && federated, ..*grant });
        own.iter().copied().chain(outside)
    }

    /// Whether guardrails on principals cap it: not ServiceAccounts as themselves (`design.md` §5).
    pub(crate) fn is_capped(&self) -> bool {
        match self.kind {
            CandidateKind::User(_)
            | CandidateKind::Session(_)
            | CandidateKind::Federated
            | CandidateKind::Root
            | CandidateKind::Stranger => true,
            CandidateKind::ServiceAccount | CandidateKind::Anonymous | CandidateKind::WithoutAccount => false,
        }
    }

    pub(crate) fn principal_kind(&self) -> PrincipalKind {
        match self.kind {
            CandidateKind::User(_) | CandidateKind::Session(_) | CandidateKind::Federated | CandidateKind::Stranger => {
                PrincipalKind::Ordinary
            }
            CandidateKind::Root => PrincipalKind::Root,
            CandidateKind::ServiceAccount => PrincipalKind::Service,
            CandidateKind::Anonymous | CandidateKind::WithoutAccount => PrincipalKind::Unnamed,
        }
    }

    /// As policies of the resource see it.
    pub(crate) fn who<'a>(&'a self, snapshot: &'a Snapshot) -> Who<'a> {
        let Some(arn) = &self.arn else {
            return match self.kind {
                CandidateKind::Anonymous => Who::Anonymous,
                // A name that makes no ARN is matched by `*` alone.
                _ => Who::WithoutAccount,
            };
        };
        match self.kind {
            CandidateKind::User(user) => Who::User { arn, uid: user.uid.as_deref() },
            CandidateKind::Session(role) => Who::Session { arn, role: Some(&role.arn), role_uid: role.uid.as_deref() },
            CandidateKind::Federated => Who::Federated { arn, issuer: None },
            CandidateKind::Root => Who::Root { arn },
            CandidateKind::ServiceAccount => Who::ServiceAccount { arn, cluster: &snapshot.settings().cluster },
            CandidateKind::Stranger => Who::User { arn, uid: None },
            CandidateKind::Anonymous => Who::Anonymous,
            CandidateKind::WithoutAccount => Who::WithoutAccount,
        }
    }

    /// Its keys (`kubernetes-contract.md` B13).
    pub(crate) fn facts(&self) -> PrincipalFacts<'_> {
        let arn = self.arn.as_ref();
        let named = DerivedFacts {
            arn: arn.map(Arn::as_str),
            account: arn.map(Arn::account),
            groups: &self.groups,
            ..DerivedFacts::default()
        };
        PrincipalFacts::Derived(match self.kind {
            CandidateKind::User(user) => DerivedFacts {
                principal_type: Some("User"),
                user_id: user.uid.as_deref(),
                user_name: Some(&user.name),
                tags: &user.tags,
                ..named
            },
            CandidateKind::Session(role) => DerivedFacts {
                arn: Some(role.arn.as_str()),
                principal_type: Some("AssumedRole"),
                user_id: self.user_id.as_deref(),
                tags: &role.tags,
                ..named
            },
            CandidateKind::Federated => {
                DerivedFacts { principal_type: Some("FederatedUser"), user_id: self.user_id.as_deref(), ..named }
            }
            CandidateKind::Root => {
                DerivedFacts { principal_type: Some("Account"), user_id: arn.map(Arn::account), ..named }
            }
            CandidateKind::ServiceAccount => DerivedFacts { principal_type: Some("ServiceAccount"), ..named },
            CandidateKind::Stranger => DerivedFacts { principal_type: Some("User"), ..named },
            CandidateKind::Anonymous => DerivedFacts {
                account: Some("anonymous"),
                principal_type: Some("Anonymous"),
                user_id: Some("anonymous"),
                ..DerivedFacts::default()
            },
            CandidateKind::WithoutAccount => DerivedFacts::default(),
        })
    }
}
