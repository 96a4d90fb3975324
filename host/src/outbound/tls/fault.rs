//! What is wrong with TLS, in words that help whoever reads them in a guest's
//! log: rustls names its own enums.

use std::io;
use std::time::{Duration, UNIX_EPOCH};

use rustls::pki_types::UnixTime;
use rustls::{AlertDescription, CertificateError, Error, PeerIncompatible};

use crate::outbound::error::OutboundError;

/// What the failure of a stream means for its request: `Tls` or `Certificate`
/// if TLS is to blame, otherwise `HangUp`. With TLS 1.3 a server judges the host's
/// certificate when the handshake is over for the host: what it says of it
/// comes with the first read.
pub fn fault(error: &io::Error) -> OutboundError {
    match of_tls(error) {
        Some(Error::InvalidCertificate(error)) => OutboundError::Certificate(of_certificate(error)),
        Some(error) => OutboundError::Tls(sentence(error)),
        None => OutboundError::HangUp,
    }
}

/// Whether the server speaks none of the protocols that it was offered.
pub(super) fn is_of_protocol(error: &io::Error) -> bool {
    const NONE: AlertDescription = AlertDescription::NoApplicationProtocol;
    matches!(of_tls(error), Some(Error::NoApplicationProtocol | Error::AlertReceived(NONE)))
}

fn of_tls(error: &io::Error) -> Option<&Error> {
    error.get_ref().and_then(|inner| inner.downcast_ref())
}

fn sentence(error: &Error) -> String {
    match error {
        Error::AlertReceived(alert) => of_alert(*alert),
        Error::InvalidMessage(_) => "the server does not speak TLS on this port".to_owned(),
        Error::PeerIncompatible(PeerIncompatible::ServerDoesNotSupportTls12Or13) => {
            "the server speaks neither TLS 1.2 nor 1.3".to_owned()
        }
        Error::NoApplicationProtocol => of_alert(AlertDescription::NoApplicationProtocol),
        error => format!("the handshake of TLS failed: {error}"),
    }
}

fn of_certificate(error: &CertificateError) -> String {
    match error {
        CertificateError::UnknownIssuer => {
            "the server's certificate is of an unknown issuer; if it is to be trusted, add its root to roots"
                .to_owned()
        }
        CertificateError::ExpiredContext { not_after, .. } => {
            format!("the server's certificate expired on {}", date(*not_after))
        }
        CertificateError::NotValidYetContext { not_before, .. } => {
            format!("the server's certificate is not valid before {}", date(*not_before))
        }
        CertificateError::NotValidForNameContext { expected, presented } => {
            let names: Vec<_> = presented.iter().map(|name| plain(name)).collect();
            let names = if names.is_empty() { "no name at all".to_owned() } else { names.join(", ") };
            format!("the server's certificate is not for {}, but for {names}", expected.to_str())
        }
        error => format!("the server's certificate is not valid: {error}"),
    }
}

fn of_alert(alert: AlertDescription) -> String {
    match alert {
        AlertDescription::CertificateRequired => {
            "the server asks for a certificate; give certificate and key of outbound_tls".to_owned()
        }
        AlertDescription::NoApplicationProtocol => {
            "the server speaks none of the protocols that are offered".to_owned()
        }
        AlertDescription::ProtocolVersion => "the server speaks neither TLS 1.2 nor 1.3".to_owned(),
        alert => format!("the server ended TLS with the alert {alert:?}"),
    }
}

/// `DnsName("a.example")` as `a.example`.
fn plain(name: &str) -> &str {
    let inner = name.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')'));
    inner.map_or(name, |inner| inner.trim_matches('"'))
}

fn date(time: UnixTime) -> String {
    // The last date that can be written is the end of the year 9999.
    let seconds = time.as_secs().min(253_402_300_799);
    httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(seconds))
}
