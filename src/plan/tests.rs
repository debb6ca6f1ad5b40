//! Tables of how objects stand, and the laws that hold for every observation.

use proptest::prelude::*;

use super::*;
use crate::lint;
use crate::name::{Arn, Revision};
use crate::world::{Finding as WorldFinding, Kind, ObjectKey, Outcome, Reason};

const THEN: &str = "2026-01-02T03:04:05Z";
const NOW: &str = "2026-01-02T04:05:06Z";

fn key(kind: Kind, name: &str) -> ObjectKey {
    ObjectKey { kind, account: "payments".into(), name: name.into() }
}

/// A finding as the world words it.
fn found(reason: Reason) -> WorldFinding {
    let (path, message) = match reason {
        Reason::ReferenceNotFound => ("spec.policies[0]", "there is no IamPolicy `x` in account `payments`"),
        Reason::PolicyInvalid => ("spec.statements[0]", "unknown key `action`; did you mean `actions`?"),
        Reason::SpecInvalid => ("spec.path", "`people` does not begin with `/`"),
        Reason::Unreadable => ("", "the object is no JSON"),
        Reason::IdentityConflict => ("spec.identities", "`alice` is claimed by IamUser `bob` too"),
        Reason::DeclaredTwice => ("metadata.name", "declared 2 times; keep one"),
        Reason::NotManagementAccount => ("spec.type", "guardrails have an effect in the management account only"),
        Reason::QuotaExceeded => ("spec.policies", "30 entries; at most 20 are admitted"),
    };
    WorldFinding { reason, path: path.into(), at: None, message: message.into() }
}

/// What a world says of an object with these findings.
fn in_force(findings: Vec<WorldFinding>) -> Option<InForce> {
    Some(InForce {
        outcome: Outcome { findings, origins: Vec::new() },
        arn: Arn::new("k8s", "iam", "", "payments", "user/alice").ok(),
        revision: Revision(17),
    })
}

/// So many who name an object.
fn named_by(number: usize) -> Referrers {
    Referrers::of(&key(Kind::Policy, "deploy"), vec![key(Kind::User, "alice"); number].iter())
}

/// Alice, new, in force on the one replica that there is.
fn alice() -> Observation {
    Observation {
        key: key(Kind::User, "alice"),
        uid: Some("0b1f7a52".into()),
        generation: 3,
        deleting: false,
        finalizers: Vec::new(),
        status: Status::default(),
        declared: Declared {
            validity: Validity::Valid,
            details: Some(Details::User { groups: 1, policies: 2, disabled: false, mfa_devices: 0, access_keys: 0 }),
        },
        in_force: in_force(Vec::new()),
        lint: Vec::new(),
        referrers: Referrers::default(),
        replicas: Replicas { live: 1, running: 1 },
        last_good: None,
        now: THEN.into(),
    }
}

fn policy() -> Observation {
    let details = Details::Policy { kind: PolicyType::Managed, statements: 2 };
    Observation {
        key: key(Kind::Policy, "read"),
        declared: Declared { validity: Validity::Valid, details: Some(details) },
        ..alice()
    }
}

/// The observation after its steps have been done.
fn done(observation: &Observation) -> Observation {
    let mut after = observation.clone();
    for step in steps(observation) {
        match step {
            Step::AddFinalizer => after.finalizers.push(IN_USE.into()),
            Step::RemoveFinalizer => after.finalizers.retain(|finalizer| finalizer != IN_USE),
            Step::WriteStatus { status, .. } => {
                // As it comes back from an API server.
                after.status = Status::read(&serde_json::to_string(&status).unwrap());
                assert_eq!(after.status, *status);
            }
            Step::Event(_) => {}
        }
    }
    NOW.clone_into(&mut after.now);
    after
}

/// Type, status, reason and message of the conditions that are written.
fn conditions_of(observation: &Observation) -> Vec<String> {
    let status = done(observation).status;
    status.conditions.iter().map(|c| format!("{}={:?} {}: {}", c.kind, c.status, c.reason, c.message)).collect()
}

