//! What a project begins with: the files of `host/templates`, which are part
//! of the program. Each language has a folder with one for each template, and
//! `all`, which is in every project.
//!
//! A file whose name begins with `_` is no file of the project but a piece of
//! text, which takes the place of its name in the others: `_about.md` that of
//! `{{about}}`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use clap::ValueEnum;
use include_dir::{Dir, include_dir};

use super::project::Language;

static TEMPLATES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/templates");

/// What is in every project of a language.
const ALL: &str = "all";

/// The pieces that a template may have; one that it does not have is empty.
const PIECES: [&str; 3] = ["about", "dependencies", "flags"];

/// What a project begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Template {
    /// A greeting.
    Hello,
    /// An API in JSON.
    Api,
    /// A WebSocket, and a page to try it with.
    Websocket,
    /// What passes requests on to another server.
    Proxy,
}

impl Template {
    fn name(self) -> &'static str {
        match self {
            Template::Hello => "hello",
            Template::Api => "api",
            Template::Websocket => "websocket",
            Template::Proxy => "proxy",
        }
    }

    /// The files of a project, with these values in the places of their names.
    ///
    /// # Errors
    /// A template that the language does not have.
    pub fn files(self, language: Language, values: &[(&str, &str)]) -> Result<Vec<(PathBuf, String)>> {
        let of_language = Path::new(language.name());
        let Some(own) = TEMPLATES.get_dir(of_language.join(self.name())) else {
            bail!(
                "there is no template {} in {}; {}",
                self.name(),
                language.name(),
                alternatives(self, language)
            );
        };
        let mut texts = BTreeMap::new();
        for folder in TEMPLATES.get_dir(of_language.join(ALL)).into_iter().chain([own]) {
            collect(folder, folder.path(), &mut texts)?;
        }
        let mut pieces: BTreeMap<_, _> =
            PIECES.iter().map(|name| ((*name).to_owned(), String::new())).collect();
        pieces.extend(values.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let mut files = Vec::new();
        for (path, text) in texts {
            match path.to_str().and_then(|name| name.strip_prefix('_')) {
                Some(name) => {
                    let name = name.split('.').next().unwrap_or(name);
                    pieces.insert(name.to_owned(), text.trim_end().to_owned());
                }
                None => files.push((path, text)),
            }
        }
        for (path, text) in &mut files {
            *text = fill(text, &pieces);
            *path = named(path);
        }
        Ok(files)
    }
}

/// Which templates the language has, and which languages have the template.
fn alternatives(template: Template, language: Language) -> String {
    let has = |language: Language, template: Template| {
        TEMPLATES.get_dir(Path::new(language.name()).join(template.name())).is_some()
    };
    let templates: Vec<_> = Template::value_variants()
        .iter()
        .filter(|other| has(language, **other))
        .map(|other| other.name())
        .collect();
    let languages: Vec<_> = Language::value_variants()
        .iter()
        .filter(|other| has(**other, template))
        .map(|other| format!("--lang {}", other.name()))
        .collect();
    format!("take --template {}, or {}", templates.join(" or "), languages.join(" or "))
}

fn collect(folder: &Dir<'_>, base: &Path, texts: &mut BTreeMap<PathBuf, String>) -> Result<()> {
    for file in folder.files() {
        let path = file.path().strip_prefix(base)?;
        let text = file.contents_utf8().with_context(|| format!("{} is no text", file.path().display()))?;
        texts.insert(path.to_owned(), text.to_owned());
    }
    folder.dirs().try_for_each(|folder| collect(folder, base, texts))
}

/// The name that a file has in the project: one as it is there would be one of
/// this repository, too.
fn named(path: &Path) -> PathBuf {
    match path.to_str() {
        Some("gitignore") => ".gitignore".into(),
        Some(name) => name.strip_suffix(".in").unwrap_or(name).into(),
        None => path.to_owned(),
    }
}

fn fill(text: &str, pieces: &BTreeMap<String, String>) -> String {
    pieces.iter().fold(text.to_owned(), |text, (name, piece)| text.replace(&format!("{{{{{name}}}}}"), piece))
}

/// Writes files into a folder that is made for them; nothing stays of it if
/// that fails.
///
/// # Errors
/// A folder that exists, and whatever the system says.
pub fn write(folder: &Path, files: &[(PathBuf, String)]) -> Result<()> {
    if folder.symlink_metadata().is_ok() {
        bail!("{} exists; take another name, or remove it", folder.display());
    }
    let written = files.iter().try_for_each(|(path, text)| {
        let path = folder.join(path);
        let cannot = || format!("cannot write {}", path.display());
        fs::create_dir_all(path.parent().unwrap_or(folder)).with_context(cannot)?;
        fs::write(&path, text).with_context(cannot)
    });
    if written.is_err() {
        // What matters is why it failed.
        let _ = fs::remove_dir_all(folder);
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    const VALUES: [(&str, &str); 2] = [("name", "shop"), ("sdk", r#""0.1""#)];

    #[test]
    fn every_template_is_filled() {
        let mut count = 0;
        for language in Language::value_variants() {
            for template in Template::value_variants() {
                let Ok(files) = template.files(*language, &VALUES) else { continue };
                count += 1;
                for (path, text) in &files {
                    assert!(!text.contains("{{"), "{language:?} {template:?} {}: {text}", path.display());
                    assert!(!path.ends_with("gitignore") || path.starts_with(".gitignore"));
                }
                let has = |name: &str| files.iter().any(|(path, _)| path == Path::new(name));
                assert!(has("README.md") && has(".gitignore"), "{language:?} {template:?}");
            }
        }
        assert_eq!(count, 10);
    }

    #[test]
    fn a_template_that_there_is_not_is_told_with_those_that_there_are() {
        let error = Template::Websocket.files(Language::Js, &VALUES).unwrap_err();
        assert_eq!(
            error.to_string(),
            "there is no template websocket in js; take --template hello or api or proxy, or --lang rust"
        );
    }
}
