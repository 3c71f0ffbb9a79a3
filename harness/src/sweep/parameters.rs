//! The parameters of a flow, a target or a section of the file: a map expanded over its axes.

use super::canonical::sorted;
use super::cells::MAX_CELLS;
use super::findings::{Findings, quoted};
use super::node::{Entry, Kind, Node, Span};
use super::property::Property;
use jsonschema::Validator;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, HashSet};
use std::rc::Rc;

/// Some parameters that advance together: a plain one has single entries, a `zip` several.
type Row = Vec<(String, Value)>;

/// What a map of parameters may hold.
pub(super) struct Parameters {
    of: String,
    properties: Vec<Rc<Property>>,
    /// Whether other names are accepted too.
    open: bool,
    required: Vec<String>,
    whole: Option<Validator>,
    axes: bool,
}

impl Parameters {
    /// Parameters that `schema` describes, with axes.
    pub fn new(of: &str, schema: &Value) -> Result<Self, String> {
        let schema = jsonschema::dereference(schema).map_err(|error| error.to_string())?;
        Self::of_map(of, &schema, true)
    }

    /// Settings that `schema` describes: a list is no axis here.
    pub fn without_axes(of: &str, schema: &Value) -> Result<Self, String> {
        Self::of_map(of, schema, false)
    }

    /// Parameters of which nothing is known.
    pub fn unknown(of: &str) -> Self {
        Self { of: of.into(), properties: Vec::new(), open: true, required: Vec::new(), whole: None, axes: true }
    }

    pub(super) fn of_map(of: &str, schema: &Value, axes: bool) -> Result<Self, String> {
        let properties = schema["properties"].as_object();
        let properties =
            properties.into_iter().flatten().map(|(name, schema)| Property::new(name, of, schema, axes).map(Rc::new));
        Ok(Self {
            of: of.into(),
            properties: properties.collect::<Result<_, _>>()?,
            // Other names are mistakes unless the schema says in so many words that they are not.
            open: !matches!(schema.get("additionalProperties"), None | Some(Value::Bool(false))),
            required: schema["required"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .map(str::to_owned)
                .collect(),
            whole: Some(jsonschema::draft202012::options().build(schema).map_err(|error| error.to_string())?),
            axes,
        })
    }

    /// The names there are.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.properties.iter().map(|property| property.name.as_str())
    }

    /// Whether there is a parameter of this name.
    pub fn knows(&self, name: &str) -> bool {
        self.names().any(|own| own == name)
    }

    /// How one would write a key of this name, here or further in.
    pub fn path_to(&self, key: &str) -> Option<String> {
        if self.knows(key) {
            Some(format!("{key}: …"))
        } else {
            self.properties.iter().find_map(|property| property.path_to(key))
        }
    }

    /// Every combination of the axes in file order, the last key fastest; defaults filled in.
    ///
    /// `at` is where to say what is wrong with the whole.
    pub fn expand(&self, node: Option<&Node>, at: Span, findings: &mut Findings) -> Vec<Map<String, Value>> {
        let before = findings.len();
        let entries = match node.map(|node| (&node.kind, node)) {
            None => &[],
            Some((Kind::Map(entries), _)) => entries.as_slice(),
            Some((_, node)) => {
                findings
                    .error(node.span, format!("the parameters of {} must be a map, but are {node}", self.of))
                    .help("write `{name: value, …}`");
                return Vec::new();
            }
        };
        let axes: Vec<Vec<Row>> = entries.iter().map(|entry| self.rows(entry, entries, findings)).collect();
        self.check_required(entries, at, findings);
        let size = axes.iter().fold(1_usize, |size, axis| size.saturating_mul(axis.len()));
        if size > MAX_CELLS {
            findings
                .error(at, format!("the axes of {} multiply to more than {MAX_CELLS} combinations", self.of))
                .help("shorten the lists, or let them advance together with `zip: {…}`");
        }
        if findings.len() > before {
            return Vec::new();
        }
        let combinations: Vec<_> = (0..size).map(|index| self.complete(combination(&axes, index))).collect();
        if let Some(error) = combinations.iter().find_map(|combination| self.error_of_whole(combination)) {
            findings.error(at, format!("{}: {error}", self.of)).help("change the parameters so that they go together");
        }
        combinations
    }

    fn rows(&self, entry: &Entry, entries: &[Entry], findings: &mut Findings) -> Vec<Row> {
        if entry.key == "zip" && self.axes {
            return self.zip(entry, entries, findings);
        }
        let Some(property) = self.property(&entry.key, entry.key_span, findings) else {
            return Vec::new();
        };
        if entry.value.is_blank() {
            findings
                .error(entry.key_span, format!("`{}` has no value", entry.key))
                .help("give it one, or remove the line");
            return Vec::new();
        }
        property.values(&entry.value, findings).into_iter().map(|value| vec![(entry.key.clone(), value)]).collect()
    }