fn urgency_of(observation: &Observation) -> Option<Urgency> {
    steps(observation).into_iter().find_map(|step| match step {
        Step::WriteStatus { urgency, .. } => Some(urgency),
        Step::AddFinalizer | Step::RemoveFinalizer | Step::Event(_) => None,
    })
}

fn events_of(observation: &Observation) -> Vec<Reason> {
    let events = steps(observation).into_iter().filter_map(|step| match step {
        Step::Event(event) => Some(event.reason),
        Step::AddFinalizer | Step::RemoveFinalizer | Step::WriteStatus { .. } => None,
    });
    events.collect()
}

/// kstatus, as its documentation has it (`standards.md` §12.5).
#[derive(Debug, PartialEq, Eq)]
enum Kstatus {
    Terminating,
    InProgress,
    Failed,
    Current,
}

fn kstatus(observation: &Observation) -> Kstatus {
    let status = &observation.status;
    let holds = |kind: &str| status.condition(kind).is_some_and(|condition| condition.status == ConditionStatus::True);
    if observation.deleting {
        Kstatus::Terminating
    } else if status.observed_generation != Some(observation.generation) || holds("Reconciling") {
        Kstatus::InProgress
    } else if holds("Stalled") {
        Kstatus::Failed
    } else if holds("Ready") {
        Kstatus::Current
    } else {
        Kstatus::InProgress
    }
}

