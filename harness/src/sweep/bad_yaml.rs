//! Messages on files that are no proper YAML.

use super::paper::{errors, sweep};
use super::{Document, Source};

#[test]
fn duplicate_keys_are_all_reported() {
    insta::assert_snapshot!(errors("train: {steps: 1, steps: 2}\nseeds: 1\nseeds: 2\n3: x\n"), @r#"
        error: duplicate key `steps`
         --> sweep.yaml:5:19
          |
        5 | train: {steps: 1, steps: 2}
          |         -----     ^^^^^
          |         |
          |         first given here
          |
          = help: keep one of the two; several values are a list, `[a, b]`

        error: duplicate key `seeds`
         --> sweep.yaml:7:1
          |
        6 | seeds: 1
          | ----- first given here
        7 | seeds: 2
          | ^^^^^
          |
          = help: keep one of the two; several values are a list, `[a, b]`

        error: a key must be text, but is 3
         --> sweep.yaml:8:1
          |
        8 | 3: x
          | ^
          |
          = help: write it in quotes if it is a name
    "#);
}

#[test]
fn what_is_not_yaml() {
    for (text, expected) in [
        ("", "the sweep file is empty"),
        ("# nothing\n", "the sweep file is empty"),
        ("just text", "a sweep file must be a map, but is the text `just text`"),
        ("version: 1\n---\nversion: 1\n", "the file holds more than one YAML document"),
        ("flows: *all\n", "this alias names no anchor"),
        ("flows: &a [*a]\n", "this alias stands inside its own anchor"),
    ] {
        let source = Source { path: "sweep.yaml".into(), text: text.into() };
        let error = Document::parse(&source).unwrap_err();
        assert_eq!((error.count(), error.iter().next().unwrap().message.as_str()), (1, expected));
    }
    insta::assert_snapshot!(sweep("version: 1\nflows:\n\t- planar\n").unwrap_err(), @r#"
        error: not YAML: tabs disallowed within this context (block indentation)
         --> sweep.yaml:3:2
          |
        3 |     - planar
          |     ^
          |
          = help: indent with spaces
    "#);
    insta::assert_snapshot!(sweep("flows: [planar, radial\ntargets: [u1]\n").unwrap_err(), @r#"
        error: not YAML: illegal placement of ':' indicator
         --> sweep.yaml:2:8
          |
        2 | targets: [u1]
          |        ^
          |
          = help: check brackets, quotes and indentation before `: [u1]`
    "#);
    insta::assert_snapshot!(sweep("name: !custom x\n").unwrap_err(), @r#"
        error: unsupported tag `!custom`
         --> sweep.yaml:1:15
          |
        1 | name: !custom x
          |               ^
          |
          = help: remove the tag: a sweep holds plain values
    "#);
}

#[test]
fn an_alias_shows_both_its_ends() {
    insta::assert_snapshot!(errors("flows:\n  - planar: &p {layers: 0}\n  - radial: *p\n"), @r#"
        error: `layers` of flow `planar` must be an integer of at least 1, but is 0
         --> sweep.yaml:5:25
          |
        5 |   - planar: &p {layers: 0}
          |                         ^
          |
          = help: without `layers` it is 8

        error: `layers` of flow `radial` must be an integer of at least 1, but is 0
         --> sweep.yaml:5:25
          |
        5 |   - planar: &p {layers: 0}
          |                         ^
        6 |   - radial: *p
          |             -- used here
          |
          = help: without `layers` it is 8
    "#);
}

#[test]
fn programs_read_the_same() {
    let source = Source { path: "sweep.yaml".into(), text: "version: [1\n".into() };
    let json = serde_json::to_string(&Document::parse(&source).unwrap_err()).unwrap();
    insta::assert_snapshot!(json, @r#"{"list":[{"path":"sweep.yaml","line":1,"column":10,"message":"not YAML: unclosed bracket '['","help":"check brackets, quotes and indentation before `[1`"}],"total":1}"#);
}
