//! Table of the integration schemes: coefficients, and figures that the laws measure.
//!
//! Each entry names its paper; Hairer, Lubich & Wanner, "Geometric Numerical Integration" (2nd edition, 2006), sections
//! I.1 and II.5, and Blanes, Casas & Sanz-Serna, "Numerical integrators for the Hybrid Monte Carlo method" (SIAM J.
//! Sci. Comput. 36(4), 2014) have most of them side by side. Coefficients are in closed form where there is one.
//! Deviation: `leapfrog` and its compositions begin with a kick, where some papers begin with a drift; `suzuki-4` has
//! Suzuki's pattern of five leapfrogs with the fractions of McLachlan, whose error is smaller, not 1/(4 − ∛4).

use super::Stage::{Drift, Kick};
use super::{Method, Scheme, Stability, Stage};

/// Every scheme, by order and by number of gradients.
pub static SCHEMES: [Scheme; 13] = [
    Scheme {
        name: "explicit-euler",
        method: Method::ExplicitEuler,
        order: 1,
        gradients: Some(1),
        stability: Stability::Never,
        symplectic: false,
        reversible: false,
        volume_preserving: false,
        reference: "Euler 1768; Hairer, Lubich & Wanner 2006, section I.1.2",
    },
    Scheme {
        reversible: false,
        ..splitting(
            "symplectic-euler",
            &[Kick(1.0), Drift(1.0)],
            (1, 1, 2.0),
            "de Vogelaere 1956; Hairer, Lubich & Wanner 2006, section I.1.2",
        )
    },
    splitting("leapfrog", &[Kick(0.5), Drift(1.0), Kick(0.5)], (2, 1, 2.0), "Verlet 1967; Swope et al. 1982"),
    splitting(
        "position-verlet",
        &[Drift(0.5), Kick(1.0), Drift(0.5)],
        (2, 1, 2.0),
        "Verlet 1967; Tuckerman, Berne & Martyna 1992",
    ),
    splitting("mclachlan-2", &two_stage(MCLACHLAN_B), (2, 2, 2.55315), "McLachlan 1995"),
    splitting("bcss-2", &two_stage(BCSS_2_B), (2, 2, 2.63215), "Blanes, Casas & Sanz-Serna 2014, (6.4)"),
    splitting(
        "bcss-3",
        &[
            Kick(BCSS_3_B),
            Drift(BCSS_3_A),
            Kick(0.5 - BCSS_3_B),
            Drift(1.0 - 2.0 * BCSS_3_A),
            Kick(0.5 - BCSS_3_B),
            Drift(BCSS_3_A),
            Kick(BCSS_3_B),
        ],
        (2, 3, 4.66185),
        "Blanes, Casas & Sanz-Serna 2014, (6.7)",
    ),
    Scheme {
        reversible: false,
        ..splitting(
            "ruth-3",
            &[Kick(7.0 / 24.0), Drift(2.0 / 3.0), Kick(3.0 / 4.0), Drift(-2.0 / 3.0), Kick(-1.0 / 24.0), Drift(1.0)],
            (3, 3, 2.50748),
            "Ruth 1983",
        )
    },
    splitting("forest-ruth", &FOREST_RUTH, (4, 3, 1.57340), "Forest & Ruth 1990; Yoshida 1990"),
    splitting("suzuki-4", &SUZUKI_4, (4, 5, 3.01818), "Suzuki 1990; coefficients of McLachlan 1995"),
    splitting(
        "pefrl",
        &[
            Drift(PEFRL_XI),
            Kick(0.5 - PEFRL_LAMBDA),
            Drift(PEFRL_CHI),
            Kick(PEFRL_LAMBDA),
            Drift(1.0 - 2.0 * (PEFRL_CHI + PEFRL_XI)),
            Kick(PEFRL_LAMBDA),
            Drift(PEFRL_CHI),
            Kick(0.5 - PEFRL_LAMBDA),
            Drift(PEFRL_XI),
        ],
        (4, 4, 2.98945),
        "Omelyan, Mryglod & Folk 2002",
    ),
    Scheme {
        name: "rk4",
        method: Method::RungeKutta4,
        order: 4,
        gradients: Some(4),
        stability: Stability::Limit(2.0 * std::f64::consts::SQRT_2),
        symplectic: false,
        reversible: false,
        volume_preserving: false,
        reference: "Kutta 1901",
    },
    Scheme {
        name: "implicit-midpoint",
        method: Method::ImplicitMidpoint,
        order: 2,
        gradients: None,
        stability: Stability::Unconditional,
        symplectic: true,
        reversible: true,
        volume_preserving: true,
        reference: "Hairer, Lubich & Wanner 2006, section I.1.2",
    },
];

