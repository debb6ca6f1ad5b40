//! From a tree with positions to plain JSON.

use serde_json::{Map, Number, Value as Json};

use crate::policy::tree::{Node, Value};

/// The tree as JSON, without its positions. Of a key that stands twice in a map the last one counts; [`super::read`]
/// refuses such maps.
pub fn to_json(node: &Node) -> Json {
    match &node.value {
        Value::Null => Json::Null,
        Value::Boolean(value) => Json::Bool(*value),
        Value::Number(text) => number(text),
        Value::Text(text) => Json::String(text.to_string()),
        Value::List(items) => Json::Array(items.iter().map(to_json).collect()),
        Value::Map(entries) => {
            let entries = entries.iter().map(|entry| (entry.key.to_string(), to_json(&entry.value)));
            Json::Object(entries.collect::<Map<_, _>>())
        }
    }
}

/// A number from its decimal text; one that no double can hold becomes null, as in JavaScript.
fn number(text: &str) -> Json {
    if let Ok(value) = text.parse::<i64>() {
        return Json::Number(value.into());
    }
    if let Ok(value) = text.parse::<u64>() {
        return Json::Number(value.into());
    }
    text.parse().ok().and_then(Number::from_f64).map_or(Json::Null, Json::Number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_survives_the_way_through_a_tree() {
        let json = serde_json::json!({"a": [1, -2, 1.5, 18446744073709551615u64, true, null, "x"], "b": {}});
        assert_eq!(to_json(&Node::from(&json)), json);
    }

    /// What `kube-iam crds` writes is what kubectl reads: no word of a description turns into a boolean or a number.
    #[test]
    fn the_definitions_survive_the_way_through_yaml() {
        let (objects, errors) = crate::manifest::read_text("crds", &crate::api::crds_yaml());
        assert_eq!(errors, []);
        let read: Vec<_> = objects.iter().map(|object| to_json(&object.node)).collect();
        let definitions = crate::api::custom_resource_definitions();
        let written: Vec<_> = definitions.iter().map(|definition| serde_json::to_value(definition).unwrap()).collect();
        assert_eq!(read, written);
    }
}
