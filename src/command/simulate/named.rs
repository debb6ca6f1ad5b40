//! Questions by ARN: one verdict for each action on each resource.

use std::borrow::Cow;

use anyhow::{Context as _, bail};
use clap::Args;

use super::super::cli::NEGATIVE;
use super::super::facts::{self, Pairs};
use super::super::output::{self, Answered, Format};
use super::super::world::WorldArguments;
use crate::decide::{
    AccountSlot, Action, Baseline, Caller, Cause, Context, Decision, Identity, OpenName, Request, Resource,
    ResourceAccount, Rest, Slot, Verdict, decide,
};
use crate::mapping::one_line;
use crate::name::{Arn, Scope};
use crate::policy::condition::Instant;
use crate::server::unix_now;
use crate::snapshot::Snapshot;

/// Who, what, on what.
#[derive(Clone, Debug, Args)]
pub(in super::super) struct NamedArguments {
    /// ARN of a user, a role, a root, a session, or a ServiceAccount, with the users that claim it
    #[arg(long, value_name = "ARN", required = true)]
    principal: String,

    /// Action, such as k8s:get or orders:Refund, or k8s:* for every one at once; repeat for several
    #[arg(long, value_name = "ACTION", required = true)]
    action: Vec<String>,

    /// ARN of the resource, with * for all names, all namespaces or everything there; repeat for several [default: *]
    #[arg(long, value_name = "ARN")]
    resource: Vec<String>,

    #[command(flatten)]
    world: WorldArguments,
}

// === impl NamedArguments ===

impl NamedArguments {
    pub(super) fn run(&self, format: Format) -> anyhow::Result<u8> {
        let facts = self.world.facts()?;
        let snapshot = &self.world.open()?.snapshot;
        let mut all_allowed = true;
        for action in &self.action {
            for resource in self.resources() {
                let (decision, shown) = self.with_request(snapshot, &facts, action, resource, |request| {
                    (decide(snapshot, request), request.resource.to_string())
                })?;
                all_allowed &= decision.verdict == Verdict::Allow;
                print(format, &decision, action, &shown)?;
            }
        }
        Ok(if all_allowed { 0 } else { NEGATIVE })
    }

    fn resources(&self) -> Vec<&str> {
        if self.resource.is_empty() { vec!["*"] } else { self.resource.iter().map(String::as_str).collect() }
    }

    /// The only question of `explain`.
    pub(in super::super) fn with_single_request<T>(
        &self,
        snapshot: &Snapshot,
        facts: &Pairs<'_>,
        ask: impl FnOnce(&Request<'_>) -> T,
    ) -> anyhow::Result<T> {
        match (self.action.as_slice(), self.resources().as_slice()) {
            ([action], [resource]) => self.with_request(snapshot, facts, action, resource, ask),
            _ => bail!("explain one action on one resource at a time"),
        }
    }

    pub(in super::super) fn world(&self) -> &WorldArguments {
        &self.world
    }

    fn with_request<T>(
        &self,
        snapshot: &Snapshot,
        facts: &Pairs<'_>,
        action: &str,
        resource: &str,
        ask: impl FnOnce(&Request<'_>) -> T,
    ) -> anyhow::Result<T> {
        let principal: Arn = self.principal.parse().with_context(|| format!("--principal `{}`", self.principal))?;
        let action = match action.split_once(':') {
            None => bail!("--action `{action}`: expected service:name"),
            Some((service, "*")) => Action::AnyOf(service.into()),
            Some((_, name)) if name.contains('*') => {
                bail!("--action `{action}`: expected one name, or * for all of them")
            }
            Some(_) => Action::One(action.into()),
        };
        let arn = match resource {
            "*" => None,
            text => Some(on_this_cluster(text.parse().with_context(|| format!("--resource `{text}`"))?, snapshot)?),
        };
        let account = match &arn {
            Some(arn) if arn.partition() == "k8s" && arn.account().is_empty() => ResourceAccount::Management,
            Some(arn) if arn.partition() == "k8s" && arn.account() == "*" => ResourceAccount::All,
            Some(arn) if !arn.account().is_empty() => ResourceAccount::One(Cow::Borrowed(arn.account())),
            Some(_) | None => ResourceAccount::OfPrincipal,
        };
        let request = Request {
            caller: caller(principal, snapshot).with_context(|| format!("--principal `{}`", self.principal))?,
            action,
            resource: arn
                .as_ref()
                .map_or(Ok(Resource::Any), |arn| asked(arn, snapshot))
                .with_context(|| format!("--resource `{resource}`"))?,
            account,
            context: context(facts),
            baseline: Baseline::No,
        };
        Ok(ask(&request))
    }
}

/// Who a principal is. One of `iam` must be there, as it must in AWS. A ServiceAccount is whatever it is to the cluster, with
/// the users that claim it.
fn caller<'a>(principal: Arn, snapshot: &Snapshot) -> anyhow::Result<Caller<'a>> {
    if principal.partition() != "k8s" {
        return Ok(Caller::Principal(Cow::Owned(principal)));
    }
    let named = |plural: &str| principal.resource().strip_prefix(plural)?.strip_prefix('/');
    if let ("core", Some(name)) = (principal.service(), named("serviceaccounts")) {
        let user = format!("system:serviceaccount:{}:{name}", principal.account());
        on_this_cluster(principal, snapshot)?;
        return Ok(Caller::Identity(Identity { user: user.into(), groups: Vec::new() }));
    }
    if principal.service() == "iam" {
        let is_there = if principal.resource() == "root" {
            snapshot.account(principal.account()).root.is_some()
        } else if named("user").is_some() {
            snapshot.users_by_arn(&principal).next().is_some()
        } else if named("role").is_some() {
            snapshot.roles_by_arn(&principal).next().is_some()
        } else {
            bail!("expected a user, a role or a root");
        };
        if !is_there {
            bail!("there is no such principal in force");
        }
    }
    Ok(Caller::Principal(Cow::Owned(principal)))
}

/// What an ARN asks about: one resource, or all that a star stands for. No Kubernetes name has one, so in an ARN of ours it
/// is no character.
fn asked<'a>(arn: &'a Arn, snapshot: &Snapshot) -> anyhow::Result<Resource<'a>> {
    let Resource::Arn(mut slots) = Resource::one(arn) else { return Ok(Resource::Any) };
    if arn.partition() != "k8s" || !arn.as_str().contains('*') {
        return Ok(Resource::Arn(slots));
    }
    let rest = arn.resource();
    let prefix = rest.strip_suffix('*').filter(|prefix| prefix.ends_with('/'));
    for slot in [arn.service(), arn.account(), prefix.unwrap_or(rest)] {
        if slot.contains('*') && slot != "*" {
            bail!("expected one name, or * for all of them; found `{slot}`");
        }
    }
    if arn.service() == "*" {
        slots.service = Slot::Any;
    }
    if arn.account() == "*" {
        let plural = prefix.unwrap_or(rest).split('/').next().unwrap_or_default();
        let group = if arn.service() == "core" { "" } else { arn.service() };
        slots.account = match snapshot.kinds().scope(group, plural) {
            Scope::Namespaced => AccountSlot::Any { except: Vec::new() },
            Scope::Cluster => bail!("`{plural}` are in no namespace; leave the account empty"),
            // It may be in no namespace, too.
            Scope::Unknown => AccountSlot::Either,
        };
    }
    match prefix {
        _ if rest == "*" => slots.rest = Rest::Any,
        Some(prefix) => {
            slots.rest = Rest::Named { prefix: prefix.into(), except: Vec::new(), name: OpenName::Every };
        }
        None => {}
    }
    Ok(Resource::Arn(slots))
}

