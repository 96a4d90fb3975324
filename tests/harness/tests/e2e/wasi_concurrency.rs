//! Exchanges that share an instance of WASI 0.3: that they do, how many, and
//! what one does to the others.

use std::time::{Duration, Instant};

use innkeeper_harness::DEADLINE;
use innkeeper_harness::message::Message;
use innkeeper_harness::server::{Running, Server};
use innkeeper_harness::wire::Client;
use rustix::process::Signal;

use crate::support::get;

/// Within this time a client is told that its instance has ended.
const SOON: Duration = Duration::from_millis(50);

fn pooled() -> Server {
    Server::of("wasi-p3").arg("--instances", "pooled")
}

/// A client whose exchange has begun its answer, and waits for `/release`; and
/// the instance that it has.
fn held(server: &Running) -> (Client, String) {
    let mut client = server.connect();
    let head = client.send(get("/hold")).read_response_to_head();
    client.read_until("held\n\r\n");
    (client, instance(&head))
}

fn instance(answer: &Message) -> String {
    answer.header("Instance").expect("each answer tells its instance").to_owned()
}

/// What `attempt` gives once it meets an instance. One that computes takes
/// nobody, so an attempt may come to another.
pub fn meeting<T>(mut attempt: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(met) = attempt() {
            return met;
        }
        assert!(begun.elapsed() < DEADLINE, "no exchange came to the instance");
    }
}

/// Another client like that of [`held`], in the same instance.
fn held_beside(server: &Running, beside: &str) -> Client {
    meeting(|| {
        let (client, instance) = held(server);
        (instance == beside).then_some(client)
    })
}

/// A client whose exchange waits for `/release` in this instance, and has no
/// answer yet.
fn waiting_beside(server: &Running, beside: &str) -> Client {
    let line = format!("waiting in {beside}");
    meeting(|| {
        let mut others = server.guest_lines().len();
        let mut client = server.connect();
        client.send(get("/wait"));
        let printed = server.wait_log(|event| {
            let is_next = event.is_guest() && others == 0;
            others -= usize::from(event.is_guest() && others > 0);
            is_next
        });
        (printed.message == line).then_some(client)
    })
}

/// The answer of this instance to a request for `target`.
fn ask_in(server: &Running, beside: &str, target: &str) -> String {
    meeting(|| {
        let answer = server.connect().ask(get(target));
        (instance(&answer) == beside).then(|| answer.text())
    })
}

/// Asks for what ends an instance until that of `client` ends, which waits for
/// `/release`; each time the answer is a 500.
fn end_with(server: &Running, client: &mut Client, target: &str) {
    meeting(|| {
        assert_eq!(server.connect().ask(get(target)).status(), Some(500));
        (!client.is_silent_for(SOON)).then_some(())
    });
}

/// Reads on to the end of an answer that must not look whole.
fn assert_cut(client: &mut Client) {
    let (rest, _) = client.read_to_end();
    let rest = String::from_utf8_lossy(&rest).into_owned();
    assert!(!rest.ends_with("0\r\n\r\n") && !rest.contains("let go"), "{rest:?}");
}

#[test]
fn without_a_pool_each_request_has_an_instance() {
    let server = Server::of("wasi-p3").start();
    let mut client = server.connect();
    let answers: Vec<_> = (0..3).map(|_| client.ask(get("/counter")).text()).collect();
    assert_eq!(answers, ["1", "1", "1"]);
}

#[test]
fn exchanges_meet_in_one_instance() {
    let server = pooled().start();
    let (mut first, instance) = held(&server);
    let mut second = held_beside(&server, &instance);
    assert_eq!(ask_in(&server, &instance, "/counter"), "3");
    assert_eq!(ask_in(&server, &instance, "/release"), "released\n");
    first.read_until("let go\n");
    second.read_until("let go\n");
}

#[test]
fn no_more_than_there_may_be_at_a_time() {
    let server = pooled().arg("--concurrent-requests-per-instance-max", "2").start();
    let (_first, instance) = held(&server);
    let _second = held_beside(&server, &instance);
    assert_eq!(server.connect().ask(get("/counter")).text(), "1", "the first instance is full");
}

#[test]
fn one_at_a_time_is_a_pool_like_any_other() {
    let server = pooled().arg("--concurrent-requests-per-instance-max", "1").start();
    let mut client = server.connect();
    assert_eq!(client.ask(get("/counter")).text(), "1");
    client.send(get("/hold")).read_until("held\n");
    assert_eq!(server.connect().ask(get("/counter")).text(), "1", "the first instance has one");
}

