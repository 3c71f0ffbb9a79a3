//! The file as a tree in which everything knows its place.

use super::findings::{Findings, quoted};
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use serde_saphyr::{Location, Spanned};
use std::collections::HashMap;
use std::fmt;

/// A stretch of the text, in bytes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Span {
    pub start: usize,
    pub end: usize,
    /// Where an alias brought it in.
    pub used: Option<(usize, usize)>,
}

/// A value at its place.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub kind: Kind,
    pub span: Span,
}

/// What a value is.
#[derive(Clone, Debug)]
pub(super) enum Kind {
    Null,
    Bool(bool),
    Number(Number),
    /// NaN or an infinity, which JSON lacks.
    NonFinite(f64),
    Text(String),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

/// A key with its value.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub key: String,
    pub key_span: Span,
    pub value: Node,
}

impl Span {
    pub fn new(start: usize, end: usize) -> Self {
        Self { start, end, used: None }
    }
}

impl Node {
    /// Whether nothing at all is written.
    pub fn is_blank(&self) -> bool {
        matches!(self.kind, Kind::Null) && self.span.start == self.span.end
    }

    /// How deep lists are nested: 0 for anything but a list.
    pub fn depth(&self) -> usize {
        match &self.kind {
            Kind::List(items) => 1 + items.iter().map(Node::depth).max().unwrap_or(0),
            _ => 0,
        }
    }

    /// As JSON, or the part of it that JSON cannot hold.
    pub fn json(&self) -> Result<Value, &Node> {
        Ok(match &self.kind {
            Kind::Null => Value::Null,
            Kind::Bool(value) => Value::Bool(*value),
            Kind::Number(value) => Value::Number(value.clone()),
            Kind::NonFinite(_) => return Err(self),
            Kind::Text(value) => Value::String(value.clone()),
            Kind::List(items) => Value::Array(items.iter().map(Node::json).collect::<Result<_, _>>()?),
            Kind::Map(entries) => {
                let pairs = entries.iter().map(|entry| Ok((entry.key.clone(), entry.value.json()?)));
                Value::Object(pairs.collect::<Result<Map<_, _>, _>>()?)
            }
        })
    }
}

/// For messages: what stands there.
impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            Kind::Null => write!(f, "{}", if self.is_blank() { "nothing" } else { "null" }),
            Kind::Bool(value) => write!(f, "{value}"),
            Kind::Number(value) => write!(f, "{value}"),
            Kind::NonFinite(value) => write!(f, "{value}"),
            Kind::Text(value) => write!(f, "the text {}", quoted(value)),
            Kind::List(_) => write!(f, "a list"),
            Kind::Map(_) => write!(f, "a map"),
        }
    }
}

/// A value as the parser gives it.
pub(super) enum Raw {
    Scalar(Kind),
    List(Vec<Spanned<Raw>>),
    Map(Vec<(Spanned<Raw>, Spanned<Raw>)>),
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RawVisitor)
    }
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Raw, E> {
        Ok(Raw::Scalar(Kind::Null))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Raw, E> {
        Ok(Raw::Scalar(Kind::Bool(value)))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Raw, E> {
        Ok(Raw::Scalar(Kind::Number(value.into())))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Raw, E> {
        Ok(Raw::Scalar(Kind::Number(value.into())))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Raw, E> {
        Ok(Raw::Scalar(Number::from_f64(value).map_or(Kind::NonFinite(value), Kind::Number)))
    }

    fn visit_str<E>(self, value: &str) -> Result<Raw, E> {
        Ok(Raw::Scalar(Kind::Text(value.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Raw, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = access.next_element()? {
            items.push(item);
        }
        Ok(Raw::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Raw, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = access.next_entry()? {
            entries.push(entry);
        }
        Ok(Raw::Map(entries))
    }
}

/// Turns what the parser gives into a tree: keys are text and unique, and a list or map ends where its last part does.
pub(super) fn settle(raw: Spanned<Raw>, text: &str, findings: &mut Findings) -> Node {
    let mut span = place(&raw.defined, text);
    if raw.referenced != raw.defined {
        let at = place(&raw.referenced, text);
        span.used = Some((at.start, at.end));
    }
    let kind = match raw.value {
        Raw::Scalar(kind) => kind,
        Raw::List(items) => Kind::List(items.into_iter().map(|item| settle(item, text, findings)).collect()),
        Raw::Map(entries) => Kind::Map(settle_entries(entries, text, findings)),
    };
    let last = match &kind {
        Kind::List(items) => items.iter().map(|item| &item.span).next_back(),
        Kind::Map(entries) => entries.iter().map(|entry| &entry.value.span).max_by_key(|span| span.end),
        _ => None,
    };
    if let Some(last) = last {
        // Parts that an alias brought in stand elsewhere; here stands the alias.
        span.end = span.end.max(last.used.filter(|_| span.used.is_none()).map_or(last.end, |(_, end)| end));
    }
    if matches!(kind, Kind::List(_) | Kind::Map(_)) && text[span.start..].starts_with(['[', '{']) {
        let rest = &text[span.end..];
        let closing = rest.trim_start_matches(|c: char| c.is_whitespace() || c == ',');
        if closing.starts_with([']', '}']) {
            span.end = text.len() - closing.len() + 1;
        }
    }
    Node { kind, span }
}

fn settle_entries(raw: Vec<(Spanned<Raw>, Spanned<Raw>)>, text: &str, findings: &mut Findings) -> Vec<Entry> {
    let mut entries: Vec<Entry> = Vec::new();
    let mut seen: HashMap<String, Span> = HashMap::new();
    for (key, value) in raw {
        let key = settle(key, text, findings);
        let value = settle(value, text, findings);
        let Kind::Text(name) = key.kind else {
            findings
                .error(key.span, format!("a key must be text, but is {key}"))
                .help("write it in quotes if it is a name");
            continue;
        };
        if let Some(&first) = seen.get(&name) {
            findings
                .error(key.span, format!("duplicate key {}", quoted(&name)))
                .see(first, "first given here")
                .help("keep one of the two; several values are a list, `[a, b]`");
            continue;
        }
        seen.insert(name.clone(), key.span);
        entries.push(Entry { key: name, key_span: key.span, value });
    }
    entries
}

/// A location as a byte range that is safe to slice `text` with.
pub(super) fn place(location: &Location, text: &str) -> Span {
    let span = location.span();
    let (start, end) = match (span.byte_offset(), span.byte_len()) {
        (Some(start), Some(len)) => (start as usize, (start + len) as usize),
        _ => {
            let byte = |chars: u64| text.char_indices().nth(chars as usize).map_or(text.len(), |(at, _)| at);
            (byte(span.offset()), byte(span.offset().saturating_add(span.len())))
        }
    };
    let start = text.floor_char_boundary(start);
    Span::new(start, text.floor_char_boundary(end).max(start))
}
