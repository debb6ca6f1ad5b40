use proptest::prelude::*;

use super::*;
use crate::mapping::fixture::{ask, by_alice, facts, requirement, setting, shown};
use crate::mapping::{Requirement, SelectorOperator};

fn mapped(attributes: &Attributes<'_>) -> String {
    shown(&request(attributes, &setting()).unwrap())
}

#[test]
fn each_question_about_objects_has_its_action_slots_and_account() {
    for (question, expected) in [
        // B2: actions
        ("get -/pods/log ns p", "k8s:get/log | k8s:core:east:ns:pods/p | ns"),
        ("create -/pods/exec ns p", "k8s:create/exec | k8s:core:east:ns:pods/p | ns"),
        ("update apps/deployments/scale ns web", "k8s:update/scale | k8s:apps:east:ns:deployments/web | ns"),
        (
            "bind rbac.authorization.k8s.io/clusterroles - admin",
            "k8s:bind | k8s:rbac.authorization.k8s.io:east::clusterroles/admin | management",
        ),
        ("frobnicate -/pods ns p", "k8s:frobnicate | k8s:core:east:ns:pods/p | ns"),
        ("a:b/c%2F -/pods ns p", "k8s:a%3Ab%2Fc%252F | k8s:core:east:ns:pods/p | ns"),
        ("get -/userextras/a/b:c - v", "k8s:get/a/b:c | k8s:core:east:EITHER:userextras/v | all"),
        ("* -/pods ns p", "k8s:* | k8s:core:east:ns:pods/p | ns"),
        ("get -/pods/* ns p", "k8s:* | k8s:core:east:ns:pods/p | ns"),
        // B3: scope comes from the kind
        ("get -/namespaces prod prod", "k8s:get | k8s:core:east::namespaces/prod | management"),
        ("update -/namespaces/finalize prod prod", "k8s:update/finalize | k8s:core:east::namespaces/prod | management"),
        ("create -/namespaces - -", "k8s:create | k8s:core:east::namespaces/NEW | management"),
        ("get */namespaces prod prod", "k8s:get | k8s:ANY:east::namespaces/prod | management"),
        ("get -/nodes ns n1", "k8s:get | k8s:core:east::nodes/n1 | management"),
        ("get -/nodes a:b n1", "k8s:get | k8s:core:east::nodes/n1 | management"),
        ("get unknown.example.org/kinds ns x", "k8s:get | k8s:unknown.example.org:east:ns:kinds/x | ns"),
        ("get unknown.example.org/kinds - x", "k8s:get | k8s:unknown.example.org:east:EITHER:kinds/x | all"),
        ("get -/Pods ns p", "k8s:get | k8s:core:east:ns:Pods/p | ns"),
        ("get -/pods .. p", "k8s:get | k8s:core:east:..:pods/p | .."),
        // forbidden characters
        ("get -/pods a:b p", "k8s:get | k8s:core:east:FORBIDDEN:pods/p | all"),
        ("get -/pods * p", "k8s:get | k8s:core:east:FORBIDDEN:pods/p | all"),
        ("get -/pods a?b p", "k8s:get | k8s:core:east:FORBIDDEN:pods/p | all"),
        ("get -/pods a/b p", "k8s:get | k8s:core:east:FORBIDDEN:pods/p | all"),
        ("get a*/pods ns p", "k8s:get | k8s:FORBIDDEN:east:ns:pods/p | ns"),
        ("get a:b/pods ns p", "k8s:get | k8s:FORBIDDEN:east:ns:pods/p | ns"),
        ("get core/pods ns p", "k8s:get | k8s:FORBIDDEN:east:ns:pods/p | ns"),
        ("get -/po* ns p", "k8s:get | k8s:core:east:ns:FORBIDDEN | ns"),
        ("get -/a:b ns p", "k8s:get | k8s:core:east:ns:FORBIDDEN | ns"),
        ("get -/- ns p", "k8s:get | k8s:core:east:ns:FORBIDDEN | ns"),
        ("get -/secrets ns a:b/*?c", "k8s:get | k8s:core:east:ns:secrets/a:b/*?c | ns"),
        ("get -/secrets ns *", "k8s:get | k8s:core:east:ns:secrets/* | ns"),
        // B4: sets
        ("get -/secrets ns -", "k8s:get | k8s:core:east:ns:secrets/ANY | ns"),
        ("list -/secrets ns -", "k8s:list | k8s:core:east:ns:secrets/ANY | ns"),
        ("list -/secrets - -", "k8s:list | k8s:core:east:ANY:secrets/ANY | all"),
        ("list -/secrets ns db", "k8s:list | k8s:core:east:ns:secrets/db | ns"),
        ("watch aggregated.example.org/things ns x", "k8s:watch | k8s:aggregated.example.org:east:ns:things/ANY | ns"),
        ("list unknown.example.org/kinds - x", "k8s:list | k8s:unknown.example.org:east:EITHER:kinds/ANY | all"),
        ("get aggregated.example.org/things ns x", "k8s:get | k8s:aggregated.example.org:east:ns:things/x | ns"),
        ("deletecollection -/secrets ns -", "k8s:deletecollection | k8s:core:east:ns:secrets/ANY | ns"),
        ("create -/secrets ns -", "k8s:create | k8s:core:east:ns:secrets/NEW | ns"),
        ("create -/secrets ns db", "k8s:create | k8s:core:east:ns:secrets/db | ns"),
        ("create -/serviceaccounts/token ns -", "k8s:create/token | k8s:core:east:ns:serviceaccounts/ANY | ns"),
        ("get */secrets ns db", "k8s:get | k8s:ANY:east:ns:secrets/db | ns"),
        ("get -/* ns db", "k8s:get | k8s:core:east:ns:ANY | ns"),
        ("* */*/* - -", "k8s:* | k8s:ANY:east:EITHER:ANY | all"),
        ("* */* ns -", "k8s:* | k8s:ANY:east:ns:ANY | ns"),
        // proxy aliases
        ("get -/services/proxy ns web", "k8s:get/proxy | k8s:core:east:ns:services/web | ns"),
        ("get -/services/proxy ns web:http", "k8s:get/proxy | k8s:core:east:ns:services/web | ns"),
        ("get -/services/proxy ns https:web:443", "k8s:get/proxy | k8s:core:east:ns:services/web | ns"),
        ("get -/services/proxy ns :web:", "k8s:get/proxy | k8s:core:east:ns:services/web | ns"),
        ("get -/nodes/proxy - n1:10250", "k8s:get/proxy | k8s:core:east::nodes/n1 | management"),
        ("get -/pods/proxy ns https:p:", "k8s:get/proxy | k8s:core:east:ns:pods/p | ns"),
        ("get -/pods/* ns https:p:443", "k8s:* | k8s:core:east:ns:pods/p | ns"),
        ("get -/services/proxy ns ftp:web:21", "k8s:get/proxy | k8s:core:east:ns:FORBIDDEN | ns"),
        ("get -/services/proxy ns https::443", "k8s:get/proxy | k8s:core:east:ns:FORBIDDEN | ns"),
        ("get -/services/proxy ns a:b:c:d", "k8s:get/proxy | k8s:core:east:ns:FORBIDDEN | ns"),
        ("get -/services/proxy ns -", "k8s:get/proxy | k8s:core:east:ns:services/ANY | ns"),
        ("get -/services ns https:web:443", "k8s:get | k8s:core:east:ns:services/https:web:443 | ns"),
        ("get apps/services/proxy ns https:web:443", "k8s:get/proxy | k8s:apps:east:ns:services/https:web:443 | ns"),
    ] {
        assert_eq!(mapped(&by_alice(ask(question))), expected, "{question}");
    }
}

