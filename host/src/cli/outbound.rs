//! Where the guest of `serve COMPONENT` may send requests, as flags.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::Args;

use crate::config::{OutboundConfig, OutboundEntry, OutboundSettings, OutboundTls, PemFile, nameserver};

/// What the guest may ask of other servers, and what that needs.
#[derive(Debug, Args)]
pub struct OutboundFlags {
    /// Lets the guest send requests to other servers; may be given several times. An origin:
    /// `https://api.example`, `http://*.internal:8080`, `https://*:*`, `http://10.0.0.0/8:*`. A name may lead
    /// to public addresses; an address or a network alone, `10.0.0.0/8`, allows names to lead there too.
    #[arg(long, help_heading = "Outbound", value_name = "ENTRY")]
    outbound: Vec<OutboundEntry>,
    /// Certificates (PEM) that other servers are judged by, in place of the system's.
    #[arg(long, help_heading = "Outbound", value_name = "FILE")]
    outbound_roots: Option<PathBuf>,
    /// The guest's own certificate (PEM), for servers that ask for one.
    #[arg(long, help_heading = "Outbound", value_name = "FILE", requires = "outbound_key")]
    outbound_certificate: Option<PathBuf>,
    /// The private key (PEM) of that certificate.
    #[arg(long, help_heading = "Outbound", value_name = "FILE", requires = "outbound_certificate")]
    outbound_key: Option<PathBuf>,
    /// Who is asked for the addresses of names, in place of the system's servers; may be given several
    /// times.
    #[arg(long, help_heading = "Outbound", value_name = "ADDR", value_parser = nameserver)]
    nameserver: Vec<SocketAddr>,
}

impl OutboundFlags {
    /// What was asked for, of the host and of the app, with the files read.
    ///
    /// # Errors
    /// A file that cannot be read, a flag that has no effect.
    pub fn read(self) -> Result<(OutboundConfig, OutboundSettings)> {
        let read = |flag: &str, path: Option<PathBuf>| {
            let file = path.map(PemFile::read).transpose();
            file.map_err(anyhow::Error::msg).with_context(|| format!("--{flag} cannot be used"))
        };
        let settings = OutboundSettings {
            allowed: self.outbound,
            tls: OutboundTls {
                roots: read("outbound-roots", self.outbound_roots)?,
                certificate: read("outbound-certificate", self.outbound_certificate)?,
                key: read("outbound-key", self.outbound_key)?,
            },
        };
        settings.check().map_err(|(key, message)| anyhow::anyhow!("{key}: {message}"))?;
        Ok((OutboundConfig { nameservers: self.nameserver, roots: None }, settings))
    }
}
