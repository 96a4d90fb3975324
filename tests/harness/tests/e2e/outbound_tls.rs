//! Requests with TLS: which servers are trusted, which certificate an app shows
//! and to whom, which HTTP is spoken; and that nothing of a session is
//! another's.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::thread;

use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use innkeeper_harness::configured::ConfiguredHost;
use innkeeper_harness::dns::{Answer, DnsServer};
use innkeeper_harness::tls::{Acceptor, Authority, Files, Identity};
use serde_json::{Value, json};

use crate::elsewhere::{Elsewhere, assert_told, call_with, error_of, fetch_from, fetch_one, fetcher};
use crate::inns::{app, start, with_cache};

const HTTP1: &[&str] = &["http/1.1"];

fn authority(name: &str) -> Authority {
    Authority::new(name).expect("an authority can be made")
}

/// A certificate for this machine's address.
fn here(authority: &Authority) -> Identity {
    authority.certify(&["127.0.0.1"]).expect("a certificate can be made")
}

/// A server that shows a certificate for this machine's address.
fn server(authority: &Authority, text: &str) -> Elsewhere {
    Elsewhere::with_tls(&Acceptor::new(&here(authority), HTTP1).expect("it can be shown"), text)
}

/// One that wants to see a certificate of `clients`.
fn asking(authority: &Authority, clients: &Authority, text: &str) -> Elsewhere {
    let acceptor = Acceptor::requiring(&here(authority), HTTP1, clients).expect("it can be shown");
    Elsewhere::with_tls(&acceptor, text)
}

fn files() -> Files {
    Files::new().expect("a folder")
}

/// Writes a file and returns its path, as TOML and flags have it.
fn write(files: &Files, name: &str, content: &str) -> String {
    let path = files.write(name, content).expect("the folder can be written");
    path.to_str().expect("it is text").to_owned()
}

/// Writes a certificate and its key, in the place of others.
fn write_identity(files: &Files, identity: &Identity) -> String {
    let certificate = write(files, "own.pem", identity.certificate_pem());
    let key = write(files, "own.key", &identity.key_pem());
    format!("certificate = {certificate:?}, key = {key:?}")
}

/// An app that may send requests with TLS to this machine, with this in
/// `outbound_tls`.
fn fetching(name: &str, tls: &str) -> String {
    let tls = if tls.is_empty() { String::new() } else { format!("outbound_tls = {{ {tls} }}\n") };
    app(name, "fetch", &format!("outbound = [\"https://127.0.0.1:*\"]\n{tls}"))
}

/// A request with TLS, on a connection of its own.
fn secure(authority: &str) -> Value {
    call_with(authority, json!({ "scheme": "https", "agent": "none" }))
}

/// What an app is told of a request to a server.
#[track_caller]
fn ask(host: &ConfiguredHost, app: &str, elsewhere: &Elsewhere) -> Value {
    let told = fetch_from(&host.running, &format!("{app}.example"), "/", &[secure(&elsewhere.authority())]);
    told.into_iter().next().unwrap_or_default()
}

/// It failed for TLS, with this in the words.
#[track_caller]
fn assert_distrusted(told: &Value, words: &str) {
    let text = told["text"].as_str().unwrap_or_default();
    assert!(error_of(told) == "tls" && text.contains(words), "{told}");
}

#[test]
fn servers_are_judged_by_the_roots_of_the_app_or_else_of_the_host() {
    let (hosts, apps) = (authority("of the host"), authority("of the app"));
    let (of_host, of_app) = (server(&hosts, "of the host"), server(&apps, "of the app"));
    let files = files();
    let (roots, own) = (write(&files, "host.pem", &hosts.pem()), write(&files, "app.pem", &apps.pem()));
    let apps = fetching("one", "") + &fetching("two", &format!("roots = {own:?}"));
    let host = start(&format!("[outbound]\nroots = {roots:?}\n{apps}"));
    let told = ask(&host, "one", &of_host);
    assert_told(&told, "of the host");
    assert_eq!(told["encrypted"], true);
    assert_distrusted(&ask(&host, "one", &of_app), "unknown issuer");
    // The app's are in the place of the host's, not beside them.
    assert_told(&ask(&host, "two", &of_app), "of the app");
    assert_distrusted(&ask(&host, "two", &of_host), "unknown issuer");
    assert_eq!((of_host.requests().len(), of_app.requests().len()), (1, 1));
    // Without either, they are the system's.
    let host = start(&fetching("one", ""));
    assert_distrusted(&ask(&host, "one", &of_host), "unknown issuer");
}

