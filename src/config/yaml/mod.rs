//! One YAML file: text in, typed settings out, every problem with its file, line and column.
//!
//! serde stops at the first error and forgets where it was, so a file is first read into a tree of
//! [`Node`]s that know their places, and typed settings are then decoded from the tree as often as
//! it takes to find every problem ([`decode`]). The order of use is [`read`] or [`parse`],
//! [`refuse_inline_secrets`], [`interpolate`], [`decode`]. No message ever shows the value of a key
//! that is named like a secret, nor what a variable of the environment stood for.

mod access;
mod decode;
mod fault;
mod filler;
mod inside;
mod interpolate;
mod locate;
mod node;
mod overlay;
mod parse;
mod problem;
mod secrets;
mod syntax;
mod view;
mod words;

pub use decode::decode;
pub use interpolate::{UNSET, interpolate};
pub use node::{Key, Node};
pub use parse::{MAX_BYTES, parse, read};
pub use problem::{Place, Problem};
pub use secrets::refuse_inline_secrets;

#[cfg(test)]
mod tests;
