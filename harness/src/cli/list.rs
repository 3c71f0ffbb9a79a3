//! `harness list`: flows, targets and integrators by name.

use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, ValueEnum};
use flow_kernels::integrator::{SCHEMES, Stability};
use harness::host::SearchPath;

use super::{OK, table};

const INTEGRATOR_HEADERS: [&str; 9] = [
    "name",
    "order",
    "gradients_per_step",
    "stability_limit",
    "limit_per_gradient",
    "symplectic",
    "reversible",
    "volume_preserving",
    "reference",
];

#[derive(Args)]
#[command(after_help = "Example: harness list targets\n         harness list integrators --json")]
pub struct ListArgs {
    /// What to list [default: flows and targets].
    pub what: Option<What>,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum What {
    /// Plugins on the search path.
    Flows,
    /// Target densities.
    Targets,
    /// Integration schemes of Hamiltonian flows and samplers.
    Integrators,
}

pub fn list(args: &ListArgs, plugin_dirs: &[PathBuf]) -> Result<u8> {
    if args.what == Some(What::Integrators) {
        return integrators(args.json);
    }
    let mut rows = Vec::new();
    if args.what != Some(What::Targets) {
        for (name, found) in SearchPath::new(plugin_dirs)?.all()? {
            rows.push(match found.descriptor {
                Ok(about) => vec![about.kind, name, about.summary, about.reference],
                Err(reason) => vec!["unloadable".into(), name, reason, String::new()],
            });
        }
    }
    if args.what != Some(What::Flows) {
        for entry in targets::registry::names().into_iter().filter_map(targets::registry::entry) {
            rows.push(vec!["target".into(), entry.name.into(), entry.summary.into(), entry.reference.into()]);
        }
    }
    table::print(&["kind", "name", "what", "reference"], &rows, args.json)?;
    Ok(OK)
}

/// Limits are of h·ω on the harmonic oscillator; `unstable` where no step is stable, `unlimited` where every one is.
fn integrators(json: bool) -> Result<u8> {
    let yes = |holds: bool| if holds { "yes" } else { "no" }.to_string();
    let rows: Vec<Vec<String>> = SCHEMES
        .iter()
        .map(|scheme| {
            let (limit, per_gradient) = match (scheme.stability, scheme.gradients) {
                (Stability::Never, _) => ("unstable".into(), String::new()),
                (Stability::Unconditional, _) => ("unlimited".into(), String::new()),
                (Stability::Limit(limit), n) => {
                    (format!("{limit:.5}"), n.map_or(String::new(), |n| format!("{:.3}", limit / f64::from(n))))
                }
            };
            vec![
                scheme.name.into(),
                scheme.order.to_string(),
                scheme.gradients.map_or(String::new(), |n| n.to_string()),
                limit,
                per_gradient,
                yes(scheme.symplectic),
                yes(scheme.reversible),
                yes(scheme.volume_preserving),
                scheme.reference.into(),
            ]
        })
        .collect();
    table::print(&INTEGRATOR_HEADERS, &rows, json)?;
    Ok(OK)
}
