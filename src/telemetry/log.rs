//! Log output: text for people, JSON for machines, on standard error.

use std::io::Write as _;

use tracing_subscriber::EnvFilter;

/// How log lines are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// Has panics told by their place, as a line of the log where there is one. Of their words only those
/// are told that stand in the program: others may quote a record.
pub fn tell_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let at = panic.location().map_or_else(String::new, ToString::to_string);
        let what = panic.payload().downcast_ref::<&str>().unwrap_or(&"its words are not told");
        if tracing::dispatcher::has_been_set() {
            tracing::error!(at, what, "panicked: a fault of the gateway");
        } else {
            let _ = writeln!(std::io::stderr(), "panicked: a fault of the gateway at {at}: {what}");
        }
    }));
}

/// Starts logging; later calls are ignored. `IOCGW_LOG` chooses levels, as in `info,iocgw=debug`.
pub fn start(format: LogFormat, default: &str) {
    let filter = EnvFilter::try_from_env("IOCGW_LOG").unwrap_or_else(|_| EnvFilter::new(default));
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_target(false);
    let _ = match format {
        LogFormat::Text => {
            lines.with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr())).try_init()
        }
        LogFormat::Json => lines.json().flatten_event(true).try_init(),
    };
}
