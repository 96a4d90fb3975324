//! What the host says about itself: the log's form, ids of requests, the
//! access log, metrics and traces.

pub mod logs;
pub mod request_id;
pub mod ended;
pub mod access;
pub mod metrics;
pub mod trace;
