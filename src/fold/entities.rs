//! The latest accepted version of every record of a contract, in memory.
//!
//! Rows are packed to a fixed width and kept in the order in which their keys first arrived; an
//! index of four bytes and one control byte per entity finds a key's row. Measured on a million
//! dossiers this is about 55 bytes an entity, and a correction overwrites its row in place. A table
//! keyed by the (random) hash was the slow way, in memory and on disk alike.

use hashbrown::HashTable;

use crate::model::schema::Layout;

/// Rows per chunk; a chunk is also the unit in which a store writes entities back.
pub const CHUNK: usize = 4096;

/// Bytes before the packed slots: 16 of key, 1 of state and origin.
const HEAD: usize = 17;

/// State of an entity that is no longer in its source: it contributes nothing, and the same version
/// brings it back if it comes again.
pub const VANISHED: u8 = 0;

/// State of an entity that counts.
pub const LIVE: u8 = 1;

/// State of an entity that was withdrawn: it contributes nothing, and its version is remembered so
/// that an older one cannot bring it back.
pub const RETRACTED: u8 = 2;

/// Streams that one contract can tell apart. Number 0 is "unknown", for entities written before
/// streams had numbers.
pub const ORIGINS: u8 = 64;

/// The first byte of a body: the state, and the number of the stream that brought the version.
#[inline]
pub const fn flags(state: u8, origin: u8) -> u8 {
    state | origin << 2
}

/// The state in a body.
#[inline]
pub fn state(body: &[u8]) -> u8 {
    body[0] & 3
}

/// The number of the stream that brought the version in a body.
#[inline]
pub fn origin(body: &[u8]) -> u8 {
    body[0] >> 2
}

/// All entities of one contract.
#[derive(Debug, Default)]
pub struct Entities {
    width: usize,
    chunks: Vec<Vec<u8>>,
    count: usize,
    index: HashTable<u32>,
}