/// Minimises the norm of the h³ error of a two-stage splitting (McLachlan 1995), in the closed form of Omelyan, Mryglod
/// & Folk 2003: ½ − c/12 + 1/(6c) with c³ = 2√326 + 36, which is 0.1931833275037836.
const MCLACHLAN_B: f64 = {
    let c = root(2.0 * root(326.0, 2) + 36.0, 3);
    0.5 - c / 12.0 + 1.0 / (6.0 * c)
};
/// (6.4) in Blanes, Casas & Sanz-Serna 2014.
const BCSS_2_B: f64 = (3.0 - root(3.0, 2)) / 6.0;
/// Digits of (6.7) in Blanes, Casas & Sanz-Serna 2014. Published code labels this scheme "yoshida", which it is not.
const BCSS_3_B: f64 = 0.118_880_109_665_48;
/// Likewise; (1 − 2b)/(4(1 − 3b)) but for the last digit.
const BCSS_3_A: f64 = 0.296_195_042_611_26;
/// 1/(2 − ∛2): removes the h³ error of three leapfrogs.
const YOSHIDA: f64 = 1.0 / (2.0 - root(2.0, 3));
const FOREST_RUTH: [Stage; 7] = leapfrogs([YOSHIDA, 1.0 - 2.0 * YOSHIDA, YOSHIDA]);
/// Outer two of five leapfrogs; digits of McLachlan 1995. With x = 0.28, y solves 2x³ + 2y³ + (1 − 2x − 2y)³ = 0.
const SUZUKI: [f64; 2] = [0.28, 0.625_466_428_467_670_1];
const SUZUKI_4: [Stage; 11] =
    leapfrogs([SUZUKI[0], SUZUKI[1], 1.0 - 2.0 * (SUZUKI[0] + SUZUKI[1]), SUZUKI[1], SUZUKI[0]]);
/// Digits of Omelyan, Mryglod & Folk 2002.
const PEFRL_XI: f64 = 0.178_617_895_844_809_1;
/// Likewise.
const PEFRL_LAMBDA: f64 = -0.212_341_831_062_605_4;
/// Likewise.
const PEFRL_CHI: f64 = -0.066_264_582_669_818_5;

/// A palindromic splitting; its order, gradients a step and stability limit.
const fn splitting(
    name: &'static str,
    stages: &'static [Stage],
    (order, gradients, limit): (u32, u32, f64),
    reference: &'static str,
) -> Scheme {
    Scheme {
        name,
        method: Method::Splitting(stages),
        order,
        gradients: Some(gradients),
        stability: Stability::Limit(limit),
        symplectic: true,
        reversible: true,
        volume_preserving: true,
        reference,
    }
}

/// Kicks b, 1 − 2b, b around two half drifts.
const fn two_stage(b: f64) -> [Stage; 5] {
    [Kick(b), Drift(0.5), Kick(1.0 - 2.0 * b), Drift(0.5), Kick(b)]
}

/// Leapfrogs of these fractions of the step, one after another, their adjacent kicks merged.
const fn leapfrogs<const N: usize, const STAGES: usize>(fractions: [f64; N]) -> [Stage; STAGES] {
    assert!(STAGES == 2 * N + 1);
    let mut stages = [Kick(fractions[0] / 2.0); STAGES];
    let mut i = 0;
    while i < N {
        let next = if i + 1 < N { fractions[i + 1] } else { 0.0 };
        stages[2 * i + 1] = Drift(fractions[i]);
        stages[2 * i + 2] = Kick((fractions[i] + next) / 2.0);
        i += 1;
    }
    stages
}

/// x^(1/n) for x ≥ 1 by Newton's method: from above it falls until rounding stops it, and `std` has no root in
/// constants.
const fn root(x: f64, n: i32) -> f64 {
    let mut y = x;
    loop {
        let mut power = 1.0; // yⁿ⁻¹
        let mut i = 1;
        while i < n {
            power *= y;
            i += 1;
        }
        let next = y - (y - x / power) / n as f64;
        if next >= y {
            return y;
        }
        y = next;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Up to a few dozen roundings of 1e-16.
    #[test]
    fn coefficients_sum_to_one() {
        for scheme in &SCHEMES {
            for n_steps in [1, 3] {
                let Some(stages) = scheme.stages(n_steps) else { continue };
                let sum = |part: fn(&Stage) -> f64| stages.iter().map(part).sum::<f64>();
                let kicks = sum(|stage| if let Kick(c) = stage { *c } else { 0.0 });
                let drifts = sum(|stage| if let Drift(c) = stage { *c } else { 0.0 });
                let gap = (kicks - n_steps as f64).abs().max((drifts - n_steps as f64).abs());
                assert!(gap < 1e-14, "{}: kicks {kicks}, drifts {drifts} in {n_steps} steps", scheme.name);
            }
        }
    }

    /// `reversible` of a splitting says that it is a palindrome.
    #[test]
    fn reversible_splittings_are_palindromes() {
        for scheme in &SCHEMES {
            let Method::Splitting(stages) = scheme.method else { continue };
            assert_eq!(stages.iter().eq(stages.iter().rev()), scheme.reversible, "{}", scheme.name);
        }
    }

    #[test]
    fn roots_agree_with_the_standard_library() {
        assert_eq!(root(2.0, 3), 2f64.cbrt());
        assert_eq!(root(3.0, 2), 3f64.sqrt());
        assert!((MCLACHLAN_B - 0.193_183_327_503_783_6).abs() < 1e-16);
    }
}
