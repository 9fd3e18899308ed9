//! Signed checkpoints: "the log had so many entries, and this was the hash of the last one".
//!
//! Signed by Ed25519 with a key from a file outside the store. A checkpoint is kept in the store, and
//! told to the log of the program besides, from where it leaves the machine: whoever can write the
//! store can cut off its end and the checkpoints with it, but not those that others have seen. The line
//! of text is all that is needed to check one later.

use std::fmt;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use rusqlite::{Connection, OptionalExtension as _, params};

use super::head;
use crate::model::time::Stamp;
use crate::store::load::Loaded;

/// What a line of text begins with.
const MARK: &str = "iocgw-audit-v1";

/// The length of a key's seed, in bytes.
const SEED: usize = 32;

/// The state of the log at a moment, signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// How many entries there were.
    pub number: u64,
    /// When.
    pub at: Stamp,
    /// The hash of the last one.
    pub hash: [u8; 32],
    /// The public key of whoever signed it.
    pub signer: Vec<u8>,
    /// The signature.
    pub signature: Vec<u8>,
}

/// Signs checkpoints.
pub struct SigningKey(Ed25519KeyPair);

/// Why a file is no key to sign with.
#[derive(Debug, thiserror::Error)]
pub enum SigningKeyError {
    /// It cannot be read.
    #[error("cannot read the audit key {path}: {error}")]
    Unreadable {
        /// The file.
        path: String,
        /// Why.
        error: std::io::Error,
    },
    /// It is something else.
    #[error(
        "{0} is no audit key: it holds 32 random bytes in base64; make one with: \
         (umask 077; head -c 32 /dev/urandom | base64 > FILE)"
    )]
    Malformed(String),
}

impl SigningKey {
    /// The key in a file: 32 random bytes in base64.
    pub fn read(path: &Path) -> Result<Self, SigningKeyError> {
        let shown = || path.display().to_string();
        let text = std::fs::read_to_string(path)
            .map_err(|error| SigningKeyError::Unreadable { path: shown(), error })?;
        let seed = STANDARD.decode(text.trim()).ok().filter(|seed| seed.len() == SEED);
        let pair = seed.and_then(|seed| Ed25519KeyPair::from_seed_unchecked(&seed).ok());
        pair.map(Self).ok_or_else(|| SigningKeyError::Malformed(shown()))
    }

    /// Its public part.
    pub fn public(&self) -> Vec<u8> {
        self.0.public_key().as_ref().to_vec()
    }

    fn sign(&self, number: u64, at: Stamp, hash: [u8; 32]) -> Checkpoint {
        let mut signed =
            Checkpoint { number, at, hash, signer: self.public(), signature: Vec::new() };
        signed.signature = self.0.sign(signed.message().as_bytes()).as_ref().to_vec();
        signed
    }
}

impl Checkpoint {
    /// What is signed.
    fn message(&self) -> String {
        let hash = blake3::Hash::from_bytes(self.hash).to_hex();
        format!("{MARK} {} {} {hash}", self.number, self.at.0)
    }

    /// Whether it was signed with this key.
    pub fn is_signed_by(&self, public: &[u8]) -> bool {
        let key = UnparsedPublicKey::new(&ED25519, public);
        self.signer == public && key.verify(self.message().as_bytes(), &self.signature).is_ok()
    }

    /// Reads the line of text that it is written as.
    pub fn parse(line: &str) -> Option<Self> {
        let mut words = line[line.find(MARK)?..].split_whitespace().skip(1);
        let number = words.next()?.parse().ok()?;
        let at = Stamp(words.next()?.parse().ok()?);
        let hash = *blake3::Hash::from_hex(words.next()?).ok()?.as_bytes();
        let signer = STANDARD.decode(words.next()?).ok()?;
        // Whatever log it stood in may have put something behind it.
        let is_of_signature = |c: &char| c.is_ascii_alphanumeric() || "+/=".contains(*c);
        let signature: String = words.next()?.chars().take_while(is_of_signature).collect();
        let signature = STANDARD.decode(signature).ok()?;
        Some(Self { number, at, hash, signer, signature })
    }
}

impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (signer, signature) = (STANDARD.encode(&self.signer), STANDARD.encode(&self.signature));
        write!(f, "{} {signer} {signature}", self.message())
    }
}

/// Signs the present state, unless nothing was added since the last time.
pub(in crate::store) fn sign(
    connection: &Connection,
    key: &SigningKey,
    at: Stamp,
) -> Loaded<Option<Checkpoint>> {
    let (number, hash) = head(connection)?;
    let query = "SELECT number FROM audit_checkpoint ORDER BY number DESC LIMIT 1";
    let last: Option<i64> = connection.query_row(query, [], |row| row.get(0)).optional()?;
    if number == 0 || last == Some(number as i64) {
        return Ok(None);
    }
    let signed = key.sign(number, at, hash);
    connection.execute(
        "INSERT OR REPLACE INTO audit_checkpoint VALUES (?1, ?2, ?3, ?4, ?5)",
        params![number as i64, at.0, hash, signed.signer, signed.signature],
    )?;
    Ok(Some(signed))
}

/// All checkpoints that the store keeps, the oldest first.
pub(super) fn all(connection: &Connection) -> Loaded<Vec<Checkpoint>> {
    let mut statement = connection.prepare(
        "SELECT number, at, hash, signer, signature FROM audit_checkpoint ORDER BY number",
    )?;
    let read = |row: &rusqlite::Row<'_>| {
        Ok(Checkpoint {
            number: row.get::<_, i64>(0)? as u64,
            at: Stamp(row.get(1)?),
            hash: row.get(2)?,
            signer: row.get(3)?,
            signature: row.get(4)?,
        })
    };
    statement.query_map([], read)?.collect()
}
