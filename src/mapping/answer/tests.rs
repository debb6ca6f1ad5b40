use std::borrow::Cow;

use proptest::prelude::*;

use super::*;
use crate::decide::{Baseline, Context, Identity, ResourceAccount, Slot, Slots};
use crate::mapping::{MAX_LINE_CHARACTERS, Refusal};
use crate::name::Revision;

const ALICE: &str = "arn:k8s:iam::payments:user/alice";

fn asked(caller: Caller<'static>) -> Request<'static> {
    Request {
        caller,
        action: Action::One("k8s:get".into()),
        resource: Resource::Arn(Slots {
            partition: "k8s".into(),
            service: Slot::One("core".into()),
            region: "".into(),
            account: AccountSlot::One("prod".into()),
            rest: Rest::One("secrets/db".into()),
        }),
        account: ResourceAccount::One("prod".into()),
        context: Context::new(),
        baseline: Baseline::No,
    }
}

fn by(user: &'static str) -> Caller<'static> {
    Caller::Identity(Identity { user: user.into(), groups: vec![] })
}

fn listing(account: AccountSlot<'static>, rest: Rest<'static>) -> Request<'static> {
    let service = Slot::One("core".into());
    let resource = Resource::Arn(Slots { partition: "k8s".into(), service, region: "".into(), account, rest });
    Request { action: Action::One("k8s:list".into()), resource, ..asked(by("alice")) }
}

fn every_secret() -> Rest<'static> {
    Rest::Named { prefix: "secrets/".into(), except: vec![], name: OpenName::Every }
}

fn decision(verdict: Verdict, cause: Cause) -> Decision {
    Decision {
        narrower: Narrower::MayBeAllowed,
        verdict,
        layer: None,
        cause,
        matched: vec![],
        residual: vec![],
        principals: vec![ALICE.into()],
        missing_context_keys: vec![],
        revision: Revision(1),
    }
}

fn statement(effect: Effect, layer: Layer, policy: &str, sid: &str) -> Matched {
    Matched { policy: policy.into(), sid: sid.into(), effect, layer }
}

fn implicit() -> Decision {
    decision(Verdict::ImplicitDeny, Cause::NothingApplies)
}

fn denied_by(matched: Vec<Matched>) -> Decision {
    Decision { matched, ..decision(Verdict::ExplicitDeny, Cause::Statements) }
}

fn reason(request: &Request<'_>, decision: &Decision) -> String {
    answer(Mode::Coexist, Outcome::Decided { request, decision }).reason
}

fn limit_of(layer: Layer) -> Cause {
    Cause::LimitDoesNotAllow { layer, policy: "payments/limits".into(), principal: ALICE.into() }
}

/// The table of `kubernetes-contract.md` B8: what each mode answers.
#[test]
fn each_mode_answers_as_its_column_says() {
    use Opinion::{Allowed, Denied, NoOpinion};
    let alice = asked(by("alice"));
    let anonymous = asked(Caller::Anonymous);
    let decided = |request, decision| Outcome::Decided { request, decision };
    let allow = decision(Verdict::Allow, Cause::Statements);
    let deny = denied_by(vec![]);
    let limit = decision(Verdict::ImplicitDeny, limit_of(Layer::ServiceControl));
    let missing = decision(Verdict::ImplicitDeny, Cause::BoundaryMissing(ALICE.into()));
    let implicit = implicit();
    let budget = decision(Verdict::ImplicitDeny, Cause::BudgetSpent);
    let wrong = decision(Verdict::Allow, Cause::BudgetSpent);
    for (name, outcome, coexist, authoritative) in [
        ("allow", decided(&alice, &allow), Allowed, Allowed),
        ("explicit deny", decided(&alice, &deny), Denied, Denied),
        ("limit", decided(&alice, &limit), Denied, Denied),
        ("missing boundary", decided(&alice, &missing), Denied, Denied),
        ("implicit deny", decided(&alice, &implicit), NoOpinion, Denied),
        ("budget spent", decided(&alice, &budget), Denied, Denied),
        ("allow with a spent budget", decided(&alice, &wrong), Denied, Denied),
        ("anonymous, explicit deny", decided(&anonymous, &deny), Denied, Denied),
        ("anonymous, implicit deny", decided(&anonymous, &implicit), NoOpinion, NoOpinion),
        ("anonymous, limit", decided(&anonymous, &limit), NoOpinion, NoOpinion),
        ("anonymous, allow", decided(&anonymous, &allow), NoOpinion, NoOpinion),
        ("exempt", Outcome::Unasked(Unasked::Exempt), NoOpinion, NoOpinion),
        ("reserved name", Outcome::Unasked(Unasked::Refused(Refusal::ReservedUserName)), Denied, Denied),
        ("impersonation", Outcome::Unasked(Unasked::Refused(Refusal::Impersonation)), Denied, Denied),
        ("empty verb", Outcome::Unasked(Unasked::Refused(Refusal::EmptyVerb)), Denied, Denied),
        ("panic", Outcome::Panicked, Denied, Denied),
    ] {
        let broken = ["budget spent", "allow with a spent budget", "panic"].contains(&name);
        for (mode, expected) in
            [(Mode::Shadow, NoOpinion), (Mode::Coexist, coexist), (Mode::Authoritative, authoritative)]
        {
            let found = answer(mode, outcome);
            assert_eq!(found.opinion, expected, "{name} in {mode}");
            assert_eq!(found.evaluation_error.is_some(), broken && expected == Denied, "{name} in {mode}");
            assert_eq!(found.reason.starts_with("shadow: "), mode == Mode::Shadow, "{name} in {mode}");
            assert_eq!((found.is_allowed(), found.is_denied()), (expected == Allowed, expected == Denied));
        }
    }
}

