use std::future::poll_fn;
use std::io::ErrorKind;
use std::net::Ipv4Addr;

use innkeeper_harness::tls::{Acceptor, Authority, Files, Identity};
use rustls::{HandshakeKind, ServerConnection};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::*;
use crate::outbound::http1::Http1;
use crate::outbound::stream::Stream;
use crate::wire::http1::head::HeadLimits;

/// What a handshake came to on both sides.
type Met = (
    Result<(TlsStream<TcpStream>, bool), OutboundError>,
    std::io::Result<tokio_rustls::server::TlsStream<TcpStream>>,
);

/// Files of an operator, and who vouches for the servers.
struct World {
    authority: Authority,
    files: Files,
    roots: Roots,
}

impl World {
    fn new() -> Self {
        let (authority, files) = (Authority::new("an authority").unwrap(), Files::new().unwrap());
        let roots = Roots::new(Some(&file(&files, "ca.pem", &authority.pem()))).unwrap();
        World { authority, files, roots }
    }

    fn file(&self, name: &str, content: &str) -> PemFile {
        file(&self.files, name, content)
    }

    /// An app that shows nothing.
    fn app(&self) -> TlsIdentity {
        TlsIdentity::new(&self.roots, &OutboundTls::default()).unwrap()
    }

    /// Settings of an app that shows this certificate.
    fn showing(&self, identity: &Identity) -> OutboundTls {
        OutboundTls {
            certificate: Some(self.file("client.pem", identity.certificate_pem())),
            key: Some(self.file("client.key", &identity.key_pem())),
            ..OutboundTls::default()
        }
    }

    /// A server of this name, which knows these protocols.
    fn server(&self, name: &str, protocols: &[&str]) -> Acceptor {
        Acceptor::new(&self.authority.certify(&[name]).unwrap(), protocols).unwrap()
    }
}

fn file(files: &Files, name: &str, content: &str) -> PemFile {
    PemFile::read(files.write(name, content).unwrap()).unwrap()
}

fn name(name: &str) -> Host {
    Host::Name(name.to_owned())
}

async fn tcp() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    (client, listener.accept().await.unwrap().0)
}

async fn meet(app: &TlsIdentity, host: &Host, alpn: Alpn, server: &Acceptor) -> Met {
    let (client, accepted) = tcp().await;
    tokio::join!(app.handshake(client, host, alpn), TlsAcceptor::from(server.config()).accept(accepted))
}

/// The sentence of a handshake that fails.
async fn failure(app: &TlsIdentity, host: &Host, alpn: Alpn, server: &Acceptor) -> String {
    match meet(app, host, alpn, server).await.0 {
        Err(OutboundError::Tls(text) | OutboundError::Certificate(text)) => text,
        other => panic!("{other:?}"),
    }
}

fn session(met: &Met) -> &ServerConnection {
    met.1.as_ref().unwrap().get_ref().1
}

#[tokio::test]
async fn a_server_is_judged_by_the_given_roots_and_told_its_name() {
    let world = World::new();
    let server = world.server("a.example", &[]);
    let met = meet(&world.app(), &name("a.example"), Alpn::Http1, &server).await;
    assert_eq!(session(&met).server_name(), Some("a.example"));
    let (mut client, http2) = met.0.unwrap();
    assert!(!http2);
    client.write_all(b"x").await.unwrap();
}

#[tokio::test]
async fn an_address_is_a_name_too() {
    let world = World::new();
    let server = world.server("127.0.0.1", &[]);
    let address = Host::Ip(Ipv4Addr::LOCALHOST.into());
    let met = meet(&world.app(), &address, Alpn::Http1, &server).await;
    assert_eq!(session(&met).server_name(), None);
    let other = Host::Ip(Ipv4Addr::new(192, 0, 2, 1).into());
    assert_eq!(
        failure(&world.app(), &other, Alpn::Http1, &server).await,
        "the server's certificate is not for 192.0.2.1, but for 127.0.0.1"
    );
}

