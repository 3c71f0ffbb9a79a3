//! One workload by the means of `harness run`, for measuring it beside other programs: the plugin behind its edge, the
//! harness's own loop. Reads numbers of steps from standard input, answers with the seconds that they took.
//!
//! `step WORKLOAD [--device cpu|cuda] [--threads N] [--batch N] [--params JSON] [--target JSON] [--dump FILE]`; the middle ones change a workload, a
//! target is `{name: parameters}`; a dump has one step's inputs and results as JSON, for others to check theirs.

use std::io::{BufRead, Write};
use std::os::unix::process::CommandExt;
use std::rc::Rc;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use candle_core::{DType, Device, Tensor};
use flow_kernels::noise;
use flow_kernels::philox::{Stream, derive_seed};
use flow_sdk::{Base, Layout, Point};
use harness::cell::{self, Optimizer, Schedule, Train};
use harness::host::{CountedTarget, HostFlow, HostSampler, Library, Tempering, TensorOptions};
use harness::schedule::KEEP_MEMORY;
use harness::streams::{Purpose, seed_for};
use harness::train::{self, Esjd, Groups, Objective, Trainer};
use harness::worker::pool;
use serde_json::{Map, Value, json};

const WARM_UP: usize = 20;
const SEED: u64 = 1;
/// Of the learnt sampler's loss.
const SCALE: f64 = 0.1;
const BURN_IN: f64 = 1.0;

/// What a workload does.
struct Workload {
    plugin: &'static str,
    params: Value,
    target: String,
    target_params: Value,
    objective: cell::Objective,
    batch: usize,
}

fn workload(name: &str) -> Result<Workload> {
    let (kind, size) = name.split_once('-').unwrap_or((name, "0"));
    let flow = |plugin, params, batch| Workload {
        plugin,
        params,
        target: "u1".into(),
        target_params: json!({}),
        objective: cell::Objective::ReverseKl,
        batch,
    };
    let number = || size.parse::<usize>().with_context(|| format!("`{name}` ends in no number"));
    Ok(match kind {
        "planar" => flow("planar", json!({"layers": number()?}), 512),
        "radial" => flow("radial", json!({"layers": number()?}), 512),
        "nhf" => {
            let hidden = json!([128, 128]);
            let params = json!({
                "hamiltonians": 4, "n_steps": 2, "integrator": "leapfrog", "hidden": hidden, "encoder_hidden": hidden,
            });
            flow("hamiltonian", params, number()?)
        }
        "hmc" => Workload {
            plugin: "hmc",
            params: json!({"n_steps": 10, "step_size": 0.1, "jitter": 0.0}),
            target: "icg".into(),
            target_params: json!({"dim": 50}),
            objective: cell::Objective::Esjd,
            batch: 200,
        },
        "nn" => Workload {
            plugin: "nn-hmc",
            params: json!({"hidden": 10, "n_steps": 10}),
            target: "scg".into(),
            target_params: json!({}),
            objective: cell::Objective::Esjd,
            batch: 200,
        },
        _ => bail!("no workload `{name}`: planar-K, radial-K, nhf-BATCH, hmc, nn-hmc"),
    })
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let option = |name: &str| arguments.iter().position(|a| a == name).and_then(|at| arguments.get(at + 1));
    let threads = option("--threads").map_or("1", String::as_str);
    let settings = KEEP_MEMORY.into_iter().chain([("RAYON_NUM_THREADS", threads)]);
    if settings.clone().any(|(name, value)| std::env::var(name).ok().as_deref() != Some(value)) {
        let mut again = std::process::Command::new(std::env::current_exe()?);
        return Err(again.args(&arguments).envs(settings).exec()).context("starting again");
    }
    let name = arguments.first().context("which workload?")?;
    let dump = option("--dump");
    let mut workload = workload(name)?;
    if let Some(batch) = option("--batch") {
        workload.batch = batch.parse().context("--batch")?;
    }
    if let Some(params) = option("--params") {
        let changes: Map<String, Value> = serde_json::from_str(params).context("--params")?;
        workload.params.as_object_mut().context("a map")?.extend(changes);
    }
    if let Some(target) = option("--target") {
        let named: Map<String, Value> = serde_json::from_str(target).context("--target")?;
        (workload.target, workload.target_params) = named.into_iter().next().context("--target names none")?;
    }
    let device = match option("--device").map_or("cpu", String::as_str) {
        "cpu" => Device::Cpu,
        "cuda" => flow_cuda::device(0)?,
        other => bail!("no device `{other}`: cpu, cuda"),
    };
    pool(threads.parse()?)?.install(|| run(&workload, &device, dump.map(String::as_str)))
}

