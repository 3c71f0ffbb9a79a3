//! Records the toolchain, for env.json.

use std::process::Command;

fn main() {
    let variable = |name: &str| std::env::var(name).unwrap_or_default();
    let rustc = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".into());
    let version = Command::new(rustc).arg("--version").output().ok().and_then(|out| String::from_utf8(out.stdout).ok());
    let version = version.as_deref().map_or("rustc unknown", str::trim);
    println!("cargo::rustc-env=HARNESS_BUILD={version}, {}, {}", variable("PROFILE"), variable("TARGET"));
    println!("cargo::rustc-env=HARNESS_TARGET_FEATURES={}", variable("CARGO_CFG_TARGET_FEATURE"));
    println!("cargo::rerun-if-changed=build.rs");
}
