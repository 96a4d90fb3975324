//! The book: what its pages show is built, served, asked and checked, and its
//! links lead somewhere. `docs/README.md` says what a reader may rely on.

mod configurations;
mod languages;
mod served;

use std::collections::BTreeSet;
use std::process::{Command, Stdio};

use innkeeper_harness::book::{self, Page, Snippet, guests, links, shell};
use innkeeper_harness::workspace;

/// The languages of snippets that are checked: `help` is that of the generated
/// page, and `log` what the guest above it has the host log.
const CHECKED: &[&str] = &["rust", "toml", "sh", "console", "log", "json", "wit", "help", "js", "python"];

/// How many snippets there may be beside them. One more is to be shown in a
/// form that can be checked, if there is any.
const UNCHECKED_MAX: usize = 4;

fn snippets(language: &str) -> Vec<Snippet> {
    let all = book::snippets().expect("the pages can be read");
    all.into_iter().filter(|snippet| snippet.language == language).collect()
}

fn pages() -> Vec<Page> {
    book::pages().expect("the pages can be read")
}

#[test]
fn every_link_leads_somewhere() {
    let faults: Vec<_> = pages()
        .iter()
        .flat_map(|page| links::local(page).into_iter().filter_map(|target| links::fault(page, &target)))
        .collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn the_summary_has_every_page_once() {
    let pages = pages();
    let summary = pages.iter().find(|page| page.path == "docs/SUMMARY.md").expect("the book has a summary");
    let targets = links::local(summary);
    let listed: Vec<_> = targets.iter().map(|target| links::resolved(summary, target)).collect();
    let once: BTreeSet<_> = listed.iter().collect();
    assert_eq!(once.len(), listed.len(), "SUMMARY.md has a page twice");
    let is_listed = |page: &&Page| listed.iter().any(|path| path.as_os_str() == page.path.as_str());
    let inside = |page: &&Page| page.path.starts_with("docs/") && page.path != summary.path;
    let missing: Vec<_> =
        pages.iter().filter(inside).filter(|page| !is_listed(page)).map(|page| &page.path).collect();
    assert!(missing.is_empty(), "SUMMARY.md lacks {missing:?}");
}

#[test]
fn what_is_not_checked_is_little() {
    let all = book::snippets().expect("the pages can be read");
    let unchecked: Vec<_> = all
        .iter()
        .filter(|snippet| !CHECKED.contains(&snippet.language.as_str()))
        .map(|snippet| format!("{snippet} ({})", snippet.language))
        .collect();
    println!("{} of {} snippets are not checked: {}", unchecked.len(), all.len(), unchecked.join(", "));
    assert!(unchecked.len() <= UNCHECKED_MAX, "not checked are\n{}", unchecked.join("\n"));
}

#[test]
fn commands_exist_with_their_flags() {
    let host = workspace::host_binary().expect("the host can be built");
    let (mut asked, mut faults) = (0, Vec::new());
    for snippet in snippets("sh").iter().chain(&snippets("console")) {
        let commands = match snippet.language.as_str() {
            "sh" => shell::commands(&snippet.text),
            _ => shell::session(&snippet.text).into_iter().map(|(command, _)| command).collect(),
        };
        for arguments in commands.iter().filter_map(|command| shell::innkeeper(command)) {
            // clap reads what is before `--help`, and refuses what it does not
            // know.
            let help = Command::new(&host).args(arguments).arg("--help").stdin(Stdio::null()).output();
            let help = help.expect("the host starts");
            asked += 1;
            if !help.status.success() {
                let said = String::from_utf8_lossy(&help.stderr);
                faults.push(format!("{snippet}: innkeeper {}: {said}", arguments.join(" ")));
            }
        }
    }
    assert!(asked > 0, "no page runs the host");
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn json_is_json() {
    for snippet in snippets("json") {
        let read: Result<serde_json::Value, _> = serde_json::from_str(&snippet.text);
        assert!(read.is_ok(), "{snippet}: {read:?}");
    }
}

#[test]
fn wit_is_that_of_the_contract() {
    let folder = workspace::root().join("wit");
    let files = std::fs::read_dir(folder).expect("the contract is there").filter_map(Result::ok);
    let contract: Vec<_> = files.filter_map(|file| std::fs::read_to_string(file.path()).ok()).collect();
    for snippet in snippets("wit") {
        let lines = || snippet.text.lines().map(str::trim).filter(|line| !line.is_empty());
        let missing =
            lines().find(|line| !contract.iter().any(|file| file.lines().any(|it| it.trim() == *line)));
        assert_eq!(missing, None, "{snippet}: this line is not in wit/");
    }
}

#[test]
fn names_of_snippets_are_names_of_targets() {
    let names: Vec<_> = snippets("rust").iter().map(guests::name).collect();
    let once: BTreeSet<_> = names.iter().collect();
    assert_eq!(once.len(), names.len(), "two snippets would be one target: {names:?}");
}
