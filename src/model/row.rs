//! A record's typed values as a row of whole numbers, and how a row is packed into bytes.
//!
//! Every property type has an integer form (codes and areas by dictionary number, moments in
//! seconds, decimals scaled), so a row is `[i64]` while it is worked on and a fixed number of bytes
//! while it is kept: about 25 bytes for a dossier. Fixed width lets a correction overwrite its
//! predecessor in place.

/// The value of a slot that has none.
pub const NULL: i64 = i64::MIN;

/// Seconds since 1970 of 2000-01-01T00:00:00Z, before which no record is believed.
pub const EARLIEST: i64 = 946_684_800;

/// Seconds since 1970 at which the 32 bits of a packed moment end, in 2136.
pub const LATEST: i64 = EARLIEST + (u32::MAX as i64) - 1;

/// Days since 1970 of 2000-01-01.
pub const EARLIEST_DAY: i64 = 10_957;

/// Days since 1970 at which the 16 bits of a packed day end, in 2179.
pub const LATEST_DAY: i64 = EARLIEST_DAY + (u16::MAX as i64) - 1;

/// How a slot is packed. [`NULL`] is always all zeros, so that a record that gained a property is
/// greater than the same record without it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Packing {
    /// Not kept: the property lives in the key only.
    Nothing,
    /// 1 byte: false, true.
    Boolean,
    /// 2 bytes: a dictionary number.
    Number16,
    /// 2 bytes: days since 2000.
    Day,
    /// 4 bytes: seconds since 2000.
    Moment,
    /// 4 bytes: a whole number of 31 bits and sign.
    Integer32,
    /// 8 bytes.
    Integer64,
}

impl Packing {
    /// How many bytes it takes.
    pub const fn width(self) -> usize {
        match self {
            Self::Nothing => 0,
            Self::Boolean => 1,
            Self::Number16 | Self::Day => 2,
            Self::Moment | Self::Integer32 => 4,
            Self::Integer64 => 8,
        }
    }

    /// Appends `value` to `out`.
    #[inline]
    pub fn pack(self, value: i64, out: &mut Vec<u8>) {
        let null = value == NULL;
        let since = |from: i64| if null { 0 } else { value - from + 1 };
        match self {
            Self::Nothing => {}
            Self::Boolean => out.push(since(0) as u8),
            Self::Number16 => out.extend_from_slice(&(since(1) as u16).to_le_bytes()),
            Self::Day => out.extend_from_slice(&(since(EARLIEST_DAY) as u16).to_le_bytes()),
            Self::Moment => out.extend_from_slice(&(since(EARLIEST) as u32).to_le_bytes()),
            Self::Integer32 => {
                let value = if null { i32::MIN } else { value as i32 };
                out.extend_from_slice(&(value as u32 ^ 1 << 31).to_le_bytes());
            }
            Self::Integer64 => out.extend_from_slice(&(value as u64 ^ 1 << 63).to_le_bytes()),
        }
    }

    /// Reads one value off the front of `bytes`, which must be at least [`Packing::width`] long.
    #[inline]
    pub fn unpack(self, bytes: &[u8]) -> i64 {
        let two = || i64::from(u16::from_le_bytes([bytes[0], bytes[1]]));
        let four = || u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
        match self {
            Self::Nothing => NULL,
            Self::Boolean => non_zero(i64::from(bytes[0]), -1),
            Self::Number16 => non_zero(two(), 0),
            Self::Day => non_zero(two(), EARLIEST_DAY - 1),
            Self::Moment => non_zero(i64::from(four()), EARLIEST - 1),
            Self::Integer32 => match (four() ^ 1 << 31) as i32 {
                i32::MIN => NULL,
                value => i64::from(value),
            },
            Self::Integer64 => {
                let mut eight = [0; 8];
                eight.copy_from_slice(&bytes[..8]);
                (u64::from_le_bytes(eight) ^ 1 << 63) as i64
            }
        }
    }
}

#[inline]
fn non_zero(packed: i64, offset: i64) -> i64 {
    if packed == 0 { NULL } else { packed + offset }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_is_unpacked() {
        let cases = [
            (Packing::Boolean, vec![NULL, 0, 1]),
            (Packing::Number16, vec![NULL, 1, 65_000]),
            (Packing::Day, vec![NULL, EARLIEST_DAY, LATEST_DAY]),
            (Packing::Moment, vec![NULL, EARLIEST, LATEST]),
            (Packing::Integer32, vec![NULL, 0, -1, i64::from(i32::MAX), i64::from(i32::MIN) + 1]),
            (Packing::Integer64, vec![NULL, 0, -1, i64::MAX, i64::MIN + 1]),
        ];
        for (packing, values) in cases {
            for value in values {
                let mut bytes = Vec::new();
                packing.pack(value, &mut bytes);
                assert_eq!(bytes.len(), packing.width());
                assert_eq!(packing.unpack(&bytes), value, "{packing:?}");
            }
        }
    }
}
