use innkeeper_guest::{IncomingMessage, Result, ServerResponse, handler};

struct App;

impl App {
    #[handler]
    fn handle(&self, _req: IncomingMessage, _res: ServerResponse) -> Result<()> {
        Ok(())
    }
}

fn main() {}
