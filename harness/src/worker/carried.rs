//! Whether what a sampler carries along of the target is the target's.

use anyhow::Result;
use candle_core::{DType, Tensor};

use super::run::Run;
use super::sampler::SamplerSubject;
use crate::host::Tempering;
use crate::streams::{Purpose, seed_for};

/// What is wrong with the point after one more transition from x `[n, d]`, if anything is.
///
/// The same place evaluated alone or among others may differ by rounding; a sampler that carries something else along is
/// off by far more than √ε.
pub(super) fn contradiction(subject: &SamplerSubject, run: &Run<'_>, x: &Tensor) -> Result<Option<String>> {
    let seed = seed_for(run.cell.seed, Purpose::Confirm, 2);
    run.target.without_counting(|| {
        let from = subject.sampler.place(x, Tempering::None)?;
        let next = subject.sampler.transition(&run.trainer.params, &from, seed, Tempering::None)?.next;
        let again = subject.sampler.place(&next.x, Tempering::None)?;
        let epsilon: f64 = if x.dtype() == DType::F32 { f32::EPSILON.into() } else { f64::EPSILON };
        let apart = |carried: &Tensor, said: &Tensor| -> Result<bool> {
            let wide = |tensor: &Tensor| tensor.to_dtype(DType::F64)?.flatten_all()?.to_vec1::<f64>();
            let pairs = wide(carried)?.into_iter().zip(wide(said)?);
            Ok(pairs.into_iter().any(|(a, b)| (a - b).abs() > 10.0 * epsilon.sqrt() * (1.0 + b.abs())))
        };
        if apart(&next.log_density, &again.log_density)? {
            return Ok(Some("the log-density that the sampler carries along is not the target's".into()));
        }
        match (&next.grad, &again.grad) {
            (Some(carried), Some(said)) if apart(carried, said)? => {
                Ok(Some("the gradient that the sampler carries along is not the target's".into()))
            }
            _ => Ok(None),
        }
    })
}
