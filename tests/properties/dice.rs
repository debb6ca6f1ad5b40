//! Random choices from a row of numbers, and the run of a law over many rows.

use std::cell::Cell;

use proptest::collection::vec;
use proptest::prelude::any;
use proptest::test_runner::{Config, RngSeed, TestCaseError, TestError, TestRunner};

/// Choices made by the numbers of a row, one after another. A row that is used up goes on with zeros, and zero is always
/// the simplest choice, so that a shorter row with smaller numbers means a simpler case.
#[derive(Default)]
pub struct Dice<'r> {
    row: std::slice::Iter<'r, u16>,
}

/// Whether a law had something to say about a case, or the case breaks it.
pub type Judgement = Result<bool, TestCaseError>;

// === impl Dice ===

impl Dice<'_> {
    /// A number below a limit.
    pub fn below(&mut self, limit: usize) -> usize {
        usize::from(self.row.next().copied().unwrap_or(0)) % limit.max(1)
    }

    /// True in so many of a hundred cases.
    pub fn chance(&mut self, percent: usize) -> bool {
        self.below(100) >= 100 - percent
    }

    /// One of these.
    #[track_caller]
    pub fn pick<T: Clone>(&mut self, options: &[T]) -> T {
        let at = self.below(options.len());
        options[at].clone()
    }

    /// At least so many of these, and at most so many.
    pub fn some<T: Clone>(&mut self, options: &[T], least: usize, most: usize) -> Vec<T> {
        let count = least + self.below(most + 1 - least);
        (0..count).map(|_| self.pick(options)).collect()
    }

    /// The same things in another order.
    pub fn shuffle<T>(&mut self, things: &mut [T]) {
        for at in (1..things.len()).rev() {
            things.swap(at, self.below(at + 1));
        }
    }
}

/// The seed of every law.
pub fn seed() -> u64 {
    std::env::var("PROPTEST_RNG_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(16)
}

/// Runs a law over random rows of at most `length` numbers. It must have something to say about `percent` of them.
pub fn law(file: &'static str, length: usize, percent: u32, law: impl Fn(&mut Dice<'_>) -> Judgement) {
    run(file, length, percent, 20_000, law);
}

/// [`law`] with another number of cases, for one that takes long.
pub fn run(file: &'static str, length: usize, percent: u32, cases: u32, law: impl Fn(&mut Dice<'_>) -> Judgement) {
    let rng_seed = RngSeed::Fixed(seed());
    let mut config = Config { source_file: Some(file), rng_seed, ..Config::default() };
    if std::env::var_os("PROPTEST_CASES").is_none() {
        config.cases = cases;
    }
    let (asked, applied) = (Cell::new(0u64), Cell::new(0u64));
    let result = TestRunner::new(config).run(&vec(any::<u16>(), length / 4..=length), |row| {
        asked.set(asked.get() + 1);
        if law(&mut Dice { row: row.iter() })? {
            applied.set(applied.get() + 1);
        }
        Ok(())
    });
    match result {
        Ok(()) => {}
        Err(TestError::Fail(reason, row)) => panic!("{reason}\nrow: {row:?}"),
        Err(TestError::Abort(reason)) => panic!("aborted: {reason}"),
    }
    println!("{} of {} cases say something", applied.get(), asked.get());
    assert!(
        applied.get() * 100 >= asked.get() * u64::from(percent),
        "only {} of {} cases say something",
        applied.get(),
        asked.get()
    );
}

/// Breaks the law unless a condition holds; the words say what the case is.
#[macro_export]
macro_rules! holds {
    ($condition:expr, $($words:tt)+) => {
        if !$condition {
            return Err(proptest::test_runner::TestCaseError::fail(format!($($words)+)));
        }
    };
}
