//! One pointer, written by one and read by many without a lock.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use tokio::sync::watch;

/// The writing end. There is one: it cannot be cloned.
#[derive(Debug)]
pub struct Publisher<T> {
    current: Arc<ArcSwapOption<T>>,
    published: watch::Sender<u64>,
}

/// A reading end, cheap to clone.
///
/// Guarantees: [`Reader::load`] never waits and never locks, whatever the publisher does; what it returned stays whole
/// and unchanged for as long as it is held, so one decision sees one value.
#[derive(Debug)]
pub struct Reader<T> {
    current: Arc<ArcSwapOption<T>>,
    published: watch::Receiver<u64>,
}

/// The two ends of a new pointer, with nothing published yet.
pub fn channel<T>() -> (Publisher<T>, Reader<T>) {
    let current = Arc::new(ArcSwapOption::empty());
    let (sender, receiver) = watch::channel(0);
    (Publisher { current: Arc::clone(&current), published: sender }, Reader { current, published: receiver })
}

// === impl Publisher ===

impl<T> Publisher<T> {
    /// Puts a value in force, for every reader at once.
    pub fn publish(&mut self, value: Arc<T>) {
        self.current.store(Some(value));
        self.published.send_modify(|count| *count = count.wrapping_add(1));
    }

    /// What is in force; `None` before the first publication.
    pub fn current(&self) -> Option<Arc<T>> {
        self.current.load_full()
    }

    /// One more reader.
    pub fn reader(&self) -> Reader<T> {
        Reader { current: Arc::clone(&self.current), published: self.published.subscribe() }
    }
}

// === impl Reader ===

impl<T> Reader<T> {
    /// What is in force; `None` before the first publication. Load once for each decision and keep the result.
    pub fn load(&self) -> Option<Arc<T>> {
        self.current.load_full()
    }

    /// Changes with each publication, to wait for the next one. Who decides never waits for it.
    pub fn publications(&self) -> watch::Receiver<u64> {
        self.published.clone()
    }
}

impl<T> Clone for Reader<T> {
    fn clone(&self) -> Self {
        Self { current: Arc::clone(&self.current), published: self.published.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_in_force_before_the_first_publication() {
        let (publisher, reader) = channel::<u8>();
        assert_eq!((publisher.current(), reader.load()), (None, None));
    }

    #[test]
    fn every_reader_sees_the_latest_and_a_held_one_stays() {
        let (mut publisher, reader) = channel();
        publisher.publish(Arc::new(1));
        let held = reader.load().unwrap();
        publisher.publish(Arc::new(2));
        assert_eq!(*held, 1);
        assert_eq!(reader.clone().load().as_deref(), Some(&2));
        assert_eq!(publisher.reader().load().as_deref(), Some(&2));
    }

    #[test]
    fn readers_never_see_a_step_back() {
        let (mut publisher, reader) = channel();
        publisher.publish(Arc::new(0u64));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                let reader = reader.clone();
                scope.spawn(move || {
                    let mut last = 0;
                    while last < 10_000 {
                        let now = reader.load().map_or(0, |value| *value);
                        assert!(now >= last, "{now} after {last}");
                        last = now;
                    }
                });
            }
            for value in 1..=10_000 {
                publisher.publish(Arc::new(value));
            }
        });
    }
}
