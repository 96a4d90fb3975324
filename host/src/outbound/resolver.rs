//! The addresses of names: asked of the name servers, kept for as long as
//! these say. Says nothing about where a guest may go: whoever connects has
//! every address checked.
//!
//! What the system has for names in `/etc/hosts` and `/etc/resolv.conf` is read
//! once, at the first look-up. A guest's name is never completed by the
//! system's search domains: it is the name of a host of theirs only if it is
//! written out.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::pin;
use std::sync::OnceLock;
use std::time::Duration;

use hickory_resolver::config::{
    ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts,
};
use hickory_resolver::lookup::Lookup;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError, NoRecords};
use hickory_resolver::proto::op::{Query, ResponseCode};
use hickory_resolver::proto::rr::{Name, RecordType};
use hickory_resolver::{Hosts, TokioResolver, system_conf};
use tokio::time::timeout;

use crate::outbound::error::OutboundError;

/// The longest time for the addresses of a name, all servers and attempts
/// together. Below the usual `outbound_connect_timeout`, so that a guest is
/// told that it is the name that takes so long.
const LOOK_UP_MAX: Duration = Duration::from_secs(8);

/// How long one server is waited for before it is asked again or another is.
const ANSWER_MAX: Duration = Duration::from_secs(2);

/// How long, when there are IPv4 addresses, IPv6 ones are waited for (RFC 8305,
/// section 3): there are servers that never answer for those.
const RESOLUTION_DELAY: Duration = Duration::from_millis(50);

/// The longest that addresses are kept, whatever their server says.
const KEPT_MAX: Duration = Duration::from_secs(60 * 60);

/// The longest that it is kept that there are none: whoever sets a name up
/// tries it before it is there.
const ABSENCE_KEPT_MAX: Duration = Duration::from_secs(5 * 60);

/// Answers that are kept. At some hundred bytes each this is less than a
/// megabyte; of the longest that there can be, 64 KiB, it is 64 MiB.
const ANSWERS_KEPT_MAX: u64 = 1024;

/// Who is asked for addresses, and what they said. One for the host.
pub struct Resolver {
    nameservers: Vec<SocketAddr>,
    /// Made when it is needed: a host whose guests go nowhere needs no
    /// configuration of names.
    asked: OnceLock<Asked>,
    look_up_max: Duration,
    resolution_delay: Duration,
}

struct Asked {
    hosts: Hosts,
    servers: Result<TokioResolver, NetError>,
}

impl Resolver {
    /// Asks these servers and nobody else; without any, what the system has.
    pub fn new(nameservers: &[SocketAddr]) -> Self {
        Resolver {
            nameservers: nameservers.to_vec(),
            asked: OnceLock::new(),
            look_up_max: LOOK_UP_MAX,
            resolution_delay: RESOLUTION_DELAY,
        }
    }

    /// The addresses of a name, at least one, as their servers order them, IPv6
    /// first. `localhost` and the names below it are this machine, and nobody
    /// is asked for them (RFC 6761, 6.3). Dropping it ends the look-up.
    ///
    /// # Errors
    /// `Dns`, with the name and the reason.
    pub async fn look_up(&self, name: &str) -> Result<Vec<IpAddr>, OutboundError> {
        let name = name.strip_suffix('.').unwrap_or(name);
        if name == "localhost" || name.ends_with(".localhost") {
            return Ok(vec![Ipv6Addr::LOCALHOST.into(), Ipv4Addr::LOCALHOST.into()]);
        }
        let found = match timeout(self.look_up_max, self.ask(name)).await {
            Ok(found) => found,
            Err(_) => Err(format!("no answer in {:?}", self.look_up_max)),
        };
        found.map_err(|reason| OutboundError::Dns(format!("no address for {name}: {reason}")))
    }

    async fn ask(&self, name: &str) -> Result<Vec<IpAddr>, String> {
        let mut name = Name::from_ascii(name).map_err(|error| error.to_string())?;
        name.set_fqdn(true);
        let Asked { hosts, servers } = self.asked.get_or_init(|| Asked::of(&self.nameservers));
        let own = |kind| hosts.lookup_static_host(&Query::query(name.clone(), kind));
        let own: Vec<_> = [own(RecordType::AAAA), own(RecordType::A)].into_iter().flatten().collect();
        if !own.is_empty() {
            return Ok(own.iter().flat_map(addresses).collect());
        }
        let servers = servers.as_ref().map_err(ToString::to_string)?;
        self.ask_servers(servers, name).await
    }

