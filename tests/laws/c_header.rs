//! The C header of the ABI is what its Rust source says today.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use cbindgen::{Braces, Builder, Config, DocumentationStyle, Language, Style};

/// Writes the header anew instead of comparing it.
const WRITE: &str = "WRITE_HEADER";

/// Names in Rust, and in C where there are no modules. DLPack's own keep theirs.
const NAMES: [(&str, &str); 21] = [
    ("ENTRY", "harness_plugin"),
    ("OK", "FLOW_OK"),
    ("FAILED", "FLOW_FAILED"),
    ("PANICKED", "FLOW_PANICKED"),
    ("DECLINED", "FLOW_DECLINED"),
    ("MAGIC", "FLOW_MAGIC"),
    ("MAJOR", "FLOW_MAJOR"),
    ("MINOR", "FLOW_MINOR"),
    ("DEVICE_CPU", "FLOW_DEVICE_CPU"),
    ("DEVICE_CUDA", "FLOW_DEVICE_CUDA"),
    ("TYPE_FLOAT", "FLOW_TYPE_FLOAT"),
    ("Call", "FlowCall"),
    ("Text", "FlowText"),
    ("Pull", "FlowPull"),
    ("Setup", "FlowSetup"),
    ("Target", "FlowTarget"),
    ("Plugin", "FlowPlugin"),
    ("TransitionRowsFn", "FlowTransitionRowsFn"),
    ("TransitionGradientFn", "FlowTransitionGradientFn"),
    // `Point<*const DLTensor>` and `Point<*mut DLTensor>`, as cbindgen spells them.
    ("Point______DLTensor", "PointIn"),
    ("Point_____DLTensor", "PointOut"),
];

const OPENS: &str = "
#ifdef __cplusplus
extern \"C\" {
#endif";

const ENDS: &str = "\
// The one function that a plugin exports: the table of all others.
const FlowPlugin *harness_plugin(void);

#ifdef __cplusplus
}
#endif

#endif";

#[test]
fn the_c_header_is_that_of_the_source() {
    let sdk = Path::new(env!("CARGO_MANIFEST_DIR")).join("../flows/sdk");
    let (file, header) = (sdk.join("include/flow_plugin.h"), generate(&sdk.join("src/abi")));
    for name in header.lines().filter_map(|line| line.strip_prefix("#define ")) {
        assert!(name.starts_with("FLOW_"), "`{name}` would be a macro of every plugin: give it a name in NAMES");
    }
    if std::env::var_os(WRITE).is_some() {
        std::fs::write(&file, header).expect("the header can be written");
        return;
    }
    let kept = std::fs::read_to_string(&file).unwrap_or_default();
    let differs = kept.lines().zip(header.lines()).find(|(kept, made)| kept != made);
    assert!(
        kept == header,
        "flows/sdk/include/flow_plugin.h is not what flows/sdk/src/abi says; write it anew by\n\n    \
         {WRITE}=1 cargo test --workspace --release --test c_header\n\nFirst line that differs, kept and made: {differs:?}"
    );
}

fn generate(abi: &Path) -> String {
    let entries = std::fs::read_dir(abi).expect("the ABI's source is there").flatten();
    let mut sources: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    sources.sort();
    let builder = Builder::new().with_config(config(&abi.join("mod.rs")));
    let builder = sources.iter().fold(builder, Builder::with_src);
    let mut out = Vec::new();
    builder.generate().expect("cbindgen can read the ABI").write(&mut out);
    in_words_of_c(&String::from_utf8(out).expect("source is UTF-8"))
}

fn config(rules: &Path) -> Config {
    let mut config = Config {
        language: Language::C,
        style: Style::Both,
        braces: Braces::SameLine,
        documentation_style: DocumentationStyle::C99,
        usize_is_size_t: true,
        line_length: 120,
        tab_width: 4,
        no_includes: true,
        sys_includes: vec!["stddef.h".into(), "stdint.h".into()],
        header: Some(head(&std::fs::read_to_string(rules).expect("the ABI's source can be read"))),
        after_includes: Some(OPENS.into()),
        trailer: Some(ENDS.into()),
        ..Config::default()
    };
    // No function leads to the tables: all hang on the plugin's.
    config.export.include = vec!["Plugin".into()];
    config.export.exclude = vec!["ENTRY".into(), "Entry".into()];
    config.export.rename = NAMES.iter().map(|&(rust, c)| (rust.into(), c.into())).collect::<HashMap<_, _>>();
    config
}

/// The rules of the ABI, which stand in its module's documentation.
fn head(module: &str) -> String {
    let rules = module.lines().map_while(|line| line.strip_prefix("//!"));
    let rules: String = rules.map(|line| format!("//{line}\n")).collect();
    let made = "// Made from flows/sdk/src/abi by cbindgen: change it there. A test holds the two equal.";
    format!("{rules}//\n{made}\n\n#ifndef FLOW_PLUGIN_H\n#define FLOW_PLUGIN_H")
}

/// Links of Rust's documentation as plain code, with the names that things have here.
fn in_words_of_c(header: &str) -> String {
    let plain = header.replace("[`", "`").replace("`]", "`");
    let named = |text: String, (rust, c): &(&str, &str)| text.replace(&format!("`{rust}`"), &format!("`{c}`"));
    NAMES.iter().fold(plain, named)
}