#[test]
fn urls_belong_to_the_management_account_and_stay_as_they_are() {
    for (verb, path, expected) in [
        ("get", "/metrics", "http:get | k8s:url:east::/metrics | management"),
        ("get", "/apis/../metrics", "http:get | k8s:url:east::/apis/../metrics | management"),
        ("get", "/a%2fb:*", "http:get | k8s:url:east::/a%2fb:* | management"),
        ("*", "/x", "http:* | k8s:url:east::/x | management"),
        ("a/b:c", "/x", "http:a%2Fb%3Ac | k8s:url:east::/x | management"),
    ] {
        let target = Target::Url(UrlAttributes { path: path.into(), verb: verb.into() });
        let attributes = Attributes { user: "alice".into(), target, ..Attributes::default() };
        assert_eq!(mapped(&attributes), expected);
    }
}

#[test]
fn selectors_narrow_lists_of_kinds_that_are_served_here() {
    use SelectorOperator::{In, NotIn};
    let (name, namespace) = ("metadata.name", "metadata.namespace");
    for (question, selector, expected) in [
        ("list -/secrets - -", vec![requirement(namespace, In, &["a"])], "k8s:core:east:a:secrets/ANY | a"),
        (
            "list -/secrets - -",
            vec![requirement(namespace, NotIn, &["a", "b"])],
            "k8s:core:east:ANY -a -b:secrets/ANY | all",
        ),
        ("list -/secrets - -", vec![requirement(namespace, In, &["a:b"])], "k8s:core:east:FORBIDDEN:secrets/ANY | all"),
        ("list -/secrets - -", vec![requirement(namespace, In, &[""])], "k8s:core:east:ANY:secrets/ANY | all"),
        ("list -/secrets - -", vec![requirement(namespace, In, &["a", "b"])], "k8s:core:east:ANY:secrets/ANY | all"),
        (
            "list -/secrets - -",
            vec![requirement(namespace, In, &["a"]), requirement(namespace, NotIn, &["a"])],
            "k8s:core:east:ANY:secrets/ANY | all",
        ),
        ("list -/secrets ns -", vec![requirement(namespace, In, &["a"])], "k8s:core:east:ns:secrets/ANY | ns"),
        ("deletecollection -/secrets ns -", vec![requirement(name, In, &["a"])], "k8s:core:east:ns:secrets/a | ns"),
        (
            "watch -/secrets ns -",
            vec![requirement(name, NotIn, &["a"])],
            "k8s:core:east:ns:secrets/ANY -secrets/a | ns",
        ),
        ("list -/secrets ns x", vec![requirement(name, In, &["a"])], "k8s:core:east:ns:secrets/x | ns"),
        ("list -/secrets ns -", vec![requirement(name, In, &[""])], "k8s:core:east:ns:secrets/ANY | ns"),
        ("list -/nodes - -", vec![requirement(name, In, &["a"])], "k8s:core:east::nodes/a | management"),
        ("list -/nodes - -", vec![requirement(namespace, In, &["a"])], "k8s:core:east::nodes/ANY | management"),
        ("list -/secrets - -", vec![requirement("spec.x", In, &["a"])], "k8s:core:east:ANY:secrets/ANY | all"),
        (
            "list aggregated.example.org/things - -",
            vec![requirement(namespace, In, &["a"]), requirement(name, In, &["b"])],
            "k8s:aggregated.example.org:east:ANY:things/ANY | all",
        ),
        (
            "list unknown.example.org/kinds - -",
            vec![requirement(namespace, In, &["a"])],
            "k8s:unknown.example.org:east:EITHER:kinds/ANY | all",
        ),
        ("get -/secrets - -", vec![requirement(namespace, In, &["a"])], "k8s:core:east:ANY:secrets/ANY | all"),
        ("* -/secrets - -", vec![requirement(namespace, In, &["a"])], "k8s:core:east:ANY:secrets/ANY | all"),
    ] {
        let attributes = by_alice(ResourceAttributes { field_selector: selector.clone(), ..ask(question) });
        let found = mapped(&attributes);
        assert_eq!(found.split_once(" | ").unwrap().1, expected, "{question} {selector:?}");
    }
}

