//! The feature `config`.

use innkeeper_guest::{IncomingMessage, Result, ServerResponse, config, testing};

fn shown(_req: IncomingMessage, res: ServerResponse) -> Result<()> {
    let mut all = config::all()?;
    all.sort_unstable();
    let lines: String = all.into_iter().map(|(key, value)| format!("{key}={value}\n")).collect();
    Ok(res.end(format!("{:?}\n{lines}", config::get("currency")?))?)
}

#[test]
fn the_configuration_is_what_the_test_says() {
    assert_eq!(testing::get("/").send(shown).text(), "None\n");
    let answer = testing::get("/").config("currency", "EUR").config("a.b", "c").send(shown);
    assert_eq!(answer.text(), "Some(\"EUR\")\na.b=c\ncurrency=EUR\n");
}
