//! The CustomResourceDefinitions as YAML: what `kube-iam crds` prints and what the folder `crds/` holds.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};
use kube::CustomResourceExt;

use super::v1alpha1::{IamGroup, IamPolicy, IamRole, IamUser};

/// The definitions of the four kinds, in alphabetical order.
pub fn custom_resource_definitions() -> Vec<CustomResourceDefinition> {
    let mut definitions = vec![IamGroup::crd(), IamPolicy::crd(), IamRole::crd(), IamUser::crd()];
    for version in definitions.iter_mut().flat_map(|definition| &mut definition.spec.versions) {
        if let Some(root) = version.schema.as_mut().and_then(|schema| schema.open_api_v3_schema.as_mut()) {
            unwrap_descriptions(root);
        }
    }
    definitions
}

/// The file name and the content of each definition, in alphabetical order.
///
/// The same for the same build: no clock, no environment.
pub fn definition_files() -> Vec<(String, String)> {
    custom_resource_definitions()
        .iter()
        .map(|definition| (format!("{}.yaml", definition.spec.names.plural), yaml(definition)))
        .collect()
}

/// All definitions as one text of several YAML documents.
pub fn crds_yaml() -> String {
    let documents: Vec<String> = definition_files().into_iter().map(|(_, content)| content).collect();
    documents.join("---\n")
}

/// One definition. A type of Kubernetes' own always has a YAML form, so the error cannot happen; it would show as an
/// empty document, which the drift test refuses.
fn yaml(definition: &CustomResourceDefinition) -> String {
    serde_yaml::to_string(definition).unwrap_or_default()
}

/// Joins the lines of every description: the comments of the source are wrapped, `kubectl explain` wraps by itself.
fn unwrap_descriptions(schema: &mut JSONSchemaProps) {
    if let Some(description) = schema.description.as_mut() {
        *description = description.replace('\n', " ");
    }
    for property in schema.properties.iter_mut().flat_map(|properties| properties.values_mut()) {
        unwrap_descriptions(property);
    }
    if let Some(JSONSchemaPropsOrArray::Schema(items)) = schema.items.as_mut() {
        unwrap_descriptions(items);
    }
    if let Some(JSONSchemaPropsOrBool::Schema(values)) = schema.additional_properties.as_mut() {
        unwrap_descriptions(values);
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    /// Every schema below a definition's `spec` or `status`, with its path.
    fn schemas(part: &str) -> Vec<(String, JSONSchemaProps)> {
        let mut found = Vec::new();
        for definition in custom_resource_definitions() {
            let root = definition.spec.versions[0].schema.clone().unwrap().open_api_v3_schema.unwrap();
            let schema = root.properties.unwrap()[part].clone();
            collect(format!("{}.{part}", definition.spec.names.plural), schema, &mut found);
        }
        found
    }

    fn collect(path: String, schema: JSONSchemaProps, found: &mut Vec<(String, JSONSchemaProps)>) {
        for (name, property) in schema.properties.iter().flatten() {
            collect(format!("{path}.{name}"), property.clone(), found);
        }
        if let Some(JSONSchemaPropsOrArray::Schema(items)) = &schema.items {
            collect(format!("{path}[]"), (**items).clone(), found);
        }
        if let Some(JSONSchemaPropsOrBool::Schema(values)) = &schema.additional_properties {
            collect(format!("{path}.*"), (**values).clone(), found);
        }
        found.push((path, schema));
    }

    #[test]
    fn nothing_is_pruned_in_a_spec() {
        for (path, schema) in schemas("spec") {
            if schema.type_.as_deref() == Some("object") && schema.additional_properties.is_none() {
                assert_eq!(schema.x_kubernetes_preserve_unknown_fields, Some(true), "{path}");
            }
            assert!(schema.default.is_none(), "{path}: a default would be written into the spec");
        }
    }

    #[test]
    fn a_null_in_an_optional_field_of_a_spec_arrives() {
        for (path, schema) in schemas("spec") {
            let required = schema.required.clone().unwrap_or_default();
            for (name, property) in schema.properties.iter().flatten() {
                assert!(property.nullable == Some(true) || required.contains(name), "{path}.{name}");
            }
            if let Some(JSONSchemaPropsOrBool::Schema(values)) = &schema.additional_properties {
                assert_eq!(values.nullable, Some(true), "{path}.*");
            }
        }
    }

    #[test]
    fn every_list_map_and_string_has_a_bound() {
        for (path, schema) in [schemas("spec"), schemas("status")].concat() {
            if path.contains(".status.conditions[]") {
                continue; // Kubernetes' own type
            }
            match schema.type_.as_deref() {
                Some("array") => {
                    assert!(schema.max_items.is_some(), "{path}");
                    assert!(schema.x_kubernetes_list_type.is_some(), "{path}: server-side apply needs a list type");
                }
                Some("string") => {
                    assert!(schema.max_length.is_some() || schema.enum_.is_some() || schema.format.is_some(), "{path}")
                }
                Some("object") if schema.additional_properties.is_some() => {
                    assert!(schema.max_properties.is_some(), "{path}");
                }
                _ => {}
            }
        }
    }

    #[test]
    fn every_field_is_documented_on_one_line() {
        for (path, schema) in [schemas("spec"), schemas("status")].concat() {
            for (name, property) in schema.properties.iter().flatten() {
                let description = property.description.clone().unwrap_or_default();
                assert!(description.ends_with('.'), "{path}.{name}: `{description}`");
                assert!(!description.contains('\n'), "{path}.{name}: `{description}`");
                if path.contains(".spec") {
                    assert!(description.contains("Example: "), "{path}.{name}: `{description}`");
                }
            }
        }
    }

    #[test]
    fn the_names_are_those_that_people_type() {
        for definition in custom_resource_definitions() {
            let names = definition.spec.names;
            let singular = names.singular.unwrap();
            assert_eq!(names.kind.to_lowercase(), singular);
            // An API server accepts a short name that equals the singular (all names are claimed at once).
            assert_eq!(names.short_names, Some(vec![singular]));
            assert_eq!(names.categories, Some(vec!["iam".to_owned()]));
            assert_eq!(definition.spec.scope, "Namespaced");
            let version = &definition.spec.versions[0];
            assert!(version.selectable_fields.as_ref().unwrap().len() <= 8);
            assert!(version.subresources.as_ref().unwrap().status.is_some());
        }
    }

    #[test]
    fn the_committed_definitions_are_the_generated_ones() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("crds");
        let update = std::env::var_os("UPDATE_CRDS").is_some();
        if update {
            std::fs::create_dir_all(&folder).unwrap();
        }
        for (name, content) in definition_files() {
            let path = folder.join(&name);
            if update {
                std::fs::write(&path, &content).unwrap();
            }
            let committed = std::fs::read_to_string(&path).unwrap_or_default();
            assert!(
                committed == content,
                "crds/{name} is not what the types say; regenerate it with `UPDATE_CRDS=1 cargo test --lib api::`"
            );
        }
    }
}
