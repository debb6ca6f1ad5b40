//! The format of action and resource texts, as far as AWS checks it on write (`iam-semantics.md` §2.2).

use super::limits;
use super::pattern::is_stars;
use super::report::{Quoted, nearest};
use super::statement::Version;

/// Partitions that a resource may name.
const PARTITIONS: [&str; 8] = ["*", "k8s", "aws", "aws-cn", "aws-us-gov", "aws-eusc", "aws-iso", "aws-iso-b"];
/// What stands before the first `/` of an IAM resource of AWS.
const AWS_IAM: [&str; 13] = [
    "user/",
    "federated-user/",
    "role/",
    "group/",
    "instance-profile/",
    "mfa/",
    "server-certificate/",
    "policy/",
    "sms-mfa/",
    "saml-provider/",
    "oidc-provider/",
    "report/",
    "access-report/",
];
/// The same here; the account root has no `/`.
const OUR_IAM: [&str; 6] = ["user/", "group/", "role/", "policy/", "mfa/", "root"];

/// Checks the format of an entry of `Action` or `NotAction`: `*`, or a service and a name.
pub(super) fn check_action(text: &str) -> Result<(), String> {
    if is_stars(text) {
        return Ok(());
    }
    let found = Quoted(text);
    let Some((service, name)) = text.split_once(':') else {
        return Err(format!("action {found} has no service; expected `*` or `service:name`, such as `k8s:get`"));
    };
    if name.contains(':') {
        return Err(format!("action {found} has more than one colon; expected `service:name`, such as `k8s:get`"));
    }
    let is_word = !service.is_empty() && service.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-'));
    if service != "*" && !is_word {
        return Err(format!(
            "action {found} has a service that is none; expected `*` or letters, digits, `.` and `-` before the colon"
        ));
    }
    Ok(())
}

/// Checks the format of an entry of `Resource` or `NotResource`: `*`, or an ARN, perhaps a short one.
pub(super) fn check_resource(text: &str) -> Result<(), String> {
    if is_stars(text) {
        return Ok(());
    }
    let found = Quoted(text);
    let Some(rest) = text.strip_prefix("arn:") else {
        return Err(format!(
            "resource {found} is no ARN; expected `*` or `arn:partition:service:region:account:resource`"
        ));
    };
    let mut parts = rest.splitn(5, ':');
    let partition = parts.next().unwrap_or("");
    if !PARTITIONS.contains(&partition) && !is_isolated(partition) {
        let hint = match nearest(partition, PARTITIONS) {
            Some(meant) if meant != "*" => format!("did you mean `{meant}`?"),
            _ => "expected `k8s`, `aws`, another partition of AWS, or `*`".to_owned(),
        };
        return Err(format!("unknown partition {} in resource {found}; {hint}", Quoted(partition)));
    }
    let Some(service) = parts.next().filter(|service| !service.is_empty()) else {
        return Err(format!("resource {found} has no service; expected `arn:{partition}:service:…`"));
    };
    let (region, _, resource) = (parts.next(), parts.next(), parts.next());
    if resource.is_none() && text.contains("::") {
        return Err(format!(
            "resource {found} has an empty segment but fewer than six; expected \
             `arn:partition:service:region:account:resource`"
        ));
    }
    let is_ours = partition == "k8s";
    let has_region = !is_ours && region.is_some_and(|region| !region.is_empty() && !is_stars(region));
    if service.eq_ignore_ascii_case("iam") {
        if has_region {
            return Err(format!("resource {found} names a region; IAM has none, so that segment stays empty"));
        }
        if let Some(resource) = resource {
            check_iam_resource(found, partition, resource)?;
        }
    } else if service.eq_ignore_ascii_case("s3")
        && has_region
        && !resource.is_some_and(|resource| resource.starts_with("accesspoint/"))
    {
        return Err(format!(
            "resource {found} names a region; of S3 only `accesspoint/…` has one, so that segment stays empty"
        ));
    }
    Ok(())
}

/// Checks the size of one string of a policy, and that it holds no control characters (`iam-semantics.md` §2: tab, line
/// feed and carriage return only).
pub(super) fn check_text(text: &str) -> Result<(), String> {
    if text.len() > limits::STRING_BYTES {
        return Err(format!("string of {} bytes; at most {} are read", text.len(), limits::STRING_BYTES));
    }
    match text.chars().find(|c| *c < ' ' && !matches!(c, '\t' | '\n' | '\r')) {
        Some(c) => Err(format!("control character U+{:04X} in {}; a policy holds none", u32::from(c), Quoted(text))),
        None => Ok(()),
    }
}