    fn zip(&self, entry: &Entry, entries: &[Entry], findings: &mut Findings) -> Vec<Row> {
        let Kind::Map(columns) = &entry.value.kind else {
            findings
                .error(entry.value.span, format!("`zip` must be a map of lists, but is {}", entry.value))
                .help("write `zip: {a: [1, 2], b: [3, 4]}`");
            return Vec::new();
        };
        let mut lists: Vec<(&Entry, &[Node])> = Vec::new();
        for column in columns {
            if let Some(other) = entries.iter().find(|other| other.key == column.key) {
                findings
                    .error(column.key_span, format!("`{}` is given twice, in `zip` too", column.key))
                    .see(other.key_span, "also here")
                    .help("keep one of the two");
            }
            match &column.value.kind {
                Kind::List(items) if !items.is_empty() => lists.push((column, items)),
                _ => {
                    findings
                        .error(
                            column.value.span,
                            format!("`{}` in `zip` must be a list of values, but is {}", column.key, column.value),
                        )
                        .help("what does not advance stands outside `zip`");
                }
            }
        }
        let Some((first, items)) = lists.first() else {
            findings
                .error(entry.key_span, "`zip` holds no columns")
                .help("write `zip: {a: [1, 2], b: [3, 4]}`, or remove it");
            return Vec::new();
        };
        if let Some((other, others)) = lists.iter().find(|(_, others)| others.len() != items.len()) {
            findings
                .error(
                    other.value.span,
                    format!("`{}` has {} values, but `{}` has {}", other.key, others.len(), first.key, items.len()),
                )
                .see(first.value.span, format!("{} values", items.len()))
                .help("the columns of a `zip` advance together and have equal lengths");
        }
        let mut rows = vec![Row::new(); items.len()];
        for (column, items) in lists {
            let Some(property) = self.property(&column.key, column.key_span, findings) else {
                continue;
            };
            for (row, item) in rows.iter_mut().zip(items) {
                row.extend(property.one(item, findings).map(|value| (column.key.clone(), value)));
            }
        }
        let mut seen = HashSet::new();
        if let Some(at) = rows.iter().position(|row| !row.is_empty() && !seen.insert(format!("{row:?}"))) {
            findings
                .error(entry.key_span, format!("row {} of `zip` repeats an earlier one", at + 1))
                .help("remove one of the two");
        }
        rows
    }

    fn property(&self, key: &str, span: Span, findings: &mut Findings) -> Option<Rc<Property>> {
        if let Some(property) = self.properties.iter().find(|property| property.name == key) {
            return Some(Rc::clone(property));
        }
        if self.open {
            return Some(Rc::new(Property::unknown(key, &self.of)));
        }
        let finding = findings.error(span, format!("unknown key {} in {}", quoted(key), self.of));
        match self.path_to(key) {
            Some(path) => finding.help(format!("it belongs further in: `{path}`")),
            None => finding.suggest(key, self.names()),
        };
        None
    }

    fn check_required(&self, entries: &[Entry], at: Span, findings: &mut Findings) {
        let zipped = entries.iter().filter(|entry| entry.key == "zip").filter_map(|zip| match &zip.value.kind {
            Kind::Map(columns) => Some(columns.as_slice()),
            _ => None,
        });
        let given: Vec<&str> = zipped.flatten().chain(entries).map(|entry| entry.key.as_str()).collect();
        for name in &self.required {
            let property = self.properties.iter().find(|property| property.name == *name);
            if given.contains(&name.as_str()) || property.is_some_and(|property| property.default.is_some()) {
                continue;
            }
            let words = property.and_then(|property| property.words()).unwrap_or_else(|| "a value".into());
            findings.error(at, format!("{} needs `{name}`", self.of)).help(format!("add `{name}: …`, {words}"));
        }
    }

    fn complete(&self, row: Row) -> Map<String, Value> {
        let defaults =
            self.properties.iter().filter_map(|property| Some((property.name.clone(), property.default.clone()?)));
        sorted(defaults.chain(row).collect::<BTreeMap<_, _>>())
    }

    fn error_of_whole(&self, combination: &Map<String, Value>) -> Option<String> {
        let value = Value::Object(combination.clone());
        self.whole.as_ref()?.validate(&value).err().map(|error| error.to_string())
    }
}

/// The combination of this number, the last axis fastest.
fn combination(axes: &[Vec<Row>], mut index: usize) -> Row {
    let mut row = Row::new();
    for axis in axes.iter().rev() {
        row.extend(axis[index % axis.len()].iter().cloned());
        index /= axis.len();
    }
    row
}
