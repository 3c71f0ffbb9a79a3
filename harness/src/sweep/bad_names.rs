//! Messages on names, keys and entries that are wrong.

use super::paper::{errors, sweep};

#[test]
fn unknown_keys_and_names() {
    insta::assert_snapshot!(errors("flows: [{planar: {layer: 3}}, planer]\ntargets: [u2]\ntrian: {}\ntrain: {lr: 0.1, step: 3}\n"), @r#"
        error: unknown key `layer` in flow `planar`
         --> sweep.yaml:3:19
          |
        3 | flows: [{planar: {layer: 3}}, planer]
          |                   ^^^^^
          |
          = help: did you mean `layers`?

        error: unknown flow `planer`
         --> sweep.yaml:3:31
          |
        3 | flows: [{planar: {layer: 3}}, planer]
          |                               ^^^^^^
          |
          = help: did you mean `planar`?

        error: unknown target `u2`
         --> sweep.yaml:4:11
          |
        4 | targets: [u2]
          |           ^^
          |
          = help: did you mean `u1`?

        error: unknown key `trian` in the sweep
         --> sweep.yaml:5:1
          |
        5 | trian: {}
          | ^^^^^
          |
          = help: did you mean `train`?

        error: unknown key `lr` in `train`
         --> sweep.yaml:6:9
          |
        6 | train: {lr: 0.1, step: 3}
          |         ^^
          |
          = help: it belongs further in: `optimizer: {adam: {lr: …}}`

        error: unknown key `step` in `train`
         --> sweep.yaml:6:18
          |
        6 | train: {lr: 0.1, step: 3}
          |                  ^^^^
          |
          = help: did you mean `steps`?
    "#);
}

#[test]
fn entries_of_lists() {
    insta::assert_snapshot!(errors("flows:
  - planar:
    layers: 3
  - 7
  - {planar: {}, radial: {}}
targets: u1
"), @r#"
        error: `layers` stands beside `planar`, not in it
         --> sweep.yaml:5:5
          |
        5 |     layers: 3
          |     ^^^^^^
          |
          = help: indent the parameters of `planar` further, or write `planar: {…}`

        error: a flow must be a name or a map from its name to parameters, but is 7
         --> sweep.yaml:6:5
          |
        6 |   - 7
          |     ^
          |
          = help: write `- name` or `- name: {…}`; names of flows that look like numbers need quotes

        error: an entry names one flow, and `radial` is a second
         --> sweep.yaml:7:18
          |
        7 |   - {planar: {}, radial: {}}
          |                  ^^^^^^
          |
          = help: start each flow with its own `- `

        error: `targets` must be a list of targets, but is the text `u1`
         --> sweep.yaml:8:10
          |
        8 | targets: u1
          |          ^^
          |
          = help: write `targets: [u1]`
    "#);
}

#[test]
fn the_head_of_the_file() {
    insta::assert_snapshot!(sweep("version: 2\nname: ../up\nseeds: none\ndevice: gpu\ndtype: f16\n").unwrap_err(), @r#"
        error: the sweep has no `flows`
         --> sweep.yaml:1:1
          |
        1 | version: 2
          | ^^^^^^^^^^
          |
          = help: add `flows: [planar]`

        error: the sweep has no `targets`
         --> sweep.yaml:1:1
          |
        1 | version: 2
          | ^^^^^^^^^^
          |
          = help: add `targets: [u1]`

        error: `version` must be 1, but is 2
         --> sweep.yaml:1:10
          |
        1 | version: 2
          |          ^
          |
          = help: write `version: 1`: this harness knows no other

        error: `name` is the text `../up`, which cannot be a folder's name
         --> sweep.yaml:2:7
          |
        2 | name: ../up
          |       ^^^^^
          |
          = help: use up to 100 letters, digits, `-`, `_` and `.`, a letter or digit first

        error: `seeds` must be a count or a list of whole numbers, but is the text `none`
         --> sweep.yaml:3:8
          |
        3 | seeds: none
          |        ^^^^
          |
          = help: write `seeds: 3` for 0, 1, 2, or `seeds: [7, 8]`

        error: `device` is the text `gpu`: a device is `cpu`, `cuda`, or `cuda:` with a number
         --> sweep.yaml:4:9
          |
        4 | device: gpu
          |         ^^^
          |
          = help: write `device: cpu` or `device: cuda:0`

        error: `dtype` of the sweep must be `f32` or `f64`, but is the text `f16`
         --> sweep.yaml:5:8
          |
        5 | dtype: f16
          |        ^^^
          |
          = help: there are `f32`, `f64`
    "#);
    insta::assert_snapshot!(errors("name: 3\n").lines().next().unwrap(), @"error: duplicate key `name`");
}

#[test]
fn rules_that_do_nothing() {
    insta::assert_snapshot!(errors("flows: [planar, radial]
exclude:
  - {flow: planr}
  - {layer: 8}
  - {layers: 9}
  - {}
  - planar
"), @r#"
        error: no cell has `flow: planr`
         --> sweep.yaml:6:12
          |
        6 |   - {flow: planr}
          |            ^^^^^
          |
          = help: did you mean `planar`?

        error: no cell has a key `layer`
         --> sweep.yaml:7:6
          |
        7 |   - {layer: 8}
          |      ^^^^^
          |
          = help: did you mean `layers`?

        error: no cell has `layers: 9`
         --> sweep.yaml:8:14
          |
        8 |   - {layers: 9}
          |              ^
          |
          = help: there are `8`

        error: an empty rule excludes everything
         --> sweep.yaml:9:5
          |
        9 |   - {}
          |     ^^
          |
          = help: name what it excludes: `{flow: …, target: …}`

        error: a rule must be a map, but is the text `planar`
          --> sweep.yaml:10:5
           |
        10 |   - planar
           |     ^^^^^^
           |
           = help: write `{flow: …, target: …}`
    "#);
    insta::assert_snapshot!(errors("flows: [{planar: {layers: 2}}, {radial: {layers: 3}}]
exclude:
  - {flow: planar, layers: 9}
  - {flow: planar, layers: 3}
"), @r#"
        error: no cell has `layers: 9`
         --> sweep.yaml:6:28
          |
        6 |   - {flow: planar, layers: 9}
          |                            ^
          |
          = help: there are `2`, `3`

        error: this rule matches no cell
         --> sweep.yaml:7:5
          |
        7 |   - {flow: planar, layers: 3}
          |     ^^^^^^^^^^^^^^^^^^^^^^^^^
          |
          = help: its keys hold one by one but never together: correct or remove it
    "#);
    insta::assert_snapshot!(errors("exclude: [{flow: planar}]\n"), @r#"
        error: the rules exclude every cell
         --> sweep.yaml:5:10
          |
        5 | exclude: [{flow: planar}]
          |          ^^^^^^^^^^^^^^^^
          |
          = help: remove one of them
    "#);
}