impl Entities {
    /// No entities, for rows of this layout.
    pub fn new(layout: &Layout) -> Self {
        Self { width: HEAD + layout.width, ..Self::default() }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Bytes of one record: key, state and packed slots.
    pub fn width(&self) -> usize {
        self.width
    }

    /// The row of a key.
    #[inline]
    pub fn find(&self, key: u128) -> Option<u32> {
        self.index.find(key as u64, |row| self.key(*row) == key).copied()
    }

    /// Makes room for as many of these keys as are new. Looking them all up at once, with nothing in
    /// between, also lets the processor fetch many of them from memory at a time; one by one each
    /// look-up waits for its own.
    pub fn prepare(&mut self, keys: &[u128]) {
        let known = keys.iter().filter(|key| self.find(**key).is_some()).count();
        let (chunks, width) = (&self.chunks, self.width);
        self.index.reserve(keys.len() - known, |row| hash(chunks, width, *row));
    }

    /// The key of a row.
    #[inline]
    pub fn key(&self, row: u32) -> u128 {
        key_of(self.record(row))
    }

    /// The whole record of a row: key, state, packed slots.
    #[inline]
    pub fn record(&self, row: u32) -> &[u8] {
        let (chunk, offset) = self.place(row);
        &self.chunks[chunk][offset..offset + self.width]
    }

    /// State and packed slots of a row, as compared between versions.
    #[inline]
    pub fn body(&self, row: u32) -> &[u8] {
        &self.record(row)[16..]
    }

    fn place(&self, row: u32) -> (usize, usize) {
        (row as usize / CHUNK, row as usize % CHUNK * self.width)
    }

    /// Overwrites state and packed slots of a row.
    pub fn set(&mut self, row: u32, body: &[u8]) {
        let (chunk, offset) = self.place(row);
        self.chunks[chunk][offset + 16..offset + self.width].copy_from_slice(body);
    }

    /// Adds an entity that is not there yet; returns its row.
    pub fn insert(&mut self, key: u128, body: &[u8]) -> u32 {
        let row = self.count as u32;
        if self.count.is_multiple_of(CHUNK) {
            self.chunks.push(Vec::with_capacity(CHUNK * self.width));
        }
        let chunk = self.chunks.last_mut().expect("a chunk was pushed when the last was full");
        chunk.extend_from_slice(&key.to_le_bytes());
        chunk.extend_from_slice(body);
        self.count += 1;
        let (chunks, width) = (&self.chunks, self.width);
        self.index.insert_unique(key as u64, row, |row| hash(chunks, width, *row));
        row
    }

    /// Takes back the newest entity.
    pub fn pop(&mut self) {
        let Some(row) = self.count.checked_sub(1) else { return };
        let key = self.key(row as u32);
        if let Ok(entry) = self.index.find_entry(key as u64, |found| *found == row as u32) {
            entry.remove();
        }
        let (chunk, offset) = self.place(row as u32);
        self.chunks[chunk].truncate(offset);
        if offset == 0 {
            self.chunks.pop();
        }
        self.count = row;
    }

    /// Gives a row another key, which no row has yet.
    pub fn rekey(&mut self, row: u32, key: u128) {
        let old = self.key(row);
        if let Ok(entry) = self.index.find_entry(old as u64, |found| *found == row) {
            entry.remove();
        }
        let (chunk, offset) = self.place(row);
        self.chunks[chunk][offset..offset + 16].copy_from_slice(&key.to_le_bytes());
        let (chunks, width) = (&self.chunks, self.width);
        self.index.insert_unique(key as u64, row, |row| hash(chunks, width, *row));
    }

    /// Takes an entity out: the newest one moves into its row. Yields the record that was there, for
    /// [`Entities::put_back`].
    pub fn take_out(&mut self, row: u32) -> Vec<u8> {
        let taken = self.record(row).to_vec();
        let last = self.count as u32 - 1;
        let moved = self.record(last).to_vec();
        self.pop();
        if row != last {
            self.replace(row, &moved);
        }
        taken
    }

    /// Undoes the last [`Entities::take_out`].
    pub fn put_back(&mut self, row: u32, record: &[u8]) {
        let record = if row as usize == self.count {
            record.to_vec()
        } else {
            let moved = self.record(row).to_vec();
            self.replace(row, record);
            moved
        };
        self.insert(key_of(&record), &record[16..]);
    }

    /// Gives back the memory of the index that is not needed any more.
    pub fn shrink(&mut self) {
        let (chunks, width) = (&self.chunks, self.width);
        self.index.shrink_to_fit(|row| hash(chunks, width, *row));
    }

    /// Puts another entity, which is in no row, into a row.
    fn replace(&mut self, row: u32, record: &[u8]) {
        self.rekey(row, key_of(record));
        self.set(row, &record[16..]);
    }

    /// Puts a record as read from a store: overwrites its row, which may have had another key, or
    /// adds it.
    pub fn put(&mut self, row: u32, record: &[u8]) -> Result<(), String> {
        if record.len() != self.width {
            return Err(format!("an entity of {} bytes instead of {}", record.len(), self.width));
        }
        let key = key_of(record);
        match (row as usize).cmp(&self.count) {
            std::cmp::Ordering::Less if self.key(row) == key => self.set(row, &record[16..]),
            std::cmp::Ordering::Less if self.find(key).is_none() => {
                self.rekey(row, key);
                self.set(row, &record[16..]);
            }
            std::cmp::Ordering::Equal => {
                self.insert(key, &record[16..]);
            }
            _ => return Err(format!("entity row {row} does not fit among {} rows", self.count)),
        }
        Ok(())
    }

    /// The chunks with all records of their rows, in order.
    pub fn chunks(&self) -> &[Vec<u8>] {
        &self.chunks
    }
}

/// The key at the beginning of a record.
#[inline]
fn key_of(record: &[u8]) -> u128 {
    let mut key = [0; 16];
    key.copy_from_slice(&record[..16]);
    u128::from_le_bytes(key)
}

/// The hash under which a row stands in the index: the lower half of its key, which is a hash itself.
#[inline]
fn hash(chunks: &[Vec<u8>], width: usize, row: u32) -> u64 {
    let start = row as usize % CHUNK * width;
    let mut half = [0; 8];
    half.copy_from_slice(&chunks[row as usize / CHUNK][start..start + 8]);
    u64::from_le_bytes(half)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::row::Packing;

    fn key(i: u64) -> u128 {
        u128::from(i.wrapping_mul(0x9E37_79B9_7F4A_7C15)) | u128::from(i) << 64
    }

    #[test]
    fn a_row_with_another_key_is_found_by_that_one_alone() {
        let mut entities = Entities::new(&Layout::new(vec![Packing::Boolean]));
        for i in 0..5000 {
            entities.insert(key(i), &[LIVE, 1]);
        }
        for i in (0..5000).step_by(3) {
            entities.rekey(i as u32, key(i + 10_000));
        }
        for i in 0..5000 {
            let (now, never) = if i % 3 == 0 { (i + 10_000, i) } else { (i, i + 10_000) };
            assert_eq!(entities.find(key(now)), Some(i as u32));
            assert_eq!(entities.find(key(never)), None);
        }
        // A record that names a key of another row does not fit: the file is damaged.
        let record = entities.record(0).to_vec();
        assert!(entities.put(1, &record).is_err());
    }

    #[test]
    fn what_is_taken_out_is_gone_and_can_be_put_back() {
        let mut entities = Entities::new(&Layout::new(vec![Packing::Integer64]));
        let body = |i: u64| [&[LIVE][..], &i.to_le_bytes()].concat();
        let many = CHUNK as u64 + 10;
        for i in 0..many {
            entities.insert(key(i), &body(i));
        }
        let whole = entities.chunks().to_vec();
        let rows = [many as u32 - 1, 0, 5, CHUNK as u32, 5, 0, 17];
        let taken: Vec<_> = rows.iter().map(|row| (*row, entities.take_out(*row))).collect();
        assert_eq!(entities.len(), many as usize - rows.len());
        for (_, record) in &taken {
            assert_eq!(entities.find(key_of(record)), None);
        }
        for row in 0..entities.len() as u32 {
            assert_eq!(entities.find(entities.key(row)), Some(row));
        }
        for (row, record) in taken.iter().rev() {
            entities.put_back(*row, record);
        }
        assert_eq!(entities.chunks(), whole);
        for i in 0..many {
            assert_eq!(entities.find(key(i)), Some(i as u32));
        }
    }

    #[test]
    fn every_key_is_found_in_its_row() {
        let mut entities = Entities::new(&Layout::new(vec![Packing::Integer64]));
        for i in 0..10_000_u64 {
            let mut body = vec![LIVE];
            body.extend_from_slice(&i.to_le_bytes());
            assert_eq!(entities.find(key(i)), None);
            assert_eq!(u64::from(entities.insert(key(i), &body)), i);
        }
        for i in 0..10_000_u64 {
            let row = entities.find(key(i)).unwrap();
            assert_eq!(u64::from(row), i);
            assert_eq!(entities.body(row)[1..], i.to_le_bytes());
        }
        while entities.len() > 4000 {
            entities.pop();
        }
        assert_eq!(entities.find(key(4000)), None);
        assert_eq!(entities.find(key(3999)), Some(3999));
    }
}
