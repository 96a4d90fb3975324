//! Certificates made for a test, the files that an operator names for them,
//! and servers that show them.
//!
//! Nothing here is trusted by anybody who was not given [`Authority::pem`].

use std::io;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};
use tempfile::TempDir;

use crate::DEADLINE;

/// Who vouches for others.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate and its key.
pub struct Identity {
    certificate: CertificateDer<'static>,
    certificate_pem: String,
    key: KeyPair,
}

/// Whom a server speaks TLS as, and with whom.
#[derive(Clone)]
pub struct Acceptor(Arc<ServerConfig>);

/// A connection with TLS, as a server has it.
pub type TlsStream = StreamOwned<ServerConnection, TcpStream>;

/// Files that are gone with it.
pub struct Files(TempDir);

impl Authority {
    /// A new one, under this name.
    ///
    /// # Errors
    /// None but rcgen's own.
    pub fn new(name: &str) -> Result<Self> {
        let mut params = params(&[], name)?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate()?);
        Ok(Authority(issuer.context("cannot make an authority")?))
    }

    /// Its own certificate: what is given to whom it shall convince.
    #[must_use]
    pub fn pem(&self) -> String {
        self.0.pem()
    }

    /// A certificate for these names and addresses, of servers and clients, that
    /// is valid for as long as anybody will run this.
    ///
    /// # Errors
    /// If one of them can be no name.
    pub fn certify(&self, names: &[&str]) -> Result<Identity> {
        self.certify_within(names, 1975, 4096)
    }

    /// The same, valid from the beginning of one year to that of another.
    ///
    /// # Errors
    /// Those of [`Authority::certify`].
    pub fn certify_within(&self, names: &[&str], from_year: i32, to_year: i32) -> Result<Identity> {
        let mut params = params(names, names.first().unwrap_or(&"nobody"))?;
        params.not_before = rcgen::date_time_ymd(from_year, 1, 1);
        params.not_after = rcgen::date_time_ymd(to_year, 1, 1);
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &self.0).context("cannot make a certificate")?;
        let (der, certificate_pem) = (certificate.der().clone(), certificate.pem());
        Ok(Identity { certificate: der, certificate_pem, key })
    }

    fn store(&self) -> Result<RootCertStore> {
        let mut store = RootCertStore::empty();
        store.add(self.0.der().clone())?;
        Ok(store)
    }
}

fn params(names: &[&str], common: &str) -> Result<CertificateParams> {
    let names: Vec<_> = names.iter().map(ToString::to_string).collect();
    let mut params = CertificateParams::new(names).context("a name that can be none")?;
    params.distinguished_name.push(DnType::CommonName, common);
    Ok(params)
}

impl Identity {
    /// The certificate.
    #[must_use]
    pub fn certificate_pem(&self) -> &str {
        &self.certificate_pem
    }

    /// Its private key.
    #[must_use]
    pub fn key_pem(&self) -> String {
        self.key.serialize_pem()
    }
}

impl Acceptor {
    /// A server that shows this certificate and offers these protocols by ALPN;
    /// without any it ignores what its client offers.
    ///
    /// # Errors
    /// None but those of rustls.
    pub fn new(identity: &Identity, protocols: &[&str]) -> Result<Self> {
        Self::asking(identity, protocols, None)
    }

    /// The same, which wants to see a certificate of this authority.
    ///
    /// # Errors
    /// None but those of rustls.
    pub fn requiring(identity: &Identity, protocols: &[&str], clients: &Authority) -> Result<Self> {
        Self::asking(identity, protocols, Some(clients))
    }

    fn asking(identity: &Identity, protocols: &[&str], clients: Option<&Authority>) -> Result<Self> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config =
            ServerConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions()?;
        let config = match clients {
            None => config.with_no_client_auth(),
            Some(clients) => config.with_client_cert_verifier(
                WebPkiClientVerifier::builder_with_provider(Arc::new(clients.store()?), provider).build()?,
            ),
        };
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(identity.key.serialize_der()));
        let mut config = config.with_single_cert(vec![identity.certificate.clone()], key)?;
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
        Ok(Acceptor(Arc::new(config)))
    }

    /// Its configuration, for servers that are written otherwise.
    #[must_use]
    pub fn config(&self) -> Arc<ServerConfig> {
        self.0.clone()
    }

    /// Makes TLS of an accepted connection. Reads and writes of it have the
    /// deadline of all that a test waits for.
    ///
    /// # Errors
    /// If the client goes away, or does not like what it sees, or is not
    /// liked.
    pub fn accept(&self, mut tcp: TcpStream) -> io::Result<TlsStream> {
        tcp.set_read_timeout(Some(DEADLINE))?;
        tcp.set_write_timeout(Some(DEADLINE))?;
        let mut session = ServerConnection::new(self.0.clone()).map_err(io::Error::other)?;
        while session.is_handshaking() {
            session.complete_io(&mut tcp)?;
        }
        // With what it has to say after the handshake: tickets.
        while session.wants_write() {
            session.write_tls(&mut tcp)?;
        }
        Ok(StreamOwned::new(session, tcp))
    }
}

impl Files {
    /// A folder without files.
    ///
    /// # Errors
    /// If there can be none.
    pub fn new() -> Result<Self> {
        Ok(Files(tempfile::tempdir().context("cannot make a folder")?))
    }

    /// The folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.0.path()
    }

    /// Writes a file, and returns where it is.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write(&self, name: &str, content: &str) -> Result<PathBuf> {
        let path = self.0.path().join(name);
        std::fs::write(&path, content).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(path)
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;

    use rustls::pki_types::ServerName;
    use rustls::{ClientConfig, ClientConnection};

    use super::*;

    #[test]
    fn a_client_that_knows_the_authority_speaks_to_the_server() {
        let authority = Authority::new("test authority").unwrap();
        let identity = authority.certify(&["a.example", "127.0.0.1"]).unwrap();
        let acceptor = Acceptor::new(&identity, &["http/1.1"]).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let mut tls = acceptor.accept(listener.accept().unwrap().0).unwrap();
                let mut asked = [0; 4];
                tls.read_exact(&mut asked).unwrap();
                assert_eq!(&asked, b"ping");
                tls.write_all(b"pong").unwrap();
                tls.flush().unwrap();
            });
            let provider = Arc::new(rustls::crypto::ring::default_provider());
            let config = ClientConfig::builder_with_provider(provider)
                .with_safe_default_protocol_versions()
                .unwrap()
                .with_root_certificates(authority.store().unwrap())
                .with_no_client_auth();
            let name = ServerName::try_from("a.example").unwrap();
            let session = ClientConnection::new(Arc::new(config), name).unwrap();
            let mut tls = StreamOwned::new(session, TcpStream::connect(address).unwrap());
            tls.write_all(b"ping").unwrap();
            let mut answer = [0; 4];
            tls.read_exact(&mut answer).unwrap();
            assert_eq!(&answer, b"pong");
        });
    }
}
