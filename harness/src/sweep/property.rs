//! One parameter: the values that its place in the file stands for.

use super::allowed;
use super::canonical::canonical;
use super::findings::{Findings, names, quoted};
use super::node::{Kind, Node, Span};
use super::parameters::Parameters;
use jsonschema::Validator;
use jsonschema::error::ValidationErrorKind as Wrong;
use jsonschema::paths::LocationSegment;
use serde_json::Value;
use std::collections::HashMap;

/// A parameter with its schema.
pub(super) struct Property {
    pub name: String,
    /// What it is a parameter of: “flow `planar`”.
    of: String,
    schema: Value,
    /// `None`: nothing is known, so anything is accepted.
    validator: Option<Validator>,
    /// Depth of nested lists in one value.
    depth: usize,
    /// The kinds of map that a value can be.
    maps: Vec<Parameters>,
    pub default: Option<Value>,
    axes: bool,
}

impl Property {
    /// A parameter that `schema`, free of references, describes.
    pub fn new(name: &str, of: &str, schema: &Value, axes: bool) -> Result<Self, String> {
        let validator =
            jsonschema::draft202012::options().build(schema).map_err(|error| format!("`{name}`: {error}"))?;
        let quoted_name = format!("`{name}`");
        let maps = allowed::branches(schema).into_iter().filter(|branch| branch["properties"].is_object());
        Ok(Self {
            name: name.into(),
            of: of.into(),
            schema: schema.clone(),
            validator: Some(validator),
            depth: depth(schema),
            maps: maps.map(|branch| Parameters::of_map(&quoted_name, branch, axes)).collect::<Result<_, _>>()?,
            default: schema.get("default").map(|value| canonical(value.clone(), schema)).transpose()?,
            axes,
        })
    }

    /// A parameter of which nothing is known.
    pub fn unknown(name: &str, of: &str) -> Self {
        Self {
            name: name.into(),
            of: of.into(),
            schema: Value::Null,
            validator: None,
            depth: 0,
            maps: Vec::new(),
            default: None,
            axes: true,
        }
    }

    /// What is allowed, in words.
    pub fn words(&self) -> Option<String> {
        allowed::words(&self.schema)
    }

    /// The path to a key of this name further in, as one would write it.
    pub fn path_to(&self, key: &str) -> Option<String> {
        let inner = self.maps.iter().find_map(|map| map.path_to(key))?;
        Some(format!("{}: {{{inner}}}", self.name))
    }

    /// All values that `node` stands for: a list, or for a list parameter a list of lists, is an axis.
    pub fn values(&self, node: &Node, findings: &mut Findings) -> Vec<Value> {
        match &node.kind {
            Kind::List(items) if self.is_axis(node, items) => self.axis(node, items, findings),
            _ => self.point(node, findings).into_iter().map(|(value, _)| value).collect(),
        }
    }

    /// The value of an entry of a `zip` column.
    pub fn one(&self, node: &Node, findings: &mut Findings) -> Option<Value> {
        let mut values = self.point(node, findings);
        if values.len() > 1 {
            findings
                .error(node.span, "an axis within a `zip` column")
                .help("write each of its values as an entry of the column");
        }
        values.pop().map(|(value, _)| value)
    }

    fn is_axis(&self, node: &Node, items: &[Node]) -> bool {
        if self.validator.is_some() {
            return self.axes && node.depth() > self.depth;
        }
        // With nothing known, a list is an axis unless it repeats a value, which no axis does.
        let mut seen = HashMap::new();
        !items.is_empty()
            && items
                .iter()
                .filter_map(|item| item.json().ok())
                .all(|value| seen.insert(value.to_string(), ()).is_none())
    }

    fn axis(&self, node: &Node, items: &[Node], findings: &mut Findings) -> Vec<Value> {
        if items.is_empty() {
            findings
                .error(node.span, format!("{} is an empty list", self.subject()))
                .help("a list is an axis and needs at least one value");
        }
        let mut seen: HashMap<String, Span> = HashMap::new();
        let mut values = Vec::new();
        for (value, span) in items.iter().flat_map(|item| self.point(item, findings)).collect::<Vec<_>>() {
            if let Some(first) = seen.insert(value.to_string(), span) {
                findings
                    .error(span, format!("{} takes the value {value} twice", self.subject()))
                    .see(first, "first here")
                    .help("remove one of the two");
            } else {
                values.push(value);
            }
        }
        values
    }

