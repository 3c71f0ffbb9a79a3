//! Files into a new folder: all of them or none.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

/// Writes them below `dir/name`, which must not be there yet.
pub fn write(dir: &Path, name: &str, files: &[(&str, String)]) -> Result<PathBuf> {
    if !dir.is_dir() {
        bail!("{} is no folder: make it first, or give another by --dir", dir.display());
    }
    let folder = dir.join(name);
    if folder.symlink_metadata().is_ok() {
        bail!("{} is already there, and nothing is overwritten: take another name or another --dir", folder.display());
    }
    // As folders usually are, where temporary ones are for their owner alone.
    let usual = std::fs::Permissions::from_mode(0o777);
    let prefix = format!(".{name}-");
    let draft = tempfile::Builder::new().prefix(&prefix).permissions(usual).tempdir_in(dir);
    let draft = draft.with_context(|| format!("cannot write to {}", dir.display()))?;
    for (path, text) in files {
        let path = draft.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap_or(draft.path()))?;
        std::fs::write(&path, text).with_context(|| path.display().to_string())?;
    }
    std::fs::rename(draft.path(), &folder).with_context(|| folder.display().to_string())?;
    // It is no longer where it would be removed from.
    let _ = draft.keep();
    Ok(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(dir: &Path) -> Vec<String> {
        std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn files_are_all_there_or_none() {
        let dir = tempfile::tempdir().unwrap();
        let sound = [("a.txt", "a".to_owned()), ("deep/er/b.txt", "b".to_owned())];
        let folder = write(dir.path(), "x", &sound).unwrap();
        assert_eq!(std::fs::read_to_string(folder.join("deep/er/b.txt")).unwrap(), "b");
        assert_eq!(names(dir.path()), ["x"]);
        assert!(write(dir.path(), "x", &sound).unwrap_err().to_string().contains("already there"));
        // A file cannot be below a file.
        let broken = [("a", String::new()), ("a/b", String::new())];
        write(dir.path(), "y", &broken).unwrap_err();
        assert_eq!(names(dir.path()), ["x"], "a failure leaves something");
        assert!(write(&dir.path().join("z"), "x", &sound).unwrap_err().to_string().contains("is no folder"));
    }
}
