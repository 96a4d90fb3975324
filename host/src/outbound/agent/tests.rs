use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::config::Limits;
use crate::outbound::connect::Alpn;
use crate::outbound::origin::Origin;
use crate::outbound::stream::Stream;
use crate::wire::ledger::Ledger;

fn means(connections: u32) -> Arc<Means> {
    let limits = Limits { outbound_connections_max: connections, ..Limits::default() };
    Arc::new(Means::new(&limits, Arc::new(Ledger::new(1_000))))
}

fn key(host: &str) -> Key {
    Key { origin: Origin::parse("http", host).unwrap(), alpn: Alpn::Http1, identity: 0 }
}

/// A connection for a seat, and the server's end of it.
async fn connected(turn: Turn) -> (Box<Connection>, TcpStream) {
    let Turn::Seat(seat) = turn else { panic!("no seat but {turn:?}") };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (server, _) = listener.accept().await.unwrap();
    (Box::new(Connection { http1: Http1::new(Stream::plain(stream).unwrap()), seat }), server)
}

fn numbers(agent: &Agent) -> Vec<(u32, u32, u32)> {
    agent.stats().iter().map(|of| (of.sockets, of.free_sockets, of.requests)).collect()
}

fn options(change: impl FnOnce(&mut AgentOptions)) -> AgentOptions {
    let mut options = AgentOptions::default();
    change(&mut options);
    options
}

#[tokio::test]
async fn a_connection_given_back_is_used_again() {
    let agent = Agent::new(AgentOptions::default(), means(10));
    let (connection, _server) = connected(agent.take(&key("a")).unwrap()).await;
    assert_eq!(numbers(&agent), [(1, 0, 0)]);
    agent.put(connection, None);
    assert_eq!(numbers(&agent), [(0, 1, 0)]);
    assert!(matches!(agent.take(&key("b")), Ok(Turn::Seat(_))), "another origin");
    let again = agent.take(&key("a")).unwrap();
    assert!(matches!(again, Turn::Connection(_)));
    drop(again);
    assert_eq!(numbers(&agent), []);
}

#[tokio::test]
async fn a_connection_that_the_server_closed_is_not() {
    let agent = Agent::new(AgentOptions::default(), means(10));
    let (connection, mut server) = connected(agent.take(&key("a")).unwrap()).await;
    agent.put(connection, None);
    server.shutdown().await.unwrap();
    drop(server);
    // The FIN of loopback may take a moment.
    while numbers(&agent) == [(0, 1, 0)] {
        tokio::task::yield_now().await;
    }
    assert!(matches!(agent.take(&key("a")), Ok(Turn::Seat(_))));
}

#[tokio::test]
async fn what_is_too_many_waits_in_order() {
    let agent = Agent::new(options(|of| of.max_sockets = Some(1)), means(10));
    let (connection, _server) = connected(agent.take(&key("a")).unwrap()).await;
    let mut first = agent.take(&key("a")).unwrap_err();
    let second = agent.take(&key("a")).unwrap_err();
    assert_eq!(numbers(&agent), [(1, 0, 2)]);
    drop(second);
    let mut third = agent.take(&key("a")).unwrap_err();
    agent.put(connection, None);
    let Ok(Turn::Connection(connection)) = first.try_recv() else { panic!("the first in line") };
    assert!(third.try_recv().is_err());
    // One that cannot be used again leaves its seat to the next.
    drop(connection);
    assert!(matches!(third.try_recv(), Ok(Turn::Seat(_))));
}

#[tokio::test]
async fn the_sum_of_all_origins_is_bounded() {
    let agent = Agent::new(options(|of| of.max_total_sockets = Some(1)), means(10));
    let (connection, _server) = connected(agent.take(&key("a")).unwrap()).await;
    let mut other = agent.take(&key("b")).unwrap_err();
    agent.put(connection, None);
    // Kept for nobody while another origin waits.
    let Ok(Turn::Seat(seat)) = other.try_recv() else { panic!("a seat for the other origin") };
    let (connection, _server) = connected(Turn::Seat(seat)).await;
    agent.put(connection, None);
    let mut back = agent.take(&key("a")).unwrap_err();
    assert!(matches!(back.try_recv(), Ok(Turn::Seat(_))), "a free connection gives way");
}

