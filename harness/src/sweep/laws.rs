//! Laws of sweeps, over files made at random.

use super::paper::{EXAMPLE, catalog, ids, short_example, sweep, with};
use super::{Document, Overrides, Source, resolve};
use proptest::prelude::*;
use std::time::{Duration, Instant};

/// Parses, resolves and renders: whatever comes of it, it ends well.
fn survives(text: &str) {
    let source = Source { path: "sweep.yaml".into(), text: text.into() };
    let outcome = Document::parse(&source).and_then(|document| {
        document.flow_names();
        resolve(&document, &catalog(), &Overrides::default())
    });
    if let Err(error) = outcome {
        assert!(error.count() > 0 && !error.to_string().is_empty());
        assert!(!error.render(true).is_empty());
    }
}

/// An axis as one writes it, with its length.
fn axis(values: Vec<u32>) -> (String, usize) {
    let (set, length) = (format!("{values:?}"), values.len());
    if length == 1 { (values[0].to_string(), 1) } else { (set, length) }
}

fn distinct(most: usize) -> impl Strategy<Value = Vec<u32>> {
    proptest::collection::btree_set(1_u32..1000, 1..=most).prop_map(|set| set.into_iter().collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn cells_are_the_product_of_the_axes(
        layers in distinct(4), dims in distinct(3), steps in distinct(3), batches in distinct(3),
        seeds in distinct(4), zipped in distinct(4), both in any::<bool>(),
    ) {
        let columns = format!("{{step_size: {zipped:?}, n_steps: {zipped:?}}}");
        let [layers, dims, steps, batches] = [layers, dims, steps, batches].map(axis);
        let dtype = if both { "[f32, f64]" } else { "f64" };
        let text = format!(
            "version: 1\nname: x\nflows: [{{planar: {{layers: {}}}}}, {{hamiltonian: {{zip: {columns}}}}}]\n\
             targets: [u1, {{gaussian: {{dim: {}}}}}]\nseeds: {seeds:?}\ntrain: {{steps: {}, batch: {}}}\ndtype: {dtype}\n",
            layers.0, dims.0, steps.0, batches.0
        );
        let sweep = sweep(&text).unwrap();
        let product = (layers.1 + zipped.len()) * (1 + dims.1) * seeds.len() * steps.1 * batches.1 * if both { 2 } else { 1 };
        prop_assert_eq!(sweep.cells.len(), product);
        prop_assert_eq!(ids(&sweep).len(), product);
    }

    #[test]
    fn identity_does_not_depend_on_the_order_of_keys(order in Just([0, 1, 2, 3, 4, 5]).prop_shuffle(), inner in Just([0, 1, 2]).prop_shuffle()) {
        let keys = ["n_steps: [1, 2]", "zip: {mass: [1, 2.0], step_size: [0.5, 1]}", "hidden: [[4], [5, 5]]"];
        let keys = inner.map(|at| keys[at]).join(", ");
        let parts = [
            "version: 1", "name: x", "seeds: [3, 1]", "targets: [u1, {gaussian: {dim: [2, 3.0]}}]",
            &format!("flows: [planar, {{hamiltonian: {{{keys}}}}}]"),
            "train: {steps: [1, 2], optimizer: {adam: {beta1: 0, lr: [1, 2]}}}",
        ];
        let fixed = "version: 1\nname: x\nseeds: [1, 3]\ntargets: [{gaussian: {dim: [3, 2.0]}}, u1]\n\
                     flows: [{hamiltonian: {hidden: [[5.0, 5], [4]], n_steps: [2, 1], zip: {step_size: [1.0, 0.5], mass: [2, 1]}}}, planar]\n\
                     train: {optimizer: {adam: {lr: [2.0, 1.0], beta1: 0.0}}, steps: [2.0, 1]}\n";
        let shuffled = sweep(&order.map(|at| parts[at]).join("\n")).unwrap();
        prop_assert_eq!(ids(&shuffled), ids(&sweep(fixed).unwrap()));
    }

    #[test]
    fn damaged_files_end_in_an_error_or_not_at_all(
        cuts in proptest::collection::vec((any::<prop::sample::Index>(), 0..4_u8, any::<char>(), 0..12_usize), 1..6),
        short in any::<bool>(),
    ) {
        let text = if short { short_example() } else { EXAMPLE.to_owned() };
        let mut text: Vec<char> = text.chars().collect();
        for (at, how, with, length) in cuts {
            if text.is_empty() {
                break;
            }
            let at = at.index(text.len());
            let end = (at + length).min(text.len());
            match how {
                0 => text[at] = with,
                1 => { text.drain(at..end); }
                2 => { let copy = text[at..end].to_vec(); text.splice(at..at, copy); }
                _ => text[at] = ['[', ']', '{', '}', ':', ',', '&', '*', '-', '#', '\n', '\t', '0', '"', '!', '|'][length % 16],
            }
        }
        survives(&text.into_iter().collect::<String>());
    }

    #[test]
    fn any_text_ends_well(text in any::<String>(), yaml in "([a-z]{1,6}: |[\\[\\]{},&*!|>#'\"~0-9.\\n -]|flows|targets|zip|train|- ){0,60}") {
        survives(&text);
        survives(&yaml);
        survives(&with(&yaml));
    }
}

#[test]
fn every_prefix_of_the_example_ends_well() {
    for end in (0..EXAMPLE.len()).step_by(3) {
        survives(&EXAMPLE[..end]);
    }
}

#[test]
fn bombs_are_refused_quickly() {
    let started = Instant::now();
    let many = (1..=1500).map(|layers| layers.to_string()).collect::<Vec<_>>().join(", ");
    let cells = sweep(&with(&format!("flows: [{{planar: {{layers: [{many}]}}}}]\nseeds: 1000\n"))).unwrap_err();
    assert!(cells.contains("more than 100000 cells: 1500 flows"), "{cells}");
    let flow =
        format!("flows: [{{hamiltonian: {{n_steps: [{many}], hamiltonians: [{many}], step_size: [{many}]}}}}]\n");
    assert!(sweep(&with(&flow)).unwrap_err().contains("multiply to more than"));
    assert!(sweep(&with("seeds: 18446744073709551615\n")).unwrap_err().contains("seeds are too many"));
    let wrong = "0, ".repeat(50_000);
    assert!(
        sweep(&with(&format!("flows: [{{planar: {{layers: [{wrong}]}}}}]\n")))
            .unwrap_err()
            .contains("more errors are not shown")
    );
    assert!(started.elapsed() < Duration::from_secs(20), "took {:?}", started.elapsed());
}
