//! Properties: no order of the input means anything, and no object touches another.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::sample::{Index, select, subsequence};

use super::*;
use crate::policy::tree::Position;

/// Small names, so that references, claims and twins meet.
fn place() -> impl Strategy<Value = (&'static str, &'static str)> {
    (select(vec!["a", "b", "kube-iam-system"]), select(vec!["x", "y", "z"]))
}

fn reference() -> impl Strategy<Value = String> {
    prop_oneof![
        select(vec!["x", "y", "z", "none"]).prop_map(str::to_owned),
        place().prop_map(|(account, name)| format!("arn:k8s:iam::{account}:policy/{name}")),
    ]
}

fn references() -> impl Strategy<Value = Vec<String>> {
    proptest::collection::vec(reference(), 0..3)
}

fn names() -> impl Strategy<Value = Vec<&'static str>> {
    subsequence(vec!["x", "y", "z"], 0..=3)
}

fn statements() -> impl Strategy<Value = Json> {
    subsequence(vec![("A", "Allow"), ("D", "Deny"), ("B", "Allow"), ("M", "Maybe")], 1..=3)
        .prop_map(|list| list.into_iter().map(|(sid, effect)| statement(sid, effect)).collect())
}

fn inline() -> impl Strategy<Value = Json> {
    prop_oneof![Just(json!([])), statements().prop_map(|statements| json!([{"name": "i", "statements": statements}])),]
}

fn boundary(mut spec: Json, boundary: Option<Option<String>>) -> Json {
    if let Some(boundary) = boundary {
        spec["permissionsBoundary"] = json!(boundary);
    }
    spec
}

fn spec(kind: Kind) -> BoxedStrategy<Json> {
    let limit = || proptest::option::weighted(0.4, proptest::option::weighted(0.9, reference()));
    match kind {
        Kind::User => (names(), names(), references(), inline(), limit(), any::<bool>())
            .prop_map(|(identities, groups, policies, inline, limit, disabled)| {
                let identities: Json = identities.iter().map(|name| json!({"kind": "User", "name": name})).collect();
                let spec = json!({"identities": identities, "groups": groups, "policies": policies,
                    "inlinePolicies": inline, "disabled": disabled});
                boundary(spec, limit)
            })
            .boxed(),
        Kind::Group => (names(), references(), inline())
            .prop_map(|(external, policies, inline)| {
                json!({"externalGroups": external, "policies": policies, "inlinePolicies": inline})
            })
            .boxed(),
        Kind::Role => (references(), inline(), limit())
            .prop_map(|(policies, inline, limit)| {
                boundary(json!({"trustPolicy": trust(), "policies": policies, "inlinePolicies": inline}), limit)
            })
            .boxed(),
        Kind::Policy => (select(vec!["Managed", "Managed", "ServiceControl"]), statements())
            .prop_map(|(kind, statements)| json!({"type": kind, "statements": statements}))
            .boxed(),
    }
}

fn any_object() -> impl Strategy<Value = Object> {
    let kind = select(Kind::ALL.to_vec());
    (kind, place(), any::<(bool, bool, bool)>(), proptest::option::of(0u32..3)).prop_flat_map(
        |(kind, (account, name), (has_uid, is_deleting, is_broken), line)| {
            let last_good = proptest::option::weighted(0.2, spec(kind));
            (spec(kind), last_good).prop_map(move |(mut spec, last_good)| {
                if is_broken && line == Some(0) {
                    spec["owner"] = json!("x");
                }
                let mut object = object(kind, &format!("{account}/{name}"), spec);
                object.uid = has_uid.then(|| "1".into());
                object.deleting = is_deleting && line == Some(1);
                object.last_good = last_good.map(|json| Arc::new(Node::from(&json)));
                object.origin =
                    line.map(|line| Origin { file: "f".to_owned(), at: Position { line: line + 1, column: 1 } });
                if is_broken && is_deleting && has_uid {
                    object.spec = Spec::Unreadable("not YAML".to_owned());
                }
                object
            })
        },
    )
}

fn any_namespace() -> impl Strategy<Value = NamespaceFacts> {
    (
        select(vec!["a", "b", "kube-iam-system"]),
        proptest::option::of(select(vec!["x", "y", "system:x"])),
        any::<(bool, bool)>(),
    )
        .prop_map(|(name, root, (optional, labelled))| NamespaceFacts {
            name: name.into(),
            labels: labelled.then(|| ("env".into(), "prod".into())).into_iter().collect::<BTreeMap<_, _>>().into(),
            root_identity: root.map(Into::into),
            root_mfa_optional: optional,
        })
}

