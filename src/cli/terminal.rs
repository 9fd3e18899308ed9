//! The only file that writes to the terminal.

use std::io::Write;

/// A line for people, on standard error.
pub(super) fn message(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// A line of data, on standard output; `false` when nobody reads any more.
pub(super) fn data(text: &str) -> bool {
    writeln!(std::io::stdout(), "{text}").is_ok()
}
