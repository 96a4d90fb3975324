//! Snippets in Rust and what a reader does with them: a whole guest is served,
//! with the flags of the last `innkeeper serve` below it, what stands in
//! `console` after that is done and compared, and what stands in `log` is
//! looked for in the host's log.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use innkeeper_harness::book::{self, Page, Snippet, curl::Curl, guests, printed, shell};
use innkeeper_harness::logs::LogLine;
use innkeeper_harness::server::{Running, Server};
use innkeeper_harness::{DEADLINE, workspace};

/// The guest that a reader of the page has by now, and how it is served.
struct Reader<'a> {
    built: &'a BTreeMap<String, PathBuf>,
    guest: Option<String>,
    flags: Vec<String>,
    running: Option<Running>,
    asked: usize,
    faults: Vec<String>,
}

#[test]
fn guests_answer_as_their_pages_say() {
    let all = book::snippets().expect("the pages can be read");
    let rust: Vec<_> = all.into_iter().filter(|snippet| snippet.language == "rust").collect();
    let built = guests::build(&rust).expect("every snippet in Rust compiles");
    let pages = book::pages().expect("the pages can be read");
    let read: Vec<_> = pages.iter().map(|page| follow(page, &built)).collect();
    assert!(read.iter().any(|reader| reader.asked > 0), "no page asks its guest for anything");
    let faults: Vec<_> = read.into_iter().flat_map(|reader| reader.faults).collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// Does what the page says.
fn follow<'a>(page: &Page, built: &'a BTreeMap<String, PathBuf>) -> Reader<'a> {
    let (flags, faults) = (Vec::new(), Vec::new());
    let mut reader = Reader { built, guest: None, flags, running: None, asked: 0, faults };
    for snippet in page.snippets().expect("the fences are closed") {
        match snippet.language.as_str() {
            "rust" if guests::is_whole(&snippet) => reader.take(guests::name(&snippet)),
            "sh" => reader.serve_as(&shell::commands(&snippet.text)),
            "console" => reader.act(&snippet),
            "log" => reader.look_for(&snippet),
            _ => {}
        }
    }
    reader
}

impl Reader<'_> {
    fn take(&mut self, guest: String) {
        (self.guest, self.flags, self.running) = (Some(guest), Vec::new(), None);
    }

    fn serve_as(&mut self, commands: &[Vec<String>]) {
        for arguments in commands.iter().filter_map(|command| shell::innkeeper(command)) {
            if let ["serve", component, flags @ ..] =
                &*arguments.iter().map(String::as_str).collect::<Vec<_>>()
                && component.ends_with(".wasm")
            {
                self.flags = flags.iter().map(ToString::to_string).collect();
                self.running = None;
            }
        }
    }

    fn act(&mut self, snippet: &Snippet) {
        let session = shell::session(&snippet.text);
        for (command, wanted) in &session {
            let (program, arguments) =
                command.split_first().unwrap_or_else(|| panic!("{snippet}: no command"));
            let said = match program.as_str() {
                "curl" => self.curl(snippet, arguments),
                "innkeeper" => self.innkeeper(snippet, arguments),
                other => panic!("{snippet}: the tests cannot run `{other}`"),
            };
            self.asked += 1;
            if let Err(difference) = printed::compare(wanted, &said) {
                self.faults.push(format!("{snippet}: the page has {difference}\nall of it:\n{said}"));
            }
        }
    }

    fn curl(&mut self, snippet: &Snippet, arguments: &[String]) -> String {
        let curl = Curl::parse(arguments).unwrap_or_else(|error| panic!("{snippet}: {error:#}"));
        let component = self.component(snippet).to_owned();
        let flags = &self.flags;
        let running = self.running.get_or_insert_with(|| {
            flags.iter().fold(Server::at(component), |server, flag| server.flag(flag)).start()
        });
        let mut client = running.connect();
        // The answer may come, and the connection close, before all is sent.
        client.try_send(curl.request());
        let response = if curl.only_head() { client.read_response_to_head() } else { client.read_response() };
        curl.printed(&response)
    }

    /// Lines that the host has logged by now: level, target, message.
    fn look_for(&mut self, snippet: &Snippet) {
        let running =
            self.running.as_ref().unwrap_or_else(|| panic!("{snippet}: nothing was asked above it"));
        for wanted in snippet.text.lines() {
            let is_it = |line: &LogLine| {
                let LogLine { level, target, message, .. } = line;
                printed::line_fits(wanted, &format!("{level} {target}: {message}"))
            };
            if let Err(error) = running.try_wait_log(is_it, DEADLINE) {
                self.faults.push(format!("{snippet}: `{wanted}` is not logged: {error:#}"));
            }
        }
    }

    /// A command about the component, which a page names as it likes.
    fn innkeeper(&self, snippet: &Snippet, arguments: &[String]) -> String {
        let component = self.component(snippet);
        let arguments = arguments.iter().map(|argument| match argument.ends_with(".wasm") {
            true => component.as_os_str().to_owned(),
            false => argument.into(),
        });
        let host = workspace::host_binary().expect("the host can be built");
        let ran = Command::new(host).args(arguments).output().expect("the host starts");
        [ran.stdout, ran.stderr].map(|output| String::from_utf8_lossy(&output).into_owned()).concat()
    }

    fn component(&self, snippet: &Snippet) -> &Path {
        let guest = self.guest.as_ref().unwrap_or_else(|| panic!("{snippet}: there is no guest above it"));
        &self.built[guest]
    }
}
