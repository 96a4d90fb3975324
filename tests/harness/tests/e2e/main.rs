//! The end-to-end tests: the real binary, real components, real sockets.

mod support;
mod devtools;

mod cli;
mod config;
mod admin_cli;
mod serve;
mod examples;
mod framing_in;
mod framing_out;
mod expect;
mod check_expect;
mod client_error;
mod upgrade;
mod connect;
mod tunnels;
mod tunnel_faults;
mod tunnel_limits;
mod tunnel_calls;
mod tunnel_drain;
mod tunnel_load;
mod persistence;
mod teardown;
mod timeouts;
mod limits;
mod load;
mod cancel;
mod misbehave;
mod server_control;
mod grants;
mod pooled;
mod drain;
mod cases;
mod websocket;
mod browser;
mod seams;
