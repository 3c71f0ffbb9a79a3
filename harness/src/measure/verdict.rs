//! Results that cannot be: bounds broken, a log-det or a density that contradicts itself.

use super::Evaluation;
use crate::cell::Dtype;

/// Why an evaluation proves a bug in flow or target, if it does.
///
/// E_q log w ≤ log Z ≤ E_π log w by Jensen's inequality, for every flow and every target. The three standard errors are
/// those of the estimate; the caller confirms on independent draws, since one row in 700 would trip by chance alone.
/// The slack is rounding: a log weight is a sum of terms of size |log Z| and d, each with a relative error of ε.
pub fn impossible(evaluation: &Evaluation, log_z: Option<f64>, dtype: Dtype, dim: usize) -> Option<String> {
    let log_z = log_z?;
    let slack = 64.0 * epsilon(dtype) * (1.0 + log_z.abs() + dim as f64);
    let elbo = evaluation.elbo;
    if elbo.value - 3.0 * elbo.se > log_z + slack {
        return Some(format!(
            "elbo {:.6} ± {:.6} lies above log Z = {log_z:.6}: no density does; a log-det or a log-density is wrong",
            elbo.value, elbo.se
        ));
    }
    let eubo = evaluation.eubo?;
    (eubo.value + 3.0 * eubo.se < log_z - slack).then(|| {
        format!(
            "eubo {:.6} ± {:.6} lies below log Z = {log_z:.6}: no density does; a log-det or a log-density is wrong",
            eubo.value, eubo.se
        )
    })
}

/// Why a flow's own figures contradict its log-density, if they do.
///
/// Half of the probed points must agree to a tolerance: one ill-conditioned point may lose all digits, a formula that is
/// wrong is wrong everywhere. √ε of the dtype (3e-4, 1e-8), a hundredfold: what is left when a chain of layers loses half
/// the digits, and far below the error of a wrong formula on a flow that does anything.
pub fn within_bounds(
    log_det_error_p50: Option<f64>,
    density_error_p50: Option<f64>,
    dtype: Dtype,
) -> Result<(), String> {
    let tolerance = 100.0 * epsilon(dtype).sqrt();
    let check = |error: Option<f64>, what: &str| match error {
        Some(error) if error > tolerance => Err(format!("{what} by {error:.3e} nats at half of the points")),
        _ => Ok(()),
    };
    check(log_det_error_p50, "the stated log-det differs from the autodiff Jacobian's")?;
    check(density_error_p50, "log q of a draw differs between sample and density")
}

fn epsilon(dtype: Dtype) -> f64 {
    match dtype {
        Dtype::F32 => f64::from(f32::EPSILON),
        Dtype::F64 => f64::EPSILON,
    }
}