fn run(workload: &Workload, device: &Device, dump: Option<&str>) -> Result<()> {
    let options = TensorOptions { dtype: DType::F32, device: device.clone() };
    let directory =
        std::env::current_exe()?.parent().and_then(|examples| examples.parent()).context("no parent")?.to_path_buf();
    let library = Library::open(&directory.join(format!("lib{}.so", workload.plugin.replace('-', "_"))))?;
    let map = |value: &Value| -> Result<Map<String, Value>> { Ok(value.as_object().context("a map")?.clone()) };
    let target =
        Rc::new(CountedTarget::new(targets::registry::build(&workload.target, &map(&workload.target_params)?)?));
    let params = map(&workload.params)?;
    match (workload.plugin, library.flow().is_some()) {
        (_, true) => {
            let flow = HostFlow::create(&library, &params, options.clone(), Rc::clone(&target))?;
            let objective = Objective::new(workload.objective, Rc::clone(&target), options);
            if let Some(path) = dump {
                return dump_flow(&flow, &target, workload, path);
            }
            let mut trainer = trainer(workload, flow.init(SEED)?)?;
            let (layout, groups) = (flow.layout().clone(), Groups::of(flow.layout()));
            serve(device, || trainer.step(&layout, &groups, |at| objective.gradient(&flow, at)).map(drop))
        }
        ("hmc", _) => {
            let sampler = HostSampler::create(&library, &params, options, Rc::clone(&target))?;
            let params = sampler.init(SEED)?;
            let x = exact(&target, workload.batch)?;
            let mut at = sampler.place(&x, Tempering::None)?;
            if let Some(path) = dump {
                return dump_hmc(&sampler, &params, &at, workload, path);
            }
            let mut step = 0;
            serve(device, || {
                at = sampler.transition(&params, &at, seed_for(SEED, Purpose::Chain, step), Tempering::None)?.next;
                step += 1;
                Ok(())
            })
        }
        _ => {
            let sampler = HostSampler::create(&library, &params, options, Rc::clone(&target))?;
            let objective = Esjd::new(cell::Esjd { scale: SCALE, burn_in: BURN_IN }, 1.0, target.uncounted().dim());
            let mut trainer = trainer(workload, sampler.init(SEED)?)?;
            let (layout, groups) = (sampler.layout().clone(), Groups::of(sampler.layout()));
            if let Some(path) = dump {
                return dump_learnt(&sampler, &objective, workload.batch, path);
            }
            serve(device, || trainer.step(&layout, &groups, |at| Ok(objective.gradient(&sampler, at)?.0)).map(drop))
        }
    }
}

fn trainer(workload: &Workload, params: Tensor) -> Result<Trainer> {
    let train = Train {
        objective: workload.objective,
        steps: u64::MAX,
        batch: workload.batch,
        optimizer: Optimizer::Adam { lr: 1e-3, beta1: 0.9, beta2: 0.999, eps: 1e-8 },
        schedule: Schedule::Constant,
        clip_norm: None,
        anneal: None,
        esjd: None,
        give_up_after: u64::MAX,
    };
    Trainer::start(train, SEED, params)
}

/// The protocol: warm up, say `ready`, then steps by the number.
fn serve(device: &Device, mut step: impl FnMut() -> Result<()>) -> Result<()> {
    (0..WARM_UP).try_for_each(|_| step())?;
    let mut out = std::io::stdout();
    writeln!(out, "ready")?;
    out.flush()?;
    for line in std::io::stdin().lock().lines() {
        let steps: usize = line?.trim().parse()?;
        let started = Instant::now();
        (0..steps).try_for_each(|_| step())?;
        device.synchronize()?;
        writeln!(out, "{}", started.elapsed().as_secs_f64())?;
        out.flush()?;
    }
    Ok(())
}

fn exact(target: &CountedTarget, n: usize) -> Result<Tensor> {
    let draws = target.uncounted().exact_draws().context("the target has exact draws")?.draw(SEED, n);
    Ok(Tensor::from_vec(draws, (n, target.uncounted().dim()), &Device::Cpu)?.to_dtype(DType::F32)?)
}

fn dump_flow(flow: &HostFlow, target: &Rc<CountedTarget>, workload: &Workload, path: &str) -> Result<()> {
    let (params, seed, n) =
        (moved(&flow.init(SEED)?, flow.layout())?, seed_for(SEED, Purpose::Train, 0), workload.batch);
    let draws = flow.sample(&params, seed, n)?;
    let options = TensorOptions { dtype: DType::F32, device: params.device().clone() };
    let objective = Objective::new(workload.objective, Rc::clone(target), options);
    let at = train::At { params: &params, chains: &mut None, seed, batch: n, beta: 1.0 };
    let grad = objective.gradient(flow, at)?;
    let log_gamma = target.uncounted().log_density(&draws.x)?;
    let loss = (&draws.log_q - log_gamma)?.mean_all()?.to_dtype(DType::F64)?.to_scalar::<f64>()?;
    let dim = if workload.plugin == "hamiltonian" { 2 * draws.x.dim(1)? } else { draws.x.dim(1)? };
    let noise = Base::Gaussian.draw(seed, n, dim, DType::F32, &Device::Cpu)?;
    let named = |flat: &Tensor| by_name(flow.layout(), flat);
    let dump = json!({
        "workload": path, "params": named(&params)?, "noise": nested(&noise)?, "x": nested(&draws.x)?,
        "log_q": nested(&draws.log_q)?, "loss": loss, "grad": named(&grad)?,
    });
    Ok(std::fs::write(path, dump.to_string())?)
}

