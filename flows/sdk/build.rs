//! Records the toolchain, so that a descriptor can say what built its plugin.

use std::process::Command;

fn main() {
    let rustc = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".into());
    let version = Command::new(rustc).arg("--version").output().ok().and_then(|out| String::from_utf8(out.stdout).ok());
    let version = version.as_deref().map_or("rustc unknown", str::trim);
    let profile = std::env::var("PROFILE").unwrap_or_default();
    let target = std::env::var("TARGET").unwrap_or_default();
    println!("cargo::rustc-env=FLOW_SDK_BUILD={version}, {profile}, {target}");
    println!("cargo::rerun-if-changed=build.rs");
}