    /// The values of something that is no axis itself, though a map may hold axes.
    fn point(&self, node: &Node, findings: &mut Findings) -> Vec<(Value, Span)> {
        if let (Kind::Map(entries), false) = (&node.kind, self.maps.is_empty()) {
            let fits = |map: &&Parameters| entries.first().is_none_or(|entry| map.knows(&entry.key));
            let chosen = self.maps.iter().find(fits).or(self.maps.first().filter(|_| self.maps.len() == 1));
            if let Some(map) = chosen {
                let expanded = map.expand(Some(node), node.span, findings);
                return expanded.into_iter().map(|value| (Value::Object(value), node.span)).collect();
            }
            if let Some(entry) = entries.first() {
                let known: Vec<&str> = self.maps.iter().flat_map(Parameters::names).collect();
                findings
                    .error(entry.key_span, format!("unknown key {} in `{}`", quoted(&entry.key), self.name))
                    .suggest(&entry.key, known);
            }
            return Vec::new();
        }
        self.leaf(node, findings).map(|value| (value, node.span)).into_iter().collect()
    }

    fn leaf(&self, node: &Node, findings: &mut Findings) -> Option<Value> {
        let value = match node.json() {
            Ok(value) => value,
            Err(part) => {
                findings
                    .error(part.span, format!("{} must be finite, but is {part}", self.subject()))
                    .help("write a number");
                return None;
            }
        };
        let before = findings.len();
        for error in self.validator.iter().flat_map(|validator| validator.iter_errors(&value)) {
            self.explain(node, &error, findings);
        }
        if findings.len() > before {
            return None;
        }
        match canonical(value, &self.schema) {
            Ok(value) => Some(value),
            Err(why) => {
                findings
                    .error(node.span, format!("{} is {node}, which {why}", self.subject()))
                    .help("write a smaller number");
                None
            }
        }
    }

    fn explain(&self, node: &Node, error: &jsonschema::ValidationError<'_>, findings: &mut Findings) {
        let (mut part, mut schema, mut subject) = (node, &self.schema, self.subject());
        for segment in error.instance_path().segments() {
            let (next, inner) = match (segment, &part.kind) {
                (LocationSegment::Index(at), Kind::List(items)) => {
                    subject = format!("item {} of {subject}", at + 1);
                    (items.get(at), &schema["items"])
                }
                (LocationSegment::Property(key), Kind::Map(entries)) => {
                    subject = format!("`{key}` in {subject}");
                    (
                        entries.iter().find(|entry| entry.key == *key).map(|entry| &entry.value),
                        &schema["properties"][&*key],
                    )
                }
                _ => (None, schema),
            };
            let Some(next) = next else { break };
            (part, schema) = (next, inner);
        }
        let sayable = matches!(
            error.kind(),
            Wrong::Type { .. }
                | Wrong::Enum { .. }
                | Wrong::Constant { .. }
                | Wrong::Minimum { .. }
                | Wrong::Maximum { .. }
                | Wrong::ExclusiveMinimum { .. }
                | Wrong::ExclusiveMaximum { .. }
                | Wrong::MinItems { .. }
                | Wrong::MaxItems { .. }
                | Wrong::AnyOf { .. }
                | Wrong::OneOfNotValid { .. }
        );
        let finding = match allowed::words(schema).filter(|_| sayable) {
            Some(words) => findings.error(part.span, format!("{subject} must be {words}, but is {part}")),
            None => findings.error(part.span, format!("{subject}: {error}")),
        };
        let options = allowed::options(schema);
        if let (Kind::Text(text), false) = (&part.kind, options.is_empty()) {
            finding.suggest(text, options);
        } else if !options.is_empty() {
            finding.help(format!("there are {}", names(&options)));
        } else if let Some(default) = &self.default {
            finding.help(format!("without `{}` it is {default}", self.name));
        }
    }

    fn subject(&self) -> String {
        format!("`{}` of {}", self.name, self.of)
    }
}

/// How deep lists are nested in one value of the schema.
fn depth(schema: &Value) -> usize {
    let lists = allowed::branches(schema).into_iter().filter(|branch| match &branch["type"] {
        Value::Array(names) => names.iter().any(|name| name == "array"),
        name => name == "array" || branch.get("items").is_some() || branch.get("prefixItems").is_some(),
    });
    lists.map(|list| 1 + depth(&list["items"])).max().unwrap_or(0)
}
