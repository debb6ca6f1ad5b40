//! Random records in the format of the conformance corpus, with the answers of this evaluator filled in.
//!
//! Alphabets are small and most patterns are made from the value that they meet, so that things match often. The same
//! topic, seed and position always give the same record. What the text leaves open is not generated: unique ids and
//! canonical users as callers, service-linked roles, names that differ only in case, IPv4-mapped networks in policies.
//! Records that hold a malformed statement carry a tag `malformed-…` that names the element.

use serde_json::{Map, Value, json};

use crate::decision::{Matched, decide};
use crate::pattern::Kind;
use crate::record::answer;

/// What a generated record asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Topic {
    /// A verdict over policies.
    Decision,
    /// The truth of a condition block.
    Condition,
    /// Whether a pattern matches.
    Pattern,
}

impl Topic {
    const NAMES: [(Self, &'static str); 3] =
        [(Self::Decision, "decision"), (Self::Condition, "condition"), (Self::Pattern, "pattern")];

    /// The topic of that `kind` of record.
    pub fn named(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(_, known)| *known == name).map(|(topic, _)| *topic)
    }

    fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(topic, _)| *topic == self).map_or("", |(_, name)| name)
    }
}

/// Records of a topic: `count` of them, numbered from 0.
pub fn generate(topic: Topic, seed: u64, count: u64) -> impl Iterator<Item = Value> {
    (0..count).map(move |number| {
        let mut dice = Dice::new(seed, number);
        let mut record = match topic {
            Topic::Decision => decision(&mut dice),
            Topic::Condition => {
                let context = context(&mut dice);
                json!({
                    "condition": conditions(&mut dice, &context), "version": version(&mut dice),
                    "request": {"context": context},
                })
            }
            Topic::Pattern => pattern(&mut dice),
        };
        set(&mut record, "id", format!("generated/{}/{seed}/{number}", topic.name()).into());
        set(&mut record, "kind", topic.name().into());
        set(&mut record, "status", "ok".into());
        let expected = answer(&record).unwrap_or_default();
        set(&mut record, "expected", expected);
        if topic == Topic::Decision {
            let matched = decide(&record).matched.iter().map(Matched::to_json).collect();
            set(&mut record, "expected_matched", matched);
        }
        record
    })
}

/// A small generator of random numbers (splitmix64).
struct Dice(u64);

impl Dice {
    fn new(seed: u64, number: u64) -> Self {
        let mut dice = Self(seed);
        dice.0 = dice.next() ^ number.wrapping_mul(0xD1B5_4A32_D192_ED03);
        dice
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ mixed >> 31
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % limit.max(1) as u64).unwrap_or(0)
    }

    fn chance(&mut self, percent: u64) -> bool {
        self.next() % 100 < percent
    }

    /// One of the words of a text, which are separated by `|`.
    fn word<'a>(&mut self, words: &'a str) -> &'a str {
        let words: Vec<&str> = words.split('|').collect();
        self.pick(&words)
    }

    fn pick<T: Clone + Default>(&mut self, options: &[T]) -> T {
        options.get(self.below(options.len())).cloned().unwrap_or_default()
    }
}

// === values and conditions ===

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Type {
    #[default]
    Text,
    Number,
    Date,
    Bool,
    Address,
    Arn,
    Bytes,
}

const TYPES: [Type; 7] = [Type::Text, Type::Number, Type::Date, Type::Bool, Type::Address, Type::Arn, Type::Bytes];

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Valued {
    #[default]
    Single,
    Multi,
}

const KEYS: [(&str, Type, Valued); 18] = [
    ("aws:username", Type::Text, Valued::Single),
    ("aws:PrincipalTag/team", Type::Text, Valued::Single),
    ("s3:prefix", Type::Text, Valued::Single),
    ("aws:TagKeys", Type::Text, Valued::Multi),
    ("app:account", Type::Text, Valued::Single),
    ("app:size", Type::Number, Valued::Single),
    ("app:sizes", Type::Number, Valued::Multi),
    ("aws:CurrentTime", Type::Date, Valued::Single),
    ("app:dates", Type::Date, Valued::Multi),
    ("aws:SecureTransport", Type::Bool, Valued::Single),
    ("aws:MultiFactorAuthPresent", Type::Bool, Valued::Single),
    ("app:flags", Type::Bool, Valued::Multi),
    ("aws:SourceIp", Type::Address, Valued::Single),
    ("app:addresses", Type::Address, Valued::Multi),
    ("aws:SourceArn", Type::Arn, Valued::Single),
    ("app:arns", Type::Arn, Valued::Multi),
    ("app:digest", Type::Bytes, Valued::Single),
    ("app:digests", Type::Bytes, Valued::Multi),
];

