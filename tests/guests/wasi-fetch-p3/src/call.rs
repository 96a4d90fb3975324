//! What a request asks to be sent, by its headers.

use wasip3::http::client;
use wasip3::http::types::{ErrorCode, Fields, Method, Request, RequestOptions, Response, Scheme};
use wasip3::wit_bindgen::StreamReader;
use wasip3::wit_future;

use crate::End;

/// A request that is to be sent, as often as it takes.
pub struct Call {
    method: Method,
    scheme: Option<Scheme>,
    authority: String,
    path: String,
    headers: Vec<(String, Vec<u8>)>,
    connect: Option<u64>,
    first_byte: Option<u64>,
    between_bytes: Option<u64>,
    /// How often `/each` sends it.
    pub times: u64,
}

impl Call {
    /// What `request` asks for.
    pub fn of(request: &Request) -> Self {
        let headers = request.get_headers();
        let text = |name: &str| {
            headers.get(name).into_iter().next().map(|value| String::from_utf8_lossy(&value).into_owned())
        };
        let number = |name: &str| text(name).and_then(|text| text.parse().ok());
        let url = text("fetch-url").unwrap_or_default();
        let (scheme, rest) = url.split_once("://").unwrap_or(("", &url));
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let path = if path.is_empty() { "/" } else { path };
        Self {
            method: match text("fetch-method").as_deref() {
                Some("CONNECT") => Method::Connect,
                _ => request.get_method(),
            },
            scheme: match scheme {
                "" => None,
                "http" => Some(Scheme::Http),
                "https" => Some(Scheme::Https),
                other => Some(Scheme::Other(other.to_owned())),
            },
            authority: authority.to_owned(),
            path: path.to_owned(),
            headers: passed_on(&headers).copy_all(),
            connect: number("fetch-connect"),
            first_byte: number("fetch-first-byte"),
            between_bytes: number("fetch-between-bytes"),
            times: number("fetch-times").unwrap_or(1),
        }
    }

    /// Sends it, with this body if it has one, and waits for the answer.
    pub async fn send(&self, body: Option<(StreamReader<u8>, End)>) -> Result<Response, ErrorCode> {
        let headers = Fields::from_list(&self.headers).expect("they came as headers");
        let (contents, end) = match body.filter(|_| self.has_body()) {
            Some((contents, end)) => (Some(contents), end),
            None => (None, wit_future::new(|| Ok(None)).1),
        };
        let (request, _) = Request::new(headers, contents, end, Some(self.options()));
        request.set_method(&self.method).expect("it came as one");
        request.set_scheme(self.scheme.as_ref()).expect("it is one");
        request.set_authority(Some(&self.authority)).map_err(|()| ErrorCode::HttpRequestUriInvalid)?;
        request.set_path_with_query(Some(&self.path)).map_err(|()| ErrorCode::HttpRequestUriInvalid)?;
        client::send(request).await
    }

    /// A GET has one if it says how long it is.
    fn has_body(&self) -> bool {
        !matches!(self.method, Method::Get | Method::Head)
            || self.headers.iter().any(|(name, _)| name == "content-length")
    }

    fn options(&self) -> RequestOptions {
        let nanoseconds = |milliseconds: Option<u64>| milliseconds.map(|time| time * 1_000_000);
        let options = RequestOptions::new();
        options.set_connect_timeout(nanoseconds(self.connect)).expect("the host knows it");
        options.set_first_byte_timeout(nanoseconds(self.first_byte)).expect("the host knows it");
        options.set_between_bytes_timeout(nanoseconds(self.between_bytes)).expect("the host knows it");
        options
    }
}

/// Those headers that go on.
pub fn passed_on(headers: &Fields) -> Fields {
    let passed = Fields::new();
    for (name, value) in headers.copy_all() {
        if name.starts_with("x-") || matches!(name.as_str(), "content-length" | "host" | "traceparent") {
            // Some are the host's to set.
            let _ = passed.append(&name, &value);
        }
    }
    passed
}

/// The name of an error code, without what it says beside.
pub fn name(code: &ErrorCode) -> String {
    let shown = format!("{code:?}");
    let shown = shown.strip_prefix("ErrorCode::").unwrap_or(&shown);
    shown.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default().to_owned()
}