/// Checks the number of wildcards of a pattern.
pub(super) fn check_wildcards(text: &str) -> Result<(), String> {
    let count = text.bytes().filter(|b| matches!(b, b'*' | b'?')).count();
    if count > limits::WILDCARDS && !is_stars(text) {
        return Err(format!("{count} wildcards in {}; at most {} are read", Quoted(text), limits::WILDCARDS));
    }
    Ok(())
}

/// Checks the number of variables of a text of this version.
pub(super) fn check_variables(text: &str, version: Version) -> Result<(), String> {
    let count = text.matches("${").count();
    if version == Version::V2012 && count > limits::VARIABLES {
        return Err(format!("{count} variables in {}; at most {} are read", Quoted(text), limits::VARIABLES));
    }
    Ok(())
}

fn check_iam_resource(found: Quoted<'_>, partition: &str, resource: &str) -> Result<(), String> {
    let known: &[&[&str]] = match partition {
        "k8s" => &[&OUR_IAM],
        "*" => &[&OUR_IAM, &AWS_IAM],
        _ => &[&AWS_IAM],
    };
    let begins =
        |prefix: &&str| if prefix.ends_with('/') { resource.starts_with(*prefix) } else { resource == *prefix };
    if is_stars(resource) || known.iter().any(|list| list.iter().any(begins)) {
        return Ok(());
    }
    let list = known.first().copied().unwrap_or(&[]);
    let list: Vec<String> = list.iter().map(|prefix| format!("`{prefix}`")).collect();
    Err(format!("resource {found} names no kind of IAM resource; expected `*` or one of {}", list.join(", ")))
}

/// `aws-iso`, `aws-iso-b`, `aws-iso-e`, …
fn is_isolated(partition: &str) -> bool {
    partition.strip_prefix("aws-iso").is_some_and(|rest| {
        rest.is_empty() || rest.strip_prefix('-').is_some_and(|rest| rest.bytes().all(|b| b.is_ascii_lowercase()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actions_are_stars_or_a_service_and_a_name() {
        for text in ["*", "**", "s3:Get*", "*:*", "k8s:get/exec", "iam: asdf af ", "s3.s:x", "s3-s:x", "k8s:"] {
            assert_eq!(check_action(text), Ok(()), "{text}");
        }
        for text in ["", "get", "s3:a:b", "a a:b", ":b", "s*:b", "?:b", "k8s/apps:get"] {
            assert!(check_action(text).is_err(), "{text}");
        }
    }

    #[test]
    fn resources_are_stars_or_arns() {
        for text in [
            "*",
            "arn:aws:s3:::bucket/*",
            "arn:aws:fdsasf",
            "arn:*:s3:::b",
            "arn:aws:iam::*:user/${aws:username}",
            "arn:aws:iam:::*",
            "arn:aws:iam",
            "arn:k8s:iam::audit:root",
            "arn:k8s:iam:east:audit:role/*",
            "arn:k8s:apps::payments:deployments/*",
            "arn:k8s:*:*:*:*",
            "arn:k8s:url:::/metrics",
            "arn:aws:s3:us-west-2:123456789012:accesspoint/x",
            "arn:aws:s3:*:*:*",
            "arn:aws-iso-f:s3:::b",
            "arn:aws:s3:::a::b",
        ] {
            assert_eq!(check_resource(text), Ok(()), "{text}");
        }
        for text in [
            "",
            "bucket",
            "arn",
            "arn:",
            "arn:aws",
            "arn:aws:",
            "arn:aws::x",
            "arn:aws:::::x",
            "arn:aws:s3::bucket",
            "arn:aw:s3:::b",
            "arn:aws*:s3:::b",
            "a:aws:s3:::b",
            "arn:aws:iam:::bucket",
            "arn:aws:iam:us-east-1::user/x",
            "arn:aws:iam::a:root",
            "arn:k8s:iam::a:u*/x",
            "arn:k8s:iam::a:rooty",
            "arn:k8s:iam::a:report/x",
            "arn:aws:s3:us-east-1::b",
            "arn:K8S:core:::x",
            "arn:aws-iso-*:s3:::b",
        ] {
            assert!(check_resource(text).is_err(), "{text}");
        }
    }
}
