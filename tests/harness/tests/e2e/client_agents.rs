//! Agents: how many connections they make, who waits for one and in which
//! order, whose they are, and their end.

use innkeeper_harness::upstream::{Connection, Upstream};

use crate::requests::{answer, begin, ok, outbound, plain_get, run};

/// Requests of these names, begun in this order, by the agent `g`.
fn begun(names: &[&str]) -> String {
    names.iter().map(|name| format!("{name} = GET http://{{up}}/{name} via=g; {name} end; ")).collect()
}

/// Accepts two connections, and returns the one of `/a` first.
fn accept_a_and_b(upstream: &Upstream) -> (Connection, Connection) {
    let (mut one, mut other) = (upstream.accept(), upstream.accept());
    let line = one.read_request().line;
    other.read_request();
    if line.contains("/a") { (one, other) } else { (other, one) }
}

#[test]
fn requests_wait_in_order_for_one_of_the_agents_connections() {
    let (server, upstream) = (outbound().start(), Upstream::start());
    let script = "g = agent sockets=1; ".to_owned()
        + &begun(&["a", "b", "c"])
        + "g stats; c response; c reused; b response; a response; g stats";
    let mut script = begin(&server, &upstream, &script);
    // In the order in which they were begun, not in that of the waits.
    let mut connection = upstream.accept();
    for target in ["/a", "/b", "/c"] {
        answer(&mut connection, &upstream, target, "");
    }
    let told = script.told();
    assert!(told.starts_with("g stats {up}: 1 in use, 0 free, 2 waiting\n"), "{told}");
    assert!(told.contains("c reused true\n"), "{told}");
    assert!(told.ends_with("g stats {up}: 0 in use, 1 free, 0 waiting\n"), "{told}");
    assert!(!upstream.is_called());
}

#[test]
fn an_agents_limit_holds_over_all_instances() {
    let (server, upstream) = (outbound().start(), Upstream::start());
    let script =
        "g = agent name=shop sockets=1; a = GET http://{up}/a via=g; a end; a response; a body; a reused";
    let mut first = begin(&server, &upstream, script);
    let mut connection = upstream.accept();
    connection.expect(plain_get(&upstream, "/a"));
    let script = "g = agent name=shop sockets=1; b = GET http://{up}/b via=g; b end; tell begun; own; g stats; b response; b reused";
    let mut second = begin(&server, &upstream, script);
    second.go_on_after("tell begun").wait_for("g stats {up}: 1 in use, 0 free, 1 waiting");
    connection.send(ok("first"));
    answer(&mut connection, &upstream, "/b", "");
    assert!(first.told().ends_with("a body first\na reused false\n"));
    assert!(second.told().ends_with("b reused true\n"));
    assert!(!upstream.is_called());
}

#[test]
fn who_has_left_the_queue_is_passed_over() {
    let (server, upstream) = (outbound().start(), Upstream::start());
    let script = "g = agent sockets=1; ".to_owned()
        + &begun(&["a", "b", "c", "d"])
        + "tell begun; own; b destroy; c drop; g stats; a response; a body; b response; d response; d reused";
    let mut script = begin(&server, &upstream, &script);
    let mut connection = upstream.accept();
    connection.expect(plain_get(&upstream, "/a"));
    script.go_on_after("tell begun").wait_for("g stats {up}: 1 in use, 0 free, 1 waiting");
    connection.send(ok(""));
    answer(&mut connection, &upstream, "/d", "");
    let told = script.told();
    assert!(told.contains("b response failed: aborted: "), "{told}");
    assert!(told.ends_with("d reused true\n"), "{told}");
}

#[test]
fn the_sum_of_an_agents_connections_has_a_limit() {
    let (server, upstream, other) = (outbound().start(), Upstream::start(), Upstream::start());
    let script = format!(
        "g = agent total=1; a = GET http://{{up}}/a via=g; b = GET http://{}/b via=g; a end; b end; \
         tell waiting; own; a response; a body; b response; b reused",
        other.authority()
    );
    let mut script = begin(&server, &upstream, &script);
    let mut connection = upstream.accept();
    connection.expect(plain_get(&upstream, "/a"));
    script.go_on_after("tell waiting");
    assert!(!other.is_called());
    connection.send(ok(""));
    // It could have been kept, but somebody else needs its place.
    connection.expect_close();
    answer(&mut other.accept(), &other, "/b", "");
    assert!(script.told().ends_with("b reused false\n"));
}

