//! A report of 5,000 cells: 50 flows on 20 targets with five seeds, six looks of ten metrics each.

use std::fmt::Write;

use criterion::{Criterion, criterion_group, criterion_main};
use harness::report::report;
use harness::results::Folder;

const RUNS: &str = "schema_version,cell_id,name,flow,target,dim,objective,seed,device,dtype,status,plugin_sha256,elbo_nats,log_z_nats,elbo_gap_nats,\
                    eubo_nats,w2,reverse_ess,train_s,n_params,p.layers,p.width,train.batch\n";
const METRICS: [&str; 10] = [
    "elbo_nats",
    "eubo_nats",
    "w2",
    "reverse_ess",
    "mode_coverage",
    "grad_norm_p50",
    "grad_norm_max.all",
    "energy_error",
    "log_det_error",
    "skipped_steps",
];

fn tables() -> (String, String) {
    let (mut runs, mut metrics) = (RUNS.to_owned(), "cell_id,step,wall_s,target_evals,metric,value,se,n\n".to_owned());
    for cell in 0..5000 {
        let (seed, target, flow) = (cell % 5, cell / 5 % 20, cell / 100);
        let (layers, width, gap) = (flow % 10, flow / 10, f64::from(cell % 97) / 50.0);
        let elbo = 1.0 - gap;
        writeln!(
            runs,
            "1,{cell:016x},bench,planar,target-{target},2,reverse-kl,{seed},cpu,f32,ok,ff,{elbo},1.0,{gap},1.5,0.1,0.5,2.5,160,{layers},{width},256"
        )
        .expect("a string takes all");
        for look in 0..6 {
            for metric in METRICS {
                writeln!(metrics, "{cell:016x},{},{}.5,{},{metric},0.{cell},0.01,2000", look * 200, look, look * 51200)
                    .expect("a string takes all");
            }
        }
    }
    (runs, metrics)
}

fn bench(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let (runs, metrics) = tables();
    std::fs::write(folder.path().join("runs.csv"), runs).expect("it can be written to");
    std::fs::write(folder.path().join("metrics.csv"), metrics).expect("it can be written to");
    let folder = Folder::at(folder.path());
    let mut group = criterion.benchmark_group("report");
    group.sample_size(10);
    group.bench_function("5,000 cells", |bencher| bencher.iter(|| report(&folder, false).expect("it can be reported")));
}

criterion_group!(benches, bench);
criterion_main!(benches);
