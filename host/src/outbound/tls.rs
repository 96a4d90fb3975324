use crate::config::{PemFile, OutboundTls};
pub struct Roots; impl Roots { pub fn new(_: Option<&PemFile>) -> anyhow::Result<Self> { Ok(Roots) } }
pub struct TlsIdentity; impl TlsIdentity { pub fn new(_: &Roots, _: &OutboundTls) -> anyhow::Result<Self> { Ok(TlsIdentity) } }
