//! Amazon Resource Names and ours: `arn:partition:service:region:account:resource` (`iam-semantics.md` §14.1).

use smol_str::SmolStr;

/// An ARN of six segments. The sixth is everything after the fifth colon.
///
/// In partition `k8s` the region slot holds the cluster name and the account slot a namespace (`design.md` §3).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Arn {
    text: SmolStr,
    /// Where each segment after `arn:` begins.
    starts: [u16; 5],
}

/// Why a text is no ARN.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected an ARN of six segments, arn:partition:service:region:account:resource")]
pub struct ArnError;

// === impl Arn ===

impl Arn {
    /// Bytes of the longest ARN.
    pub const MAX_BYTES: usize = 2_048;

    /// Puts an ARN together from its segments.
    ///
    /// # Errors
    /// When a segment before the last holds a colon, or the whole is longer than [`Arn::MAX_BYTES`].
    pub fn new(partition: &str, service: &str, region: &str, account: &str, resource: &str) -> Result<Self, ArnError> {
        if [partition, service, region, account].iter().any(|segment| segment.contains(':')) {
            return Err(ArnError);
        }
        format!("arn:{partition}:{service}:{region}:{account}:{resource}").parse()
    }

    /// The ARN of a caller, of any length: a caller whose name is long is no less of its account, so what holds for the
    /// account must still find it.
    ///
    /// # Errors
    /// When a segment before the last holds a colon, or they are longer than any account and cluster can be.
    pub fn of_caller(service: &str, cluster: &str, account: &str, resource: &str) -> Result<Self, ArnError> {
        if [service, cluster, account].iter().any(|segment| segment.contains(':')) {
            return Err(ArnError);
        }
        Self::read(&format!("arn:k8s:{service}:{cluster}:{account}:{resource}"))
    }

    fn read(text: &str) -> Result<Self, ArnError> {
        let mut starts = [0u16; 5];
        let mut colons = text.bytes().enumerate().filter(|(_, b)| *b == b':').map(|(at, _)| at);
        for start in &mut starts {
            let colon = colons.next().ok_or(ArnError)?;
            *start = u16::try_from(colon.saturating_add(1)).map_err(|_| ArnError)?;
        }
        Ok(Self { text: text.into(), starts })
    }

    /// `k8s`, `aws`, …
    pub fn partition(&self) -> &str {
        self.segment(0)
    }

    /// The service; for Kubernetes objects the API group, `core` for the empty one.
    pub fn service(&self) -> &str {
        self.segment(1)
    }

    /// The region; in partition `k8s` the cluster.
    pub fn region(&self) -> &str {
        self.segment(2)
    }

    /// The account; in partition `k8s` the namespace.
    pub fn account(&self) -> &str {
        self.segment(3)
    }

    /// Everything after the fifth colon.
    pub fn resource(&self) -> &str {
        self.segment(4)
    }

    /// The whole text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The whole text, cheap to clone.
    pub fn text(&self) -> &SmolStr {
        &self.text
    }

    fn segment(&self, index: usize) -> &str {
        let start = self.starts.get(index).map_or(0, |start| usize::from(*start));
        // A segment ends before the colon that the next one begins behind.
        let end = self.starts.get(index.saturating_add(1)).map(|next| usize::from(*next).saturating_sub(1));
        self.text.get(start..end.unwrap_or(self.text.len())).unwrap_or("")
    }
}

impl std::str::FromStr for Arn {
    type Err = ArnError;

    fn from_str(text: &str) -> Result<Self, ArnError> {
        if text.len() > Self::MAX_BYTES || !text.starts_with("arn:") {
            return Err(ArnError);
        }
        Self::read(text)
    }
}

impl std::fmt::Display for Arn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sixth_segment_holds_every_later_colon() {
        let arn: Arn = "arn:k8s:core:east:payments:secrets/a:b".parse().unwrap();
        assert_eq!(
            (arn.partition(), arn.service(), arn.region(), arn.account(), arn.resource()),
            ("k8s", "core", "east", "payments", "secrets/a:b")
        );
    }

    #[test]
    fn the_arn_of_a_caller_has_no_bound() {
        let user = "u:/".repeat(100_000);
        let arn = Arn::of_caller("sts", "", "payments", &format!("federated-user/{user}")).unwrap();
        assert_eq!((arn.account(), arn.service()), ("payments", "sts"));
        assert!(Arn::of_caller("sts", "", "a:b", "x").is_err());
        assert!(Arn::new("k8s", "sts", "", "payments", &user).is_err());
    }

    #[test]
    fn fewer_than_six_segments_are_no_arn() {
        for text in ["", "arn", "arn:aws:s3:::", "arn:aws:s3::bucket", "ARN:aws:s3:::b", "x:aws:s3:::b"] {
            assert_eq!(text.parse::<Arn>().is_ok(), text == "arn:aws:s3:::", "{text}");
        }
    }
}
