use std::time::{Duration, Instant};

use proptest::prelude::*;
use serde_json::{Value as Json, json};

use super::*;
use crate::manifest::to_json;

fn read(text: &str) -> (Vec<Json>, Vec<String>) {
    let (documents, errors) = documents(Path::new("f"), text);
    (documents.iter().map(to_json).collect(), errors.iter().map(ToString::to_string).collect())
}

/// The documents of a text without errors.
fn good(text: &str) -> Vec<Json> {
    let (documents, errors) = read(text);
    assert_eq!(errors, Vec::<String>::new(), "{text:?}");
    documents
}

/// The errors of a text without a readable document.
fn bad(text: &str) -> Vec<String> {
    let (documents, errors) = read(text);
    assert_eq!(documents, Vec::<Json>::new(), "{text:?}");
    errors
}

#[test]
fn values_and_keys_are_what_kubectl_sends() {
    for (text, sent) in [
        (
            "a: yes\nb: 012\nc: 1_000\nd: 1e3\ne: 2012-10-17",
            json!({"a": true, "b": 10, "c": 1000, "d": 1000, "e": "2012-10-17"}),
        ),
        ("a: 'yes'\nb: \"012\"\nc: |-\n  1_000", json!({"a": "yes", "b": "012", "c": "1_000"})),
        (
            "y: 1\nn: 2\n012: 3\n1.5: 4\n1e6: 5\n2012-10-17: 6",
            json!({"true": 1, "false": 2, "10": 3, "1.5": 4, "1e+06": 5, "2012-10-17": 6}),
        ),
        ("a:\nb: ~\nc: \"\"", json!({"a": null, "b": null, "c": ""})),
        (
            "a: !!str 12\nb: !!int \"12\"\nc: !!float 1\nd: !!bool \"yes\"\ne: !!null \"\"",
            json!({"a": "12", "b": 12, "c": 1, "d": true, "e": null}),
        ),
        ("a: !own 12\nb: ! yes\nc: !own [1]\nd: !!str", json!({"a": "12", "b": "yes", "c": [1], "d": ""})),
        ("a: &x yes\nb: *x", json!({"a": true, "b": true})),
        ("a: |\n  x\n  y", json!({"a": "x\ny\n"})),
        (
            "{\"a\": [1, 2.5, -3e2, true, null, \"\\u00e9\\ud83d\\ude00\\/\"]}",
            json!({"a": [1, 2.5, -300, true, null, "é😀/"]}),
        ),
    ] {
        assert_eq!(good(text), vec![sent], "{text:?}");
    }
}

#[test]
fn merge_keys_are_applied_from_top_to_bottom() {
    let base = "x: &x {a: 1, b: 2}\nz: &z {a: 9, c: 3}\n";
    for (text, sent) in [
        ("v: {<<: *x, a: 5}", json!({"a": 5, "b": 2})),
        ("v: {a: 5, <<: *x}", json!({"a": 1, "b": 2})),
        ("v: {<<: [*x, *z]}", json!({"a": 1, "b": 2, "c": 3})),
        ("v: {<<: *x, <<: *z}", json!({"a": 9, "b": 2, "c": 3})),
        ("v: {<<: {d: 4}}", json!({"d": 4})),
        ("v: {\"<<\": *x}", json!({"<<": {"a": 1, "b": 2}})),
        ("v: {!!merge \"<<\": *x}", json!({"a": 1, "b": 2})),
    ] {
        assert_eq!(good(&format!("{base}{text}"))[0]["v"], sent, "{text}");
    }
    assert_eq!(bad("a: {<<: 1}"), ["f:1:5: a merge key needs a map or a list of maps"]);
    assert_eq!(bad("a: &x [1]\nb: {<<: *x}"), ["f:2:5: a merge key needs a map or a list of maps"]);
}

