use innkeeper_harness::DEADLINE;
use innkeeper_harness::dns::{Answer, DnsServer, RecordType, ResponseCode};
use tokio::time::Instant;

use super::*;

/// A server, and a resolver that asks it, and that waits for the second family
/// however busy the machine is.
fn pair() -> (DnsServer, Resolver) {
    let server = DnsServer::start().unwrap();
    let mut resolver = Resolver::new(&[server.address()]);
    resolver.resolution_delay = DEADLINE;
    resolver.look_up_max = DEADLINE;
    (server, resolver)
}

async fn look_up(resolver: &Resolver, name: &str) -> Result<Vec<String>, String> {
    match resolver.look_up(name).await {
        Ok(addresses) => Ok(addresses.iter().map(ToString::to_string).collect()),
        Err(OutboundError::Dns(text)) => Err(text),
        Err(error) => panic!("{error:?}"),
    }
}

fn both(addresses: &[&str]) -> Result<Vec<String>, String> {
    Ok(addresses.iter().map(ToString::to_string).collect())
}

#[tokio::test]
async fn addresses_of_both_families_are_kept_for_as_long_as_they_are_good() {
    let (server, resolver) = pair();
    server.set("a.example", [Answer::of(300, &["192.0.2.1", "192.0.2.2", "2001:db8::1"])]);
    for _ in 0..3 {
        assert_eq!(look_up(&resolver, "a.example").await, both(&["2001:db8::1", "192.0.2.1", "192.0.2.2"]));
    }
    assert_eq!(server.asked("a.example", RecordType::A), 1);
    assert_eq!(server.asked("a.example", RecordType::AAAA), 1);
}

#[tokio::test]
async fn with_a_ttl_of_zero_they_are_asked_for_again() {
    let (server, resolver) = pair();
    server.set("a.example", [Answer::of(0, &["192.0.2.1"]), Answer::of(0, &["192.0.2.2"])]);
    assert_eq!(look_up(&resolver, "a.example").await, both(&["192.0.2.1"]));
    assert_eq!(look_up(&resolver, "a.example").await, both(&["192.0.2.2"]));
    assert_eq!(server.asked("a.example", RecordType::A), 2);
}

#[tokio::test]
async fn one_family_is_enough() {
    let (server, resolver) = pair();
    server.set("four.example", [Answer::of(60, &["192.0.2.1"])]);
    server.set("six.example", [Answer::of(60, &["2001:db8::1"])]);
    assert_eq!(look_up(&resolver, "four.example").await, both(&["192.0.2.1"]));
    assert_eq!(look_up(&resolver, "six.example").await, both(&["2001:db8::1"]));
}

#[tokio::test]
async fn an_alias_leads_on() {
    let (server, resolver) = pair();
    server.set("alias.example", [Answer::Alias(60, "target.example".to_owned())]);
    server.set("target.example", [Answer::of(60, &["192.0.2.3", "2001:db8::3"])]);
    assert_eq!(look_up(&resolver, "alias.example").await, both(&["2001:db8::3", "192.0.2.3"]));
}

#[tokio::test]
async fn a_name_that_is_not_there_is_told_and_kept() {
    let (server, resolver) = pair();
    server.set("gone.example", [Answer::NoSuchName(300)]);
    for _ in 0..2 {
        assert_eq!(
            look_up(&resolver, "gone.example").await,
            Err("no address for gone.example: there is no such name".to_owned())
        );
    }
    assert_eq!(server.asked("gone.example", RecordType::A), 1);
}

#[tokio::test]
async fn a_name_without_addresses_is_told() {
    let (server, resolver) = pair();
    server.set("text.example", [Answer::of(300, &[])]);
    assert_eq!(
        look_up(&resolver, "text.example").await,
        Err("no address for text.example: it has none".to_owned())
    );
}

#[tokio::test]
async fn a_failure_is_told_and_not_kept() {
    let (server, resolver) = pair();
    server.set("a.example", [Answer::Failure(ResponseCode::ServFail)]);
    let error = look_up(&resolver, "a.example").await.unwrap_err();
    assert!(error.starts_with("no address for a.example: the name server failed: "), "{error}");
    server.set("a.example", [Answer::of(60, &["192.0.2.1"])]);
    assert_eq!(look_up(&resolver, "a.example").await, both(&["192.0.2.1"]));
}

