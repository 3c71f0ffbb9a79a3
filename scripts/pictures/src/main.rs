//! Pictures of what flows learn: each command runs its sweep through the harness, unless that is done, and draws what came out.
//!
//! To be started from the root of the repository. A sweep's results and the picture are written under `--out`; the sweeps are
//! in `results/reference/pictures`, beside the pictures as they were when last looked at.

mod canvas;
mod density;
mod failure;
mod layers;
mod phase;
mod portraits;
mod trained;

use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::{Parser, ValueEnum};

#[derive(Parser)]
#[command(about, version)]
struct Arguments {
    /// Which picture.
    picture: Picture,
    /// Folder for results and picture.
    #[arg(long, default_value = "results/pictures")]
    out: PathBuf,
}

#[derive(Clone, Copy, ValueEnum)]
enum Picture {
    /// A learnt Hamiltonian on three targets: densities, K, U, one step, the integrated flow.
    Portraits,
    /// Planar and radial layers, 1, 2 and 10 of them, from a Gaussian and from a uniform.
    Layers,
    /// Euler and leapfrog on a harmonic oscillator: trajectories and energies.
    Phase,
    /// A Gaussian that a mistaken loss fails to fit, and the right one.
    Failure,
}

fn main() -> Result<()> {
    let Arguments { picture, out } = Arguments::parse();
    std::fs::create_dir_all(&out)?;
    let (name, draw): (_, fn(&Path, &Path) -> Result<()>) = match picture {
        Picture::Portraits => ("portraits", portraits::draw),
        Picture::Layers => ("layers", layers::draw),
        Picture::Phase => ("phase", phase::draw),
        Picture::Failure => ("failure", failure::draw),
    };
    let file = out.join(name).with_extension("svg");
    draw(&out.join(name), &file)?;
    println!("{}", file.display());
    Ok(())
}
