//! TLS towards other servers: the certificates that these are judged by, and
//! the one that an app shows. What an app resumes of earlier sessions is its
//! own: nothing of it is shared with another app.

mod fault;

use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Arc, LazyLock, OnceLock};

use anyhow::{Context as _, Result, bail};
use rustls::client::{ClientConfig, Resumption};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{Error, InconsistentKeys, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::config::{OutboundTls, PemFile};
use crate::outbound::connect::Alpn;
use crate::outbound::error::OutboundError;
use crate::outbound::origin::Host;
pub use fault::fault;

/// Servers of which an app remembers a session. Each is a few kilobytes, and
/// there may be thousands of apps.
const SESSIONS_MAX: usize = 32;

const HTTP1: &[u8] = b"http/1.1";
const HTTP2: &[u8] = b"h2";

static PROVIDER: LazyLock<Arc<CryptoProvider>> =
    LazyLock::new(|| Arc::new(rustls::crypto::ring::default_provider()));

/// The certificates that servers are judged by.
#[derive(Debug, Clone)]
pub struct Roots(Option<Given>);

#[derive(Debug, Clone)]
struct Given {
    file: PemFile,
    store: Arc<RootCertStore>,
}

/// How an app meets servers that speak TLS. One for each version of an app.
pub struct TlsIdentity {
    roots: Roots,
    shown: Option<Arc<CertifiedKey>>,
    id: u64,
    /// Made when it is needed: most apps need none.
    config: OnceLock<Arc<ClientConfig>>,
}

impl Roots {
    /// Those of this file; without one, those of the system, which are read at
    /// the first need (`SSL_CERT_FILE` and `SSL_CERT_DIR` say where else).
    ///
    /// # Errors
    /// If the file has none, or something that is none.
    pub fn new(file: Option<&PemFile>) -> Result<Self> {
        let Some(file) = file else { return Ok(Roots(None)) };
        let mut store = RootCertStore::empty();
        for certificate in certificates(file)? {
            store.add(certificate).with_context(|| {
                format!("{} has a certificate that cannot be a root; take it out", file.path().display())
            })?;
        }
        Ok(Roots(Some(Given { file: file.clone(), store: Arc::new(store) })))
    }

    fn store(&self) -> Arc<RootCertStore> {
        static OF_SYSTEM: LazyLock<Arc<RootCertStore>> = LazyLock::new(|| Arc::new(of_system()));
        match &self.0 {
            Some(given) => given.store.clone(),
            None => OF_SYSTEM.clone(),
        }
    }
}

/// Reads the system's certificates, which takes some milliseconds, once.
fn of_system() -> RootCertStore {
    let read = rustls_native_certs::load_native_certs();
    for error in &read.errors {
        tracing::warn!(target: "outbound", %error, "some certificates of the system cannot be read");
    }
    let mut store = RootCertStore::empty();
    let (taken, ignored) = store.add_parsable_certificates(read.certs);
    match taken {
        0 => tracing::warn!(
            target: "outbound",
            "the system has no root certificates, no server is trusted; install them, or set roots of [outbound]"
        ),
        _ => tracing::debug!(target: "outbound", taken, ignored, "root certificates of the system read"),
    }
    store
}

impl TlsIdentity {
    /// The identity of an app with these settings; `roots` are the host's.
    ///
    /// # Errors
    /// If a file has not what it should, or certificate and key are not of each
    /// other.
    pub fn new(roots: &Roots, settings: &OutboundTls) -> Result<Self> {
        static RANDOM: LazyLock<RandomState> = LazyLock::new(RandomState::new);
        let roots = match &settings.roots {
            Some(file) => Roots::new(Some(file))?,
            None => roots.clone(),
        };
        let shown = match (&settings.certificate, &settings.key) {
            (Some(certificate), Some(key)) => Some(Arc::new(certified_key(certificate, key)?)),
            (None, None) => None,
            _ => bail!("a certificate and its key are needed, and one of them is not given; give both"),
        };
        let contents =
            [roots.0.as_ref().map(|given| &given.file), settings.certificate.as_ref(), settings.key.as_ref()];
        let id = RANDOM.hash_one(contents.map(|file| file.map(PemFile::content)));
        Ok(TlsIdentity { roots, shown, id, config: OnceLock::new() })
    }

    /// The same for identities of the same roots, certificate and key, in this
    /// process. Connections of one identity are not for another.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// Makes TLS of a connection to a host; returns also whether HTTP/2 is
    /// spoken on it. Dropping it drops the connection.
    ///
    /// # Errors
    /// `Tls`; `Connect` if only HTTP/2 is wanted and the server does not agree;
    /// `HangUp` if the server goes away meanwhile.
    pub async fn handshake(
        &self,
        tcp: TcpStream,
        host: &Host,
        alpn: Alpn,
    ) -> Result<(TlsStream<TcpStream>, bool), OutboundError> {
        let name = server_name(host)?;
        let offered: &[&[u8]] = match alpn {
            Alpn::Http1 => &[HTTP1],
            Alpn::Negotiated => &[HTTP2, HTTP1],
            Alpn::Http2 => &[HTTP2],
        };
        let connector = TlsConnector::from(self.config()?);
        let offered = offered.iter().map(|protocol| protocol.to_vec()).collect();
        let is_disagreement = |error| alpn == Alpn::Http2 && fault::is_of_protocol(error);
        let disagrees = || OutboundError::Connect(format!("{host} does not speak HTTP/2"));
        let tls = match connector.with_alpn(offered).connect(name, tcp).await {
            Err(error) if is_disagreement(&error) => return Err(disagrees()),
            tls => tls.map_err(|error| fault(&error))?,
        };
        let http2 = tls.get_ref().1.alpn_protocol() == Some(HTTP2);
        // A server that knows nothing of ALPN agrees to nothing, and speaks
        // HTTP/1.1.
        if alpn == Alpn::Http2 && !http2 {
            return Err(disagrees());
        }
        Ok((tls, http2))
    }

    fn config(&self) -> Result<Arc<ClientConfig>, OutboundError> {
        if let Some(config) = self.config.get() {
            return Ok(config.clone());
        }
        let config = ClientConfig::builder_with_provider(PROVIDER.clone())
            .with_safe_default_protocol_versions()
            .map_err(|error| OutboundError::Tls(error.to_string()))?
            .with_root_certificates(self.roots.store());
        let mut config = match &self.shown {
            Some(shown) => config.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(shown.clone()))),
            None => config.with_no_client_auth(),
        };
        config.resumption = Resumption::in_memory_sessions(SESSIONS_MAX);
        Ok(self.config.get_or_init(|| Arc::new(config)).clone())
    }
}

