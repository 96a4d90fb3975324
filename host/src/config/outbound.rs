//! Where guests may go and by which means, as an operator writes it: the same
//! on the command line (`--outbound`) and in a file (`outbound`). What an entry
//! allows is decided in `outbound::policy`.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use super::authority::{self, Host, Scheme};
use super::network::Network;

/// What a host needs for requests of its guests, whichever app they are of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OutboundConfig {
    /// Who is asked for addresses; empty for the system's configuration.
    pub nameservers: Vec<SocketAddr>,
    /// The certificates that servers are judged by, in place of the system's.
    pub roots: Option<PemFile>,
}

/// Where an app may go. By default it is nowhere.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OutboundSettings {
    /// What is allowed.
    pub allowed: Vec<OutboundEntry>,
    /// How it meets servers that speak TLS.
    pub tls: OutboundTls,
}

/// How an app meets servers that speak TLS.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OutboundTls {
    /// The certificates that servers are judged by, in place of the host's.
    pub roots: Option<PemFile>,
    /// The certificate, with those that lead to its root, that the app shows
    /// to a server that asks for one; there is one exactly if there is a key.
    pub certificate: Option<PemFile>,
    /// Its private key.
    pub key: Option<PemFile>,
}

/// A file that was read together with the configuration, so that another
/// content is another configuration: a certificate is replaced by a reload.
#[derive(Clone, PartialEq, Eq)]
pub struct PemFile {
    path: PathBuf,
    content: Arc<[u8]>,
}

/// One thing that is allowed.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum OutboundEntry {
    /// To ask these origins: `SCHEME://HOST[:PORT]`.
    Origins(OriginPattern),
    /// To find these addresses behind a name that is allowed.
    Addresses(Network),
}

/// Origins that an app may ask.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct OriginPattern {
    /// With this scheme.
    pub scheme: Scheme,
    /// At these hosts.
    pub hosts: Hosts,
    /// At this port; none for any.
    pub port: Option<u16>,
}

/// The hosts of an entry.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Hosts {
    /// One name.
    Name(String),
    /// Every name that ends so, at a dot: `a.example` for `*.a.example`, which
    /// `a.example` itself is not.
    Suffix(String),
    /// All addresses of a network, where they stand for themselves.
    Network(Network),
    /// All names and addresses.
    Any,
}

impl PemFile {
    /// Reads a file.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn read(path: PathBuf) -> Result<Self, String> {
        let shown = path.display();
        match std::fs::metadata(&path) {
            Ok(found) if !found.is_file() => {
                return Err(format!("{shown} is no file; give the path of one with PEM in it"));
            }
            _ => {}
        }
        match std::fs::read(&path) {
            Ok(content) => Ok(PemFile { content: content.into(), path }),
            Err(error) => Err(format!("cannot read {shown}: {error}; make the file, readable for the host")),
        }
    }

    /// Where it is, for messages.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What was in it.
    pub fn content(&self) -> &[u8] {
        &self.content
    }
}

/// Without the content, which may be a key.
impl fmt::Debug for PemFile {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_tuple("PemFile").field(&self.path).finish()
    }
}

/// A server for names: an IP address, with a port if it is not 53.
///
/// # Errors
/// If it is none.
pub fn nameserver(text: &str) -> Result<SocketAddr, String> {
    let address = text.parse::<IpAddr>().map(|address| SocketAddr::new(address, 53));
    match text.parse().or(address) {
        Ok(address) if address.port() > 0 => Ok(address),
        _ => Err(format!(
            "{text:?} is no server for names; write an IP address, with a port if it is not 53, as in \"10.0.0.53\" or \"[fd00::53]:5353\""
        )),
    }
}

impl OutboundSettings {
    /// Whether all of it has an effect.
    ///
    /// # Errors
    /// The key that has none, `outbound` or `outbound_tls`, and what to do.
    pub fn check(&self) -> Result<(), (&'static str, String)> {
        let mut origins = self.allowed.iter().filter_map(|entry| match entry {
            OutboundEntry::Origins(origins) => Some(origins),
            OutboundEntry::Addresses(_) => None,
        });
        let mut addresses = self.allowed.iter().filter_map(|entry| match entry {
            OutboundEntry::Addresses(network) => Some(network),
            OutboundEntry::Origins(_) => None,
        });
        let has_names = origins.clone().any(|origins| !matches!(origins.hosts, Hosts::Network(_)));
        if let Some(address) = addresses.next().filter(|_| !has_names) {
            return Err((
                "outbound",
                format!(
                    "{address} is for names that resolve to it, and no name is allowed; allow one, or write an origin such as \"http://{}\"",
                    Hosts::Network(*address)
                ),
            ));
        }
        if self.tls != OutboundTls::default() && !origins.any(|origins| origins.scheme == Scheme::Https) {
            let message = "no origin with https is allowed; add one to outbound, or leave this out";
            return Err(("outbound_tls", message.to_owned()));
        }
        match (&self.tls.certificate, &self.tls.key) {
            (Some(_), None) => {
                Err(("outbound_tls", "the certificate needs its private key; add key".to_owned()))
            }
            (None, Some(_)) => {
                Err(("outbound_tls", "the key needs its certificate; add certificate".to_owned()))
            }
            _ => Ok(()),
        }
    }
}

