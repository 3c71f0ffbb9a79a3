//! `harness describe`: one flow or target, its parameters, its reference, what is known.

use std::path::PathBuf;

use anyhow::{Result, anyhow};
use clap::Args;
use harness::host::{Found, SearchPath};
use serde_json::{Map, Value, json};

use super::{OK, table};

#[derive(Args)]
#[command(after_help = "Example: harness describe funnel")]
pub struct DescribeArgs {
    /// Name of a flow or target, or a plugin's file.
    pub name: String,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

pub fn describe(args: &DescribeArgs, plugin_dirs: &[PathBuf]) -> Result<u8> {
    let search = SearchPath::new(plugin_dirs)?;
    let (about, parameters) = if let Some(entry) = targets::registry::entry(&args.name) {
        describe_target(entry)
    } else if let Some(found) = search.meant(&args.name)? {
        describe_flow(&found)?
    } else {
        return Err(unknown(&args.name, &search)?);
    };
    if args.json {
        println!("{:#}", json!({ "about": about, "parameters": parameters }));
        return Ok(OK);
    }
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let rows: Vec<Vec<String>> = about.iter().map(|(key, value)| vec![key.clone(), text(value)]).collect();
    table::print(&["", ""], &rows, false)?;
    let empty = Map::new();
    let properties = parameters["properties"].as_object().unwrap_or(&empty);
    let rows: Vec<Vec<String>> = properties.iter().map(|(name, schema)| parameter(name, schema, &parameters)).collect();
    table::print(&["parameter", "type", "default", "allowed", "what"], &rows, false)?;
    Ok(OK)
}

fn describe_target(entry: &targets::Entry) -> (Map<String, Value>, Value) {
    let mut about = Map::new();
    about.insert("target".into(), json!(entry.name));
    about.insert("what".into(), json!(entry.summary));
    about.insert("reference".into(), json!(entry.reference));
    // With its default parameters, of which every target has a full set.
    if let Ok(target) = targets::registry::build(entry.name, &Map::new()) {
        let known = target.known();
        about.insert("dim".into(), json!(target.dim()));
        about.insert("log Z".into(), json!(known.log_z));
        about.insert("mean".into(), json!(known.mean));
        about.insert("sd".into(), json!(known.sd));
        about.insert("known from".into(), json!(known.source));
        about.insert("exact draws".into(), json!(target.exact_draws().is_some()));
        about.insert("modes".into(), json!(target.modes().map(targets::Modes::count)));
    }
    (about, (entry.schema)())
}

fn describe_flow(found: &Found) -> Result<(Map<String, Value>, Value)> {
    let descriptor = found.descriptor.as_ref().map_err(|reason| anyhow!("{reason}"))?;
    let mut about = Map::new();
    about.insert(descriptor.kind.clone(), json!(descriptor.id));
    about.insert("what".into(), json!(descriptor.summary));
    about.insert("reference".into(), json!(descriptor.reference));
    about.insert("version".into(), json!(descriptor.version));
    about.insert("built by".into(), json!(descriptor.build));
    about.insert("file".into(), json!(found.path));
    about.insert("sha256".into(), json!(found.sha256));
    about.insert("devices".into(), json!(descriptor.devices.join(", ")));
    about.insert("dtypes".into(), json!(descriptor.dtypes.join(", ")));
    about.insert("capabilities".into(), json!(descriptor.capabilities.join(", ")));
    Ok((about, descriptor.parameters.clone()))
}

fn parameter(name: &str, schema: &Value, root: &Value) -> Vec<String> {
    // A named type (an enum, say) stands under `$defs`.
    let referred = schema["$ref"].as_str().and_then(|path| root.pointer(path.trim_start_matches('#')));
    let kind = referred.unwrap_or(schema);
    let text = |value: &Value| match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let bounds = ["minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum", "multipleOf"];
    let mut allowed: Vec<String> = bounds.iter().filter_map(|key| Some(format!("{key} {}", kind.get(key)?))).collect();
    let choices = kind["enum"].as_array().map(|all| all.iter().map(text).collect::<Vec<_>>());
    let constants = kind["oneOf"].as_array().map(|all| all.iter().map(|one| text(&one["const"])).collect());
    allowed.extend(choices.or(constants).map(|names| names.join(" | ")));
    let what = schema.get("description").or(kind.get("description")).map(text).unwrap_or_default();
    vec![name.into(), text(&kind["type"]), text(&schema["default"]), allowed.join(", "), what]
}

fn unknown(name: &str, search: &SearchPath) -> Result<anyhow::Error> {
    let mut names: Vec<String> = search.all()?.into_keys().collect();
    names.extend(targets::registry::names().into_iter().map(str::to_owned));
    let near = names.iter().max_by(|a, b| strsim::jaro_winkler(a, name).total_cmp(&strsim::jaro_winkler(b, name)));
    let hint = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
    Ok(anyhow!("no flow or target is called `{name}`{hint} `harness list` shows all"))
}
