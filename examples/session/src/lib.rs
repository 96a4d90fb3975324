//! A session: a name that nobody can guess, in a cookie, and what is known
//! under it in a bucket.
//!
//! ```sh
//! innkeeper serve session.wasm --keyvalue sessions
//! curl -i -c jar -b jar http://127.0.0.1:8080/
//! ```

use innkeeper_guest::{IncomingMessage, Result, ServerResponse, handler, keyvalue};

#[handler]
fn visits(req: IncomingMessage, res: ServerResponse) -> Result<()> {
    let sessions = keyvalue::open("sessions")?;
    let given = req.cookies().get("session").filter(|name| is_name(name)).map(str::to_owned);
    // A name that a client has made up is nobody's session.
    let name = match given {
        Some(name) if sessions.exists(&name)? => name,
        _ => {
            let name = fresh_name()?;
            res.set_cookie(("session", name.as_str()))?;
            name
        }
    };
    let visits = sessions.increment(&name, 1)?;
    Ok(res.end(format!("visit {visits}\n"))?)
}

/// 128 random bits.
fn fresh_name() -> Result<String> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

fn is_name(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use innkeeper_guest::testing;

    use super::*;

    #[test]
    fn a_client_is_known_by_its_cookie_and_by_no_other() {
        let sessions = testing::bucket();
        let ask = |cookie: &str| {
            testing::get("/").header("Cookie", cookie).bucket("sessions", &sessions).send(visits)
        };
        let first = ask("a=b");
        assert_eq!(first.text(), "visit 1\n");
        let cookie = first.header("Set-Cookie").expect("a session begins");
        let again = ask(cookie.split(';').next().unwrap_or_default());
        assert_eq!((again.text().as_str(), again.header("Set-Cookie")), ("visit 2\n", None));
        assert_eq!(ask(&format!("session={}", "0".repeat(32))).text(), "visit 1\n");
    }

    #[test]
    fn names_are_names_and_no_two_are_the_same() {
        let (one, other) = (fresh_name().expect("random bits"), fresh_name().expect("random bits"));
        assert!(is_name(&one) && is_name(&other) && one != other);
        assert!(!is_name("guess") && !is_name(&"g".repeat(32)));
    }
}
