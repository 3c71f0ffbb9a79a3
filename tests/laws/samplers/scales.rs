//! The law that the scales which a warm-up learns are units of the coordinates.

use flow_sdk::Sampler;
use flow_sdk::candle_core::{DType, Device, Tensor};
use serde_json::{Value, json};

use crate::oracle::{Counted, values};
use crate::stand::Stand;
use crate::statistics::largest_gap;

/// With the deviations of a stretched Gaussian as scales, chains go on it where they go on the standard one, in its units:
/// to 1e-9, since rounding in a product of scales grows along a trajectory.
pub fn scales_are_units<S: Sampler>(name: &str, configs: &[Value]) {
    for config in configs {
        let round = Counted::new("gaussian", &json!({"dim": 3}));
        let stretched = Counted::new("icg", &json!({"dim": 3}));
        let sd = stretched.known().sd.unwrap();
        let (plain, mut scaled) =
            (Stand::<S>::new(config, &round, DType::F64), Stand::<S>::new(config, &stretched, DType::F64));
        let Ok(slice) = scaled.sampler.layout().slice("tuned.log_sd") else {
            println!("skipped: {name}: it has no scales");
            return;
        };
        let place = slice.offset..slice.offset + slice.len();
        let mut flat = values(&scaled.flat);
        flat[place].iter_mut().zip(&sd).for_each(|(log_sd, sd)| *log_sd = sd.ln());
        scaled.set(flat);
        let sd = Tensor::new(sd, &Device::Cpu).unwrap();
        let x = round.exact(1, 100);
        let (plain, scaled) =
            (plain.step(&plain.place(&x), 2), scaled.step(&scaled.place(&x.broadcast_mul(&sd).unwrap()), 2));
        for (plain, scaled) in [(&plain.proposal, &scaled.proposal), (&plain.next.x, &scaled.next.x)] {
            let gap = largest_gap(plain, &scaled.broadcast_div(&sd).unwrap());
            assert!(gap < 1e-9, "{name} {config}: {gap:e}");
        }
        let gap = largest_gap(&plain.accept, &scaled.accept);
        assert!(gap < 1e-9, "{name} {config}: acceptance {gap:e}");
    }
}
