//! What is wrong with a sweep file, as people and programs read it.

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use serde::Serialize;
use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// Messages kept of one file; a longer list helps nobody, and its rest is counted.
pub(super) const LISTED: usize = 100;

/// All that is wrong with one file, in file order.
#[derive(Clone, Debug, Serialize)]
pub struct Diagnostics {
    list: Vec<Diagnostic>,
    total: usize,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Diagnostic {
    /// The file, or the command-line option.
    pub path: PathBuf,
    /// Line in the file, from 1; `None` where no place in the file is at fault.
    pub line: Option<usize>,
    /// Column in characters, from 1.
    pub column: Option<usize>,
    /// What is wrong.
    pub message: String,
    /// How to repair it.
    pub help: Option<String>,
    #[serde(skip)]
    pub(super) excerpt: Option<Excerpt>,
}

/// Lines of the file with marks on them.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Excerpt {
    pub lines: String,
    pub first_line: usize,
    /// Byte range within `lines`.
    pub mark: Range<usize>,
    /// A second place with what it has to do with the first.
    pub also: Option<(Range<usize>, String)>,
}

impl Diagnostics {
    pub(super) fn new(list: Vec<Diagnostic>, total: usize) -> Self {
        Self { list, total }
    }

    /// How many there are, those beyond the list included.
    pub fn count(&self) -> usize {
        self.total
    }

    /// The first hundred.
    pub fn iter(&self) -> std::slice::Iter<'_, Diagnostic> {
        self.list.iter()
    }

    /// As text with excerpts of the file, coloured for a terminal if asked.
    pub fn render(&self, colour: bool) -> String {
        let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
        let mut text: Vec<String> = self.list.iter().map(|one| one.render(&renderer)).collect();
        if self.total > self.list.len() {
            text.push(format!("error: {} more errors are not shown", self.total - self.list.len()));
        }
        text.join("\n\n")
    }
}

impl Diagnostic {
    pub(super) fn about_file(path: &Path, message: String, help: &str) -> Self {
        let message = format!("`{}` {message}", path.display());
        Self { path: path.to_owned(), line: None, column: None, message, help: Some(help.into()), excerpt: None }
    }

    fn render(&self, renderer: &Renderer) -> String {
        let path = self.path.display().to_string();
        let mut group = Group::with_title(Level::ERROR.primary_title(self.message.as_str()));
        if let Some(excerpt) = &self.excerpt {
            let also = excerpt
                .also
                .iter()
                .map(|(range, label)| AnnotationKind::Context.span(range.clone()).label(label.as_str()));
            group = group.element(
                Snippet::source(excerpt.lines.as_str())
                    .path(path)
                    .line_start(excerpt.first_line)
                    .annotation(AnnotationKind::Primary.span(excerpt.mark.clone()))
                    .annotations(also),
            );
        }
        if let Some(help) = &self.help {
            group = group.element(Level::HELP.message(help.as_str()));
        }
        renderer.render(&[group])
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

impl std::error::Error for Diagnostics {}

impl From<Diagnostic> for Diagnostics {
    fn from(one: Diagnostic) -> Self {
        Self::new(vec![one], 1)
    }
}

impl<'a> IntoIterator for &'a Diagnostics {
    type Item = &'a Diagnostic;
    type IntoIter = std::slice::Iter<'a, Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}