#[test]
fn a_certificate_that_does_not_fit_gets_no_request() {
    let (known, unknown) = (authority("known"), authority("unknown"));
    let dns = DnsServer::start().expect("a free port");
    for name in ["a.example", "b.example", "x.a.example"] {
        dns.set(name, [Answer::of(60, &["127.0.0.1"])]);
    }
    let files = files();
    let server = fetcher(&["https://*.example:*", "https://127.0.0.1:*", "127.0.0.1"])
        .arg("--nameserver", dns.address().to_string())
        .arg("--outbound-roots", write(&files, "roots.pem", &known.pem()))
        .start();
    let showing = |identity: Identity| {
        Elsewhere::with_tls(&Acceptor::new(&identity, HTTP1).expect("it can be shown"), "reached")
    };
    let within = |from, to| known.certify_within(&["a.example"], from, to).expect("a certificate");
    let of = |names: &[&str]| known.certify(names).expect("a certificate");
    let ask = |host: &str, elsewhere: &Elsewhere| {
        fetch_one(&server, secure(&format!("{host}:{}", elsewhere.port())))
    };
    for (identity, host, words) in [
        (unknown.certify(&["a.example"]).expect("a certificate"), "a.example", "unknown issuer"),
        (of(&["a.example"]), "b.example", "not for b.example, but for a.example"),
        (of(&["a.example"]), "127.0.0.1", "not for 127.0.0.1, but for a.example"),
        (of(&["127.0.0.2"]), "127.0.0.1", "not for 127.0.0.1"),
        (of(&["*.b.example"]), "b.example", "not for b.example"),
        (within(1990, 2000), "a.example", "expired on Sat, 01 Jan 2000"),
        (within(3000, 3001), "a.example", "not valid before Wed, 01 Jan 3000"),
    ] {
        let elsewhere = showing(identity);
        assert_distrusted(&ask(host, &elsewhere), words);
        elsewhere.wait_ended(1);
        assert!(elsewhere.requests().is_empty(), "{words}");
    }
    let elsewhere = showing(of(&["a.example", "*.a.example"]));
    for host in ["a.example", "x.a.example", "A.Example."] {
        assert_told(&ask(host, &elsewhere), "reached");
    }
    // One that speaks no TLS at all gets nothing that it could read.
    let plain = Elsewhere::answering(|_| Some(b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec()));
    let told = ask("a.example", &plain);
    assert!(["tls", "connection-reset", "timeout"].contains(&error_of(&told)), "{told}");
    assert!(plain.requests().is_empty());
}

#[test]
fn an_app_shows_its_certificate_to_who_asks_and_another_has_none() {
    let (servers, clients, others) = (authority("servers"), authority("clients"), authority("others"));
    let asking = asking(&servers, &clients, "known");
    let folders = [files(), files()];
    let own = write_identity(&folders[0], &here(&clients));
    let foreign = write_identity(&folders[1], &here(&others));
    let roots = write(&folders[0], "roots.pem", &servers.pem());
    let apps = fetching("one", &own) + &fetching("two", "") + &fetching("three", &foreign);
    let host = start(&format!("[outbound]\nroots = {roots:?}\n{apps}"));
    assert_told(&ask(&host, "one", &asking), "known");
    assert_distrusted(&ask(&host, "two", &asking), "the server asks for a certificate");
    assert_distrusted(&ask(&host, "three", &asking), "");
    assert_eq!(asking.requests().len(), 1);
    // Whoever does not ask need not be shown any.
    let server = server(&servers, "anybody");
    for app in ["one", "two", "three"] {
        assert_told(&ask(&host, app, &server), "anybody");
    }
}