impl Type {
    /// Values of requests; they may stand in policies as well.
    fn values(self) -> &'static str {
        match self {
            Self::Text => "a|b|ab|abc|A|aB|ann|Ann|ann|home/|home/ann/x||*|a*|?|a$b|${aws:username}|é|É|true|10",
            Self::Number => "0|1|10|10.0|1e1|+10|-1|-1.0|0.1|0.10|007|7|9007199254740993|9007199254740992|10abc|ten|",
            Self::Date => {
                "2024-01-01T00:00:00Z|2024-01-01|2024-01|1704067200|1704067200.0|1704067200.5|\
                 2024-01-01T00:00:00.5Z|2024-01-01T00:00:00.500000000Z|2024-01-01T02:00:00+02:00|\
                 2023-12-31T23:30-00:30|2024-01-01T00:00|2024-06-15T12:00:00Z|1718452800|2024|soon|"
            }
            Self::Bool => "true|false|true|false|True|FALSE|yes|1|",
            Self::Address => {
                "10.0.0.1|10.1.2.3|192.168.1.1|203.0.113.9|::1|2001:db8::1|2001:0DB8:0:0:0:0:0:1|\
                 ::ffff:10.0.0.1|10.0.0.0/8|10.0.0|"
            }
            Self::Arn => {
                "arn:aws:s3:::bucket/a|arn:aws:s3:::bucket/ann/x|arn:aws:iam::111111111111:role/dev|\
                 arn:aws:iam::222222222222:role/dev|arn:aws:iam::111111111111:role/eng/ops|\
                 arn:aws:sns:eu-west-1:111111111111:topic:x|arn:aws:s3:::Bucket/a|arn:aws:s3|bucket|"
            }
            Self::Bytes => "YQ==|Yg==|YWI=|YWJj|YWJ|no base64|",
        }
    }

    /// Values that only policies hold.
    fn patterns(self) -> &'static str {
        match self {
            Self::Text => {
                "*|?|a*|*b|a?c|*/*|home/*|${aws:username}|${AWS:UserName}|${aws:username}*|\
                 home/${aws:username}/*|${missing}|${missing, 'ann'}|x${missing, ''}|${aws:TagKeys, 'a'}|\
                 ${aws:TagKeys}|${aws:PrincipalTag/team, 'a'}|${*}|a${*}|${?}|a${$}b|${}|${open"
            }
            Self::Number => "${app:size}|*|1e400|-0",
            Self::Date => "${aws:CurrentTime}|*|2024-01-01T00:00:00+00:30|9999-12-31",
            Self::Bool => "${aws:SecureTransport}|${missing}|${missing, 'true'}|*",
            Self::Address => {
                "10.0.0.0/8|10.1.2.3/16|10.0.0.1/32|0.0.0.0/0|::/0|2001:db8::/32|2001:DB8::1/128|\
                 10.0.0.0/33|192.168.0.0/16|${aws:SourceIp}|*"
            }
            Self::Arn => {
                "arn:aws:s3:::bucket/*|arn:aws:s3:::bucket/${aws:username}/*|arn:aws:iam::*:role/*|\
                 arn:*:iam::111111111111:role/dev|arn:aws:iam::${app:account}:role/dev|arn:aws:s3:::*|\
                 arn:aws:sns:*:*:topic:?|arn:aws:*:::bucket/a|ARN:aws:s3:::bucket/a|\
                 arn:aws:s3:::${missing}|arn:aws:s3:::${missing, 'bucket'}/a|arn:aws:s?:*:*:*|\
                 arn:aws:s3:*|*"
            }
            Self::Bytes => "${app:digest}|*",
        }
    }

    fn operators(self) -> &'static str {
        match self {
            Self::Text => {
                "StringEquals|StringNotEquals|StringEqualsIgnoreCase|StringNotEqualsIgnoreCase|\
                 StringLike|StringNotLike"
            }
            Self::Number => {
                "NumericEquals|NumericNotEquals|NumericLessThan|NumericLessThanEquals|NumericGreaterThan|\
                 NumericGreaterThanEquals"
            }
            Self::Date => {
                "DateEquals|DateNotEquals|DateLessThan|DateLessThanEquals|DateGreaterThan|\
                 DateGreaterThanEquals"
            }
            Self::Bool => "Bool",
            Self::Address => "IpAddress|NotIpAddress",
            Self::Arn => "ArnEquals|ArnNotEquals|ArnLike|ArnNotLike",
            Self::Bytes => "BinaryEquals",
        }
    }
}

