//! The limits and quotas of a file as they are written. A field that is not
//! there keeps its default. The comments are the descriptions in the schema.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::values::{Count, OptionalTime, Size, Time};
use crate::config;

/// Two tables, of which one has the fields of the other and more.
macro_rules! tables {
    (
        $(#[$small_meta:meta])* $small:ident { $( $(#[$meta:meta])* $field:ident: $type:ty, )* }
        $(#[$large_meta:meta])* $large:ident { $( $(#[$more_meta:meta])* $more:ident: $more_type:ty, )* }
    ) => {
        $(#[$small_meta])*
        #[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields)]
        pub struct $small {
            $( $(#[$meta])* #[serde(default, skip_serializing_if = "Option::is_none")] pub $field: Option<$type>, )*
        }

        $(#[$large_meta])*
        #[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields)]
        pub struct $large {
            $( $(#[$more_meta])* #[serde(default, skip_serializing_if = "Option::is_none")] pub $more: Option<$more_type>, )*
            $( $(#[$meta])* #[serde(default, skip_serializing_if = "Option::is_none")] pub $field: Option<$type>, )*
        }

        impl $large {
            /// The fields that both tables have.
            pub fn common(&self) -> $small {
                $small { $( $field: self.$field.clone(), )* }
            }
        }
    };
}
pub(super) use tables;

/// How a table changes a typed value, and what the table of a typed value is.
macro_rules! applies {
    ($table:ident, $target:path: $( $field:ident )*) => {
        impl $table {
            /// Sets what the table says.
            pub fn apply(&self, target: &mut $target) {
                $( if let Some(value) = self.$field { target.$field = value.into(); } )*
            }
        }
    };
}

tables! {
    /// Limits of one app; the others are the host's. Default: those of `[limits]`.
    AppLimits {
        /// Bytes of a request body. It streams, so this bounds transfer and not memory.
        request_body_bytes_max: Size,
        /// Time a write may make no progress before the connection is dropped, or `"off"`.
        write_stall_timeout: OptionalTime,
        /// Bytes of the response head that a guest may set.
        response_head_bytes_max: Size,
        /// Bytes that a guest may have buffered without waiting (`try-write`).
        response_buffer_bytes_max: Size,
        /// Whether a body on a response that has none is an error instead of being dropped. Node's `rejectNonStandardBodyWrites`.
        reject_body_not_allowed: bool,
        /// Time without a byte in either direction after which a connection that a guest has taken over is dropped, or `"off"`.
        tunnel_idle_timeout: OptionalTime,
        /// CPU time that a guest earns for each second that it has such a connection.
        tunnel_cpu_per_second: Time,
        /// Bytes of linear memory of one instance, all its memories together. An app's is at most the host's.
        memory_bytes_max: Size,
        /// Elements of all tables of one instance. An app's are at most the host's.
        table_elements_max: usize,
        /// Requests that a pooled instance serves before it is replaced.
        requests_per_instance_max: u64,
        /// Requests that a pooled instance of WASI 0.3 has at a time; others have one.
        concurrent_requests_per_instance_max: u32,
        /// CPU time of one call into a guest, or `"off"`.
        cpu_time_max: OptionalTime,
        /// Time of one call into a guest, waiting included, or `"off"`.
        wall_time_max: OptionalTime,
        /// Resource handles of one instance, of the host's and its own.
        handles_max: usize,
        /// TCP sockets that an app may have open, all its instances together, where it was granted connections.
        tcp_sockets_max: u32,
        /// TCP sockets of one instance at a time; never more than `tcp_sockets_max`.
        tcp_sockets_per_instance_max: u32,
        /// Connections to other servers that an app may have for its requests, free ones included, all its instances together.
        outbound_connections_max: u32,
        /// Requests to other servers in one exchange.
        outbound_requests_max: u64,
        /// Agents of an app that have a name and outlive its instances.
        outbound_agents_max: u32,
        /// Time for a connection to another server, from the look-up of its name to the end of the TLS handshake, or `"off"`.
        outbound_connect_timeout: OptionalTime,
        /// Time from the last byte of a request to another server to the end of the response's head, or `"off"`.
        outbound_response_timeout: OptionalTime,
        /// Time without a byte of such a request's or response's body in either direction, or `"off"`.
        outbound_idle_timeout: OptionalTime,
        /// The longest that a connection to another server is kept that no request uses; an agent or the server may say less.
        outbound_free_socket_timeout: Time,
        /// Bytes of the head of another server's response, and of its trailers.
        outbound_head_bytes_max: Size,
        /// Header lines of another server's response, and of its trailers.
        outbound_header_count_max: usize,
        /// Bytes of the body of a request to another server. It streams, so this bounds transfer and not memory.
        outbound_request_body_bytes_max: Size,
        /// Bytes of the body of another server's response. It streams too.
        outbound_response_body_bytes_max: Size,
        /// Bytes of one request to another server that a guest may have buffered without waiting (`try-write`).
        outbound_buffer_bytes_max: Size,
        /// Bytes of a key of a bucket of `wasi:keyvalue`.
        keyvalue_key_bytes_max: Size,
        /// Bytes of a value of a bucket.
        keyvalue_value_bytes_max: Size,
        /// Keys that one call may name or is told at once: a batch, a page of a list.
        keyvalue_keys_max: u32,
        /// Bytes per second of an app's standard output and error that reach the log.
        log_bytes_per_second: Size,
        /// Crashes of an app in a row after which its requests are told 503 at once, or `"off"`.
        crashes_max: Count,
        /// Time from there to the request that probes it; it doubles with each crash.
        crash_backoff: Time,
        /// The longest that it becomes; `crash_backoff`, if that is longer than the default.
        crash_backoff_max: Time,
    }

    /// What connections, messages and guests may cost.
    Limits {
        /// Open connections in all; one more is accepted and closed.
        connections_max: usize,
        /// Open connections of one peer: an IPv4 address or an IPv6 network of 64 bits; one more is told 503. At most `connections_max`.
        connections_per_peer_max: usize,
        /// Bytes of request target, field names and field values together. Node's `maxHeaderSize`.
        head_bytes_max: Size,
        /// Header lines of a request, and of its trailers; one more is told 431.
        header_count_max: usize,
        /// Time from the first byte of a head to its end, or `"off"`. Node's `headersTimeout`. At most `request_timeout`.
        head_timeout: OptionalTime,
        /// Time from the same start to the last byte of the body, or `"off"`. Node's `requestTimeout`.
        request_timeout: OptionalTime,
        /// Idle time after a response, told in `Keep-Alive`, or `"off"`. Node's `keepAliveTimeout`.
        keep_alive_timeout: OptionalTime,
        /// How much later than told an idle connection closes. Node's `keepAliveTimeoutBuffer`.
        keep_alive_timeout_buffer: Time,
        /// Time without a byte in either direction after which a connection is dropped, whatever it waits for, or `"off"`. Longer than `keep_alive_timeout`.
        idle_timeout: OptionalTime,
        /// Exchanges on one connection, or `"off"`; the last one says `Connection: close`.
        requests_per_connection_max: Count,
        /// Bytes of an unread request body that are read on after the response, so that the connection can be used again.
        unread_body_bytes_max: Size,
        /// Time for reading on after a response: an unread body, or until the client closes.
        linger_timeout: Time,
        /// Bytes discarded while waiting for the client to close.
        linger_bytes_max: Size,
        /// Whether a client that has sent its request and a FIN is answered.
        half_open: bool,
        /// Time from the word to stop until no more connections are accepted; the server is not ready in it.
        drain_delay: Time,
        /// Time for exchanges in flight once the server drains.
        drain_timeout: Time,
        /// Connections at once that guests have taken over, after an upgrade or CONNECT; one more is told 503. At most `instances_max`.
        tunnels_max: u32,
        /// Instances alive at once; one request more is told 503 with `Retry-After`.
        instances_max: u32,
    }
}

applies! { AppLimits, config::Limits:
    request_body_bytes_max write_stall_timeout response_head_bytes_max response_buffer_bytes_max
    reject_body_not_allowed tunnel_idle_timeout tunnel_cpu_per_second memory_bytes_max table_elements_max
    requests_per_instance_max concurrent_requests_per_instance_max cpu_time_max wall_time_max handles_max tcp_sockets_max
    tcp_sockets_per_instance_max outbound_connections_max outbound_requests_max outbound_agents_max
    outbound_connect_timeout outbound_response_timeout outbound_idle_timeout outbound_free_socket_timeout
    outbound_head_bytes_max outbound_header_count_max outbound_request_body_bytes_max
    outbound_response_body_bytes_max outbound_buffer_bytes_max
    keyvalue_key_bytes_max keyvalue_value_bytes_max keyvalue_keys_max
    log_bytes_per_second crashes_max crash_backoff crash_backoff_max
}

/// For the host's limits, which are all of them.
macro_rules! all_limits {
    ($( $field:ident )*) => {
        applies! { Limits, config::Limits: $( $field )* }

        impl Limits {
            /// The table that says all of `limits`.
            pub fn of(limits: &config::Limits) -> Self {
                // Without `..` on either side: a new limit has to be here.
                let config::Limits { $( $field ),* } = limits.clone();
                Limits { $( $field: Some($field.into()) ),* }
            }
        }

        /// Whether this is a limit that only the host has.
        pub(super) fn is_of_the_host(name: &str) -> bool {
            [$( stringify!($field) ),*].contains(&name)
        }
    };
}

all_limits! {
    connections_max connections_per_peer_max head_bytes_max header_count_max head_timeout request_timeout
    keep_alive_timeout keep_alive_timeout_buffer idle_timeout requests_per_connection_max
    unread_body_bytes_max linger_timeout linger_bytes_max half_open drain_delay drain_timeout tunnels_max
    instances_max request_body_bytes_max write_stall_timeout response_head_bytes_max
    response_buffer_bytes_max reject_body_not_allowed tunnel_idle_timeout tunnel_cpu_per_second
    memory_bytes_max table_elements_max requests_per_instance_max concurrent_requests_per_instance_max cpu_time_max wall_time_max handles_max
    tcp_sockets_max tcp_sockets_per_instance_max outbound_connections_max outbound_requests_max outbound_agents_max
    outbound_connect_timeout outbound_response_timeout outbound_idle_timeout outbound_free_socket_timeout
    outbound_head_bytes_max outbound_header_count_max outbound_request_body_bytes_max
    outbound_response_body_bytes_max outbound_buffer_bytes_max
    keyvalue_key_bytes_max keyvalue_value_bytes_max keyvalue_keys_max
    log_bytes_per_second crashes_max crash_backoff crash_backoff_max
}

tables! {
    /// What a tenant may use, all its apps together.
    Quotas {
        /// Exchanges in flight. Default: half of `limits.instances_max`.
        exchanges_max: u32,
        /// Exchanges that wait for a place; one more is told 503 at once.
        queue_max: u32,
        /// Time that one waits before it is told 503.
        queue_wait_max: Time,
        /// Bytes of all its instances' memories and tables, and of what the host buffers for its exchanges.
        memory_bytes_max: Size,
        /// CPU time for each second of wall-clock time, or `"off"`.
        cpu_per_second: OptionalTime,
        /// CPU time that can be saved up for a burst.
        cpu_burst: Time,
        /// Connections whose latest exchange was the tenant's. Default: half of `limits.connections_max`.
        connections_max: u32,
        /// Connections that its guests may have open to elsewhere, for requests and of their own. Default: the larger of `limits.tcp_sockets_max` and `limits.outbound_connections_max`.
        outbound_connections_max: u32,
        /// Bytes of the keys and values of all its buckets, and 64 more for each pair.
        keyvalue_bytes_max: Size,
        /// Bytes per second of its guests' output that reach the log.
        log_bytes_per_second: Size,
    }

    /// A tenant: the owner of apps. What it does not say is as in `[defaults.quotas]`.
    Tenant {
        /// The hosts that the tenant itself may give its apps routes for when it deploys them, as `"shop.example"` or `"*.acme.example"`. Default: none. The operator may give any.
        hosts: Vec<String>,
    }
}

/// For the quotas, which are all of them.
macro_rules! all_quotas {
    ($( $field:ident )*) => {
        applies! { Quotas, config::Quotas: $( $field )* }

        impl Quotas {
            /// The table that says all of `quotas`.
            pub fn of(quotas: &config::Quotas) -> Self {
                let config::Quotas { $( $field ),* } = quotas.clone();
                Quotas { $( $field: Some($field.into()) ),* }
            }
        }
    };
}

all_quotas! {
    exchanges_max queue_max queue_wait_max memory_bytes_max cpu_per_second cpu_burst connections_max
    outbound_connections_max keyvalue_bytes_max log_bytes_per_second
}
