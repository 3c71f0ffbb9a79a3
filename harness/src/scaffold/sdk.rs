//! Where the source of `flow-sdk` is, which a new plugin depends on by its path.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

/// The folder beside this harness's own source, where it was built.
const BESIDE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../flows/sdk");

/// The folder given, or the one that this harness was built with; checked to be there.
pub fn sdk(given: Option<&Path>) -> Result<PathBuf> {
    let path = given.unwrap_or(Path::new(BESIDE));
    let manifest = std::fs::read_to_string(path.join("Cargo.toml")).unwrap_or_default();
    match path.canonicalize() {
        Ok(path) if manifest.lines().any(|line| line.trim() == "name = \"flow-sdk\"") => Ok(path),
        _ => bail!(
            "{} is not the source of flow-sdk: get the source of this harness, and give its folder `flows/sdk` with --sdk",
            path.display()
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_source_of_flow_sdk_will_do() {
        assert!(sdk(None).unwrap().ends_with("flows/sdk"));
        for wrong in ["nowhere", "../flows/planar"] {
            let said = sdk(Some(Path::new(wrong))).unwrap_err().to_string();
            assert!(said.contains(wrong) && said.contains("--sdk"), "{said}");
        }
    }
}
