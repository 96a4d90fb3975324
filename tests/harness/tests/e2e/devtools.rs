//! A headless Chromium, told what to do over the DevTools protocol. It has a
//! profile of its own, and does not outlive its owner.

use std::process::Command;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use innkeeper_harness::chromium;
use innkeeper_harness::process::{Output, Process};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::runtime::{self, Runtime};
use tokio::time::timeout;
use tokio_websockets::{ClientBuilder, Message, WebSocketStream};

/// A browser takes its time to start, the more so beside other tests.
const WITHIN: Duration = Duration::from_secs(90);

/// One browser with one page.
pub struct Browser {
    runtime: Runtime,
    socket: WebSocketStream<TcpStream>,
    session: Option<String>,
    calls: u64,
    process: Process,
    _profile: TempDir,
}

impl Browser {
    /// Starts it, with an empty page.
    #[track_caller]
    pub fn start() -> Self {
        let profile = tempfile::tempdir().expect("a folder for the profile");
        let process = Process::spawn(&mut command(&profile)).expect("Chromium starts");
        let url = process.wait_lines(Output::Stderr, WITHIN, |lines| {
            lines.iter().find_map(|line| Some(line.strip_prefix("DevTools listening on ")?.to_owned()))
        });
        let runtime = runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let socket = runtime.block_on(connect(&url.expect("Chromium tells its address")));
        let mut browser = Self { runtime, socket, session: None, calls: 0, process, _profile: profile };
        let target = browser.call("Target.createTarget", json!({ "url": "about:blank" }));
        let attach = json!({ "targetId": target["targetId"], "flatten": true });
        let session = browser.call("Target.attachToTarget", attach);
        browser.session = session["sessionId"].as_str().map(str::to_owned);
        browser.call("Page.enable", json!({}));
        browser
    }

    /// Opens a page, and waits until all of it is there.
    #[track_caller]
    pub fn open(&mut self, url: &str) {
        let result = self.call("Page.navigate", json!({ "url": url }));
        assert!(result.get("errorText").is_none(), "cannot open {url}: {result}");
        while self.receive()["method"] != "Page.loadEventFired" {}
    }

    /// Evaluates an expression on the page, and waits for the promise that it
    /// may be.
    #[track_caller]
    pub fn evaluate(&mut self, expression: &str) -> Value {
        let asked = json!({ "expression": expression, "awaitPromise": true, "returnByValue": true });
        let answer = self.call("Runtime.evaluate", asked);
        assert!(answer.get("exceptionDetails").is_none(), "`{expression}` failed: {answer:#}");
        answer["result"]["value"].clone()
    }

    /// Has it end by itself, so that it takes all of its processes with it.
    pub fn close(mut self) {
        self.session = None;
        self.call("Browser.close", json!({}));
        self.process.wait_exit(WITHIN).expect("Chromium ends");
    }

    #[track_caller]
    fn call(&mut self, method: &str, params: Value) -> Value {
        self.calls += 1;
        let mut call = json!({ "id": self.calls, "method": method, "params": params });
        if let Some(session) = &self.session {
            call["sessionId"] = json!(session);
        }
        self.runtime.block_on(self.socket.send(Message::text(call.to_string()))).expect("Chromium listens");
        loop {
            let mut answer = self.receive();
            // The others are events.
            if answer["id"] == self.calls {
                assert!(answer.get("error").is_none(), "{method} failed: {answer}");
                return answer["result"].take();
            }
        }
    }

    #[track_caller]
    fn receive(&mut self) -> Value {
        let next = async { timeout(WITHIN, self.socket.next()).await };
        let message = self.runtime.block_on(next).expect("Chromium answers in time");
        let message = message.expect("Chromium runs").expect("Chromium speaks WebSocket");
        serde_json::from_str(message.as_text().expect("Chromium speaks JSON")).expect("Chromium speaks JSON")
    }
}

fn command(profile: &TempDir) -> Command {
    let chromium = chromium::find().expect("CHROMIUM names an executable");
    let remedy = "there is no Chromium: `cargo xtask test` installs one, or name one in CHROMIUM";
    let mut command = Command::new(chromium.expect(remedy));
    // What it leaves behind elsewhere goes with the profile.
    command.env("TMPDIR", profile.path()).env("HOME", profile.path());
    command.arg(format!("--user-data-dir={}", profile.path().display())).args([
        "--headless=new",
        "--remote-debugging-port=0",
        // Its sandbox does not run as root, and it opens nothing but our page.
        "--no-sandbox",
        // Containers have little of this, and no GPU.
        "--disable-dev-shm-usage",
        "--disable-gpu",
        // It shall talk to nobody else.
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--no-first-run",
    ]);
    command
}

async fn connect(url: &str) -> WebSocketStream<TcpStream> {
    let address = url.split('/').nth(2).expect("the address has a host");
    let stream = TcpStream::connect(address).await.expect("Chromium listens");
    let builder = ClientBuilder::new().uri(url).expect("the address is one");
    builder.connect_on(stream).await.expect("Chromium speaks WebSocket").0
}
