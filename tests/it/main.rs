//! All integration tests, in one binary.
#![cfg(test)]

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