fn version(dice: &mut Dice) -> &'static str {
    if dice.chance(80) { "2012-10-17" } else { "2008-10-17" }
}

fn set(target: &mut Value, key: &str, value: Value) {
    if let Some(map) = target.as_object_mut() {
        map.insert(key.to_owned(), value);
    }
}

/// One string or a list, as a policy may write it.
fn one_or_list(dice: &mut Dice, mut values: Vec<Value>) -> Value {
    if values.len() == 1 && dice.chance(50) { values.pop().unwrap_or_default() } else { Value::Array(values) }
}

fn other_case(dice: &mut Dice, text: &str, percent: u64) -> String {
    match dice.below(2) {
        _ if !dice.chance(percent) => text.to_owned(),
        0 => text.to_uppercase(),
        _ => text.to_lowercase(),
    }
}

fn context(dice: &mut Dice) -> Value {
    let mut found = Map::new();
    for (name, class, valued) in KEYS {
        if !dice.chance(60) {
            continue;
        }
        let class = if dice.chance(5) { dice.pick(&TYPES) } else { class };
        let list = (valued == Valued::Multi) != dice.chance(6);
        let value = match list {
            true => (0..dice.below(4)).map(|_| dice.word(class.values())).collect(),
            false if name == "app:account" => dice.pick(&ACCOUNTS).into(),
            false if name == "aws:username" && dice.chance(70) => "ann".into(),
            false => dice.word(class.values()).into(),
        };
        found.insert(other_case(dice, name, 10), value);
    }
    Value::Object(found)
}

/// A value of a policy; often made from one that the request holds under the key.
fn policy_value(dice: &mut Dice, class: Type, held: &[&str]) -> Value {
    if !held.is_empty() && dice.chance(50) {
        let value = dice.pick(held);
        return match class {
            Type::Text | Type::Arn if dice.chance(40) => loosened(dice, value).into(),
            _ => value.into(),
        };
    }
    match (dice.below(100), class) {
        (0..8, Type::Number) => dice.pick(&[json!(10), json!(0.1), json!(10.0), json!(-1)]),
        (0..25, Type::Bool) => json!(dice.chance(50)),
        (0..2, _) => dice.pick(&[json!(10), json!(true)]),
        (0..55, _) => dice.word(class.values()).into(),
        _ => dice.word(class.patterns()).into(),
    }
}

fn conditions(dice: &mut Dice, context: &Value) -> Value {
    let mut block = json!({});
    for _ in 0..1 + dice.below(10) / 7 + dice.below(10) / 8 {
        let (key, class, valued) = dice.pick(&KEYS);
        let class = if dice.chance(8) { dice.pick(&TYPES) } else { class };
        let held: Vec<&str> = match context.get(key) {
            Some(Value::Array(values)) => values.iter().filter_map(Value::as_str).collect(),
            value => value.and_then(Value::as_str).into_iter().collect(),
        };
        let mut operator = if dice.chance(8) { "Null".to_owned() } else { dice.word(class.operators()).to_owned() };
        let quantified = if valued == Valued::Multi { 85 } else { 15 };
        if operator != "Null" && dice.chance(20) {
            operator.push_str("IfExists");
        }
        let values = match (operator.as_str(), dice.below(100)) {
            (_, 0..3) => json!([]),
            ("Null", _) => {
                let options = [
                    json!("true"),
                    json!("false"),
                    json!(true),
                    json!(false),
                    json!("True"),
                    json!("x"),
                    json!("${missing, 'true'}"),
                    json!(["true", "false"]),
                ];
                dice.pick(&options)
            }
            _ => {
                let values = (0..1 + dice.below(3)).map(|_| policy_value(dice, class, &held)).collect();
                one_or_list(dice, values)
            }
        };
        if dice.chance(quantified) {
            operator.insert_str(0, dice.pick(&["ForAllValues:", "ForAnyValue:"]));
        }
        let operator = other_case(dice, &operator, 3);
        let key = other_case(dice, key, 10);
        if block.get(&operator).is_none() {
            set(&mut block, &operator, json!({}));
        }
        if let Some(keys) = block.get_mut(&operator) {
            set(keys, &key, values);
        }
    }
    if dice.chance(2) {
        set(&mut block, "StringSame", json!({}));
    }
    block
}

