//! How a source's records come: it is asked, it drops files, it pushes, or the gateway knows them by
//! itself; and what then makes no sense to say.

use super::compile::Compiler;
use super::files::Read;
use super::written::{Source, Stream};
use crate::{pipeline, pull};

/// A source is asked, drops files or pushes, and says who is who.
pub(super) fn ways_in(source: &Source, problems: &mut Vec<(String, String)>) {
    let mut wrong = |at: &str, message: &str| problems.push((at.to_owned(), message.to_owned()));
    let ways = [
        source.requester.is_some(),
        source.file.is_some(),
        source.intake.is_some(),
        source.register.is_some(),
    ];
    match ways.iter().filter(|way| **way).count() {
        0 => wrong("", "say how its records come: 'requester', 'file', 'intake' or 'register'"),
        1 => {}
        _ => wrong("", "its records come in one way: 'requester', 'file', 'intake' or 'register'"),
    }
    if source.requester.is_some() != source.authenticator.is_some() {
        wrong(
            "authenticator",
            "'authenticator' goes with 'requester'; {kind: none} if none is needed",
        );
    }
    if source.requester.is_none() && source.fleet.is_some() {
        wrong("fleet", "the targets of a fleet are asked: they need a 'requester'");
    }
    if source.file.is_some() && source.streams.len() > 1 {
        wrong("streams", "a source of files has one stream: give each kind of file a source");
    }
    if let Some(requester) = &source.requester {
        requester.check("requester", problems);
    }
    if let Some(authenticator) = &source.authenticator {
        authenticator.check("authenticator", problems);
    }
    if let Some(file) = &source.file {
        file.check("file", problems);
    }
    if let Some(register) = &source.register {
        register.check("register", problems);
    }
    if let Some(intake) = &source.intake {
        intake.check("intake", problems);
    }
}

/// What a stream says that only one that is asked has a use for.
fn for_asking(stream: &Stream, is_pushed: bool) -> impl Iterator<Item = &'static str> {
    let is_paged = !matches!(stream.paginator, pull::Paginator::None {});
    [
        (is_pushed && stream.interval.as_seconds() > 0, "interval"),
        (!stream.path.is_empty(), "path"),
        (!stream.query.is_empty(), "query"),
        (is_paged, "paginator"),
        (stream.cursor.is_some(), "cursor"),
        (stream.parent.is_some(), "parent"),
        (stream.reconcile.is_some(), "reconcile"),
    ]
    .into_iter()
    .filter_map(|(is_there, key)| is_there.then_some(key))
}

impl Compiler<'_> {
    /// What a stream says must fit how its source's records come.
    pub(super) fn ways_of(&mut self, read: &Read<Source>, at: &str, stream: &Stream) {
        if read.value.intake.is_some() {
            let message = "nobody asks for the records of a stream that is pushed to: leave it out";
            for key in for_asking(stream, true) {
                self.files.problem(read, &format!("{at}.{key}"), message);
            }
        } else if stream.interval.as_seconds() < 1 {
            let message = "say how often it is asked; the shortest interval is 1s";
            self.files.problem(read, &format!("{at}.interval"), message);
        }
        let is_own = read.value.register.is_some();
        if is_own || read.value.file.is_some() {
            let message = if is_own {
                "the gateway reads its own register whole: leave it out"
            } else {
                "a file is taken whole: leave it out"
            };
            for key in for_asking(stream, false) {
                self.files.problem(read, &format!("{at}.{key}"), message);
            }
        }
        if read.value.file.is_none() && stream.data_through == pipeline::DataThrough::Modified {
            let message = "only files have a time at which they were modified";
            self.files.problem(read, &format!("{at}.data_through"), message);
        }
    }
}
