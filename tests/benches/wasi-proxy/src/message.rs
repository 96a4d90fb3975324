//! Heads: what of a message is for the next one, and what is its connection's.

use wasip2::http::types::{
    ErrorCode, Fields, IncomingRequest, IncomingResponse, OutgoingRequest, OutgoingResponse, Scheme,
};

use crate::{internal, taken};

/// RFC 9110 7.6.1; and `Host`, which is the upstream's.
const OF_THE_CONNECTION: &[&str] = &[
    "connection",
    "host",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// The request to the upstream, with the headers that the example adds; the
/// client's address is not to be known in WASI.
pub fn request(incoming: &IncomingRequest, upstream: &str) -> Result<OutgoingRequest, ErrorCode> {
    let fields = end_to_end(&incoming.headers())?;
    let host = incoming.authority().unwrap_or_default();
    for (name, value) in [("via", "1.1 wasmtime"), ("x-forwarded-host", &host), ("x-forwarded-proto", "http")]
    {
        fields.append(name, value.as_bytes()).map_err(|error| internal(format!("{error:?}")))?;
    }
    let outgoing = OutgoingRequest::new(fields);
    taken(outgoing.set_method(&incoming.method()))?;
    taken(outgoing.set_path_with_query(incoming.path_with_query().as_deref()))?;
    taken(outgoing.set_scheme(Some(&Scheme::Http)))?;
    taken(outgoing.set_authority(Some(upstream)))?;
    Ok(outgoing)
}

/// The response to the client.
pub fn response(incoming: &IncomingResponse) -> Result<OutgoingResponse, ErrorCode> {
    let outgoing = OutgoingResponse::new(end_to_end(&incoming.headers())?);
    taken(outgoing.set_status_code(incoming.status()))?;
    Ok(outgoing)
}

/// Whether a request has a body. WASI has no `Transfer-Encoding`: a length is
/// all that can be seen of one, and only these methods go without.
pub fn has_body(request: &IncomingRequest) -> bool {
    use wasip2::http::types::Method::{Get, Head};
    request.headers().has("content-length") || !matches!(request.method(), Get | Head)
}

fn end_to_end(fields: &Fields) -> Result<Fields, ErrorCode> {
    let mut entries = fields.entries();
    let named: Vec<String> = entries
        .iter()
        .filter(|(name, _)| name.eq_ignore_ascii_case("connection"))
        .flat_map(|(_, value)| value.split(|byte| *byte == b','))
        .map(|name| String::from_utf8_lossy(name).trim().to_owned())
        .collect();
    entries.retain(|(name, _)| {
        let is = |other: &str| name.eq_ignore_ascii_case(other);
        !OF_THE_CONNECTION.iter().any(|other| is(other)) && !named.iter().any(|other| is(other))
    });
    Fields::from_list(&entries).map_err(|error| internal(format!("{error:?}")))
}