// === actions, resources, principals ===

const ACCOUNTS: [&str; 2] = ["111111111111", "222222222222"];
const ACTIONS: [&str; 7] = [
    "s3:GetObject",
    "s3:PutObject",
    "s3:ListBucket",
    "ec2:RunInstances",
    "sts:AssumeRole",
    "iam:PassRole",
    "iam:GetRole",
];
const RESOURCES: [&str; 12] = [
    "arn:aws:s3:::bucket/a",
    "arn:aws:s3:::bucket/ann/x",
    "arn:aws:s3:::bucket/ann:x/y",
    "arn:aws:s3:::bucket/*",
    "arn:aws:s3:::bucket/?",
    "arn:aws:s3:::Bucket/a",
    "arn:aws:s3:::bucket",
    "arn:aws:ec2:eu-west-1:111111111111:instance/i-1",
    "arn:aws:ec2:us-east-1:222222222222:instance/i-1",
    "arn:aws:iam::111111111111:role/dev",
    "arn:aws:iam::222222222222:role/eng/ops",
    "*",
];
const SERVICES: [&str; 2] = ["s3.amazonaws.com", "ec2.amazonaws.com"];

fn joined(characters: impl IntoIterator<Item = char>) -> String {
    characters.into_iter().collect()
}

/// A pattern made from a text: parts of it replaced by wildcards.
fn loosened(dice: &mut Dice, text: &str) -> String {
    let characters: Vec<char> = text.chars().collect();
    let (at, until) = (dice.below(characters.len() + 1), dice.below(characters.len() + 1));
    let (from, to) = (at.min(until), at.max(until));
    let head = characters.iter().take(from).copied();
    match dice.below(6) {
        0 => text.to_owned(),
        1 => joined(head.chain(['*'])),
        2 => joined(head.chain(['*']).chain(characters.iter().skip(to).copied())),
        3 => joined(head.chain(['?']).chain(characters.iter().skip(from + 1).copied())),
        4 => joined(['*'].into_iter().chain(characters.iter().skip(from).copied())),
        _ => joined(head.chain(['*', '?']).chain(characters.iter().skip(to).copied())),
    }
}

fn action_pattern(dice: &mut Dice, action: &str) -> String {
    let action = if dice.chance(65) { action } else { dice.pick(&ACTIONS) };
    let (service, name) = action.split_once(':').unwrap_or((action, ""));
    let pattern = match dice.below(20) {
        0 | 1 => "*".to_owned(),
        2 => dice.pick(&["**", "*:*", "?:*", "s3", "s3:Get:Object", "s3:${aws:username}", "s3:Get Object"]).to_owned(),
        3 | 4 => format!("{service}:*"),
        5 => format!("*:{name}"),
        6 => format!("{}:{name}", loosened(dice, service)),
        7 => format!("**:{name}"),
        8..12 => format!("{service}:{}", loosened(dice, name)),
        _ => action.to_owned(),
    };
    other_case(dice, &pattern, 15)
}

