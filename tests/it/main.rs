//! All integration tests, in one binary.
#![cfg(test)]

mod deploy;
mod first;
mod oracle;
mod readme;
mod support;
