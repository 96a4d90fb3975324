//! `innkeeper tenants` and `innkeeper quota`.

use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::Args;
use reqwest::Method;
use serde_json::{Map, Value};

use super::access::AdminFlags;
use super::output::{bytes, long_time, short_time, table, used, used_bytes};
use crate::admin::views::TenantView;
use crate::config::Name;
use crate::config::file::QuotaSpec;

/// List tenants, their quotas and what of them is in use.
#[derive(Debug, Args)]
pub struct Tenants {
    /// Only this tenant.
    tenant: Option<Name>,

    #[command(flatten)]
    flags: AdminFlags,
}

impl Tenants {
    pub fn run(self) -> Result<ExitCode> {
        let Tenants { tenant, flags } = self;
        flags.run(async |session| match tenant {
            Some(tenant) => {
                let answer = session.client.ask(Method::GET, &["v1", "tenants", tenant.as_str()]).await?;
                session.tell(&answer, |tenant: TenantView| list(&[tenant]))
            }
            None => {
                let answer = session.client.ask(Method::GET, &["v1", "tenants"]).await?;
                session.tell(&answer, |tenants: Vec<TenantView>| list(&tenants))
            }
        })
    }
}

fn list(tenants: &[TenantView]) -> String {
    let mut table = table([
        "TENANT",
        "EXCHANGES",
        "QUEUED",
        "MEMORY",
        "CONNECTIONS",
        "OUTBOUND",
        "CPU",
        "LOG/S",
        "HOSTS",
    ]);
    for tenant in tenants {
        table.add_row([
            tenant.name.clone(),
            used(tenant.exchanges),
            used(tenant.queued),
            used_bytes(tenant.memory_bytes),
            used(tenant.connections),
            used(tenant.outbound_connections),
            cpu(tenant),
            bytes(tenant.log_bytes_per_second),
            tenant.hosts.join("\n"),
        ]);
    }
    table.trim_fmt()
}

/// `12s, 500.0 ms/s, none for 2.0 s`.
fn cpu(tenant: &TenantView) -> String {
    let mut text = long_time(tenant.cpu_seconds);
    if let Some(rate) = tenant.cpu_per_second {
        text += &format!(", {}/s", short_time(rate));
    }
    if let Some(debt) = tenant.cpu_debt_seconds {
        text += &format!(", none for {}", short_time(debt));
    }
    text
}

/// Change quotas of a tenant, beside what the configuration says. What is not named is as configured.
#[derive(Debug, Args)]
pub struct Quota {
    /// The tenant.
    tenant: Name,

    /// A quota as in the configuration file, such as `exchanges_max=10` or `memory_bytes_max=1GiB`.
    #[arg(required_unless_present = "reset", conflicts_with = "reset", value_name = "KEY=VALUE", value_parser = parse_quota)]
    quotas: Vec<(String, Value)>,

    /// Go back to what the configuration says.
    #[arg(long)]
    reset: bool,

    #[command(flatten)]
    flags: AdminFlags,
}

impl Quota {
    pub fn run(self) -> Result<ExitCode> {
        let Quota { tenant, quotas, reset: _, flags } = self;
        let quotas: Map<String, Value> = quotas.into_iter().collect();
        // Read here, too: the names of quotas are known here.
        let quotas: QuotaSpec = serde_json::from_value(Value::Object(quotas)).context("no such quota")?;
        flags.run(async |session| {
            let path = ["v1", "tenants", tenant.as_str(), "quotas"];
            let answer = session.client.ask_with(Method::PUT, &path, &quotas).await?;
            session.tell(&answer, |tenant: TenantView| list(&[tenant]))
        })
    }
}

fn parse_quota(text: &str) -> Result<(String, Value), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => {
            let number = value.parse::<u64>().map(Value::from);
            Ok((key.to_owned(), number.unwrap_or_else(|_| Value::from(value))))
        }
        _ => Err("write it as KEY=VALUE".to_owned()),
    }
}
