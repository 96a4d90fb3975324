//! `--allow tcp=HOST:PORT`: a guest may connect there, and nowhere else.
//! `--allow server-control` is in `server_control`.

use std::net::{SocketAddr, TcpListener};

use innkeeper_harness::DEADLINE;
use innkeeper_harness::process::{Output, Process};
use innkeeper_harness::server::{Running, Server};

use crate::support::{get, tunnels};

fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("a bound socket has an address");
    (listener, address)
}

fn granted(address: impl ToString) -> Server {
    tunnels().arg("--allow", format!("tcp={}", address.to_string()))
}

/// Has the guest connect; what became of it.
#[track_caller]
fn connect(server: &Running, address: impl ToString) -> String {
    server.connect().ask(get(&format!("/tcp?{}", address.to_string()))).text()
}

/// Nobody has connected.
#[track_caller]
fn assert_untouched(listener: &TcpListener) {
    listener.set_nonblocking(true).expect("it can be asked without waiting");
    assert!(listener.accept().is_err(), "somebody has connected");
}

#[test]
fn without_a_grant_there_is_no_network() {
    let (listener, address) = listener();
    let server = tunnels().start();
    assert_eq!(connect(&server, address), "PermissionDenied");
    assert_eq!(connect(&server, format!("localhost:{}", address.port())), "PermissionDenied");
    assert_untouched(&listener);
}

#[test]
fn what_is_granted_is_one_address_and_one_port() {
    let ((granted_to, address), (other, other_address)) = (listener(), listener());
    let server = granted(address).start();
    assert_eq!(connect(&server, address), "connected");
    granted_to.accept().expect("it has connected");
    // Another port, another address of the same machine, a name for it.
    assert_eq!(connect(&server, other_address), "PermissionDenied");
    assert_eq!(connect(&server, format!("127.0.0.2:{}", address.port())), "PermissionDenied");
    assert_eq!(connect(&server, format!("localhost:{}", address.port())), "PermissionDenied");
    assert_untouched(&granted_to);
    assert_untouched(&other);
}

#[test]
fn several_grants() {
    let ((first, first_address), (second, second_address)) = (listener(), listener());
    let server = granted(first_address).arg("--allow", format!("tcp={second_address}")).start();
    for (listener, address) in [(&first, first_address), (&second, second_address)] {
        assert_eq!(connect(&server, address), "connected");
        listener.accept().expect("it has connected");
    }
}

#[test]
fn a_name_is_granted_as_it_is_written() {
    let (listener, address) = listener();
    let name = format!("localhost:{}", address.port());
    let server = granted(&name).start();
    assert_eq!(connect(&server, &name), "connected");
    listener.accept().expect("it has connected");
    // No other name is even looked up, whatever it stands for.
    for other in ["localhost.", "LOCALHOST.localdomain", "example.com"] {
        assert_eq!(connect(&server, format!("{other}:{}", address.port())), "PermissionDenied", "{other}");
    }
    assert_untouched(&listener);
}

#[test]
fn nobody_listens_where_it_is_granted() {
    let (listener, address) = listener();
    drop(listener);
    let server = granted(address).start();
    assert_eq!(connect(&server, address), "ConnectionRefused");
}

#[test]
fn a_grant_that_is_none_is_refused_at_the_start() {
    for (grant, told) in [
        ("files", "there are server-control, tcp=HOST:PORT"),
        ("tcp=127.0.0.1", "write it as tcp=HOST:PORT"),
        ("tcp=127.0.0.1:http", "write it as tcp=HOST:PORT"),
        ("tcp=:80", "write it as tcp=HOST:PORT"),
        ("tcp=127.0.0.1:0", "write it as tcp=HOST:PORT"),
        ("server-control=yes", "there are server-control, tcp=HOST:PORT"),
    ] {
        let mut command = tunnels().arg("--allow", grant).command().expect("the guest can be built");
        let mut process = Process::spawn(&mut command).expect("the host starts");
        let status = process.wait_exit(DEADLINE).expect("the host ends");
        let stderr = process.lines(Output::Stderr).join("\n");
        assert_eq!((status.code(), stderr.contains(told)), (Some(2), true), "{grant}: {stderr}");
    }
}

#[test]
fn what_cannot_be_outbound_is_refused_at_the_start() {
    let missing = "/no/such/file.pem";
    for (flags, code, told) in [
        (&["--outbound", "api.example"][..], 2, "write an origin such as https://api.example"),
        (&["--outbound", "https://u:p@api.example"], 2, "leave user and password out"),
        (&["--outbound", "http://2130706433"], 2, "write an IPv4 address as four decimal numbers"),
        (&["--outbound", "10.0.0.0/8"], 1, "no name is allowed"),
        (&["--nameserver", "dns.example"], 2, "write an IP address"),
        (&["--outbound", "https://a", "--outbound-key", missing], 2, "--outbound-certificate"),
        (&["--outbound", "https://a", "--outbound-roots", missing], 1, "cannot read /no/such/file.pem"),
        (&["--outbound", "http://a", "--outbound-roots", "/dev/null"], 1, "is no file"),
    ] {
        let mut server = tunnels();
        for pair in flags.chunks(2) {
            server = server.arg(pair[0], pair[1]);
        }
        let mut process =
            Process::spawn(&mut server.command().expect("the guest can be built")).expect("the host starts");
        let status = process.wait_exit(DEADLINE).expect("the host ends");
        let stderr = process.lines(Output::Stderr).join("\n");
        assert_eq!((status.code(), stderr.contains(told)), (Some(code), true), "{flags:?}: {stderr}");
    }
}
