use std::time::Instant;

use innkeeper_harness::dns::{Answer, DnsServer, RecordType};
use innkeeper_harness::tls::{Acceptor, Authority, Files};
use socket2::SockRef;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::*;
use crate::config::{OutboundTls, PemFile};
use crate::outbound::policy::Policy;
use crate::outbound::tls::Roots;

/// A name server, and a connector that asks it, and that trusts nobody but the
/// authority.
struct World {
    names: DnsServer,
    authority: Authority,
    connector: Connector,
}

impl World {
    fn new() -> Self {
        let (names, authority) = (DnsServer::start().unwrap(), Authority::new("an authority").unwrap());
        let files = Files::new().unwrap();
        let file = PemFile::read(files.write("ca.pem", &authority.pem()).unwrap()).unwrap();
        let roots = Roots::new(Some(&file)).unwrap();
        let identity = TlsIdentity::new(&roots, &OutboundTls::default()).unwrap();
        let resolver = Resolver::new(&[names.address()]);
        World { names, authority, connector: Connector::new(Arc::new(resolver), Arc::new(identity)) }
    }

    /// Connects to an origin that these entries allow.
    async fn connect(&self, url: &str, entries: &[&str], alpn: Alpn) -> Result<Connected, OutboundError> {
        let (scheme, authority) = url.split_once("://").unwrap();
        let origin = Origin::parse(scheme, authority).unwrap();
        let policy = Policy::new(entries.iter().map(|entry| entry.parse().unwrap()).collect());
        let clearance = policy.check(&origin).unwrap();
        self.connector.connect(&origin, &clearance, alpn, Some(Duration::from_secs(30))).await
    }
}

