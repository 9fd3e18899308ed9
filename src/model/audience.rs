//! For whom a figure is told.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Who reads: people of the administration, or everybody.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Audience {
    /// People of the administration, who may see every figure that their key reaches.
    #[default]
    Internal,
    /// Everybody: a page on the internet, a screen in a hall. Is told final months, quarters and years, and
    /// of them nothing about few people.
    Public,
}

impl Audience {
    /// Every audience.
    pub const ALL: [Self; 2] = [Self::Internal, Self::Public];

    /// Its word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Internal => "internal",
            Self::Public => "public",
        }
    }
}
