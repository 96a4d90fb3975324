//! The keys of a file about requests to other servers: those of the host, and
//! those of an app.

use std::path::{Path, PathBuf};

use super::app::{Surroundings, join};
use super::problems::Report;
use super::raw;
use crate::config::{OutboundConfig, OutboundEntry, OutboundSettings, OutboundTls, PemFile, nameserver};

/// The table `[outbound]`.
pub(super) fn of_host(raw: Option<&raw::Outbound>, folder: &Path, report: &mut Report) -> OutboundConfig {
    let Some(raw) = raw else { return OutboundConfig::default() };
    let mut nameservers = Vec::new();
    if raw.nameservers.as_ref().is_some_and(Vec::is_empty) {
        report.add(
            "outbound.nameservers",
            "there is no server; add one, such as \"10.0.0.53\", or leave the key out",
        );
    }
    for (index, text) in raw.nameservers.iter().flatten().enumerate() {
        let key = format!("outbound.nameservers[{index}]");
        let Some(server) = report.take(&key, nameserver(text)) else { continue };
        if nameservers.contains(&server) {
            report.add(&key, format!("{server} is listed twice; remove one"));
        }
        nameservers.push(server);
    }
    let roots = raw.roots.as_ref().map(|roots| PemFile::read(folder.join(roots)));
    OutboundConfig { nameservers, roots: roots.and_then(|roots| report.take("outbound.roots", roots)) }
}

/// The keys `outbound` and `outbound_tls` of an app.
pub(super) fn of_app(
    spec: &raw::AppSpec,
    table: &str,
    around: &Surroundings<'_>,
    report: &mut Report,
) -> OutboundSettings {
    let key = join(table, "outbound");
    let entries = spec.outbound.as_deref().unwrap_or_default();
    let mut allowed: Vec<OutboundEntry> = Vec::new();
    let mut is_complete = !report.is_partly_unread(&key);
    for (index, text) in entries.iter().enumerate() {
        let key = format!("{key}[{index}]");
        let Some(entry) = report.take(&key, text.parse::<OutboundEntry>()) else {
            is_complete = false;
            continue;
        };
        if allowed.contains(&entry) {
            report.add(&key, format!("{entry} is listed twice; remove one"));
        }
        allowed.push(entry);
    }
    let tls = spec.outbound_tls.as_ref();
    let tls_key = join(table, "outbound_tls");
    is_complete &= !report.is_partly_unread(&tls_key);
    let mut read = |name: &str, path: Option<&PathBuf>| {
        let file = around.path(path?).and_then(PemFile::read);
        let file = report.take(&format!("{tls_key}.{name}"), file);
        is_complete &= file.is_some();
        file
    };
    let tls = OutboundTls {
        roots: read("roots", tls.and_then(|tls| tls.roots.as_ref())),
        certificate: read("certificate", tls.and_then(|tls| tls.certificate.as_ref())),
        key: read("key", tls.and_then(|tls| tls.key.as_ref())),
    };
    let settings = OutboundSettings { allowed, tls };
    // What is wrong may be what would be missing.
    if is_complete && let Err((name, message)) = settings.check() {
        report.add(&join(table, name), message);
    }
    settings
}
