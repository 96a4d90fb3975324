use std::sync::Arc; use std::time::Duration; use super::{stream::Stream, origin::{Host, Origin}, policy::Clearance, error::OutboundError, resolver::Resolver, tls::TlsIdentity};
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)] pub enum Alpn { Http1, Negotiated, Http2 }
#[derive(Clone)] pub struct Connector;
pub struct Connected { pub stream: Stream, pub http2: bool }
impl Connector { pub fn new(_: Arc<Resolver>, _: Arc<TlsIdentity>) -> Self { Connector } pub fn identity(&self) -> u64 { 0 }
 pub async fn connect(&self, o: &Origin, c: &Clearance, _: Alpn, _: Option<Duration>) -> Result<Connected, OutboundError> {
  let ip = match &o.host { Host::Ip(ip) => *ip, _ => [127,0,0,1].into() };
  c.check(ip)?;
  let s = tokio::net::TcpStream::connect((ip, o.port)).await.map_err(|e| OutboundError::Connect(e.to_string()))?; let _ = s.set_nodelay(true);
  Ok(Connected { stream: Stream::tcp(s).map_err(|e| OutboundError::Connect(e.to_string()))?, http2: false }) } }
