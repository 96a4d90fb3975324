//! As much of `curl` as the book uses: a request made of its arguments, and
//! what it would print of the response. So a page can be tried without a
//! program that need not be there.

use anyhow::{Context, Result, bail};

use crate::message::{Interim, Message};

/// The boundary of forms with parts; curl takes a random one.
const BOUNDARY: &str = "------------------------5f0c1b1a8d";

/// A command of `curl`.
#[derive(Clone, Debug, Default)]
pub struct Curl {
    method: Option<String>,
    host: String,
    target: String,
    headers: Vec<String>,
    body: Option<Vec<u8>>,
    prints_head: bool,
    only_head: bool,
}

impl Curl {
    /// Reads the words behind `curl`.
    ///
    /// # Errors
    ///
    /// If there is a flag that this `curl` has not, or no URL.
    pub fn parse(words: &[String]) -> Result<Self> {
        let mut curl = Self::default();
        let mut parts = Vec::new();
        let mut words = words.iter().map(String::as_str);
        while let Some(word) = words.next() {
            let mut value = || words.next().with_context(|| format!("`{word}` lacks its value"));
            match word {
                "-i" => curl.prints_head = true,
                "-I" | "--head" => (curl.prints_head, curl.only_head) = (true, true),
                // They change how the real one prints, and not what.
                "-N" | "-s" | "-g" | "--path-as-is" => {}
                "-X" => curl.method = Some(value()?.to_owned()),
                "-H" => curl.headers.push(value()?.to_owned()),
                "-b" => curl.headers.push(format!("Cookie: {}", value()?)),
                "-d" => curl.form(value()?),
                "--data-binary" => curl.form(value()?),
                "--json" => {
                    curl.headers
                        .extend(["Content-Type", "Accept"].map(|name| format!("{name}: application/json")));
                    curl.body = Some(value()?.into());
                }
                "-F" => parts.push(value()?),
                flag if flag.starts_with('-') => bail!("the curl of the tests does not know `{flag}`"),
                url => (curl.host, curl.target) = host_and_target(url)?,
            }
        }
        if !parts.is_empty() {
            curl.headers.push(format!("Content-Type: multipart/form-data; boundary={BOUNDARY}"));
            curl.body = Some(multipart(&parts)?.into_bytes());
        }
        if curl.host.is_empty() {
            bail!("there is no URL");
        }
        Ok(curl)
    }

    /// Whether it asks for a head alone.
    #[must_use]
    pub fn only_head(&self) -> bool {
        self.only_head
    }

    /// The request as it goes out, over a connection that closes after it.
    #[must_use]
    pub fn request(&self) -> Vec<u8> {
        let usual = if self.only_head {
            "HEAD"
        } else if self.body.is_some() {
            "POST"
        } else {
            "GET"
        };
        let method = self.method.as_deref().unwrap_or(usual);
        let mut head = format!("{method} {} HTTP/1.1\r\n", self.target);
        for (name, value) in [("Host", self.host.as_str()), ("User-Agent", "curl/8.9.1"), ("Accept", "*/*")] {
            if !self.has(name) {
                head.push_str(&format!("{name}: {value}\r\n"));
            }
        }
        for header in &self.headers {
            head.push_str(&format!("{header}\r\n"));
        }
        if let Some(body) = &self.body {
            head.push_str(&format!("Content-Length: {}\r\n", body.len()));
        }
        head.push_str("\r\n");
        [head.into_bytes(), self.body.clone().unwrap_or_default()].concat()
    }

    /// What it prints of a response.
    #[must_use]
    pub fn printed(&self, response: &Message) -> String {
        let mut text = String::new();
        if self.prints_head {
            for interim in &response.interim {
                text.push_str(&format!("{}\n", status_line(interim)));
                text.push_str(&lines(&interim.headers));
            }
            text.push_str(&format!("{}\n", response.line));
            text.push_str(&lines(&response.headers));
        }
        text.push_str(&String::from_utf8_lossy(&response.body));
        text
    }

    fn form(&mut self, data: &str) {
        if !self.has("Content-Type") {
            self.headers.push("Content-Type: application/x-www-form-urlencoded".to_owned());
        }
        self.body = Some(match self.body.take() {
            Some(before) => [before.as_slice(), b"&", data.as_bytes()].concat(),
            None => data.into(),
        });
    }

    fn has(&self, name: &str) -> bool {
        let names = self.headers.iter().filter_map(|header| header.split_once(':'));
        names.into_iter().any(|(given, _)| given.eq_ignore_ascii_case(name))
    }
}

fn host_and_target(url: &str) -> Result<(String, String)> {
    let rest = url.strip_prefix("http://").with_context(|| format!("`{url}` is no URL of the host"))?;
    let (host, target) = match rest.find(['/', '?']) {
        Some(at) => rest.split_at(at),
        None => (rest, "/"),
    };
    Ok((host.to_owned(), target.to_owned()))
}

/// Parts as `name=value`; a value of `@file` is a file with its name as its
/// content, for there are no files where the tests run.
fn multipart(parts: &[&str]) -> Result<String> {
    let mut body = String::new();
    for part in parts {
        let (name, value) = part.split_once('=').with_context(|| format!("`{part}` is no part"))?;
        body.push_str(&format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\""));
        match value.strip_prefix('@') {
            Some(file) => {
                body.push_str(&format!("; filename=\"{file}\"\r\nContent-Type: text/plain\r\n\r\n{file}"));
            }
            None => body.push_str(&format!("\r\n\r\n{value}")),
        }
        body.push_str("\r\n");
    }
    body.push_str(&format!("--{BOUNDARY}--\r\n"));
    Ok(body)
}

fn status_line(interim: &Interim) -> String {
    let reason = match interim.status {
        100 => "Continue",
        102 => "Processing",
        103 => "Early Hints",
        _ => "",
    };
    format!("HTTP/1.1 {} {reason}", interim.status)
}

fn lines(headers: &[(String, String)]) -> String {
    let lines = headers.iter().map(|(name, value)| format!("{name}: {value}\n"));
    lines.chain(["\n".to_owned()]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(line: &str) -> String {
        let words: Vec<_> = line.split(' ').map(str::to_owned).collect();
        String::from_utf8(Curl::parse(&words).expect("it is known").request()).expect("it is text")
    }

    #[test]
    fn requests() {
        assert_eq!(
            request("-i http://127.0.0.1:8080?a=b -H accept:x"),
            "GET ?a=b HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nUser-Agent: curl/8.9.1\r\naccept:x\r\n\r\n"
        );
        assert_eq!(
            request("-d a=1 -d b=2 http://inn/form"),
            "POST /form HTTP/1.1\r\nHost: inn\r\nUser-Agent: curl/8.9.1\r\nAccept: */*\r\n\
             Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 7\r\n\r\na=1&b=2"
        );
        assert!(request("-I http://inn/").starts_with("HEAD / HTTP/1.1\r\n"));
    }

    #[test]
    fn what_it_does_not_know_is_an_error() {
        for words in [&["--proxy", "x"][..], &[], &["ftp://inn/"]] {
            let words: Vec<_> = words.iter().map(ToString::to_string).collect();
            assert!(Curl::parse(&words).is_err(), "{words:?}");
        }
    }
}
