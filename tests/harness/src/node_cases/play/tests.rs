use super::*;
use crate::node_cases::peer::State;
use crate::wire::{Client, End};

fn steps(json: &str) -> Vec<Step> {
    serde_json::from_str(json).expect("steps")
}

#[test]
fn the_upstream_plays_a_script_for_each_connection() {
    let pulse = Pulse::default();
    let scripts = [
        steps(r#"[{"wait-for": "\r\n\r\n"}, {"send": "one"}, {"half-close": true}]"#),
        steps(r#"[{"wait-for": "x", "times": 2}, {"reset": true}]"#),
    ];
    let upstream = Upstream::start(&scripts, &pulse).expect("a port");
    let mut first = Client::connect(upstream.address);
    first.send("GET / HTTP/1.1\r\n\r\n").expect("one").expect_close();
    let mut second = Client::connect(upstream.address);
    assert_eq!(second.send("x").send("x").read_to_end(), (Vec::new(), End::Reset));
    let accepted = upstream.accepted.lock();
    let received: Vec<_> = accepted.iter().map(|seen| seen.lock().received.clone()).collect();
    assert_eq!(received, [b"GET / HTTP/1.1\r\n\r\n".to_vec(), b"xx".to_vec()]);
}

#[test]
fn a_client_goes_on_with_an_earlier_connection() {
    let pulse = Pulse::default();
    let scripts = [steps(r#"[{"wait-for": "a"}, {"send": "b"}, {"wait-for": "c"}]"#), steps("[]")];
    let upstream = Upstream::start(&scripts, &pulse).expect("a port");
    let blocks: Vec<Block> = serde_json::from_str(
        r#"[{"steps": [{"send": "a"}, {"wait-for": "b"}]}, {"steps": []}, {"again": 0, "steps": [{"send": "c"}]}]"#,
    )
    .expect("blocks");
    let mut peers = Vec::new();
    for block in &blocks {
        play_block(block, &mut peers, upstream.address, &pulse);
    }
    assert_eq!(peers.len(), 2);
    let both = pulse.wait_for(crate::DEADLINE, || {
        let accepted = upstream.accepted.lock();
        (accepted.first()?.lock().received == b"ac" && accepted.len() == 2).then_some(())
    });
    assert_eq!(both, Some(()));
    let seen = peers.first().expect("the first one").seen();
    let seen = seen.lock();
    assert_eq!((seen.sent.as_slice(), seen.received.as_slice()), (b"ac".as_slice(), b"b".as_slice()));
    assert_eq!((seen.segments, seen.state), (1, State::Open));
}

#[test]
fn a_refused_connection_is_a_state() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("a bound socket has an address");
    drop(listener);
    let mut peer = Peer::connect(address, &Pulse::default());
    peer.play(&Step::Wait(Duration::ZERO));
    assert_eq!(peer.seen().lock().state, State::Refused);
}

#[test]
fn a_paused_connection_is_not_read() {
    let pulse = Pulse::default();
    let scripts = [steps(r#"[{"wait-for": "a"}, {"send": "b"}, {"wait-for": "c"}, {"send": "d"}]"#)];
    let upstream = Upstream::start(&scripts, &pulse).expect("a port");
    let mut peer = Peer::connect(upstream.address, &pulse);
    for step in steps(r#"[{"send": "a"}, {"wait-for": "b"}, {"pause-reading": true}, {"send": "c"}]"#) {
        peer.play(&step);
    }
    let seen = peer.seen();
    let sent = pulse.wait_for(crate::DEADLINE, || {
        let accepted = upstream.accepted.lock();
        (accepted.first()?.lock().sent == b"bd").then_some(())
    });
    assert_eq!(sent, Some(()));
    assert_eq!(seen.lock().received, b"b");
    peer.play(&Step::ResumeReading);
    let read = pulse.wait_for(crate::DEADLINE, || (seen.lock().received == b"bd").then_some(()));
    assert_eq!(read, Some(()));
}

#[test]
fn entries_of_the_guests_log() {
    let line = |target: &str, message: &str| {
        serde_json::json!({"level": "INFO", "target": target, "message": message}).to_string()
    };
    let lines = [
        line("guest", "LOG \"a\\u00ff\""),
        line("innkeeper", "LOG \"not the guest\""),
        line("guest", "something else"),
        "no event".to_owned(),
    ];
    assert_eq!(guest_log(&lines), ["a\u{ff}"]);
}
