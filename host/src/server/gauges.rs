//! What is measured of a host when somebody asks for its metrics: how full it
//! is, and what its tenants use.

use std::sync::Arc;

use tokio::time::Instant;

use crate::app::breaker::BreakerState;
use crate::app::served::App;
use crate::app::tenant::Tenant;
use crate::server::Steering;
use crate::telemetry::metrics::{Gauge, GaugeKind};

impl Steering {
    /// Has the metrics ask for this server's gauges, for as long as it lives.
    pub(super) fn tell_gauges(self: &Arc<Self>) {
        let steering = Arc::downgrade(self);
        let source = move || steering.upgrade().map(|steering| steering.gauges()).unwrap_or_default();
        self.telemetry().metrics().set_gauges(Box::new(source));
    }

    fn gauges(&self) -> Vec<Gauge> {
        let apps = self.apps();
        let (exchanges, tunnels) = apps.gate().occupancy();
        let limits = self.limits();
        let mut gauges = vec![
            of_host(
                "innkeeper_ready",
                "Whether requests should come here.",
                u8::from(self.is_ready()).into(),
            ),
            of_host("innkeeper_connections", "Open connections.", self.connections() as f64),
            of_host(
                "innkeeper_connections_max",
                "Connections that may be open.",
                limits.connections_max as f64,
            ),
            of_host("innkeeper_exchanges", "Exchanges that have a place.", exchanges.in_flight.into()),
            of_host("innkeeper_exchanges_max", "Places for exchanges.", exchanges.max.into()),
            of_host("innkeeper_queued", "Exchanges that wait for a place.", exchanges.queued.into()),
            of_host(
                "innkeeper_tunnels",
                "Connections that guests have taken over.",
                tunnels.in_flight.into(),
            ),
            of_host("innkeeper_tunnels_max", "Connections that guests may take over.", tunnels.max.into()),
            of_host(
                "innkeeper_idle_instances",
                "Pooled instances that wait for a request.",
                apps.loader().sandbox().idle_count() as f64,
            ),
            of_host(
                "innkeeper_demoted_running",
                "Guests that compute for long, on a thread for that.",
                apps.demotion().running() as f64,
            ),
            of_host(
                "innkeeper_demoted_waiting",
                "Guests that compute for long and wait for such a thread.",
                apps.demotion().waiting() as f64,
            ),
        ];
        apps.tenants().iter().for_each(|tenant| of_tenant(tenant, &mut gauges));
        let now = Instant::now();
        for app in apps.list() {
            of_outbound(&app, &mut gauges);
            for version in app.serving().loaded() {
                let tripped = !matches!(version.breaker.state(now), BreakerState::Closed { .. });
                gauges.push(Gauge {
                    name: "innkeeper_tripped",
                    help: "Whether requests are refused because the version crashed too often.",
                    kind: GaugeKind::Gauge,
                    labels: vec![
                        ("tenant", app.tenant.name.to_string()),
                        ("app", app.name.to_string()),
                        ("version", version.owner.version.clone()),
                    ],
                    value: u8::from(tripped).into(),
                });
            }
        }
        gauges
    }
}

/// What an app has asked of others; nothing of one that never did.
fn of_outbound(app: &App, gauges: &mut Vec<Gauge>) {
    let means = app.agents.means();
    let tally = means.tally();
    let outcomes = tally.outcomes();
    if outcomes.iter().all(|(_, count)| *count == 0) && tally.connections() == 0 {
        return;
    }
    let labels = || vec![("tenant", app.tenant.name.to_string()), ("app", app.name.to_string())];
    for (outcome, count) in outcomes {
        gauges.push(Gauge {
            name: "innkeeper_outbound_requests",
            help: "Requests of guests to others, by what came of them.",
            kind: GaugeKind::Counter,
            labels: [labels(), vec![("outcome", outcome.to_owned())]].concat(),
            value: count as f64,
        });
    }
    let mut add = |name, help, kind, value: u64| {
        gauges.push(Gauge { name, help, kind, labels: labels(), value: value as f64 });
    };
    add(
        "innkeeper_outbound_connections",
        "Connections to others that agents have.",
        GaugeKind::Gauge,
        means.connections(),
    );
    add(
        "innkeeper_outbound_connects",
        "Connections to others that were made.",
        GaugeKind::Counter,
        tally.connections(),
    );
    add(
        "innkeeper_outbound_retries",
        "Requests to others that were sent once more on another connection.",
        GaugeKind::Counter,
        tally.retries(),
    );
}

fn of_host(name: &'static str, help: &'static str, value: f64) -> Gauge {
    Gauge { name, help, kind: GaugeKind::Gauge, labels: Vec::new(), value }
}

fn of_tenant(tenant: &Tenant, gauges: &mut Vec<Gauge>) {
    let mut add = |name, help, kind, value| {
        let labels = vec![("tenant", tenant.name.to_string())];
        gauges.push(Gauge { name, help, kind, labels, value });
    };
    let (lane, account) = (tenant.lane.occupancy(), &tenant.account);
    let gauge = GaugeKind::Gauge;
    add(
        "innkeeper_tenant_exchanges",
        "Exchanges of the tenant that have a place.",
        gauge,
        lane.in_flight.into(),
    );
    add("innkeeper_tenant_exchanges_max", "Places of the tenant.", gauge, lane.max.into());
    add("innkeeper_tenant_queued", "Exchanges of the tenant that wait.", gauge, lane.queued.into());
    add("innkeeper_tenant_connections", "Connections of the tenant.", gauge, tenant.connections() as f64);
    add("innkeeper_tenant_memory_bytes", "Memory of the tenant.", gauge, account.memory.used() as f64);
    add("innkeeper_tenant_memory_bytes_max", "Memory that it may have.", gauge, account.memory.max() as f64);
    add(
        "innkeeper_tenant_outbound_connections",
        "Connections of its guests to elsewhere.",
        gauge,
        account.outbound.used() as f64,
    );
    add(
        "innkeeper_tenant_cpu_seconds",
        "CPU time of its guests.",
        GaugeKind::Counter,
        account.cpu.used().as_secs_f64(),
    );
}
