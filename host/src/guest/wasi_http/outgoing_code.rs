//! The error codes of `wasi:http` for what becomes of a guest's own request.
//! They are those of RFC 9209, section 2.3, and chosen as it says.

use wasmtime_wasi_http::Error;

use crate::outbound::error::OutboundError;
use crate::wire::error::MessageError;

/// What a guest was waiting for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// The head of the response; until it comes, the request goes out.
    Head,
    /// The rest of the response.
    Body,
}

/// The code that comes closest. A name that has no address in reach, and one
/// that has only such as are denied, look the same to a guest.
pub fn code_of(error: OutboundError, phase: Phase) -> Error {
    match error {
        OutboundError::Message(error) => code_of_message(error),
        OutboundError::UnescapedPath(_) => Error::HttpRequestUriInvalid,
        OutboundError::InvalidProtocol(_) => Error::HttpProtocolError,
        OutboundError::Denied(_) | OutboundError::Limit("outbound_requests_max") => Error::HttpRequestDenied,
        OutboundError::Dns(_) => Error::DnsError { rcode: None, info_code: None },
        OutboundError::Connect(_) => Error::ConnectionRefused,
        OutboundError::Tls(_) => Error::TlsProtocolError,
        OutboundError::Certificate(_) => Error::TlsCertificateError,
        OutboundError::Timeout("connect") => Error::ConnectionTimeout,
        // Before the head, silence counts only while the server takes nothing.
        OutboundError::Timeout("idle") if phase == Phase::Head => Error::ConnectionWriteTimeout,
        OutboundError::Timeout(_) => Error::ConnectionReadTimeout,
        OutboundError::HangUp if phase == Phase::Body => Error::HttpResponseIncomplete,
        OutboundError::HangUp | OutboundError::Aborted => Error::ConnectionTerminated,
        OutboundError::Parse(_) => Error::HttpProtocolError,
        OutboundError::Limit(limit) => code_of_limit(limit, phase),
    }
}

fn code_of_limit(limit: &str, phase: Phase) -> Error {
    match limit {
        "outbound_request_body_bytes_max" => Error::HttpRequestBodySize(None),
        "outbound_response_body_bytes_max" => Error::HttpResponseBodySize(None),
        "outbound_head_bytes_max" | "outbound_header_count_max" => match phase {
            Phase::Head => Error::HttpResponseHeaderSectionSize(None),
            Phase::Body => Error::HttpResponseTrailerSectionSize(None),
        },
        limit if limit.contains("connections") => Error::ConnectionLimitReached,
        limit => Error::InternalError(Some(format!("limit {limit} reached"))),
    }
}

fn code_of_message(error: MessageError) -> Error {
    match error {
        MessageError::ContentLengthMismatch { actual, .. } => Error::HttpRequestBodySize(Some(actual)),
        MessageError::LimitExceeded("response_head_bytes_max" | "header_count_max") => {
            Error::HttpRequestHeaderSectionSize(None)
        }
        MessageError::BodyNotAllowed => Error::HttpRequestBodySize(Some(0)),
        MessageError::InvalidArg(_) => Error::HttpRequestUriInvalid,
        error => Error::InternalError(Some(error.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(error: OutboundError, phase: Phase) -> String {
        format!("{:?}", code_of(error, phase))
    }

    #[test]
    fn a_time_says_what_was_waited_for() {
        for (which, phase, expected) in [
            ("connect", Phase::Head, "ConnectionTimeout"),
            ("response", Phase::Head, "ConnectionReadTimeout"),
            ("idle", Phase::Head, "ConnectionWriteTimeout"),
            ("idle", Phase::Body, "ConnectionReadTimeout"),
        ] {
            assert_eq!(code(OutboundError::Timeout(which), phase), expected, "{which} {phase:?}");
        }
    }

    #[test]
    fn a_limit_says_what_was_too_large() {
        for (limit, phase, expected) in [
            ("outbound_requests_max", Phase::Head, "HttpRequestDenied"),
            ("outbound_head_bytes_max", Phase::Head, "HttpResponseHeaderSectionSize(None)"),
            ("outbound_header_count_max", Phase::Body, "HttpResponseTrailerSectionSize(None)"),
            ("outbound_response_body_bytes_max", Phase::Body, "HttpResponseBodySize(None)"),
            (
                "memory_bytes_max of the tenant",
                Phase::Head,
                "InternalError(Some(\"limit memory_bytes_max of the tenant reached\"))",
            ),
        ] {
            assert_eq!(code(OutboundError::Limit(limit), phase), expected);
        }
    }

    #[test]
    fn a_server_that_goes_says_how_far_it_was() {
        assert_eq!(code(OutboundError::HangUp, Phase::Head), "ConnectionTerminated");
        assert_eq!(code(OutboundError::HangUp, Phase::Body), "HttpResponseIncomplete");
    }
}
