//! What was stored under laxer rules stays modifiable; what is touched must be right.

use serde_json::json;

use super::*;

/// A policy with a misspelt key in its first statement, as an older schema may have let it in.
fn stored() -> Value {
    let mut statements =
        json!([allow()[0], {"sid": "B", "effect": "Deny", "actions": ["k8s:get"], "resources": ["*"]}]);
    statements[0]["conditoins"] = json!([]);
    policy("a", "p", json!({"statements": statements, "description": "old"}))
}

const MISSPELT: &str = "spec.statements[0]: unknown key `conditoins`; did you mean `conditions`?";

#[test]
fn a_label_of_an_invalid_object_can_be_changed() {
    let nothing = cluster(&[]);
    assert_eq!(created(&stored(), &nothing), refused(MISSPELT));
    assert_eq!(changed(&stored(), &with(&stored(), "/metadata/labels", json!({"x": "y"})), &nothing), admitted());
}

#[test]
fn what_is_wrong_and_unchanged_passes_beside_a_change_elsewhere() {
    let nothing = cluster(&[]);
    let new = with(&stored(), "/spec/description", json!("new"));
    assert_eq!(changed(&stored(), &new, &nothing), admitted());
    let new = with(&stored(), "/spec/statements/1/actions", json!(["k8s:list"]));
    assert_eq!(changed(&stored(), &new, &nothing), admitted());
}

#[test]
fn what_is_wrong_and_touched_is_refused() {
    let nothing = cluster(&[]);
    let new = with(&stored(), "/spec/statements/0/actions", json!(["k8s:*"]));
    assert_eq!(changed(&stored(), &new, &nothing), refused(MISSPELT));
    let new = with(&stored(), "/spec/statements/1/conditoins", json!([]));
    let second = "spec.statements[1]: unknown key `conditoins`; did you mean `conditions`?";
    assert_eq!(changed(&stored(), &new, &nothing), refused(second));
    // The same statement at another place is another one.
    let moved = with(
        &stored(),
        "/spec/statements",
        json!([stored()["spec"]["statements"][1], stored()["spec"]["statements"][0]]),
    );
    assert_eq!(changed(&stored(), &moved, &nothing), refused(second));
}

#[test]
fn a_repaired_object_is_admitted_and_a_broken_one_is_not() {
    let nothing = cluster(&[]);
    let good = policy("a", "p", json!({"statements": allow()}));
    assert_eq!(changed(&stored(), &good, &nothing), admitted());
    assert_eq!(changed(&good, &stored(), &nothing), refused(MISSPELT));
}

#[test]
fn an_old_name_stays_and_an_old_bomb_can_be_labelled() {
    let nothing = cluster(&[]);
    let named = policy("a", "Old_Name", json!({"statements": allow()}));
    assert_eq!(changed(&named, &with(&named, "/spec/description", json!("x")), &nothing), admitted());
    let values: Vec<Value> = (0..150_000).map(Value::from).collect();
    let bomb = policy("a", "p", json!({"statements": values}));
    assert_eq!(changed(&bomb, &with(&bomb, "/metadata/labels", json!({"x": "y"})), &nothing), admitted());
}

#[test]
fn more_problems_than_are_listed_hide_no_new_one() {
    let nothing = cluster(&[]);
    let statements: Vec<Value> = (0..120)
        .map(|index| json!({"sid": format!("A{index}"), "effect": "Allow", "actions": ["k8s:get"], "resources": []}))
        .collect();
    let old = policy("a", "p", json!({"statements": statements, "description": "old"}));
    let new = with(&old, "/spec/statements/119/resources", json!(null));
    let Verdict::Refused(found) = changed(&old, &new, &nothing) else { panic!() };
    assert!(found.starts_with("100 problems: (1) spec.statements[0].resources: "), "{found}");
    assert!(found.ends_with(" and 95 more"), "{found}");
}
