//! Names in a sweep for what kernels know by value.

use flow_sdk::kernels::integrator::Scheme;
use flow_sdk::kernels::mlp::Activation;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Integration scheme; `harness list integrators` has their properties.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs, reason = "the names say it; the table of schemes documents them")]
pub enum IntegratorName {
    ExplicitEuler,
    SymplecticEuler,
    #[default]
    Leapfrog,
    PositionVerlet,
    #[serde(rename = "mclachlan-2")]
    Mclachlan2,
    #[serde(rename = "bcss-2")]
    Bcss2,
    #[serde(rename = "bcss-3")]
    Bcss3,
    #[serde(rename = "ruth-3")]
    Ruth3,
    ForestRuth,
    #[serde(rename = "suzuki-4")]
    Suzuki4,
    Pefrl,
    Rk4,
    ImplicitMidpoint,
}

/// Activation function of the energies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs, reason = "the names say it")]
pub enum ActivationName {
    #[default]
    Softplus,
    Tanh,
    Silu,
}

/// Kinetic energy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum KineticName {
    /// A network of its own.
    #[default]
    Learnt,
    /// ½ pᵀM⁻¹p with a learnt diagonal mass (Souveton et al. 2023, arXiv 2302.01955).
    Fixed,
    /// ½ pᵀp: nothing to learn.
    Unit,
}

impl IntegratorName {
    /// The scheme of that name.
    pub fn scheme(self) -> &'static Scheme {
        let name = serde_name(&self);
        Scheme::named(&name).unwrap_or_else(|| panic!("`{name}` stands in the table of schemes"))
    }
}

impl From<ActivationName> for Activation {
    fn from(name: ActivationName) -> Self {
        match name {
            ActivationName::Softplus => Self::Softplus,
            ActivationName::Tanh => Self::Tanh,
            ActivationName::Silu => Self::Silu,
        }
    }
}

/// A unit variant's name in files.
fn serde_name(value: &impl Serialize) -> String {
    let value = serde_json::to_value(value).unwrap_or_default();
    value.as_str().map(str::to_owned).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use flow_sdk::kernels::integrator::SCHEMES;

    #[test]
    fn every_scheme_has_its_name_here() {
        for scheme in &SCHEMES {
            let name: IntegratorName = serde_json::from_value(scheme.name.into()).expect(scheme.name);
            assert_eq!(name.scheme().name, scheme.name);
        }
    }
}
