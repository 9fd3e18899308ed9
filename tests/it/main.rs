//! All integration tests, in one binary.
#![cfg(test)]
#![expect(clippy::float_cmp, reason = "what is compared is equal to the bit or wrong")]

mod cli;
mod config;
mod demo;
mod deploy;
mod first;
mod oracle;
mod readme;
mod sick;
mod support;
mod tidy;
