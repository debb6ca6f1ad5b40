//! Wildcard patterns and policy variables (`iam-semantics.md` §4, §5).
//!
//! A pattern is a list of tokens, never text: the value of a variable enters as literal characters, so it cannot widen
//! the pattern. Matching remembers the last star and backtracks to it only, so it takes at most
//! *pattern length × text length* steps; each step is taken from a [`Budget`].

use std::borrow::Cow;
use std::cell::Cell;

use smol_str::SmolStr;

use super::condition::ConditionKey;
use super::condition::value::variables;
use super::glob;
use super::statement::{PolicyKind, Version};

/// A string with wildcards and variables.
#[derive(Clone, Debug, PartialEq)]
pub struct Template {
    parts: Parts,
}

/// Most templates are one token: it stands in place, without a list.
#[derive(Clone, Debug, PartialEq)]
enum Parts {
    One(Token),
    Many(Box<[Token]>),
}

/// A part of a [`Template`].
#[derive(Clone, Debug, PartialEq)]
pub enum Token {
    /// These characters.
    Text(SmolStr),
    /// Any run of characters, also none.
    Star,
    /// Exactly one character.
    One,
    /// The value of a context key, as literal characters.
    Variable(Box<Variable>),
}

/// A policy variable: `${key}` or `${key, 'default'}`.
#[derive(Clone, Debug, PartialEq)]
pub struct Variable {
    /// Whose value.
    pub key: ConditionKey,
    /// What stands in when the key has no value.
    pub default: Option<SmolStr>,
}

/// Where wildcards and variables act in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Syntax {
    /// Whether `*` and `?` are wildcards.
    pub wildcards: Wildcards,
    /// Whether `${…}` is a variable.
    pub variables: Variables,
}

/// Whether `*` and `?` mean more than themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wildcards {
    /// They are wildcards.
    Act,
    /// They are ordinary characters.
    Literal,
}

/// Whether `${…}` means more than itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Variables {
    /// `${…}` is a variable.
    Act,
    /// `${…}` is ordinary text.
    Literal,
}

/// How characters compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Case {
    /// By code point.
    Exact,
    /// After simple lower-casing of both; no normalisation.
    Fold,
}

/// One entry of `Action` or `NotAction`.
#[derive(Clone, Debug, PartialEq)]
pub enum ActionPattern {
    /// Only stars: every action.
    Any,
    /// `service:name`.
    Named {
        /// The service prefix; `None` for `*`.
        service: Option<SmolStr>,
        /// The name, with wildcards; compared without case.
        name: Template,
    },
    /// Text that can match no action (no colon, or more than one).
    Nothing(SmolStr),
}

/// One entry of `Resource` or `NotResource`, or of a resource policy's targets.
#[derive(Clone, Debug, PartialEq)]
pub enum ResourcePattern {
    /// Only stars: every resource, and the request resource `*`.
    Any,
    /// `arn:partition:service:region:account:resource`.
    Arn {
        /// Partition, service, region and account; wildcards, no variables; compared without case.
        head: [Template; 4],
        /// The rest, with wildcards and variables; compared with case.
        resource: Template,
    },
    /// Text that can match no resource.
    Nothing(SmolStr),
}

/// Steps that an evaluation may still take.
///
/// When it is spent, whatever is being matched counts as not matching in an Allow and as matching in a Deny or a limit.
#[derive(Debug)]
pub struct Budget {
    left: Cell<u64>,
}

/// Looks up the single value of a context key; `None` if it is missing, empty or multivalued.
pub trait Resolve {
    /// The value of this key as a variable sees it.
    fn value(&self, key: &ConditionKey) -> Option<&str>;
}

/// A place without variables.
#[derive(Clone, Copy, Debug)]
pub struct NoVariables;

/// What a pattern says about every text that begins with a known part and goes on in an unknown way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PrefixMatch {
    /// Each such text matches.
    All,
    /// No such text matches.
    None,
    /// Neither is certain.
    Some,
}

// === impl Budget ===

impl Budget {
    /// Steps of one decision: far above what any admitted policy needs for one request.
    pub const DECISION: u64 = 10_000_000;

    /// A budget of so many steps.
    pub fn new(steps: u64) -> Self {
        Self { left: Cell::new(steps) }
    }

    /// Takes steps; false when there are not enough left, and from then on.
    pub fn take(&self, steps: u64) -> bool {
        match self.left.get().checked_sub(steps) {
            Some(left) => {
                self.left.set(left);
                left > 0
            }
            None => {
                self.left.set(0);
                false
            }
        }
    }

