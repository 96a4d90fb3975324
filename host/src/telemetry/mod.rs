//! What the host says about itself: the log's form, and the access log.

pub mod access;
pub mod logs;
