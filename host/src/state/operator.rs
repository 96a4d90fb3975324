//! The file with the operator's token: made at the first start, readable by
//! its owner only. It needs no state directory.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::StateError;
use super::components::sync_directory;
use super::tokens::random_token;

/// Bytes of the longest file that can be a token's.
const BYTES_MAX: u64 = 4096;

/// Why there is no operator's token.
#[derive(Debug, thiserror::Error)]
pub enum TokenFileError {
    /// Others may read it.
    #[error("the token file {} can be read or changed by others (mode {mode:03o}); `chmod 600` it, and make a new token by removing it if others may have read it", path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// There is nothing in it.
    #[error("the token file {} has no token in it; remove it, and the next start makes a new one", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// There is something else in it.
    #[error("the token file {} has something else than one token in it; it is to have one line of printable characters without spaces", path.display())]
    Unfit {
        /// The file.
        path: PathBuf,
    },
    /// It could not be read or made.
    #[error("cannot use the token file {}", path.display())]
    Failed {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// Reads the operator's token, or makes it.
///
/// # Errors
///
/// If the file exists but others may read it, if it does not have one token in
/// it, or if it cannot be read or made.
pub fn operator_token(path: &Path) -> Result<String, TokenFileError> {
    let failed = |error: io::Error| TokenFileError::Failed { path: path.to_owned(), source: error.into() };
    match File::open(path) {
        Ok(file) => read(path, file),
        Err(error) if error.kind() == io::ErrorKind::NotFound => make(path),
        Err(error) => Err(failed(error)),
    }
}

fn read(path: &Path, file: File) -> Result<String, TokenFileError> {
    let failed = |error: io::Error| TokenFileError::Failed { path: path.to_owned(), source: error.into() };
    let mode = file.metadata().map_err(failed)?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(TokenFileError::Exposed { path: path.to_owned(), mode });
    }
    let mut bytes = Vec::new();
    file.take(BYTES_MAX).read_to_end(&mut bytes).map_err(failed)?;
    let token = bytes.trim_ascii();
    if token.is_empty() {
        return Err(TokenFileError::Empty { path: path.to_owned() });
    }
    let fit = token.iter().all(u8::is_ascii_graphic);
    match String::from_utf8(token.to_vec()) {
        Ok(token) if fit => Ok(token),
        _ => Err(TokenFileError::Unfit { path: path.to_owned() }),
    }
}

fn make(path: &Path) -> Result<String, TokenFileError> {
    let failed = |source| TokenFileError::Failed { path: path.to_owned(), source };
    let token = random_token().map_err(|error| failed(error.into()))?;
    // Written under another name first: a host that is killed meanwhile leaves
    // no empty file.
    let unfinished = path.with_added_extension("new");
    let written = write(&unfinished, &token)
        // A link never replaces what another host has just made.
        .and_then(|()| std::fs::hard_link(&unfinished, path))
        .map_err(|error| failed(error.into()));
    let removed = std::fs::remove_file(&unfinished).map_err(|error| failed(error.into()));
    written.and(removed)?;
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    sync_directory(directory.unwrap_or(Path::new("."))).map_err(|error: StateError| failed(error.into()))?;
    Ok(token)
}

fn write(path: &Path, token: &str) -> io::Result<()> {
    // One that a killed host has left may have any mode.
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = File::options().write(true).create_new(true).mode(0o600).open(path)?;
    writeln!(file, "{token}")?;
    file.sync_all()
}
