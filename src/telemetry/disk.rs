//! What the store takes on its disk, and what is left there.

use std::path::Path;

/// Bytes of the store with its write-ahead log.
pub(super) fn store_size(path: &Path) -> i64 {
    let size = |path: &Path| std::fs::metadata(path).map_or(0, |meta| meta.len() as i64);
    let mut wal = path.as_os_str().to_owned();
    wal.push("-wal");
    size(path) + size(Path::new(&wal))
}

/// Free bytes for this user on the file's volume; -1 where it cannot be told.
pub(super) fn available(path: &Path) -> i64 {
    let folder =
        path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    rustix::fs::statvfs(folder).map_or(-1, |volume| (volume.f_bavail * volume.f_frsize) as i64)
}
