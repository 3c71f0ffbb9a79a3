//! `harness schema`: the JSON Schema of sweep.yaml.

use std::io::Write;
use std::path::PathBuf;

use anyhow::Result;
use harness::prepare::catalog;

use super::OK;

pub fn schema(plugin_dirs: &[PathBuf]) -> Result<u8> {
    let schema = harness::sweep::schema(&catalog(plugin_dirs)?);
    writeln!(std::io::stdout().lock(), "{schema:#}")?;
    Ok(OK)
}
