//! The steps, by any contract.

use std::collections::hash_map::RandomState;
use std::env;
use std::hash::{BuildHasher as _, Hasher as _};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use crate::{Exchange, Field, Outcome, crash};

/// Bytes of one write of `fill` and `pour`.
const PIECE_BYTES: usize = 64 * 1024;

/// Written between two lines of `pour`.
const POUR_LINE_BYTES: usize = 1 << 20;

/// Requests that this instance has had.
static REQUESTS: AtomicU64 = AtomicU64::new(0);

/// Does what the target says, and ends the response if it does not say how.
pub async fn play(exchange: &mut impl Exchange) {
    REQUESTS.fetch_add(1, Ordering::Relaxed);
    let target = exchange.facts().target;
    let path = target.split('?').next().unwrap_or_default();
    let steps = path.trim_start_matches('/').split(';').filter(|step| !step.is_empty());
    let mut trailers = Vec::new();
    for step in steps {
        let (name, value) = step.split_once('=').unwrap_or((step, ""));
        match step_of(exchange, name, &decoded(value), &mut trailers).await {
            Ok(Then::GoOn) => {}
            Ok(Then::Stop) => return,
            Err(error) => println!("{name}: {error}"),
        }
    }
    end(exchange, Vec::new(), trailers).await;
}

enum Then {
    GoOn,
    /// The response has its end.
    Stop,
}

async fn step_of(
    exchange: &mut impl Exchange,
    name: &str,
    value: &[u8],
    trailers: &mut Vec<Field>,
) -> Outcome<Then> {
    let text = String::from_utf8_lossy(value).into_owned();
    match name {
        // The head.
        "status" => exchange.set_status(number(&text)?)?,
        "set" => {
            let (name, value) = field(value);
            exchange.add_header(&name, &value)?;
        }
        "head" => exchange.send_head().await?,

        // The body, and its end.
        "write" => exchange.write(value.to_vec()).await?,
        "fill" => fill(exchange, number(&text)?).await?,
        "pour" => pour(exchange).await?,
        "trailer" => trailers.push(field(value)),
        "end" => return Ok(end(exchange, value.to_vec(), std::mem::take(trailers)).await),
        "leave" => {
            exchange.leave().await;
            return Ok(Then::Stop);
        }
        "forget" => {
            exchange.forget();
            return Ok(Then::Stop);
        }
        "error" => return exchange.refuse(&text).await.map(|()| Then::Stop),

        // The request.
        "dump" => {
            let told = dump(exchange);
            exchange.write(told.into_bytes()).await?;
        }
        "read" => {
            let body = collected(exchange).await?;
            println!("read {} bytes", body.len());
        }
        "first" => {
            let piece = exchange.read().await?.unwrap_or_default();
            println!("first {}", String::from_utf8_lossy(&piece));
        }
        "echo" => {
            while let Some(piece) = exchange.read().await? {
                exchange.write(piece).await?;
            }
        }
        "collect" => {
            let body = collected(exchange).await?;
            return Ok(end(exchange, body, std::mem::take(trailers)).await);
        }
        "pass-trailers" => trailers.extend(exchange.trailers().await?),

        // The sandbox.
        "print" => println!("{text}"),
        "complain" => eprintln!("{text}"),
        "lines" => (1..=number(&text)?).for_each(|line: u32| println!("line {line}")),
        "sleep" => exchange.sleep(Duration::from_millis(number(&text)?)).await,
        "env" => {
            let told = env::var(text).unwrap_or_else(|_| "none".to_owned());
            exchange.write(told.into_bytes()).await?;
        }
        "clock" => {
            let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
            let seconds = since.map_err(|error| error.to_string())?.as_secs();
            exchange.write(seconds.to_string().into_bytes()).await?;
        }
        "random" => {
            let told = RandomState::new().build_hasher().finish().to_string();
            exchange.write(told.into_bytes()).await?;
        }
        "counter" => {
            let told = REQUESTS.load(Ordering::Relaxed).to_string();
            exchange.write(told.into_bytes()).await?;
        }

        // The end of the instance.
        "trap" => std::process::abort(),
        "panic" => panic!("as it was asked to"),
        "exit" => std::process::exit(number(&text)?),
        "loop" => crash::compute_for_ever(),
        "grow" => crash::grow_for_ever(),
        "recurse" => println!("{}", crash::recurse(0)),
        "leak" => loop {
            exchange.leak();
        },
        _ => {
            exchange.set_status(404)?;
            exchange.end(format!("no step is called {name}\n").into_bytes(), Vec::new()).await?;
            return Ok(Then::Stop);
        }
    }
    Ok(Then::GoOn)
}

/// There is no second try, whatever became of it.
async fn end(exchange: &mut impl Exchange, piece: Vec<u8>, trailers: Vec<Field>) -> Then {
    if let Err(error) = exchange.end(piece, trailers).await {
        println!("end: {error}");
    }
    Then::Stop
}

async fn fill(exchange: &mut impl Exchange, bytes: usize) -> Outcome {
    let mut left = bytes;
    while left > 0 {
        let piece = left.min(PIECE_BYTES);
        exchange.write(vec![b'a'; piece]).await?;
        left -= piece;
    }
    Ok(())
}

/// Writes until it is refused, and says how far it is.
async fn pour(exchange: &mut impl Exchange) -> Outcome {
    let mut poured = 0_usize;
    loop {
        exchange.write(vec![b'a'; PIECE_BYTES]).await?;
        poured += PIECE_BYTES;
        if poured.is_multiple_of(POUR_LINE_BYTES) {
            println!("poured {}", poured / POUR_LINE_BYTES);
        }
    }
}

async fn collected(exchange: &mut impl Exchange) -> Outcome<Vec<u8>> {
    let mut body = Vec::new();
    while let Some(piece) = exchange.read().await? {
        body.extend(piece);
    }
    Ok(body)
}

/// A line for each fact; those that the contract has not are `-`.
fn dump(exchange: &impl Exchange) -> String {
    let facts = exchange.facts();
    let known = |fact: Option<String>| fact.unwrap_or_else(|| "-".to_owned());
    let mut told = format!(
        "method: {}\ntarget: {}\nscheme: {}\nauthority: {}\n",
        facts.method,
        facts.target,
        known(facts.scheme),
        known(facts.authority)
    );
    for (name, value) in facts.headers {
        told += &format!("header {name}: {}\n", String::from_utf8_lossy(&value));
    }
    told
}

fn number<T: std::str::FromStr>(text: &str) -> Outcome<T> {
    text.parse().map_err(|_| format!("{text} is no number"))
}

/// `Name:value`.
fn field(line: &[u8]) -> Field {
    let mut parts = line.splitn(2, |byte| *byte == b':');
    let name = String::from_utf8_lossy(parts.next().unwrap_or_default()).into_owned();
    (name, parts.next().unwrap_or_default().to_vec())
}

/// What was written with `%41` for `A`.
fn decoded(text: &str) -> Vec<u8> {
    let mut parts = text.split('%');
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        let (code, rest) = part.split_at_checked(2).unwrap_or((part, ""));
        bytes.extend(u8::from_str_radix(code, 16));
        bytes.extend(rest.as_bytes());
    }
    bytes
}
