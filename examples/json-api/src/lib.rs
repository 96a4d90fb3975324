//! An API in JSON: what comes is checked by serde, and what is wrong is told as
//! JSON, too.
//!
//! ```sh
//! curl -i --json '{"nights": 2, "guests": 3}' http://127.0.0.1:8080/price
//! ```

use innkeeper_guest::{IncomingMessage, Result, ServerResponse, handler};
use serde::{Deserialize, Serialize};
use serde_json::json;

/// A body is in memory as a whole.
const BODY_BYTES_MAX: u64 = 16 * 1024;

/// For a guest and a night.
const COINS: u32 = 4;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Stay {
    nights: u8,
    guests: u8,
}

#[derive(Serialize)]
struct Price {
    coins: u32,
}

#[handler]
fn api(req: IncomingMessage, res: ServerResponse) -> Result<()> {
    match (req.method().as_str(), req.url().as_str()) {
        ("POST", "/price") => {}
        (_, "/price") => {
            res.set_header("Allow", "POST")?;
            return refused(&res, 405, "ask by POST");
        }
        _ => return refused(&res, 404, "there is /price"),
    }
    let stay: Stay = match req.json(BODY_BYTES_MAX) {
        Ok(stay) => stay,
        Err(error) => return error.answer(&res),
    };
    if stay.guests == 0 {
        return refused(&res, 422, "nobody comes: guests is 0");
    }
    res.json(&Price { coins: COINS * u32::from(stay.nights) * u32::from(stay.guests) })
}

fn refused(res: &ServerResponse, status: u16, error: &str) -> Result<()> {
    res.set_status_code(status);
    res.json(&json!({ "error": error }))
}

#[cfg(test)]
mod tests {
    use innkeeper_guest::testing::{Answer, request};

    use super::api;

    fn ask(body: &str) -> Answer {
        request("POST", "/price").header("Content-Type", "application/json").body(body).send(api)
    }

    #[test]
    fn a_price() {
        assert_eq!(ask(r#"{"nights": 2, "guests": 3}"#).text(), r#"{"coins":24}"#);
    }

    #[test]
    fn mistakes_have_their_status() {
        assert_eq!(ask("{").status(), 400);
        assert_eq!(ask(r#"{"nights": 2, "guests": 3, "dogs": 1}"#).status(), 400);
        assert_eq!(ask(r#"{"nights": 2, "guests": 0}"#).status(), 422);
        assert_eq!(request("POST", "/price").body("{}").send(api).status(), 415);
        assert_eq!(request("GET", "/price").send(api).header("allow"), Some("POST"));
    }
}
