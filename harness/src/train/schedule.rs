//! What changes with the step: learning rate and inverse temperature.

use crate::cell::{Anneal, Schedule};

/// Factor on the learning rate at `step` of `steps`, counted from zero.
pub fn rate_factor(schedule: &Schedule, step: u64, steps: u64) -> f64 {
    match *schedule {
        Schedule::Constant => 1.0,
        Schedule::Cosine { floor } => {
            let progress = step as f64 / steps.max(1) as f64;
            floor + (1.0 - floor) * 0.5 * (1.0 + (std::f64::consts::PI * progress).cos())
        }
        Schedule::Exponential { decay, every } => decay.powf(step as f64 / every as f64),
    }
}

/// β at `step`, counted from zero: min(1, from + (1 − from)·step/steps); 1 without annealing.
///
/// Rezende & Mohamed (2015), section 6.1, with from = 0.01 and steps = 10⁴ up to the rounding of the slope.
pub fn inverse_temperature(anneal: Option<&Anneal>, step: u64) -> f64 {
    anneal.map_or(1.0, |anneal| {
        let progress = step as f64 / anneal.steps.max(1) as f64;
        (anneal.from + (1.0 - anneal.from) * progress).min(1.0)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schedules_start_at_one_and_end_where_they_say() {
        let cosine = Schedule::Cosine { floor: 0.1 };
        assert_eq!(rate_factor(&cosine, 0, 100), 1.0);
        assert!((rate_factor(&cosine, 100, 100) - 0.1).abs() < 1e-15);
        assert_eq!(rate_factor(&Schedule::Exponential { decay: 0.5, every: 10 }, 20, 100), 0.25);
        assert_eq!(rate_factor(&Schedule::Constant, 57, 100), 1.0);
    }

    #[test]
    fn annealing_rises_to_one_and_stays() {
        let anneal = Anneal { from: 0.01, steps: 100 };
        let betas: Vec<f64> = (0..200).map(|step| inverse_temperature(Some(&anneal), step)).collect();
        assert_eq!(betas[0], 0.01);
        assert!(betas.windows(2).all(|pair| pair[0] <= pair[1]));
        assert!(betas[100..].iter().all(|&beta| beta == 1.0));
        assert_eq!(inverse_temperature(None, 0), 1.0);
    }
}
