//! The IOC data-integration gateway: the map of the house.
//!
//! One program pulls metrics and records from a province's systems, normalises what they send and
//! feeds combined indicators to its operations centre. There is one way through, and the modules
//! stand in its order; lower ones never import higher ones, neighbours never each other (a test
//! sees to it):
//!
//! ```text
//! source ──HTTP──▶ pull ─Page─▶ decode ─Records─▶ normalise ─Observations│Rejects─▶ fold ─changes─▶ store
//!                                                                                                   │
//!      dashboards ◀── serve ◀──Reading── indicator ◀── snapshot of one revision ◀────── one commit ──┘
//! ```
//!
//! - [`model`]: the words of the domain: areas through time, code lists, contracts and their checked
//!   schemas, expressions, rows of whole numbers, cubes, snapshots. [`clock`] tells the time,
//!   [`failpoint`] lets tests kill the process at the worst moments.
//! - [`pull`]: the declarative HTTP client: credentials, paging, retries, limits. Yields bytes.
//! - [`decode`]: from bytes to the mapped values, and nothing else; pure.
//! - [`normalise`]: from values to typed rows, or to rejects with a reason; pure.
//! - [`fold`]: from rows to changes of cubes: subtract the old version, add the new one; pure.
//! - [`indicator`]: from a snapshot to readings, with everything that qualifies them; pure.
//! - [`lateness`]: from a rule and a calendar to reports that are due, on time or late; pure.
//! - [`store`]: state, cubes, quarantine and cursor in one transaction a page; publishes snapshots.
//! - [`telemetry`]: log lines and metrics.
//! - [`pipeline`]: one stream's turn through all of the above, and when it takes it.
//! - [`notify`]: hands messages about changes over to those who asked for them, signed.
//! - [`serve`]: the API and the first page; every answer comes from one snapshot.
//! - [`config`]: a folder of files, checked as a whole, all problems at once.
//! - [`app`]: from a configuration to running parts, and the order of life and of stopping.
//! - [`rehearse`]: stewards' cases: given records, expected rows, rejects and readings.
//! - [`cli`]: the commands.
//! - [`province`]: the simulated systems for the demo and the tests. It shares no code with the stages
//!   above, so that it can be their oracle.
//!
//! # What always holds
//!
//! 1. *Exact*: a cube cell equals the fold over the latest accepted version of each record; any
//!    order, repetition or split of the same pages gives the same cube.
//! 2. *Once*: a page's effects and the cursor are committed together, or not at all.
//! 3. *Conserved*: received = accepted + superseded + duplicate + quarantined + rejected.
//! 4. *Private by construction*: a field that no stream maps is never decoded; identifiers leave
//!    `normalise` only as keyed hashes; no raw body is stored or logged.
//! 5. *Additive*: only additive quantities are stored; no floats before an indicator is read.
//! 6. *Qualified*: no number leaves without status, freshness, completeness and accountable unit; a
//!    missing value is null with a reason, never 0.
//! 7. *Consistent*: every answer comes from one revision; communes add up to the province.
//! 8. *Bounded*: every input, queue, label set and answer has a finite limit.
//! 9. *Isolated*: a sick source delays no other and never makes the gateway unready.

pub mod clock;
pub mod failpoint;
pub mod model;

pub mod decode;
pub mod fold;
pub mod indicator;
pub mod lateness;
pub mod normalise;
pub mod pull;

pub mod store;
pub mod telemetry;

pub mod notify;
pub mod pipeline;
pub mod serve;

pub mod config;

pub mod app;
pub mod rehearse;

pub mod cli;

pub mod province;
