//! Word of each use of a root, from who decides to who tells people.

use smol_str::SmolStr;
use tokio::sync::mpsc;

/// Uses that may wait to be told. Beyond that they are counted and logged where they happen, and not told.
const WAITING: usize = 256;

/// A request that the root of an account made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RootUse {
    /// The account.
    pub account: SmolStr,
}

/// The end for who decides, cheap to clone.
#[derive(Clone, Debug)]
pub struct RootUses(mpsc::Sender<RootUse>);

/// The two ends of a new channel.
pub fn root_uses() -> (RootUses, mpsc::Receiver<RootUse>) {
    let (sender, receiver) = mpsc::channel(WAITING);
    (RootUses(sender), receiver)
}

// === impl RootUses ===

impl RootUses {
    /// Tells of a use. Never waits: while too many wait to be told, or when nobody listens, this one is not told.
    pub fn tell(&self, account: &str) {
        let _ = self.0.try_send(RootUse { account: account.into() });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_use_is_told_and_too_many_are_dropped() {
        let (uses, mut receiver) = root_uses();
        for _ in 0..WAITING * 2 {
            uses.clone().tell("payments");
        }
        let told = std::iter::from_fn(|| receiver.try_recv().ok()).count();
        assert_eq!(told, WAITING);
        drop(receiver);
        uses.tell("payments");
    }
}
