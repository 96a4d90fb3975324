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

/// Connects there over and over, and answers with how often that went well. It
/// keeps the connections until the client has the answer, and ends its side.
pub fn connect_often(address: &str, res: &ServerResponse) -> Result<()> {
    let streams: Vec<_> = std::iter::from_fn(|| TcpStream::connect(address).ok()).take(1000).collect();
    res.write(format!("{}", streams.len()))?;
    res.flush_headers()?;
    std::thread::sleep(std::time::Duration::from_millis(1_000));
    Ok(res.end_empty()?)
}
