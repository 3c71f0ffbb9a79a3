//! Plugin files that cannot be used: a result where it is a library, bad input where it is none.

use laws::Sandbox;
use predicates::prelude::*;

const SWEEP: &str = "
version: 1
name: unloadable
flows: [wrong-abi, no-entry, {bad-describe: {anything: 3}}, {planar: {layers: 2}}]
targets: [gaussian]
train: {steps: 2, batch: 8}
eval: {every: 2, draws: 16, final_draws: 100, throughput: false}
";

#[test]
fn a_library_that_cannot_be_used_is_a_result() {
    for (fault, words) in [
        ("garbage", "libbad_describe.so: describe: not a descriptor"),
        ("panic", "libbad_describe.so: describe: describe panics on purpose"),
        ("abort", "libbad_describe.so: describe ended with signal: 6"),
    ] {
        let sandbox = Sandbox::new(SWEEP);
        sandbox.harness("run sweep.yaml").env("BAD_DESCRIBE", fault).assert().code(20);
        let rows = sandbox.results("results/unloadable").runs_by(|row| row["flow"].clone());
        assert_eq!(rows["planar"]["status"], "ok");
        for (flow, words) in [
            ("wrong-abi", "libwrong_abi.so: plugin ABI 99.1, this harness requires major version 1"),
            ("no-entry", "libno_entry.so: exports no `harness_plugin`"),
            ("bad-describe", words),
        ] {
            assert_eq!(rows[flow]["status"], "unloadable");
            assert!(rows[flow]["status_detail"].contains(words), "{}", rows[flow]["status_detail"]);
        }
    }
}

#[test]
fn a_file_that_is_no_library_is_bad_input() {
    let sandbox = Sandbox::new("version: 1\nname: text\nflows: [planar, text]\ntargets: [gaussian]\n");
    sandbox.write("libtext.so", "This is text.\n");
    let refused = sandbox.harness("run sweep.yaml --plugin-dir .").assert().code(64);
    refused
        .stderr(predicate::str::contains("libtext.so: not a shared library").and(predicate::str::contains("cdylib")));
    assert!(!sandbox.path("results").exists());
}
