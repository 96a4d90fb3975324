//! Servers that switch to another protocol: the connection is the guest's then,
//! in both directions. And what becomes of it if that is not what was meant.

use innkeeper_harness::upstream::Upstream;
use innkeeper_harness::wire::End;

use crate::requests::{answer, begin, ok, outbound, plain_get};
use crate::support::SWITCH;

const UPGRADE: &str = "a = GET http://{up}/ +Connection:Upgrade +Upgrade:echo; a end";
const CONNECT: &str = "a = CONNECT http://{up} path=inn.example:443; a end";

#[test]
fn a_101_gives_the_connection_to_the_guest() {
    let (server, upstream) = (outbound().start(), Upstream::start());
    let script = format!(
        "{UPGRADE}; a upgraded; a reused; a send ping; a receive 2; a receive 100; a finish; a receive 100; a receive 100; \
         a send x; a finish"
    );
    let mut script = begin(&server, &upstream, &script);
    let mut connection = upstream.accept();
    connection.expect(format!(
        "GET / HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: echo\r\nHost: {}\r\n\r\n",
        upstream.authority()
    ));
    connection.send(SWITCH.to_owned() + "behind").expect("ping").send("pong!");
    // The guest's end is a FIN; it still hears what is said after that.
    assert_eq!(connection.read_to_end(), (Vec::new(), End::Closed));
    connection.send("farewell").half_close();
    script.tells(
        "a upgraded 1.1 101 Switching Protocols
         a > Upgrade: echo
         a > Connection: Upgrade
         a head behind
         a reused false
         a send ok
         a receive po
         a receive ng!
         a finish ok
         a receive farewell
         a receive end
         a send failed: write-after-end: write after the end
         a finish failed: already-finished: it was ended already",
    );
}

#[test]
fn the_servers_end_leaves_the_guest_its_own_side() {
    let (server, upstream) = (outbound().start(), Upstream::start());
    let script = format!("{UPGRADE}; a upgraded; a receive 100; a send after; a finish");
    let mut script = begin(&server, &upstream, &script);
    let mut connection = upstream.accept();
    connection.read_request();
    connection.send(SWITCH).half_close();
    assert_eq!(connection.read_to_end(), (b"after".to_vec(), End::Closed));
    assert!(script.told().ends_with("a head\na receive end\na send ok\na finish ok\n"));
}

#[test]
fn much_goes_through_a_tunnel() {
    let (server, upstream) = (outbound().start(), Upstream::start());
    let script = format!("{UPGRADE}; a upgraded; tell open; a tunnel-echo");
    let mut script = begin(&server, &upstream, &script);
    let mut connection = upstream.accept();
    connection.read_request();
    connection.send(SWITCH);
    script.wait_for("tell open");
    let piece: Vec<u8> = (0..100_000_u32).map(|place| (place % 251) as u8).collect();
    for _ in 0..40 {
        connection.send(&piece).expect(&piece);
    }
    connection.half_close().expect_close();
    assert!(script.told().ends_with("a tunnel-echo 4000000\n"));
}

#[test]
fn a_reset_of_a_tunnel_is_told() {
    let (server, upstream) = (outbound().start(), Upstream::start());
    let script = format!("{UPGRADE}; a upgraded; tell open; a receive 100; a send x");
    let mut script = begin(&server, &upstream, &script);
    let mut connection = upstream.accept();
    connection.read_request();
    connection.send(SWITCH);
    script.wait_for("tell open");
    connection.reset();
    assert!(script.told().ends_with(
        "tell open\na receive failed: connection-reset: the peer went away\n\
         a send failed: connection-reset: the peer went away\n"
    ));
}

#[test]
fn a_tunnel_closes_with_its_handle_or_its_call() {
    let (server, upstream) = (outbound().start(), Upstream::start());
    for end in ["a close", "a drop", "tell over"] {
        let mut script = begin(&server, &upstream, &format!("{UPGRADE}; a upgraded; a send x; {end}; own"));
        let mut connection = upstream.accept();
        connection.read_request();
        connection.send(SWITCH);
        if end == "tell over" {
            // Nobody has let it go.
            connection.expect("x");
            script.go_on_after("tell over").told();
            connection.read_to_end();
        } else {
            assert_eq!(connection.read_to_end().0, b"x", "{end}");
        }
    }
}