    /// Whether it ran out.
    pub fn is_spent(&self) -> bool {
        self.left.get() == 0
    }
}

// === impl NoVariables ===

impl Resolve for NoVariables {
    fn value(&self, _key: &ConditionKey) -> Option<&str> {
        None
    }
}

// === impl Variable ===

impl Variable {
    /// The text that stands in for the variable in this request; `None` if it has no value and no default.
    pub fn resolve<'a>(&'a self, values: &'a impl Resolve) -> Option<&'a str> {
        values.value(&self.key).or(self.default.as_deref())
    }
}

impl std::fmt::Display for Variable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.default {
            None => write!(f, "${{{}}}", self.key),
            Some(default) => write!(f, "${{{}, '{default}'}}", self.key),
        }
    }
}

// === impl Template ===

impl Template {
    /// Reads a text. Every text is a template: `$` without `{`, and `${` without `}`, are literal.
    pub fn parse(text: &str, syntax: Syntax) -> Self {
        let mut tokens = Vec::new();
        let mut literal = String::new();
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            if c == '$'
                && syntax.variables == Variables::Act
                && let Some((token, after)) = parse_variable(rest)
            {
                match token {
                    Token::Text(special) => literal.push_str(&special),
                    Token::Star | Token::One | Token::Variable(_) => {
                        flush(&mut literal, &mut tokens);
                        tokens.push(token);
                    }
                }
                rest = after;
                continue;
            }
            match (c, syntax.wildcards) {
                ('*', Wildcards::Act) => {
                    flush(&mut literal, &mut tokens);
                    if tokens.last() != Some(&Token::Star) {
                        tokens.push(Token::Star);
                    }
                }
                ('?', Wildcards::Act) => {
                    flush(&mut literal, &mut tokens);
                    tokens.push(Token::One);
                }
                _ => literal.push(c),
            }
            rest = rest.get(c.len_utf8()..).unwrap_or("");
        }
        flush(&mut literal, &mut tokens);
        match <[Token; 1]>::try_from(tokens) {
            Ok([token]) => Self { parts: Parts::One(token) },
            Err(tokens) => Self { parts: Parts::Many(tokens.into()) },
        }
    }

    /// Exactly this text.
    pub fn literal(text: &str) -> Self {
        Self::parse(text, Syntax { wildcards: Wildcards::Literal, variables: Variables::Literal })
    }

    /// `*`.
    pub fn any() -> Self {
        Self { parts: Parts::One(Token::Star) }
    }

    /// The parts.
    pub fn tokens(&self) -> &[Token] {
        match &self.parts {
            Parts::One(token) => std::slice::from_ref(token),
            Parts::Many(tokens) => tokens,
        }
    }

    /// Whether it is nothing but stars.
    pub fn is_any(&self) -> bool {
        matches!(self.tokens(), [Token::Star])
    }

    /// The whole text if it holds neither wildcards nor variables.
    pub fn as_literal(&self) -> Option<&str> {
        match self.tokens() {
            [] => Some(""),
            [Token::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// Bytes of the variable `${…}` at the start of a text, if there is one.
    pub fn variable_len(text: &str) -> Option<usize> {
        parse_variable(text).map(|(_, after)| text.len().saturating_sub(after.len()))
    }

    /// Whether it holds a `*` or a `?`.
    pub fn has_wildcard(&self) -> bool {
        self.tokens().iter().any(|token| match token {
            Token::Star | Token::One => true,
            Token::Text(_) | Token::Variable(_) => false,
        })
    }

    /// The template that matches whatever this one matches in some request: each variable is a `*`.
    pub fn with_any_values(&self) -> Cow<'_, Self> {
        if !self.tokens().iter().any(|token| matches!(token, Token::Variable(_))) {
            return Cow::Borrowed(self);
        }
        let widened = self.tokens().iter().map(|token| match token {
            Token::Variable(_) => Token::Star,
            Token::Text(_) | Token::Star | Token::One => token.clone(),
        });
        Cow::Owned(Self { parts: Parts::Many(widened.collect()) })
    }

    /// The text that [`Template::parse`] reads as this template under this syntax.
    pub fn written(&self, syntax: Syntax) -> String {
        let mut text = String::new();
        for token in self.tokens() {
            match token {
                Token::Text(literal) if syntax.variables == Variables::Act => push_escaped(literal, syntax, &mut text),
                Token::Text(literal) => text.push_str(literal),
                Token::Star => text.push('*'),
                Token::One => text.push('?'),
                Token::Variable(variable) => text.push_str(&variable.to_string()),
            }
        }
        text
    }

    /// Whether each variable has a value in this request.
    pub fn is_resolvable(&self, values: &impl Resolve) -> bool {
        self.tokens().iter().all(|token| match token {
            Token::Variable(variable) => variable.resolve(values).is_some(),
            Token::Text(_) | Token::Star | Token::One => true,
        })
    }

    /// Whether the whole text matches. False when a variable has no value, or the budget is spent.
    pub fn matches(&self, text: &str, case: Case, values: &impl Resolve, budget: &Budget) -> bool {
        match &self.parts {
            Parts::One(Token::Star) => {
                let characters = u64::try_from(text.chars().count()).unwrap_or(u64::MAX);
                return budget.take(characters.saturating_add(2));
            }
            Parts::One(Token::Text(literal)) if case == Case::Exact => return budget.take(1) && literal == text,
            Parts::One(_) | Parts::Many(_) => {}
        }
        if glob::is_plain(self.tokens()) && text.is_ascii() {
            return glob::matches(self.tokens(), text, case, budget);
        }
        self.is_resolvable(values) && self.walk(text, case, values, budget)
    }

    /// Character by character, for every template and every text.
    pub(super) fn walk(&self, text: &str, case: Case, values: &impl Resolve, budget: &Budget) -> bool {
        let start = Cursor { token: 0, offset: 0 };
        let mut at = start;
        let mut rest = text;
        // Where to go on after the last star, and the text that it has not yet swallowed.
        let mut retry: Option<(Cursor, &str)> = None;
        loop {
            if !budget.take(1) {
                return false;
            }
            match self.step(at, values) {
                Step::Star(next) => {
                    retry = Some((next, rest));
                    at = next;
                    continue;
                }
                Step::Skip(next) => {
                    at = next;
                    continue;
                }
                Step::End if rest.is_empty() => return true,
                Step::One(next) => {
                    if let Some(after) = skip_char(rest) {
                        at = next;
                        rest = after;
                        continue;
                    }
                }
                Step::Char(expected, next) => {
                    if let Some(found) = rest.chars().next()
                        && same(expected, found, case)
                    {
                        at = next;
                        rest = skip_char(rest).unwrap_or("");
                        continue;
                    }
                }
                Step::End => {}
            }
            let Some((after_star, swallowed)) = retry else { return false };
            let Some(fewer) = skip_char(swallowed) else { return false };
            retry = Some((after_star, fewer));
            at = after_star;
            rest = fewer;
        }
    }

    /// What the pattern says about the texts that begin with `known` and go on with at least one more character.
    ///
    /// `Some` when a variable has no value would be wrong, so that is `None`: such a pattern matches nothing.
    pub fn matches_prefix(&self, known: &str, case: Case, values: &impl Resolve, budget: &Budget) -> PrefixMatch {
        if !self.is_resolvable(values) {
            return PrefixMatch::None;
        }
        if matches!(self.tokens().last(), Some(Token::Star)) && self.walk(known, case, values, budget) {
            return PrefixMatch::All;
        }
        // Only what stands before the first star can rule out every continuation.
        let mut at = Cursor { token: 0, offset: 0 };
        let mut rest = known;
        loop {
            if !budget.take(1) {
                return PrefixMatch::Some;
            }
            match self.step(at, values) {
                Step::Star(_) => return PrefixMatch::Some,
                Step::Skip(next) => at = next,
                Step::End => return PrefixMatch::None,
                Step::One(next) => match skip_char(rest) {
                    Some(after) => {
                        at = next;
                        rest = after;
                    }
                    None => return PrefixMatch::Some,
                },
                Step::Char(expected, next) => match rest.chars().next() {
                    Some(found) if same(expected, found, case) => {
                        at = next;
                        rest = skip_char(rest).unwrap_or("");
                    }
                    Some(_) => return PrefixMatch::None,
                    None => return PrefixMatch::Some,
                },
            }
        }
    }

    fn step(&self, at: Cursor, values: &impl Resolve) -> Step {
        let Some(token) = self.tokens().get(at.token) else { return Step::End };
        let next_token = Cursor { token: at.token.saturating_add(1), offset: 0 };
        let text = match token {
            Token::Star => return Step::Star(next_token),
            Token::One => return Step::One(next_token),
            Token::Text(text) => text.as_str(),
            Token::Variable(variable) => variable.resolve(values).unwrap_or(""),
        };
        match text.get(at.offset..).and_then(|rest| rest.chars().next()) {
            Some(c) => Step::Char(c, Cursor { token: at.token, offset: at.offset.saturating_add(c.len_utf8()) }),
            None => Step::Skip(next_token),
        }
    }
}

impl std::fmt::Display for Template {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for token in self.tokens() {
            match token {
                Token::Text(text) => f.write_str(text)?,
                Token::Star => f.write_str("*")?,
                Token::One => f.write_str("?")?,
                Token::Variable(variable) => write!(f, "{variable}")?,
            }
        }
        Ok(())
    }
}

