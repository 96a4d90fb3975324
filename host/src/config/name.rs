//! Names of apps and tenants: short, printable, and safe in a path, a label or
//! a log line as they are.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// Bytes of a name; a DNS label has as many.
const BYTES_MAX: usize = 63;

/// The name of an app or of a tenant: 1 to 63 of `A-Z a-z 0-9 - _ .`, the
/// first a letter or a digit.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Name(Arc<str>);

impl Name {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The nearest name to any text: what a name cannot have becomes `-`.
    pub fn resembling(text: &str) -> Self {
        let fit = |char: char| if is_name_char(char) { char } else { '-' };
        let name: String = text.chars().map(fit).take(BYTES_MAX).collect();
        let name = name.trim_start_matches(|char: char| !char.is_ascii_alphanumeric());
        Name(if name.is_empty() { "app".into() } else { name.into() })
    }
}

impl FromStr for Name {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let good = text.len() <= BYTES_MAX
            && text.starts_with(|first: char| first.is_ascii_alphanumeric())
            && text.chars().all(is_name_char);
        if good {
            return Ok(Name(text.into()));
        }
        Err(format!(
            "{text:?} is no name; take 1 to {BYTES_MAX} of the characters A-Z a-z 0-9 - _ ., and begin with a letter or a digit"
        ))
    }
}

fn is_name_char(char: char) -> bool {
    char.is_ascii_alphanumeric() || "-_.".contains(char)
}

impl TryFrom<String> for Name {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Name> for String {
    fn from(name: Name) -> Self {
        name.0.as_ref().to_owned()
    }
}

impl From<&Name> for Arc<str> {
    fn from(name: &Name) -> Self {
        name.0.clone()
    }
}

impl Borrow<str> for Name {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_name_is() {
        for good in ["a", "api-2", "A_b.c", "9"] {
            assert_eq!(good.parse::<Name>().map(String::from), Ok(good.to_owned()));
        }
        for bad in ["", "-a", ".", "a/b", "a b", "ä", &"a".repeat(BYTES_MAX + 1)] {
            assert!(bad.parse::<Name>().is_err(), "{bad}");
        }
    }

    #[test]
    fn any_text_resembles_a_name() {
        for (text, name) in
            [("hello", "hello"), ("my app", "my-app"), ("../x", "x"), ("", "app"), ("ö", "app")]
        {
            assert_eq!(Name::resembling(text).as_str(), name);
            assert!(Name::resembling(text).as_str().parse::<Name>().is_ok());
        }
    }
}
