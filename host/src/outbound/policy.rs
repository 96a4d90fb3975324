//! Where a guest may go: its operator's entries, asked twice. Before anything
//! is looked up, whether the origin may be asked at all; then, of each address
//! that is about to be connected to, whether it may be the one. Without an
//! entry it is nowhere.
//!
//! A name may lead to any public address. Special ones (`address`) have to be
//! named by an entry: whoever answers for a name does not decide that it is
//! inside.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use super::address::Kind;
use super::origin::{Host, Origin};
use crate::config::network::{Network, meant};
use crate::config::{Hosts, OriginPattern, OutboundEntry};

/// The entries of an app.
#[derive(Debug, Clone)]
pub struct Policy {
    origins: Arc<[OriginPattern]>,
    addresses: Arc<[Network]>,
}

/// What a request that may be sent may connect to.
#[derive(Debug, Clone)]
pub struct Clearance {
    origin: Arc<Origin>,
    /// What the entries name for this origin: the address that it is, if they
    /// name that.
    own: Own,
    /// What they name for all.
    addresses: Arc<[Network]>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Own {
    Nothing,
    /// The addresses of this machine, by which `localhost` is known.
    Loopback,
    Address(IpAddr),
}

/// Why something may not be asked or connected to, in words for the operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    origin: Arc<Origin>,
    /// The address, if it is not the origin itself that is refused.
    address: Option<IpAddr>,
}

impl Policy {
    /// What these entries allow.
    pub fn new(entries: Vec<OutboundEntry>) -> Self {
        let (mut origins, mut addresses) = (Vec::new(), Vec::new());
        for entry in entries {
            match entry {
                OutboundEntry::Origins(pattern) => origins.push(pattern),
                OutboundEntry::Addresses(network) => addresses.push(network),
            }
        }
        Policy { origins: origins.into(), addresses: addresses.into() }
    }

    /// Whether nothing at all is allowed.
    pub fn is_empty(&self) -> bool {
        self.origins.is_empty()
    }

    /// Whether an origin may be asked, and what it may turn out to be.
    ///
    /// # Errors
    /// If no entry allows it, or none names the special address that it is.
    pub fn check(&self, origin: &Origin) -> Result<Clearance, Refusal> {
        let fitting = || self.origins.iter().filter(|pattern| fits(pattern, origin));
        let origin_of_all = Arc::new(origin.clone());
        if fitting().next().is_none() {
            return Err(Refusal { origin: origin_of_all, address: None });
        }
        let own = match &origin.host {
            // Written exactly so: it is no name that anybody answers for.
            Host::Name(name) if name == LOCALHOST => {
                let is_written = |pattern: &OriginPattern| matches!(&pattern.hosts, Hosts::Name(_));
                if fitting().any(is_written) { Own::Loopback } else { Own::Nothing }
            }
            Host::Name(_) => Own::Nothing,
            Host::Ip(address) => {
                let is_named = |pattern: &OriginPattern| match &pattern.hosts {
                    Hosts::Network(network) => names(network, *address),
                    _ => false,
                };
                if fitting().any(is_named) { Own::Address(meant(*address)) } else { Own::Nothing }
            }
        };
        let clearance = Clearance { origin: origin_of_all, own, addresses: self.addresses.clone() };
        if let Host::Ip(address) = &origin.host {
            clearance.check(*address)?;
        }
        Ok(clearance)
    }
}

/// The name of this machine (RFC 6761, 6.3).
const LOCALHOST: &str = "localhost";

/// Whether an origin is one of an entry's.
fn fits(pattern: &OriginPattern, origin: &Origin) -> bool {
    let is_host = match (&pattern.hosts, &origin.host) {
        (Hosts::Any, _) => true,
        (Hosts::Name(name), Host::Name(asked)) => name == asked,
        (Hosts::Suffix(suffix), Host::Name(asked)) => {
            asked.strip_suffix(suffix.as_str()).is_some_and(|rest| rest.ends_with('.'))
        }
        (Hosts::Network(network), Host::Ip(asked)) => network.contains(meant(*asked)),
        (Hosts::Name(_) | Hosts::Suffix(_), Host::Ip(_)) | (Hosts::Network(_), Host::Name(_)) => false,
    };
    is_host && pattern.scheme == origin.scheme && pattern.port.is_none_or(|port| port == origin.port)
}

/// Whether a network of an entry names an address. Where the cloud's metadata
/// is, nobody means who writes a network.
fn names(network: &Network, address: IpAddr) -> bool {
    network.contains(meant(address)) && (network.is_single() || Kind::of(address) != Kind::Metadata)
}

impl Clearance {
    /// Whether this address may be connected to. To be asked of the very
    /// address that is then connected to.
    ///
    /// # Errors
    /// If it is special and no entry names it.
    pub fn check(&self, address: IpAddr) -> Result<(), Refusal> {
        let is_own = match self.own {
            Own::Nothing => false,
            Own::Loopback => {
                [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)].contains(&meant(address))
            }
            Own::Address(own) => own == meant(address),
        };
        let is_named = || self.addresses.iter().any(|network| names(network, address));
        if is_own || Kind::of(address) == Kind::Public || is_named() {
            return Ok(());
        }
        Err(Refusal { origin: self.origin.clone(), address: Some(address) })
    }
}

impl Refusal {
    /// What the guest is told: nothing of what is inside.
    pub fn told(&self) -> String {
        match self.address {
            None => format!("the operator does not allow requests to {}", self.origin),
            Some(_) => format!("the operator does not allow the address of {}", self.origin),
        }
    }
}

impl std::error::Error for Refusal {}

impl fmt::Display for Refusal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let origin = &self.origin;
        let Some(address) = self.address else {
            return write!(out, "{origin} is not among the allowed origins; add \"{origin}\" to outbound");
        };
        let (kind, plain) = (Kind::of(address).as_str(), meant(address));
        address.fmt(out)?;
        match plain == address {
            true => write!(out, " ({kind})")?,
            false => write!(out, " ({plain}, {kind})")?,
        }
        write!(out, " is not among the allowed addresses of {origin}; add \"{plain}\" to outbound")
    }
}

#[cfg(test)]
mod tests;
