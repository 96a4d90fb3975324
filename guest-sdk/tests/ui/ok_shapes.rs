//! Any name, `mut` arguments, unused arguments, and every kind of error.
#![deny(warnings)]

mod full {
    use innkeeper_guest::{IncomingMessage, Result, ServerResponse, handler};

    #[handler]
    pub fn answer(mut req: IncomingMessage, mut res: ServerResponse) -> Result<()> {
        std::io::copy(&mut req, &mut res)?;
        res.end_empty()?;
        Ok(())
    }
}

mod short {
    use innkeeper_guest::{IncomingMessage, Result, ServerResponse, handler};

    #[handler]
    fn handle(_: IncomingMessage, res: ServerResponse) -> Result {
        Ok(res.end("x")?)
    }
}

mod coded {
    #[innkeeper_guest::handler]
    fn handle(
        _req: innkeeper_guest::IncomingMessage,
        res: innkeeper_guest::ServerResponse,
    ) -> Result<(), innkeeper_guest::ErrorCode> {
        res.end("x")
    }
}

mod text {
    #[innkeeper_guest::handler]
    fn handle(
        _req: innkeeper_guest::IncomingMessage,
        _res: innkeeper_guest::ServerResponse,
    ) -> Result<(), String> {
        Err("no".to_owned())
    }
}

mod boxed {
    #[innkeeper_guest::handler]
    fn handle(
        req: innkeeper_guest::IncomingMessage,
        res: innkeeper_guest::ServerResponse,
    ) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        res.end(req.read_all(10)?)?;
        Err("no")?
    }
}

fn main() {}
