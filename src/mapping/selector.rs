//! What selectors leave of a set (`kubernetes-contract.md` B4).

use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};

use super::attributes::{Requirement, SelectorOperator};
use crate::decide::{Absence, Possible, PossibleValues};

/// What the requirements of one key say together.
#[derive(Debug)]
pub(super) struct KeySet<'a> {
    /// The key as written.
    pub(super) key: &'a str,
    /// The values that its objects may have; `None` for a contradiction, which narrows nothing.
    pub(super) possible: Option<Possible<'a>>,
    /// The values that In requirements name.
    pub(super) named: Named<'a>,
}

/// The values that In requirements name.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Named<'a> {
    /// There is no In requirement.
    Nothing,
    /// These, in each of them.
    Values(Vec<&'a str>),
    /// They contradict each other, or it is not clear which key is meant.
    Unclear,
}

/// What selectors leave of all names or all namespaces.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Narrowed<'a> {
    /// Only this one.
    To(&'a str),
    /// All but these.
    Without(Vec<Cow<'a, str>>),
}

/// Requirements by key, in the order of the keys in lower case.
///
/// Keys of conditions ignore case. So two keys that differ in case only, which may sit on one object side by side, say
/// nothing together.
pub(super) fn by_key<'a>(requirements: &'a [Requirement<'_>]) -> Vec<KeySet<'a>> {
    let mut keys: BTreeMap<String, Vec<&Requirement<'_>>> = BTreeMap::new();
    for requirement in requirements {
        keys.entry(requirement.key.to_lowercase()).or_default().push(requirement);
    }
    keys.into_values().filter_map(|requirements| KeySet::new(&requirements)).collect()
}

/// What the requirements on a field leave of its values, none of which is empty.
pub(super) fn narrowed<'a>(keys: &[KeySet<'a>], field: &str) -> Narrowed<'a> {
    let possible = keys.iter().find(|set| set.key == field).and_then(|set| set.possible.as_ref());
    match possible.map(|possible| &possible.values) {
        Some(PossibleValues::Among(values)) => match values.as_slice() {
            [Cow::Borrowed(value)] if !value.is_empty() => Narrowed::To(value),
            _ => Narrowed::Without(Vec::new()),
        },
        Some(PossibleValues::AllBut(values)) => Narrowed::Without(values.clone()),
        None => Narrowed::Without(Vec::new()),
    }
}

impl<'a> KeySet<'a> {
    fn new(requirements: &[&'a Requirement<'_>]) -> Option<Self> {
        let key: &'a str = &requirements.first()?.key;
        if requirements.iter().any(|requirement| requirement.key != key) {
            return Some(Self { key, possible: None, named: Named::Unclear });
        }
        let mut named: Option<Vec<&'a str>> = None;
        let mut excluded: Vec<&'a str> = Vec::new();
        let mut absent = Absence::Possible;
        let mut nothing = false;
        for requirement in requirements {
            let values = requirement.values.iter().map(|value| &**value);
            match requirement.operator {
                SelectorOperator::In => {
                    absent = Absence::Excluded;
                    named = Some(match named {
                        None => distinct(values),
                        Some(before) => {
                            let these: HashSet<&str> = values.collect();
                            before.into_iter().filter(|value| these.contains(value)).collect()
                        }
                    });
                }
                SelectorOperator::NotIn => excluded.extend(values),
                SelectorOperator::Exists => absent = Absence::Excluded,
                SelectorOperator::DoesNotExist => nothing = true,
            }
        }
        let excluded = distinct(excluded.into_iter());
        let values = match &named {
            _ if nothing => PossibleValues::Among(Vec::new()),
            None => PossibleValues::AllBut(excluded.into_iter().map(Cow::Borrowed).collect()),
            Some(named) => {
                let excluded: HashSet<&str> = excluded.into_iter().collect();
                let left = named.iter().filter(|value| !excluded.contains(**value));
                PossibleValues::Among(left.map(|value| Cow::Borrowed(*value)).collect())
            }
        };
        let contradiction = values == PossibleValues::Among(Vec::new()) && absent == Absence::Excluded;
        Some(Self {
            key,
            possible: (!contradiction).then_some(Possible { values, absent }),
            named: match named {
                None => Named::Nothing,
                Some(values) if values.is_empty() => Named::Unclear,
                Some(values) => Named::Values(values),
            },
        })
    }
}

