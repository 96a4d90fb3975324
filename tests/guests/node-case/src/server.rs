//! The ops that see and control the app's own server.

use innkeeper_guest::server;

use crate::log;
use crate::ops::Step;

pub fn get_connections() -> Step {
    log::entry(&format!("get-connections: {}", server::get_connections()?));
    Ok(())
}

pub fn close() -> Step {
    Ok(server::close()?)
}

pub fn close_idle_connections() -> Step {
    Ok(server::close_idle_connections()?)
}

pub fn close_all_connections() -> Step {
    Ok(server::close_all_connections()?)
}
