//! `crds`: the four CustomResourceDefinitions.

use std::io::Write;

use crate::api;

pub(super) fn run() -> anyhow::Result<u8> {
    let yaml = api::crds_yaml();
    std::io::stdout().lock().write_all(yaml.as_bytes())?;
    Ok(0)
}
