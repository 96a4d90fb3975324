//! Sends a form to another server, as a browser does: url-encoded, with its
//! length. The fields are lines `name=value` of the request's body.
//!
//! ```sh
//! innkeeper serve form_post.wasm --env FORM_URL=http://127.0.0.1:3000/guests \
//!     --outbound http://127.0.0.1:3000
//! printf 'name=Mrs. Pell\nroom=1 & 2\n' | curl --data-binary @- http://127.0.0.1:8080/
//! ```

use std::env;
use std::fmt::Write;

use innkeeper_guest::{IncomingMessage, Result, ServerResponse, client, handler};

const BODY_BYTES_MAX: u64 = 64 * 1024;

#[handler]
fn submit(req: IncomingMessage, res: ServerResponse) -> Result<()> {
    let fields = String::from_utf8(req.read_all(BODY_BYTES_MAX)?)?;
    let form: Vec<_> = fields.lines().filter_map(|line| line.split_once('=')).map(pair).collect();
    let answer = client::request("POST", &env::var("FORM_URL")?)
        .header("Content-Type", "application/x-www-form-urlencoded")
        .send(form.join("&"))?;
    let said = answer.read_all(BODY_BYTES_MAX)?;
    // Innkeeper would send only statuses that there are; a server may say more.
    res.set_status_code(if answer.status_code().is_some_and(|status| status < 400) { 200 } else { 502 });
    res.set_header("Content-Type", "text/plain")?;
    res.write(format!(
        "{} {}\n",
        answer.status_code().unwrap_or(0),
        answer.status_message().unwrap_or_default()
    ))?;
    Ok(res.end(said)?)
}

fn pair((name, value): (&str, &str)) -> String {
    format!("{}={}", encoded(name), encoded(value))
}

/// As the URL standard has it for forms: a space is `+`, and what is neither a
/// letter nor a digit nor one of `*-._` is `%XX`.
fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b' ' => encoded.push('+'),
            b'*' | b'-' | b'.' | b'_' => encoded.push(byte.into()),
            _ if byte.is_ascii_alphanumeric() => encoded.push(byte.into()),
            // Writing to a string does not fail.
            _ => _ = write!(encoded, "%{byte:02X}"),
        }
    }
    encoded
}
