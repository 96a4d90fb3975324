//! The access log: one line for each exchange, when its last byte is sent or
//! it has failed, and one for each request that the host refused to read.
//! Among the other lines of the log, or in a file of its own
//! (`access::file`), in the forms of `access::form`.

mod file;
mod form;

use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use anyhow::Result;

use crate::config::{AccessLog, AccessLogFormat};
use crate::telemetry::access::file::LineFile;
use crate::telemetry::ended::EndedExchange;
use crate::wire::error::ClientFault;
use crate::wire::http1::response::raw::status_in;
use crate::wire::socket::Socket;

/// The `tracing` target of these lines.
pub const TARGET: &str = "access";

/// Writes the access log where the configuration says.
pub struct AccessLogger {
    to: To,
}

enum To {
    Nowhere,
    Log,
    File(AccessLogFormat, LineFile),
}

/// A request that never became an exchange.
struct Refused {
    peer: SocketAddr,
    status: u16,
    fault: ClientFault,
    at: SystemTime,
}

impl AccessLogger {
    /// Opens the access log.
    ///
    /// # Errors
    /// A file that cannot be opened.
    pub fn start(access_log: &AccessLog) -> Result<Self> {
        let to = match access_log {
            AccessLog::Off => To::Nowhere,
            AccessLog::Log => To::Log,
            AccessLog::File(format, Some(path)) => To::File(*format, LineFile::open(path)?),
            AccessLog::File(format, None) => To::File(*format, LineFile::stdout()),
        };
        Ok(AccessLogger { to })
    }

    /// Whether lines go anywhere.
    pub fn is_on(&self) -> bool {
        match &self.to {
            To::Nowhere => false,
            To::Log => tracing::enabled!(target: TARGET, tracing::Level::INFO),
            To::File(..) => true,
        }
    }

    /// Writes the line of an exchange that is over.
    pub fn log(&self, ended: &EndedExchange<'_>) {
        match &self.to {
            To::Nowhere => {}
            To::Log => event(ended),
            To::File(AccessLogFormat::Combined, file) => file.put(form::combined(ended).as_bytes()),
            To::File(AccessLogFormat::Json, file) => file.put(form::json(ended).as_bytes()),
        }
    }

    /// Writes the line of a request that never became an exchange, with the
    /// guest's `worded` answer to it, if there is one.
    pub fn log_refused(&self, socket: &Socket, fault: ClientFault, worded: Option<&[u8]>) {
        let status = worded.and_then(status_in).unwrap_or(fault.status());
        let refused = Refused { peer: socket.peer(), status, fault, at: SystemTime::now() };
        match &self.to {
            To::Nowhere => {}
            To::Log => tracing::info!(target: TARGET, peer = %refused.peer, status, refused = %fault),
            To::File(AccessLogFormat::Combined, file) => {
                file.put(form::combined_refused(&refused).as_bytes())
            }
            To::File(AccessLogFormat::Json, file) => file.put(form::json_refused(&refused).as_bytes()),
        }
    }

    /// Opens the file again by its name, once the next line is written: what
    /// had the name was moved away.
    pub fn reopen(&self) {
        if let To::File(_, file) = &self.to {
            file.reopen();
        }
    }
}

fn event(ended: &EndedExchange<'_>) {
    if !tracing::enabled!(target: TARGET, tracing::Level::INFO) {
        return;
    }
    tracing::info!(
        target: TARGET,
        exchange = ended.exchange,
        request_id = %ended.request_id(),
        tenant = ended.tenant,
        app = ended.app,
        app_version = ended.app_version,
        peer = %ended.peer,
        method = ended.method,
        url = ended.url,
        version = ended.http_version,
        status = ended.status,
        bytes = ended.bytes,
        body_bytes = ended.body_bytes,
        tunnel_bytes = ended.tunnel_bytes,
        micros = micros(ended.duration),
        cpu_micros = micros(ended.cpu),
        queue_micros = micros(ended.queue),
        sent = ended.sent,
        failure = ended.failure.as_ref().map(tracing::field::display),
    );
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::telemetry::ended::example;

    #[test]
    fn the_configuration_says_where_and_how() {
        let path = std::env::temp_dir().join(format!("innkeeper-access-{}.log", std::process::id()));
        for (format, part) in [
            (AccessLogFormat::Combined, r#""GET /a?b=c HTTP/1.1" 200 2326"#),
            (AccessLogFormat::Json, r#""method":"GET","url":"/a?b=c""#),
        ] {
            let logger = AccessLogger::start(&AccessLog::File(format, Some(path.clone()))).unwrap();
            logger.log(&example());
            fs::remove_file(&path).unwrap();
            logger.reopen();
            logger.log(&example());
            // Dropping it waits for the lines.
            drop(logger);
            let text = fs::read_to_string(&path).unwrap();
            assert!(text.contains(part) && text.lines().count() <= 2, "{text}");
            fs::remove_file(&path).unwrap();
        }
        AccessLogger::start(&AccessLog::Off).unwrap().log(&example());
        AccessLogger::start(&AccessLog::Log).unwrap().log(&example());
    }
}
