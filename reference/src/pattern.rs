//! Globs, policy variables, action and resource patterns (§4, §5).

use serde_json::Value;

use crate::value::{fold, text};

/// The context of a request; a list is a multivalued key even with one element.
pub struct Context<'a>(pub &'a Value);

/// What the context holds under a key.
#[derive(Debug, PartialEq, Eq)]
pub enum Found {
    /// A single-valued key.
    One(String),
    /// A multivalued key.
    Many(Vec<String>),
}

impl Context<'_> {
    /// The value of a key, ignoring the case of its name (§3). JSON null and objects count as missing.
    pub fn find(&self, key: &str) -> Option<Found> {
        match self.0.as_object()?.iter().find(|(name, _)| fold(name) == fold(key))?.1 {
            Value::Array(values) => Some(Found::Many(values.iter().filter_map(text).collect())),
            value => text(value).map(Found::One),
        }
    }
}

/// Whether `${…}` is a variable or plain text (§5.1, D3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// `2008-10-17`, or none: variables are literal text.
    V2008,
    /// `2012-10-17`: variables are replaced.
    V2012,
}

impl Version {
    /// The version of a document. `2008-10-17`, or none, knows no variables.
    pub fn of(version: Option<&Value>) -> Self {
        match version.map(Value::as_str) {
            None | Some(Some("2008-10-17")) => Self::V2008,
            // An unknown version voids the Allows; its Denies are read like those of the newest.
            Some(Some(_) | None) => Self::V2012,
        }
    }
}

/// The kind of a policy, or the place that it is attached to (§1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Inline and managed policies of the user and its groups, or of the role.
    Identity,
    /// Policy of a resource.
    Resource,
    /// Permissions boundary.
    Boundary,
    /// Service control policy, in levels.
    Scp,
    /// Resource control policy, in levels.
    Rcp,
    /// Session policy.
    Session,
    /// Trust policy of a role: a resource policy of a resource that needs explicit trust.
    Trust,
    /// VPC endpoint policy.
    Endpoint,
}

impl Kind {
    /// Every kind with its name in records.
    pub const NAMES: [(Self, &'static str); 8] = [
        (Self::Identity, "identity"),
        (Self::Resource, "resource"),
        (Self::Boundary, "boundary"),
        (Self::Scp, "scp"),
        (Self::Rcp, "rcp"),
        (Self::Session, "session"),
        (Self::Trust, "trust"),
        (Self::Endpoint, "endpoint"),
    ];

    /// The name in records.
    pub fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(kind, _)| *kind == self).map_or("", |(_, name)| name)
    }

    /// The kind of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(_, known)| *known == name).map(|(kind, _)| *kind)
    }
}

/// One step of a glob.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Token {
    /// Exactly this character.
    Literal(char),
    /// `?`: any one character.
    One,
    /// `*`: any run of characters.
    Many,
}

/// One step of a policy text before variables are replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// A character of the text itself, wildcards included.
    Char(char),
    /// What stands between `${` and `}`.
    Variable(String),
}

/// Splits a policy text into characters and variables (§5.2). `$` alone and `${` without `}` are text.
pub fn pieces(text: &str, version: Version) -> Vec<Piece> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let variable = rest.strip_prefix("${").and_then(|inside| inside.split_once('}'));
        match variable {
            Some((name, after)) if version == Version::V2012 => {
                found.push(Piece::Variable(name.to_owned()));
                rest = after;
            }
            _ => {
                found.push(Piece::Char(first));
                rest = rest.strip_prefix(first).unwrap_or("");
            }
        }
    }
    found
}

/// Replaces variables (§5.3); `None` is "no value". Characters of values are literals, whatever they are.
pub fn tokens(pieces: &[Piece], context: &Context) -> Option<Vec<Token>> {
    let mut found = Vec::new();
    for piece in pieces {
        match piece {
            Piece::Char('*') => found.push(Token::Many),
            Piece::Char('?') => found.push(Token::One),
            Piece::Char(character) => found.push(Token::Literal(*character)),
            Piece::Variable(inside) => found.extend(variable(inside, context)?.chars().map(Token::Literal)),
        }
    }
    Some(found)
}

fn variable(inside: &str, context: &Context) -> Option<String> {
    if matches!(inside, "*" | "?" | "$") {
        return Some(inside.to_owned());
    }
    let (name, default) = match inside.strip_suffix('\'').and_then(|inside| inside.split_once(", '")) {
        Some((name, default)) => (name, Some(default.to_owned())),
        None => (inside, None),
    };
    match context.find(name) {
        Some(Found::One(value)) if !value.is_empty() && !name.is_empty() => Some(value),
        _ => default,
    }
}