#[test]
fn baseline_and_caller_travel_with_the_request() {
    let version = |user: &'static str| Attributes {
        user: user.into(),
        groups: vec!["dev".into(), "arn:k8s:x".into()],
        target: Target::Url(UrlAttributes { path: "/version".into(), verb: "get".into() }),
        ..Attributes::default()
    };
    let (alice, anonymous) = (version("alice"), version("system:anonymous"));
    for (mode, expected) in [
        (Mode::Shadow, Baseline::NotLimited),
        (Mode::Coexist, Baseline::NotLimited),
        (Mode::Authoritative, Baseline::Allowed),
    ] {
        let setting = Setting { mode, ..setting() };
        let asked = request(&alice, &setting).unwrap();
        assert_eq!(asked.baseline, expected);
        let Caller::Identity(identity) = asked.caller else { panic!("{mode}") };
        assert_eq!(identity.groups, ["dev"]);
        let asked = request(&anonymous, &setting).unwrap();
        assert_eq!(asked.baseline, Baseline::No);
        assert!(matches!(asked.caller, Caller::Anonymous));
    }
}

#[test]
fn anonymous_callers_meet_denies_on_every_verb() {
    for (verb, expected) in [
        ("impersonate", "k8s:impersonate"),
        ("impersonate-on:user-info:get", "k8s:impersonate-on%3Auser-info%3Aget"),
        ("", "k8s:"),
    ] {
        let resource = ResourceAttributes { verb: verb.into(), ..ask("- -/pods ns p") };
        let attributes = Attributes { user: "system:anonymous".into(), ..by_alice(resource) };
        assert_eq!(request(&attributes, &setting()).unwrap().action.to_string(), expected);
    }
}

