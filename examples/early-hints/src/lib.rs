//! A page that takes a moment. What it will need is told before it is there,
//! by `103 Early Hints` (RFC 8297), so that the client can fetch it meanwhile.
//!
//! ```sh
//! curl -i http://127.0.0.1:8080/
//! ```

use std::thread::sleep;
use std::time::Duration;

use innkeeper_guest::{IncomingMessage, Result, ServerResponse, handler};

/// What it takes to make the page: a question to a database, say.
const WORK: Duration = Duration::from_millis(200);

const PAGE: &str = "<!doctype html>\n<title>Early hints</title>\n\
    <link rel=\"stylesheet\" href=\"/style.css\">\n<script src=\"/script.js\" defer></script>\n\
    <h1>Hello</h1>\n";

#[handler]
fn hints(req: IncomingMessage, res: ServerResponse) -> Result<()> {
    match req.url().as_str() {
        "/" => page(&res),
        "/style.css" => file(&res, "text/css", "h1 { color: seagreen }\n"),
        "/script.js" => file(&res, "text/javascript", "document.title += \" work\";\n"),
        _ => {
            res.set_status_code(404);
            Ok(res.end_empty()?)
        }
    }
}

fn page(res: &ServerResponse) -> Result<()> {
    let links = ["</style.css>; rel=preload; as=style", "</script.js>; rel=preload; as=script"];
    // They leave at once; the head of the answer is not fixed by them.
    res.write_early_hints(&links, ())?;
    sleep(WORK);
    res.set_header("Link", links)?;
    file(res, "text/html; charset=utf-8", PAGE)
}

fn file(res: &ServerResponse, content_type: &str, content: &str) -> Result<()> {
    res.set_header("Content-Type", content_type)?;
    Ok(res.end(content)?)
}
