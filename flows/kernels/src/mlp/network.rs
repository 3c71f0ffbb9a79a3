//! A plain network ℝⁱ → ℝᵒ.
