//! What a client is told when a guest answers with an error code.

use wasmtime_wasi_http::Error;

/// The status that says the same.
pub fn status_of(error: &Error) -> u16 {
    match error {
        Error::HttpRequestDenied => 403,
        Error::HttpRequestLengthRequired => 411,
        Error::HttpRequestBodySize(_) => 413,
        Error::HttpRequestUriTooLong => 414,
        Error::HttpRequestMethodInvalid | Error::HttpRequestUriInvalid => 400,
        Error::HttpRequestHeaderSectionSize(_)
        | Error::HttpRequestHeaderSize { .. }
        | Error::HttpRequestTrailerSectionSize(_)
        | Error::HttpRequestTrailerSize { .. } => 431,
        // Those of a server that the guest has asked.
        Error::DnsTimeout
        | Error::ConnectionTimeout
        | Error::ConnectionReadTimeout
        | Error::ConnectionWriteTimeout
        | Error::HttpResponseTimeout => 504,
        Error::DnsError { .. }
        | Error::DestinationNotFound
        | Error::DestinationUnavailable
        | Error::DestinationIpProhibited
        | Error::DestinationIpUnroutable
        | Error::ConnectionRefused
        | Error::ConnectionTerminated
        | Error::ConnectionLimitReached
        | Error::TlsProtocolError
        | Error::TlsCertificateError
        | Error::TlsAlertReceived { .. }
        | Error::HttpResponseIncomplete
        | Error::HttpResponseHeaderSectionSize(_)
        | Error::HttpResponseHeaderSize { .. }
        | Error::HttpResponseBodySize(_)
        | Error::HttpResponseTrailerSectionSize(_)
        | Error::HttpResponseTrailerSize { .. }
        | Error::HttpResponseTransferCoding(_)
        | Error::HttpResponseContentCoding(_)
        | Error::HttpUpgradeFailed => 502,
        Error::LoopDetected => 508,
        _ => 500,
    }
}
