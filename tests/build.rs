//! Lets several plugins meet in one test program.

fn main() {
    // Every plugin exports the ABI's entry under the same name; the laws call the crates directly and never the entry,
    // so the linker may keep whichever it sees first.
    println!("cargo::rustc-link-arg-tests=-Wl,--allow-multiple-definition");
    println!("cargo::rerun-if-changed=build.rs");
}
