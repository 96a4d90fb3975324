//! The limits as flags: every field of [`Limits`] has one, with the same name
//! and the same default, and a value that carries its unit.

use clap::{ArgAction, Args};

use crate::config::Limits;
use crate::config::values::{Count, OptionalTime, Size, Time};

/// The limits of a host, as flags.
#[derive(Debug, Args)]
pub struct LimitFlags {
    /// Open connections in all; one more is closed.
    #[arg(long, help_heading = "Connections", value_name = "COUNT", default_value_t = Limits::default().connections_max)]
    connections_max: usize,
    /// Open connections of one peer address; one more is told 503.
    #[arg(long, help_heading = "Connections", value_name = "COUNT", default_value_t = Limits::default().connections_per_peer_max)]
    connections_per_peer_max: usize,
    /// Exchanges on one connection, or `off`; the last one says `Connection: close`.
    #[arg(long, help_heading = "Connections", value_name = "COUNT", default_value_t = Count(Limits::default().requests_per_connection_max))]
    requests_per_connection_max: Count,
    /// Idle time between requests, told in `Keep-Alive`, or `off`.
    #[arg(long, help_heading = "Connections", value_name = "DURATION", default_value_t = OptionalTime(Limits::default().keep_alive_timeout))]
    keep_alive_timeout: OptionalTime,
    /// How much later than told an idle connection closes.
    #[arg(long, help_heading = "Connections", value_name = "DURATION", default_value_t = Time(Limits::default().keep_alive_timeout_buffer))]
    keep_alive_timeout_buffer: Time,
    /// Time without a byte in either direction, whatever is waited for, or `off`.
    #[arg(long, help_heading = "Connections", value_name = "DURATION", default_value_t = OptionalTime(Limits::default().idle_timeout))]
    idle_timeout: OptionalTime,
    /// Answer a client that has sent its request and a FIN.
    #[arg(long, help_heading = "Connections", value_name = "BOOL", default_value_t = Limits::default().half_open, action = ArgAction::Set)]
    half_open: bool,
    /// Time for reading on after the response: an unread body, or until the client closes.
    #[arg(long, help_heading = "Connections", value_name = "DURATION", default_value_t = Time(Limits::default().linger_timeout))]
    linger_timeout: Time,
    /// Bytes discarded while waiting for the client to close.
    #[arg(long, help_heading = "Connections", value_name = "BYTES", default_value_t = Size::of(Limits::default().linger_bytes_max))]
    linger_bytes_max: Size,
    /// Time for exchanges in flight once the server is told to stop.
    #[arg(long, help_heading = "Connections", value_name = "DURATION", default_value_t = Time(Limits::default().drain_timeout))]
    drain_timeout: Time,
    /// Time from the word to stop until no more connections are accepted; the server is not ready in it.
    #[arg(long, help_heading = "Connections", value_name = "DURATION", default_value_t = Time(Limits::default().drain_delay))]
    drain_delay: Time,
    /// Time for a request head, or `off`.
    #[arg(long, help_heading = "Requests", value_name = "DURATION", default_value_t = OptionalTime(Limits::default().head_timeout))]
    head_timeout: OptionalTime,
    /// Time for a request head and its body, or `off`.
    #[arg(long, help_heading = "Requests", value_name = "DURATION", default_value_t = OptionalTime(Limits::default().request_timeout))]
    request_timeout: OptionalTime,
    /// Bytes of target, header names and header values.
    #[arg(long, help_heading = "Requests", value_name = "BYTES", default_value_t = Size::of(Limits::default().head_bytes_max))]
    head_bytes_max: Size,
    /// Header lines of a request, its trailers, or a response.
    #[arg(long, help_heading = "Requests", value_name = "COUNT", default_value_t = Limits::default().header_count_max)]
    header_count_max: usize,
    /// Bytes of a request body.
    #[arg(long, help_heading = "Requests", value_name = "BYTES", default_value_t = Size::of(Limits::default().request_body_bytes_max))]
    request_body_bytes_max: Size,
    /// Bytes of an unread body that are read on so that the connection can be used again.
    #[arg(long, help_heading = "Requests", value_name = "BYTES", default_value_t = Size::of(Limits::default().unread_body_bytes_max))]
    unread_body_bytes_max: Size,
    /// Time a write may make no progress, or `off`.
    #[arg(long, help_heading = "Responses", value_name = "DURATION", default_value_t = OptionalTime(Limits::default().write_stall_timeout))]
    write_stall_timeout: OptionalTime,
    /// Bytes of the head that a guest may set.
    #[arg(long, help_heading = "Responses", value_name = "BYTES", default_value_t = Size::of(Limits::default().response_head_bytes_max))]
    response_head_bytes_max: Size,
    /// Bytes a guest may buffer without waiting.
    #[arg(long, help_heading = "Responses", value_name = "BYTES", default_value_t = Size::of(Limits::default().response_buffer_bytes_max))]
    response_buffer_bytes_max: Size,
    /// Make a body on a response that has none an error instead of dropping it.
    #[arg(long, help_heading = "Responses")]
    reject_body_not_allowed: bool,
    /// Connections at once that guests have taken over; one more is told 503.
    #[arg(long, help_heading = "Tunnels", value_name = "COUNT", default_value_t = Limits::default().tunnels_max)]
    tunnels_max: u32,
    /// Time without a byte in either direction on such a connection, or `off`.
    #[arg(long, help_heading = "Tunnels", value_name = "DURATION", default_value_t = OptionalTime(Limits::default().tunnel_idle_timeout))]
    tunnel_idle_timeout: OptionalTime,
    /// CPU time that a guest earns for each second that it has one.
    #[arg(long, help_heading = "Tunnels", value_name = "DURATION", default_value_t = Time(Limits::default().tunnel_cpu_per_second))]
    tunnel_cpu_per_second: Time,
    /// Bytes of linear memory of one instance.
    #[arg(long, help_heading = "Guests", value_name = "BYTES", default_value_t = Size::of(Limits::default().memory_bytes_max))]
    memory_bytes_max: Size,
    /// Elements of all tables of one instance.
    #[arg(long, help_heading = "Guests", value_name = "COUNT", default_value_t = Limits::default().table_elements_max)]
    table_elements_max: usize,
    /// Instances alive at once; one request more is told 503.
    #[arg(long, help_heading = "Guests", value_name = "COUNT", default_value_t = Limits::default().instances_max)]
    instances_max: u32,
    /// Requests that a pooled instance serves.
    #[arg(long, help_heading = "Guests", value_name = "COUNT", default_value_t = Limits::default().requests_per_instance_max)]
    requests_per_instance_max: u64,
    /// Requests that a pooled instance of WASI 0.3 has at a time.
    #[arg(long, help_heading = "Guests", value_name = "COUNT", default_value_t = Limits::default().concurrent_requests_per_instance_max)]
    concurrent_requests_per_instance_max: u32,
    /// CPU time of one call into a guest, or `off`.
    #[arg(long, help_heading = "Guests", value_name = "DURATION", default_value_t = OptionalTime(Limits::default().cpu_time_max))]
    cpu_time_max: OptionalTime,
    /// Time of one call into a guest, waiting included, or `off`.
    #[arg(long, help_heading = "Guests", value_name = "DURATION", default_value_t = OptionalTime(Limits::default().wall_time_max))]
    wall_time_max: OptionalTime,
    /// Resource handles of one instance.
    #[arg(long, help_heading = "Guests", value_name = "COUNT", default_value_t = Limits::default().handles_max)]
    handles_max: usize,
    /// TCP sockets of an app, where it was granted connections.
    #[arg(long, help_heading = "Guests", value_name = "COUNT", default_value_t = Limits::default().tcp_sockets_max)]
    tcp_sockets_max: u32,
    /// TCP sockets of one instance.
    #[arg(long, help_heading = "Guests", value_name = "COUNT", default_value_t = Limits::default().tcp_sockets_per_instance_max)]
    tcp_sockets_per_instance_max: u32,
    /// Connections to other servers for the guest's requests, free ones included.
    #[arg(long, help_heading = "Outbound", value_name = "COUNT", default_value_t = Limits::default().outbound_connections_max)]
    outbound_connections_max: u32,
    /// Requests to other servers in one exchange.
    #[arg(long, help_heading = "Outbound", value_name = "COUNT", default_value_t = Limits::default().outbound_requests_max)]
    outbound_requests_max: u64,
    /// Agents that have a name and outlive the instance.
    #[arg(long, help_heading = "Outbound", value_name = "COUNT", default_value_t = Limits::default().outbound_agents_max)]
    outbound_agents_max: u32,
    /// Time for a connection to another server: name, TCP and TLS; or `off`.
    #[arg(long, help_heading = "Outbound", value_name = "DURATION", default_value_t = OptionalTime(Limits::default().outbound_connect_timeout))]
    outbound_connect_timeout: OptionalTime,
    /// Time from the last byte of a request to the end of the response's head, or `off`.
    #[arg(long, help_heading = "Outbound", value_name = "DURATION", default_value_t = OptionalTime(Limits::default().outbound_response_timeout))]
    outbound_response_timeout: OptionalTime,
    /// Time without a byte of a body in either direction, or `off`.
    #[arg(long, help_heading = "Outbound", value_name = "DURATION", default_value_t = OptionalTime(Limits::default().outbound_idle_timeout))]
    outbound_idle_timeout: OptionalTime,
    /// The longest that a connection is kept that no request uses.
    #[arg(long, help_heading = "Outbound", value_name = "DURATION", default_value_t = Time(Limits::default().outbound_free_socket_timeout))]
    outbound_free_socket_timeout: Time,
    /// Bytes of the head of another server's response, and of its trailers.
    #[arg(long, help_heading = "Outbound", value_name = "BYTES", default_value_t = Size::of(Limits::default().outbound_head_bytes_max))]
    outbound_head_bytes_max: Size,
    /// Header lines of another server's response, and of its trailers.
    #[arg(long, help_heading = "Outbound", value_name = "COUNT", default_value_t = Limits::default().outbound_header_count_max)]
    outbound_header_count_max: usize,
    /// Bytes of the body of a request to another server.
    #[arg(long, help_heading = "Outbound", value_name = "BYTES", default_value_t = Size::of(Limits::default().outbound_request_body_bytes_max))]
    outbound_request_body_bytes_max: Size,
    /// Bytes of the body of another server's response.
    #[arg(long, help_heading = "Outbound", value_name = "BYTES", default_value_t = Size::of(Limits::default().outbound_response_body_bytes_max))]
    outbound_response_body_bytes_max: Size,
    /// Bytes of one request to another server that the guest may buffer without waiting.
    #[arg(long, help_heading = "Outbound", value_name = "BYTES", default_value_t = Size::of(Limits::default().outbound_buffer_bytes_max))]
    outbound_buffer_bytes_max: Size,
    /// Bytes of a key of a bucket.
    #[arg(long, help_heading = "Keys and values", value_name = "BYTES", default_value_t = Size::of(Limits::default().keyvalue_key_bytes_max))]
    keyvalue_key_bytes_max: Size,
    /// Bytes of a value of a bucket.
    #[arg(long, help_heading = "Keys and values", value_name = "BYTES", default_value_t = Size::of(Limits::default().keyvalue_value_bytes_max))]
    keyvalue_value_bytes_max: Size,
    /// Keys that one call may name or is told at once: a batch, a page of a list.
    #[arg(long, help_heading = "Keys and values", value_name = "COUNT", default_value_t = Limits::default().keyvalue_keys_max)]
    keyvalue_keys_max: u32,
    /// Bytes per second of a guest's output that reach the log.
    #[arg(long, help_heading = "Guests", value_name = "BYTES", default_value_t = Size::of(Limits::default().log_bytes_per_second))]
    log_bytes_per_second: Size,
    /// Crashes of the guest in a row after which requests are told 503 at once, or `off`.
    #[arg(long, help_heading = "Guests", value_name = "COUNT", default_value_t = Count(Limits::default().crashes_max.map(u64::from)))]
    crashes_max: Count,
    /// Time from there to the request that probes it; it doubles with each crash.
    #[arg(long, help_heading = "Guests", value_name = "DURATION", default_value_t = Time(Limits::default().crash_backoff))]
    crash_backoff: Time,
    /// The longest that it becomes.
    #[arg(long, help_heading = "Guests", value_name = "DURATION", default_value_t = Time(Limits::default().crash_backoff_max))]
    crash_backoff_max: Time,
}

