//! The name of a plugin, which is that of its crate, and of its type in another spelling.

use std::fmt;
use std::str::FromStr;

/// Longer names would break the lines of the templates.
const LONGEST: usize = 40;

/// Names that cargo or the compiler keeps for itself, and those that the plugin depends on.
const TAKEN: [&str; 9] =
    ["alloc", "core", "flow-sdk", "proc-macro", "schemars", "serde", "std", "test", "flow-kernels"];

/// Words of Rust that no crate can be named by.
const KEYWORDS: [&str; 52] = [
    "abstract", "as", "async", "await", "become", "box", "break", "const", "continue", "crate", "do", "dyn", "else",
    "enum", "extern", "false", "final", "fn", "for", "gen", "if", "impl", "in", "let", "loop", "macro", "match", "mod",
    "move", "mut", "override", "priv", "pub", "ref", "return", "self", "static", "struct", "super", "trait", "true",
    "try", "type", "typeof", "union", "unsafe", "unsized", "use", "virtual", "where", "while", "yield",
];

/// A name that a plugin may have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name(String);

impl Name {
    /// As the crate has it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// As files and paths have it: `my-flow` is `my_flow`.
    pub fn library(&self) -> String {
        self.0.replace('-', "_")
    }

    /// As types have it: `my-flow` is `MyFlow`.
    pub fn camel(&self) -> String {
        let word = |word: &str| word[..1].to_ascii_uppercase() + &word[1..];
        self.0.split('-').map(word).collect()
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Name {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if !is_kebab(text) {
            let near: String = kebab(text);
            let like = if is_kebab(&near) { near } else { "my-plugin".into() };
            return Err(format!(
                "`{text}` cannot name a plugin: take lower-case letters and digits, a letter first, single `-` between words, \
                 such as `{like}`"
            ));
        }
        if text.len() > LONGEST {
            return Err(format!("`{text}` is longer than {LONGEST} characters: shorten it"));
        }
        if KEYWORDS.contains(&text) {
            return Err(format!("`{text}` is a keyword of Rust: take another name, such as `my-{text}`"));
        }
        if TAKEN.contains(&text) {
            return Err(format!("`{text}` is the name of another crate: take another name, such as `my-{text}`"));
        }
        Ok(Self(text.into()))
    }
}

fn is_kebab(text: &str) -> bool {
    let word = |word: &str| !word.is_empty() && word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    text.starts_with(|c: char| c.is_ascii_lowercase()) && text.split('-').all(word)
}

/// What was probably meant: `MyFlow` and `my_flow` are `my-flow`.
fn kebab(text: &str) -> String {
    let mut name = String::new();
    for c in text.trim().chars() {
        if c.is_ascii_uppercase() && name.ends_with(|before: char| before.is_ascii_lowercase()) {
            name.push('-');
        }
        let c = if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
        if c != '-' || !name.ends_with('-') {
            name.push(c);
        }
    }
    name.trim_matches('-').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn good_names_have_a_library_and_a_type() {
        for (text, library, camel) in [
            ("a", "a", "A"),
            ("my-flow", "my_flow", "MyFlow"),
            ("real-nvp-2", "real_nvp_2", "RealNvp2"),
            ("x2-y", "x2_y", "X2Y"),
        ] {
            let name: Name = text.parse().unwrap();
            assert_eq!((name.as_str(), name.library().as_str(), name.camel().as_str()), (text, library, camel));
        }
    }

    #[test]
    fn bad_names_are_told_what_would_be_right() {
        for (text, words) in [
            ("MyFlow", "such as `my-flow`"),
            ("my_flow", "such as `my-flow`"),
            ("my--flow-", "such as `my-flow`"),
            ("-x", "such as `x`"),
            ("2x", "such as `my-plugin`"),
            ("../x", "such as `x`"),
            ("größe", "such as `gr-e`"),
            ("", "such as `my-plugin`"),
            ("match", "is a keyword of Rust: take another name, such as `my-match`"),
            ("test", "is the name of another crate"),
            ("flow-sdk", "is the name of another crate"),
            (&"a".repeat(41), "longer than 40 characters"),
        ] {
            let said = text.parse::<Name>().unwrap_err();
            assert!(said.contains(words), "{said}");
        }
    }
}
