//! Why a published figure changed.

use schemars::JsonSchema;
use serde::Serialize;

/// The cause of a change of cells: a closed list, used in the journal, the API and metrics.
///
/// `Arrived` is the ordinary growth of a day that is not over; everything else revises a figure that
/// somebody may have printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// A record came in for a day that was not over yet.
    Arrived,
    /// A record came in for a day that was over.
    Late,
    /// A newer version of a record replaced an older one.
    Corrected,
    /// A record was withdrawn, or vanished from its source.
    Retracted,
    /// Areas changed: the same records now count elsewhere.
    Rebased,
    /// The definition of a measure or indicator changed.
    Redefined,
}

impl Cause {
    /// Every cause, in the order of their numbers in the journal.
    pub const ALL: [Self; 6] = [
        Self::Arrived,
        Self::Late,
        Self::Corrected,
        Self::Retracted,
        Self::Rebased,
        Self::Redefined,
    ];

    /// The word used in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Arrived => "arrived",
            Self::Late => "late",
            Self::Corrected => "corrected",
            Self::Retracted => "retracted",
            Self::Rebased => "rebased",
            Self::Redefined => "redefined",
        }
    }
}
