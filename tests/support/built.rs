//! The binary with every plugin, built once a test process: `cargo test` alone builds neither where it could be found.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use escargot::format::Message;

/// Crates of plugins that misbehave.
const FIXTURES: [&str; 8] =
    ["misbehaving", "planted", "walker", "augmented", "two-faced", "wrong-abi", "no-entry", "bad-describe"];

/// Where things are.
#[derive(Debug)]
pub struct Built {
    /// The binary, with the workspace's own plugins beside it.
    pub harness: PathBuf,
    /// The folder of the fixtures: apart, or people would find them in `harness list`.
    pub fixtures: PathBuf,
}

/// Builds them, in the profile of the test itself; the first call does the work.
pub fn built() -> &'static Built {
    static BUILT: OnceLock<Built> = OnceLock::new();
    BUILT.get_or_init(build)
}

fn build() -> Built {
    // Every flow that there is, whatever its name; not this package, whose tests wait for it.
    let cargo = escargot::CargoBuild::new().manifest_path(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")).args([
        "--workspace",
        "--exclude",
        env!("CARGO_PKG_NAME"),
    ]);
    let cargo = if cfg!(debug_assertions) { cargo } else { cargo.release() }.target_dir(target());
    let cargo = if cfg!(feature = "cuda") { cargo.features("cuda") } else { cargo };
    let (mut harness, mut libraries, mut said) = (None, Vec::new(), String::new());
    for message in cargo.exec().expect("cargo can be started") {
        let message = message.unwrap_or_else(|error| panic!("the binary and its plugins do not build: {error}{said}"));
        let artifact = match message.decode() {
            Ok(Message::CompilerArtifact(artifact)) => artifact,
            Ok(Message::CompilerMessage(message)) => {
                said.extend(message.message.rendered);
                continue;
            }
            // Messages of a newer cargo that cannot be read are not the ones looked for.
            _ => continue,
        };
        let name = artifact.target.name.replace('_', "-");
        if name == "harness" {
            harness = artifact.executable.map(|path| path.to_path_buf()).or(harness);
        } else if FIXTURES.contains(&name.as_str()) {
            libraries.extend(artifact.filenames.iter().map(|path| path.to_path_buf()));
        }
    }
    let harness = harness.expect("cargo names the binary it built");
    let fixtures = harness.with_file_name("fixtures");
    set_apart(&libraries, &fixtures);
    Built { harness, fixtures }
}

/// Where this test was built: `target/release/deps/cli-…`, or with another folder for `target`.
fn target() -> PathBuf {
    let test = std::env::current_exe().expect("a test knows its own file");
    test.ancestors().nth(3).expect("cargo builds tests three folders deep").to_path_buf()
}

/// Moves libraries into a folder of their own; cargo puts them back by the next build.
fn set_apart(libraries: &[PathBuf], folder: &Path) {
    std::fs::create_dir_all(folder).expect("the folder of the fixtures can be made");
    for library in libraries {
        let apart = folder.join(library.file_name().expect("a library has a name"));
        // Another test process may have been faster.
        if let Err(error) = std::fs::rename(library, &apart) {
            assert!(apart.exists(), "{}: {error}", apart.display());
        }
        // Of two names of one file, as cargo leaves them, a rename takes neither away.
        let _ = std::fs::remove_file(library);
    }
}
