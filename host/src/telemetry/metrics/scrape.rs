//! One scrape: the numbers of the moment as OpenMetrics text, by
//! `prometheus-client`'s encoder, and only those that the reader may see.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _, NoLabelSet, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::exemplar::Exemplar;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::{Registry, Unit};

use super::histogram::Histogram;
use super::{Gauge, GaugeKind, Refused, VersionMetrics, VersionSnapshot};

/// What a reader may see of a moment.
struct Scrape {
    versions: Vec<(VersionSnapshot, Arc<VersionMetrics>)>,
    refusals: Vec<Refused>,
    gauges: BTreeMap<&'static str, Vec<Gauge>>,
}

/// The text; with a tenant, only what is labelled with it.
pub(super) fn encode(
    versions: Vec<Arc<VersionMetrics>>,
    refusals: Vec<Refused>,
    gauges: Vec<Gauge>,
    only_tenant: Option<&str>,
) -> String {
    let shown = |tenant: Option<&str>| only_tenant.is_none() || tenant == only_tenant;
    // A family's lines must not be told apart, so gauges come by name.
    let mut by_name: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for gauge in gauges {
        if shown(gauge.tenant()) {
            by_name.entry(gauge.name).or_default().push(gauge);
        }
    }
    let scrape = Scrape {
        versions: versions
            .into_iter()
            .map(|version| (version.snapshot(), version))
            .filter(|(snapshot, _)| shown(Some(snapshot.tenant.as_str())))
            .collect(),
        refusals: refusals
            .into_iter()
            .filter(|refused| shown(refused.tenant.as_ref().map(|tenant| tenant.as_str())))
            .collect(),
        gauges: by_name,
    };
    let mut registry = Registry::default();
    registry.register_collector(Box::new(scrape));
    let mut text = String::new();
    if let Err(error) = text::encode(&mut text, &registry) {
        tracing::error!(%error, "cannot encode the metrics");
    }
    text
}

impl Gauge {
    fn tenant(&self) -> Option<&str> {
        self.labels.iter().find(|(name, _)| *name == "tenant").map(|(_, value)| value.as_str())
    }
}

impl fmt::Debug for Scrape {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Scrape").field("versions", &self.versions.len()).finish_non_exhaustive()
    }
}

impl Collector for Scrape {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        self.encode_requests(&mut encoder)?;
        self.encode_counter(&mut encoder, "innkeeper_requests_failed", FAILED, None, |of| of.failed)?;
        self.encode_histogram(&mut encoder, "innkeeper_request_duration", DURATION, |of| &of.duration)?;
        self.encode_histogram(&mut encoder, "innkeeper_guest_cpu", CPU, |of| &of.cpu)?;
        let bytes = Some(&Unit::Bytes);
        self.encode_counter(&mut encoder, "innkeeper_response", RESPONSE, bytes, |of| of.response_bytes)?;
        self.encode_counter(&mut encoder, "innkeeper_request", REQUEST, bytes, |of| of.request_bytes)?;
        self.encode_counter(&mut encoder, "innkeeper_guest_crashes", CRASHES, None, |of| of.crashes)?;
        self.encode_in_flight(&mut encoder)?;
        self.encode_refusals(&mut encoder)?;
        self.encode_gauges(&mut encoder)
    }
}

const REQUESTS: &str = "Exchanges that are over, by class of status.";
const FAILED: &str = "Those whose response did not come to its end, or was the host's for the guest's.";
const DURATION: &str = "From the complete request head to the last byte of the response.";
const CPU: &str = "CPU time of the guest for an exchange.";
const RESPONSE: &str = "Bytes of response bodies.";
const REQUEST: &str = "Bytes of request bodies.";
const CRASHES: &str = "Guests that trapped, met a limit or ended nothing.";
const IN_FLIGHT: &str = "Exchanges in flight.";
const REFUSALS: &str = "Exchanges and connections that were not let in, by reason.";

