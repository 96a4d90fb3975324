//! An API in JSON. Here are the routes, and how errors are told; `greeting.rs`
//! has what is behind them.
//!
//! ```sh
//! curl http://127.0.0.1:8080/greetings/Ada
//! curl -d '{"name": "Ada", "language": "fr"}' http://127.0.0.1:8080/greetings
//! ```

mod greeting;

use innkeeper_guest::{IncomingMessage, Result, ServerResponse, handler};
use serde::Serialize;
use serde_json::json;

use greeting::{Greeting, Wish};

/// A body is in memory as a whole.
const BODY_BYTES_MAX: u64 = 64 * 1024;

/// What a client is told in place of what it wanted: a status and a sentence.
struct Problem(u16, String);

#[handler]
fn api(req: IncomingMessage, res: ServerResponse) -> Result<()> {
    let url = req.url();
    let path = url.split('?').next().unwrap_or_default();
    let segments: Vec<_> = path.split('/').filter(|segment| !segment.is_empty()).collect();
    match (req.method().as_str(), segments.as_slice()) {
        ("GET", []) => answer(&res, 200, &json!({ "try": ["/greetings/Ada"] })),
        ("GET", ["greetings", name]) => finish(&res, 200, greeting::to(&Wish::of(name))),
        ("POST", ["greetings"]) => {
            let wish = read(&req)?;
            finish(&res, 201, wish.and_then(|wish| greeting::to(&wish)))
        }
        (_, [] | ["greetings"] | ["greetings", _]) => {
            finish(&res, 405, Err(Problem(405, "there is nothing here for this method".to_owned())))
        }
        _ => finish(&res, 404, Err(Problem(404, format!("there is nothing at {path}")))),
    }
}

/// Reads a wish from the body; the inner error is the client's.
fn read(req: &IncomingMessage) -> Result<Result<Wish, Problem>> {
    let body = req.read_all(BODY_BYTES_MAX)?;
    Ok(serde_json::from_slice(&body).map_err(|error| Problem(400, format!("the body is no wish: {error}"))))
}

fn finish(res: &ServerResponse, status: u16, outcome: Result<Greeting, Problem>) -> Result<()> {
    match outcome {
        Ok(greeting) => answer(res, status, &greeting),
        Err(Problem(status, error)) => answer(res, status, &json!({ "error": error })),
    }
}

fn answer(res: &ServerResponse, status: u16, body: &impl Serialize) -> Result<()> {
    res.set_status_code(status);
    res.set_header("Content-Type", "application/json")?;
    Ok(res.end(serde_json::to_vec(body)?)?)
}

#[cfg(test)]
mod tests {
    use innkeeper_guest::testing;
    use serde_json::Value;

    use super::*;

    fn ask(request: testing::Request) -> (u16, Value) {
        let answer = request.send(api);
        let body = serde_json::from_slice(&answer.body()).expect("every answer is JSON");
        (answer.status(), body)
    }

    #[test]
    fn a_greeting_is_got() {
        let (status, body) = ask(testing::get("/greetings/Ada"));
        assert_eq!((status, &body["text"]), (200, &json!("Hello, Ada!")));
    }

    #[test]
    fn a_greeting_is_made() {
        let wish = r#"{"name": "Ada", "language": "fr"}"#;
        let (status, body) = ask(testing::request("POST", "/greetings").body(wish));
        assert_eq!((status, &body["text"]), (201, &json!("Bonjour, Ada!")));
    }

    #[test]
    fn mistakes_are_told() {
        assert_eq!(ask(testing::get("/nowhere")).0, 404);
        assert_eq!(ask(testing::request("DELETE", "/greetings/Ada")).0, 405);
        assert_eq!(ask(testing::request("POST", "/greetings").body("{")).0, 400);
        let (status, body) = ask(testing::request("POST", "/greetings").body(r#"{"name": ""}"#));
        assert_eq!((status, &body["error"]), (422, &json!("name is empty")));
    }
}
