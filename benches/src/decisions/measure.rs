//! Rounds, clocks, memory.

use std::hint::black_box;
use std::time::Instant;

use cpu_time::ThreadTime;
use kube_iam::decide::Verdict;

use crate::question::Question;

/// Requests decided before anything is timed.
const WARM_UP: usize = 2_000;

/// Requests touched and then decided together; about 200 KiB of them, which fits a second-level cache.
const BLOCK: usize = 128;

/// What was measured.
pub struct Rounds {
    /// Seconds of each round, ascending.
    seconds: Vec<f64>,
    /// Nanoseconds of thread CPU time per decision in each round, ascending.
    cpu_ns: Vec<f64>,
    /// Nanoseconds of each decision of one more pass, ascending.
    latencies_ns: Vec<u64>,
    /// `A`, `D` or `I` for each request.
    pub verdicts: String,
}

/// Memory of this process.
#[derive(Clone, Copy)]
pub struct Memory {
    /// Now.
    pub resident_kib: u64,
    /// At its highest.
    pub peak_kib: u64,
}

// === impl Rounds ===

impl Rounds {
    /// Warms up, takes the time of so many rounds, then of each decision by itself.
    pub fn run(questions: &[Question], rounds: usize, decide: impl Fn(&Question) -> Verdict) -> Self {
        for question in questions.iter().take(WARM_UP) {
            black_box(decide(question));
        }
        let (mut seconds, mut cpu_ns) = (Vec::new(), Vec::new());
        for _ in 0..rounds {
            let (mut wall, mut cpu) = (0.0, 0.0);
            for block in questions.chunks(BLOCK) {
                black_box(block.iter().map(Question::touch).sum::<u64>());
                let (clock, thread) = (Instant::now(), ThreadTime::now());
                for question in block {
                    black_box(decide(question));
                }
                cpu += thread.elapsed().as_secs_f64();
                wall += clock.elapsed().as_secs_f64();
            }
            seconds.push(wall / questions.len() as f64);
            cpu_ns.push(cpu * 1e9 / questions.len() as f64);
        }
        let mut latencies_ns = Vec::with_capacity(questions.len());
        let mut verdicts = String::with_capacity(questions.len());
        for question in questions {
            black_box(question.touch());
            let clock = Instant::now();
            let verdict = decide(question);
            latencies_ns.push(u64::try_from(clock.elapsed().as_nanos()).unwrap_or(u64::MAX));
            verdicts.push(letter(verdict));
        }
        seconds.sort_by(f64::total_cmp);
        cpu_ns.sort_by(f64::total_cmp);
        latencies_ns.sort_unstable();
        Self { seconds, cpu_ns, latencies_ns, verdicts }
    }

    /// Decisions per second of wall time, of the median round.
    pub fn per_second(&self) -> f64 {
        1.0 / self.seconds[self.seconds.len() / 2]
    }

    /// Thread CPU time per decision, of the median round.
    pub fn median_cpu_ns(&self) -> f64 {
        self.cpu_ns[self.cpu_ns.len() / 2]
    }

    /// Thread CPU time per decision, of the best round.
    pub fn best_cpu_ns(&self) -> f64 {
        self.cpu_ns[0]
    }

    /// The time that this share of decisions does not exceed.
    pub fn latency_ns(&self, share: f64) -> u64 {
        let rank = (self.latencies_ns.len() as f64 * share) as usize;
        self.latencies_ns[rank.min(self.latencies_ns.len() - 1)]
    }
}

// === impl Memory ===

impl Memory {
    /// As the kernel reports it; zero where it does not.
    pub fn now() -> Self {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let of = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            line.and_then(|line| line.split_whitespace().next()).and_then(|kib| kib.parse().ok()).unwrap_or(0)
        };
        Self { resident_kib: of("VmRSS:"), peak_kib: of("VmHWM:") }
    }
}

// === free functions ===

fn letter(verdict: Verdict) -> char {
    match verdict {
        Verdict::Allow => 'A',
        Verdict::ExplicitDeny => 'D',
        Verdict::ImplicitDeny => 'I',
    }
}