fn server_name(host: &Host) -> Result<ServerName<'static>, OutboundError> {
    match host {
        Host::Ip(address) => Ok(ServerName::IpAddress((*address).into())),
        Host::Name(name) => ServerName::try_from(name.clone())
            .map_err(|_| OutboundError::Tls(format!("no certificate can be for the name {name}"))),
    }
}

fn certificates(file: &PemFile) -> Result<Vec<CertificateDer<'static>>> {
    let shown = file.path().display();
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(file.content()).collect();
    let certificates = read.with_context(|| format!("{shown} is no PEM; give it again, whole"))?;
    if certificates.is_empty() {
        bail!("{shown} has no certificate; give PEM with a -----BEGIN CERTIFICATE-----");
    }
    Ok(certificates)
}

fn certified_key(certificate: &PemFile, key: &PemFile) -> Result<CertifiedKey> {
    let certificates = certificates(certificate)?;
    let (certificate, shown) = (certificate.path().display(), key.path().display());
    let key = match PrivateKeyDer::from_pem_slice(key.content()) {
        Ok(key) => key,
        Err(rustls::pki_types::pem::Error::NoItemsFound) => bail!(
            "{shown} has no private key; give PEM with a -----BEGIN PRIVATE KEY-----, which is not encrypted"
        ),
        Err(error) => return Err(error).with_context(|| format!("{shown} is no PEM; give it again, whole")),
    };
    let key = PROVIDER.key_provider.load_private_key(key).with_context(|| {
        format!("the private key in {shown} cannot be used; give one of ECDSA P-256, P-384, Ed25519 or RSA")
    })?;
    let certified = CertifiedKey::new(certificates, key);
    match certified.keys_match() {
        // Not every kind of key tells.
        Ok(()) | Err(Error::InconsistentKeys(InconsistentKeys::Unknown)) => Ok(certified),
        Err(Error::InconsistentKeys(_)) => bail!(
            "the first certificate in {certificate} is not the one of the key in {shown}; give two that are of each other"
        ),
        Err(error) => Err(error)
            .with_context(|| format!("the first certificate in {certificate} is none; give another")),
    }
}

#[cfg(test)]
mod tests;
