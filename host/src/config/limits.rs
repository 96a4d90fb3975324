//! Every limit and timeout of the host: its meaning, its unit, its default and
//! the reason for it. `cli` fills it in, everything else is handed it.
//!
//! `None` in an optional limit means that there is none.

use std::time::Duration;

/// What connections, messages and guests may cost.
#[derive(Debug, Clone, PartialEq)]
pub struct Limits {
    /// Open connections in all; one more is accepted and closed. An idle one
    /// costs a few kilobytes, so this bounds descriptors rather than memory.
    pub connections_max: usize,
    /// Open connections of one peer: an IPv4 address or an IPv6 network of 64
    /// bits; one more is told 503. Half of `instances_max`, so that no single
    /// peer can take them all.
    pub connections_per_peer_max: usize,
    /// Bytes of request target, field names and field values together; the
    /// sum must stay below. Node's `maxHeaderSize`.
    pub head_bytes_max: usize,
    /// Header lines of a request, and of its trailers. Node's
    /// `maxHeadersCount`, but one too many is a 431.
    pub header_count_max: usize,
    /// Time from the first byte of a head (for the first one, from the
    /// accept) to its end. Node's `headersTimeout`.
    pub head_timeout: Option<Duration>,
    /// Time from the same start to the last byte of the body, as far as
    /// somebody waits for it. Node's `requestTimeout`.
    pub request_timeout: Option<Duration>,
    /// Idle time after a response, told in `Keep-Alive`. Node's
    /// `keepAliveTimeout`.
    pub keep_alive_timeout: Option<Duration>,
    /// How much later than told an idle connection closes, so that a request
    /// sent in time is not lost. Node's `keepAliveTimeoutBuffer`.
    pub keep_alive_timeout_buffer: Duration,
    /// Time without a byte in either direction after which a connection is
    /// dropped without a word, whatever it waits for. Node's `server.timeout`.
    pub idle_timeout: Option<Duration>,
    /// Time a write may make no progress before the connection is dropped.
    pub write_stall_timeout: Option<Duration>,
    /// Bytes of a request body; it streams, so this bounds transfer and not
    /// memory.
    pub request_body_bytes_max: u64,
    /// Exchanges on one connection; the last one says `Connection: close`.
    /// Node's `maxRequestsPerSocket`.
    pub requests_per_connection_max: Option<u64>,
    /// Bytes of an unread request body that are read on after the response,
    /// so that the connection can be used again.
    pub unread_body_bytes_max: u64,
    /// Time for reading on: for an unread body, and, after a response that
    /// closes, until the client has read its answer and closed too.
    pub linger_timeout: Duration,
    /// Bytes discarded while waiting for the client to close.
    pub linger_bytes_max: u64,
    /// Whether a client that has sent its request and a FIN is answered.
    /// Node's `httpAllowHalfOpen`, but on.
    pub half_open: bool,
    /// Whether a body on a response that has none is an error instead of
    /// being dropped. Node's `rejectNonStandardBodyWrites`.
    pub reject_body_not_allowed: bool,
    /// Bytes of the head that a guest may set.
    pub response_head_bytes_max: usize,
    /// Bytes a guest may have buffered without waiting (`try-write`).
    pub response_buffer_bytes_max: usize,
    /// Time from the word to stop to the moment when no more connections are
    /// accepted. In it the server says that it is not ready, and serves on, so
    /// that whoever distributes requests can look elsewhere first.
    pub drain_delay: Duration,
    /// Time for exchanges in flight once the server drains.
    pub drain_timeout: Duration,

    /// Connections at once that guests have taken over, after an upgrade or
    /// CONNECT; one more is told 503. Each of them counts for `instances_max`
    /// too, so this keeps instances free for requests. More than
    /// `connections_per_peer_max`, so that no single peer can take them all.
    pub tunnels_max: u32,
    /// Time without a byte in either direction after which such a connection
    /// is dropped: long enough for protocols that ping, short enough that a
    /// peer that vanished does not cost an instance for ever.
    pub tunnel_idle_timeout: Option<Duration>,
    /// CPU time that a guest earns for each second that it has such a
    /// connection, on top of `cpu_time_max`, which is also the most that it
    /// can save up. A relay of much data may need more.
    pub tunnel_cpu_per_second: Duration,

