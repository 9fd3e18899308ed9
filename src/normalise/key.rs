//! Identifiers leave this stage only as keyed hashes.
//!
//! A plain hash of a dossier or citizen number is searched in minutes; a keyed one is useless without
//! the key, which lives in a file outside the database. Each contract has its own derived key, so that
//! tables cannot be joined by accident; contracts that name the same `linkage` share one on purpose.
//! A derived key has an id, which the store remembers: records hashed under another key are strangers
//! to it, and would be counted twice. Parts are length-prefixed, so `("1", "23")` is not `("12", "3")`.

/// Hashes the identifiers of one contract.
#[derive(Clone)]
pub struct KeyHasher {
    key: [u8; 32],
}

impl std::fmt::Debug for KeyHasher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("KeyHasher(***)")
    }
}

impl KeyHasher {
    /// The hasher of `contract`, derived from the installation's identifier key.
    pub fn new(master: &[u8], contract: &str) -> Self {
        let context = format!("ioc-gateway 2026 identifiers of contract {contract}");
        Self { key: blake3::derive_key(&context, master) }
    }

    /// The hasher that all contracts of a linkage share.
    pub fn shared(master: &[u8], linkage: &str) -> Self {
        let context = format!("ioc-gateway 2026 identifiers of linkage {linkage}");
        Self { key: blake3::derive_key(&context, master) }
    }

    /// Tells this key from others, and nothing about it.
    pub fn id(&self) -> u32 {
        let derived = blake3::derive_key("ioc-gateway 2026 identifier key id", &self.key);
        u32::from_be_bytes([derived[0], derived[1], derived[2], derived[3]])
    }

    /// The hash of a message of length-prefixed parts.
    pub fn hash(&self, message: &[u8]) -> u128 {
        let mut half = [0; 16];
        half.copy_from_slice(&blake3::keyed_hash(&self.key, message).as_bytes()[..16]);
        u128::from_le_bytes(half)
    }
}

/// Appends one length-prefixed part to a message.
pub(super) fn part(message: &mut Vec<u8>, bytes: &[u8]) {
    message.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
    message.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(hasher: &KeyHasher, parts: &[&str]) -> u128 {
        let mut message = Vec::new();
        for text in parts {
            part(&mut message, text.as_bytes());
        }
        hasher.hash(&message)
    }

    #[test]
    fn hashes_depend_on_key_contract_and_parts() {
        let hasher = KeyHasher::new(b"one", "dossiers");
        assert_eq!(hash(&hasher, &["a", "b"]), hash(&hasher, &["a", "b"]));
        assert_ne!(hash(&hasher, &["1", "23"]), hash(&hasher, &["12", "3"]));
        assert_ne!(hash(&hasher, &["a"]), hash(&KeyHasher::new(b"two", "dossiers"), &["a"]));
        assert_ne!(hash(&hasher, &["a"]), hash(&KeyHasher::new(b"one", "returns"), &["a"]));
        assert_eq!(format!("{hasher:?}"), "KeyHasher(***)");
    }

    #[test]
    fn a_linkage_is_shared_on_purpose_and_ids_tell_keys_apart() {
        let (one, other) = (KeyHasher::shared(b"k", "people"), KeyHasher::shared(b"k", "people"));
        assert_eq!(hash(&one, &["a"]), hash(&other, &["a"]));
        let ids = [
            one.id(),
            KeyHasher::shared(b"k", "places").id(),
            KeyHasher::new(b"k", "people").id(),
            KeyHasher::new(b"k2", "people").id(),
        ];
        assert_eq!(std::collections::HashSet::from(ids).len(), 4);
        assert_eq!(one.id(), other.id());
    }
}