fn distinct<'a>(values: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut seen = HashSet::new();
    values.filter(|value| seen.insert(*value)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use SelectorOperator::{DoesNotExist, Exists, In, NotIn};

    fn requirements(list: &[(&'static str, SelectorOperator, &[&'static str])]) -> Vec<Requirement<'static>> {
        list.iter()
            .map(|(key, operator, values)| Requirement {
                key: (*key).into(),
                operator: *operator,
                values: values.iter().map(|value| (*value).into()).collect(),
            })
            .collect()
    }

    fn shown(list: &[(&'static str, SelectorOperator, &[&'static str])]) -> Vec<String> {
        let requirements = requirements(list);
        by_key(&requirements)
            .into_iter()
            .map(|KeySet { key, possible, named }| {
                let possible = match possible {
                    None => "not used".to_owned(),
                    Some(Possible { values, absent }) => {
                        let values = match values {
                            PossibleValues::Among(values) => values.join("|"),
                            PossibleValues::AllBut(values) => format!("!{}", values.join("|")),
                        };
                        format!("{values}{}", if absent == Absence::Possible { " or absent" } else { "" })
                    }
                };
                let named = match named {
                    Named::Nothing => String::new(),
                    Named::Values(values) => values.join("|"),
                    Named::Unclear => "?".to_owned(),
                };
                format!("{key}: {possible}; {named}")
            })
            .collect()
    }

    #[test]
    fn requirements_on_one_key_intersect_and_contradictions_are_not_used() {
        for (list, expected) in [
            (&[("a", In, &["x", "y", "x"][..])][..], "a: x|y; x|y"),
            (&[("a", NotIn, &["x"])], "a: !x or absent; "),
            (&[("a", Exists, &[])], "a: !; "),
            (&[("a", DoesNotExist, &[])], "a:  or absent; "),
            (&[("a", In, &["x", "y"]), ("a", In, &["y", "z"])], "a: y; y"),
            (&[("a", In, &["x", "y"]), ("a", NotIn, &["y"])], "a: x; x|y"),
            (&[("a", NotIn, &["x"]), ("a", NotIn, &["x", "y"]), ("a", Exists, &[])], "a: !x|y; "),
            (&[("a", NotIn, &["x"]), ("a", DoesNotExist, &[])], "a:  or absent; "),
            (&[("a", In, &["x"]), ("a", In, &["y"])], "a: not used; ?"),
            (&[("a", In, &["x"]), ("a", NotIn, &["x"])], "a: not used; x"),
            (&[("a", In, &["x"]), ("a", DoesNotExist, &[])], "a: not used; x"),
            (&[("a", Exists, &[]), ("a", DoesNotExist, &[])], "a: not used; "),
            (&[("a", In, &["x"]), ("A", In, &["y"])], "a: not used; ?"),
        ] {
            assert_eq!(shown(list), [expected]);
        }
        assert_eq!(shown(&[("b", Exists, &[]), ("A", Exists, &[])]), ["A: !; ", "b: !; "]);
    }

    #[test]
    fn fields_narrow_to_one_value_or_exclude_some() {
        let field = "metadata.namespace";
        for (list, expected) in [
            (&[(field, In, &["x"][..])][..], Narrowed::To("x")),
            (&[(field, In, &["x", "y"]), (field, In, &["y"])], Narrowed::To("y")),
            (&[(field, NotIn, &["x"])], Narrowed::Without(vec!["x".into()])),
            (&[(field, In, &["x", "y"])], Narrowed::Without(vec![])),
            (&[(field, In, &[""])], Narrowed::Without(vec![])),
            (&[(field, In, &["x"]), (field, NotIn, &["x"])], Narrowed::Without(vec![])),
            (&[(field, In, &["x"]), ("metadata.Namespace", In, &["x"])], Narrowed::Without(vec![])),
            (&[("metadata.name", In, &["x"])], Narrowed::Without(vec![])),
            (&[(field, DoesNotExist, &[])], Narrowed::Without(vec![])),
        ] {
            let requirements = requirements(list);
            assert_eq!(narrowed(&by_key(&requirements), field), expected, "{list:?}");
        }
    }
}