impl FromStr for OutboundEntry {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bad = |remedy: &dyn fmt::Display| format!("{text:?} cannot be allowed: {remedy}");
        match text.split_once("://") {
            Some((scheme, authority)) => {
                let scheme = Scheme::of(scheme).ok_or_else(|| {
                    bad(&format_args!("there are no origins with {scheme:?}; write http or https"))
                })?;
                origins(scheme, authority).map(OutboundEntry::Origins).map_err(|remedy| bad(&remedy))
            }
            None if text.contains('/') || text.parse::<IpAddr>().is_ok() => {
                text.parse().map(OutboundEntry::Addresses).map_err(|error| bad(&error))
            }
            None => Err(bad(
                &"write an origin such as https://api.example, or an address or a network such as 10.0.0.0/8",
            )),
        }
    }
}

/// Origins of a scheme, by what stands behind it.
fn origins(scheme: Scheme, authority: &str) -> Result<OriginPattern, String> {
    // Behind a slash stands the length of a network's prefix, or a path.
    let before_slash = authority.split_once('/').map(|(first, _)| first.strip_prefix('[').unwrap_or(first));
    let has_path = before_slash.is_some_and(|first| first.parse::<IpAddr>().is_err());
    if has_path || authority.contains(['?', '#', '\\']) {
        return Err("an origin has no path and no query; leave them out, and write a network as in 10.0.0.0/8 or [fd00::/8]".to_owned());
    }
    let (host, port) = authority::host_and_port(authority)?;
    let port = match port {
        None => Some(scheme.usual_port()),
        Some("*") => None,
        Some(port) => Some(authority::port(port).map_err(|error| format!("{error}, or * for all"))?),
    };
    Ok(OriginPattern { scheme, hosts: hosts(host)?, port })
}

fn hosts(text: &str) -> Result<Hosts, String> {
    if text == "*" {
        return Ok(Hosts::Any);
    }
    if let Some(suffix) = text.strip_prefix("*.") {
        return match Host::parse(suffix)? {
            Host::Name(name) => Ok(Hosts::Suffix(name)),
            Host::Ip(_) => {
                Err("only a name has names below it; write a network such as 10.0.0.0/8".to_owned())
            }
        };
    }
    if text.contains('*') {
        return Err("a * stands alone or as the first label, as in *.api.example".to_owned());
    }
    let (address, is_bracketed) = match text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        Some(address) => (address, true),
        None => (text, false),
    };
    if let Some((first, _)) = address.split_once('/') {
        return match first.parse::<IpAddr>() {
            Ok(IpAddr::V4(_)) if is_bracketed => {
                Err("only an IPv6 network stands in brackets, as in [fd00::/8]".to_owned())
            }
            _ => address.parse().map(Hosts::Network),
        };
    }
    match Host::parse(text)? {
        Host::Name(name) => Ok(Hosts::Name(name)),
        // Parsed once more, for what networks refuse.
        Host::Ip(_) => address.parse().map(Hosts::Network),
    }
}

impl fmt::Display for OutboundEntry {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OutboundEntry::Origins(origins) => origins.fmt(out),
            OutboundEntry::Addresses(network) => network.fmt(out),
        }
    }
}

impl fmt::Display for OriginPattern {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}://{}", self.scheme, self.hosts)?;
        match self.port {
            None => out.write_str(":*"),
            Some(port) if port == self.scheme.usual_port() => Ok(()),
            Some(port) => write!(out, ":{port}"),
        }
    }
}

impl fmt::Display for Hosts {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Hosts::Name(name) => out.write_str(name),
            Hosts::Suffix(name) => write!(out, "*.{name}"),
            Hosts::Network(network) if network.is_ipv6() => write!(out, "[{network}]"),
            Hosts::Network(network) => network.fmt(out),
            Hosts::Any => out.write_str("*"),
        }
    }
}

#[cfg(test)]
mod tests;
