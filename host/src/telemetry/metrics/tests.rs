use super::*;

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn version(metrics: &Arc<Metrics>, tenant: &str) -> Arc<VersionMetrics> {
    metrics.for_version(&name(tenant), &name("shop"), "0123456789ab")
}

fn gauge(name: &'static str, labels: Vec<(&'static str, String)>, value: f64) -> Gauge {
    Gauge { name, help: "Help.", kind: GaugeKind::Gauge, labels, value }
}

#[test]
fn the_text_is_open_metrics() {
    let metrics = Metrics::new();
    let version = version(&metrics, "acme");
    let in_flight = version.in_flight();
    version.record(200, Duration::from_millis(2), Duration::from_micros(50), 12, 3, false);
    version.record(503, Duration::from_secs(100), Duration::ZERO, 0, 0, true);
    version.crash();
    metrics.refused(None, Refusal::NoRoute);
    metrics.refused(Some(&name("acme")), Refusal::QueueFull);
    let text = metrics.encode(None);
    let of = r#"{tenant="acme",app="shop",version="0123456789ab""#;
    for line in [
        "# TYPE innkeeper_requests counter".to_owned(),
        format!(r#"innkeeper_requests_total{of},status="2xx"}} 1"#),
        format!(r#"innkeeper_requests_total{of},status="5xx"}} 1"#),
        format!(r#"innkeeper_requests_total{of},status="4xx"}} 0"#),
        format!("innkeeper_requests_failed_total{of}}} 1"),
        "# TYPE innkeeper_request_duration_seconds histogram".to_owned(),
        format!("innkeeper_request_duration_seconds_sum{of}}} 100.002"),
        format!("innkeeper_request_duration_seconds_count{of}}} 2"),
        r#"innkeeper_request_duration_seconds_bucket{le="0.0025",tenant="acme",app="shop",version="0123456789ab"} 1"#.to_owned(),
        r#"innkeeper_request_duration_seconds_bucket{le="+Inf",tenant="acme",app="shop",version="0123456789ab"} 2"#.to_owned(),
        format!("innkeeper_guest_cpu_seconds_sum{of}}} 0.00005"),
        format!("innkeeper_response_bytes_total{of}}} 12"),
        format!("innkeeper_request_bytes_total{of}}} 3"),
        format!("innkeeper_guest_crashes_total{of}}} 1"),
        format!("innkeeper_in_flight{of}}} 1"),
        r#"innkeeper_refusals_total{tenant="",reason="no-route"} 1"#.to_owned(),
        r#"innkeeper_refusals_total{tenant="acme",reason="queue-full"} 1"#.to_owned(),
    ] {
        assert!(text.lines().any(|other| other == line), "{line}\nis not in\n{text}");
    }
    assert!(text.ends_with("# EOF\n"), "{text}");
    drop(in_flight);
    assert!(metrics.encode(None).contains(&format!("innkeeper_in_flight{of}}} 0")));
}

#[test]
fn a_tenant_sees_only_its_own() {
    let metrics = Metrics::new();
    let versions = [version(&metrics, "acme"), version(&metrics, "umbrella")];
    metrics.refused(None, Refusal::Malformed);
    metrics.refused(Some(&name("umbrella")), Refusal::TenantCpu);
    metrics.set_gauges(Box::new(|| {
        let of = |tenant: &str| vec![("tenant", tenant.to_owned())];
        vec![
            gauge("innkeeper_queue", of("acme"), 1.0),
            gauge("innkeeper_ready", Vec::new(), 1.0),
            gauge("innkeeper_queue", of("umbrella"), 2.0),
        ]
    }));
    let text = metrics.encode(Some(&name("acme")));
    assert!(text.contains(r#"innkeeper_queue{tenant="acme"} 1"#), "{text}");
    assert!(text.contains(r#"innkeeper_in_flight{tenant="acme""#), "{text}");
    for hidden in ["umbrella", "ready", "refusals"] {
        assert!(!text.contains(hidden), "{hidden} is in\n{text}");
    }
    let text = metrics.encode(None);
    assert_eq!(text.matches("# TYPE innkeeper_queue gauge").count(), 1, "{text}");
    assert!(text.contains("innkeeper_ready 1"), "{text}");
    drop(versions);
}

#[test]
fn series_go_with_their_version() {
    let metrics = Metrics::new();
    let (first, second) = (version(&metrics, "acme"), version(&metrics, "acme"));
    assert!(Arc::ptr_eq(&first, &second));
    metrics.refused(Some(&name("acme")), Refusal::Tripped);
    drop(first);
    assert!(metrics.encode(None).contains("acme"));
    drop(second);
    assert_eq!(metrics.encode(None), "# EOF\n");
    assert!(metrics.versions.lock().is_empty());
}

#[test]
fn label_values_cannot_forge_a_line() {
    let metrics = Metrics::new();
    metrics.set_gauges(Box::new(|| {
        vec![gauge("innkeeper_x", vec![("label", "a\"} 1\ninnkeeper_y\\".to_owned())], 0.5)]
    }));
    let text = metrics.encode(None);
    assert!(text.contains(r#"innkeeper_x{label="a\"} 1\ninnkeeper_y\\"} 0.5"#), "{text}");
}

#[test]
fn a_counter_of_others_is_named_like_one() {
    let metrics = Metrics::new();
    metrics.set_gauges(Box::new(|| {
        let labels = vec![("tenant", "acme".to_owned())];
        vec![Gauge { kind: GaugeKind::Counter, ..gauge("innkeeper_tenant_cpu_seconds", labels, 2.5) }]
    }));
    assert!(metrics.encode(None).contains(r#"innkeeper_tenant_cpu_seconds_total{tenant="acme"} 2.5"#));
}

#[test]
fn a_snapshot_tells_what_was_counted() {
    let metrics = Metrics::new();
    let version = version(&metrics, "acme");
    for _ in 0..100 {
        version.record(200, Duration::from_millis(2), Duration::from_millis(1), 10, 1, false);
    }
    let snapshots = metrics.snapshot();
    let [of] = snapshots.as_slice() else { panic!("{snapshots:?}") };
    assert_eq!((of.requests, of.response_bytes, of.request_bytes), ([0, 100, 0, 0, 0], 1000, 100));
    assert!(of.duration_p50_seconds > 0.001 && of.duration_p99_seconds <= 0.0025, "{of:?}");
    assert!((of.cpu_seconds - 0.1).abs() < 1e-9, "{of:?}");
}

#[test]
fn every_reason_counts_as_itself() {
    let metrics = Metrics::new();
    for (times, reason) in Refusal::ALL.into_iter().enumerate() {
        (0..=times).for_each(|_| metrics.refused(None, reason));
    }
    let text = metrics.encode(None);
    for (times, reason) in Refusal::ALL.into_iter().enumerate() {
        let line =
            format!("innkeeper_refusals_total{{tenant=\"\",reason=\"{}\"}} {}\n", reason.label(), times + 1);
        assert!(text.contains(&line), "{line} is not in\n{text}");
    }
}
