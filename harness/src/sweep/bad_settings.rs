//! Messages on settings of training, evaluation and limits that are wrong.

use super::paper::errors;

#[test]
fn units_are_written_out() {
    insta::assert_snapshot!(errors("limits: {wall: 600, memory: \"4\"}\n"), @r#"
        error: `wall` is 600, which has no unit
         --> sweep.yaml:5:16
          |
        5 | limits: {wall: 600, memory: "4"}
          |                ^^^
          |
          = help: write `wall: 10min`

        error: `memory` is the text `4`, which has no unit
         --> sweep.yaml:5:29
          |
        5 | limits: {wall: 600, memory: "4"}
          |                             ^^^
          |
          = help: write `memory: 4GiB`
    "#);
    insta::assert_snapshot!(errors("limits: {wall: 10 minuets, memory: 4 gigs, cpu: 3}\n"), @r#"
        error: `wall` is the text `10 minuets`: unknown time unit "minuets", supported units: ns, us/µs, ms, sec, min, hours, days, weeks, months, years (and few variations)
         --> sweep.yaml:5:16
          |
        5 | limits: {wall: 10 minuets, memory: 4 gigs, cpu: 3}
          |                ^^^^^^^^^^
          |
          = help: write `wall: 10min`

        error: `memory` is the text `4 gigs`: couldn't parse "gigs" into a known SI unit, Failed to parse unit "gig..."
         --> sweep.yaml:5:36
          |
        5 | limits: {wall: 10 minuets, memory: 4 gigs, cpu: 3}
          |                                    ^^^^^^
          |
          = help: write `memory: 4GiB`

        error: unknown key `cpu` in `limits`
         --> sweep.yaml:5:44
          |
        5 | limits: {wall: 10 minuets, memory: 4 gigs, cpu: 3}
          |                                            ^^^
          |
          = help: there are `wall`, `memory`
    "#);
}

#[test]
fn training_settings() {
    insta::assert_snapshot!(errors("train:
  objective: reverse_kl
  steps: -1
  batch: 0
  optimizer: {adamm: {lr: 1}}
  schedule: {cosine: {floor: 2}}
  clip_norm: 0
  anneal: {from: 0}
eval: {every: 0, draws: 1, iw_samples: [1, 2]}
"), @r#"
        error: `objective` of `train` must be one of `reverse-kl`, `data`, `esjd`, but is the text `reverse_kl`
         --> sweep.yaml:6:14
          |
        6 |   objective: reverse_kl
          |              ^^^^^^^^^^
          |
          = help: did you mean `reverse-kl`?

        error: `steps` of `train` must be an integer of at least 0, but is -1
         --> sweep.yaml:7:10
          |
        7 |   steps: -1
          |          ^^
          |
          = help: without `steps` it is 2000

        error: `batch` of `train` must be an integer of at least 1, but is 0
         --> sweep.yaml:8:10
          |
        8 |   batch: 0
          |          ^
          |
          = help: without `batch` it is 256

        error: unknown key `adamm` in `optimizer`
         --> sweep.yaml:9:15
          |
        9 |   optimizer: {adamm: {lr: 1}}
          |               ^^^^^
          |
          = help: did you mean `adam`?

        error: `floor` of `cosine` must be a number from 0 to 1, but is 2
          --> sweep.yaml:10:30
           |
        10 |   schedule: {cosine: {floor: 2}}
           |                              ^
           |
           = help: without `floor` it is 0.0

        error: `clip_norm` of `train` must be a number above 0 or null, but is 0
          --> sweep.yaml:11:14
           |
        11 |   clip_norm: 0
           |              ^
           |
           = help: without `clip_norm` it is null

        error: `anneal` needs `steps`
          --> sweep.yaml:12:11
           |
        12 |   anneal: {from: 0}
           |           ^^^^^^^^^
           |
           = help: add `steps: …`, an integer of at least 1

        error: `from` of `anneal` must be a number above 0 and up to 1, but is 0
          --> sweep.yaml:12:18
           |
        12 |   anneal: {from: 0}
           |                  ^

        error: `every` of `eval` must be an integer of at least 1, but is 0
          --> sweep.yaml:13:15
           |
        13 | eval: {every: 0, draws: 1, iw_samples: [1, 2]}
           |               ^
           |
           = help: without `every` it is 200

        error: `draws` of `eval` must be an integer of at least 2, but is 1
          --> sweep.yaml:13:25
           |
        13 | eval: {every: 0, draws: 1, iw_samples: [1, 2]}
           |                         ^
           |
           = help: without `draws` it is 2000

        error: `iw_samples` of `eval` must be an integer of at least 1, but is a list
          --> sweep.yaml:13:40
           |
        13 | eval: {every: 0, draws: 1, iw_samples: [1, 2]}
           |                                        ^^^^^^
           |
           = help: without `iw_samples` it is 100
    "#);
    insta::assert_snapshot!(errors("train: {optimizer: adm, schedule: [linear]}\neval: {iw_samples: 30, final_draws: 20}\n"), @r#"
        error: `optimizer` of `train` must be `adam` or `adamw`, but is the text `adm`
         --> sweep.yaml:5:20
          |
        5 | train: {optimizer: adm, schedule: [linear]}
          |                    ^^^
          |
          = help: did you mean `adam`?

        error: `schedule` of `train` must be one of `constant`, `cosine`, `exponential`, but is the text `linear`
         --> sweep.yaml:5:36
          |
        5 | train: {optimizer: adm, schedule: [linear]}
          |                                    ^^^^^^
          |
          = help: there are `constant`, `cosine`, `exponential`

        error: `iw_samples` is 30, more than the 20 of `final_draws`
         --> sweep.yaml:6:7
          |
        6 | eval: {iw_samples: 30, final_draws: 20}
          |       ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
          |
          = help: each estimate of the bound takes `iw_samples` of the final draws: raise `final_draws` or lower `iw_samples`
    "#);
}
