//! Files that are whole or not there.

use std::fs::Permissions;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::{Context, Result};
use tempfile::NamedTempFile;

/// Writes a file by way of a temporary one in the same folder: written, flushed to disk, renamed.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> Result<()> {
    let folder = path.parent().context("a file has a folder")?;
    let write = || -> Result<NamedTempFile> {
        let mut file = partial(folder)?;
        file.write_all(bytes)?;
        Ok(file)
    };
    persist(write().with_context(|| format!("cannot write {}", path.display()))?, path)
}

/// Flushes a temporary file to disk and gives it its name.
pub fn persist(file: NamedTempFile, path: &Path) -> Result<()> {
    file.as_file().sync_all()?;
    file.persist(path).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(())
}

/// A temporary file that may be renamed to a result: readable by whom the umask allows, like any other file.
pub fn partial(folder: &Path) -> std::io::Result<NamedTempFile> {
    tempfile::Builder::new().prefix(".partial-").permissions(Permissions::from_mode(0o666)).tempfile_in(folder)
}
