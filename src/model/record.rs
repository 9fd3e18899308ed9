//! What decode yields: for each record only the mapped values, borrowed from the page.

use std::borrow::Cow;

/// One mapped value as it stands on the wire.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Value<'a> {
    /// The field is not there.
    #[default]
    Absent,
    /// The field is null.
    Null,
    /// A text.
    Text(Cow<'a, str>),
    /// A number, as its digits: nothing is rounded on the way in.
    Number(&'a str),
    /// True or false.
    Boolean(bool),
    /// An array, an object, or a text that cannot be read: never right for a property.
    Unfit,
    /// An array that is mapped as one: what is wanted of its items.
    Items(Box<Items<'a>>),
}

/// The wanted values of an array's items, `width` each, in the order of the array.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Items<'a> {
    /// Wanted paths per item; none if only their number counts.
    pub width: usize,
    /// How many items there are.
    pub count: usize,
    /// All values one item after the other.
    pub values: Vec<Value<'a>>,
}

impl<'a> Items<'a> {
    /// The wanted values of each item.
    pub fn iter(&self) -> impl Iterator<Item = &[Value<'a>]> {
        (0..self.count).map(|index| &self.values[index * self.width..(index + 1) * self.width])
    }
}

impl Value<'_> {
    /// The JSON type in a word, for shapes that show no values.
    pub const fn shape(&self) -> &'static str {
        match self {
            Self::Absent => "absent",
            Self::Null => "null",
            Self::Text(_) => "text",
            Self::Number(_) => "number",
            Self::Boolean(_) => "boolean",
            Self::Unfit => "unfit",
            Self::Items(_) => "array",
        }
    }
}

/// Records of a page in which unmapped fields are counted: enough to see that a source has changed,
/// few enough to cost nothing.
pub const COUNTED: usize = 16;

/// The records of one page: `picks` values each, in the order of the mapped paths.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Records<'a> {
    /// Mapped paths per record.
    pub picks: usize,
    /// All values one record after the other.
    pub values: Vec<Value<'a>>,
    /// Positions of records that are no objects or name a mapped field twice.
    pub malformed: Vec<usize>,
    /// How many records the page had, before anything was refused.
    pub count: usize,
    /// The most fields of one record that nobody maps, among the first [`COUNTED`] records; `None`
    /// where records have no fields of their own to count.
    pub unmapped: Option<u64>,
}

impl<'a> Records<'a> {
    /// The mapped values of one record.
    pub fn record(&self, index: usize) -> &[Value<'a>] {
        &self.values[index * self.picks..(index + 1) * self.picks]
    }
}
