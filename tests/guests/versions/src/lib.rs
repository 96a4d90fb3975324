//! A guest of which there are several versions, by its features. Each answers
//! with its name, so that tests of deploys see which one had a request.

use innkeeper_guest::{IncomingMessage, Result, ServerResponse, handler};

const NAME: &str = if cfg!(feature = "failing") {
    "failing"
} else if cfg!(feature = "v2") {
    "v2"
} else {
    "v1"
};

/// Bytes of a body that a test holds back.
const BODY_MAX: u64 = 1024;

#[handler]
fn tell(req: IncomingMessage, res: ServerResponse) -> Result<()> {
    if cfg!(feature = "failing") {
        res.set_status_code(500);
    }
    // Half of the answer before the request is complete, the other half then:
    // so a test has an exchange in flight for as long as it likes.
    if req.url() == "/hold" {
        res.write(NAME)?;
        res.flush_headers()?;
        req.read_all(BODY_MAX)?;
    }
    Ok(res.end(NAME)?)
}