#[tokio::test]
async fn certificates_that_are_not_trusted_say_why() {
    let world = World::new();
    let (app, a) = (world.app(), name("a.example"));
    let stranger = Authority::new("a stranger").unwrap();
    let server = Acceptor::new(&stranger.certify(&["a.example"]).unwrap(), &[]).unwrap();
    let told = failure(&app, &a, Alpn::Http1, &server).await;
    assert!(told.starts_with("the server's certificate is of an unknown issuer; "), "{told}");

    let both = world.authority.certify(&["b.example", "*.c.example"]).unwrap();
    assert_eq!(
        failure(&app, &a, Alpn::Http1, &Acceptor::new(&both, &[]).unwrap()).await,
        "the server's certificate is not for a.example, but for b.example, *.c.example"
    );
    for (from, to, told) in [
        (2001, 2002, "the server's certificate expired on Tue, 01 Jan 2002 00:00:00 GMT"),
        (4000, 4096, "the server's certificate is not valid before Sat, 01 Jan 4000 00:00:00 GMT"),
    ] {
        let identity = world.authority.certify_within(&["a.example"], from, to).unwrap();
        let server = Acceptor::new(&identity, &[]).unwrap();
        assert_eq!(failure(&app, &a, Alpn::Http1, &server).await, told);
    }
}

#[tokio::test]
async fn the_roots_of_an_app_are_in_place_of_the_hosts() {
    let world = World::new();
    let own = Authority::new("the app's own").unwrap();
    let settings = OutboundTls { roots: Some(world.file("own.pem", &own.pem())), ..OutboundTls::default() };
    let app = TlsIdentity::new(&world.roots, &settings).unwrap();
    let server = Acceptor::new(&own.certify(&["a.example"]).unwrap(), &[]).unwrap();
    assert!(meet(&app, &name("a.example"), Alpn::Http1, &server).await.0.is_ok());
    let told = failure(&app, &name("a.example"), Alpn::Http1, &world.server("a.example", &[])).await;
    assert!(told.contains("unknown issuer"), "{told}");
}

#[tokio::test]
async fn nobody_is_trusted_by_the_system_without_reason() {
    let app = TlsIdentity::new(&Roots::new(None).unwrap(), &OutboundTls::default()).unwrap();
    let told = failure(&app, &name("a.example"), Alpn::Http1, &World::new().server("a.example", &[])).await;
    assert!(told.contains("unknown issuer"), "{told}");
}

#[tokio::test]
async fn protocols_are_agreed_on() {
    let world = World::new();
    let (app, a) = (world.app(), name("a.example"));
    for (protocols, alpn, http2) in [
        (&["h2", "http/1.1"][..], Alpn::Negotiated, true),
        (&["h2", "http/1.1"], Alpn::Http1, false),
        (&["h2", "http/1.1"], Alpn::Http2, true),
        (&["http/1.1"], Alpn::Negotiated, false),
        (&[], Alpn::Negotiated, false),
        (&[], Alpn::Http1, false),
    ] {
        let met = meet(&app, &a, alpn, &world.server("a.example", protocols)).await;
        assert_eq!(met.0.unwrap().1, http2, "{protocols:?} {alpn:?}");
    }
    let told = failure(&app, &a, Alpn::Http1, &world.server("a.example", &["h2"])).await;
    assert_eq!(told, "the server speaks none of the protocols that are offered");
    for protocols in [&["http/1.1"][..], &[]] {
        let met = meet(&app, &a, Alpn::Http2, &world.server("a.example", protocols)).await;
        let Err(OutboundError::Connect(told)) = met.0 else { panic!("{:?}", met.0) };
        assert_eq!(told, "a.example does not speak HTTP/2");
    }
}

#[tokio::test]
async fn a_certificate_is_shown_to_who_asks_for_it() {
    let world = World::new();
    let clients = Authority::new("for clients").unwrap();
    let identity = world.authority.certify(&["a.example"]).unwrap();
    let server = Acceptor::requiring(&identity, &[], &clients).unwrap();
    let shown = clients.certify(&["app.example"]).unwrap();
    let app = TlsIdentity::new(&world.roots, &world.showing(&shown)).unwrap();
    let met = meet(&app, &name("a.example"), Alpn::Http1, &server).await;
    assert!(met.0.is_ok());
    assert_eq!(session(&met).peer_certificates().unwrap().len(), 1);

    // One of a stranger, and none at all: told with the first read.
    let stranger = world.authority.certify(&["app.example"]).unwrap();
    let strange = TlsIdentity::new(&world.roots, &world.showing(&stranger)).unwrap();
    for (app, told) in [
        (&strange, "the server ended TLS with the alert UnknownCA"),
        (&world.app(), "the server asks for a certificate; give certificate and key of outbound_tls"),
    ] {
        let (client, refused) = meet(app, &name("a.example"), Alpn::Http1, &server).await;
        assert!(refused.is_err());
        let mut http1 = Http1::new(Stream::tls(client.unwrap().0).unwrap());
        let limits = HeadLimits { bytes_max: 1000, count_max: 10 };
        let head = poll_fn(|cx| http1.poll_head(cx, "GET", limits, 0)).await;
        assert_eq!(head.unwrap_err(), OutboundError::Tls(told.to_owned()));
    }
}