#[test]
fn a_certificate_is_replaced_by_a_reload() {
    let (servers, old, new) = (authority("servers"), authority("old"), authority("new"));
    let (of_old, of_new) = (asking(&servers, &old, "old"), asking(&servers, &new, "new"));
    let files = files();
    let roots = write(&files, "roots.pem", &servers.pem());
    let own = write_identity(&files, &here(&old));
    let toml = format!("[outbound]\nroots = {roots:?}\n{}", fetching("one", &own));
    let host = start(&toml);
    let kept = |elsewhere: &Elsewhere| {
        let mut call = secure(&elsewhere.authority());
        call["agent"] = json!("kept");
        fetch_from(&host.running, "one.example", "/", &[call]).remove(0)
    };
    assert_told(&kept(&of_old), "old");
    assert_eq!(kept(&of_old)["reused"], true);
    assert_eq!(error_of(&kept(&of_new)), "tls");
    write_identity(&files, &here(&new));
    host.rewrite(&with_cache(&toml));
    let line = host.reload();
    assert!(ConfiguredHost::is_in_effect(&line), "{line:?}");
    assert_eq!(line.number("changed"), Some(1), "another content is another configuration: {line:?}");
    assert_told(&kept(&of_new), "new");
    // What was made with the old one is not used with the new one.
    assert_eq!(error_of(&kept(&of_old)), "tls");
    assert_eq!(of_old.requests().len(), 2);
    // One that cannot be read changes nothing.
    fs::write(files.folder().join("own.pem"), "no certificate").expect("the folder can be written");
    assert!(!ConfiguredHost::is_in_effect(&host.reload()));
    assert_told(&kept(&of_new), "new");
}

#[test]
fn roots_that_are_replaced_end_the_trust_in_connections_that_are_kept() {
    let (old, new) = (authority("old"), authority("new"));
    let server = server(&old, "old");
    let files = files();
    let roots = write(&files, "roots.pem", &old.pem());
    let toml = fetching("one", &format!("roots = {roots:?}"));
    let host = start(&toml);
    let kept = || {
        let mut call = secure(&server.authority());
        call["agent"] = json!("global");
        fetch_from(&host.running, "one.example", "/", &[call]).remove(0)
    };
    assert_told(&kept(), "old");
    assert_eq!(kept()["reused"], true);
    write(&files, "roots.pem", &new.pem());
    host.rewrite(&with_cache(&toml));
    assert!(ConfiguredHost::is_in_effect(&host.reload()));
    assert_distrusted(&kept(), "unknown issuer");
    assert_eq!(server.requests().len(), 2);
}

#[test]
fn a_body_that_somebody_cut_on_the_way_is_not_taken_for_whole() {
    let servers = authority("servers");
    let acceptor = Acceptor::new(&here(&servers), HTTP1).expect("it can be shown");
    let files = files();
    let server = fetcher(&["https://127.0.0.1:*"])
        .arg("--outbound-roots", write(&files, "roots.pem", &servers.pem()))
        .start();
    for (says_goodbye, expected) in [(true, "answered"), (false, "connection-reset")] {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("a bound socket has an address").to_string();
        let acceptor = acceptor.clone();
        let serving = thread::spawn(move || {
            let mut tls = acceptor.accept(listener.accept()?.0)?;
            let mut request = [0; 1024];
            let _ = tls.read(&mut request)?;
            // The end of the connection is the end of the body.
            tls.write_all(b"HTTP/1.1 200 OK\r\n\r\npart")?;
            if says_goodbye {
                tls.conn.send_close_notify();
            }
            tls.flush()
        });
        let told = fetch_one(&server, secure(&address));
        assert_eq!((error_of(&told), &told["body"]), (expected, &json!("part")), "{told}");
        serving.join().expect("it serves").expect("it serves");
    }
}

#[test]
fn sessions_are_resumed_by_their_own_app_only() {
    let servers = authority("servers");
    let server = server(&servers, "reached");
    let files = files();
    let roots = write(&files, "roots.pem", &servers.pem());
    // All have the same settings, so that nothing but the app tells them apart.
    let apps = ["one", "two"].map(|name| fetching(name, "")).concat()
        + &{
            let more = "tenant = \"one\"\noutbound = [\"https://127.0.0.1:*\"]\n";
            app("three", "fetch", more)
        };
    let host = start(&format!("[outbound]\nroots = {roots:?}\n{apps}"));
    for app in ["one", "one", "two", "two", "three", "three", "one"] {
        assert_told(&ask(&host, app, &server), "reached");
    }
    assert_eq!(server.resumed(), [false, true, false, true, false, true, true]);
}