    /// Asks for both families at once.
    async fn ask_servers(&self, servers: &TokioResolver, name: Name) -> Result<Vec<IpAddr>, String> {
        let mut six = pin!(servers.ipv6_lookup(name.clone()));
        let mut four = pin!(servers.ipv4_lookup(name));
        let (six, four) = tokio::select! {
            six = &mut six => (Some(six), four.await),
            four = &mut four => {
                let found = four.as_ref().is_ok_and(|four| addresses(four).next().is_some());
                let six = match found {
                    true => timeout(self.resolution_delay, six).await.ok(),
                    false => Some(six.await),
                };
                (six, four)
            }
        };
        let both = [six.unwrap_or(Err(NetError::Timeout)), four];
        let found: Vec<_> = both.iter().flatten().flat_map(addresses).collect();
        if found.is_empty() { Err(why(&both)) } else { Ok(found) }
    }
}

impl Asked {
    fn of(nameservers: &[SocketAddr]) -> Self {
        if nameservers.is_empty() {
            return Self::of_system();
        }
        let servers = resolver(Self::config(nameservers), ResolverOpts::default());
        Asked { hosts: Hosts::default(), servers }
    }

    fn config(nameservers: &[SocketAddr]) -> ResolverConfig {
        let servers = nameservers.iter().map(|server| {
            let mut connections = vec![ConnectionConfig::udp(), ConnectionConfig::tcp()];
            for connection in &mut connections {
                connection.port = server.port();
            }
            NameServerConfig::new(server.ip(), true, connections)
        });
        ResolverConfig::from_parts(None, Vec::new(), servers.collect())
    }

    fn of_system() -> Self {
        let hosts = Hosts::from_system().unwrap_or_else(|error| {
            tracing::warn!(target: "outbound", %error, "cannot read the system's file of hosts, it is taken as empty");
            Hosts::default()
        });
        let servers = system_conf::read_system_conf().and_then(|(config, options)| resolver(config, options));
        if let Err(error) = &servers {
            tracing::warn!(
                target: "outbound",
                %error,
                "the system has no configuration of name servers, no name is found; set nameservers of [outbound]"
            );
        }
        Asked { hosts, servers }
    }
}

fn resolver(config: ResolverConfig, mut options: ResolverOpts) -> Result<TokioResolver, NetError> {
    options.use_hosts_file = ResolveHosts::Never;
    options.timeout = options.timeout.min(ANSWER_MAX);
    options.cache_size = ANSWERS_KEPT_MAX;
    options.positive_max_ttl = Some(KEPT_MAX);
    options.negative_max_ttl = Some(ABSENCE_KEPT_MAX);
    TokioResolver::builder_with_config(config, TokioRuntimeProvider::default()).with_options(options).build()
}

fn addresses(found: &Lookup) -> impl Iterator<Item = IpAddr> {
    found.answers().iter().filter_map(|record| record.data.ip_addr())
}

/// Why there are no addresses: what went wrong says more than what is not
/// there, for it may be there.
fn why(answers: &[Result<Lookup, NetError>]) -> String {
    let mut absent = "it has none";
    for error in answers.iter().filter_map(|answer| answer.as_ref().err()) {
        match error {
            NetError::Dns(DnsError::NoRecordsFound(NoRecords { response_code, .. })) => {
                match *response_code {
                    ResponseCode::NXDomain => absent = "there is no such name",
                    ResponseCode::NoError => {}
                    code => return format!("the name server failed: {code}"),
                }
            }
            NetError::Dns(DnsError::ResponseCode(code)) => {
                return format!("the name server failed: {code}");
            }
            NetError::Timeout => return "no name server answers in time".to_owned(),
            error => return format!("no name server can be asked: {error}"),
        }
    }
    absent.to_owned()
}

#[cfg(test)]
mod tests;
