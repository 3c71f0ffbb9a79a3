//! Every check: its name, the law it asks, and where to look when it is broken.

use super::{Check, bounds, chains, consistency, contract, densities, gradients, leaks, reach, robustness};

/// The check of that name.
pub fn named(name: &str) -> Option<&'static Check> {
    CHECKS.iter().find(|check| check.name == name)
}

macro_rules! check {
    ($name:literal, $kind:expr, $every:literal, $ask:path, $law:literal, $look:literal) => {
        Check { name: $name, law: $law, look: $look, kind: $kind, every_case: $every, ask: $ask }
    };
}

const ANY: Option<&str> = None;
const FLOW: Option<&str> = Some("flow");
const SAMPLER: Option<&str> = Some("sampler");

/// In the order in which they are reported.
pub const CHECKS: &[Check] = &[
    check!(
        "contract.descriptor",
        ANY,
        false,
        contract::descriptor_is_sound,
        "the descriptor names id, version, kind, devices, dtypes, and claims just the abilities that its table has",
        "`harness describe PLUGIN` shows it; in Rust it comes from the list in `export_flow!` or `export_sampler!`"
    ),
    check!(
        "contract.schema",
        ANY,
        false,
        contract::schema_is_sound,
        "parameters have a JSON Schema 2020-12 with a default and a description each, and unknown ones are refused",
        "`harness describe PLUGIN --json` prints it; in Rust it is made from the config struct: doc comments, `Default`, `deny_unknown_fields`, and `Serialize` for types of its fields"
    ),
    check!(
        "contract.tables",
        ANY,
        false,
        contract::tables_are_sound,
        "the tables are as long as those of the ABI version that the plugin states",
        "set `struct_size` to the size of the struct, and the version to that of the header that was compiled against"
    ),
    check!(
        "contract.defaults",
        ANY,
        true,
        contract::it_runs,
        "an instance can be made, every parameter has a name of its own, it starts and draws finite numbers",
        "run it alone with RUST_BACKTRACE=1 and `--in-process`, under a debugger where it crashes"
    ),
    check!(
        "numerics.draws",
        FLOW,
        true,
        densities::draws_have_their_density,
        "draws and log q belong together: over draws in a region, the mean of 1/q(x) is the region's volume",
        "log q = log π(z) − log |det ∂x/∂z|: look at the sign of the log-det, at a term or a constant that is missing"
    ),
    check!(
        "numerics.density",
        FLOW,
        true,
        densities::sample_and_density_agree,
        "what `sample` says of a draw, `density` says of the same point",
        "the inverse must undo the forward map, and state the log-det of the forward map at the point it found"
    ),
    check!(
        "numerics.mass",
        FLOW,
        true,
        densities::density_is_that_of_the_draws,
        "the integral of exp(log q) of `density` over a region is the region's share of the draws",
        "a constant of the base distribution, or the log-det of the inverse, is missing or has the wrong sign"
    ),
    check!(
        "numerics.gradient-of-sample",
        FLOW,
        true,
        gradients::of_sample,
        "`backward` is the derivative of `sample` in every parameter, as finite differences have it",
        "in Rust: does something detach (`detach`, `to_vec`, a scalar taken out) between the parameters and the result?"
    ),
    check!(
        "numerics.gradient-of-density",
        FLOW,
        true,
        gradients::of_density,
        "`backward` is the derivative of `density` in every parameter, as finite differences have it",
        "an inverse that is iterated needs its derivative by the implicit function theorem; `grad_x` is null for this tape"
    ),
    check!(
        "numerics.reach",
        ANY,
        true,
        reach::every_parameter_matters,
        "every parameter that is trained has an effect on draws or log q",
        "is a weight masked, so that it multiplies zeros, or declared in the layout and never read?"
    ),
    check!(
        "numerics.kernels",
        FLOW,
        true,
        bounds::kernels_agree,
        "gradients by kernels of the plugin's own are those of a tape and `backward`",
        "they are added to what stands in `grad_params`; rows are numbered from `first`"
    ),
    check!(
        "numerics.bounds",
        FLOW,
        true,
        bounds::bounds_hold,
        "ELBO ≤ log Z ≤ EUBO within four standard errors, before and after some training",
        "a bound that is broken means a log q that is not one of the draws: see numerics.draws"
    ),
    check!(
        "numerics.probe",
        FLOW,
        true,
        bounds::figures_are_sound,
        "the plugin's own figures are finite, and its log-det is that of the Jacobian",
        "forward returns (x, log |det ∂x/∂z|): compare its terms with the formula one layer at a time"
    ),
    check!(
        "numerics.transition",
        SAMPLER,
        true,
        chains::transitions_are_of_a_piece,
        "a chain stays or goes to its proposal; acceptance is a probability; what is carried along is the target's",
        "log γ and its gradient of `next` are those at the place that was chosen, tempered as the call-backs are"
    ),
    check!(
        "numerics.invariance",
        SAMPLER,
        true,
        chains::exact_draws_stay_exact,
        "exact draws of a target are exact draws after a transition",
        "the acceptance ratio: kinetic energy of both ends, log-dets of learnt terms, the sign of the exponent, min(1, ·)"
    ),
    check!(
        "numerics.gradient-of-transition",
        SAMPLER,
        true,
        gradients::of_transition,
        "`backward` is the derivative of proposal and acceptance in every trained parameter, as finite differences have it",
        "forces depend on the parameters through the place where they are taken: that needs Hessian-vector products"
    ),
    check!(
        "numerics.rows",
        SAMPLER,
        true,
        chains::rows_are_those_of_the_batch,
        "transitions by rows are those of the whole batch",
        "rows are numbered from `first`; their random numbers depend on that number"
    ),
    check!(
        "numerics.warm-up",
        SAMPLER,
        true,
        chains::warm_up_keeps_to_its_own,
        "`adapt` writes the parameters that the layout calls tuned, and no others",
        "in Rust: `Layout::with_tuned` declares them"
    ),
    check!(
        "consistency.repeat",
        ANY,
        true,
        consistency::same_seed_same_bits,
        "same seed, same bits, whatever was asked in between; another seed, other draws",
        "keep no generator, counter or cache in the instance: random numbers come from the seed of the call"
    ),
    check!(
        "consistency.instances",
        ANY,
        true,
        consistency::instances_agree,
        "instances and threads share nothing: each answers the same",
        "look for static variables, thread-locals and generators that seed themselves"
    ),
    check!(
        "consistency.threads",
        ANY,
        true,
        consistency::threads_do_not_matter,
        "results have the same bits with one thread and with three",
        "split sums by the size of the batch, not by the number of threads, and add the parts in a fixed order"
    ),
    check!(
        "consistency.batch",
        ANY,
        true,
        consistency::rows_stand_alone,
        "a row does not depend on how many rows follow it",
        "draw the random numbers of row i from (seed, i); take no means over the batch"
    ),
    check!(
        "consistency.precision",
        ANY,
        true,
        consistency::precisions_agree,
        "f32 computes what f64 does, up to rounding",
        "draw random numbers in f64 and round them; write log(1 + x) as ln_1p, differences of exponentials in a stable form"
    ),
    check!(
        "consistency.devices",
        ANY,
        false,
        consistency::devices_agree,
        "a GPU computes what the processor does, up to rounding",
        "compare the two after each layer"
    ),
    check!(
        "robustness.memory",
        ANY,
        true,
        robustness::memory_is_respected,
        "inputs are read only; outputs are written whole, and nothing beside them",
        "x has n rows of the dimension in `Setup`; a kernel in place needs a copy of its input"
    ),
    check!(
        "robustness.views",
        ANY,
        false,
        robustness::views_are_understood,
        "a view begins `byte_offset` bytes after `data`, and may have strides",
        "the SDK's `view` does it; in C: (char *)t->data + t->byte_offset"
    ),
    check!(
        "robustness.empty",
        ANY,
        true,
        robustness::empty_is_a_batch,
        "a batch of no rows, and of one, is a batch",
        "some tensor operations refuse empty tensors: return early"
    ),
    check!(
        "robustness.much",
        ANY,
        true,
        robustness::much_is_endured,
        "many rows, many dimensions and parameters of 1e30 get an answer: numbers, infinities or an error",
        "an iteration needs an end; an index must not come from a number that can overflow"
    ),
    check!(
        "robustness.not-a-number",
        ANY,
        true,
        robustness::not_a_number_shows,
        "NaN and infinity go through, in their own rows, without a panic; a chain does not go there",
        "comparisons with NaN are false: `if x > limit` hides it, so do `max` and `min`"
    ),
    check!(
        "robustness.mistakes",
        ANY,
        false,
        robustness::mistakes_are_refused,
        "what cannot be used is refused with a message, whether or not there is room for one",
        "check before use: parameters, element type, shapes; the message says what would be right"
    ),
    check!(
        "robustness.failing-target",
        SAMPLER,
        false,
        robustness::failures_are_passed_on,
        "where the target's call-back fails, the call fails with its message",
        "check the code of every call-back, and copy its message"
    ),
    check!(
        "robustness.leaks",
        ANY,
        false,
        leaks::nothing_is_left,
        "a thousand instances, with their draws and tapes, leave no memory behind",
        "every tape is freed by `free_tape`, asked for its gradient or not; `destroy` ends what `create` made; valgrind finds the place"
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    /// Names are what `--only` takes: unique, and in a group.
    #[test]
    fn names_are_unique() {
        let mut names: Vec<&str> = CHECKS.iter().map(|check| check.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), CHECKS.len());
        assert!(CHECKS.iter().all(|check| check.name.split('.').count() == 2));
    }
}
