//! Refresh tokens that a token endpoint replaces with each use, kept across restarts.
//!
//! Such a token works once. Whoever loses its successor is locked out until somebody logs in by
//! hand, so the successor is on the disk before the access token that came with it is used, in a file
//! that only its owner may read, replaced as a whole. It is only written if the file still holds what
//! the call was made with: another process may have been faster. A token that the operator puts into
//! the secrets directory anew takes the place of everything kept.

use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::error::{PullError, Reason};
use super::secret::{Secret, SecretFile};

/// A kept refresh token and the one of the operator that it goes back to.
#[derive(Serialize, Deserialize)]
struct Written {
    /// Tells whether the operator has put in another token since, without repeating it.
    began_with: String,
    refresh_token: String,
}

/// The place of one refresh token.
pub(super) struct Kept<'a> {
    pub(super) seed: &'a SecretFile,
    pub(super) secrets_dir: &'a Path,
    pub(super) state_dir: &'a Path,
}

impl Kept<'_> {
    /// The token to use now: the latest that was kept, or the operator's.
    pub(super) async fn current(&self) -> Result<Secret, PullError> {
        let seed = self.seed.read(self.secrets_dir).await?;
        let kept = self.read(&mark(&seed)).await;
        Ok(kept.unwrap_or(seed))
    }

    /// Keeps `new`, which came for `used`, unless something else is kept by now.
    pub(super) async fn replace(&self, used: &Secret, new: &Secret) -> Result<(), PullError> {
        let seed = self.seed.read(self.secrets_dir).await?;
        let began_with = mark(&seed);
        let current = self.read(&began_with).await.unwrap_or(seed);
        if current != *used {
            return Ok(());
        }
        let written = Written { began_with, refresh_token: new.expose().to_owned() };
        let text = serde_json::to_string(&written).map_err(|_| refused("cannot be written"))?;
        let (folder, path) = (self.state_dir.to_owned(), self.path());
        let write = tokio::task::spawn_blocking(move || write(&folder, &path, &text)).await;
        let kind = match write {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(error)) => error.kind().to_string(),
            Err(_) => "the write broke off".to_owned(),
        };
        Err(refused(&format!("cannot be kept: {kind}")))
    }

    async fn read(&self, began_with: &str) -> Option<Secret> {
        let text = tokio::fs::read_to_string(self.path()).await.ok()?;
        let written: Written = serde_json::from_str(&text).ok()?;
        (written.began_with == began_with).then(|| Secret::new(written.refresh_token))
    }

    fn path(&self) -> PathBuf {
        self.state_dir.join(format!("{}.json", self.seed.name()))
    }
}

fn mark(seed: &Secret) -> String {
    blake3::hash(seed.expose().as_bytes()).to_hex()[..16].to_owned()
}

/// Writes beside the file, makes it lasting and puts it in the file's place.
fn write(folder: &Path, path: &Path, text: &str) -> std::io::Result<()> {
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let beside = path.with_extension("new");
    let mut options = std::fs::OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&beside, path)?;
    std::fs::File::open(folder)?.sync_all()
}

fn refused(what: &str) -> PullError {
    PullError::refused(Reason::Auth, format!("the new refresh token {what}"))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[tokio::test]
    async fn a_new_token_outlives_the_process_and_only_its_owner_reads_it() {
        let (secrets, state) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        std::fs::write(secrets.path().join("refresh"), "first\n").unwrap();
        let seed = SecretFile::new("refresh");
        let state_dir = state.path().join("deeper");
        let kept = Kept { seed: &seed, secrets_dir: secrets.path(), state_dir: &state_dir };
        let first = kept.current().await.unwrap();
        assert_eq!(first.expose(), "first");
        kept.replace(&first, &Secret::new("second")).await.unwrap();
        let again = Kept { seed: &seed, secrets_dir: secrets.path(), state_dir: &state_dir };
        assert_eq!(again.current().await.unwrap().expose(), "second");
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&kept.path()), 0o600);
        assert_eq!(mode(&state_dir), 0o700);
        assert!(!kept.path().with_extension("new").exists());

        // Who comes too late changes nothing.
        kept.replace(&first, &Secret::new("stray")).await.unwrap();
        assert_eq!(kept.current().await.unwrap().expose(), "second");

        // The operator's new token takes the place of everything kept.
        std::fs::write(secrets.path().join("refresh"), "anew\n").unwrap();
        assert_eq!(kept.current().await.unwrap().expose(), "anew");
    }

    #[tokio::test]
    async fn what_is_kept_but_garbled_counts_as_not_kept() {
        let (secrets, state) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        std::fs::write(secrets.path().join("refresh"), "first").unwrap();
        let seed = SecretFile::new("refresh");
        let kept = Kept { seed: &seed, secrets_dir: secrets.path(), state_dir: state.path() };
        std::fs::write(kept.path(), "{").unwrap();
        assert_eq!(kept.current().await.unwrap().expose(), "first");
    }
}
