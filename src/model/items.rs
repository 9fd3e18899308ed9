//! Records that may be read one by one.
//!
//! What people look at are amounts, and of nearly all records nothing else ever leaves the store. A
//! register of models and tasks is different: it *is* its items, and a tracker without them is no
//! tracker. So a contract may say that its records are `readable`, and how many there are at most; they
//! are then part of the picture that readers see, each as the row of whole numbers that the store
//! keeps. Identifiers are not in it (of them only a hash exists), texts are what the contract bounds,
//! and a register that outgrows its number is cut and says by how many.

/// The most records of a contract that may be read one by one.
pub const MOST_ITEMS: u32 = 1_000;

/// The readable records of one contract.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Items {
    /// Rows by slots of the contract's schema, in the order in which they first came.
    pub rows: Vec<Vec<i64>>,
    /// How many more there are than the contract says.
    pub beyond: u64,
}