// === impl ActionPattern ===

impl ActionPattern {
    /// Reads an entry. Text that is no action is kept as [`ActionPattern::Nothing`].
    pub fn parse(text: &str) -> Self {
        if is_stars(text) {
            return Self::Any;
        }
        let mut parts = text.split(':');
        match (parts.next(), parts.next(), parts.next()) {
            (Some(service), Some(name), None) => Self::Named {
                service: (service != "*").then(|| service.into()),
                name: Template::parse(name, Syntax { wildcards: Wildcards::Act, variables: Variables::Literal }),
            },
            _ => Self::Nothing(text.into()),
        }
    }

    /// Whether it matches the action `service:name`. False when the budget is spent.
    pub fn matches(&self, service: &str, name: &str, budget: &Budget) -> bool {
        match self {
            Self::Any => true,
            Self::Nothing(_) => false,
            Self::Named { service: own, name: pattern } => {
                own.as_deref().is_none_or(|own| eq_fold(own, service))
                    && pattern.matches(name, Case::Fold, &NoVariables, budget)
            }
        }
    }
}

impl std::fmt::Display for ActionPattern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Any => f.write_str("*"),
            Self::Named { service, name } => write!(f, "{}:{name}", service.as_deref().unwrap_or("*")),
            Self::Nothing(text) => f.write_str(text),
        }
    }
}