fn resource_pattern(dice: &mut Dice, resource: &str) -> String {
    let resource = if dice.chance(70) { resource } else { dice.pick(&RESOURCES) };
    let segments: Vec<&str> = resource.splitn(6, ':').collect();
    let [scheme, partition, service, region, account, rest] = *segments.as_slice() else {
        return dice.pick(&["*", "*", "**", "arn:aws:s3:::*", "arn:*:*:*:*:*", "arn:*"]).to_owned();
    };
    let mut fixed = [partition, service, region, account].map(str::to_owned);
    if dice.chance(25) {
        let at = dice.below(4);
        for (index, segment) in fixed.iter_mut().enumerate().filter(|(index, _)| *index == at) {
            *segment = match (index, dice.below(4)) {
                (_, 0) => segment.to_uppercase(),
                (_, 1) => format!("{segment}*"),
                (3, 2) => "${app:account}".to_owned(),
                _ => "*".to_owned(),
            };
        }
    }
    let rest = match dice.below(12) {
        0..4 => rest.to_owned(),
        4 => "*".to_owned(),
        5 => rest.replace("ann", "${aws:username}"),
        6 => rest.replace(
            "ann",
            dice.pick(&["${missing, 'ann'}", "${missing}", "${AWS:USERNAME, 'ann'}", "${aws:TagKeys}"]),
        ),
        7 => rest.replace('*', "${*}").replace('?', "${?}"),
        8 => rest.replace('/', "*/"),
        9 => rest.to_uppercase(),
        _ => loosened(dice, rest),
    };
    let full = format!("{scheme}:{}:{rest}", fixed.join(":"));
    match dice.below(30) {
        0 | 1 => {
            let short: Vec<&str> = full.splitn(6, ':').take(2 + dice.below(4)).collect();
            let short = short.join(":");
            if dice.chance(50) { format!("{short}*") } else { short }
        }
        2..5 => "*".to_owned(),
        5 => dice.pick(&["**", "arn:*", "*:*", "bucket/*", "arn:aws:s3:::*", "arn:aws:ec2:*:*:*/*"]).to_owned(),
        _ => full,
    }
}

fn arns(dice: &mut Dice) -> String {
    let account = dice.pick(&ACCOUNTS);
    let (service, name) = dice.pick(&[
        ("iam", "user/ann"),
        ("iam", "user/team/bob"),
        ("iam", "role/dev"),
        ("iam", "role/eng/ops"),
        ("iam", "role/*"),
        ("iam", "root"),
        ("sts", "assumed-role/dev/s1"),
        ("sts", "assumed-role/ops/s2"),
        ("sts", "assumed-role/dev/*"),
        ("sts", "federated-user/ann"),
    ]);
    format!("arn:aws:{service}::{account}:{name}")
}

/// A caller of any kind. Never an ARN with a wildcard.
fn caller(dice: &mut Dice) -> String {
    match dice.below(12) {
        0 => "anonymous".to_owned(),
        1 => dice.pick(&SERVICES).to_owned(),
        _ => loop {
            let arn = arns(dice);
            if !arn.contains('*') && !arn.contains(":role/") {
                return arn;
            }
        },
    }
}

fn account_of(principal: &str) -> Option<&str> {
    principal.split(':').nth(4)
}

fn principal_element(dice: &mut Dice, caller: &str) -> Value {
    let account = account_of(caller).unwrap_or("111111111111");
    let one = |dice: &mut Dice| match dice.below(14) {
        0 | 1 => account.to_owned(),
        2 => format!("arn:aws:iam::{account}:root"),
        3 | 4 if caller.starts_with("arn:") => caller.to_owned(),
        5 | 6 if caller.contains("assumed-role/dev") => format!("arn:aws:iam::{account}:role/dev"),
        5 | 6 if caller.contains("assumed-role/ops") => format!("arn:aws:iam::{account}:role/eng/ops"),
        5 | 6 if caller.contains("federated-user") => format!("arn:aws:iam::{account}:user/ann"),
        7 => "*".to_owned(),
        8 => dice.pick(&ACCOUNTS).to_owned(),
        _ => arns(dice),
    };
    match dice.below(12) {
        0 | 1 => json!("*"),
        2 | 3 => json!({"Service": if SERVICES.contains(&caller) { caller } else { dice.pick(&SERVICES) }}),
        4 => dice.pick(&[
            json!({"CanonicalUser": "abc"}),
            json!({"Federated": "accounts.google.com"}),
            json!({"Service": "*"}),
            json!({"Service": SERVICES, "AWS": ACCOUNTS}),
        ]),
        _ => {
            let values = (0..1 + dice.below(10) / 7).map(|_| one(dice).into()).collect();
            json!({"AWS": one_or_list(dice, values)})
        }
    }
}

// === patterns ===

