//! The text of a sweep file with the path that messages name.

use super::diagnostic::{Diagnostic, Diagnostics};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Longer files are refused: a sweep written by hand is a few kilobytes, and every message quotes the text.
const MAX_BYTES: u64 = 1 << 20;

/// A sweep file as text.
#[derive(Clone, Debug)]
pub struct Source {
    /// Where it came from, as messages show it.
    pub path: PathBuf,
    /// What it says.
    pub text: String,
}

impl Source {
    /// Reads a file.
    pub fn read(path: &Path) -> Result<Source, Diagnostics> {
        let refuse = |message: String, help: &str| Diagnostics::from(Diagnostic::about_file(path, message, help));
        if path.is_dir() {
            return Err(refuse("is a folder, not a sweep file".into(), "name the file in it, such as `sweep.yaml`"));
        }
        let mut bytes = Vec::new();
        File::open(path)
            .and_then(|file| file.take(MAX_BYTES + 1).read_to_end(&mut bytes))
            .map_err(|error| refuse(format!("cannot be read: {error}"), "check the path and its permissions"))?;
        if bytes.len() as u64 > MAX_BYTES {
            return Err(refuse("is larger than 1 MiB".into(), "split it into several sweeps"));
        }
        let text = String::from_utf8(bytes).map_err(|error| {
            let at = error.utf8_error().valid_up_to();
            refuse(format!("is not UTF-8 text: byte {at} is invalid"), "save it as UTF-8")
        })?;
        Ok(Source { path: path.to_owned(), text })
    }

    /// The folder that the file is in.
    pub(super) fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new(""))
    }

    /// The text without the byte-order mark that some editors write.
    pub(super) fn body(&self) -> &str {
        self.text.strip_prefix('\u{feff}').unwrap_or(&self.text)
    }

    /// Line of a byte of the body, from 1.
    pub(super) fn line(&self, at: usize) -> usize {
        self.body()[..at].matches('\n').count() + 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_a_sweep_is_refused_by_name() {
        let dir = std::env::temp_dir().join(format!("sweep-source-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let write = |name: &str, bytes: &[u8]| {
            let path = dir.join(name);
            std::fs::write(&path, bytes).unwrap();
            Source::read(&path).map(|source| source.text).map_err(|error| error.to_string())
        };
        assert_eq!(write("good.yaml", b"version: 1").unwrap(), "version: 1");
        assert!(write("latin.yaml", b"name: caf\xe9").unwrap_err().contains("not UTF-8 text: byte 9"));
        assert!(write("big.yaml", &vec![b'#'; (1 << 20) + 1]).unwrap_err().contains("larger than 1 MiB"));
        assert!(Source::read(&dir).unwrap_err().to_string().contains("is a folder"));
        assert!(Source::read(&dir.join("none.yaml")).unwrap_err().to_string().contains("cannot be read"));
        std::fs::remove_dir_all(&dir).unwrap();
    }
}
