//! A project: the folder in which somebody writes a handler. What there is to
//! begin one with is in `template`.

pub(super) mod template;

use clap::ValueEnum;

/// What a project is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Language {
    /// Rust, with the crate `innkeeper-guest`.
    Rust,
    /// JavaScript: a fetch handler, on the standard `wasi:http`.
    Js,
    /// Python, on the standard `wasi:http`.
    Python,
}

impl Language {
    /// As the command line has it.
    pub fn name(self) -> &'static str {
        match self {
            Language::Rust => "rust",
            Language::Js => "js",
            Language::Python => "python",
        }
    }
}