#[test]
fn an_instance_is_replaced_after_so_many_requests() {
    let server = pooled().arg("--requests-per-instance-max", "2").start();
    let mut client = server.connect();
    let answers: Vec<_> = (0..4).map(|_| client.ask(get("/counter")).text()).collect();
    assert_eq!(answers, ["1", "2", "1", "2"]);
}

#[test]
fn a_trap_ends_all_exchanges_of_the_instance_and_no_other() {
    let server = pooled().arg("--concurrent-requests-per-instance-max", "3").start();
    let (mut begun, instance) = held(&server);
    let mut waiting = waiting_beside(&server, &instance);
    end_with(&server, &mut begun, "/trap");
    let told = waiting.read_response();
    assert_eq!((told.status(), told.header("Retry-After")), (Some(503), Some("1")));
    assert_cut(&mut begun);
    server.wait_log(|line| line.message.contains("another of them is to blame"));
    assert_eq!(server.connect().ask(get("/counter")).text(), "1");
}

#[test]
fn a_loop_ends_all_exchanges_of_the_instance_at_its_cpu_time() {
    let server = pooled().arg("--cpu-time-max", "100ms").start();
    let (mut begun, _) = held(&server);
    end_with(&server, &mut begun, "/spin");
    server.wait_log(|line| line.message.contains("cpu_time_max"));
    assert_cut(&mut begun);
    assert_eq!(server.connect().ask(get("/counter")).text(), "1");
}

#[test]
fn memory_that_one_exchange_takes_ends_the_others() {
    let server = pooled().arg("--memory-bytes-max", "8MiB").start();
    let (mut begun, _) = held(&server);
    end_with(&server, &mut begun, "/grow");
    server.wait_log(|line| line.message.contains("memory_bytes_max"));
    assert_cut(&mut begun);
}

#[test]
fn a_client_that_goes_leaves_the_others_their_instance_and_nobody_new() {
    let server = pooled().start();
    let (mut stays, first) = held(&server);
    waiting_beside(&server, &first).reset();
    server.wait_log(|line| line.field("url").as_deref() == Some("/wait"));
    let other = || instance(&server.connect().ask(get("/counter")));
    meeting(|| (other() != first).then_some(()));
    for _ in 0..10 {
        assert_ne!(other(), first, "it takes nobody any more");
    }
    assert!(stays.is_silent_for(SOON), "and goes on for those that it has");
}

#[test]
fn an_error_code_is_one_exchanges_own() {
    let server = pooled().start();
    let (mut begun, instance) = held(&server);
    for _ in 0..3 {
        assert_eq!(server.connect().ask(get("/denied")).status(), Some(403));
    }
    assert_eq!(ask_in(&server, &instance, "/release"), "released\n");
    begun.read_until("let go\n");
}

#[test]
fn what_a_guest_does_after_its_answer_is_done() {
    for policy in ["pooled", "per-request"] {
        let server = Server::of("wasi-p3").arg("--instances", policy).start();
        assert_eq!(server.connect().ask(get("/late")).text(), "early\n");
        server.wait_guest_line("late");
    }
}

#[test]
fn bodies_and_trailers_pass_through() {
    let request = "POST /echo HTTP/1.1\r\nHost: inn\r\nTE: trailers\r\nTrailer: X-Sum\r\n\
         Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\nX-Sum: 11\r\n\r\n";
    for policy in ["pooled", "per-request"] {
        let server = Server::of("wasi-p3").arg("--instances", policy).start();
        let answer = server.connect().ask(request);
        assert_eq!(answer.text(), "hello world");
        assert_eq!(answer.trailers, [("x-sum".to_owned(), "11".to_owned())]);
    }
}

#[test]
fn a_drain_waits_for_what_shares_an_instance() {
    let server = pooled().start();
    let (mut first, instance) = held(&server);
    let mut second = held_beside(&server, &instance);
    let mut last = meeting(|| {
        let mut client = server.connect();
        client.send("POST /release-later HTTP/1.1\r\nHost: inn\r\nContent-Length: 1\r\n\r\n");
        let head = client.read_response_to_head();
        client.read_until("ready\n");
        (head.header("Instance") == Some(&instance)).then_some(client)
    });
    server.signal(Signal::TERM);
    server.wait_log(|line| line.target == "drain");
    last.send("x");
    last.read_until("released\n");
    first.read_until("let go\n");
    second.read_until("let go\n");
    assert!(server.wait_exit(DEADLINE).status.success());
}