#[test]
fn allows_name_what_allowed() {
    let request = asked(by("alice"));
    let allow = |cause| decision(Verdict::Allow, cause);
    let matched = vec![
        statement(Effect::Allow, Layer::Boundary, "payments/limits", "All"),
        statement(Effect::Allow, Layer::Identity, "payments/read-web", "ReadWeb"),
    ];
    let by_identity = Decision { matched, layer: Some(Layer::Identity), ..allow(Cause::Statements) };
    assert_eq!(reason(&request, &by_identity), "Allow by identity policy payments/read-web, statement ReadWeb");
    let root = allow(Cause::Root("arn:k8s:iam::payments:root".into()));
    assert_eq!(reason(&request, &root), "Allow by account root arn:k8s:iam::payments:root");
    assert_eq!(reason(&request, &allow(Cause::Baseline)), "Allow by baseline: every authenticated caller may do this");
    assert_eq!(reason(&request, &allow(Cause::Statements)), "Allow");
}

#[test]
fn explicit_denies_name_layer_policy_and_statement() {
    let request = asked(by("alice"));
    for (decision, expected) in [
        (
            denied_by(vec![statement(
                Effect::Deny,
                Layer::ResourceControl,
                "kube-iam-system/no-exec-in-prod",
                "NoExec",
            )]),
            "ExplicitDeny by resource control policy kube-iam-system/no-exec-in-prod, statement NoExec",
        ),
        (
            denied_by(vec![
                statement(Effect::Allow, Layer::Identity, "payments/all", "All"),
                statement(Effect::Deny, Layer::Identity, "payments/user/alice#own", "statement 2"),
            ]),
            "ExplicitDeny by identity policy payments/user/alice#own, statement 2",
        ),
        (
            Decision {
                layer: Some(Layer::Resource),
                ..denied_by(vec![
                    statement(Effect::Deny, Layer::Identity, "a/b", "C"),
                    statement(Effect::Deny, Layer::Resource, "d/e", "F"),
                ])
            },
            "ExplicitDeny by resource policy d/e, statement F",
        ),
        (
            Decision {
                residual: vec![statement(Effect::Deny, Layer::Identity, "a/b", "C")],
                ..denied_by(vec![statement(Effect::Deny, Layer::Identity, "a/b", "C")])
            },
            "ExplicitDeny by identity policy a/b, statement C, which depends on content that authorization cannot see",
        ),
        (
            decision(Verdict::ExplicitDeny, Cause::UserDisabled(ALICE.into())),
            "ExplicitDeny: arn:k8s:iam::payments:user/alice is disabled",
        ),
        (denied_by(vec![]), "ExplicitDeny"),
    ] {
        assert_eq!(reason(&request, &decision), expected);
    }
}

