//! Compiles the kernels to PTX, which is embedded: any GPU from `CUDA_COMPUTE_CAP` on, 8.0 where that is not set, runs it.

use std::path::PathBuf;
use std::process::Command;

fn main() {
    println!("cargo:rerun-if-changed=src/kernels");
    for variable in ["CUDA_HOME", "CUDA_PATH", "CUDA_COMPUTE_CAP"] {
        println!("cargo:rerun-if-env-changed={variable}");
    }
    if std::env::var_os("CARGO_FEATURE_CUDA").is_none() {
        return;
    }
    let home = std::env::var_os("CUDA_HOME").or_else(|| std::env::var_os("CUDA_PATH"));
    let nvcc = home.map_or_else(|| PathBuf::from("nvcc"), |home| PathBuf::from(home).join("bin/nvcc"));
    let capability = std::env::var("CUDA_COMPUTE_CAP").unwrap_or_else(|_| "80".into());
    let out = PathBuf::from(std::env::var_os("OUT_DIR").expect("set by cargo"));
    let sources = std::fs::read_dir("src/kernels")
        .expect("the kernels are in the crate")
        .map(|entry| entry.expect("readable").path());
    for source in sources.filter(|path| path.extension().is_some_and(|extension| extension == "cu")) {
        let ptx = out.join(source.with_extension("ptx").file_name().expect("a file"));
        // Sums and products are fused only where the source says so: then the processor's kernels round the same.
        let status = Command::new(&nvcc)
            .args(["--ptx", "-O3", "-std=c++17", "--fmad=false", "--default-stream", "per-thread"])
            .arg(format!("-arch=compute_{capability}"))
            .arg("-o")
            .arg(&ptx)
            .arg(&source)
            .status();
        match status {
            Ok(status) if status.success() => {}
            Ok(status) => panic!("{} ends with {status} on {}", nvcc.display(), source.display()),
            Err(error) => panic!(
                "{}: {error}; set CUDA_HOME to a CUDA toolkit (scripts/cuda/toolchain makes one)",
                nvcc.display()
            ),
        }
    }
}