#[test]
fn a_good_object_is_ready_and_says_who_it_is() {
    let status = done(&alice()).status;
    insta::assert_snapshot!(serde_json::to_string_pretty(&status).unwrap(), @r##"
    {
      "observedGeneration": 3,
      "conditions": [
        {
          "type": "Ready",
          "status": "True",
          "observedGeneration": 3,
          "lastTransitionTime": "2026-01-02T03:04:05Z",
          "reason": "InForce",
          "message": "in force on every replica"
        },
        {
          "type": "Enforced",
          "status": "True",
          "observedGeneration": 3,
          "lastTransitionTime": "2026-01-02T03:04:05Z",
          "reason": "EveryReplica",
          "message": "1 of 1 replicas run this version"
        }
      ],
      "arn": "arn:k8s:iam::payments:user/alice",
      "userID": "KIAUX76HPE546KIVJDTH",
      "groupCount": 1,
      "policyCount": 2,
      "mfaDeviceCount": 0,
      "accessKeyCount": 0,
      "revision": 17
    }
    "##);
    insta::assert_snapshot!(serde_json::to_string_pretty(&done(&policy()).status).unwrap(), @r##"
    {
      "observedGeneration": 3,
      "conditions": [
        {
          "type": "Ready",
          "status": "True",
          "observedGeneration": 3,
          "lastTransitionTime": "2026-01-02T03:04:05Z",
          "reason": "InForce",
          "message": "in force on every replica"
        },
        {
          "type": "Enforced",
          "status": "True",
          "observedGeneration": 3,
          "lastTransitionTime": "2026-01-02T03:04:05Z",
          "reason": "EveryReplica",
          "message": "1 of 1 replicas run this version"
        }
      ],
      "arn": "arn:k8s:iam::payments:user/alice",
      "policyID": "KIAPX76HPE546KIVJDTH",
      "type": "Managed",
      "statementCount": 2,
      "attachmentCount": 0,
      "revision": 17,
      "findingCount": 1,
      "findings": [
        {
          "severity": "Warning",
          "path": "spec",
          "code": "POLICY_NOT_ATTACHED",
          "message": "no user, group or role names this policy, so it has no effect"
        }
      ]
    }
    "##);
    assert_eq!(urgency_of(&alice()), Some(Urgency::Now));
}

#[test]
fn each_judgement_has_its_conditions() {
    let three = Replicas { live: 3, running: 2 };
    let refused = |reason| Observation { in_force: in_force(vec![found(reason)]), ..alice() };
    let invalid = Declared { validity: Validity::Invalid, details: None };
    let asks = Declared {
        validity: Validity::Valid,
        details: Some(Details::User { groups: 0, policies: 0, disabled: true, mfa_devices: 1, access_keys: 2 }),
    };
    let elsewhere = ObjectKey { account: "shop".into(), ..key(Kind::User, "secret") };
    let mut all = ["a", "b", "c", "d", "e"].map(|name| key(Kind::User, name)).to_vec();
    all.push(elsewhere.clone());
    let deleting_named = |by: &[ObjectKey]| Observation {
        deleting: true,
        referrers: Referrers::of(&key(Kind::Policy, "deploy"), by.iter()),
        ..policy()
    };
    let cases = [
        (
            "waiting for the observer",
            Observation { in_force: None, replicas: Replicas { live: 3, running: 0 }, ..alice() },
        ),
        ("waiting for others", Observation { replicas: three, ..alice() }),
        ("dangling", refused(Reason::ReferenceNotFound)),
        ("conflict", refused(Reason::IdentityConflict)),
        ("quota", refused(Reason::QuotaExceeded)),
        ("elsewhere", refused(Reason::NotManagementAccount)),
        ("invalid", Observation { declared: invalid.clone(), ..refused(Reason::PolicyInvalid) }),
        ("invalid, known to some", Observation { declared: invalid, replicas: three, ..refused(Reason::SpecInvalid) }),
        ("disabled, devices, keys", Observation { declared: asks, ..alice() }),
        ("deleting", Observation { deleting: true, ..alice() }),
        ("deleting, named", deleting_named(&all)),
        ("deleting, named in another account", deleting_named(&[elsewhere])),
    ];
    let told: Vec<String> =
        cases.iter().map(|(name, case)| format!("{name}\n  {}", conditions_of(case).join("\n  "))).collect();
    insta::assert_snapshot!(told.join("\n"), @r##"
    waiting for the observer
      Ready=False NotEnforced: 0 of 3 replicas run this version
      Enforced=False NotEnforced: 0 of 3 replicas run this version
      Reconciling=True NotEnforced: 0 of 3 replicas run this version
    waiting for others
      Ready=False NotEnforced: 2 of 3 replicas run this version
      Enforced=False NotEnforced: 2 of 3 replicas run this version
      Reconciling=True NotEnforced: 2 of 3 replicas run this version
    dangling
      Ready=False ReferenceNotFound: spec.policies[0]: there is no IamPolicy `x` in account `payments`; create it, or take the name off; this heals by itself
      Enforced=True EveryReplica: 1 of 1 replicas run this version
    conflict
      Ready=False IdentityConflict: spec.identities: `alice` is claimed by IamUser `bob` too; take it off one of them; until then this user is allowed nothing
      Enforced=False IdentityConflict: no replica lets this version grant anything; what it denies is denied
      Stalled=True IdentityConflict: spec.identities: `alice` is claimed by IamUser `bob` too; take it off one of them; until then this user is allowed nothing
    quota
      Ready=False QuotaExceeded: spec.policies: 30 entries; at most 20 are admitted; until that is put right it grants nothing, and what it denies is denied
      Enforced=False QuotaExceeded: no replica lets this version grant anything; what it denies is denied
      Stalled=True QuotaExceeded: spec.policies: 30 entries; at most 20 are admitted; until that is put right it grants nothing, and what it denies is denied
    elsewhere
      Ready=False NotManagementAccount: spec.type: guardrails have an effect in the management account only; create it there and delete it here; here it has no effect
      Enforced=False NotManagementAccount: this version has no effect on any replica
      Stalled=True NotManagementAccount: spec.type: guardrails have an effect in the management account only; create it there and delete it here; here it has no effect
    invalid
      Ready=False PolicyInvalid: spec.statements[0]: unknown key `action`; did you mean `actions`?; correct it; until then it grants nothing, and what it denied stays denied
      Enforced=False PolicyInvalid: no replica lets this version grant anything; what it denies is denied
      Stalled=True PolicyInvalid: spec.statements[0]: unknown key `action`; did you mean `actions`?; correct it; until then it grants nothing, and what it denied stays denied
    invalid, known to some
      Ready=False SpecInvalid: spec.path: `people` does not begin with `/`; correct it; until then it grants nothing, and what it denied stays denied
      Enforced=False NotEnforced: 2 of 3 replicas run this version
      Stalled=True SpecInvalid: spec.path: `people` does not begin with `/`; correct it; until then it grants nothing, and what it denied stays denied
    disabled, devices, keys
      Ready=True InForce: in force on every replica: everything is denied to this user, as `spec.disabled` says
      Enforced=True EveryReplica: 1 of 1 replicas run this version
      MFAReady=False NotSupported: this version of kube-iam enrolls no MFA devices: no session of this user can prove MFA
      CredentialsReady=False NotSupported: this version of kube-iam makes no access keys: none of `spec.accessKeys` exists
    deleting
      Ready=False Deleting: being deleted: it grants nothing any more, and its restrictions hold until it is gone
      Enforced=True EveryReplica: 1 of 1 replicas run this version
    deleting, named
      Ready=False Deleting: being deleted: it grants nothing any more, and its restrictions hold until nothing names it; named by IamUser payments/a, IamUser payments/b, IamUser payments/c, 2 more and 1 object of another account
      Enforced=True EveryReplica: 1 of 1 replicas run this version
    deleting, named in another account
      Ready=False Deleting: being deleted: it grants nothing any more, and its restrictions hold until nothing names it; named by 1 object of another account
      Enforced=True EveryReplica: 1 of 1 replicas run this version
    "##);
}

#[test]
fn the_gravest_reason_is_told_and_the_others_are_counted() {
    let findings =
        vec![found(Reason::ReferenceNotFound), found(Reason::IdentityConflict), found(Reason::PolicyInvalid)];
    let observation = Observation { in_force: in_force(findings), ..alice() };
    let conditions = conditions_of(&observation);
    assert!(conditions[0].starts_with("Ready=False PolicyInvalid: spec.statements[0]: "), "{}", conditions[0]);
    assert!(conditions[0].contains("(and 2 findings more)"), "{}", conditions[0]);
    assert!(conditions[2].starts_with("Stalled=True PolicyInvalid: "), "{}", conditions[2]);
}

#[test]
fn readiness_waits_for_every_replica_and_is_then_kept_for_the_generation() {
    let waiting = Observation { replicas: Replicas { live: 3, running: 2 }, ..alice() };
    assert_eq!(urgency_of(&waiting), Some(Urgency::Passing));
    assert_eq!(kstatus(&done(&waiting)), Kstatus::InProgress);
    let ready = done(&Observation { replicas: Replicas { live: 3, running: 3 }, ..done(&waiting) });
    assert_eq!(kstatus(&ready), Kstatus::Current);
    // One joins, one leaves, the observer itself starts anew: nothing is written.
    for replicas in
        [Replicas { live: 4, running: 3 }, Replicas { live: 1, running: 1 }, Replicas { live: 4, running: 0 }]
    {
        assert_eq!(steps(&Observation { replicas, ..ready.clone() }), []);
    }
    // Another generation waits anew.
    let next = Observation { generation: 4, replicas: Replicas { live: 4, running: 3 }, ..ready };
    assert_eq!(kstatus(&done(&next)), Kstatus::InProgress);
}

#[test]
fn an_object_that_heals_waits_for_every_replica_again() {
    let dangling = done(&Observation { in_force: in_force(vec![found(Reason::ReferenceNotFound)]), ..alice() });
    let healed = Observation { in_force: in_force(Vec::new()), replicas: Replicas { live: 2, running: 1 }, ..dangling };
    assert_eq!(kstatus(&done(&healed)), Kstatus::InProgress);
    let seen = Observation { replicas: Replicas { live: 2, running: 2 }, ..healed };
    assert_eq!(kstatus(&done(&seen)), Kstatus::Current);
}

#[test]
fn times_move_on_transitions_only() {
    let time = |observation: &Observation, kind: &str| {
        observation.status.condition(kind).map(|condition| condition.last_transition_time.clone())
    };
    let ready = done(&alice());
    assert_eq!(time(&ready, "Ready").as_deref(), Some(THEN));
    let next = done(&Observation { generation: 4, ..ready.clone() });
    assert_eq!(next.status.condition("Ready").unwrap().observed_generation, Some(4));
    assert_eq!(time(&next, "Ready").as_deref(), Some(THEN));
    let dangling = done(&Observation { in_force: in_force(vec![found(Reason::ReferenceNotFound)]), ..ready });
    assert_eq!(time(&dangling, "Ready").as_deref(), Some(NOW));
    assert_eq!(time(&dangling, "Enforced").as_deref(), Some(THEN));
}

#[test]
fn the_revision_is_that_in_which_the_generation_came_into_force() {
    let at = |revision| in_force(Vec::new()).map(|in_force| InForce { revision: Revision(revision), ..in_force });
    let first = done(&alice());
    assert_eq!(first.status.revision, Some(17));
    let later = Observation { in_force: at(40), ..first };
    assert_eq!(steps(&later), []);
    let next = done(&Observation { generation: 4, ..later });
    assert_eq!(next.status.revision, Some(40));
    let refused = done(&Observation { in_force: in_force(vec![found(Reason::PolicyInvalid)]), ..next });
    assert_eq!(refused.status.revision, None);
}

#[test]
fn a_warning_is_told_when_it_becomes_true_and_not_again() {
    let dangling = Observation { in_force: in_force(vec![found(Reason::ReferenceNotFound)]), ..alice() };
    assert_eq!(events_of(&dangling), [Reason::ReferenceNotFound]);
    let same = Observation { generation: 4, ..done(&dangling) };
    assert!(urgency_of(&same).is_some());
    assert_eq!(events_of(&same), []);
    let worse = Observation { in_force: in_force(vec![found(Reason::IdentityConflict)]), ..done(&dangling) };
    assert_eq!(events_of(&worse), [Reason::IdentityConflict]);
    assert_eq!(events_of(&Observation { in_force: in_force(Vec::new()), ..done(&worse) }), []);
}

#[test]
fn the_record_of_the_last_good_form_is_there_while_it_is_needed() {
    let form = |text: &str, generation| {
        let spec = serde_json::json!({"description": text}).as_object().cloned().unwrap();
        Some(LastGood { generation, spec })
    };
    let invalid = Declared { validity: Validity::Invalid, details: None };
    let broken = Observation {
        declared: invalid.clone(),
        in_force: in_force(vec![found(Reason::PolicyInvalid)]),
        last_good: form("first", Some(2)),
        ..policy()
    };
    let recorded = done(&broken);
    assert_eq!(recorded.status.last_good, form("first", Some(2)));
    // Another process, which knows of nothing or of less, keeps it; one that knows better replaces it.
    assert_eq!(steps(&Observation { last_good: None, ..recorded.clone() }), []);
    assert_eq!(steps(&Observation { last_good: form("first", None), ..recorded.clone() }), []);
    let newer = done(&Observation { last_good: form("second", None), ..recorded.clone() });
    assert_eq!(newer.status.last_good, form("second", None));
    let newer = done(&Observation { last_good: form("second", Some(4)), ..newer });
    assert_eq!(newer.status.last_good, form("second", Some(4)));
    let mended = Observation { generation: 4, declared: policy().declared, in_force: in_force(Vec::new()), ..newer };
    assert_eq!(done(&mended).status.last_good, None);
    // One that is in conflict is valid by itself: its own form restricts.
    let conflict = Observation {
        in_force: in_force(vec![found(Reason::IdentityConflict)]),
        last_good: form("first", None),
        ..alice()
    };
    assert_eq!(done(&conflict).status.last_good, None);
}

#[test]
fn the_finalizer_is_there_while_something_names_the_object() {
    let named = named_by(1);
    let held: Vec<smol_str::SmolStr> = vec!["else.where/x".into(), IN_USE.into()];
    let first = |observation: Observation| steps(&observation).into_iter().next();
    let status = done(&policy()).status;
    let at_rest = Observation { status, ..policy() };
    assert_eq!(first(Observation { referrers: named.clone(), ..at_rest.clone() }), Some(Step::AddFinalizer));
    assert_eq!(first(Observation { finalizers: held.clone(), ..at_rest.clone() }), Some(Step::RemoveFinalizer));
    assert_eq!(first(Observation { referrers: Referrers::default(), ..at_rest.clone() }), None);
    // What is being deleted takes no new finalizer, and lets go as soon as nothing names it.
    let deleting = Observation { deleting: true, ..at_rest };
    assert!(!steps(&Observation { referrers: named, ..deleting.clone() }).contains(&Step::AddFinalizer));
    let last = Observation { finalizers: vec![IN_USE.into()], ..deleting.clone() };
    assert_eq!(steps(&last), [Step::RemoveFinalizer]);
    let others = Observation { finalizers: held.clone(), ..deleting };
    assert_eq!(steps(&others).len(), 2);
    // Users and roles are never kept.
    let user = Observation { finalizers: held, ..done(&alice()) };
    assert_eq!(steps(&user), [Step::RemoveFinalizer]);
}

#[test]
fn numbers_may_gather() {
    let ready = done(&policy());
    let named = named_by(2);
    assert_eq!(urgency_of(&Observation { referrers: named, ..ready }), Some(Urgency::Numbers));
}

#[test]
fn findings_are_capped_and_all_counted() {
    let findings = (0..30).map(|index| WorldFinding { path: format!("spec.{index}"), ..found(Reason::PolicyInvalid) });
    let observation = Observation { in_force: in_force(findings.collect()), ..policy() };
    let status = done(&observation).status;
    // One more: nothing names the policy.
    assert_eq!((status.finding_count, status.findings.len()), (Some(31), 20));
}

#[test]
fn what_others_write_into_the_list_of_conditions_is_none_of_ours() {
    let mut ready = done(&alice());
    let theirs = Condition { kind: "Audited".into(), ..ready.status.conditions[0].clone() };
    ready.status.conditions.insert(0, theirs);
    assert_eq!(steps(&ready), []);
}

#[test]
fn a_status_that_cannot_be_read_is_written_anew() {
    for text in ["", "[]", r#"{"conditions": 3}"#, r#"{"observedGeneration": "x"}"#] {
        assert_eq!(Status::read(text), Status::default(), "{text}");
    }
    let unknown = r#"{"observedGeneration": 3, "somethingElse": {"a": 1}}"#;
    assert_eq!(Status::read(unknown).observed_generation, Some(3));
}

const REASONS: [Reason; 8] = [
    Reason::ReferenceNotFound,
    Reason::PolicyInvalid,
    Reason::SpecInvalid,
    Reason::Unreadable,
    Reason::IdentityConflict,
    Reason::DeclaredTwice,
    Reason::NotManagementAccount,
    Reason::QuotaExceeded,
];

fn any_details(kind: Kind) -> BoxedStrategy<Option<Details>> {
    let details = match kind {
        Kind::User => (0..3usize, 0..3usize, any::<bool>(), 0..2usize, 0..2usize)
            .prop_map(|(groups, policies, disabled, mfa_devices, access_keys)| Details::User {
                groups,
                policies,
                disabled,
                mfa_devices,
                access_keys,
            })
            .boxed(),
        Kind::Group => (0..3usize).prop_map(|policies| Details::Group { policies }).boxed(),
        Kind::Role => (0..3usize, 3_600..43_201u32, 0..3usize)
            .prop_map(|(policies, max_session_seconds, trusted_principals)| Details::Role {
                policies,
                max_session_seconds,
                trusted_principals,
            })
            .boxed(),
        Kind::Policy => {
            (0..3usize).prop_map(|statements| Details::Policy { kind: PolicyType::Managed, statements }).boxed()
        }
    };
    proptest::option::weighted(0.9, details).boxed()
}

fn any_step_of_history(kind: Kind) -> impl Strategy<Value = Observation> {
    let world = proptest::option::weighted(0.8, (proptest::collection::vec(0..REASONS.len(), 0..3), 1..50u64));
    let record = (0..3u8, proptest::option::of(1..3i64)).prop_map(|(n, generation)| LastGood {
        generation,
        spec: serde_json::json!({"n": n}).as_object().cloned().unwrap(),
    });
    let record = proptest::option::of(record);
    let finalizers = proptest::collection::btree_set(0..2usize, 0..3);
    (
        any_details(kind),
        world,
        record,
        finalizers,
        any::<bool>(),
        1..4i64,
        0..4usize,
        (1..4usize, 0..4usize),
        any::<bool>(),
    )
        .prop_map(
            move |(details, world, last_good, finalizers, valid, generation, named, (live, running), deleting)| {
                let names = ["else.where/x", IN_USE];
                Observation {
                    key: key(kind, "it"),
                    generation,
                    deleting,
                    finalizers: finalizers.into_iter().map(|index| names[index].into()).collect(),
                    declared: Declared { validity: if valid { Validity::Valid } else { Validity::Invalid }, details },
                    in_force: world.and_then(|(findings, revision)| {
                        let findings = findings.into_iter().map(|index| found(REASONS[index])).collect();
                        in_force(findings).map(|in_force| InForce { revision: Revision(revision), ..in_force })
                    }),
                    referrers: named_by(named),
                    replicas: Replicas { live, running: running.min(live) },
                    last_good,
                    ..alice()
                }
            },
        )
}

fn any_history() -> impl Strategy<Value = Vec<Observation>> {
    (0..4usize).prop_flat_map(|kind| proptest::collection::vec(any_step_of_history(Kind::ALL[kind]), 1..6))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// Whatever the object has been through: after its steps there is nothing left to do, its conditions agree with one
    /// another, and kstatus reads them as they are meant.
    #[test]
    fn every_status_is_final_and_reads_as_it_is_meant(history in any_history()) {
        let mut before = (Status::default(), Vec::new());
        for moment in history {
            let now = Observation { status: before.0, finalizers: [before.1, moment.finalizers.clone()].concat(), ..moment };
            let after = done(&now);
            if now.deleting && after.finalizers.is_empty() && !now.finalizers.is_empty() {
                return Ok(()); // gone
            }
            prop_assert_eq!(steps(&after), []);
            let read = kstatus(&after);
            let judgement = judge(&now);
            prop_assert_eq!(&judgement, &judge(&after));
            let meant = match judgement {
                Judgement::Ready { .. } => Kstatus::Current,
                Judgement::Waiting { .. } | Judgement::Incomplete { .. } => Kstatus::InProgress,
                Judgement::Refused { .. } => Kstatus::Failed,
                Judgement::Deleting { .. } => Kstatus::Terminating,
            };
            prop_assert_eq!(read, meant);
            let conditions = &after.status.conditions;
            let names: std::collections::BTreeSet<&str> = conditions.iter().map(|c| c.kind.as_str()).collect();
            prop_assert_eq!(names.len(), conditions.len());
            for condition in conditions {
                prop_assert_eq!(condition.observed_generation, Some(after.generation));
                prop_assert!(!condition.reason.is_empty() && condition.message.len() <= 1_024);
                let moved = condition.last_transition_time != THEN;
                let was = now.status.condition(&condition.kind).map(|before| before.status);
                prop_assert!(!moved || was == Some(condition.status));
            }
            let is = |kind: &str| after.status.condition(kind).map(|condition| condition.status);
            prop_assert!(is("Ready").is_some() && is("Enforced").is_some());
            if is("Ready") == Some(ConditionStatus::True) {
                prop_assert_eq!(is("Enforced"), Some(ConditionStatus::True));
                prop_assert_eq!(is("Stalled").or(is("Reconciling")), None);
            }
            before = (after.status, after.finalizers);
        }
    }
}

#[test]
fn what_is_worth_a_second_look_stands_among_the_findings_and_stalls_nothing() {
    let seen = lint::Finding {
        code: lint::Code::WildcardCoversPrivilegeTransition,
        severity: lint::Severity::SecurityWarning,
        path: "spec.statements[0].actions[0]".to_owned(),
        message: "it reaches much".to_owned(),
    };
    let attached = named_by(1);
    let named = Observation { lint: vec![seen.clone()], referrers: attached, ..policy() };
    let codes = |observation: &Observation| -> Vec<String> {
        done(observation).status.findings.into_iter().map(|finding| finding.code).collect()
    };
    assert_eq!(codes(&named), ["K8S_WILDCARD_COVERS_PRIVILEGE_TRANSITION"]);
    assert!(conditions_of(&named).iter().any(|condition| condition.starts_with("Ready=True ")));
    let unnamed = Observation { referrers: Referrers::default(), ..named };
    assert_eq!(codes(&unnamed), ["K8S_WILDCARD_COVERS_PRIVILEGE_TRANSITION", "POLICY_NOT_ATTACHED"]);
}
