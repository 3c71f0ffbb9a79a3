//! Safeguarded roots of increasing scalar functions.

/// The root of an increasing function with a sign change in [low, high]: Newton's step where it stays inside the
/// bracket and shrinks it well, bisection otherwise (Press et al., Numerical Recipes, section 9.4, "rtsafe").
///
/// `f` returns value and derivative. Stops when a step no longer moves the iterate: full f64 precision in about
/// six steps where Newton converges, and in at most 200 whatever `f` is.
#[inline]
pub fn increasing_root(f: impl Fn(f64) -> (f64, f64), mut low: f64, mut high: f64) -> f64 {
    let mut x = 0.5 * (low + high);
    let mut last_step = high - low;
    for _ in 0..200 {
        let (value, slope) = f(x);
        if value == 0.0 {
            return x;
        }
        if value < 0.0 {
            low = x;
        } else {
            high = x;
        }
        let newton = x - value / slope;
        let halves = 2.0 * (newton - x).abs() <= last_step.abs();
        let next = if newton > low && newton < high && halves { newton } else { 0.5 * (low + high) };
        last_step = next - x;
        if next == x || !next.is_finite() {
            return next;
        }
        // Two neighbouring floats: bisection cannot separate them further.
        if last_step.abs() <= f64::EPSILON * x.abs() * 0.5 {
            return next;
        }
        x = next;
    }
    x
}

/// α with α + s·tanh(α) = c for s > −1: the inverse of a planar layer along its normal.
///
/// |tanh| ≤ 1 brackets the root by c ± |s|; the derivative 1 + s·sech²(α) is positive for s > −1.
#[inline]
pub fn planar_root(s: f64, c: f64) -> f64 {
    let margin = s.abs() * (1.0 + f64::EPSILON) + f64::MIN_POSITIVE;
    let f = |alpha: f64| {
        let tanh = alpha.tanh();
        (alpha + s * tanh - c, 1.0 + s * (1.0 - tanh * tanh))
    };
    increasing_root(f, c - margin, c + margin)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// The residual is rounding: a few units in the last place of the largest term.
        #[test]
        fn planar_root_solves_its_equation(s in -1.0f64..50.0, c in -1e3f64..1e3) {
            let alpha = planar_root(s, c);
            let residual = alpha + s * alpha.tanh() - c;
            let scale = alpha.abs() + s.abs() + c.abs();
            prop_assert!(residual.abs() <= 8.0 * f64::EPSILON * scale, "residual {residual:e} at α = {alpha}");
        }

        /// A function on which Newton alone runs away: x^(1/3) about any root.
        #[test]
        fn bisection_saves_a_runaway_newton(root in -5.0f64..5.0) {
            let f = |x: f64| ((x - root).cbrt(), (1.0 / 3.0) / (x - root).cbrt().powi(2));
            let x = increasing_root(f, -6.0, 6.0);
            prop_assert!((x - root).abs() < 1e-12, "{x} for {root}");
        }
    }

    #[test]
    fn not_a_number_in_is_not_a_number_out() {
        assert!(planar_root(f64::NAN, 1.0).is_nan());
        assert!(planar_root(1.0, f64::NAN).is_nan());
    }
}