#[test]
fn implicit_denies_name_the_question_and_who_asked() {
    let request = asked(by("alice@example.org"));
    let on = "k8s:get on arn:k8s:core::prod:secrets/db";
    assert_eq!(reason(&request, &implicit()), format!("ImplicitDeny: no policy allows {on} for {ALICE}"));
    let principals =
        |list: &[&str]| Decision { principals: list.iter().map(|name| (*name).into()).collect(), ..implicit() };
    assert_eq!(
        reason(&request, &principals(&[])),
        format!("ImplicitDeny: no policy allows {on} for alice@example.org")
    );
    assert_eq!(
        reason(&request, &principals(&["a", "b", "c"])),
        format!("ImplicitDeny: no policy allows {on} for a, b, c")
    );
    assert_eq!(
        reason(&request, &principals(&["a", "b", "c", "d", "e"])),
        format!("ImplicitDeny: no policy allows {on} for a, b, c and 2 more")
    );
    assert_eq!(
        reason(&asked(Caller::Anonymous), &principals(&[])),
        format!("ImplicitDeny: no policy allows {on} for anonymous callers")
    );
    let residual = vec![statement(Effect::Allow, Layer::Identity, "payments/tagged", "Mine")];
    assert_eq!(
        reason(&request, &Decision { residual, ..implicit() }),
        format!(
            "ImplicitDeny: no policy allows {on} for {ALICE}; an Allow by identity policy payments/tagged, statement Mine \
             depends on content that authorization cannot see"
        )
    );
}

#[test]
fn limits_name_the_limit() {
    let request = asked(by("alice"));
    let on = "k8s:get on arn:k8s:core::prod:secrets/db";
    for (layer, word) in [(Layer::Boundary, "permissions boundary"), (Layer::ServiceControl, "service control policy")]
    {
        assert_eq!(
            reason(&request, &decision(Verdict::ImplicitDeny, limit_of(layer))),
            format!("ImplicitDeny: {word} payments/limits of {ALICE} does not allow {on}")
        );
    }
    assert_eq!(
        reason(&request, &decision(Verdict::ImplicitDeny, Cause::BoundaryMissing(ALICE.into()))),
        format!("ImplicitDeny: the permissions boundary of {ALICE} does not exist, so nothing is allowed")
    );
}

#[test]
fn a_refused_set_is_told_how_to_become_smaller() {
    let prefix = "ImplicitDeny: no policy allows k8s:list on arn:k8s:core::";
    for (account, rest, resource, hint) in [
        (
            AccountSlot::Any { except: vec![] },
            every_secret(),
            "*:secrets/*",
            "; it spans all namespaces: name one with -n NAMESPACE",
        ),
        (
            AccountSlot::Either,
            every_secret(),
            "*:secrets/*",
            "; whether this kind lives in namespaces is not known: if it does, name one with -n NAMESPACE",
        ),
        (
            AccountSlot::One("prod".into()),
            every_secret(),
            "prod:secrets/*",
            "; it spans all names: name one with --field-selector metadata.name=NAME",
        ),
        (AccountSlot::One("prod".into()), Rest::One("secrets/db".into()), "prod:secrets/db", ""),
        (
            AccountSlot::Forbidden,
            every_secret(),
            "*:secrets/*",
            "; it names a group, kind, namespace or proxy address that Kubernetes cannot have",
        ),
    ] {
        let found = reason(&listing(account, rest), &implicit());
        assert_eq!(found, format!("{prefix}{resource} for {ALICE}{hint}"));
    }
    let denied = denied_by(vec![statement(Effect::Deny, Layer::ResourceControl, "m/no-prod", "NoProd")]);
    assert_eq!(
        reason(&listing(AccountSlot::Any { except: vec![] }, every_secret()), &denied),
        "ExplicitDeny by resource control policy m/no-prod, statement NoProd; it spans all namespaces: name one with -n \
         NAMESPACE"
    );
    let mut named = listing(AccountSlot::One("prod".into()), every_secret());
    named.context.push_one("k8s:FieldSelector/metadata.name", "db");
    assert!(!reason(&named, &implicit()).contains("--field-selector"));
}