/// The tokens of a text as plain text, for operators where `*` and `?` mean themselves.
pub fn literal(tokens: &[Token]) -> String {
    tokens
        .iter()
        .map(|token| match token {
            Token::Literal(character) => *character,
            Token::One => '?',
            Token::Many => '*',
        })
        .collect()
}

/// Whether the whole value matches (§4.1). Follows every reachable position at once, so it needs no backtracking.
pub fn glob(tokens: &[Token], value: &str) -> bool {
    let characters: Vec<char> = value.chars().collect();
    let mut reached: Vec<bool> = (0..=characters.len()).map(|position| position == 0).collect();
    for token in tokens {
        let stepped = reached.iter().zip(&characters);
        reached = match token {
            Token::Many => {
                let first = reached.iter().position(|reached| *reached).unwrap_or(reached.len());
                (0..reached.len()).map(|position| position >= first).collect()
            }
            Token::One => std::iter::once(false).chain(stepped.map(|(reached, _)| *reached)).collect(),
            Token::Literal(wanted) => {
                std::iter::once(false).chain(stepped.map(|(reached, found)| *reached && found == wanted)).collect()
            }
        };
    }
    reached.last() == Some(&true)
}

/// A glob of plain text without variables, case-sensitive.
pub fn glob_text(pattern: &str, value: &str) -> bool {
    tokens(&pieces(pattern, Version::V2008), &Context(&Value::Null)).is_some_and(|tokens| glob(&tokens, value))
}

fn glob_fold(pattern: &str, value: &str) -> bool {
    glob_text(&fold(pattern), &fold(value))
}

fn only_stars(pattern: &str) -> bool {
    !pattern.is_empty() && pattern.chars().all(|character| character == '*')
}

/// Whether an action pattern covers an action (§4.3, D8). Never replaces variables.
pub fn action_match(pattern: &str, action: &str) -> bool {
    if only_stars(pattern) {
        return true;
    }
    match (pattern.split_once(':'), action.split_once(':')) {
        (Some((_, name)), _) if name.contains(':') => false,
        (Some((service, name)), Some((asked_service, asked_name))) => {
            (service == "*" || fold(service) == fold(asked_service)) && glob_fold(name, asked_name)
        }
        _ => false,
    }
}

