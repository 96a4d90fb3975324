//! Reading the URL of a request into the parts that the contract wants, as
//! Node's `http.request(url)` does. Nothing is decoded but the user and the
//! password, and nothing is encoded: what may stand in a target is for the
//! host to judge.

use crate::ErrorCode;

/// The parts of a URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Url {
    /// `http` or `https`.
    pub scheme: String,
    /// The host in lower case, and the port if it is not the usual one.
    pub authority: String,
    /// The path with its query, at least `/`.
    pub path: String,
    /// `user:password`, if there is either.
    pub auth: Option<Vec<u8>>,
}

/// Takes a URL apart. What is wrong is told without the URL, for there may be
/// a password in it.
pub(crate) fn parse(url: &str) -> Result<Url, ErrorCode> {
    let Some((scheme, rest)) = url.split_once("://") else {
        return Err(invalid("the url has no scheme: write `http://` and a host"));
    };
    let scheme = scheme.to_ascii_lowercase();
    let usual_port = match scheme.as_str() {
        "http" => 80,
        "https" => 443,
        _ => return Err(ErrorCode::InvalidProtocol(format!("`{scheme}`: write `http` or `https`"))),
    };
    let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    // Browsers end the host there and others do not. Whoever is asked twice
    // where this URL leads would give two answers.
    if authority.contains('\\') {
        return Err(invalid("the host of the url has a `\\` in it"));
    }
    // The last one: a password may have an `@` that should have been `%40`.
    let (user, host) = match authority.rsplit_once('@') {
        Some((user, host)) => (user, host),
        None => ("", authority),
    };
    Ok(Url { authority: host_and_port(host, usual_port)?, path: target(path), auth: auth(user)?, scheme })
}

fn host_and_port(text: &str, usual_port: u16) -> Result<String, ErrorCode> {
    // The colons of an IPv6 address are inside its brackets.
    let after_host = text.rfind(']').map_or(0, |end| end + 1);
    let (host, port) = match text[after_host..].rfind(':') {
        Some(colon) => (&text[..after_host + colon], &text[after_host + colon + 1..]),
        None => (text, ""),
    };
    if host.is_empty() {
        return Err(invalid("the url has no host"));
    }
    let host = host.to_ascii_lowercase();
    if port.is_empty() {
        return Ok(host);
    }
    // `parse` alone would take a sign.
    let digits = port.bytes().all(|byte| byte.is_ascii_digit());
    match port.parse::<u16>() {
        Ok(port) if digits && port == usual_port => Ok(host),
        Ok(port) if digits => Ok(format!("{host}:{port}")),
        _ => Err(invalid(&format!("the port of the url is `{port}`: write a number up to 65535"))),
    }
}

/// The path and the query, without the fragment, which is not the server's to
/// know.
fn target(text: &str) -> String {
    let text = text.split('#').next().unwrap_or_default();
    if text.starts_with('/') { text.to_owned() } else { format!("/{text}") }
}

/// `user:password`, decoded. A user without a password has an empty one.
fn auth(text: &str) -> Result<Option<Vec<u8>>, ErrorCode> {
    let (user, password) = text.split_once(':').unwrap_or((text, ""));
    if user.is_empty() && password.is_empty() {
        return Ok(None);
    }
    let mut auth = percent_decoded(user)?;
    auth.push(b':');
    auth.extend(percent_decoded(password)?);
    Ok(Some(auth))
}

fn percent_decoded(text: &str) -> Result<Vec<u8>, ErrorCode> {
    let mut pieces = text.split('%');
    let mut decoded = pieces.next().unwrap_or_default().as_bytes().to_vec();
    for piece in pieces {
        let bytes = piece.as_bytes();
        let byte = match (bytes.first().and_then(digit), bytes.get(1).and_then(digit)) {
            (Some(high), Some(low)) => high << 4 | low,
            _ => return Err(invalid("the user or password of the url has a `%` without two hex digits")),
        };
        decoded.push(byte);
        decoded.extend_from_slice(&bytes[2..]);
    }
    Ok(decoded)
}

fn digit(byte: &u8) -> Option<u8> {
    let value = char::from(*byte).to_digit(16)?;
    u8::try_from(value).ok()
}