#[test]
fn questions_that_policies_are_not_asked_say_why() {
    let reason = |mode, outcome| answer(mode, outcome).reason;
    for (outcome, expected) in [
        (
            Outcome::Unasked(Unasked::Exempt),
            "NoOpinion: identities of Kubernetes itself are left to the other authorizers",
        ),
        (
            Outcome::Unasked(Unasked::Refused(Refusal::ReservedUserName)),
            "ExplicitDeny: user names that begin with arn:k8s: or kube-iam.dev/ are reserved, and no session proves this one",
        ),
        (
            Outcome::Unasked(Unasked::Refused(Refusal::Impersonation)),
            "ExplicitDeny: impersonation is refused, whatever policies say: kube-iam does not decide it yet",
        ),
        (
            Outcome::Unasked(Unasked::Refused(Refusal::EmptyVerb)),
            "ExplicitDeny: the request has no verb, so no policy can allow it",
        ),
        (Outcome::Panicked, "ImplicitDeny: the decision failed inside kube-iam"),
    ] {
        assert_eq!(reason(Mode::Coexist, outcome), expected);
        assert_eq!(reason(Mode::Shadow, outcome), format!("shadow: {expected}"));
    }
    let request = asked(by("alice"));
    let spent = decision(Verdict::ExplicitDeny, Cause::BudgetSpent);
    let found = answer(Mode::Authoritative, Outcome::Decided { request: &request, decision: &spent });
    assert_eq!(found.reason, "ImplicitDeny: the decision took too many steps");
    assert_eq!(found.evaluation_error.as_deref(), Some("the evaluation took too many steps"));
}

#[test]
fn the_statement_is_still_named_when_its_policy_has_the_longest_name() {
    let policy = format!("{}/user/{}#{}", "a".repeat(63), "b".repeat(253), "c".repeat(128));
    let sid = "S".repeat(128);
    let found =
        reason(&asked(by("alice")), &denied_by(vec![statement(Effect::Deny, Layer::ResourceControl, &policy, &sid)]));
    assert!(found.ends_with(&format!(", statement {sid}")) && found.chars().count() <= MAX_LINE_CHARACTERS, "{found}");
}

fn causes() -> impl Strategy<Value = Cause> {
    prop_oneof![
        Just(Cause::Statements),
        Just(Cause::NothingApplies),
        Just(limit_of(Layer::Boundary)),
        any::<String>().prop_map(|name| Cause::BoundaryMissing(name.into())),
        any::<String>().prop_map(|name| Cause::UserDisabled(name.into())),
        any::<String>().prop_map(|name| Cause::Root(name.into())),
        Just(Cause::Baseline),
        Just(Cause::BudgetSpent),
    ]
}

/// Names as people would rather not meet them.
fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[\\x00-\\x1f<>&\u{202a}-\u{202e}\u{2066}-\u{2069}\u{200b}\u{feff}\u{2028}\u{7f}-\u{9f}a ]{0,40}",
        (0..2_000usize).prop_map(|length| "<".repeat(length)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_reason_is_one_printable_line(
        cause in causes(), verdict in prop::sample::select(vec![Verdict::Allow, Verdict::ExplicitDeny, Verdict::ImplicitDeny]),
        mode in prop::sample::select(vec![Mode::Shadow, Mode::Coexist, Mode::Authoritative]),
        names in prop::collection::vec(name(), 8), residual: bool,
    ) {
        let [user, action, account, rest, policy, sid, one, two] = <[String; 8]>::try_from(names).unwrap();
        let request = Request {
            action: Action::One(action.into()),
            resource: Resource::Arn(Slots {
                partition: "k8s".into(),
                service: Slot::One("core".into()),
                region: "".into(),
                account: AccountSlot::One(account.into()),
                rest: Rest::One(rest.into()),
            }),
            ..asked(Caller::Identity(Identity { user: Cow::Owned(user), groups: vec![] }))
        };
        let statements = vec![
            statement(Effect::Allow, Layer::Boundary, &policy, &sid), statement(Effect::Deny, Layer::Identity, &policy, &sid),
        ];
        let (matched, residual) = if residual { (vec![], statements) } else { (statements, vec![]) };
        let decision = Decision {
            matched, residual, principals: vec![one.into(), two.into()], ..decision(verdict, cause)
        };
        let found = answer(mode, Outcome::Decided { request: &request, decision: &decision });
        prop_assert!(found.reason.chars().count() <= MAX_LINE_CHARACTERS);
        for c in found.reason.chars() {
            prop_assert!(c == ' ' || matches!(c, '"' | '\'' | '\\') || c.escape_debug().len() == 1, "{:?}", found.reason);
            prop_assert!(!matches!(c, '<' | '>' | '&'), "{:?}", found.reason);
        }
        prop_assert!(!found.reason.is_empty());
        prop_assert!(found.opinion != Opinion::Allowed || (verdict == Verdict::Allow && mode != Mode::Shadow));
    }
}
