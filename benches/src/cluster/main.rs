//! What `kube-iam serve` does on a cluster, measured against a real API server on this machine.
//!
//! ```text
//! cluster latency [NUMBER]      a write's 200 to its effect in a decision; NUMBER objects are stored, 1,000 by default
//! cluster churn [NUMBER]        NUMBER objects created, changed and deleted; when two replicas agree again; 10,000
//! cluster cold-start [NUMBER]   from exec to ready with NUMBER objects stored; 25,000
//! cluster admission [NUMBER]    what our webhooks add to NUMBER writes, as the API server counts it; 2,000
//! cluster idle [SECONDS]        who writes when nobody does anything; 60
//! ```
//!
//! Each prints one JSON line. The program under test is the release build (`cargo build --release`); the control plane is
//! the one of the tests.

#[path = "../../../tests/cluster/control_plane/mod.rs"]
#[expect(dead_code, reason = "the harness of the tests, of which a part is used here")]
mod control_plane;
#[path = "../../../tests/cluster/https.rs"]
#[expect(dead_code, reason = "the harness of the tests, of which a part is used here")]
mod https;
#[path = "../../../tests/cluster/kube_iam.rs"]
#[expect(dead_code, reason = "the harness of the tests, of which a part is used here")]
mod kube_iam;

mod bench;
mod objects;
mod scenario;

use anyhow::{Context as _, bail};

fn main() -> anyhow::Result<()> {
    let mut words = std::env::args().skip(1);
    let scenario = words.next().context("name a scenario: latency, churn, cold-start, admission or idle")?;
    let number = words.next().map(|word| word.parse().with_context(|| format!("`{word}` is no number"))).transpose()?;
    let measured = match scenario.as_str() {
        "latency" => scenario::latency(number.unwrap_or(1_000)),
        "churn" => scenario::churn(number.unwrap_or(10_000)),
        "cold-start" => scenario::cold_start(number.unwrap_or(25_000)),
        "admission" => scenario::admission(number.unwrap_or(2_000)),
        "idle" => scenario::idle(number.unwrap_or(60)),
        _ => bail!("unknown scenario `{scenario}`; expected latency, churn, cold-start, admission or idle"),
    };
    println!("{}", measured?);
    Ok(())
}
