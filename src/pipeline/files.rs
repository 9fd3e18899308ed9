//! Files: records that lie in a folder, dropped there as a register or an export.
//!
//! A file goes the way of a page, each one that the path names in the order of their names. It is taken
//! only when it is whole: when it has not been written to for a while, or was moved into place that
//! long ago. The hash of its content is committed with its records: one that has not changed since is
//! not taken again, after a restart neither, and the turn is a good one without pages. Nothing outside
//! the folder is read, no link is followed, nothing is ever deleted.

use std::fs::{File, OpenOptions};
use std::io::Read as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use schemars::JsonSchema;
use serde::Deserialize;

use super::discovery::named;
use super::turn::deliver;
use super::{Failure, Progress, Shared, Stream};
use crate::model::time::Stamp;
use crate::model::units::{Size, Span};
use crate::pull::{Ending, PullError, Reason};
use crate::store::{Before, Delivery};

/// The most files that one path may name.
const MAX_FILES: usize = 1000;

/// Where a source's files are dropped.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FileSettings {
    /// A file, or files of one folder by a name with one `*`.
    pub path: String,
    /// How long a file must have been left alone to count as whole.
    #[serde(default = "ten_seconds")]
    pub settle: Span,
    /// The largest file.
    #[serde(default = "thirty_two_mebibytes")]
    pub body_limit: Size,
}

fn ten_seconds() -> Span {
    Span::seconds(10)
}

fn thirty_two_mebibytes() -> Size {
    Size(32 << 20)
}

impl FileSettings {
    /// Problems of the settings, by place below `at`.
    pub fn check(&self, at: &str, problems: &mut Vec<(String, String)>) {
        let mut wrong = |key: &str, message: &str| {
            problems.push((format!("{at}.{key}"), message.to_owned()));
        };
        let path = Path::new(&self.path);
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or("");
        if !path.is_absolute() || path.components().any(|part| part.as_os_str() == "..") {
            wrong("path", "must be a whole path, from / on and without '..'");
        } else if self.path.matches('*').count() != name.matches('*').count()
            || name.matches('*').count() > 1
        {
            wrong("path", "may hold one '*', in its last piece");
        }
        if self.settle > Span::seconds(86_400) {
            wrong("settle", "must be at most 1d");
        }
        if !(1..=1 << 30).contains(&self.body_limit.0) {
            wrong("body_limit", "must be 1B to 1GiB");
        }
    }
}

/// A file that lies there whole.
pub(super) struct Whole {
    pub(super) written: Stamp,
    pub(super) bytes: Bytes,
    pub(super) delivery: Delivery,
}

/// Takes every file that has changed, one after the other, as if each were a page.
pub(super) async fn take(
    stream: &Arc<Stream>,
    settings: &FileSettings,
    shared: &Shared,
    progress: &mut Progress,
) -> Result<Ending, Failure> {
    let pattern = settings.path.clone();
    let paths = tokio::task::spawn_blocking(move || named(Path::new("/"), &pattern));
    let paths = paths.await?;
    if paths.is_empty() {
        return Err(refused("no file of this name lies there".to_owned()));
    }
    if paths.len() > MAX_FILES {
        return Err(refused(format!("more than {MAX_FILES} files lie there")));
    }
    for (number, path) in paths.iter().enumerate() {
        // One that is still being written is left for the next turn.
        let Some(whole) = look(settings, path, shared.clock.now()).await? else { continue };
        let written = whole.written;
        let before = shared.store.delivered(stream.index, whole.delivery).await?;
        if matches!(before, Some(Before::Same(_))) {
            tracing::debug!(source = stream.source, number, "a file is unchanged");
        } else {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            one(stream, shared, whole, &name, progress).await?;
        }
        progress.modified = progress.modified.max(Some(written));
    }
    Ok(Ending::Complete)
}

/// Takes one file as if it were a page.
pub(super) async fn one(
    stream: &Arc<Stream>,
    shared: &Shared,
    whole: Whole,
    name: &str,
    progress: &mut Progress,
) -> Result<(), Failure> {
    let taken = (whole.bytes, Some(whole.delivery));
    match deliver(stream, shared, taken, "fetched", progress).await {
        Err(Failure::Pull(PullError::Unreadable { reason, detail })) => {
            let detail = format!("{name}: {detail}");
            Err(PullError::Unreadable { reason, detail }.into())
        }
        done => done,
    }
}

