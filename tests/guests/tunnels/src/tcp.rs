//! Connections of the guest's own, where the operator grants them and where
//! not.

use innkeeper_guest::net::TcpStream;
use innkeeper_guest::{Result, ServerResponse};

/// Connects to the address in the query, and answers with `connected` or the
/// kind of error.
pub fn connect(address: &str, res: &ServerResponse) -> Result<()> {
    let told = match TcpStream::connect(address) {
        Ok(_) => "connected".to_owned(),
        Err(error) => format!("{:?}", error.kind()),
    };
    Ok(res.end(told)?)
}
