//! `innkeeper new`: a folder with a handler that builds, runs and is tested.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use clap::Args;

use super::project::Language;
use super::template::{Template, write};

/// Bytes of a name: it is that of a package, a file and an app.
const NAME_BYTES_MAX: usize = 63;

/// The crate `innkeeper-guest` of the version that this program is of.
const SDK_VERSION: &str = env!("CARGO_PKG_VERSION");

/// Where the crate was when this program was built from a checkout.
const SDK_OF_CHECKOUT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../guest-sdk");

/// What a library of Rust cannot be called.
const RESERVED: [&str; 54] = [
    "abstract",
    "alloc",
    "as",
    "async",
    "await",
    "become",
    "box",
    "break",
    "const",
    "continue",
    "core",
    "crate",
    "do",
    "dyn",
    "else",
    "enum",
    "extern",
    "false",
    "final",
    "fn",
    "for",
    "gen",
    "if",
    "impl",
    "in",
    "innkeeper-guest",
    "let",
    "loop",
    "macro",
    "match",
    "mod",
    "move",
    "mut",
    "override",
    "priv",
    "pub",
    "ref",
    "return",
    "self",
    "static",
    "std",
    "struct",
    "super",
    "test",
    "trait",
    "true",
    "try",
    "type",
    "typeof",
    "unsafe",
    "use",
    "virtual",
    "where",
    "while",
];

/// Begin a project: a folder with a handler that builds and runs.
#[derive(Debug, Args)]
pub struct New {
    /// The folder, which is made; its name is that of the project.
    path: PathBuf,

    /// What it is written in.
    #[arg(long, value_enum, default_value_t = Language::Rust)]
    lang: Language,

    /// What it begins with; `websocket` is for Rust only.
    #[arg(long, value_enum, default_value_t = Template::Hello)]
    template: Template,

    /// The folder of the crate `innkeeper-guest`. Without it that of the
    /// checkout which this program was built from, if it is there, and
    /// otherwise the crate of this version on crates.io.
    #[arg(long, value_name = "DIR")]
    sdk: Option<PathBuf>,
}

impl New {
    pub fn run(self) -> Result<ExitCode> {
        let name = self.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        check_name(&name, self.lang)?;
        let sdk = self.sdk()?;
        let files = self.template.files(self.lang, &[("name", &name), ("sdk", &sdk)])?;
        write(&self.path, &files)?;
        let folder = self.path.display();
        println!("made {folder}:");
        for (path, _) in files.iter().filter(|(path, _)| !path.starts_with("wit/deps")) {
            println!("  {}", path.display());
        }
        println!("\nnext:\n  cd {}", quoted(&self.path));
        println!("  innkeeper dev     # builds and serves it; README.md has the rest");
        if self.lang == Language::Rust {
            println!("  cargo test");
        }
        Ok(ExitCode::SUCCESS)
    }

    /// The dependency on the SDK, as a manifest has it.
    fn sdk(&self) -> Result<String> {
        let at = |path: PathBuf| {
            let path = toml::Value::String(path.to_string_lossy().into_owned());
            format!("{{ path = {path} }}")
        };
        match &self.sdk {
            Some(_) if self.lang != Language::Rust => {
                bail!("--sdk is for Rust; {} has no crate to depend on", self.lang.name())
            }
            Some(path) => {
                let cannot = || format!("--sdk {} is no folder that can be read", path.display());
                let folder = path.canonicalize().with_context(cannot)?;
                if !is_sdk(&folder) {
                    bail!(
                        "--sdk {} is not the crate innkeeper-guest; it is the folder guest-sdk of a checkout",
                        path.display()
                    );
                }
                Ok(at(folder))
            }
            None => {
                let folder = Path::new(SDK_OF_CHECKOUT).canonicalize().ok();
                Ok(folder.filter(|folder| is_sdk(folder)).map_or_else(|| format!("{SDK_VERSION:?}"), at))
            }
        }
    }
}

fn is_sdk(folder: &Path) -> bool {
    let manifest = std::fs::read_to_string(folder.join("Cargo.toml")).unwrap_or_default();
    manifest.lines().any(|line| line == r#"name = "innkeeper-guest""#)
}

fn check_name(name: &str, language: Language) -> Result<()> {
    let is_good = name.len() <= NAME_BYTES_MAX
        && name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.chars().all(|char| char.is_ascii_lowercase() || char.is_ascii_digit() || "-_".contains(char));
    if !is_good {
        bail!(
            "{name:?} is no name for a project; take 1 to {NAME_BYTES_MAX} of the characters a-z 0-9 - _, \
             and begin with a letter"
        );
    }
    if language == Language::Rust && RESERVED.contains(&name) {
        bail!(
            "{name:?} is no name for a project in Rust, which has another meaning for it; take another one"
        );
    }
    Ok(())
}

/// A path as a shell takes it.
fn quoted(path: &Path) -> String {
    let text = path.to_string_lossy();
    let is_plain = text.chars().all(|char| char.is_alphanumeric() || "-_./".contains(char));
    if is_plain { text.into_owned() } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_name_is() {
        for good in ["shop", "a", "shop-2", "my_shop"] {
            check_name(good, Language::Rust).unwrap();
        }
        for bad in ["", "-a", "2a", "Shop", "a.b", "a b", "ö", "..", &"a".repeat(64)] {
            let error = check_name(bad, Language::Js).unwrap_err().to_string();
            assert!(error.contains("a-z 0-9 - _"), "{error}");
        }
        assert!(check_name("test", Language::Rust).is_err());
        check_name("test", Language::Python).unwrap();
    }

    #[test]
    fn paths_are_quoted_for_a_shell() {
        assert_eq!(quoted(Path::new("a/b-1")), "a/b-1");
        assert_eq!(quoted(Path::new("a b/it's")), r"'a b/it'\''s'");
    }
}
