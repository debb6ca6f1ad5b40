//! `review`: one SubjectAccessReview or AdmissionReview, answered byte for byte as the webhook answers it.

use std::io::{Read, Write};
use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use serde::Deserialize;

use super::world::WorldArguments;
use crate::mapping;
use crate::name::Mode;
use crate::server::admission::{answer_offline, answer_online};
use crate::server::{self, Limits};
use crate::store::catalog_of;

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
    let json = as_json(read(&arguments.review)?)?;
    let answer = if is_admission(&json) { admit(&json, &arguments.world)? } else { authorize(&json, arguments)? };
    std::io::stdout().lock().write_all(&answer)?;
    Ok(0)
}

fn authorize(json: &[u8], arguments: &Arguments) -> anyhow::Result<Vec<u8>> {
    let snapshot = arguments.world.load()?;
    let review = mapping::decode(json).context("the review is malformed")?;
    let answered = server::answer(&snapshot, &review.attributes, arguments.mode);
    Ok(mapping::encode(review.version, &answered.answer))
}

fn admit(json: &[u8], world: &WorldArguments) -> anyhow::Result<Vec<u8>> {
    let (input, cluster) = world.read()?;
    let catalog = catalog_of(&input);
    let answered = match cluster {
        None => answer_offline(json, &catalog),
        Some(cluster) => cluster.ask(|client| answer_online(json, &catalog, client)),
    };
    let answered = answered.context("the review is malformed")?;
    if let Some(open) = answered.open {
        eprintln!("note: {open}");
    }
    Ok(answered.body)
}

/// Whether the review says that it is one of admission; what it is not is malformed as an authorization.
fn is_admission(json: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Head {
        kind: String,
    }
    serde_json::from_slice(json).is_ok_and(|head: Head| head.kind == "AdmissionReview")
}

fn read(path: &PathBuf) -> anyhow::Result<Vec<u8>> {
    let limit = u64::try_from(Limits::default().body_bytes).unwrap_or(u64::MAX).saturating_add(1);
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
