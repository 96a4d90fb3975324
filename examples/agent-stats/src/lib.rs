//! What an agent has: connections in use, free ones, and requests that wait.
//! `/ask` asks the other server four times at once, of which two have to wait;
//! `/end` closes the connections.
//!
//! ```sh
//! innkeeper serve agent_stats.wasm --env URL=http://127.0.0.1:3000/ \
//!     --outbound http://127.0.0.1:3000
//! curl http://127.0.0.1:8080/ask http://127.0.0.1:8080/
//! ```

use std::env;

use innkeeper_guest::client::{self, Agent, AgentOptions};
use innkeeper_guest::{IncomingMessage, Result, ServerResponse, handler};

const BODY_BYTES_MAX: u64 = 64 * 1024;

#[handler]
fn stats(req: IncomingMessage, res: ServerResponse) -> Result<()> {
    // By its name the next instance finds it again, and its connections.
    let agent = Agent::open("stats", AgentOptions { max_sockets: Some(2), ..AgentOptions::default() })?;
    res.set_header("Content-Type", "text/plain")?;
    match req.url().as_str() {
        "/ask" => ask(&agent, &res)?,
        "/end" => agent.destroy(),
        _ => {}
    }
    Ok(res.end(told(&agent))?)
}

fn ask(agent: &Agent, res: &ServerResponse) -> Result<()> {
    let url = env::var("URL")?;
    let mut requests = Vec::new();
    for _ in 0..4 {
        let request = client::request("GET", &url).agent(agent).start()?;
        request.end_empty()?;
        requests.push(request);
    }
    for (place, request) in requests.iter().enumerate() {
        let response = request.response()?;
        // Two have a connection, and the first one's is not free yet.
        if place == 0 {
            res.write(told(agent))?;
        }
        response.read_all(BODY_BYTES_MAX)?;
    }
    Ok(())
}

fn told(agent: &Agent) -> String {
    let line = |origin: client::OriginStats| {
        let client::OriginStats { name, sockets, free_sockets, requests, .. } = origin;
        format!("{name} {sockets} in use, {free_sockets} free, {requests} waiting\n")
    };
    let lines: String = agent.stats().into_iter().map(line).collect();
    if lines.is_empty() { "nothing\n".to_owned() } else { lines }
}
