//! A guest of which there are several versions, by its features. Each answers
//! with its name, so that tests of deploys see which one had a request.

use std::time::Duration;

use innkeeper_guest::{IncomingMessage, Result, ServerResponse, handler};

const NAME: &str = if cfg!(feature = "failing") {
    "failing"
} else if cfg!(feature = "v2") {
    "v2"
} else {
    "v1"
};

#[handler]
fn tell(req: IncomingMessage, res: ServerResponse) -> Result<()> {
    if cfg!(feature = "failing") {
        res.set_status_code(500);
    }
    // `/slow?1500`: half of it now, the other half so many milliseconds later.
    if let Some(time) = req.url().strip_prefix("/slow?") {
        res.write(NAME)?;
        res.flush_headers()?;
        std::thread::sleep(Duration::from_millis(time.parse()?));
    }
    Ok(res.end(NAME)?)
}