    /// Bytes of linear memory of one instance, all its memories together.
    pub memory_bytes_max: usize,
    /// Elements of all tables of one instance.
    pub table_elements_max: usize,
    /// Instances alive at once; it sizes the pool, and one request more is
    /// told 503 with `Retry-After`.
    pub instances_max: u32,
    /// Requests that a pooled instance serves before it is replaced.
    pub requests_per_instance_max: u64,
    /// Requests that a pooled instance of WASI 0.3 has at a time; others have
    /// one.
    pub concurrent_requests_per_instance_max: u32,
    /// CPU time of one call into a guest.
    pub cpu_time_max: Option<Duration>,
    /// Time of one call into a guest, waiting included; not for a call that
    /// has taken its connection over.
    pub wall_time_max: Option<Duration>,
    /// Resource handles of one instance, of the host's and its own.
    pub handles_max: usize,
    /// TCP sockets that an app may have open, all its instances together, where
    /// it was granted connections: each costs a descriptor.
    pub tcp_sockets_max: u32,
    /// TCP sockets of one instance at a time.
    pub tcp_sockets_per_instance_max: u32,
    /// Connections to other servers that an app may have for its requests, free
    /// ones included, all its instances together: each costs a descriptor.
    pub outbound_connections_max: u32,
    /// Requests to other servers in one exchange. Far more than a handler
    /// needs, and few enough that one request from outside does not become a
    /// flood.
    pub outbound_requests_max: u64,
    /// Named agents of an app, which outlive its instances; an app knows its
    /// few, and one that makes up names is stopped.
    pub outbound_agents_max: u32,
    /// Time for a connection to another server, from the look-up of its name to
    /// the end of the TLS handshake: longer than a lost packet takes to be sent
    /// twice more.
    pub outbound_connect_timeout: Option<Duration>,
    /// Time from the last byte of a request to the end of the response's head.
    pub outbound_response_timeout: Option<Duration>,
    /// Time without a byte of a request's or a response's body in either
    /// direction.
    pub outbound_idle_timeout: Option<Duration>,
    /// The longest that a connection is kept that no request uses. An agent or
    /// the server may say less.
    pub outbound_free_socket_timeout: Duration,
    /// Bytes of a response's head, and of its trailers, as they are held in
    /// memory. Four times Node's `maxHeaderSize`: other servers set more
    /// cookies than clients send.
    pub outbound_head_bytes_max: usize,
    /// Header lines of a response, and of its trailers.
    pub outbound_header_count_max: usize,
    /// Bytes of a request's body; it streams, so this bounds transfer and not
    /// memory.
    pub outbound_request_body_bytes_max: u64,
    /// Bytes of a response's body; it streams too.
    pub outbound_response_body_bytes_max: u64,
    /// Bytes of one request that a guest may have buffered without waiting
    /// (`try-write`).
    pub outbound_buffer_bytes_max: usize,
    /// Bytes of a key of a bucket. Keys are names, not values.
    pub keyvalue_key_bytes_max: usize,
    /// Bytes of a value of a bucket: each is in memory as a whole.
    pub keyvalue_value_bytes_max: usize,
    /// Keys that one call may name or is told at once: a batch, a page of a
    /// list.
    pub keyvalue_keys_max: u32,
    /// Bytes of standard output and error per second and app that reach the
    /// log; the rest is counted and dropped.
    pub log_bytes_per_second: u64,
    /// Crashes of an app in a row (traps, limits, handlers that end nothing)
    /// after which its requests are told 503 at once, until one that is let
    /// through is answered. None never does that.
    pub crashes_max: Option<u32>,
    /// Time from there to the first request that is let through; it doubles
    /// with each one that crashes too.
    pub crash_backoff: Duration,
    /// The longest that it becomes.
    pub crash_backoff_max: Duration,
}

