//! Routes with parameters, by the crate `matchit`, and what a router owes its
//! clients beside: 404, 405 with `Allow`, HEAD wherever there is GET, OPTIONS.
//! A middleware is a function that calls the next one.
//!
//! ```sh
//! curl -i http://127.0.0.1:8080/rooms/7
//! curl -i -X DELETE http://127.0.0.1:8080/rooms
//! ```

use std::sync::LazyLock;

use innkeeper_guest::{IncomingMessage, Result, ServerResponse, handler};
use matchit::{Params, Router};

/// What answers, with the parameters of its path.
type Action = fn(&Params<'_, '_>, &IncomingMessage, &ServerResponse) -> Result<()>;

/// What there is at a path, by method.
type Methods = &'static [(&'static str, Action)];

static ROUTES: LazyLock<Router<Methods>> = LazyLock::new(|| {
    let mut routes = Router::new();
    let table: [(&str, Methods); 3] = [
        ("/", &[("GET", welcome)]),
        ("/rooms", &[("GET", rooms), ("POST", book)]),
        ("/rooms/{number}", &[("GET", room)]),
    ];
    for (path, methods) in table {
        routes.insert(path, methods).expect("no two paths of the table are the same");
    }
    routes
});

#[handler]
fn router(req: IncomingMessage, res: ServerResponse) -> Result<()> {
    named(&req, &res, route)
}

/// A middleware: what is said of every answer.
fn named(
    req: &IncomingMessage,
    res: &ServerResponse,
    next: fn(&IncomingMessage, &ServerResponse) -> Result<()>,
) -> Result<()> {
    res.set_header("Server", "inn")?;
    next(req, res)
}

fn route(req: &IncomingMessage, res: &ServerResponse) -> Result<()> {
    let url = req.url();
    let path = url.split('?').next().unwrap_or_default();
    let Ok(found) = ROUTES.at(path) else {
        return refused(res, 404, "there is nothing here\n");
    };
    let method = req.method();
    // The host leaves the body of an answer to HEAD out.
    let wanted = if method == "HEAD" { "GET" } else { method.as_str() };
    match found.value.iter().find(|(method, _)| *method == wanted) {
        Some((_, action)) => action(&found.params, req, res),
        None => {
            res.set_header("Allow", allowed(found.value))?;
            match wanted {
                "OPTIONS" => refused(res, 204, ""),
                _ => refused(res, 405, "not by this method\n"),
            }
        }
    }
}

fn allowed(methods: Methods) -> String {
    let named = methods.iter().flat_map(|(method, _)| match *method {
        "GET" => vec!["GET", "HEAD"],
        other => vec![other],
    });
    named.chain(["OPTIONS"]).collect::<Vec<_>>().join(", ")
}

fn refused(res: &ServerResponse, status: u16, text: &str) -> Result<()> {
    res.set_status_code(status);
    Ok(res.end(text)?)
}

fn welcome(_: &Params<'_, '_>, _: &IncomingMessage, res: &ServerResponse) -> Result<()> {
    Ok(res.end("Welcome to the inn\n")?)
}

fn rooms(_: &Params<'_, '_>, _: &IncomingMessage, res: &ServerResponse) -> Result<()> {
    Ok(res.end("7\n12\n")?)
}

fn book(_: &Params<'_, '_>, _: &IncomingMessage, res: &ServerResponse) -> Result<()> {
    res.set_header("Location", "/rooms/7")?;
    refused(res, 201, "it is yours\n")
}

fn room(params: &Params<'_, '_>, _: &IncomingMessage, res: &ServerResponse) -> Result<()> {
    match params.get("number").and_then(|number| number.parse::<u16>().ok()) {
        Some(number) => Ok(res.end(format!("room {number}\n"))?),
        None => refused(res, 404, "rooms have numbers\n"),
    }
}

#[cfg(test)]
mod tests {
    use innkeeper_guest::testing::{get, request};

    use super::router;

    #[test]
    fn paths_have_parameters() {
        let answer = get("/rooms/7?now").send(router);
        assert_eq!((answer.status(), answer.text().as_str()), (200, "room 7\n"));
        assert_eq!(answer.header("server"), Some("inn"));
        assert_eq!(get("/rooms/cellar").send(router).status(), 404);
        assert_eq!(get("/cellar").send(router).status(), 404);
    }

    #[test]
    fn methods_are_told() {
        let refused = request("DELETE", "/rooms").send(router);
        assert_eq!((refused.status(), refused.header("allow")), (405, Some("GET, HEAD, POST, OPTIONS")));
        assert_eq!(request("OPTIONS", "/").send(router).status(), 204);
        assert_eq!(request("POST", "/rooms").send(router).header("location"), Some("/rooms/7"));
        assert_eq!(request("HEAD", "/").send(router).status(), 200);
    }
}