// === impl ResourcePattern ===

impl ResourcePattern {
    /// Reads an entry as a policy of this kind reads it. Text that can match no resource is kept as
    /// [`ResourcePattern::Nothing`].
    ///
    /// An ARN of fewer than six segments is padded with `*`: always in an identity policy; in a resource or trust policy
    /// if it holds a `*`; in a ServiceControl policy if it ends with one; never in a ResourceControl policy
    /// (`iam-semantics.md` §4.4; D6). Variables act in the resource part only, and only in version 2012.
    pub fn parse(text: &str, version: Version, kind: PolicyKind) -> Self {
        if is_stars(text) {
            return Self::Any;
        }
        let Some(rest) = text.strip_prefix("arn:") else { return Self::Nothing(text.into()) };
        let mut parts = rest.splitn(5, ':');
        let segments = [(); 5].map(|()| parts.next());
        let is_padded = match kind {
            PolicyKind::Identity => true,
            PolicyKind::Resource | PolicyKind::Trust => text.contains('*'),
            PolicyKind::ServiceControl => text.ends_with('*'),
            PolicyKind::ResourceControl => false,
        };
        if !is_padded && segments.contains(&None) {
            return Self::Nothing(text.into());
        }
        let [partition, service, region, account, resource] = segments.map(|segment| segment.unwrap_or("*"));
        let head = Syntax { wildcards: Wildcards::Act, variables: Variables::Literal };
        let tail = Syntax { wildcards: Wildcards::Act, variables: variables(version) };
        Self::Arn {
            head: [partition, service, region, account].map(|segment| Template::parse(segment, head)),
            resource: Template::parse(resource, tail),
        }
    }

    /// The text that [`ResourcePattern::parse`] reads as this pattern in a document of this version.
    pub fn written(&self, version: Version) -> String {
        match self {
            Self::Any | Self::Nothing(_) => self.to_string(),
            Self::Arn { head: [partition, service, region, account], resource } => {
                let resource = resource.written(Syntax { wildcards: Wildcards::Act, variables: variables(version) });
                format!("arn:{partition}:{service}:{region}:{account}:{resource}")
            }
        }
    }
}

