//! The files of a new plugin, from templates.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use minijinja::{Environment, UndefinedBehavior, context};
use serde_json::json;

use super::Name;

macro_rules! template {
    ($path:literal) => {
        include_str!(concat!("../../templates/", $path, ".jinja"))
    };
}

/// What both kinds have.
const SHARED: [(&str, &str); 6] = [
    ("Cargo.toml", template!("crate/Cargo.toml")),
    ("README.md", template!("crate/README.md")),
    (".gitignore", template!("crate/gitignore")),
    (".cargo/config.toml", template!("crate/config.toml")),
    (".github/workflows/ci.yml", template!("crate/ci.yml")),
    ("tests/validate.rs", template!("crate/validate.rs")),
];
const FLOW: [(&str, &str); 2] =
    [("src/lib.rs", template!("flow/lib.rs")), ("example.yaml", template!("flow/example.yaml"))];
const SAMPLER: [(&str, &str); 2] =
    [("src/lib.rs", template!("sampler/lib.rs")), ("example.yaml", template!("sampler/example.yaml"))];

/// What a plugin is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Kind {
    /// A learnt distribution.
    Flow,
    /// A Markov chain.
    Sampler,
}

/// What is filled into the templates.
#[derive(Clone, Debug)]
pub struct Scaffold {
    /// What the plugin is.
    pub kind: Kind,
    /// Its name.
    pub name: Name,
    /// Folder of flow-sdk's source.
    pub sdk: PathBuf,
    /// The executable that validates and runs it.
    pub harness: PathBuf,
}

impl Scaffold {
    /// Every file, by its path in the crate.
    pub fn files(&self) -> Result<Vec<(&'static str, String)>> {
        let (kind, own) = match self.kind {
            Kind::Flow => ("flow", FLOW),
            Kind::Sampler => ("sampler", SAMPLER),
        };
        // What JSON quotes, TOML reads.
        let (sdk, harness) = (json!(text(&self.sdk)?).to_string(), json!(text(&self.harness)?).to_string());
        let values = context! {
            name => self.name.as_str(),
            library => self.name.library(),
            type => self.type_name(),
            kind,
            sdk,
            harness,
        };
        let mut templates = Environment::new();
        templates.set_keep_trailing_newline(true);
        templates.set_undefined_behavior(UndefinedBehavior::Strict);
        let fill = |(path, template): (&'static str, &str)| {
            Ok((path, templates.render_str(template, &values).with_context(|| format!("template of {path}"))?))
        };
        SHARED.into_iter().chain(own).map(fill).collect()
    }

    /// The name of its type: longer where the source needs the short one for something else, as with a flow named `config`.
    fn type_name(&self) -> String {
        let (source, suffix) = match self.kind {
            Kind::Flow => (FLOW[0].1, "Flow"),
            Kind::Sampler => (SAMPLER[0].1, "Sampler"),
        };
        let name = self.name.camel();
        let is_taken = source.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == name);
        if is_taken { name + suffix } else { name }
    }
}

fn text(path: &Path) -> Result<&str> {
    path.to_str().with_context(|| format!("{} is not UTF-8, which cargo needs of a path", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOT: &str = include_str!("../../../Cargo.toml");

    fn scaffold(kind: Kind, name: &str) -> Scaffold {
        let path = |path: &str| PathBuf::from(path);
        Scaffold { kind, name: name.parse().unwrap(), sdk: path("/s\"dk"), harness: path("/bin/harness") }
    }

    fn file(kind: Kind, name: &str, path: &str) -> String {
        let files = scaffold(kind, name).files().unwrap();
        files.into_iter().find(|(own, _)| *own == path).unwrap().1
    }

    #[test]
    fn types_do_not_hide_what_the_source_needs() {
        for (kind, name, line) in [
            (Kind::Flow, "my-flow", "pub struct MyFlow {"),
            (Kind::Flow, "config", "pub struct ConfigFlow {"),
            (Kind::Flow, "default", "pub struct DefaultFlow {"),
            (Kind::Flow, "point", "pub struct Point {"),
            (Kind::Sampler, "point", "pub struct PointSampler {"),
        ] {
            assert!(file(kind, name, "src/lib.rs").lines().any(|own| own == line), "{name}");
        }
    }

    /// Or a target folder shared with the workspace compiles everything twice.
    #[test]
    fn versions_and_profiles_are_those_of_the_workspace() {
        let manifest = file(Kind::Flow, "x", "Cargo.toml");
        let profiles = |text: &str| text[text.find("[profile.dev]").unwrap()..].trim_end().to_owned();
        assert_eq!(profiles(&manifest), profiles(ROOT));
        for line in manifest.lines().filter(|line| line.starts_with("schemars =") || line.starts_with("serde =")) {
            assert!(ROOT.lines().any(|own| own.split('#').next().unwrap().trim() == line), "{line}");
        }
    }

    #[test]
    fn paths_are_quoted_and_expressions_of_workflows_kept() {
        let manifest = file(Kind::Flow, "x", "Cargo.toml");
        assert!(manifest.contains(r#"flow-sdk = { path = "/s\"dk" }"#), "{manifest}");
        let workflow = file(Kind::Sampler, "x", ".github/workflows/ci.yml");
        assert!(workflow.contains("repository: ${{ vars.HARNESS_REPOSITORY }}\n"), "{workflow}");
        let parsed: serde_json::Value = serde_saphyr::from_str(&workflow).unwrap();
        assert!(parsed["jobs"]["plugin"]["steps"].as_array().unwrap().len() > 8);
    }
}