#[test]
fn a_free_connection_makes_room_for_another_origin() {
    let (server, upstream, other) = (outbound().start(), Upstream::start(), Upstream::start());
    let script = format!(
        "g = agent total=1; a = GET http://{{up}}/a via=g; a end; a response; a body; \
         b = GET http://{}/b via=g; b end; b response",
        other.authority()
    );
    let mut script = begin(&server, &upstream, &script);
    let mut connection = upstream.accept();
    answer(&mut connection, &upstream, "/a", "");
    connection.expect_close();
    answer(&mut other.accept(), &other, "/b", "");
    assert!(script.told().contains("b response 1.1 200 OK\n"));
}

#[test]
fn free_connections_beyond_the_agents_limit_are_closed() {
    let (server, upstream) = (outbound().start(), Upstream::start());
    let script = "g = agent free=1; ".to_owned()
        + &begun(&["a", "b"])
        + "a response; a body; b response; b body; g stats; own";
    let mut script = begin(&server, &upstream, &script);
    let (mut first, mut second) = accept_a_and_b(&upstream);
    first.send(ok(""));
    script.wait_for("a body");
    second.send(ok(""));
    second.expect_close();
    assert!(
        script
            .go_on_after("1 free, 0 waiting")
            .told()
            .contains("g stats {up}: 0 in use, 1 free, 0 waiting\n")
    );
    first.expect_close();
}

#[test]
fn the_free_connection_that_is_used_first_is_the_agents_choice() {
    let (server, upstream) = (outbound().start(), Upstream::start());
    for scheduling in ["", "fifo"] {
        let script = format!("g = agent {scheduling}; ")
            + &begun(&["a", "b"])
            + "a response; a body; b response; b body; c = GET http://{up}/c via=g; c end; c response; c reused";
        let mut script = begin(&server, &upstream, &script);
        let (mut first, mut second) = accept_a_and_b(&upstream);
        first.send(ok(""));
        script.wait_for("a body");
        second.send(ok(""));
        script.wait_for("b body");
        let chosen = if scheduling.is_empty() { &mut second } else { &mut first };
        answer(chosen, &upstream, "/c", "");
        assert!(script.told().ends_with("c reused true\n"), "{scheduling}");
    }
}

#[test]
fn an_agent_without_a_name_ends_with_its_instance() {
    let (server, upstream) = (outbound().start(), Upstream::start());
    for end in ["g drop; tell over; own", "tell over"] {
        let script = format!("g = agent; a = GET http://{{up}}/a via=g; a end; a response; a body; {end}");
        let mut script = begin(&server, &upstream, &script);
        let mut connection = upstream.accept();
        answer(&mut connection, &upstream, "/a", "");
        connection.expect_close();
        if end.contains("own") {
            script.go_on_after("tell over");
        }
        script.told();
    }
}

#[test]
fn an_agent_that_keeps_nothing_still_serves_who_waits() {
    let (server, upstream) = (outbound().start(), Upstream::start());
    let script = "g = agent closing sockets=1; ".to_owned()
        + &begun(&["a", "b"])
        + "a response; a body; b response; b body; b reused; own";
    let mut script = begin(&server, &upstream, &script);
    let mut connection = upstream.accept();
    answer(&mut connection, &upstream, "/a", "");
    answer(&mut connection, &upstream, "/b", "");
    connection.expect_close();
    assert!(script.go_on_after("b reused true").told().contains("b reused true\n"));
}

#[test]
fn an_agent_is_destroyed_by_another_instance() {
    let (server, upstream) = (outbound().start(), Upstream::start());
    let script = "g = agent name=shop sockets=1; ".to_owned()
        + &begun(&["a", "b"])
        + "a response; b response; c = GET http://{up}/c via=g; c end; c response; c reused";
    let mut script = begin(&server, &upstream, &script);
    let mut connection = upstream.accept();
    connection.expect(plain_get(&upstream, "/a"));
    run(&server, &upstream, "g = agent name=shop sockets=1; g destroy");
    connection.read_to_end();
    // The agent can be used on.
    answer(&mut upstream.accept(), &upstream, "/c", "");
    script.tells(
        "a response failed: connection-reset: the peer went away
         b response failed: connection-reset: the peer went away
         c response 1.1 200 OK
         c > Content-Length: 0
         c reused false",
    );
}

#[test]
fn an_agent_is_opened_only_with_what_makes_sense() {
    let (server, upstream) = (outbound().start(), Upstream::start());
    for options in ["sockets=0", "total=0", "name=", &format!("name={}", "x".repeat(65))] {
        let told = run(&server, &upstream, &format!("g = agent {options}"));
        assert!(told.starts_with("g agent failed: invalid-arg: "), "{options}: {told}");
    }
}