impl Scrape {
    fn encode_requests(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        if self.versions.is_empty() {
            return Ok(());
        }
        let mut family =
            encoder.encode_descriptor("innkeeper_requests", REQUESTS, None, MetricType::Counter)?;
        for (of, _) in &self.versions {
            for (class, count) in ["1xx", "2xx", "3xx", "4xx", "5xx"].into_iter().zip(of.requests) {
                let [tenant, app, version] = labels(of);
                let labels = [tenant, app, version, ("status", class)];
                ConstCounter::new(count).encode(family.encode_family(&labels)?)?;
            }
        }
        Ok(())
    }

    fn encode_counter(
        &self,
        encoder: &mut DescriptorEncoder<'_>,
        name: &str,
        help: &str,
        unit: Option<&Unit>,
        count: impl Fn(&VersionSnapshot) -> u64,
    ) -> fmt::Result {
        if self.versions.is_empty() {
            return Ok(());
        }
        let mut family = encoder.encode_descriptor(name, help, unit, MetricType::Counter)?;
        for (of, _) in &self.versions {
            ConstCounter::new(count(of)).encode(family.encode_family(&labels(of))?)?;
        }
        Ok(())
    }

    fn encode_histogram(
        &self,
        encoder: &mut DescriptorEncoder<'_>,
        name: &str,
        help: &str,
        histogram: impl Fn(&VersionMetrics) -> &Histogram,
    ) -> fmt::Result {
        if self.versions.is_empty() {
            return Ok(());
        }
        let mut family =
            encoder.encode_descriptor(name, help, Some(&Unit::Seconds), MetricType::Histogram)?;
        for (of, version) in &self.versions {
            let histogram = histogram(version);
            let (sum, buckets) = (histogram.sum().as_secs_f64(), histogram.buckets());
            // Counted from the buckets, so that the two agree.
            let count = buckets.iter().map(|(_, count)| count).sum();
            let none: Option<&HashMap<usize, Exemplar<NoLabelSet, f64>>> = None;
            family.encode_family(&labels(of))?.encode_histogram(sum, count, &buckets, none)?;
        }
        Ok(())
    }

    fn encode_in_flight(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        if self.versions.is_empty() {
            return Ok(());
        }
        let mut family =
            encoder.encode_descriptor("innkeeper_in_flight", IN_FLIGHT, None, MetricType::Gauge)?;
        for (of, _) in &self.versions {
            ConstGauge::new(of.in_flight).encode(family.encode_family(&labels(of))?)?;
        }
        Ok(())
    }

    fn encode_refusals(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        if self.refusals.is_empty() {
            return Ok(());
        }
        let mut family =
            encoder.encode_descriptor("innkeeper_refusals", REFUSALS, None, MetricType::Counter)?;
        for refused in &self.refusals {
            let tenant = refused.tenant.as_ref().map_or("", |tenant| tenant.as_str());
            let labels = [("tenant", tenant), ("reason", refused.reason.label())];
            ConstCounter::new(refused.count).encode(family.encode_family(&labels)?)?;
        }
        Ok(())
    }

    fn encode_gauges(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        for (name, gauges) in &self.gauges {
            let Some(first) = gauges.first() else { continue };
            let metric_type = match first.kind {
                GaugeKind::Gauge => MetricType::Gauge,
                GaugeKind::Counter => MetricType::Counter,
            };
            let mut family = encoder.encode_descriptor(name, first.help, None, metric_type)?;
            for gauge in gauges {
                let labels = gauge.labels.as_slice();
                let metric = family.encode_family(&labels)?;
                match first.kind {
                    GaugeKind::Gauge => ConstGauge::new(gauge.value).encode(metric)?,
                    GaugeKind::Counter => ConstCounter::new(gauge.value).encode(metric)?,
                }
            }
        }
        Ok(())
    }
}

fn labels(of: &VersionSnapshot) -> [(&'static str, &str); 3] {
    [("tenant", of.tenant.as_str()), ("app", of.app.as_str()), ("version", of.version.as_str())]
}