#[tokio::test]
async fn a_hint_of_a_second_is_too_short_to_keep() {
    let agent = Agent::new(AgentOptions::default(), means(10));
    let (connection, _server) = connected(agent.take(&key("a")).unwrap()).await;
    agent.put(connection, Some(1));
    assert_eq!(numbers(&agent), []);
    let (connection, _server) = connected(agent.take(&key("a")).unwrap()).await;
    agent.put(connection, Some(5));
    assert_eq!(numbers(&agent), [(0, 1, 0)]);
}

#[tokio::test]
async fn no_more_free_ones_are_kept_than_wanted() {
    let agent = Agent::new(options(|of| of.max_free_sockets = 1), means(10));
    let (one, _server) = connected(agent.take(&key("a")).unwrap()).await;
    let (two, _other) = connected(agent.take(&key("a")).unwrap()).await;
    agent.put(one, None);
    agent.put(two, None);
    assert_eq!(numbers(&agent), [(0, 1, 0)]);
    let agent = Agent::new(options(|of| of.keep_alive = false), means(10));
    let (one, _server) = connected(agent.take(&key("a")).unwrap()).await;
    agent.put(one, None);
    assert_eq!(numbers(&agent), []);
}

#[tokio::test]
async fn which_free_one_comes_first() {
    for (scheduling, expected) in [(Scheduling::Lifo, 1), (Scheduling::Fifo, 0)] {
        let agent = Agent::new(options(|of| of.scheduling = scheduling), means(10));
        let mut locals = Vec::new();
        let mut servers = Vec::new();
        let mut connections = Vec::new();
        for _ in 0..2 {
            let (connection, server) = connected(agent.take(&key("a")).unwrap()).await;
            locals.push(server.peer_addr().unwrap());
            servers.push(server);
            connections.push(connection);
        }
        connections.into_iter().for_each(|connection| agent.put(connection, None));
        let Ok(Turn::Connection(mut first)) = agent.take(&key("a")) else { panic!("a free one") };
        assert_eq!(first.http1.stream().local(), locals[expected], "{scheduling:?}");
    }
}

#[tokio::test]
async fn the_means_of_the_app_are_shared_by_its_agents() {
    let means = means(1);
    let (one, other) =
        (Agent::new(AgentOptions::default(), means.clone()), Agent::new(AgentOptions::default(), means));
    let (connection, _server) = connected(one.take(&key("a")).unwrap()).await;
    assert!(matches!(other.take(&key("a")), Ok(Turn::Full("outbound_connections_max"))));
    one.put(connection, None);
    assert!(one.give_up_one());
    assert!(matches!(other.take(&key("a")), Ok(Turn::Seat(_))));
}

#[tokio::test]
async fn destroying_ends_what_is_in_use_and_what_waits() {
    let agent = Agent::new(options(|of| of.max_sockets = Some(1)), means(10));
    let (connection, _server) = connected(agent.take(&key("a")).unwrap()).await;
    let mut waiting = agent.take(&key("a")).unwrap_err();
    let life = connection.seat.life().clone();
    agent.destroy();
    assert!(life.is_cancelled());
    assert_eq!(waiting.try_recv().unwrap_err(), oneshot::error::TryRecvError::Closed);
    agent.put(connection, None);
    assert_eq!(numbers(&agent), []);
    assert!(matches!(agent.take(&key("a")), Ok(Turn::Seat(_))), "it can be used on");
}

#[tokio::test]
async fn free_connections_do_not_outlive_the_agent() {
    let means = means(10);
    let agent = Agent::new(AgentOptions::default(), means.clone());
    let (connection, _server) = connected(agent.take(&key("a")).unwrap()).await;
    agent.put(connection, None);
    assert_eq!(means.connections(), 1);
    drop(agent);
    assert_eq!(means.connections(), 0);
}
