//! Whether a kind of object lives in namespaces.

/// Where objects of a kind live, as far as it is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// In namespaces.
    Namespaced,
    /// Outside of namespaces.
    Cluster,
    /// Not known: a request without namespace may mean either.
    Unknown,
}
