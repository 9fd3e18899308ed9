//! The promises of the store, kept or broken on purpose on real files.
