//! Greetings, which know nothing of HTTP but the status of what is wrong.

use serde::{Deserialize, Serialize};

use crate::Problem;

/// What a client asks for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wish {
    name: String,
    #[serde(default)]
    language: Language,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
enum Language {
    #[default]
    En,
    Fr,
}

/// What it gets.
#[derive(Debug, Serialize)]
pub struct Greeting {
    text: String,
    language: Language,
}

impl Wish {
    /// A greeting for somebody, in the usual language.
    pub fn of(name: &str) -> Self {
        Wish { name: name.to_owned(), language: Language::default() }
    }
}

/// Greets.
pub fn to(wish: &Wish) -> Result<Greeting, Problem> {
    if wish.name.is_empty() {
        return Err(Problem(422, "name is empty".to_owned()));
    }
    let hello = match wish.language {
        Language::En => "Hello",
        Language::Fr => "Bonjour",
    };
    Ok(Greeting { text: format!("{hello}, {}!", wish.name), language: wish.language })
}