#[test]
fn an_upgrade_that_is_declined_is_an_ordinary_response() {
    let (server, upstream) = (outbound().start(), Upstream::start());
    let script = format!(
        "{UPGRADE}; a upgraded; a response; a body; b = GET http://{{up}}/b; b end; b response; b reused"
    );
    let mut script = begin(&server, &upstream, &script);
    let mut connection = upstream.accept();
    connection.read_request();
    connection.send(ok("no"));
    answer(&mut connection, &upstream, "/b", "");
    script.tells(
        "a upgraded none
         a response 1.1 200 OK
         a > Content-Length: 2
         a body no
         b response 1.1 200 OK
         b > Content-Length: 0
         b reused true",
    );
}

#[test]
fn a_101_that_nobody_waits_for_ends_the_connection() {
    let (server, upstream) = (outbound().start(), Upstream::start());
    for request in [UPGRADE, "a = GET http://{up}/; a end"] {
        let mut script = begin(&server, &upstream, &format!("{request}; a response; a upgraded"));
        let mut connection = upstream.accept();
        connection.read_request();
        connection.send(SWITCH);
        script.tells(
            "a response failed: connection-reset: the peer went away
             a upgraded failed: connection-reset: the peer went away",
        );
        connection.read_to_end();
    }
}

#[test]
fn a_connect_that_is_granted_gives_the_connection() {
    let (server, upstream) = (outbound().start(), Upstream::start());
    // A length means nothing there (RFC 9110 9.3.6).
    for head in ["HTTP/1.1 200 Go\r\n\r\n", "HTTP/1.1 299 Go\r\nContent-Length: 5\r\n\r\n"] {
        let script = format!("{CONNECT}; a connected; a send ping; a receive 100; a finish; a receive 100");
        let mut script = begin(&server, &upstream, &script);
        let mut connection = upstream.accept();
        connection.expect(format!(
            "CONNECT inn.example:443 HTTP/1.1\r\nHost: {}\r\nConnection: keep-alive\r\n\r\n",
            upstream.authority()
        ));
        connection.send(head).expect("ping").send("pong");
        assert_eq!(connection.read_to_end(), (Vec::new(), End::Closed));
        connection.close();
        let told = script.told();
        assert!(told.ends_with("a head\na send ok\na receive pong\na finish ok\na receive end\n"), "{told}");
    }
}

#[test]
fn a_connect_that_is_refused_is_an_ordinary_response() {
    let (server, upstream) = (outbound().start(), Upstream::start());
    let script = format!("{CONNECT}; a connected; a response; a body");
    let mut script = begin(&server, &upstream, &script);
    let mut connection = upstream.accept();
    connection.read_request();
    connection.send("HTTP/1.1 407 Who are you\r\nContent-Length: 2\r\n\r\nno");
    script.tells(
        "a connected none
         a response 1.1 407 Who are you
         a > Content-Length: 2
         a body no",
    );
}

#[test]
fn a_tunnel_is_no_connection_for_others() {
    let (server, upstream) = (outbound().start(), Upstream::start());
    let script = format!(
        "{UPGRADE}; a upgraded; b = GET http://{{up}}/b; b end; b response; b reused; a send x; a finish; \
         g = global; a drop; g stats"
    );
    let mut script = begin(&server, &upstream, &script);
    let mut tunnel = upstream.accept();
    tunnel.read_request();
    tunnel.send(SWITCH);
    let mut other = upstream.accept();
    other.expect(plain_get(&upstream, "/b")).send(ok(""));
    assert_eq!(tunnel.read_to_end(), (b"x".to_vec(), End::Closed));
    let told = script.told();
    assert!(told.contains("b reused false\n"), "{told}");
    assert!(told.ends_with("g stats {up}: 0 in use, 1 free, 0 waiting\n"), "{told}");
}