fn invalid(text: &str) -> ErrorCode {
    ErrorCode::InvalidArg(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(url: &str) -> (String, String, String) {
        let url = parse(url).expect("a good url");
        assert_eq!(url.auth, None);
        (url.scheme, url.authority, url.path)
    }

    fn owned(scheme: &str, authority: &str, path: &str) -> (String, String, String) {
        (scheme.to_owned(), authority.to_owned(), path.to_owned())
    }

    #[test]
    fn the_parts() {
        assert_eq!(parts("http://a.example"), owned("http", "a.example", "/"));
        assert_eq!(parts("HTTPS://A.Example/B?c=D"), owned("https", "a.example", "/B?c=D"));
        assert_eq!(parts("http://a?q=http://b/@c"), owned("http", "a", "/?q=http://b/@c"));
        assert_eq!(parts("http://a/b#c?d"), owned("http", "a", "/b"));
        assert_eq!(parts("http://a#b"), owned("http", "a", "/"));
        assert_eq!(parts("http://a//b/../c%20d"), owned("http", "a", "//b/../c%20d"));
    }

    #[test]
    fn the_port() {
        assert_eq!(parts("http://a:8080/").1, "a:8080");
        assert_eq!(parts("http://a:80/").1, "a");
        assert_eq!(parts("http://a:0080/").1, "a");
        assert_eq!(parts("https://a:443/").1, "a");
        assert_eq!(parts("https://a:80/").1, "a:80");
        assert_eq!(parts("http://a:/").1, "a");
        for bad in ["http://a:x/", "http://a:+80/", "http://a:65536/", "http://a:-1/", "http://a: 80/"] {
            assert!(matches!(parse(bad), Err(ErrorCode::InvalidArg(_))), "{bad}");
        }
    }

    #[test]
    fn addresses() {
        assert_eq!(parts("http://127.0.0.1:3000/").1, "127.0.0.1:3000");
        assert_eq!(parts("http://[::1]/").1, "[::1]");
        assert_eq!(parts("http://[2001:DB8::1]:8080/").1, "[2001:db8::1]:8080");
    }

    #[test]
    fn the_user() {
        let auth =
            |url| parse(url).map(|url| url.auth.map(|auth| String::from_utf8_lossy(&auth).into_owned()));
        assert_eq!(auth("http://u:p@a/"), Ok(Some("u:p".to_owned())));
        assert_eq!(auth("http://u@a/"), Ok(Some("u:".to_owned())));
        assert_eq!(auth("http://:p@a/"), Ok(Some(":p".to_owned())));
        assert_eq!(auth("http://@a/"), Ok(None));
        assert_eq!(auth("http://u%40x:p%3A%2f%41@a/"), Ok(Some("u@x:p:/A".to_owned())));
        assert_eq!(auth("http://u:p:q@a/"), Ok(Some("u:p:q".to_owned())));
        assert_eq!(parse("http://good.example@bad.example/").expect("a good url").authority, "bad.example");
        assert_eq!(parse("http://a@b@c/").expect("a good url").authority, "c");
        for bad in ["http://u%4@a/", "http://u%@a/", "http://%zz@a/", "http://u:%f@a/", "http://%+1@a/"] {
            assert!(matches!(auth(bad), Err(ErrorCode::InvalidArg(_))), "{bad}");
        }
    }

    #[test]
    fn what_is_no_url() {
        for bad in
            ["", "a.example", "/path", "http:/a", "http://", "http:///path", "http://:80/", "http://u@/"]
        {
            assert!(matches!(parse(bad), Err(ErrorCode::InvalidArg(_))), "{bad}");
        }
        assert!(matches!(parse("http://good.example\\@bad.example/"), Err(ErrorCode::InvalidArg(_))));
        for bad in ["ftp://a/", "://a/", "ws://a/"] {
            assert!(matches!(parse(bad), Err(ErrorCode::InvalidProtocol(_))), "{bad}");
        }
    }

    #[test]
    fn a_password_is_never_told() {
        for bad in ["http://u:secret@a:x/", "http://u:secret%zz@a/", "ftp://u:secret@a/", "http://u:secret@/"]
        {
            let error = parse(bad).expect_err("a bad url");
            assert!(!error.to_string().contains("secret"), "{error}");
        }
    }
}