/// Texts that differ in little, with the separators of every slot.
fn word() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::sample::select(vec![
            "get",
            "list",
            "create",
            "k8s",
            "pods",
            "secrets",
            "services",
            "nodes",
            "namespaces",
            "apps",
            "deployments",
            "core",
            "log",
            "proxy",
            "a",
            "b",
        ])
        .prop_map(str::to_owned),
        "[ab:/%*?.~A-]{1,4}",
    ]
}

fn maybe(word: impl Strategy<Value = String>) -> impl Strategy<Value = String> {
    prop_oneof![1 => Just(String::new()), 2 => word]
}

prop_compose! {
    fn question()(
        verb in word(), group in maybe(word()), resource in word(), subresource in maybe(word()),
        namespace in maybe(word()), name in maybe(word()),
    ) -> ResourceAttributes<'static> {
        ResourceAttributes {
            verb: verb.into(), group: group.into(), resource: resource.into(), subresource: subresource.into(),
            namespace: namespace.into(), name: name.into(), ..ResourceAttributes::default()
        }
    }
}

/// What makes a question about one object: everything but what its kind makes meaningless, and the part of a proxied
/// name that is an alias.
fn identity_of(resource: &ResourceAttributes<'_>) -> [String; 6] {
    let parts = Parts::new(resource, &setting());
    let namespace = if parts.facts.scope == Scope::Cluster { "" } else { &resource.namespace };
    let name = parts.proxy.map_or(&*resource.name, |proxy| proxy.name);
    [&*resource.verb, &*resource.group, &*resource.resource, &*resource.subresource, namespace, name].map(str::to_owned)
}

/// Whether every slot holds one value.
fn is_one_object(request: &Request<'_>) -> bool {
    let Resource::Arn(slots) = &request.resource else { return false };
    matches!(request.action, Action::One(_))
        && matches!(slots.service, Slot::One(_))
        && matches!(slots.account, AccountSlot::One(_))
        && matches!(slots.rest, Rest::One(_))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20_000, failure_persistence: None, ..ProptestConfig::default() })]

    /// Two questions about one object each that differ, differ in action or resource, also when written as text.
    #[test]
    fn distinct_objects_and_verbs_are_distinct_requests(a in question(), b in question(), changed in 0..6usize) {
        // Most pairs differ in one field only.
        let mut b = b;
        for (at, (ours, theirs)) in [
            (&a.verb, &mut b.verb), (&a.group, &mut b.group), (&a.resource, &mut b.resource),
            (&a.subresource, &mut b.subresource), (&a.namespace, &mut b.namespace), (&a.name, &mut b.name),
        ].into_iter().enumerate() {
            if at != changed && at != (changed + 1) % 6 {
                *theirs = ours.clone();
            }
        }
        let (a, b) = (by_alice(a), by_alice(b));
        let (Ok(x), Ok(y)) = (request(&a, &setting()), request(&b, &setting())) else { return Ok(()) };
        if is_one_object(&x) && is_one_object(&y) {
            let (Target::Resource(a), Target::Resource(b)) = (&a.target, &b.target) else { return Ok(()) };
            let same = x.action.to_string() == y.action.to_string() && x.resource.to_string() == y.resource.to_string();
            prop_assert_eq!(same, identity_of(a) == identity_of(b), "{:?} {:?}", a, b);
        }
    }

    /// Whatever is asked, by whomever, and however narrowed: no panic, no key twice, and an owner that fits the slot.
    #[test]
    fn every_question_is_a_request_or_refused(
        resource in question(), user in maybe(word()), key in word(), values in prop::collection::vec(word(), 0..3),
    ) {
        let requirement = Requirement {
            key: if key == "a" { "metadata.namespace".into() } else { key.clone().into() },
            operator: if values.is_empty() { SelectorOperator::Exists } else { SelectorOperator::In },
            values: values.iter().map(|value| value.clone().into()).collect(),
        };
        let resource = ResourceAttributes {
            field_selector: vec![requirement.clone()], label_selector: vec![requirement], ..resource
        };
        let attributes = Attributes { user: user.into(), target: Target::Resource(resource), ..Attributes::default() };
        if let Ok(found) = request(&attributes, &setting()) {
            facts(&attributes);
            let Resource::Arn(slots) = &found.resource else { panic!("{found:?}") };
            let fits = match (&slots.account, &found.account) {
                (AccountSlot::One(slot), ResourceAccount::One(owner)) => !slot.is_empty() && slot == owner,
                (AccountSlot::One(slot), ResourceAccount::Management) => slot.is_empty(),
                (AccountSlot::Any { .. } | AccountSlot::Either | AccountSlot::Forbidden, ResourceAccount::All) => true,
                _ => false,
            };
            prop_assert!(fits, "{:?}", found);
        }
    }
}
