//! The stewards' interface: a folder of YAML, checked as a whole, all problems at once.
//!
//! `config` composes and cross-checks the settings that live beside the code which obeys them; what
//! leaves it cannot be invalid. [`yaml`] reads one file and gives every problem its place.

pub mod yaml;
