//! What many apps with a component each cost: the start of a host that has to
//! compile them and of one that has not, memory, and one more deploy.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use innkeeper_harness::guests;

use super::components::numbered;
use super::host::{Host, folder};
use super::load::Target;
use super::report::Report;

/// The title of the section.
pub const TITLE: &str = "A thousand apps";

const HEAD: &[&str] = &["what", "1,000 apps", "1 app", "for each app more"];

const MANY: u32 = 1000;

/// Time for a host to come up that compiles everything.
const COMPILING: Duration = Duration::from_secs(900);

/// What a host with so many apps costs.
struct Costs {
    cold: Duration,
    warm: Duration,
    bytes_cold: f64,
    bytes_warm: f64,
    deploy: Duration,
}

/// Measures it.
///
/// # Errors
/// A host that does not come up, or does not answer for an app.
pub fn measure(program: &Path) -> Result<Report> {
    let hello = fs::read(guests::component("hello")?).context("cannot read the component")?;
    let how = format!(
        "one configuration file; each app has a component of its own ({} kB, `hello` and a custom section with a number), a tenant and a host. \
         Cold: nothing is compiled beforehand; warm: everything is in the cache. One more deploy: from the first byte of the upload of one more such component until it answers requests. \
         Each once.",
        hello.len() / 1000
    );
    let mut report = Report::new(TITLE, how, HEAD);
    let (many, one) = (costs(program, &hello, MANY)?, costs(program, &hello, 1)?);
    let more = f64::from(MANY - 1);
    let mut time = |what: &str, of: fn(&Costs) -> Duration, each: bool| {
        let (many, one) = (of(&many).as_secs_f64(), of(&one).as_secs_f64());
        let more = if each { format!("{:.2} ms", (many - one) / more * 1e3) } else { String::new() };
        report.row([what.to_owned(), format!("{many:.2} s"), format!("{one:.2} s"), more]);
    };
    time("start, cold", |costs| costs.cold, true);
    time("start, warm", |costs| costs.warm, true);
    time("one more deploy", |costs| costs.deploy, false);
    let mut memory = |what: &str, of: fn(&Costs) -> f64| {
        let (many, one) = (of(&many), of(&one));
        let more = format!("{:.0} kB", (many - one) / more / 1e3);
        report.row([what.to_owned(), format!("{:.1} MB", many / 1e6), format!("{:.1} MB", one / 1e6), more]);
    };
    memory("resident memory, cold", |costs| costs.bytes_cold);
    memory("resident memory, warm", |costs| costs.bytes_warm);
    Ok(report)
}

fn costs(program: &Path, hello: &[u8], apps: u32) -> Result<Costs> {
    let folder = folder(&format!("apps-{apps}"))?;
    let mut config = "listen = [\"127.0.0.1:0\"]\nstate = \"state\"\n\n[admin]\nlisten = \"127.0.0.1:0\"\n\n\
        [log]\naccess = \"off\"\n\n[[app]]\nname = \"late\"\nroutes = [{ host = \"late.example\" }]\n"
        .to_owned();
    for app in 0..apps {
        let component = folder.join(format!("{app}.wasm"));
        fs::write(&component, numbered(hello, app)).context("cannot write a component")?;
        // Writing to a string does not fail.
        let _ = write!(
            config,
            "\n[[app]]\nname = \"app-{app}\"\ntenant = \"tenant-{app}\"\ncomponent = \"{app}.wasm\"\n\
             routes = [{{ host = \"app-{app}.example\" }}]\n"
        );
    }
    // The cache is in the state directory, and that is new.
    let cold = Host::start(program, &folder, &config, COMPILING)?;
    let (cold_start, bytes_cold) = (cold.start, cold.resident_bytes()?);
    drop(cold);
    let warm = Host::start(program, &folder, &config, COMPILING)?;
    let bytes_warm = warm.resident_bytes()?;
    for app in [0, apps - 1] {
        answers(&warm, &format!("app-{app}.example"))?;
    }
    let deploy = warm.deploy("late", &numbered(hello, apps))?;
    answers(&warm, "late.example")?;
    Ok(Costs { cold: cold_start, warm: warm.start, bytes_cold, bytes_warm, deploy })
}

fn answers(host: &Host, name: &str) -> Result<()> {
    let asked = Target::hello(host.address, name).drive(Duration::from_millis(100));
    asked.map(drop).with_context(|| format!("{name} does not answer"))
}
