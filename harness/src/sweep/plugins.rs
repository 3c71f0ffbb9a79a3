//! Where a sweep's own plugins are: folders and single files, relative to the sweep file.

use super::document::Document;
use super::findings::{Findings, quoted};
use super::node::{Kind, Node};
use super::source::Source;
use std::path::{Path, PathBuf};

impl Document {
    /// The paths under `plugins` that are there, absolute. They are no part of a cell's identity: the plugin's hash is.
    pub fn plugins(&self) -> Vec<PathBuf> {
        // What is wrong with the others is for `resolve` to say.
        read(self.top("plugins"), self.source.folder(), &mut Findings::default())
    }

    /// The text of a copy that means the same wherever it lies: paths under `plugins` are absolute, the rest is as it was.
    pub fn copy(&self) -> String {
        let body = self.source.body();
        let folder = self.source.folder();
        let mut copy = String::new();
        let mut end = 0;
        for node in self.top("plugins").map(items).unwrap_or_default() {
            let span = node.span.used.unwrap_or((node.span.start, node.span.end));
            if let (Kind::Text(path), true) = (&node.kind, span.0 >= end) {
                copy += &body[end..span.0];
                // As JSON, which is YAML.
                copy += &serde_json::json!(absolute(folder, path)).to_string();
                end = span.1;
            }
        }
        copy += &body[end..];
        // Anchors and folded text can stand where a path cannot be put: better a copy that is not found than another sweep.
        let source = Source { path: self.source.path.clone(), text: copy };
        match Document::parse(&source) {
            Ok(document) if end > 0 && document.plugins() == self.plugins() => source.text,
            _ => self.source.text.clone(),
        }
    }
}

/// Reads `plugins`, one path or a list of them.
pub(super) fn read(node: Option<&Node>, folder: &Path, findings: &mut Findings) -> Vec<PathBuf> {
    node.map(items).unwrap_or_default().into_iter().filter_map(|item| one(item, folder, findings)).collect()
}

fn items(node: &Node) -> Vec<&Node> {
    if let Kind::List(items) = &node.kind { items.iter().collect() } else { vec![node] }
}

fn one(node: &Node, folder: &Path, findings: &mut Findings) -> Option<PathBuf> {
    let Kind::Text(text) = &node.kind else {
        findings
            .error(node.span, format!("a path under `plugins` must be text, but is {node}"))
            .help("write `plugins: [target/release]`");
        return None;
    };
    let path = absolute(folder, text);
    if !path.exists() {
        let at = quoted(&path.display().to_string());
        findings.error(node.span, format!("there is no {} for `plugins`", quoted(text))).help(format!(
            "paths are relative to the sweep file's folder, so this is {at}: build the plugin, or correct the path"
        ));
    } else if !path.is_dir() && !is_library(&path) {
        findings
            .error(node.span, format!("{} is neither a folder nor a plugin's file", quoted(text)))
            .help("a plugin's file is `libNAME.so`; or give the folder that it is in");
    } else {
        return Some(path);
    }
    None
}

/// Whether it has the name that cargo gives to plugins, by which they are found.
fn is_library(path: &Path) -> bool {
    path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with("lib") && name.ends_with(".so"))
}

fn absolute(folder: &Path, path: &str) -> PathBuf {
    let path = folder.join(path);
    // It fails where there is no current folder, and then nothing relative can be found anyway.
    std::path::absolute(&path).unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::super::paper::{errors, ids, sweep, with};
    use super::*;

    fn document(text: &str) -> Document {
        Document::parse(&Source { path: "src/sweep.yaml".into(), text: text.into() }).unwrap()
    }

    fn here(path: &str) -> PathBuf {
        std::path::absolute(path).unwrap()
    }

    #[test]
    fn paths_are_relative_to_the_file() {
        assert_eq!(document("plugins: sweep").plugins(), [here("src/sweep")]);
        let all = document("plugins: [host, /, ../src, nowhere, 3, lib.rs]").plugins();
        assert_eq!(all, [here("src/host"), here("/"), here("src/../src")]);
        assert!(document("{}").plugins().is_empty());
    }

    #[test]
    fn every_path_that_is_not_there_is_told() {
        let said = errors("plugins: [src, nowhere, src/lib.rs, 3]\nseeds: 0\n");
        for (place, words) in [
            ("5:16", "there is no `nowhere` for `plugins`"),
            ("5:25", "`src/lib.rs` is neither a folder nor a plugin's file"),
            ("5:37", "must be text, but is 3"),
            ("6:8", "`seeds` is 0"),
        ] {
            assert!(said.contains(&format!("sweep.yaml:{place}\n")) && said.contains(words), "{words}: {said}");
        }
        assert!(errors("plugins: {a: b}\n").contains("but is a map"));
        assert!(errors("plugins:\n").contains("`plugins` has no value"));
    }

    #[test]
    fn where_a_plugin_is_does_not_name_a_cell() {
        assert_eq!(ids(&sweep(&with("plugins: src\n")).unwrap()), ids(&sweep(&with("")).unwrap()));
    }

    #[test]
    fn a_copy_finds_the_same_plugins_from_anywhere() {
        for text in [
            "plugins: host # why\nname: x\n",
            "plugins: [\"host\", 'sweep', .]\n",
            "name: x\nplugins:\n# first\n- host\n- sweep # second\n",
            "plugins: [&a host, *a]\n",
        ] {
            let original = document(text);
            let elsewhere = Source { path: "/nowhere/sweep.yaml".into(), text: original.copy() };
            let copy = Document::parse(&elsewhere).unwrap();
            assert!(!original.plugins().is_empty() && copy.plugins() == original.plugins(), "{}", elsewhere.text);
            let without = |text: &str| text.lines().filter(|line| !line.contains("host")).count();
            assert_eq!(without(&elsewhere.text), without(text), "{}", elsewhere.text);
        }
        for plain in ["\u{feff}name: x # as it is\n", "plugins: >-\n  host\nname: x\n"] {
            assert_eq!(document(plain).copy(), plain);
        }
    }
}