impl std::fmt::Display for ResourcePattern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Any => f.write_str("*"),
            Self::Arn { head: [partition, service, region, account], resource } => {
                write!(f, "arn:{partition}:{service}:{region}:{account}:{resource}")
            }
            Self::Nothing(text) => f.write_str(text),
        }
    }
}

// === free functions ===

/// Whether two texts are equal after simple lower-casing.
pub fn eq_fold(a: &str, b: &str) -> bool {
    a == b
        || a.eq_ignore_ascii_case(b)
        || (!(a.is_ascii() && b.is_ascii())
            && a.chars().flat_map(char::to_lowercase).eq(b.chars().flat_map(char::to_lowercase)))
}

/// Whether a text is one or more stars and nothing else.
pub fn is_stars(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b == b'*')
}

#[derive(Clone, Copy)]
struct Cursor {
    token: usize,
    offset: usize,
}

enum Step {
    Star(Cursor),
    One(Cursor),
    Char(char, Cursor),
    /// The end of a token.
    Skip(Cursor),
    End,
}

fn flush(literal: &mut String, tokens: &mut Vec<Token>) {
    if !literal.is_empty() {
        tokens.push(Token::Text(std::mem::take(literal).into()));
    }
}

/// Writes literal characters so that none of them acts: `*` as `${*}`, `?` as `${?}`, the `$` of a `${` as `${$}`.
fn push_escaped(literal: &str, syntax: Syntax, text: &mut String) {
    let mut chars = literal.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '*' | '?' if syntax.wildcards == Wildcards::Act => {
                text.push_str("${");
                text.push(c);
                text.push('}');
            }
            '$' if chars.peek() == Some(&'{') => text.push_str("${$}"),
            _ => text.push(c),
        }
    }
}

/// Reads `${…}` at the start of `text`: its token and what follows.
fn parse_variable(text: &str) -> Option<(Token, &str)> {
    let inner = text.strip_prefix("${")?;
    // A default may hold any character but the quote that ends it, braces too.
    let quoted =
        inner.find(", '").filter(|comma| inner.find('}').is_none_or(|brace| *comma < brace)).and_then(|comma| {
            let default = inner.get(comma.saturating_add(3)..)?;
            let end = default.find("'}")?;
            Some((inner.get(..comma)?, default.get(..end)?, default.get(end.saturating_add(2)..)?))
        });
    if let Some((name, default, after)) = quoted {
        let variable = Variable { key: ConditionKey::new(name), default: Some(default.into()) };
        return Some((Token::Variable(Box::new(variable)), after));
    }
    let (name, after) = inner.split_once('}')?;
    Some(match name {
        "*" | "?" | "$" => (Token::Text(name.into()), after),
        _ => (Token::Variable(Box::new(Variable { key: ConditionKey::new(name), default: None })), after),
    })
}

fn skip_char(text: &str) -> Option<&str> {
    let c = text.chars().next()?;
    text.get(c.len_utf8()..)
}

