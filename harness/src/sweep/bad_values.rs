//! Messages on values that are wrong.

use super::paper::errors;

#[test]
fn parameters_outside_their_bounds() {
    insta::assert_snapshot!(errors("flows:
  - planar: {layers: [2, 0, eight]}
  - hamiltonian: {hidden: [64, 0], integrator: leapfrogg, step_size: .nan, mass: light}
targets: [{gaussian: {dim: 2.5}}, {funnel: {dim: 1}}, {u1: 3}]
"), @r#"
        error: `layers` of flow `planar` must be an integer of at least 1, but is 0
         --> sweep.yaml:4:26
          |
        4 |   - planar: {layers: [2, 0, eight]}
          |                          ^
          |
          = help: without `layers` it is 8

        error: `layers` of flow `planar` must be an integer of at least 1, but is the text `eight`
         --> sweep.yaml:4:29
          |
        4 |   - planar: {layers: [2, 0, eight]}
          |                             ^^^^^
          |
          = help: without `layers` it is 8

        error: item 2 of `hidden` of flow `hamiltonian` must be an integer of at least 1, but is 0
         --> sweep.yaml:5:32
          |
        5 |   - hamiltonian: {hidden: [64, 0], integrator: leapfrogg, step_size: .nan, mass: light}
          |                                ^
          |
          = help: without `hidden` it is [32]

        error: `integrator` of flow `hamiltonian` must be `leapfrog` or `symplectic-euler`, but is the text `leapfrogg`
         --> sweep.yaml:5:48
          |
        5 |   - hamiltonian: {hidden: [64, 0], integrator: leapfrogg, step_size: .nan, mass: light}
          |                                                ^^^^^^^^^
          |
          = help: did you mean `leapfrog`?

        error: `step_size` of flow `hamiltonian` must be finite, but is NaN
         --> sweep.yaml:5:70
          |
        5 |   - hamiltonian: {hidden: [64, 0], integrator: leapfrogg, step_size: .nan, mass: light}
          |                                                                      ^^^^
          |
          = help: write a number

        error: `mass` of flow `hamiltonian` must be a number or null, but is the text `light`
         --> sweep.yaml:5:82
          |
        5 |   - hamiltonian: {hidden: [64, 0], integrator: leapfrogg, step_size: .nan, mass: light}
          |                                                                                  ^^^^^
          |
          = help: without `mass` it is null

        error: `dim` of target `gaussian` must be an integer of at least 1, but is 2.5
         --> sweep.yaml:6:28
          |
        6 | targets: [{gaussian: {dim: 2.5}}, {funnel: {dim: 1}}, {u1: 3}]
          |                            ^^^
          |
          = help: without `dim` it is 2

        error: target `funnel`: a funnel has at least 2 dimensions: raise `dim`
         --> sweep.yaml:6:35
          |
        6 | targets: [{gaussian: {dim: 2.5}}, {funnel: {dim: 1}}, {u1: 3}]
          |                                   ^^^^^^^^^^^^^^^^^^

        error: the parameters of target `u1` must be a map, but are 3
         --> sweep.yaml:6:60
          |
        6 | targets: [{gaussian: {dim: 2.5}}, {funnel: {dim: 1}}, {u1: 3}]
          |                                                            ^
          |
          = help: write `{name: value, …}`
    "#);
}

#[test]
fn axes_that_are_none() {
    insta::assert_snapshot!(errors("flows:
  - planar: {layers: [2, 8, 2.0]}
  - radial: {layers: []}
  - hamiltonian: {zip: {step_size: [0.1, 0.2, 0.3], n_steps: [2, 4]}}
  - planar: {layers: 9, zip: {layers: [1]}}
  - radial: {zip: [1, 2]}
seeds: [1, 2, 1]
dtype: [f32, f32]
"), @r#"
        error: `layers` of flow `planar` takes the value 2 twice
         --> sweep.yaml:5:29
          |
        5 |   - planar: {layers: [2, 8, 2.0]}
          |                       -     ^^^
          |                       |
          |                       first here
          |
          = help: remove one of the two

        error: `layers` of flow `radial` is an empty list
         --> sweep.yaml:6:22
          |
        6 |   - radial: {layers: []}
          |                      ^^
          |
          = help: a list is an axis and needs at least one value

        error: `n_steps` has 2 values, but `step_size` has 3
         --> sweep.yaml:7:62
          |
        7 |   - hamiltonian: {zip: {step_size: [0.1, 0.2, 0.3], n_steps: [2, 4]}}
          |                                    --------------- 3 values  ^^^^^^
          |
          = help: the columns of a `zip` advance together and have equal lengths

        error: `layers` is given twice, in `zip` too
         --> sweep.yaml:8:31
          |
        8 |   - planar: {layers: 9, zip: {layers: [1]}}
          |              ------ also here ^^^^^^
          |
          = help: keep one of the two

        error: `zip` must be a map of lists, but is a list
         --> sweep.yaml:9:19
          |
        9 |   - radial: {zip: [1, 2]}
          |                   ^^^^^^
          |
          = help: write `zip: {a: [1, 2], b: [3, 4]}`

        error: seed 1 is given twice
          --> sweep.yaml:10:15
           |
        10 | seeds: [1, 2, 1]
           |         -     ^
           |         |
           |         first here
           |
           = help: remove one of the two

        error: `dtype` of the sweep takes the value "f32" twice
          --> sweep.yaml:11:14
           |
        11 | dtype: [f32, f32]
           |         ---  ^^^
           |         |
           |         first here
           |
           = help: remove one of the two
    "#);
}

#[test]
fn cells_given_twice() {
    insta::assert_snapshot!(errors("flows:\n  - planar\n  - planar: {layers: 8}\n"), @r#"
        error: this flow repeats an earlier one, defaults included
         --> sweep.yaml:6:5
          |
        5 |   - planar
          |     ------ first here
        6 |   - planar: {layers: 8}
          |     ^^^^^^^^^^^^^^^^^^^
          |
          = help: remove one of the two; several runs of one cell are `seeds`
    "#);
    insta::assert_snapshot!(errors("train: {optimizer: [adam, {adam: {lr: 0.001}}]}\n"), @r#"
        error: this training repeats an earlier one, defaults included
         --> sweep.yaml:5:8
          |
        5 | train: {optimizer: [adam, {adam: {lr: 0.001}}]}
          |        ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
          |
          = help: remove one of the two; several runs of one cell are `seeds`
    "#);
}