#[tokio::test]
async fn what_is_no_tls_is_told() {
    let app = World::new().app();
    let (client, mut server) = tcp().await;
    server.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
    let error = app.handshake(client, &name("a.example"), Alpn::Http1).await.unwrap_err();
    assert_eq!(error, OutboundError::Tls("the server does not speak TLS on this port".to_owned()));

    let (client, server) = tcp().await;
    drop(server);
    let error = app.handshake(client, &name("a.example"), Alpn::Http1).await.unwrap_err();
    assert_eq!(error, OutboundError::HangUp);
    assert_eq!(fault(&ErrorKind::ConnectionReset.into()), OutboundError::HangUp);
}

#[tokio::test]
async fn sessions_are_resumed_by_their_own_identity_only() {
    let world = World::new();
    let server = world.server("a.example", &[]);
    let (app, other) = (world.app(), world.app());
    for (app, kind) in [
        (&app, HandshakeKind::Full),
        (&other, HandshakeKind::Full),
        (&app, HandshakeKind::Resumed),
        (&other, HandshakeKind::Resumed),
    ] {
        let (client, accepted) = meet(app, &name("a.example"), Alpn::Http1, &server).await;
        let (mut client, mut accepted) = (client.unwrap().0, accepted.unwrap());
        assert_eq!(client.get_ref().1.handshake_kind(), Some(kind));
        // Tickets come before the first byte.
        accepted.write_all(b"x").await.unwrap();
        accepted.flush().await.unwrap();
        assert_eq!(client.read_u8().await.unwrap(), b'x');
    }
}

#[test]
fn identities_of_the_same_files_are_the_same() {
    let world = World::new();
    let shown = world.authority.certify(&["app.example"]).unwrap();
    let other = world.authority.certify(&["app.example"]).unwrap();
    let id = |settings: &OutboundTls| TlsIdentity::new(&world.roots, settings).unwrap().id();
    let (plain, showing) = (id(&OutboundTls::default()), id(&world.showing(&shown)));
    assert_eq!(id(&OutboundTls::default()), plain);
    assert_eq!(id(&world.showing(&shown)), showing);
    assert_ne!(plain, showing);
    assert_ne!(id(&world.showing(&other)), showing);
    let system = TlsIdentity::new(&Roots::new(None).unwrap(), &OutboundTls::default()).unwrap();
    assert_ne!(system.id(), plain);
}

#[test]
fn files_with_something_else_are_refused_with_a_remedy() {
    let world = World::new();
    let (one, other) =
        (world.authority.certify(&["one"]).unwrap(), world.authority.certify(&["other"]).unwrap());
    let broken = one.certificate_pem().replace("-----END", "-----FIN");
    let garbled = one.key_pem().replace("-----END", "-----FIN");
    let no_der = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let no_key = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
    for (content, told) in [
        ("", "roots.pem has no certificate; give PEM with a -----BEGIN CERTIFICATE-----"),
        (&one.key_pem(), "roots.pem has no certificate; give PEM with a -----BEGIN CERTIFICATE-----"),
        (&broken, "roots.pem is no PEM; give it again, whole"),
        (no_der, "roots.pem has a certificate that cannot be a root; take it out"),
    ] {
        let error = Roots::new(Some(&world.file("roots.pem", content))).unwrap_err().to_string();
        assert!(error.ends_with(told), "{error}");
    }
    for (certificate, key, told) in [
        (one.certificate_pem(), other.key_pem().as_str(), "give two that are of each other"),
        (
            one.certificate_pem(),
            one.certificate_pem(),
            "client.key has no private key; give PEM with a -----BEGIN PRIVATE KEY-----, which is not encrypted",
        ),
        (one.certificate_pem(), garbled.as_str(), "client.key is no PEM; give it again, whole"),
        (one.certificate_pem(), no_key, "cannot be used; give one of ECDSA P-256, P-384, Ed25519 or RSA"),
        (
            "",
            one.key_pem().as_str(),
            "client.pem has no certificate; give PEM with a -----BEGIN CERTIFICATE-----",
        ),
        (no_der, one.key_pem().as_str(), "is none; give another"),
    ] {
        let settings = OutboundTls {
            certificate: Some(world.file("client.pem", certificate)),
            key: Some(world.file("client.key", key)),
            ..OutboundTls::default()
        };
        let error = TlsIdentity::new(&world.roots, &settings).err().unwrap().to_string();
        assert!(error.ends_with(told), "{error}");
    }
}