fn refused(detail: String) -> Failure {
    PullError::Transient { reason: Reason::Other, detail }.into()
}

/// Reads a file if it is whole; nothing if it is still being written.
async fn look(settings: &FileSettings, path: &Path, now: Stamp) -> Result<Option<Whole>, Failure> {
    let (path, settings) = (path.to_owned(), settings.clone());
    let work = tokio::task::spawn_blocking(move || read_whole(&path, &settings, now));
    work.await?.map_err(refused)
}

fn read_whole(path: &Path, settings: &FileSettings, now: Stamp) -> Result<Option<Whole>, String> {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let told = |error: std::io::Error| format!("{name} cannot be read: {}", error.kind());
    // A link is not followed: it could lead out of the folder.
    let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
    let mut options = OpenOptions::new();
    let file = options.read(true).custom_flags(flags.bits().cast_signed()).open(path);
    let mut file = file.map_err(told)?;
    let before = mark(&file).map_err(told)?;
    if !before.is_file {
        return Err(format!("{name} is no plain file"));
    }
    let limit = settings.body_limit;
    if before.length > limit.0 {
        return Err(format!("{name} is larger than {limit} (body_limit)"));
    }
    if now.0 - before.written.0.max(before.changed) < settings.settle.as_seconds() {
        return Ok(None);
    }
    let mut bytes = Vec::with_capacity(before.length as usize);
    let length = (&mut file).take(limit.0 + 1).read_to_end(&mut bytes).map_err(told)?;
    // What was written to while it was read is left for the next turn.
    if mark(&file).map_err(told)? != before || length as u64 != before.length {
        return Ok(None);
    }
    let delivery = Delivery::new(&path.to_string_lossy(), &bytes);
    Ok(Some(Whole { written: before.written, bytes: bytes.into(), delivery }))
}

/// By what it is seen that a file is being written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Mark {
    is_file: bool,
    length: u64,
    written: Stamp,
    nanoseconds: i64,
    /// When it was last moved, or otherwise touched.
    changed: i64,
}

fn mark(file: &File) -> std::io::Result<Mark> {
    let meta = file.metadata()?;
    Ok(Mark {
        is_file: meta.is_file(),
        length: meta.len(),
        written: Stamp(meta.mtime()),
        nanoseconds: meta.mtime_nsec(),
        changed: meta.ctime(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(path: &Path) -> FileSettings {
        FileSettings {
            path: path.display().to_string(),
            settle: ten_seconds(),
            body_limit: Size(100),
        }
    }

    fn now() -> i64 {
        crate::clock::Clock::System.now().0
    }

    #[test]
    fn a_file_is_read_when_it_has_been_left_alone_and_is_what_it_should_be() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("register.csv");
        std::fs::write(&path, "a;b\n").unwrap();
        let read = |path: &Path, now: i64| read_whole(path, &settings(path), Stamp(now));
        assert!(read(&path, now()).unwrap().is_none(), "it may still be written");
        let whole = read(&path, now() + 20).unwrap().unwrap();
        assert_eq!(&whole.bytes[..], b"a;b\n");
        std::fs::write(&path, "x".repeat(101)).unwrap();
        assert!(read(&path, now() + 20).err().unwrap().contains("body_limit"));
        let link = folder.path().join("link.csv");
        std::os::unix::fs::symlink("/etc/hostname", &link).unwrap();
        assert!(read(&link, now() + 20).is_err(), "a link could lead out of the folder");
        assert!(read(folder.path(), now() + 20).is_err(), "a folder is no file");
        assert!(read(&folder.path().join("none"), now() + 20).is_err());
    }

    #[test]
    fn paths_that_could_lead_elsewhere_are_problems() {
        for (path, is_good) in [
            ("/drop/register.csv", true),
            ("/drop/*.xlsx", true),
            ("drop/register.csv", false),
            ("/drop/../etc/x.csv", false),
            ("/*/register.csv", false),
            ("/drop/a*b*.csv", false),
        ] {
            let mut problems = Vec::new();
            settings(Path::new(path)).check("file", &mut problems);
            assert_eq!(problems.is_empty(), is_good, "{path}");
        }
    }
}
