//! Laws of the reverse pass of a sampler that is trained.

use flow_sdk::candle_core::{DType, Device, Tensor};
use flow_sdk::kernels::philox::Stream;
use flow_sdk::{Trained, Transition};
use serde_json::{Value, json};

use crate::oracle::{Counted, values};
use crate::stand::Stand;

const CHAINS: usize = 16;

/// Targets whose Hessian is not constant: forces are differentiated, too.
fn targets() -> Vec<Counted> {
    let rough = |dim: usize| Counted::new("rough-well", &json!({"dim": dim, "eta": 0.5}));
    let plain = |name: &str| Counted::new(name, &json!({}));
    vec![rough(1), plain("banana"), plain("gmm-9"), rough(3), Counted::new("funnel", &json!({"dim": 3}))]
}

/// The reverse pass is the derivative of Σ proposal·a + Σ accept·b in every trained parameter.
///
/// Central differences with h = 1e-5 in f64: truncation h²f‴/6 and cancellation ε|f|/h are both near 1e-10 for f = O(10);
/// where terms are in the thousands, four roundings of them over h are allowed for.
pub fn backward_is_the_derivative<S: Trained>(name: &str, configs: &[Value]) {
    let mut worst = 0.0f64;
    for (config, target) in configs.iter().flat_map(|config| targets().into_iter().map(move |t| (config, t))) {
        let mut stand = Stand::<S>::new(config, &target, DType::F64).perturbed(0.3, 3);
        let from = stand.place(&target.exact(4, CHAINS));
        let mut stream = Stream::new(5);
        let mut normals = |n: usize| (0..n).map(|_| stream.normal()).collect::<Vec<f64>>();
        let along = Tensor::from_vec(normals(CHAINS * target.dim()), from.x.shape(), &Device::Cpu).unwrap();
        let weight = Tensor::new(normals(CHAINS), &Device::Cpu).unwrap();
        let dot = |a: &Tensor, b: &Tensor| values(&(a * b).unwrap()).iter().sum::<f64>();
        let scalar = |moved: &Transition| dot(&moved.proposal, &along) + dot(&moved.accept, &weight);
        let (moved, tape) = stand.sampler.transition_taped(&stand.flat, &from, 6, 1.0).unwrap();
        assert_eq!(
            values(&moved.next.x),
            values(&stand.step(&from, 6).next.x),
            "{name}: the tape changes the transition"
        );
        let grad = values(&tape.backward(Some(&along), &weight).unwrap());
        let size = dot(&moved.proposal.abs().unwrap(), &along.abs().unwrap());
        let (start, h) = (values(&stand.flat), 1e-5);
        let slices: Vec<_> = stand.sampler.layout().slices().iter().filter(|slice| !slice.tuned).cloned().collect();
        for (slice, index) in slices.iter().flat_map(|s| (s.offset..s.offset + s.len()).map(move |index| (s, index))) {
            let mut at = |by: f64| {
                let mut flat = start.clone();
                flat[index] += by;
                stand.set(flat);
                scalar(&stand.step(&from, 6))
            };
            let difference = (at(h) - at(-h)) / (2.0 * h);
            let gap = (grad[index] - difference).abs();
            let tolerance = 1e-6 * (1.0 + difference.abs()) + 4.0 * f64::EPSILON * size / h;
            worst = worst.max(gap / tolerance);
            let place = format!("{name} {config} on {}, {} [{}]", target.label, slice.name, index - slice.offset);
            assert!(gap < tolerance, "{place}: {} but differences {difference}", grad[index]);
        }
    }
    println!("{name}: largest gap {worst:.1e} of what is allowed");
}

/// The reverse pass reaches every trained parameter, at one of five starts: a ReLU unit that is off at all points of a
/// batch rightly has no gradient there.
///
/// But in one dimension: a mask leaves half of the coordinates alone, of one none, so that the position's network sees
/// zeros in their place.
pub fn backward_reaches_all<S: Trained>(name: &str, configs: &[Value]) {
    for (config, target) in configs.iter().flat_map(|config| targets().into_iter().map(move |t| (config, t))) {
        let mut reached = Vec::new();
        for seed in 20..25 {
            let stand = Stand::<S>::new(config, &target, DType::F64).perturbed(0.3, seed);
            let from = stand.place(&target.exact(seed, CHAINS));
            let (_, tape) = stand.sampler.transition_taped(&stand.flat, &from, seed, 1.0).unwrap();
            let ones = Tensor::ones(CHAINS, DType::F64, &Device::Cpu).unwrap();
            let grad = values(&tape.backward(None, &ones).unwrap());
            reached.resize(grad.len(), false);
            reached.iter_mut().zip(grad).for_each(|(reached, grad)| *reached |= grad != 0.0);
        }
        let stand = Stand::<S>::new(config, &target, DType::F64);
        for slice in stand.sampler.layout().slices().iter().filter(|slice| !slice.tuned) {
            let blind = target.dim() == 1 && slice.name == "position.second";
            let reached = &reached[slice.offset..slice.offset + slice.len()];
            assert!(
                reached.iter().all(|reached| *reached != blind),
                "{name} {config} on {}: {}",
                target.label,
                slice.name
            );
        }
    }
}
