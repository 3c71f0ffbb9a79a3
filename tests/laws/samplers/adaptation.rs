//! The law that dual averaging reaches the acceptance it aims at.

use flow_sdk::candle_core::DType;
use serde_json::{Value, json};

use crate::oracle::{Counted, values};
use crate::stand::{Stand, WarmUp};

const CHAINS: usize = 40;

/// The mean acceptance of 40 chains over 200 transitions, with the parameters that 400 transitions from a standard normal
/// have left, is what was aimed at, whether the first step was right, far too long or far too short.
///
/// To 0.06: the averaged step size is that of the warm-up's last tenth, of forty transitions, and its spread from one
/// start to another moves acceptance by about 0.025.
pub fn acceptance_is_what_was_aimed_at<S: WarmUp>(name: &str, config: &Value, aim: f64) {
    for (target, params) in [("gaussian", json!({})), ("icg", json!({"dim": 10})), ("banana", json!({}))] {
        for factor in [1.0, 30.0, 1.0 / 30.0] {
            let target = Counted::new(target, &params);
            let mut config = config.clone();
            config["step_size"] = json!(0.3 * factor);
            let mut stand = Stand::<S>::new(&config, &target, DType::F64);
            let start = stand.warm_up(stand.base(1, CHAINS, 1.0), 2, 400);
            let mut accept = Vec::new();
            stand.walk(start, 3, 200, |moved| accept.extend(values(&moved.accept)));
            let mean = accept.iter().sum::<f64>() / accept.len() as f64;
            let what = format!("{name} {config} on {}: {mean:.3} but {aim}", target.label);
            println!("{what}");
            assert!((mean - aim).abs() < 0.06, "{what}");
        }
    }
}
