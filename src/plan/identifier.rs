//! Unique ids of entities: as in AWS, one who is created anew under an old name has another.

use std::hash::Hasher as _;

use siphasher::sip128::{Hasher128 as _, SipHasher24};

use crate::world::Kind;

/// The keys; with others every id would be another.
const KEYS: (u64, u64) = (0x6b75_6265_2d69_616d, 0x756e_6971_7565_2069);
/// Base32 (RFC 4648 §6).
const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
/// Characters after the prefix, of 5 bits each.
const CHARACTERS: u32 = 16;

/// The unique id of the object with a uid: a prefix for its kind and 80 bits of a hash of the uid, 20 characters.
///
/// It is derived, so nothing has to remember it, and it never comes back: Kubernetes gives no uid twice.
pub fn unique_id(kind: Kind, uid: &str) -> String {
    let mut hasher = SipHasher24::new_with_keys(KEYS.0, KEYS.1);
    hasher.write(uid.as_bytes());
    let hash = hasher.finish128().as_u128();
    let prefix = match kind {
        Kind::User => "KIAU",
        Kind::Group => "KIAG",
        Kind::Role => "KIAR",
        Kind::Policy => "KIAP",
    };
    let character = |index: u32| {
        let bits = usize::try_from((hash >> index.saturating_mul(5)) & 31).unwrap_or(0);
        ALPHABET.get(bits).copied().map(char::from)
    };
    prefix.chars().chain((0..CHARACTERS).filter_map(character)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_that_of_one_uid_for_ever() {
        let uid = "0b1f7a52-6c1d-4a55-9a3c-6f8a2f6c0e11";
        assert_eq!(unique_id(Kind::Policy, uid), "KIAPWFV4E636FRS2A63O");
        assert_ne!(unique_id(Kind::Policy, uid), unique_id(Kind::Policy, "0b1f7a52-6c1d-4a55-9a3c-6f8a2f6c0e12"));
        for kind in Kind::ALL {
            let id = unique_id(kind, uid);
            assert_eq!(id.len(), 20);
            assert!(id.bytes().all(|byte| ALPHABET.contains(&byte)), "{id}");
        }
    }
}
