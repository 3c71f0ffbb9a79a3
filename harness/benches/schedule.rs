//! What a cell costs that has nothing to do: its process, its plugin, its files, and the tables at the end.
//!
//! Needs the plugins beside the binary: `cargo build --release` first.

use std::process::Command;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};

const SWEEP: &str = "\
version: 1
name: idle
flows: [{planar: {layers: 1}}]
targets: [{gaussian: {dim: 2}}]
seeds: 16
train: {steps: 1, batch: 1}
eval: {every: 1, draws: 10, final_draws: 100, iw_samples: 10, throughput: false}
";

fn bench(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let sweep = folder.path().join("sweep.yaml");
    std::fs::write(&sweep, SWEEP).expect("it can be written to");
    let mut group = criterion.benchmark_group("16 cells that do nothing");
    group.sample_size(10);
    for jobs in ["1", "2"] {
        group.bench_function(BenchmarkId::new("jobs", jobs), |bencher| {
            bencher.iter(|| {
                let mut run = Command::new(env!("CARGO_BIN_EXE_harness"));
                run.args(["run", "--force", "--jobs", jobs, "--out"]).arg(folder.path().join("out")).arg(&sweep);
                let output = run.output().expect("the binary can be started");
                assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            });
        });
    }
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
