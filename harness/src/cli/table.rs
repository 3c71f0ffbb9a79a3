//! Tables on standard output, as text or as JSON.

use std::io::Write;

use anyhow::Result;
use comfy_table::{Table, presets};
use serde_json::{Map, Value};

/// Prints rows under headers; with `json`, as an array of objects with the headers as keys.
pub fn print(headers: &[&str], rows: &[Vec<String>], json: bool) -> Result<()> {
    let mut out = std::io::stdout().lock();
    if json {
        let object = |row: &Vec<String>| -> Value {
            let pairs = headers.iter().zip(row).map(|(key, value)| (key.to_string(), Value::String(value.clone())));
            Value::Object(pairs.collect::<Map<_, _>>())
        };
        writeln!(out, "{:#}", Value::Array(rows.iter().map(object).collect()))?;
        return Ok(());
    }
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_header(headers).add_rows(rows);
    writeln!(out, "{table}")?;
    Ok(())
}
