//! Greets whoever asks: `curl http://127.0.0.1:8080/Ada`.

use innkeeper_guest::{IncomingMessage, Result, ServerResponse, handler};

#[handler]
fn hello(req: IncomingMessage, res: ServerResponse) -> Result<()> {
    let url = req.url();
    let name = match url.trim_start_matches('/') {
        "" => "world",
        name => name,
    };
    res.set_header("Content-Type", "text/plain; charset=utf-8")?;
    Ok(res.end(format!("Hello, {name}!\n"))?)
}

#[cfg(test)]
mod tests {
    use innkeeper_guest::testing;

    use super::*;

    #[test]
    fn greets_the_world() {
        let answer = testing::get("/").send(hello);
        assert_eq!((answer.status(), answer.text().as_str()), (200, "Hello, world!\n"));
    }

    #[test]
    fn greets_by_name() {
        assert_eq!(testing::get("/Ada").send(hello).text(), "Hello, Ada!\n");
    }
}
