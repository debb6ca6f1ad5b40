//! Names of context values.

use smol_str::SmolStr;

/// The name of a context value, compared without case (`iam-semantics.md` §3).
#[derive(Clone, Debug)]
pub struct ConditionKey {
    written: SmolStr,
    folded: SmolStr,
}

// === impl ConditionKey ===

impl ConditionKey {
    /// A key as written in a policy or a request.
    pub fn new(written: &str) -> Self {
        let folded = if written.chars().all(|c| !c.is_uppercase()) { written.into() } else { fold(written) };
        Self { written: written.into(), folded }
    }

    /// As it was written.
    pub fn written(&self) -> &str {
        &self.written
    }

    /// In lower case: what is compared.
    pub fn folded(&self) -> &str {
        &self.folded
    }

    /// Whether a name as written in a request is this key.
    pub fn matches(&self, name: &str) -> bool {
        self.folded.eq_ignore_ascii_case(name) || (!name.is_ascii() && fold(name) == self.folded)
    }
}

impl PartialEq for ConditionKey {
    fn eq(&self, other: &Self) -> bool {
        self.folded == other.folded
    }
}

impl Eq for ConditionKey {}

impl std::hash::Hash for ConditionKey {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.folded.hash(state);
    }
}

impl std::fmt::Display for ConditionKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.written)
    }
}

fn fold(text: &str) -> SmolStr {
    text.chars().flat_map(char::to_lowercase).collect()
}
