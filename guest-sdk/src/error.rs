//! [`Error`] and [`Result`]: what a handler returns when it gives up. Any
//! error of any library becomes an [`Error`] with `?`.

use std::error::Error as StdError;
use std::fmt;

/// What a handler returns.
pub type Result<T = (), E = Error> = std::result::Result<T, E>;

/// Any error, with its causes.
///
/// `?` makes one of every [`std::error::Error`], such as
/// [`ErrorCode`](crate::ErrorCode) or [`std::io::Error`]; [`Error::msg`] makes
/// one of a text. `{}` shows the outermost text, `{:#}` and `{:?}` the whole
/// chain in one line.
///
/// ```
/// use innkeeper_guest::{Error, Result};
///
/// fn port(text: &str) -> Result<u16> {
///     match text.parse()? {
///         0 => Err(Error::msg("port 0 means nothing here")),
///         port => Ok(port),
///     }
/// }
///
/// assert_eq!(port("80").unwrap(), 80);
/// assert_eq!(port("0").unwrap_err().to_string(), "port 0 means nothing here");
/// assert!(port("x").unwrap_err().downcast_ref::<std::num::ParseIntError>().is_some());
/// ```
pub struct Error(Box<dyn StdError + Send + Sync>);

impl Error {
    /// An error that is a text and nothing more.
    pub fn msg(message: impl fmt::Display) -> Self {
        Self(message.to_string().into())
    }

    /// The error inside, if it is an `E`.
    pub fn downcast_ref<E: StdError + 'static>(&self) -> Option<&E> {
        self.0.downcast_ref()
    }
}

impl<E: StdError + Send + Sync + 'static> From<E> for Error {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl From<Error> for Box<dyn StdError + Send + Sync> {
    fn from(error: Error) -> Self {
        error.0
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if f.alternate() { write!(f, "{}", Chain(&*self.0)) } else { write!(f, "{}", self.0) }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", Chain(&*self.0))
    }
}

/// Shows an error and its causes as one line.
pub(crate) struct Chain<'a>(pub(crate) &'a (dyn StdError + 'static));

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = self.0.to_string();
        let mut cause = self.0.source();
        while let Some(error) = cause {
            text.push_str(": ");
            text.push_str(&error.to_string());
            cause = error.source();
        }
        // One failure is one line in the log, whatever the texts hold.
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        for (index, line) in lines.enumerate() {
            if index > 0 {
                f.write_str(" ")?;
            }
            f.write_str(line)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Outer(std::num::ParseIntError);

    impl fmt::Display for Outer {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("bad\r\n  port")
        }
    }

    impl StdError for Outer {
        fn source(&self) -> Option<&(dyn StdError + 'static)> {
            Some(&self.0)
        }
    }

    #[test]
    fn the_chain_is_one_line() {
        let cause = "x".parse::<u16>().expect_err("x is no number");
        let error = Error::from(Outer(cause));
        assert_eq!(format!("{error:#}"), "bad port: invalid digit found in string");
        assert_eq!(error.to_string(), "bad\r\n  port");
    }
}