fn same(a: char, b: char, case: Case) -> bool {
    a == b || (case == Case::Fold && a.to_lowercase().eq(b.to_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn glob(pattern: &str, text: &str) -> bool {
        let syntax = Syntax { wildcards: Wildcards::Act, variables: Variables::Act };
        Template::parse(pattern, syntax).matches(text, Case::Exact, &NoVariables, &Budget::new(100_000))
    }

    #[test]
    fn stars_backtrack_and_are_anchored_at_both_ends() {
        for (pattern, text, expected) in [
            ("a*c", "abcc", true),
            ("a*", "a*b", true),
            ("*a*b", "xaxbxb", true),
            ("*a*b", "xaxbxc", false),
            ("?", "", false),
            ("?", "ä", true),
            ("", "", true),
            ("*", "", true),
            ("a?c", "a/c", true),
            ("${*}", "*", true),
            ("${*}", "x", false),
            ("${", "${", true),
            ("$a", "$a", true),
        ] {
            assert_eq!(glob(pattern, text), expected, "{pattern} on {text}");
        }
    }

    #[test]
    fn a_variable_without_value_matches_nothing() {
        assert!(!glob("${}", ""));
        assert!(!glob("a${x}*", "abc"));
        assert!(glob("a${x, 'b'}*", "abc"));
        assert!(glob("${x, 'a}b'}", "a}b"));
        assert!(glob("${x, ''}", ""));
    }

    #[test]
    fn a_variable_may_have_any_value() {
        let syntax = Syntax { wildcards: Wildcards::Act, variables: Variables::Act };
        for (pattern, text, expected) in [
            ("a${x}c", "abbc", true),
            ("a${x}c", "ac", true),
            ("a${x}", "b", false),
            ("*${x}*", "", true),
            ("a${*}", "ab", false),
        ] {
            let template = Template::parse(pattern, syntax);
            let found = template.with_any_values().matches(text, Case::Exact, &NoVariables, &Budget::new(1_000));
            assert_eq!(found, expected, "{pattern} on {text}");
        }
    }

    #[test]
    fn a_prefix_of_unknown_continuation_has_three_answers() {
        let syntax = Syntax { wildcards: Wildcards::Act, variables: Variables::Act };
        for (pattern, known, expected) in [
            ("*", "secrets/", PrefixMatch::All),
            ("secrets/*", "secrets/", PrefixMatch::All),
            ("sec*", "secrets/", PrefixMatch::All),
            ("secrets/a*", "secrets/", PrefixMatch::Some),
            ("secrets/db", "secrets/", PrefixMatch::Some),
            ("secrets/", "secrets/", PrefixMatch::None),
            ("secrets", "secrets/", PrefixMatch::None),
            ("pods/*", "secrets/", PrefixMatch::None),
            ("*db", "secrets/", PrefixMatch::Some),
            ("secrets/?*", "secrets/", PrefixMatch::Some),
        ] {
            let template = Template::parse(pattern, syntax);
            let found = template.matches_prefix(known, Case::Exact, &NoVariables, &Budget::new(1_000));
            assert_eq!(found, expected, "{pattern} on {known}");
        }
    }

    #[test]
    fn short_arns_are_padded_by_the_kind_of_policy() {
        use PolicyKind::{Identity, Resource, ResourceControl, ServiceControl, Trust};
        let kinds = [Identity, Resource, Trust, ServiceControl, ResourceControl];
        for (text, padded) in [
            ("arn:aws:s3", [true, false, false, false, false]),
            ("arn:aws:s*:x", [true, true, true, false, false]),
            ("arn:aws:s3:*", [true, true, true, true, false]),
            ("arn:aws:s3:::b", [true; 5]),
            ("b*", [false; 5]),
        ] {
            for (kind, padded) in kinds.into_iter().zip(padded) {
                let pattern = ResourcePattern::parse(text, Version::V2012, kind);
                assert_eq!(matches!(pattern, ResourcePattern::Arn { .. }), padded, "{text} in {kind:?}");
            }
        }
        let pattern = ResourcePattern::parse("arn:aws:s3", Version::V2012, Identity);
        assert_eq!(pattern.to_string(), "arn:aws:s3:*:*:*");
    }

    #[test]
    fn variables_act_in_the_resource_part_of_version_2012_only() {
        let parse = |text, version| match ResourcePattern::parse(text, version, PolicyKind::Identity) {
            ResourcePattern::Arn { head, resource } => (head, resource),
            other => panic!("{other:?}"),
        };
        let (head, resource) = parse("arn:aws:iam::${x}:user/${aws:username}", Version::V2012);
        assert_eq!(head[3].as_literal(), Some("${x}"));
        assert!(matches!(resource.tokens(), [Token::Text(_), Token::Variable(_)]));
        let (_, resource) = parse("arn:aws:iam::x:user/${aws:username}", Version::V2008);
        assert_eq!(resource.as_literal(), Some("user/${aws:username}"));
    }

    #[test]
    fn a_spent_budget_stops_the_walk() {
        let syntax = Syntax { wildcards: Wildcards::Act, variables: Variables::Act };
        let bomb = Template::parse(&"*a".repeat(30), syntax);
        let budget = Budget::new(1_000);
        assert!(!bomb.matches(&"a".repeat(5_000), Case::Exact, &NoVariables, &budget));
        assert!(budget.is_spent());
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig::with_cases(20_000))]

        #[test]
        fn a_template_is_read_back(text in "[a*?${}, ']{0,20}", wildcards: bool, variables: bool) {
            let syntax = Syntax {
                wildcards: if wildcards { Wildcards::Act } else { Wildcards::Literal },
                variables: if variables { Variables::Act } else { Variables::Literal },
            };
            let template = Template::parse(&text, syntax);
            let written = template.written(syntax);
            proptest::prop_assert_eq!(Template::parse(&written, syntax), template, "{}", written);
        }
    }
}