fn dump_hmc(sampler: &HostSampler, params: &Tensor, at: &Point, workload: &Workload, path: &str) -> Result<()> {
    let seed = seed_for(SEED, Purpose::Chain, 0);
    let step = sampler.transition(params, at, seed, Tempering::None)?;
    let dim = at.x.dim(1)?;
    // The plugin's momenta are the first of a transition's streams.
    let p = Base::Gaussian.draw(derive_seed(seed, 1, 0), workload.batch, dim, DType::F32, &Device::Cpu)?;
    let dump = json!({
        "x": nested(&at.x)?, "p": nested(&p)?, "step_size": workload.params["step_size"],
        "n_steps": workload.params["n_steps"], "proposal": nested(&step.proposal)?, "accept": nested(&step.accept)?,
    });
    Ok(std::fs::write(path, dump.to_string())?)
}

fn dump_learnt(sampler: &HostSampler, objective: &Esjd, batch: usize, path: &str) -> Result<()> {
    let params = moved(&sampler.init(SEED)?, sampler.layout())?;
    let (seed, dim, cpu) = (seed_for(SEED, Purpose::Train, 0), 2, Device::Cpu);
    // The running chains start in the base, which is the objective's second stream, the others are its first.
    let base = |stream: u64| Base::Gaussian.draw(derive_seed(seed, stream, 0), batch, dim, DType::F32, &cpu);
    let x = Tensor::cat(&[base(2)?, base(1)?], 0)?;
    let (grad, jump) =
        objective.gradient(sampler, train::At { params: &params, chains: &mut None, seed, batch, beta: 1.0 })?;
    let step = sampler.transition(&params, &sampler.place(&x, Tempering::None)?, seed, Tempering::None)?;
    // The plugin's momenta and directions are the first and third of a transition's streams.
    let noise = Base::Gaussian.draw(derive_seed(seed, 1, 0), 2 * batch, dim, DType::F32, &cpu)?;
    let mut signs = vec![0.0f32; 2 * batch];
    noise::signs(derive_seed(seed, 3, 0), 0, &mut signs);
    let trained = sampler.layout().slices().iter().filter(|slice| !slice.tuned).map(|slice| &slice.name);
    let all = by_name(sampler.layout(), &grad)?;
    let grad: Map<String, Value> = trained.map(|name| (name.clone(), all[name].clone())).collect();
    let dump = json!({
        "params": by_name(sampler.layout(), &params)?, "x": nested(&x)?, "noise": nested(&noise)?, "signs": signs,
        "scale": SCALE, "burn_in": BURN_IN, "proposal": nested(&step.proposal)?, "accept": nested(&step.accept)?,
        "loss": jump.loss, "grad": grad,
    });
    Ok(std::fs::write(path, dump.to_string())?)
}

/// Parameters off their start, where some gradients are zero: all that is trained, by normals of deviation 0.1.
fn moved(params: &Tensor, layout: &Layout) -> Result<Tensor> {
    let mut flat: Vec<f32> = params.to_vec1()?;
    let mut stream = Stream::new(SEED);
    for slice in layout.slices().iter().filter(|slice| !slice.tuned) {
        flat[slice.offset..slice.offset + slice.len()].iter_mut().for_each(|v| *v += 0.1 * stream.normal() as f32);
    }
    Ok(Tensor::new(flat, params.device())?)
}

fn by_name(layout: &Layout, flat: &Tensor) -> Result<Map<String, Value>> {
    let slice = |slice: &flow_sdk::Slice| -> Result<(String, Value)> {
        let tensor = flat.narrow(0, slice.offset, slice.len())?.reshape(slice.shape.as_slice())?;
        Ok((slice.name.clone(), nested(&tensor)?))
    };
    layout.slices().iter().map(slice).collect()
}

fn nested(tensor: &Tensor) -> Result<Value> {
    let tensor = tensor.to_dtype(DType::F64)?;
    Ok(match tensor.rank() {
        1 => json!(tensor.to_vec1::<f64>()?),
        _ => json!(tensor.to_vec2::<f64>()?),
    })
}