#[test]
fn what_is_no_certificate_is_told_before_anything_is_served() {
    let (one, other) = (authority("one"), authority("other"));
    let files = files();
    let (mine, not_mine) = (here(&one), here(&other));
    let certificate = write(&files, "a.pem", mine.certificate_pem());
    let key = write(&files, "a.key", &mine.key_pem());
    let foreign = write(&files, "b.key", &not_mine.key_pem());
    let words = write(&files, "words.pem", "no certificate");
    for (flags, told) in [
        (&[("--outbound-roots", &words)][..], "has no certificate"),
        (&[("--outbound-certificate", &words), ("--outbound-key", &key)], "has no certificate"),
        (&[("--outbound-certificate", &certificate), ("--outbound-key", &words)], "has no private key"),
        (&[("--outbound-certificate", &certificate), ("--outbound-key", &foreign)], "not the one of the key"),
    ] {
        let server = flags
            .iter()
            .fold(fetcher(&["https://127.0.0.1:*"]), |server, (flag, path)| server.arg(flag, path.as_str()));
        let error = server.try_start().err().map(|error| format!("{error:#}")).unwrap_or_default();
        assert!(
            error.contains(told) && error.contains(&*shown(Path::new(flags[flags.len() - 1].1))),
            "{error}"
        );
    }
}

/// The name of a file without its folder.
fn shown(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

/// A server of another make, which speaks whichever HTTP was agreed on, says
/// which, and what it was sent.
pub fn speaking(acceptor: &Acceptor) -> SocketAddr {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).expect("a free port");
    let address = listener.local_addr().expect("a bound socket has an address");
    let acceptor = tokio_rustls::TlsAcceptor::from(acceptor.config());
    thread::spawn(move || {
        runtime.block_on(async {
            while let Ok((tcp, _)) = listener.accept().await {
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    let Ok(tls) = acceptor.accept(tcp).await else { return };
                    let is_http2 = tls.get_ref().1.alpn_protocol() == Some(b"h2");
                    let (tls, tell) = (TokioIo::new(tls), service_fn(tell));
                    let _ = match is_http2 {
                        true => {
                            let builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
                            builder.serve_connection(tls, tell).await
                        }
                        false => hyper::server::conn::http1::Builder::new().serve_connection(tls, tell).await,
                    };
                });
            }
        });
    });
    address
}

async fn tell(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, hyper::Error> {
    let version = format!("{:?}", request.version());
    let body = request.into_body().collect().await?.to_bytes();
    let told = [version.as_bytes(), &body].concat();
    Ok(Response::new(Full::new(Bytes::from(told))))
}

#[test]
fn the_version_of_http_is_agreed_on_in_the_handshake() {
    let servers = authority("servers");
    let identity = here(&servers);
    let files = files();
    let server = fetcher(&["https://127.0.0.1:*"])
        .arg("--outbound-roots", write(&files, "roots.pem", &servers.pem()))
        .start();
    for (offered, wanted, version) in [
        (&["h2", "http/1.1"][..], "http1", Ok("1.1")),
        (&["h2", "http/1.1"], "negotiated", Ok("2.0")),
        (&["h2", "http/1.1"], "http2", Ok("2.0")),
        (&["h2"], "negotiated", Ok("2.0")),
        (&["h2"], "http1", Err("tls")),
        (&["http/1.1"], "http1", Ok("1.1")),
        (&["http/1.1"], "negotiated", Ok("1.1")),
        (&["http/1.1"], "http2", Err("connect")),
        // One that knows nothing of it.
        (&[], "negotiated", Ok("1.1")),
        (&[], "http2", Err("connect")),
    ] {
        let address = speaking(&Acceptor::new(&identity, offered).expect("it can be shown"));
        let mut call = secure(&address.to_string());
        call["protocol"] = json!(wanted);
        let told = fetch_one(&server, call);
        let found = told["version"].as_str().ok_or_else(|| error_of(&told));
        assert_eq!(found, version, "{offered:?} {wanted}: {told}");
        if let Ok(version) = version {
            assert_told(&told, &format!("HTTP/{version}"));
        }
    }
}
