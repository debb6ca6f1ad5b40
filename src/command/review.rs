//! `review`: one SubjectAccessReview, answered byte for byte as the webhook answers it.

use std::io::{Read, Write};
use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;

use super::world::WorldArguments;
use crate::mapping;
use crate::name::Mode;
use crate::server;

#[derive(Clone, Debug, Args)]
pub(super) struct Arguments {
    /// The review, JSON or YAML; - for standard input
    #[arg(value_name = "FILE", default_value = "-")]
    review: PathBuf,

    #[command(flatten)]
    world: WorldArguments,

    /// How far the answer goes: shadow, coexist or authoritative
    #[arg(long, value_name = "MODE", default_value_t, env = "KUBE_IAM_MODE")]
    mode: Mode,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<u8> {
    let snapshot = arguments.world.load()?;
    let bytes = read(&arguments.review)?;
    let json = as_json(bytes)?;
    let review = mapping::decode(&json).context("the review is malformed")?;
    let answered = server::answer(&snapshot, &review.attributes, arguments.mode);
    let mut out = std::io::stdout().lock();
    out.write_all(&mapping::encode(review.version, &answered.answer))?;
    Ok(0)
}

fn read(path: &PathBuf) -> anyhow::Result<Vec<u8>> {
    let limit = u64::try_from(mapping::MAX_REVIEW_BYTES).unwrap_or(u64::MAX).saturating_add(1);
    let mut bytes = Vec::new();
    if path.as_os_str() == "-" {
        std::io::stdin().lock().take(limit).read_to_end(&mut bytes).context("cannot read standard input")?;
    } else {
        let file = std::fs::File::open(path).with_context(|| format!("cannot read `{}`", path.display()))?;
        file.take(limit).read_to_end(&mut bytes).with_context(|| format!("cannot read `{}`", path.display()))?;
    }
    Ok(bytes)
}

/// JSON goes on as it is, so that a malformed review is refused as the webhook refuses it.
fn as_json(bytes: Vec<u8>) -> anyhow::Result<Vec<u8>> {
    if bytes.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'{') {
        return Ok(bytes);
    }
    let value: serde_yaml::Value = serde_yaml::from_slice(&bytes).context("the review is neither JSON nor YAML")?;
    Ok(serde_json::to_vec(&value)?)
}
