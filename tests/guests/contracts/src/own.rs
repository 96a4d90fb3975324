//! The guest of Innkeeper's own contract.

use std::mem::forget;
use std::thread::sleep;
use std::time::Duration;

use innkeeper_guest::{ErrorCode, IncomingMessage, Result, ServerResponse, handler};

use crate::play::play;
use crate::{Exchange, Facts, Field, Outcome};

const PIECE_BYTES_MAX: u32 = 64 * 1024;

#[handler]
fn answer(req: IncomingMessage, res: ServerResponse) -> Result<()> {
    crate::run(play(&mut Own { req, res }));
    Ok(())
}

struct Own {
    req: IncomingMessage,
    res: ServerResponse,
}

fn told<T>(result: std::result::Result<T, ErrorCode>) -> Outcome<T> {
    result.map_err(|code| code.code().to_owned())
}

impl Exchange for Own {
    fn facts(&self) -> Facts {
        Facts {
            method: self.req.method(),
            target: self.req.url(),
            scheme: None,
            authority: None,
            headers: self.req.raw_headers(),
        }
    }

    fn set_status(&mut self, status: u16) -> Outcome {
        self.res.set_status_code(status);
        Ok(())
    }

    fn add_header(&mut self, name: &str, value: &[u8]) -> Outcome {
        told(self.res.append_header(name, value))
    }

    async fn send_head(&mut self) -> Outcome {
        told(self.res.flush_headers())
    }

    async fn write(&mut self, piece: Vec<u8>) -> Outcome {
        told(self.res.write(piece))
    }

    async fn end(&mut self, piece: Vec<u8>, trailers: Vec<Field>) -> Outcome {
        let mut added = Ok(());
        if !trailers.is_empty() {
            // Trailers need chunks, which a response in one piece has not.
            told(self.res.flush_headers())?;
            added = told(self.res.add_trailers(&trailers));
        }
        let ended = if piece.is_empty() { self.res.end_empty() } else { self.res.end(piece) };
        added.and(told(ended))
    }

    async fn leave(&mut self) {}

    fn forget(&mut self) {}

    async fn refuse(&mut self, _code: &str) -> Outcome {
        // There are none; a handler that fails just returns.
        Ok(())
    }

    async fn read(&mut self) -> Outcome<Option<Vec<u8>>> {
        told(self.req.read_piece(PIECE_BYTES_MAX))
    }

    async fn trailers(&mut self) -> Outcome<Vec<Field>> {
        Ok(self.req.raw_trailers())
    }

    async fn sleep(&mut self, time: Duration) {
        sleep(time);
    }

    fn leak(&mut self) {
        forget(self.req.subscribe());
    }
}