#[test]
fn a_key_written_twice_is_refused_where_it_stands() {
    assert_eq!(
        bad("a: 1\nb: {c: 1, c: 2}\na: 3"),
        ["f:2:11: duplicate key `c`; it stands at 2:5 already", "f:3:1: duplicate key `a`; it stands at 1:1 already",]
    );
    assert_eq!(bad("yes: 1\n\"true\": 2"), ["f:2:1: duplicate key `true`; it stands at 1:1 already"]);
}

#[test]
fn keys_are_strings() {
    assert_eq!(bad("? [a]\n: 1"), ["f:1:3: a key must be a string, not a list or a map"]);
    assert_eq!(bad("~: 1"), ["f:1:1: a key must be a string, not null"]);
    assert_eq!(good("a: &k key\n*k : 1"), [json!({"a": "key", "key": 1})]);
    assert_eq!(bad("a: &k 1\n*k : 1"), ["f:2:1: an alias that stands for a key must name a string"]);
}

#[test]
fn documents_are_separated_and_empty_ones_skipped() {
    assert_eq!(good("---\na: 1\n---\n# nothing\n---\n~\n---\nb: 2\n---\n"), [json!({"a": 1}), json!({"b": 2})]);
    assert_eq!(good(""), Vec::<Json>::new());
    assert_eq!(good("\u{feff}a: 1\r\nb: 2\r\n"), [json!({"a": 1, "b": 2})]);
    assert_eq!(good("a: 1\n...\n---\nb: 2\n...\n"), [json!({"a": 1}), json!({"b": 2})]);
}

#[test]
fn a_broken_document_does_not_hide_the_next() {
    let (documents, errors) = read("a: [1, 2\n---\nb: 2\n---\nc: 1\nc: 2\n---\nd: 4\n");
    assert_eq!(documents, [json!({"b": 2}), json!({"d": 4})]);
    assert_eq!(errors.len(), 2);
    assert!(errors[0].starts_with("f:1:4: "), "{errors:?}");
    assert_eq!(errors[1], "f:6:1: duplicate key `c`; it stands at 5:1 already");
}

/// Each of these is one thing to a YAML 1.2 parser and another to kubectl.
#[test]
fn what_kubectl_reads_otherwise_is_refused() {
    let (documents, errors) = read("a: 1\n...\nb: 2\n");
    assert_eq!(documents, [json!({"a": 1})]);
    assert_eq!(errors, ["f:3:1: kubectl does not read what follows `...`; separate documents by `---`"]);
    for (text, at) in [
        ("# comment\u{2028}a: 1\n", "1:10"),
        ("a: 1 # x\rb: 2\n", "1:9"),
        ("a: \"x\u{85}y\"\n", "1:6"),
        ("\n\u{feff}a: 1\n", "2:1"),
        ("a: {b:, c: 1}\n", "1:5"),
        ("a: {b\n :, c: 1}\n", "1:5"),
        ("a: {?b: 1}\n", "1:5"),
        ("a: [!x :b]\n", "1:8"),
        ("a: {!, b: 1}\n", "1:6"),
        ("&a:b x\n", "1:1"),
        ("%YAML 1.2\n---\na: 1\n", "1:1"),
        ("a: .inf\n", "1:4"),
        ("a: !!int x\n", "1:10"),
        ("a: !!binary aGk=\n", "1:13"),
        ("! <<: {a: 1}\n", "1:3"),
        ("a: \u{7}\n", "1:4"),
    ] {
        let errors = bad(text);
        assert_eq!(errors.len(), 1, "{text:?}: {errors:?}");
        assert!(errors[0].starts_with(&format!("f:{at}: ")), "{text:?}: {errors:?}");
    }
}

