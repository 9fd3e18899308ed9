//! Secrets: a configuration names a file, the value is read when it is needed.
//!
//! Reading at the moment of use means that a rotated key works without a restart and that the
//! value lives as briefly as possible. The value's type prints as `***`, so no log line, error or
//! `{:?}` can show it; a name that is not a plain file name is refused without being repeated,
//! since it may be a secret that somebody pasted.

use std::fmt;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::Deserialize;

use super::error::{PullError, Reason};
use super::{Problems, require};

const LONGEST: u64 = 64 * 1024;

/// The name of a file in the secrets directory.
#[derive(Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct SecretFile(String);

/// A secret's value; prints as `***`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl SecretFile {
    /// A secret kept in the file of that name.
    pub fn new(name: impl Into<String>) -> Self {
        Self(name.into())
    }

    /// Pushes a problem unless this is a plain file name.
    pub fn check(&self, at: &str, problems: &mut Problems) {
        let message = "is not a plain file name; put the secret into a file of the secrets \
                       directory and write that file's name here";
        require(self.is_plain(), at, message, problems);
    }

    /// Reads the secret, without the newline at its end.
    pub async fn read(&self, directory: &Path) -> Result<Secret, PullError> {
        let refused = |detail: String| PullError::refused(Reason::Auth, detail);
        if !self.is_plain() {
            return Err(refused("a secret is not given by a plain file name".to_owned()));
        }
        let path = directory.join(&self.0);
        let unreadable = |cause: &std::io::Error| {
            refused(format!("the secret file '{}' cannot be read: {}", self.0, cause.kind()))
        };
        let length = tokio::fs::metadata(&path).await.map_err(|cause| unreadable(&cause))?.len();
        if length > LONGEST {
            return Err(refused(format!("the secret file '{}' is longer than 64KiB", self.0)));
        }
        let text = tokio::fs::read_to_string(&path).await.map_err(|cause| unreadable(&cause))?;
        let text = text.trim_end_matches(['\r', '\n']);
        if text.trim().is_empty() {
            return Err(refused(format!("the secret file '{}' is empty", self.0)));
        }
        Ok(Secret(text.to_owned()))
    }

    /// The file's name.
    pub(super) fn name(&self) -> &str {
        &self.0
    }

    /// Where the file stands, for those who read something else than a line of text from it.
    pub(super) fn path(&self, directory: &Path) -> Result<PathBuf, PullError> {
        if self.is_plain() {
            return Ok(directory.join(&self.0));
        }
        let detail = "a secret is not given by a plain file name";
        Err(PullError::refused(Reason::Auth, detail))
    }

    /// Reads the secret at once, for what is set up when the gateway starts.
    pub(super) fn read_now(&self, directory: &Path) -> Result<Secret, PullError> {
        let path = self.path(directory)?;
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        let text = text.trim_end_matches(['\r', '\n']);
        if text.trim().is_empty() || text.len() as u64 > LONGEST {
            let detail =
                format!("the secret file '{}' cannot be read, is empty or too long", self.0);
            return Err(PullError::refused(Reason::Auth, detail));
        }
        Ok(Secret(text.to_owned()))
    }

    pub(super) fn is_plain(&self) -> bool {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        !self.0.is_empty() && !self.0.starts_with('.') && self.0.chars().all(plain)
    }
}

impl Secret {
    /// A secret that came from somewhere else than a file, such as a token.
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// The value itself: only for the moment of use.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SecretFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_plain() { &self.0 } else { "***" })
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_secret_is_read_without_its_newline_and_never_printed() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("key"), "CANARY-KEY\r\n").unwrap();
        let secret = SecretFile::new("key").read(folder.path()).await.unwrap();
        assert_eq!(secret.expose(), "CANARY-KEY");
        assert_eq!(format!("{secret} {secret:?}"), "*** ***");
    }

    #[tokio::test]
    async fn a_missing_or_empty_file_is_named() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("empty"), " \n").unwrap();
        let missing = SecretFile::new("absent").read(folder.path()).await.unwrap_err();
        assert_eq!(
            missing.to_string(),
            "the secret file 'absent' cannot be read: entity not found"
        );
        assert_eq!(missing.reason(), Reason::Auth);
        let empty = SecretFile::new("empty").read(folder.path()).await.unwrap_err();
        assert_eq!(empty.to_string(), "the secret file 'empty' is empty");
    }

    #[tokio::test]
    async fn a_pasted_secret_or_a_path_is_refused_without_being_repeated() {
        for name in ["../outside", "/etc/passwd", "CANARY secret!", "", ".", "..", ".hidden"] {
            let file = SecretFile::new(name);
            let mut problems = Problems::new();
            file.check("authenticator.key_file", &mut problems);
            assert_eq!(problems.len(), 1, "{name}");
            let error = file.read(Path::new("/")).await.unwrap_err();
            assert!(!format!("{problems:?} {file:?} {error} {error:?}").contains("CANARY"));
        }
    }
}
