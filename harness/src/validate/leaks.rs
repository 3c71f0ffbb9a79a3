//! Whether memory comes back: a thousand instances, with draws and tapes, made and ended.

use serde_json::json;

use super::numbers::normals;
use super::subject::counted;
use super::verdict::{Finding, Objection, expect};
use super::{Case, Subject};
use crate::host::Tempering;

/// Instances before it is measured: caches fill.
const WARM_UP: usize = 100;
/// Instances of each of two measurements.
const INSTANCES: usize = 1000;
/// Bytes an instance that may stay: a table that doubles now and then is no leak, 16 bytes are the least that `malloc` gives.
const ALLOWED: usize = 8;

/// Bytes in use do not grow with the number of instances that have been.
pub fn nothing_is_left(subject: &Subject, case: &Case) -> Finding {
    for _ in 0..WARM_UP {
        once(subject, case)?;
    }
    let mut growth = usize::MAX;
    // Twice: what grows once is not a leak.
    for _ in 0..2 {
        let before = in_use();
        for _ in 0..INSTANCES {
            once(subject, case)?;
        }
        growth = growth.min(in_use().saturating_sub(before));
    }
    expect(growth <= ALLOWED * INSTANCES, || {
        format!(
            "{growth} bytes more in use after {INSTANCES} instances were made, used and ended: {} each; \
             is something of `destroy` or `free_tape` missing?",
            growth / INSTANCES
        )
    })
}

/// One life: made, asked for everything, ended.
fn once(subject: &Subject, case: &Case) -> Result<(), Objection> {
    let dtype = subject.precise();
    if subject.descriptor.kind == "sampler" {
        let sampler = subject.sampler(case, dtype, counted("gaussian", &json!({"dim": case.dim}))?)?;
        let params = sampler.init(1)?;
        let from = sampler.place(&normals(1, &[4, case.dim], dtype)?, Tempering::None)?;
        sampler.transition(&params, &from, 2, Tempering::None)?;
        if sampler.is_trained() {
            // A tape that nobody asks is freed all the same.
            sampler.transition_taped(&params, &from, 3, Tempering::None)?;
        }
        return Ok(());
    }
    let flow = subject.flow(case, dtype)?;
    let params = flow.init(1)?;
    flow.sample(&params, 2, 4)?;
    let (draws, tape) = flow.sample_taped(&params, 3, 4)?;
    flow.backward(tape, Some(&draws.x), &draws.log_q)?;
    flow.sample_taped(&params, 4, 4)?;
    if flow.has_density() {
        flow.density_taped(&params, &draws.x, 5)?;
    }
    Ok(())
}

/// Bytes that `malloc` has given out, to the host or to a plugin: they share it.
fn in_use() -> usize {
    // SAFETY: it reads counters of the allocator.
    let counters = unsafe { nix::libc::mallinfo2() };
    counters.uordblks + counters.hblkhd
}