fn any_kind() -> impl Strategy<Value = KindFacts> {
    (select(vec!["things", "stuff"]), any::<bool>()).prop_map(|(plural, namespaced)| KindFacts {
        group: "x.org".into(),
        plural: plural.into(),
        scope: if namespaced { crate::name::Scope::Namespaced } else { crate::name::Scope::Cluster },
    })
}

fn any_input() -> impl Strategy<Value = Input> {
    (
        proptest::collection::vec(any_object(), 1..12),
        proptest::collection::vec(any_namespace(), 0..4),
        proptest::collection::vec(any_kind(), 0..3),
    )
        .prop_map(|(objects, namespaces, kinds)| Input {
            settings: Settings { management_root: Some("z".into()), ..Settings::default() },
            objects,
            namespaces,
            kinds,
        })
}

/// What a holder may do, by the names of what says so: standing, own Allows, Allows of attached policies.
fn grants(world: &World) -> BTreeMap<(ObjectKey, String), usize> {
    let allows = |policy: &Policy| policy.statements.iter().filter(|s| s.effect == Effect::Allow).count();
    let mut grants = BTreeMap::new();
    let mut add = |key: &ObjectKey, policies: &[Attachment], inline: &[NamedPolicy]| {
        for attachment in policies.iter().filter(|attachment| attachment.grants) {
            let policy = &world.policies[attachment.policy.0];
            *grants.entry((key.clone(), policy.key.to_string())).or_default() += allows(&policy.policy);
        }
        for inline in inline {
            *grants.entry((key.clone(), inline.name.to_string())).or_default() += allows(&inline.policy);
        }
    };
    for user in &world.users {
        add(&user.key, &user.policies, &user.inline);
    }
    for group in &world.groups {
        add(&group.key, &group.policies, &group.inline);
    }
    for role in &world.roles {
        add(&role.key, &role.policies, &role.inline);
    }
    grants
}

/// Everything about objects but one, with indexes replaced by names and without what an attachment grants.
fn others(world: &World, but: &ObjectKey) -> Vec<String> {
    let policy = |index: &PolicyIndex| world.policies[index.0].key.to_string();
    let attached = |list: &[Attachment]| list.iter().map(|attachment| policy(&attachment.policy)).collect::<Vec<_>>();
    let boundary = |boundary: &Boundary| match boundary {
        Boundary::Policies(list) => list.iter().map(policy).collect(),
        other => vec![format!("{other:?}")],
    };
    let mut lines = Vec::new();
    for p in world.policies.iter().filter(|p| p.key != *but) {
        lines.push(format!("{p:?}"));
    }
    for g in world.groups.iter().filter(|g| g.key != *but) {
        lines.push(format!(
            "{} {:?} {:?} {:?} {:?}",
            g.arn,
            g.standing,
            attached(&g.policies),
            g.inline,
            g.external_groups
        ));
    }
    for u in world.users.iter().filter(|u| u.key != *but) {
        let groups: Vec<String> = u.groups.iter().map(|index| world.groups[*index].key.to_string()).collect();
        lines.push(format!(
            "{} {:?} {:?} {groups:?} {:?} {:?} {:?}",
            u.arn,
            u.standing,
            u.identities,
            attached(&u.policies),
            u.inline,
            boundary(&u.boundary)
        ));
    }
    for r in world.roles.iter().filter(|r| r.key != *but) {
        lines.push(format!(
            "{} {:?} {:?} {:?} {:?} {:?}",
            r.arn,
            r.standing,
            r.trust,
            attached(&r.policies),
            r.inline,
            boundary(&r.boundary)
        ));
    }
    lines.extend(world.outcomes.iter().filter(|(key, _)| *key != but).map(|entry| format!("{entry:?}")));
    lines
}

/// No file of failures: what fails becomes a test with a name.
fn cases(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(cases(20_000))]

    #[test]
    fn any_order_of_the_input_gives_the_same_world(input in any_input(), seeds in proptest::collection::vec(any::<u64>(), 12)) {
        let mut shuffled = input.clone();
        let mut order = seeds.iter().cycle();
        shuffled.objects.sort_by_cached_key(|_| order.next().copied());
        shuffled.namespaces.sort_by_cached_key(|_| order.next().copied());
        shuffled.kinds.sort_by_cached_key(|_| order.next().copied());
        let (one, other) = (build(&input), build(&shuffled));
        prop_assert_eq!(one.digest, other.digest);
        prop_assert_eq!(one, other);
    }
}