async fn listen(host: &str) -> (TcpListener, u16) {
    let listener = TcpListener::bind((host, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

#[tokio::test]
async fn an_address_is_connected_to_as_it_is() {
    let world = World::new();
    let (listener, port) = listen("127.0.0.1").await;
    let url = format!("http://127.0.0.1:{port}");
    let Connected { stream, http2 } = world.connect(&url, &[&url], Alpn::Negotiated).await.unwrap();
    assert_eq!(stream.local(), listener.accept().await.unwrap().1);
    assert_eq!(stream.peer(), listener.local_addr().unwrap());
    assert!(!http2 && !stream.encrypted());
    assert_eq!(world.names.names_asked(), Vec::<String>::new());
    // Prior knowledge.
    assert!(world.connect(&url, &[&url], Alpn::Http2).await.unwrap().http2);
}

#[tokio::test]
async fn the_options_of_a_connection_are_set() {
    let (_listener, port) = listen("127.0.0.1").await;
    let url = format!("http://127.0.0.1:{port}");
    let stream = World::new().connect(&url, &[&url], Alpn::Http1).await.unwrap().stream;
    let socket = SockRef::from(stream.tcp());
    assert!(socket.tcp_nodelay().unwrap() && socket.keepalive().unwrap());
    assert_eq!(socket.tcp_keepalive_time().unwrap(), Duration::from_secs(30));
}

#[tokio::test]
async fn what_is_checked_is_what_is_connected_to() {
    // A name that is rebound: whoever answers for it says another address when
    // asked again.
    let world = World::new();
    let (listener, port) = listen("127.0.0.2").await;
    world.names.set("a.example", [Answer::of(0, &["127.0.0.2"]), Answer::of(0, &["127.0.0.1"])]);
    let (url, entries) = (format!("http://a.example:{port}"), ["http://a.example:*", "127.0.0.2"]);
    let connected = world.connect(&url, &entries, Alpn::Http1).await.unwrap();
    assert_eq!(connected.stream.peer(), listener.local_addr().unwrap());
    assert_eq!(world.names.asked("a.example", RecordType::A), 1);
    let error = world.connect(&url, &entries, Alpn::Http1).await.unwrap_err();
    let OutboundError::Denied(denial) = error else { panic!("{error:?}") };
    let cause = "127.0.0.1 (loopback) is not among the allowed addresses of";
    assert_eq!(denial.cause, format!("{cause} {url}; add \"127.0.0.1\" to outbound"));
}

#[tokio::test]
async fn addresses_that_are_refused_are_passed_over() {
    let world = World::new();
    let (listener, port) = listen("127.0.0.1").await;
    world.names.set("a.example", [Answer::of(60, &["10.0.0.1", "fd00::1", "169.254.169.254", "127.0.0.1"])]);
    let url = format!("http://a.example:{port}");
    let connected = world.connect(&url, &["http://*:*", "127.0.0.0/8"], Alpn::Http1).await.unwrap();
    assert_eq!(connected.stream.peer(), listener.local_addr().unwrap());
    // What was tried and failed counts for more than what was not tried.
    drop(listener);
    let error = world.connect(&url, &["http://*:*", "127.0.0.0/8"], Alpn::Http1).await.unwrap_err();
    let OutboundError::Connect(told) = error else { panic!("{error:?}") };
    assert!(told.starts_with(&format!("cannot connect to {url}: 127.0.0.1:{port}: ")), "{told}");
    assert!(!told.contains("10.0.0.1"), "{told}");
    let error = world.connect(&url, &["http://*:*"], Alpn::Http1).await.unwrap_err();
    assert!(matches!(error, OutboundError::Denied(_)), "{error:?}");
}

#[tokio::test]
async fn localhost_is_whichever_of_its_addresses_answers() {
    let world = World::new();
    let (listener, port) = listen("127.0.0.1").await;
    let url = format!("http://localhost:{port}");
    let begun = Instant::now();
    let connected = world.connect(&url, &["http://localhost:*"], Alpn::Http1).await.unwrap();
    assert_eq!(connected.stream.peer(), listener.local_addr().unwrap());
    assert_eq!(world.names.names_asked(), Vec::<String>::new());
    // The refusal of ::1 is not waited for.
    assert!(begun.elapsed() < ATTEMPT_DELAY * 20, "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_port_where_nobody_listens_is_told() {
    let world = World::new();
    let (listener, port) = listen("127.0.0.1").await;
    drop(listener);
    let url = format!("http://localhost:{port}");
    let error = world.connect(&url, &["http://localhost:*"], Alpn::Http1).await.unwrap_err();
    let OutboundError::Connect(told) = error else { panic!("{error:?}") };
    assert!(told.starts_with(&format!("cannot connect to {url}: [::1]:{port}: ")), "{told}");
    assert!(told.contains(&format!("; 127.0.0.1:{port}: ")), "{told}");
}

#[tokio::test]
async fn a_name_without_an_address_is_told() {
    let error = World::new().connect("http://a.example", &["http://*"], Alpn::Http1).await.unwrap_err();
    assert_eq!(error, OutboundError::Dns("no address for a.example: there is no such name".to_owned()));
}

#[tokio::test]
async fn only_so_many_addresses_of_a_name_are_tried() {
    let world = World::new();
    let many: Vec<_> = (1..=ATTEMPTS_MAX + 4).map(|last| format!("127.0.1.{last}")).collect();
    let many: Vec<_> = many.iter().map(String::as_str).collect();
    world.names.set("a.example", [Answer::of(60, &many)]);
    let (listener, port) = listen("127.0.0.1").await;
    let url = format!("http://a.example:{port}");
    let error = world.connect(&url, &["http://*:*", "127.0.0.0/8"], Alpn::Http1).await.unwrap_err();
    let OutboundError::Connect(told) = error else { panic!("{error:?}") };
    assert_eq!(told.matches("127.0.1.").count(), ATTEMPTS_MAX, "{told}");
    drop(listener);
}

#[tokio::test]
async fn https_is_tls_with_the_origins_name() {
    let world = World::new();
    let (listener, port) = listen("127.0.0.1").await;
    world.names.set("a.example", [Answer::of(60, &["127.0.0.1"])]);
    world.names.set("b.example", [Answer::of(60, &["127.0.0.1"])]);
    let identity = world.authority.certify(&["a.example"]).unwrap();
    let acceptor = TlsAcceptor::from(Acceptor::new(&identity, &["h2", "http/1.1"]).unwrap().config());
    let accept = async || acceptor.accept(listener.accept().await.unwrap().0).await;
    let entries = ["https://*:*", "127.0.0.1"];

    let url = format!("https://a.example:{port}");
    let (connected, accepted) = tokio::join!(world.connect(&url, &entries, Alpn::Negotiated), accept());
    let connected = connected.unwrap();
    assert!(connected.http2 && connected.stream.encrypted());
    assert_eq!(accepted.unwrap().get_ref().1.server_name(), Some("a.example"));

    let url = format!("https://b.example:{port}");
    let (connected, _) = tokio::join!(world.connect(&url, &entries, Alpn::Http1), accept());
    assert_eq!(
        connected.unwrap_err(),
        OutboundError::Certificate(
            "the server's certificate is not for b.example, but for a.example".to_owned()
        )
    );
}
