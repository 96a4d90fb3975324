//! Cookies: read with [`IncomingMessage::cookies`], set with
//! [`ServerResponse::set_cookie`], removed with
//! [`ServerResponse::remove_cookie`]. With the feature `cookies`.
//!
//! ```
//! use innkeeper_guest::cookies::{Cookie, time::Duration};
//! use innkeeper_guest::{IncomingMessage, Result, ServerResponse, handler};
//!
//! #[handler]
//! fn theme(req: IncomingMessage, res: ServerResponse) -> Result<()> {
//!     let theme = req.cookies().get("theme").unwrap_or("light").to_owned();
//!     res.set_cookie(Cookie::build(("theme", theme.as_str())).max_age(Duration::days(30)))?;
//!     Ok(res.end(theme)?)
//! }
//! # fn main() {}
//! ```
//!
//! # What is set where nothing is said
//!
//! - `Path=/`: a cookie is for the whole app, and not for the folder that
//!   happened to set it.
//! - `HttpOnly`: scripts have no business with it. Those that have, get
//!   `.http_only(false)`.
//! - `SameSite=Lax`: a form on another site does not send it.
//! - `Secure`: it travels over TLS only. The host itself does not speak TLS, but
//!   whoever stands before it does, and a handler cannot tell; so this errs on
//!   the safe side. Browsers make an exception of `http://localhost`, most also
//!   of `http://127.0.0.1`. A site without TLS needs `.secure(false)`.
//!
//! Names and values may be any text: they are percent-encoded on their way out
//! and decoded on their way in.

use std::borrow::Cow;

pub use cookie::{Cookie, CookieBuilder, Expiration, SameSite, time};

use crate::{ErrorCode, IncomingMessage, ServerResponse};

/// What browsers keep of a name, a value and attributes together, at least
/// (RFC 6265 6.1). What is longer they drop, without a word.
const COOKIE_BYTES_MAX: usize = 4096;

/// The cookies of a request.
#[derive(Clone, Debug, Default)]
pub struct Cookies(Vec<Cookie<'static>>);

impl Cookies {
    /// The value of a cookie; `None` if it was not sent. Of several of one name
    /// it is the first, which is the one of the longest path.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.iter().find_map(|(other, value)| (other == name).then_some(value))
    }

    /// All names and values, in the order in which they were sent.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(Cookie::name_value)
    }
}

impl IncomingMessage {
    /// The cookies that the client sent. What is no cookie is left out.
    pub fn cookies(&self) -> Cookies {
        let Some(header) = self.header_str("cookie") else { return Cookies::default() };
        let pairs = header.split(';').map(str::trim).filter(|pair| pair.contains('='));
        let read = |pair: &str| {
            // Others do not encode theirs: what is no encoding is meant as it is.
            let decoded = Cookie::parse_encoded(pair.to_owned());
            decoded.or_else(|_| Cookie::parse(pair.to_owned())).ok()
        };
        Cookies(pairs.filter_map(read).collect())
    }
}

impl ServerResponse {
    /// Sets a cookie: `(name, value)`, or a [`Cookie`] with attributes. Those
    /// that it does not have are as the [module](crate::cookies) says. An
    /// earlier one of this response with the same name, domain and path is
    /// replaced.
    ///
    /// # Errors
    /// [`ErrorCode::InvalidArg`] for a cookie that browsers would drop, with the
    /// reason; those of [`set_header`](Self::set_header).
    pub fn set_cookie<'c>(&self, cookie: impl Into<Cookie<'c>>) -> Result<(), ErrorCode> {
        let cookie = with_defaults(cookie.into().into_owned());
        check(&cookie).map_err(|why| {
            ErrorCode::InvalidArg(format!("the cookie {:?} would be dropped: {why}", cookie.name()))
        })?;
        let line = cookie.encoded().to_string();
        if line.len() > COOKIE_BYTES_MAX {
            let length = line.len();
            return Err(ErrorCode::InvalidArg(format!(
                "the cookie {:?} has {length} bytes, and browsers keep {COOKIE_BYTES_MAX}; keep less in it",
                cookie.name()
            )));
        }
        let mut lines = self.get_header("set-cookie").unwrap_or_default();
        lines.retain(|earlier| !is_for_the_same(earlier, &cookie));
        lines.push(line.into_bytes());
        self.set_header("Set-Cookie", lines)
    }

    /// Has the client forget a cookie. It must be named as it was set, if that
    /// was with a path or a domain: `Cookie::build(name).path("/shop")`.
    ///
    /// # Errors
    /// Those of [`set_cookie`](Self::set_cookie).
    pub fn remove_cookie<'c>(&self, cookie: impl Into<Cookie<'c>>) -> Result<(), ErrorCode> {
        let mut cookie = cookie.into();
        cookie.set_value("");
        cookie.set_max_age(time::Duration::ZERO);
        cookie.set_expires(time::OffsetDateTime::UNIX_EPOCH);
        self.set_cookie(cookie)
    }
}

fn with_defaults(mut cookie: Cookie<'static>) -> Cookie<'static> {
    if cookie.path().is_none() {
        cookie.set_path("/");
    }
    if cookie.http_only().is_none() {
        cookie.set_http_only(true);
    }
    if cookie.same_site().is_none() {
        cookie.set_same_site(SameSite::Lax);
    }
    if cookie.secure().is_none() {
        cookie.set_secure(true);
    }
    cookie
}

/// Refuses what browsers take for something else, or drop without a word
/// (RFC 6265 5.3, and its revision for prefixes and `SameSite=None`).
fn check(cookie: &Cookie<'_>) -> Result<(), Cow<'static, str>> {
    if cookie.name().is_empty() {
        return Err("it has no name".into());
    }
    let attributes = [("path", cookie.path()), ("domain", cookie.domain())];
    for (which, value) in attributes {
        if let Some(value) = value.filter(|value| value.contains([';', '\r', '\n', '\0'])) {
            return Err(format!("its {which} {value:?} has a character that ends it").into());
        }
    }
    let secure = cookie.secure() == Some(true);
    if !secure && cookie.same_site() == Some(SameSite::None) {
        return Err("with SameSite=None it must be Secure".into());
    }
    if !secure && cookie.partitioned() == Some(true) {
        return Err("if Partitioned, it must be Secure".into());
    }
    if !secure && (cookie.name().starts_with("__Secure-") || cookie.name().starts_with("__Host-")) {
        return Err("its prefix says that it is Secure".into());
    }
    if cookie.name().starts_with("__Host-") && (cookie.domain().is_some() || cookie.path() != Some("/")) {
        return Err("its prefix says that it has no Domain, and Path=/".into());
    }
    Ok(())
}

/// Whether a client would keep only one of an earlier line and this cookie.
fn is_for_the_same(earlier: &[u8], cookie: &Cookie<'_>) -> bool {
    let Ok(earlier) = std::str::from_utf8(earlier) else { return false };
    Cookie::parse_encoded(earlier).is_ok_and(|earlier| {
        earlier.name() == cookie.name()
            && earlier.path() == cookie.path()
            && earlier.domain() == cookie.domain()
    })
}
