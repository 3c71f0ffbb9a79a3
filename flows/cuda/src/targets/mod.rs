//! Kernels of target densities, by families: what a target says of itself, and the launch that serves it.
//!
//! Values and gradients come from one launch. Lanes of a warp share a row where coordinates are independent; a point in the
//! plane is a thread. Formulas and what bounds each family are in `src/kernels/targets_*.cu`.

#[cfg(feature = "cuda")]
mod launches;

#[cfg(feature = "cuda")]
pub use launches::{evaluate, hvp};

/// A density that there are kernels of. Formulas are those of the targets that say so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Density {
    /// c + Σᵢ −½ pᵢ (xᵢ − mᵢ)². Numbers: c. Table `[2, d]`: m, p.
    Gaussian,
    /// c + Σᵢ qᵢ xᵢ⁴ + sᵢ xᵢ² − ½ qᵢ xᵢ. Numbers: c. Table `[2, d]`: q, s.
    Wells,
    /// c + Σᵢ −½ xᵢ² − η cos(xᵢ/η). Numbers: c, η. Table `[2, d]`: zeros.
    Rough,
    /// Neal's funnel. Numbers: c.
    Funnel,
    /// The strongly correlated Gaussian, in the plane.
    Scg,
    /// Rezende and Mohamed's U1, in the plane.
    U1,
    /// U2. Numbers: width and softness of the window.
    U2,
    /// U3. Numbers: as of U2.
    U3,
    /// U4. Numbers: as of U2.
    U4,
    /// The banana, in the plane. Numbers: its curvature.
    Banana,
    /// c + log Σₖ exp −½ p ‖x − μₖ‖². Numbers: c, p. Table `[K, d]`: μ.
    Normals,
    /// c + log Σₖ exp Σᵢ −3/2 log(1 + (xᵢ − μₖᵢ)²/2). Numbers: c. Table `[K, d]`: μ.
    Students,
}

/// How a density's rows are laid on threads, with the file its kernels are in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(not(feature = "cuda"), allow(dead_code, reason = "nothing is launched"))]
enum Family {
    Rows,
    Plane,
    Mixture,
}

#[cfg_attr(not(feature = "cuda"), allow(dead_code, reason = "nothing is launched"))]
impl Density {
    fn family(self) -> Family {
        match self {
            Self::Gaussian | Self::Wells | Self::Rough | Self::Funnel => Family::Rows,
            Self::Scg | Self::U1 | Self::U2 | Self::U3 | Self::U4 | Self::Banana => Family::Plane,
            Self::Normals | Self::Students => Family::Mixture,
        }
    }

    /// The part of its kernels' names.
    fn name(self) -> &'static str {
        match self {
            Self::Gaussian => "gaussian",
            Self::Wells => "wells",
            Self::Rough => "rough",
            Self::Funnel => "funnel",
            Self::Scg => "scg",
            Self::U1 => "u1",
            Self::U2 => "u2",
            Self::U3 => "u3",
            Self::U4 => "u4",
            Self::Banana => "banana",
            Self::Normals => "normals",
            Self::Students => "students",
        }
    }
}