proptest! {
    #![proptest_config(cases(4_000))]

    #[test]
    fn a_builder_makes_the_same_world_whatever_it_built_before(
        steps in proptest::collection::vec((any_input(), any::<[u8; 12]>()), 2..6),
    ) {
        let mut builder = Builder::default();
        let mut input = Input::default();
        for (next, fates) in steps {
            let mut fates = fates.into_iter().cycle();
            // Some objects stay the very same, some become something else in one respect, some go, some come.
            input.objects.retain_mut(|object| {
                match fates.next().unwrap() % 8 {
                    0 => return false,
                    1 => object.deleting = !object.deleting,
                    2 => object.uid = Some("2".into()),
                    3 => object.last_good = None,
                    4 => object.spec = Spec::Unreadable("gone".to_owned()),
                    _ => {}
                }
                true
            });
            input.objects.extend(next.objects);
            input.namespaces = next.namespaces;
            input.kinds = next.kinds;
            input.settings = next.settings;
            prop_assert_eq!(builder.build(&input), build(&input));
        }
    }
}

// A case prints two worlds or walks through them, which costs several times as much as building them.
proptest! {
    #![proptest_config(cases(4_000))]

    #[test]
    fn an_object_that_becomes_bad_changes_nothing_about_others(input in any_input(), index in any::<Index>()) {
        // Valid and alone under its name: then its last good form is what it was.
        let is_alone = |object: &&Object| input.objects.iter().filter(|other| other.key == object.key).count() == 1;
        let eligible: Vec<&Object> = input.objects.iter().filter(is_alone).filter(|o| check(o).is_empty()).collect();
        if eligible.is_empty() {
            return Ok(());
        }
        let object = *index.get(&eligible);
        let place = input.objects.iter().position(|other| std::ptr::eq(other, object)).unwrap();
        let before = build(&input);
        let mut broken = input.clone();
        if let Spec::Read(node) = &object.spec {
            broken.objects[place].last_good = Some(Arc::clone(node));
        }
        broken.objects[place].spec = Spec::Unreadable("not YAML".to_owned());
        let after = build(&broken);
        prop_assert_eq!(others(&before, &object.key), others(&after, &object.key));
        let after = grants(&after);
        for (holder, number) in grants(&before) {
            prop_assert!(after.get(&holder).copied().unwrap_or(0) <= number);
        }
    }

    #[test]
    fn nothing_that_is_being_deleted_grants(input in any_input(), index in any::<Index>()) {
        let mut deleted = input.clone();
        deleted.objects[index.index(input.objects.len())].deleting = true;
        let (before, after) = (grants(&build(&input)), grants(&build(&deleted)));
        for (holder, number) in after {
            prop_assert!(number <= before.get(&holder).copied().unwrap_or(0), "{:?}", holder);
        }
    }

    #[test]
    fn what_restricts_holds_no_allow(input in any_input()) {
        let world = build(&input);
        for policy in world.policies.iter().filter(|policy| policy.standing == Standing::Restricts) {
            prop_assert!(only_denies(&policy.policy));
        }
        let restricted = |standing, policies: &[Attachment], inline: &[NamedPolicy]| {
            standing == Standing::Full
                || (policies.iter().all(|attachment| !attachment.grants)
                    && inline.iter().all(|inline| only_denies(&inline.policy)))
        };
        for user in &world.users {
            prop_assert!(restricted(user.standing, &user.policies, &user.inline));
            prop_assert!(user.groups.iter().all(|group| world.groups[*group].key.account == user.key.account));
        }
        for group in &world.groups {
            prop_assert!(restricted(group.standing, &group.policies, &group.inline));
        }
        for role in &world.roles {
            prop_assert!(restricted(role.standing, &role.policies, &role.inline));
            prop_assert!(role.standing == Standing::Full || only_denies(&role.trust));
        }
        prop_assert_eq!(world.outcomes.len(), input.objects.iter().map(|object| &object.key).collect::<std::collections::BTreeSet<_>>().len());
    }
}
