//! What a guest of the standard contracts sees of its request, and what it may
//! say of its response.

use crate::contracts::{Kind, P2, P3, P3_POOLED};
use crate::support::get;

const STANDARD: [Kind; 3] = [P2, P3, P3_POOLED];

#[test]
fn a_request_as_the_guest_sees_it() {
    let requests = [
        (
            "PUT /dump?a=b HTTP/1.1\r\nHost: inn:80\r\nX-B: 1\r\nX-A: 2\r\nX-B: 3\r\nConnection: close\r\n\r\n",
            "method: PUT\ntarget: /dump?a=b\nscheme: http\nauthority: inn:80\n\
             header x-b: 1\nheader x-b: 3\nheader x-a: 2\n",
        ),
        (
            "BREW http://inn/dump HTTP/1.1\r\nHost: inn\r\n\r\n",
            "method: BREW\ntarget: /dump\nscheme: http\nauthority: inn\n",
        ),
    ];
    for kind in STANDARD {
        let server = kind.server().start();
        for (request, told) in requests {
            // The query is no part of a step.
            let answer = server.connect().ask(request);
            assert_eq!(answer.text(), told, "{}", kind.name);
        }
    }
}

#[test]
fn an_error_code_is_the_status_that_says_the_same() {
    let codes = [
        ("denied", 403),
        ("length-required", 411),
        ("body-size", 413),
        ("uri-too-long", 414),
        ("uri-invalid", 400),
        ("headers-size", 431),
        ("refused", 502),
        ("incomplete", 502),
        ("dns-timeout", 504),
        ("response-timeout", 504),
        ("loop", 508),
        ("configuration", 500),
        ("whatever", 500),
    ];
    for kind in STANDARD {
        let server = kind.server().start();
        let mut client = server.connect();
        for (code, status) in codes {
            let answer = client.ask(get(&format!("/error={code}")));
            assert_eq!(answer.status(), Some(status), "{code} by {}", kind.name);
        }
        server.wait_log(|line| line.message.starts_with("the guest answered with an error code: "));
    }
}

#[test]
fn fields_that_a_guest_may_not_set() {
    for kind in STANDARD {
        let server = kind.server().start();
        for name in ["connection", "keep-alive", "transfer-encoding", "upgrade", "host", "proxy-connection"] {
            let target = format!("/set={name}:a;print=after-{name};end=on");
            assert_eq!(server.connect().ask(get(&target)).text(), "on");
            server.wait_guest_line(&format!("after-{name}"));
        }
        let told = server.guest_lines().into_iter().filter(|line| line == "set: forbidden").count();
        assert_eq!(told, 6, "{}", kind.name);
        assert_eq!(server.connect().ask(get("/set=a%20b:1;set=a:1%0D%0Ab:2;end=on")).text(), "on");
        server.wait_guest_line("set: invalid-syntax");
    }
}

#[test]
fn a_body_that_is_left_or_forgotten_is_cut() {
    for kind in [P2, P3] {
        let server = kind.server().arg("--wall-time-max", "1s").start();
        for target in ["/write=part;sleep=20;leave", "/write=part;sleep=20;forget"] {
            let answer = server.connect().ask(get(target));
            assert_eq!((answer.status(), answer.complete), (Some(200), false), "{target} by {}", kind.name);
        }
    }
}

#[test]
fn pieces_come_as_they_are_sent_and_read() {
    for kind in STANDARD {
        let server = kind.server().start();
        let mut client = server.connect();
        client
            .send("POST /first;write=one;first;end=two HTTP/1.1\r\nHost: inn\r\nContent-Length: 2\r\n\r\na");
        client.read_until("one");
        server.wait_guest_line("first a");
        client.send("b").read_until("two");
        server.wait_guest_line("first b");
    }
}

#[test]
fn clocks_random_numbers_variables_and_both_streams() {
    for kind in STANDARD {
        let server = kind.server().env("GIVEN", "b").start();
        let ask = |target: &str| server.connect().ask(get(target)).text();
        assert_eq!((ask("/env=GIVEN"), ask("/env=PATH")), ("b".to_owned(), "none".to_owned()));
        assert_ne!(ask("/random"), ask("/random"));
        assert!(ask("/clock").parse::<u64>().is_ok_and(|seconds| seconds > 1_700_000_000));
        assert_eq!(ask("/print=out;complain=err;end=on"), "on");
        for (message, stream) in [("out", "stdout"), ("err", "stderr")] {
            let line = server.wait_log(|line| line.is_guest() && line.message == message);
            assert_eq!(line.field("stream").as_deref(), Some(stream));
        }
    }
}
