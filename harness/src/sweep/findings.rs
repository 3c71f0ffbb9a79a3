//! Collects what is wrong while the rest of the file is still being read.

use super::diagnostic::{Diagnostic, Diagnostics, Excerpt, LISTED};
use super::node::Span;
use super::source::Source;
use std::path::PathBuf;

/// Everything found so far, in the order of finding.
#[derive(Default)]
pub(super) struct Findings {
    list: Vec<Finding>,
}

/// One thing found wrong.
pub(super) struct Finding {
    /// `None`: on the command line.
    span: Option<Span>,
    message: String,
    help: Option<String>,
    also: Option<(Span, String)>,
}

impl Findings {
    /// Notes an error at a place in the file.
    pub fn error(&mut self, span: Span, message: impl Into<String>) -> &mut Finding {
        self.push(Some(span), message.into())
    }

    /// Notes an error on the command line.
    pub fn option_error(&mut self, message: impl Into<String>) -> &mut Finding {
        self.push(None, message.into())
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether nothing is wrong.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// The findings in file order, each once, as messages.
    pub fn report(mut self, source: &Source) -> Diagnostics {
        // What an alias repeats is wrong in one place only.
        self.list.sort_by_key(place);
        self.list.dedup_by(|a, b| place(a) == place(b) && a.message == b.message);
        let total = self.list.len();
        self.list.truncate(LISTED);
        Diagnostics::new(self.list.into_iter().map(|finding| finding.show(source)).collect(), total)
    }

    fn push(&mut self, span: Option<Span>, message: String) -> &mut Finding {
        let at = self.list.len();
        self.list.push(Finding { span, message, help: None, also: None });
        &mut self.list[at]
    }
}

fn place(finding: &Finding) -> Option<(usize, usize)> {
    finding.span.map(|span| (span.start, span.end))
}

impl Finding {
    /// Adds how to repair it.
    pub fn help(&mut self, help: impl Into<String>) -> &mut Self {
        self.help = Some(help.into());
        self
    }

    /// Adds a second place.
    pub fn see(&mut self, span: Span, label: impl Into<String>) -> &mut Self {
        self.also = Some((span, label.into()));
        self
    }

    /// Adds the nearest of the names that would have been right, or all of them where none is near.
    pub fn suggest<'a>(&mut self, name: &str, known: impl IntoIterator<Item = &'a str>) -> &mut Self {
        self.help = suggestion(name, known);
        self
    }

    fn show(self, source: &Source) -> Diagnostic {
        let Some(span) = self.span else {
            let path = PathBuf::from("command line");
            return Diagnostic {
                path,
                line: None,
                column: None,
                message: self.message,
                help: self.help,
                excerpt: None,
            };
        };
        let text = source.body();
        let also = self.also.or_else(|| span.used.map(|(start, end)| (Span::new(start, end), "used here".into())));
        let (first, last) = match &also {
            Some((other, _)) => (span.start.min(other.start), span.start.max(other.start)),
            None => (span.start, span.start),
        };
        let from = line_start(text, first);
        let to = line_end(text, last);
        // A mark ends with its line: what goes wrong with a block shows at its head.
        let mark = |span: Span| (span.start - from)..(span.end.clamp(span.start, line_end(text, span.start)) - from);
        let excerpt = Excerpt {
            lines: text[from..to].to_owned(),
            first_line: source.line(from),
            mark: mark(span),
            also: also.map(|(other, label)| (mark(other), label)),
        };
        Diagnostic {
            path: source.path.clone(),
            line: Some(source.line(span.start)),
            column: Some(text[line_start(text, span.start)..span.start].chars().count() + 1),
            message: self.message,
            help: self.help,
            excerpt: Some(excerpt),
        }
    }
}

fn line_start(text: &str, at: usize) -> usize {
    text[..at].rfind('\n').map_or(0, |newline| newline + 1)
}

fn line_end(text: &str, at: usize) -> usize {
    text[at..].find('\n').map_or(text.len(), |newline| at + newline)
}

/// “did you mean …?”, or the names there are.
fn suggestion<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let known: Vec<&str> = known.into_iter().collect();
    // Comparing is quadratic in the length, and no real name is longer.
    let near = known
        .iter()
        .filter(|_| name.len() <= 64)
        .map(|&candidate| (strsim::damerau_levenshtein(name, candidate), candidate))
        .filter(|&(distance, candidate)| distance <= 1 + candidate.len().min(name.len()) / 4)
        .min();
    match (near, known.as_slice()) {
        (Some((_, candidate)), _) => Some(format!("did you mean `{candidate}`?")),
        (None, []) => None,
        (None, [only]) => Some(format!("there is only `{only}`")),
        (None, all) => Some(format!("there are {}", names(all))),
    }
}

/// Names in backticks, a long list cut short.
pub(super) fn names<S: AsRef<str>>(all: &[S]) -> String {
    let shown: Vec<String> = all.iter().take(16).map(|name| format!("`{}`", name.as_ref())).collect();
    let rest = if all.len() > 16 { format!(" and {} more", all.len() - 16) } else { String::new() };
    shown.join(", ") + &rest
}

/// Text from the file within a message: on one line, and not longer than one reads.
pub(super) fn quoted(text: &str) -> String {
    let mut shown: String = text.chars().take(60).flat_map(char::escape_debug).collect();
    if text.chars().nth(60).is_some() {
        shown.push('…');
    }
    format!("`{shown}`")
}
