//! A guest that behaves badly, in the way that the request target names. Tests
//! of the host use it to see that each way costs what its limit says and
//! nothing more. `route` lists them all; the modules hold them by kind.

use innkeeper_guest::{IncomingMessage, Result, ServerResponse, handler};

mod body;
mod connection;
mod crash;
mod ending;
mod head;
mod sandbox;
mod state;
mod wait;

#[handler]
fn route(req: IncomingMessage, res: ServerResponse) -> Result<()> {
    let url = req.url();
    let (path, query) = url.split_once('?').unwrap_or((&url, ""));
    match path {
        "/ok" => Ok(res.end("ok")?),

        "/trap" => crash::trap(),
        "/panic" => panic!("the guest panics"),
        "/exit" => std::process::exit(1),
        "/stack" => Ok(res.end(crash::recurse(0).to_string())?),
        "/loop" => crash::compute_for_ever(),
        "/compute" => crash::compute(&res, number(query, "rounds")),
        "/loop-after-head" => crash::compute_after_head(&res),
        "/grow" => crash::grow_for_ever(),
        "/handles" => crash::leak_handles(&req),

        "/no-end" => Ok(()),
        "/no-end-after-write" => Ok(res.write("part")?),
        "/write-after-end" => ending::write_after_end(&res),
        "/err" => ending::fail(),
        "/err-after-head" => ending::fail_after_head(&res),
        "/finished" => ending::wait_until_finished(&res),
        "/post-work" => ending::work_after_end(&res, milliseconds(query)),

        "/huge-head" => head::fill(&res),
        "/inject" => head::inject(&res),

        "/output" => body::write_for_ever(&res),
        "/try-output" => body::write_without_waiting(&res),
        "/never-read" => Ok(res.end("not read")?),
        "/poll" => body::read_beside_a_clock(&req, &res),

        "/sleep" => wait::sleep_then_answer(&res, milliseconds(query)),
        "/sleep-forever" => wait::sleep_for_ever(),
        "/set-timeout" => wait::sleep_past_a_timeout(&res, milliseconds(query)),

        "/socket" => connection::tell(&req.socket(), &res),
        "/destroy" => connection::destroy(&res),
        "/destroy-soon" => connection::destroy_soon(&req.socket(), &res, milliseconds(query)),

        "/log" => sandbox::log(&res, number(query, "n")),
        "/log-flood" => sandbox::log(&res, 100_000),
        "/env" => sandbox::tell_variable(&res, query),
        "/fs" => sandbox::list_root(&res),
        "/tcp" => sandbox::connect(&res),

        "/counter" => state::count(&res),
        "/keep-handle" => state::keep_handles(req, res),

        _ => {
            res.set_status_code(404);
            Ok(res.end("no such misbehaviour\n")?)
        }
    }
}

fn milliseconds(query: &str) -> std::time::Duration {
    std::time::Duration::from_millis(number(query, "ms"))
}

/// A number from the query; 0 if it is not there.
fn number(query: &str, name: &str) -> u64 {
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let mut values = pairs.filter(|(key, _)| *key == name);
    let value = values.next().and_then(|(_, value)| value.parse().ok());
    value.unwrap_or(0)
}

/// What became of a call, as the tests compare it: `ok`, or the error's code.
fn outcome<T>(result: std::result::Result<T, innkeeper_guest::ErrorCode>) -> &'static str {
    match result {
        Ok(_) => "ok",
        Err(code) => code.code(),
    }
}
