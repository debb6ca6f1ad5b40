//! Requests that every authenticated caller needs (`kubernetes-contract.md` B10): discovery and self-reviews. Without
//! them kubectl takes a refusal for an outage.

use super::attributes::{ResourceAttributes, Target, UrlAttributes};
use crate::decide::Baseline;
use crate::name::Mode;

const SELF_REVIEWS: [(&str, &str); 3] = [
    ("authorization.k8s.io", "selfsubjectaccessreviews"),
    ("authorization.k8s.io", "selfsubjectrulesreviews"),
    ("authentication.k8s.io", "selfsubjectreviews"),
];

const PATHS: [&str; 6] = ["/api", "/apis", "/version", "/healthz", "/livez", "/readyz"];

const BELOW: [&str; 3] = ["/api/", "/apis/", "/openapi/"];

/// What the baseline says of a question by an authenticated caller.
pub fn baseline(target: &Target<'_>, mode: Mode) -> Baseline {
    let needed = match target {
        Target::Resource(resource) => is_self_review(resource),
        Target::Url(url) => is_discovery(url),
    };
    match (needed, mode) {
        (false, _) => Baseline::No,
        (true, Mode::Shadow | Mode::Coexist) => Baseline::NotLimited,
        (true, Mode::Authoritative) => Baseline::Allowed,
    }
}

fn is_self_review(resource: &ResourceAttributes<'_>) -> bool {
    resource.verb == "create"
        && resource.subresource.is_empty()
        && resource.name.is_empty()
        && SELF_REVIEWS.contains(&(&*resource.group, &*resource.resource))
}

fn is_discovery(url: &UrlAttributes<'_>) -> bool {
    url.verb == "get"
        && is_normal(&url.path)
        && (PATHS.contains(&&*url.path) || BELOW.iter().any(|prefix| url.path.starts_with(prefix)))
}

/// Whether everybody reads the path alike. `/apis/../metrics` reaches us as it is and is no discovery.
fn is_normal(path: &str) -> bool {
    let body = path.strip_suffix('/').unwrap_or(path);
    path.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'%' | b'\\' | b'?' | b'#' | b';' | b'*'))
        && body.split('/').skip(1).all(|segment| !matches!(segment, "" | "." | ".."))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn get(path: &str) -> Target<'_> {
        Target::Url(UrlAttributes { path: path.into(), verb: "get".into() })
    }

    #[test]
    fn discovery_is_what_the_list_says_and_nothing_that_merely_begins_like_it() {
        for path in ["/api", "/api/", "/api/v1", "/apis", "/apis/apps/v1", "/openapi/v3/apis/apps/v1", "/version"] {
            assert_eq!(baseline(&get(path), Mode::Authoritative), Baseline::Allowed, "{path}");
        }
        for path in ["/healthz", "/livez", "/readyz"] {
            assert_eq!(baseline(&get(path), Mode::Coexist), Baseline::NotLimited, "{path}");
            assert_eq!(baseline(&get(path), Mode::Shadow), Baseline::NotLimited, "{path}");
        }
        for path in [
            "",
            "/",
            "api",
            "/apiX",
            "/openapi",
            "/version/",
            "/healthz/etcd",
            "/readyz/ping",
            "/metrics",
            "/logs/",
            "/apis/../metrics",
            "/apis/./x",
            "/apis//x",
            "/apis/..",
            "/apis/%2e%2e/metrics",
            "/apis/..\\metrics",
            "/apis/a?b",
            "/apis/a#b",
            "/apis/\u{0}",
            "/apis/é",
            "/apis/ ",
            "/apis/..;/metrics",
            "//apis/x",
            "/apis/*",
        ] {
            assert_eq!(baseline(&get(path), Mode::Authoritative), Baseline::No, "{path}");
        }
        for verb in ["head", "post", "*", "GET", ""] {
            let target = Target::Url(UrlAttributes { path: "/api".into(), verb: verb.into() });
            assert_eq!(baseline(&target, Mode::Authoritative), Baseline::No, "{verb}");
        }
    }

    #[test]
    fn self_reviews_are_for_everybody_and_no_other_review_is() {
        let review = |group: &'static str, resource: &'static str| ResourceAttributes {
            verb: "create".into(),
            group: group.into(),
            version: "v1".into(),
            resource: resource.into(),
            ..ResourceAttributes::default()
        };
        for (group, resource) in SELF_REVIEWS {
            let target = Target::Resource(review(group, resource));
            assert_eq!(baseline(&target, Mode::Authoritative), Baseline::Allowed, "{resource}");
            for other in [
                ResourceAttributes { verb: "*".into(), ..review(group, resource) },
                ResourceAttributes { subresource: "status".into(), ..review(group, resource) },
                review("", resource),
            ] {
                assert_eq!(baseline(&Target::Resource(other), Mode::Authoritative), Baseline::No, "{resource}");
            }
        }
        for (group, resource) in [
            ("authorization.k8s.io", "subjectaccessreviews"),
            ("authorization.k8s.io", "localsubjectaccessreviews"),
            ("authentication.k8s.io", "tokenreviews"),
            ("authentication.k8s.io", "selfsubjectaccessreviews"),
            ("*", "selfsubjectreviews"),
        ] {
            assert_eq!(baseline(&Target::Resource(review(group, resource)), Mode::Authoritative), Baseline::No);
        }
    }
}