#[tokio::test]
async fn silence_is_not_waited_out() {
    let (server, mut resolver) = pair();
    resolver.look_up_max = Duration::from_millis(20);
    server.set("a.example", [Answer::Silence]);
    assert_eq!(
        look_up(&resolver, "a.example").await,
        Err("no address for a.example: no answer in 20ms".to_owned())
    );
}

#[tokio::test]
async fn a_server_that_is_silent_about_ipv6_holds_nobody_up() {
    let (server, mut resolver) = pair();
    resolver.resolution_delay = RESOLUTION_DELAY;
    let four = Answer::of(60, &["192.0.2.1"]);
    server.set("a.example", [Answer::SilenceFor(RecordType::AAAA, Box::new(four))]);
    let begun = Instant::now();
    assert_eq!(look_up(&resolver, "a.example").await, both(&["192.0.2.1"]));
    assert!(begun.elapsed() < ANSWER_MAX, "{:?}", begun.elapsed());
}

#[tokio::test]
async fn if_no_server_answers_it_is_told() {
    let (server, resolver) = pair();
    server.set("a.example", [Answer::Silence]);
    let mut options = ResolverOpts::default();
    (options.timeout, options.attempts) = (Duration::from_millis(20), 1);
    let servers = super::resolver(Asked::config(&[server.address()]), options);
    assert!(resolver.asked.set(Asked { hosts: Hosts::default(), servers }).is_ok());
    assert_eq!(
        look_up(&resolver, "a.example").await,
        Err("no address for a.example: no name server answers in time".to_owned())
    );
}

#[tokio::test]
async fn nothing_is_kept_for_longer_than_an_hour() {
    let (server, _) = pair();
    server.set("a.example", [Answer::of(1_000_000, &["192.0.2.1"])]);
    let Asked { servers, .. } = Asked::of(&[server.address()]);
    let begun = std::time::Instant::now();
    let found = servers.unwrap().ipv4_lookup("a.example.").await.unwrap();
    assert!(found.valid_until() >= begun + KEPT_MAX);
    assert!(found.valid_until() <= std::time::Instant::now() + KEPT_MAX);
}

#[tokio::test]
async fn localhost_is_this_machine_and_nobody_is_asked() {
    let (server, resolver) = pair();
    for name in ["localhost", "localhost.", "a.localhost", "a.b.localhost."] {
        assert_eq!(look_up(&resolver, name).await, both(&["::1", "127.0.0.1"]), "{name}");
    }
    assert_eq!(server.names_asked(), Vec::<String>::new());
}

#[tokio::test]
async fn names_are_asked_for_as_they_are() {
    let (server, resolver) = pair();
    server.set("intranet", [Answer::of(60, &["192.0.2.1"])]);
    server.set("under_score.example", [Answer::of(60, &["192.0.2.2"])]);
    assert_eq!(look_up(&resolver, "intranet").await, both(&["192.0.2.1"]));
    assert_eq!(look_up(&resolver, "intranet.").await, both(&["192.0.2.1"]));
    assert_eq!(look_up(&resolver, "under_score.example").await, both(&["192.0.2.2"]));
    assert!(look_up(&resolver, "other").await.is_err());
    assert_eq!(server.names_asked(), ["intranet", "other", "under_score.example"]);
}

#[tokio::test]
async fn the_systems_file_of_hosts_comes_before_its_servers() {
    let (server, resolver) = pair();
    server.set("db.example", [Answer::of(60, &["192.0.2.1", "2001:db8::1"])]);
    let mut asked = Asked::of(&[server.address()]);
    asked.hosts.read_hosts_conf(&b"10.1.2.3 DB.example # a comment\n"[..]).unwrap();
    assert!(resolver.asked.set(asked).is_ok());
    assert_eq!(look_up(&resolver, "db.example").await, both(&["10.1.2.3"]));
    assert_eq!(server.names_asked(), Vec::<String>::new());
}

#[tokio::test]
async fn search_domains_of_the_system_are_left_out() {
    let server = DnsServer::start().unwrap();
    let mut given = Asked::config(&[server.address()]);
    given.set_domain(Name::from_ascii("inside.example.").unwrap());
    given.add_search(Name::from_ascii("search.example.").unwrap());
    let (_, resolver) = pair();
    let asked = Asked { hosts: Hosts::default(), servers: super::resolver(given, ResolverOpts::default()) };
    assert!(resolver.asked.set(asked).is_ok());
    assert!(look_up(&resolver, "a").await.is_err());
    assert_eq!(server.names_asked(), ["a"]);
}