impl LimitFlags {
    /// The limits that were asked for.
    pub fn limits(&self) -> Limits {
        Limits {
            connections_max: self.connections_max,
            connections_per_peer_max: self.connections_per_peer_max,
            requests_per_connection_max: self.requests_per_connection_max.0,
            keep_alive_timeout: self.keep_alive_timeout.0,
            keep_alive_timeout_buffer: self.keep_alive_timeout_buffer.0,
            idle_timeout: self.idle_timeout.0,
            half_open: self.half_open,
            linger_timeout: self.linger_timeout.0,
            linger_bytes_max: self.linger_bytes_max.0,
            drain_delay: self.drain_delay.0,
            drain_timeout: self.drain_timeout.0,
            head_timeout: self.head_timeout.0,
            request_timeout: self.request_timeout.0,
            head_bytes_max: self.head_bytes_max.as_usize(),
            header_count_max: self.header_count_max,
            request_body_bytes_max: self.request_body_bytes_max.0,
            unread_body_bytes_max: self.unread_body_bytes_max.0,
            write_stall_timeout: self.write_stall_timeout.0,
            response_head_bytes_max: self.response_head_bytes_max.as_usize(),
            response_buffer_bytes_max: self.response_buffer_bytes_max.as_usize(),
            reject_body_not_allowed: self.reject_body_not_allowed,
            tunnels_max: self.tunnels_max,
            tunnel_idle_timeout: self.tunnel_idle_timeout.0,
            tunnel_cpu_per_second: self.tunnel_cpu_per_second.0,
            memory_bytes_max: self.memory_bytes_max.as_usize(),
            table_elements_max: self.table_elements_max,
            instances_max: self.instances_max,
            requests_per_instance_max: self.requests_per_instance_max,
            concurrent_requests_per_instance_max: self.concurrent_requests_per_instance_max,
            cpu_time_max: self.cpu_time_max.0,
            wall_time_max: self.wall_time_max.0,
            handles_max: self.handles_max,
            tcp_sockets_max: self.tcp_sockets_max,
            tcp_sockets_per_instance_max: self.tcp_sockets_per_instance_max,
            outbound_connections_max: self.outbound_connections_max,
            outbound_requests_max: self.outbound_requests_max,
            outbound_agents_max: self.outbound_agents_max,
            outbound_connect_timeout: self.outbound_connect_timeout.0,
            outbound_response_timeout: self.outbound_response_timeout.0,
            outbound_idle_timeout: self.outbound_idle_timeout.0,
            outbound_free_socket_timeout: self.outbound_free_socket_timeout.0,
            outbound_head_bytes_max: self.outbound_head_bytes_max.as_usize(),
            outbound_header_count_max: self.outbound_header_count_max,
            outbound_request_body_bytes_max: self.outbound_request_body_bytes_max.0,
            outbound_response_body_bytes_max: self.outbound_response_body_bytes_max.0,
            outbound_buffer_bytes_max: self.outbound_buffer_bytes_max.as_usize(),
            keyvalue_key_bytes_max: self.keyvalue_key_bytes_max.as_usize(),
            keyvalue_value_bytes_max: self.keyvalue_value_bytes_max.as_usize(),
            keyvalue_keys_max: self.keyvalue_keys_max,
            log_bytes_per_second: self.log_bytes_per_second.0,
            crashes_max: self.crashes_max.0.map(|count| u32::try_from(count).unwrap_or(u32::MAX)),
            crash_backoff: self.crash_backoff.0,
            crash_backoff_max: self.crash_backoff_max.0,
        }
    }
}