fn pattern(dice: &mut Dice) -> Value {
    let class =
        dice.pick(&["glob", "action", "notaction", "resource", "resource", "notresource", "principal", "notprincipal"]);
    let several = |dice: &mut Dice, mut one: Box<dyn FnMut(&mut Dice) -> String>| {
        let values = (0..1 + dice.below(10) / 7).map(|_| one(dice).into()).collect();
        one_or_list(dice, values)
    };
    let (pattern, value) = match class {
        "action" | "notaction" => {
            let action = dice.pick(&ACTIONS);
            (several(dice, Box::new(move |dice| action_pattern(dice, action))), action.to_owned())
        }
        "resource" | "notresource" => {
            let resource = dice.pick(&RESOURCES);
            (several(dice, Box::new(move |dice| resource_pattern(dice, resource))), resource.to_owned())
        }
        "principal" | "notprincipal" => {
            let caller = caller(dice);
            (principal_element(dice, &caller), caller)
        }
        _ => {
            let letters = |dice: &mut Dice, alphabet: &[char]| joined((0..dice.below(9)).map(|_| dice.pick(alphabet)));
            let value = letters(dice, &['a', 'b', 'c', '/', 'é', '*']);
            let pattern = if dice.chance(50) {
                let once = loosened(dice, &value);
                loosened(dice, &once)
            } else {
                letters(dice, &['a', 'b', '*', '*', '?', 'é'])
            };
            (pattern.into(), value)
        }
    };
    let kind = dice.pick(&Kind::NAMES.map(|(_, name)| name));
    let kind = if kind == "trust" { "resource" } else { kind };
    json!({
        "pattern_type": class, "pattern": pattern, "value": value, "policy_type": kind, "version": version(dice),
        "request": {"context": context(dice)},
    })
}

// === decisions ===

struct Draft {
    caller: String,
    action: String,
    resource: String,
    context: Value,
    tags: Vec<String>,
}

fn decision(dice: &mut Dice) -> Value {
    let trusting = dice.chance(15);
    let account = dice.pick(&ACCOUNTS);
    let (action, resource) = match trusting {
        true => ("sts:AssumeRole".to_owned(), format!("arn:aws:iam::{account}:role/dev")),
        false => (dice.pick(&ACTIONS).to_owned(), dice.pick(&RESOURCES).to_owned()),
    };
    let caller = caller(dice);
    let context = context(dice);
    let owner = match (resource.split(':').nth(4), account_of(&caller)) {
        (Some(owner), _) if !owner.is_empty() => owner.to_owned(),
        (_, Some(owner)) if dice.chance(60) => owner.to_owned(),
        _ => dice.pick(&ACCOUNTS).to_owned(),
    };
    let mut draft = Draft {
        caller: caller.clone(),
        action: action.clone(),
        resource: resource.clone(),
        context: context.clone(),
        tags: Vec::new(),
    };
    let session = caller.contains(":assumed-role/") || caller.contains(":federated-user/");
    let root = caller.ends_with(":root");
    let known = account_of(&caller).is_some() && !root;
    let several = |dice: &mut Dice, draft: &mut Draft, kind, least, most: usize| -> Value {
        (0..least + dice.below(most + 1 - least)).map(|_| document(dice, draft, kind)).collect()
    };
    let mut policies = json!({
        "identity": [], "resource": null, "boundary": null, "scp": [], "rcp": [], "session": null, "trust": null,
    });
    if known {
        let identity = several(dice, &mut draft, Kind::Identity, 0, 3);
        set(&mut policies, "identity", identity);
    }
    if known && dice.chance(30) {
        let boundary = json!([document(dice, &mut draft, Kind::Boundary)]);
        set(&mut policies, "boundary", boundary);
    }
    if session && dice.chance(if caller.contains(":federated-user/") { 65 } else { 35 }) {
        let policy = match dice.chance(50) {
            true => document(dice, &mut draft, Kind::Session),
            false => several(dice, &mut draft, Kind::Session, 1, 2),
        };
        set(&mut policies, "session", policy);
    }
    if trusting {
        let policy = document(dice, &mut draft, Kind::Trust);
        set(&mut policies, "trust", policy);
    } else if dice.chance(60) {
        let policy = document(dice, &mut draft, Kind::Resource);
        set(&mut policies, "resource", policy);
    }
    for (kind, percent) in [(Kind::Scp, 30), (Kind::Rcp, 15)] {
        if dice.chance(percent) {
            let least = if dice.chance(5) { 0 } else { 1 };
            let levels = (0..1 + dice.below(3)).map(|_| several(dice, &mut draft, kind, least, 2)).collect();
            set(&mut policies, kind.name(), levels);
        }
    }
    if dice.chance(12) {
        let endpoint = several(dice, &mut draft, Kind::Endpoint, 1, 2);
        set(&mut policies, "endpoint", endpoint);
    }
    let mut request = json!({
        "principal": caller, "action": action, "resource": resource, "resource_account": owner, "context": context,
    });
    if root {
        set(&mut request, "root_user", true.into());
    }
    if known && dice.chance(20) {
        set(&mut request, "principal_account", account_of(&caller).into());
    }
    json!({"policies": policies, "request": request, "tags": draft.tags})
}