fn context<'a>(facts: &Pairs<'a>) -> Context<'a> {
    let mut context = Context::with_capacity(facts.len().saturating_add(2));
    facts::add(facts, &mut context);
    let now = unix_now();
    context.push_one("aws:CurrentTime", Instant { seconds: now, nanoseconds: 0 }.to_string());
    context.push_one("aws:EpochTime", now.to_string());
    context
}

/// An empty cluster slot means this cluster; about others nothing is known here. The ARNs of `iam` and `sts` have none.
fn on_this_cluster(arn: Arn, snapshot: &Snapshot) -> anyhow::Result<Arn> {
    let cluster = snapshot.settings().cluster.as_str();
    if arn.partition() == "k8s" && !arn.region().is_empty() && arn.region() != cluster {
        bail!("`{arn}` is of cluster `{}`; this world is of cluster `{cluster}`", arn.region());
    }
    if arn.partition() != "k8s" || !arn.region().is_empty() || matches!(arn.service(), "iam" | "sts") {
        return Ok(arn);
    }
    Ok(Arn::new(arn.partition(), arn.service(), cluster, arn.account(), arn.resource())?)
}

fn print(format: Format, decision: &Decision, action: &str, resource: &str) -> anyhow::Result<()> {
    let reason = reason(decision);
    match format {
        Format::Text => {
            let missing = match decision.missing_context_keys.as_slice() {
                [] => String::new(),
                keys => one_line(&format!(" (without {}: give --context KEY=VALUE)", keys.join(", "))),
            };
            println!("{:<12} {action} {resource}: {reason}{missing}", decision.verdict.as_str());
            Ok(())
        }
        Format::Json | Format::Yaml => output::print(
            format,
            &output::answered(&Answered {
                decision,
                allowed: decision.verdict == Verdict::Allow,
                denied: decision.verdict == Verdict::ExplicitDeny || decision.is_limited(),
                reason: &reason,
                action: action.into(),
                resource: resource.into(),
            }),
        ),
    }
}

/// Why, in a few words.
pub(in super::super) fn reason(decision: &Decision) -> String {
    let statements = || {
        decision
            .matched
            .iter()
            .chain(&decision.residual)
            .map(|matched| format!("{} {}, {}", matched.layer.describe(), matched.policy, matched.sid))
            .collect::<Vec<_>>()
            .join("; ")
    };
    one_line(&match &decision.cause {
        Cause::Statements => statements(),
        Cause::NothingApplies => "no policy allows it".to_owned(),
        Cause::LimitDoesNotAllow { layer, policy, .. } => {
            format!("the {} {policy} does not allow it", layer.describe())
        }
        Cause::BoundaryMissing(user) => format!("the permissions boundary of {user} does not exist"),
        Cause::UserDisabled(user) => format!("{user} is disabled"),
        Cause::Root(root) => format!("{root} needs no policy"),
        Cause::Baseline => "every authenticated caller may do this".to_owned(),
        Cause::BudgetSpent => "the evaluation took too many steps".to_owned(),
    })
}
