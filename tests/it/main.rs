//! All integration tests, in one binary.
#![cfg(test)]

mod config;
mod deploy;
mod first;
mod oracle;
mod readme;
mod support;
mod tidy;
