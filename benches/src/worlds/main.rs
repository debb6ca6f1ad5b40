//! How long it takes until a change of one object is in a snapshot that can answer.
//!
//! The worlds are made here: accounts of 50 objects, as many users as policies, some groups and roles. For each size that
//! is given it prints one JSON line; times are CPU time of the thread.

mod generate;

use std::hint::black_box;
use std::time::Duration;

use cpu_time::ThreadTime;
use kube_iam::name::Revision;
use kube_iam::snapshot::Snapshot;
use kube_iam::world::{self, Builder, Input};

const ROUNDS: usize = 15;

fn main() {
    let sizes: Vec<usize> = std::env::args().skip(1).filter_map(|size| size.parse().ok()).collect();
    let sizes = if sizes.is_empty() { vec![1_000, 10_000, 25_000] } else { sizes };
    for size in sizes {
        let mut input = generate::input(size);
        let build = median(|| drop(black_box(world::build(&input))));
        let mut builder = Builder::default();
        let world = builder.build(&input);
        let mut change = 0;
        let rebuild = median(|| {
            change += 1;
            input.objects[change * 31 % size] = generate::object(change * 31 % size);
            drop(black_box(builder.build(&input)));
        });
        let other = builder.build(&input);
        let compare = median(|| assert!(black_box(&world) == black_box(&other)));
        let compile = median(|| drop(black_box(Snapshot::compile(&world, Revision(1)))));
        let copy = median(|| drop(black_box(Input::clone(&input))));
        println!(
            "{}",
            serde_json::json!({
                "objects": size,
                "build_ms": milliseconds(build),
                "rebuild_ms": milliseconds(rebuild),
                "compare_ms": milliseconds(compare),
                "compile_ms": milliseconds(compile),
                "copy_input_ms": milliseconds(copy),
            })
        );
    }
}

fn median(mut work: impl FnMut()) -> Duration {
    let mut times: Vec<Duration> = (0..ROUNDS)
        .map(|_| {
            let began = ThreadTime::now();
            work();
            began.elapsed()
        })
        .collect();
    times.sort_unstable();
    times[ROUNDS / 2]
}

fn milliseconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e6).round() / 1e3
}