fn document(dice: &mut Dice, draft: &mut Draft, kind: Kind) -> Value {
    let limit = matches!(kind, Kind::Boundary | Kind::Session | Kind::Scp | Kind::Endpoint);
    if limit && dice.chance(60) || kind == Kind::Rcp && dice.chance(50) {
        let mut statement = json!({"Effect": "Allow", "Action": "*", "Resource": "*"});
        if matches!(kind, Kind::Rcp | Kind::Endpoint) {
            set(&mut statement, "Principal", "*".into());
        }
        return json!({"Version": "2012-10-17", "Statement": [statement]});
    }
    let mut statements: Vec<Value> = (0..1 + dice.below(3)).map(|_| statement(dice, draft, kind)).collect();
    let statements = match statements.pop() {
        Some(only) if statements.is_empty() && dice.chance(50) => only,
        Some(last) => statements.into_iter().chain([last]).collect(),
        None => json!([]),
    };
    let mut document = json!({"Statement": statements});
    match dice.below(100) {
        _ if matches!(kind, Kind::Scp | Kind::Rcp) => set(&mut document, "Version", "2012-10-17".into()),
        0..10 => {}
        10..11 => {
            draft.tags.push("malformed-document".to_owned());
            let (key, value) = dice.pick(&[("Version", "2020-01-01"), ("Comment", "x")]);
            set(&mut document, key, value.into());
        }
        _ => set(&mut document, "Version", version(dice).into()),
    }
    if matches!(kind, Kind::Resource | Kind::Trust) && dice.chance(10) {
        set(&mut document, "Id", "x".into());
    }
    document
}

fn statement(dice: &mut Dice, draft: &mut Draft, kind: Kind) -> Value {
    let effect = if kind == Kind::Rcp || dice.chance(18) { "Deny" } else { "Allow" };
    let mut statement = json!({"Effect": effect});
    let patterns = |dice: &mut Dice, one: fn(&mut Dice, &str) -> String, value: &str| {
        let values = (0..1 + dice.below(10) / 6).map(|_| one(dice, value).into()).collect();
        one_or_list(dice, values)
    };
    let actions = patterns(dice, action_pattern, &draft.action);
    let negated = if effect == "Deny" { 30 } else { 15 };
    set(&mut statement, if kind != Kind::Rcp && dice.chance(negated) { "NotAction" } else { "Action" }, actions);
    if kind != Kind::Trust && !(kind == Kind::Resource && dice.chance(10)) {
        let mut resources = patterns(dice, resource_pattern, &draft.resource);
        if let (Some(list), true) = (resources.as_array_mut(), dice.chance(2)) {
            list.push(Value::Null);
        }
        set(&mut statement, if dice.chance(15) { "NotResource" } else { "Resource" }, resources);
    }
    match kind {
        Kind::Rcp => set(&mut statement, "Principal", "*".into()),
        Kind::Resource | Kind::Endpoint | Kind::Trust => {
            let percent = if effect == "Deny" { 35 } else { 8 };
            let name = if kind != Kind::Trust && dice.chance(percent) { "NotPrincipal" } else { "Principal" };
            let wide = kind == Kind::Endpoint && dice.chance(50);
            let element = if wide { json!("*") } else { principal_element(dice, &draft.caller) };
            set(&mut statement, name, element);
        }
        Kind::Identity | Kind::Boundary | Kind::Session | Kind::Scp => {}
    }
    if dice.chance(30) {
        set(&mut statement, "Condition", conditions(dice, &draft.context));
    }
    if dice.chance(20) {
        set(&mut statement, "Sid", dice.pick(&["A", "B1", ""]).into());
    }
    if dice.chance(4) { malformed(dice, draft, kind, statement) } else { statement }
}