impl Limits {
    /// The first limit of an app that is above another's, of those that bound
    /// what one request may cost.
    pub fn first_above(&self, other: &Limits) -> Option<&'static str> {
        // No limit is above any.
        let time = |time: Option<Duration>| time.unwrap_or(Duration::MAX);
        let above = [
            ("request_body_bytes_max", self.request_body_bytes_max > other.request_body_bytes_max),
            ("write_stall_timeout", time(self.write_stall_timeout) > time(other.write_stall_timeout)),
            ("response_head_bytes_max", self.response_head_bytes_max > other.response_head_bytes_max),
            ("response_buffer_bytes_max", self.response_buffer_bytes_max > other.response_buffer_bytes_max),
            ("tunnel_idle_timeout", time(self.tunnel_idle_timeout) > time(other.tunnel_idle_timeout)),
            ("tunnel_cpu_per_second", self.tunnel_cpu_per_second > other.tunnel_cpu_per_second),
            ("memory_bytes_max", self.memory_bytes_max > other.memory_bytes_max),
            ("table_elements_max", self.table_elements_max > other.table_elements_max),
            ("cpu_time_max", time(self.cpu_time_max) > time(other.cpu_time_max)),
            ("wall_time_max", time(self.wall_time_max) > time(other.wall_time_max)),
            ("handles_max", self.handles_max > other.handles_max),
            ("tcp_sockets_max", self.tcp_sockets_max > other.tcp_sockets_max),
            (
                "tcp_sockets_per_instance_max",
                self.tcp_sockets_per_instance_max > other.tcp_sockets_per_instance_max,
            ),
            ("outbound_connections_max", self.outbound_connections_max > other.outbound_connections_max),
            ("outbound_requests_max", self.outbound_requests_max > other.outbound_requests_max),
            ("outbound_agents_max", self.outbound_agents_max > other.outbound_agents_max),
            (
                "outbound_connect_timeout",
                time(self.outbound_connect_timeout) > time(other.outbound_connect_timeout),
            ),
            (
                "outbound_response_timeout",
                time(self.outbound_response_timeout) > time(other.outbound_response_timeout),
            ),
            ("outbound_idle_timeout", time(self.outbound_idle_timeout) > time(other.outbound_idle_timeout)),
            (
                "outbound_free_socket_timeout",
                self.outbound_free_socket_timeout > other.outbound_free_socket_timeout,
            ),
            ("outbound_head_bytes_max", self.outbound_head_bytes_max > other.outbound_head_bytes_max),
            ("outbound_header_count_max", self.outbound_header_count_max > other.outbound_header_count_max),
            (
                "outbound_request_body_bytes_max",
                self.outbound_request_body_bytes_max > other.outbound_request_body_bytes_max,
            ),
            (
                "outbound_response_body_bytes_max",
                self.outbound_response_body_bytes_max > other.outbound_response_body_bytes_max,
            ),
            ("outbound_buffer_bytes_max", self.outbound_buffer_bytes_max > other.outbound_buffer_bytes_max),
            ("keyvalue_key_bytes_max", self.keyvalue_key_bytes_max > other.keyvalue_key_bytes_max),
            ("keyvalue_value_bytes_max", self.keyvalue_value_bytes_max > other.keyvalue_value_bytes_max),
            ("keyvalue_keys_max", self.keyvalue_keys_max > other.keyvalue_keys_max),
            ("log_bytes_per_second", self.log_bytes_per_second > other.log_bytes_per_second),
        ];
        above.into_iter().find_map(|(name, above)| above.then_some(name))
    }
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            connections_max: 10_000,
            connections_per_peer_max: 500,
            head_bytes_max: 16 * 1024,
            header_count_max: 1_000,
            head_timeout: Some(Duration::from_secs(60)),
            request_timeout: Some(Duration::from_secs(300)),
            keep_alive_timeout: Some(Duration::from_secs(5)),
            keep_alive_timeout_buffer: Duration::from_secs(1),
            idle_timeout: None,
            write_stall_timeout: Some(Duration::from_secs(30)),
            request_body_bytes_max: 1 << 30,
            requests_per_connection_max: None,
            unread_body_bytes_max: 256 * 1024,
            linger_timeout: Duration::from_secs(5),
            linger_bytes_max: 16 << 20,
            half_open: true,
            reject_body_not_allowed: false,
            response_head_bytes_max: 64 * 1024,
            response_buffer_bytes_max: 1 << 20,
            drain_delay: Duration::ZERO,
            drain_timeout: Duration::from_secs(30),
            tunnels_max: 750,
            tunnel_idle_timeout: Some(Duration::from_secs(600)),
            tunnel_cpu_per_second: Duration::from_millis(100),
            memory_bytes_max: 128 << 20,
            table_elements_max: 100_000,
            instances_max: 1_000,
            requests_per_instance_max: 1_000,
            concurrent_requests_per_instance_max: 16,
            cpu_time_max: Some(Duration::from_secs(5)),
            wall_time_max: Some(Duration::from_secs(300)),
            handles_max: 10_000,
            tcp_sockets_max: 1_000,
            tcp_sockets_per_instance_max: 16,
            outbound_connections_max: 1_000,
            outbound_requests_max: 1_000,
            outbound_agents_max: 64,
            outbound_connect_timeout: Some(Duration::from_secs(10)),
            outbound_response_timeout: Some(Duration::from_secs(60)),
            outbound_idle_timeout: Some(Duration::from_secs(60)),
            outbound_free_socket_timeout: Duration::from_secs(30),
            outbound_head_bytes_max: 64 * 1024,
            outbound_header_count_max: 1_000,
            outbound_request_body_bytes_max: 16 << 30,
            outbound_response_body_bytes_max: 16 << 30,
            outbound_buffer_bytes_max: 1 << 20,
            keyvalue_key_bytes_max: 1024,
            keyvalue_value_bytes_max: 1 << 20,
            keyvalue_keys_max: 1_000,
            log_bytes_per_second: 64 * 1024,
            crashes_max: Some(20),
            crash_backoff: Duration::from_secs(1),
            crash_backoff_max: Duration::from_secs(60),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_request_may_cost_elsewhere_is_named_when_it_is_above() {
        type Raise = fn(&mut Limits);
        let above: [(&str, Raise); 15] = [
            ("outbound_connections_max", |limits| limits.outbound_connections_max += 1),
            ("outbound_requests_max", |limits| limits.outbound_requests_max += 1),
            ("outbound_agents_max", |limits| limits.outbound_agents_max += 1),
            ("outbound_connect_timeout", |limits| limits.outbound_connect_timeout = None),
            ("outbound_response_timeout", |limits| limits.outbound_response_timeout = None),
            ("outbound_idle_timeout", |limits| limits.outbound_idle_timeout = None),
            ("outbound_free_socket_timeout", |limits| limits.outbound_free_socket_timeout = Duration::MAX),
            ("outbound_head_bytes_max", |limits| limits.outbound_head_bytes_max += 1),
            ("outbound_header_count_max", |limits| limits.outbound_header_count_max += 1),
            ("outbound_request_body_bytes_max", |limits| limits.outbound_request_body_bytes_max += 1),
            ("outbound_response_body_bytes_max", |limits| limits.outbound_response_body_bytes_max += 1),
            ("outbound_buffer_bytes_max", |limits| limits.outbound_buffer_bytes_max += 1),
            ("keyvalue_key_bytes_max", |limits| limits.keyvalue_key_bytes_max += 1),
            ("keyvalue_value_bytes_max", |limits| limits.keyvalue_value_bytes_max += 1),
            ("keyvalue_keys_max", |limits| limits.keyvalue_keys_max += 1),
        ];
        let of_host = Limits::default();
        assert_eq!(of_host.first_above(&of_host), None);
        for (name, raise) in above {
            let mut limits = of_host.clone();
            raise(&mut limits);
            assert_eq!(limits.first_above(&of_host), Some(name));
            assert_eq!(of_host.first_above(&limits), None, "{name}");
        }
    }
}
