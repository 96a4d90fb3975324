//! What a request asks to be sent, by its headers.

use wasip2::http::outgoing_handler;
use wasip2::http::types::{
    ErrorCode, Fields, FutureIncomingResponse, IncomingRequest, Method, OutgoingBody, OutgoingRequest,
    RequestOptions, Scheme,
};

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
    pub fn of(request: &IncomingRequest) -> Self {
        let headers = request.headers();
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
                _ => request.method(),
            },
            scheme: match scheme {
                "" => None,
                "http" => Some(Scheme::Http),
                "https" => Some(Scheme::Https),
                other => Some(Scheme::Other(other.to_owned())),
            },
            authority: authority.to_owned(),
            path: path.to_owned(),
            headers: passed_on(&headers).entries(),
            connect: number("fetch-connect"),
            first_byte: number("fetch-first-byte"),
            between_bytes: number("fetch-between-bytes"),
            times: number("fetch-times").unwrap_or(1),
        }
    }

    /// Sends it; its body is still to be written, if it has one.
    pub fn send(&self) -> Result<(Option<OutgoingBody>, FutureIncomingResponse), ErrorCode> {
        let headers = Fields::from_list(&self.headers).expect("they came as headers");
        let request = OutgoingRequest::new(headers);
        request.set_method(&self.method).expect("it came as one");
        request.set_scheme(self.scheme.as_ref()).expect("it is one");
        request.set_authority(Some(&self.authority)).map_err(|()| ErrorCode::HttpRequestUriInvalid)?;
        request.set_path_with_query(Some(&self.path)).map_err(|()| ErrorCode::HttpRequestUriInvalid)?;
        let body = self.has_body().then(|| request.body().expect("nobody has taken it"));
        Ok((body, outgoing_handler::handle(request, Some(self.options()))?))
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
    for (name, value) in headers.entries() {
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