#[test]
fn every_key_and_value_keeps_its_place() {
    let (documents, _) = documents(Path::new("f"), "# é\na:\n  - \"é\": é   # x\n    k: 'v'\nb: {c: [1, x]}\n");
    let mut places = Vec::new();
    let mut waiting = vec![&documents[0]];
    while let Some(node) = waiting.pop() {
        for entry in node.entries() {
            places.push(format!("{} {} {}", entry.key, entry.key_at.unwrap(), entry.value.at.unwrap()));
            waiting.push(&entry.value);
        }
        if let Value::List(items) = &node.value {
            places.extend(items.iter().map(|item| format!("- {}", item.at.unwrap())));
            waiting.extend(items);
        }
    }
    places.sort();
    assert_eq!(documents[0].at.unwrap().to_string(), "2:1");
    assert_eq!(places, ["- 3:5", "- 5:12", "- 5:9", "a 2:1 3:3", "b 5:1 5:4", "c 5:5 5:8", "k 4:5 4:8", "é 3:5 3:10"]);
}

#[test]
fn work_is_bounded() {
    let bomb = (1..64).fold("a0: &a0 x\n".to_owned(), |text, level| {
        let before = level - 1;
        format!("{text}a{level}: &a{level} [*a{before}, *a{before}, *a{before}, *a{before}, *a{before}, *a{before}]\n")
    });
    let merges = (1..2_000).fold("a0: &a0 {x: 1}\n".to_owned(), |text, level| {
        format!("{text}a{level}: &a{level} {{<<: *a{}, k{level}: 1}}\n", level - 1)
    });
    let chain = (1..5_000)
        .fold("a0: &a0 x\n".to_owned(), |text, level| format!("{text}a{level}: &a{level} [*a{}]\n", level - 1));
    let started = Instant::now();
    for (name, text, expected) in [
        ("alias bomb", bomb, "more than 1000000 values"),
        ("merge bomb", merges, "more than 1000000 values"),
        ("alias chain", chain, "nested deeper than 128 levels"),
        ("brackets", "[".repeat(1_000_000), ""),
        ("braces", "{a: ".repeat(1_000_000), ""),
        ("dashes", "- ".repeat(1_000_000), ""),
        ("question marks", "? ".repeat(1_000_000), ""),
        ("items", "-\n".repeat(1_500_000), "more than 1000000 values"),
        ("self", "a: &a [*a]".to_owned(), "inside the value that it names"),
        ("duplicates", "a: 1\n".repeat(200_000), "duplicate key"),
        ("documents", "---\n[\n".repeat(200_000), ""),
    ] {
        let errors = bad(&text);
        assert!(!errors.is_empty() && errors.len() <= ERRORS, "{name}");
        assert!(errors[0].contains(expected), "{name}: {}", errors[0]);
    }
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
}

proptest! {
    #[test]
    fn no_text_panics(text in "\\PC*") {
        read(&text);
    }

    #[test]
    fn no_text_of_indicators_panics(parts in prop::collection::vec(
        prop::sample::select(vec![
            "a", "b: ", ": ", "- ", "? ", "[", "]", "{", "}", ", ", "&x ", "*x", "<<: ", "!!int ", "! ", "|\n", ">\n ", "'", "\"",
            "\\", "#", "\n", "\n  ", "\r", "\t", "---\n", "...\n", "%", "1", "yes", "~", "\u{feff}", "\u{2028}", "\0", "é",
        ]),
        0..40,
    )) {
        read(&parts.concat());
    }

    /// JSON is read as JSON readers read it.
    #[test]
    fn json_is_yaml(text in "[ -~é]{0,20}", number in any::<i64>(), keys in prop::collection::btree_set("[a-z:#?]{1,5}", 0..5)) {
        let map: serde_json::Map<_, _> = keys.into_iter().map(|key| (key, json!([text, number, null, {}]))).collect();
        let json = Json::Object(map);
        prop_assert_eq!(good(&serde_json::to_string(&json).unwrap()), vec![json.clone()]);
        prop_assert_eq!(good(&serde_json::to_string_pretty(&json).unwrap()), vec![json]);
    }
}
