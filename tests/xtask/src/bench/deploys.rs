//! Whether deploys and a drain cost requests: an app is asked without a pause
//! while its versions change, and while the host ends.

use std::fs;
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use innkeeper_harness::{DEADLINE, guests};

use super::Args;
use super::components::numbered;
use super::host::{Host, folder};
use super::load::{self, Clients, Tally, Target};
use super::report::Report;

/// The title of the section.
pub const TITLE: &str = "Deploys and a drain under load";

const HEAD: &[&str] =
    &["while", "requests answered", "wrong", "lost", "met a close", "requests/s", "p50", "p99", "wanted"];

const DEPLOYS: u32 = 100;

const CONFIG: &str = r#"listen = ["127.0.0.1:0"]
state = "state"

[admin]
listen = "127.0.0.1:0"

[log]
access = "off"

[[app]]
name = "hello"
"#;

/// Measures it.
///
/// # Errors
/// A host that does not come up, a deploy that fails.
pub fn measure(program: &Path, args: &Args) -> Result<Report> {
    let how = format!(
        "`hello` is asked on {} connections, one request at a time each and the next one at once, first for {} s without a deploy, then during {DEPLOYS} deploys of components that are all different, each compiled anew, one right after the other, then across SIGTERM until the host has ended. \
         Lost: no whole answer came. Met a close: the host closed the idle connection just as the request was sent, and no byte of an answer came; clients repeat those (RFC 9112, 9.3.1).",
        load::CONNECTIONS,
        args.seconds
    );
    let mut report = Report::new(TITLE, how, HEAD);
    let hello = fs::read(guests::component("hello")?).context("cannot read the component")?;
    let host = Host::start(program, &folder("deploys")?, CONFIG, DEADLINE)?;
    host.deploy("hello", &hello)?;
    let target = Target::hello(host.address, "hello.example");
    target.drive(Duration::from_secs(1))?;
    report.row(row("nothing happens", "", &target.drive(Duration::from_secs(args.seconds.into()))?));

    let clients = Clients::start(&target);
    let mut times = Vec::new();
    for number in 0..DEPLOYS {
        times.push(host.deploy("hello", &numbered(&hello, number))?.as_secs_f64());
    }
    let tally = clients.stop()?;
    ensure!(tally.refused == 0, "the host refused {} connections", tally.refused);
    let name = format!("{DEPLOYS} deploys, {:.2} s each", super::median(times));
    report.row(row(&name, "0 wrong, 0 lost", &tally));

    let clients = Clients::start(&target);
    sleep(Duration::from_secs(1));
    host.drain()?;
    let tally = clients.ended()?;
    ensure!(host.ended()?, "the drain did not end in order");
    report.row(row("a second, then a drain", "0 wrong, 0 lost", &tally));
    Ok(report)
}

fn row(name: &str, wanted: &str, tally: &Tally) -> [String; 9] {
    [
        name.to_owned(),
        tally.answered().to_string(),
        tally.wrong.to_string(),
        tally.lost.to_string(),
        tally.met_close.to_string(),
        format!("{:.0}", tally.per_second()),
        format!("{:.0} µs", tally.quantile(0.5)),
        format!("{:.0} µs", tally.quantile(0.99)),
        wanted.to_owned(),
    ]
}