/// Breaks one element of a statement.
fn malformed(dice: &mut Dice, draft: &mut Draft, kind: Kind, mut statement: Value) -> Value {
    let action = draft.action.as_str();
    let with_principal = matches!(kind, Kind::Resource | Kind::Endpoint | Kind::Trust);
    let element = dice.pick(&["action", "resource", "principal", "condition", "effect", "key", "statement"]);
    let element = if kind == Kind::Rcp && element == "principal" { "key" } else { element };
    draft.tags.push(format!("malformed-{element}"));
    let Some(map) = statement.as_object_mut() else { return statement };
    let (key, value) = match element {
        "action" => {
            let (key, value) = dice.pick(&[
                ("Action", json!([])),
                ("Action", Value::Null),
                ("Action", json!(["none:None", 1])),
                ("Action", json!({"a": "b"})),
                ("NotAction", json!([])),
                ("NotAction", json!([[action]])),
                ("", Value::Null),
                ("both", Value::Null),
            ]);
            if key != "both" {
                map.remove("Action");
                map.remove("NotAction");
                (key, value)
            } else {
                map.insert("Action".to_owned(), json!("none:None"));
                ("NotAction", json!("*"))
            }
        }
        "resource" => {
            let (key, value) = dice.pick(&[
                ("Resource", json!([])),
                ("Resource", Value::Null),
                ("Resource", json!(["arn:aws:s3:::none", true])),
                ("Resource", json!([null])),
                ("NotResource", json!([])),
                ("NotResource", json!(["*", 7])),
                ("both", Value::Null),
            ]);
            if key != "both" {
                map.remove("Resource");
                map.remove("NotResource");
                (key, value)
            } else {
                map.insert("Resource".to_owned(), json!("arn:aws:s3:::none"));
                ("NotResource", json!("*"))
            }
        }
        "principal" => {
            map.remove("Principal");
            map.remove("NotPrincipal");
            let options = [
                json!({"Group": "x"}),
                json!({"AWS": []}),
                json!({}),
                json!({"AWS": "222222222222", "aws": "x"}),
                json!("arn:aws:iam::222222222222:user/ann"),
                json!({"AWS": [1]}),
                json!([]),
                Value::Null,
            ];
            match with_principal {
                true if dice.chance(20) => ("", Value::Null),
                true => (if dice.chance(70) { "Principal" } else { "NotPrincipal" }, dice.pick(&options)),
                false => {
                    (if dice.chance(70) { "Principal" } else { "NotPrincipal" }, principal_element(dice, &draft.caller))
                }
            }
        }
        "condition" => {
            let options = [
                json!({"StringSame": {"aws:username": "x"}}),
                json!({"NullIfExists": {"aws:username": "x"}}),
                json!({"StringEquals": {"aws:username": {"x": "y"}}}),
                json!({"StringEquals": {"aws:username": ["none", null]}}),
                json!({"StringEquals": {"aws:username": null}}),
                json!({"StringEquals": ["aws:username"]}),
                json!([]),
                json!("true"),
                Value::Null,
            ];
            ("Condition", dice.pick(&options))
        }
        "effect" => dice.pick(&[
            ("Effect", json!("allow")),
            ("Effect", json!("DENY")),
            ("Effect", json!(["Allow"])),
            ("Effect", Value::Null),
        ]),
        "key" => dice.pick(&[("Conditoin", json!({})), ("action", json!("s3:*")), ("Sid", json!(7))]),
        _ => return dice.pick(&[json!("Deny"), json!([]), json!(1)]),
    };
    if !key.is_empty() {
        map.insert(key.to_owned(), value);
    }
    statement
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_records_at_every_count() {
        for (_, name) in Topic::NAMES {
            let topic = Topic::named(name).unwrap();
            let long: Vec<Value> = generate(topic, 7, 50).collect();
            let short: Vec<Value> = generate(topic, 7, 20).collect();
            assert_eq!(long[..20], short);
            assert_ne!(generate(topic, 8, 50).collect::<Vec<_>>(), long);
        }
    }

    #[test]
    fn every_answer_is_frequent() {
        for (topic, least) in [(Topic::Decision, 800), (Topic::Condition, 1500), (Topic::Pattern, 1500)] {
            let mut seen = BTreeMap::new();
            for record in generate(topic, 1, 5000) {
                *seen.entry(record["expected"].to_string()).or_insert(0) += 1;
            }
            assert!(seen.len() == if topic == Topic::Decision { 3 } else { 2 }, "{seen:?}");
            assert!(seen.values().all(|count| *count >= least), "{seen:?}");
        }
    }
}