/// Whether a resource pattern covers the resource of a request (§4.4, D6, D7, D23, D25, D29, D30).
pub fn resource_match(pattern: &str, resource: &str, context: &Context, version: Version, kind: Kind) -> bool {
    if only_stars(pattern) {
        return true;
    }
    let mut wanted: Vec<&str> = pattern.splitn(6, ':').collect();
    if wanted.len() < 6 {
        let pads = match kind {
            Kind::Identity | Kind::Session | Kind::Boundary => true,
            Kind::Resource | Kind::Trust | Kind::Endpoint => pattern.contains('*'),
            Kind::Scp => pattern.ends_with('*'),
            Kind::Rcp => false,
        };
        if !pads {
            return false;
        }
        wanted.resize(6, "*");
    }
    let asked: Vec<&str> = resource.splitn(6, ':').collect();
    let (&[scheme, ref fixed @ .., rest], &[asked_scheme, ref asked_fixed @ .., asked_rest]) =
        (wanted.as_slice(), asked.as_slice())
    else {
        return false;
    };
    scheme == "arn"
        && asked_scheme == "arn"
        && asked.len() == 6
        && fixed.iter().zip(asked_fixed).all(|(wanted, asked)| glob_fold(wanted, asked))
        && tokens(&pieces(rest, version), context).is_some_and(|tokens| glob(&tokens, asked_rest))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn resource(pattern: &str, resource: &str) -> bool {
        resource_match(pattern, resource, &Context(&Value::Null), Version::V2012, Kind::Identity)
    }

    #[test]
    fn globs_backtrack_and_are_anchored() {
        assert!(glob_text("a*c", "abcc"));
        assert!(glob_text("a*", "a*b"));
        assert!(glob_text("*a*b", "aab"));
        assert!(!glob_text("a?c", "ac"));
        assert!(!glob_text("b", "abc"));
        assert!(glob_text("?", "é"));
    }

    #[test]
    fn wildcards_act_where_section_4_2_says() {
        assert!(action_match("**", "s3:GetObject"));
        assert!(action_match("*:get*", "S3:GetObject"));
        assert!(action_match("S3:Get?bject", "s3:getobject"));
        assert!(!action_match("s*:GetObject", "s3:GetObject"));
        assert!(!action_match("s3:Get:Object", "s3:GetObject"));
        assert!(!action_match("GetObject", "s3:GetObject"));
        assert!(resource("arn:aws:s3:::b*/?", "arn:aws:s3:::bucket/a/b:c/d"));
        assert!(!resource("arn:aws:s3:*:obj", "arn:aws:s3:eu:1:obj"));
        assert!(!resource("arn:aws:*:x", "arn:aws:s3:eu:1:x"));
        assert!(resource("arn:AWS:S3:EU:1:x", "arn:aws:s3:eu:1:x"));
        assert!(!resource("arn:aws:s3:eu:1:X", "arn:aws:s3:eu:1:x"));
    }

    #[test]
    fn documented_resource_examples_hold() {
        for (path, expected) in [
            ("1/2/test/3/object.jpg", true),
            ("/test/object.jpg", true),
            ("1/test/", true),
            ("1-test/object.jpg", false),
            ("test/object.jpg", false),
            ("1/2/test.jpg", false),
        ] {
            assert_eq!(resource("arn:aws:s3:::b/*/test/*", &format!("arn:aws:s3:::b/{path}")), expected, "{path}");
        }
        assert!(resource("arn:aws:iam::1:user/*", "arn:aws:iam::1:user/a/b/ann"));
        assert!(!resource("arn:aws:iam::1:user/division_abc*", "arn:aws:iam::1:user/a/division_abc"));
        assert!(resource("arn:aws:ec2:*:*:*/*", "arn:aws:ec2:eu:1:instance/i"));
    }

    #[test]
    fn only_stars_cover_the_request_for_everything() {
        assert!(resource("**", "*"));
        assert!(!resource("arn:*:*:*:*:*", "*"));
        assert!(!resource("arn:aws:s3:::b/x", "arn:aws:s3:::b/*"));
        assert!(resource("arn:aws:s3:::b/?", "arn:aws:s3:::b/*"));
    }

    #[test]
    fn short_arns_follow_the_policy_kind() {
        let short =
            |pattern, kind| resource_match(pattern, "arn:aws:s3:::b", &Context(&Value::Null), Version::V2012, kind);
        for (pattern, identity, resource, scp, rcp) in [
            ("arn:aws:s3", true, false, false, false),
            ("arn:aws:*3", true, true, false, false),
            ("arn:aws:s*", true, true, true, false),
            ("arn:aws:s*:::b", true, true, true, true),
        ] {
            assert_eq!(short(pattern, Kind::Identity), identity, "{pattern}");
            assert_eq!(short(pattern, Kind::Session), identity, "{pattern}");
            assert_eq!(short(pattern, Kind::Boundary), identity, "{pattern}");
            assert_eq!(short(pattern, Kind::Resource), resource, "{pattern}");
            assert_eq!(short(pattern, Kind::Endpoint), resource, "{pattern}");
            assert_eq!(short(pattern, Kind::Scp), scp, "{pattern}");
            assert_eq!(short(pattern, Kind::Rcp), rcp, "{pattern}");
        }
    }

    #[test]
    fn variables_become_literals_or_no_value() {
        let context = json!({"aws:UserName": "a*", "empty": "", "list": ["x"], "*": "no"});
        let read = |text: &str, version| {
            tokens(&pieces(text, version), &Context(&context)).map(|tokens| (literal(&tokens), tokens))
        };
        let text = |text: &str| read(text, Version::V2012).map(|(text, _)| text);
        assert_eq!(text("x${AWS:username}y").as_deref(), Some("xa*y"));
        assert_eq!(text("${*}${?}${$}").as_deref(), Some("*?$"));
        assert_eq!(text("${missing, 'd'}").as_deref(), Some("d"));
        assert_eq!(text("${empty, ''}").as_deref(), Some(""));
        assert_eq!(text("${list, 'd'}").as_deref(), Some("d"));
        assert_eq!(text("$x${open").as_deref(), Some("$x${open"));
        for none in ["${missing}", "${empty}", "${list}", "${}"] {
            assert_eq!(text(none), None, "{none}");
        }
        assert!(!read("${aws:username}", Version::V2012).unwrap().1.contains(&Token::Many));
        assert_eq!(read("${aws:username}", Version::V2008).unwrap().0, "${aws:username}");
        let resource =
            |pattern, version| resource_match(pattern, "arn:aws:s3:::ab", &Context(&context), version, Kind::Identity);
        assert!(!resource("arn:aws:s3:::${aws:username}", Version::V2012));
        assert!(!resource("arn:aws:s3:::${missing}", Version::V2012));
        assert!(resource("arn:aws:s3:::${missing, 'a'}b", Version::V2012));
    }
}
