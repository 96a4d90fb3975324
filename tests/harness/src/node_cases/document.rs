//! `docs/node-compat.md`, from what became of the cases.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::script::Verdict;
use super::{CASES, Outcome, Played, count};

/// The file that [`render`] is the text of.
pub const PATH: &str = "docs/node-compat.md";

/// The document.
#[must_use]
pub fn render(played: &[Played]) -> String {
    let mut text = String::new();
    // Writing to a string does not fail.
    let _ = write_all(&mut text, played);
    text
}

fn write_all(text: &mut String, played: &[Played]) -> std::fmt::Result {
    let (passed, failed, skipped) = count(played);
    writeln!(text, "# How Innkeeper compares with Node.js\n")?;
    writeln!(
        text,
        "Written by `cargo xtask node-cases --write-docs` from `{CASES}`; a test fails when it is out of date. \
         Each case is a script of what a user of Node's `http` module expects, compared in bytes.\n"
    )?;
    writeln!(text, "**{passed} of {} cases pass**, {failed} fail, {skipped} are skipped.\n", played.len())?;
    write_areas(text, played)?;
    write_differences(text, played)?;
    write_skipped(text, played)?;
    write_failed(text, played)
}

fn write_areas(text: &mut String, played: &[Played]) -> std::fmt::Result {
    let mut order = Vec::new();
    let mut areas: BTreeMap<&str, Vec<Played>> = BTreeMap::new();
    for one in played {
        let area = one.case.area.as_str();
        if !areas.contains_key(area) {
            order.push(area);
        }
        areas.entry(area).or_default().push(one.clone());
    }
    writeln!(text, "| area | cases | pass | fail | skipped |\n|---|--:|--:|--:|--:|")?;
    for area in order {
        let cases = areas.get(area).map(Vec::as_slice).unwrap_or_default();
        let (passed, failed, skipped) = count(cases);
        writeln!(text, "| {area} | {} | {passed} | {failed} | {skipped} |", cases.len())?;
    }
    writeln!(text)
}

fn write_differences(text: &mut String, played: &[Played]) -> std::fmt::Result {
    writeln!(
        text,
        "## Deliberate differences\n\nWhere Node 20 does something else, and why Innkeeper does not follow.\n"
    )?;
    writeln!(text, "| case | what happens | why Innkeeper differs |\n|---|---|---|")?;
    for one in played.iter().filter(|one| one.case.verdict == Verdict::Innkeeper) {
        let case = &one.case;
        let mark = if matches!(one.outcome, Outcome::Skipped(_)) { " (skipped)" } else { "" };
        writeln!(
            text,
            "| {}{mark} | {} | {} |",
            case.id,
            cell(&case.title),
            cell(case.why.as_deref().unwrap_or(""))
        )?;
    }
    writeln!(text)
}

fn write_skipped(text: &mut String, played: &[Played]) -> std::fmt::Result {
    let mut reasons: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for one in played {
        if let Outcome::Skipped(reason) = &one.outcome {
            reasons.entry(reason).or_default().push(&one.case.id);
        }
    }
    if reasons.is_empty() {
        return Ok(());
    }
    writeln!(
        text,
        "## Skipped\n\nCases that need what this version does not have.\n\n| reason | cases |\n|---|---|"
    )?;
    for (reason, ids) in reasons {
        writeln!(text, "| {reason} | {} |", ids.join(", "))?;
    }
    writeln!(text)
}

fn write_failed(text: &mut String, played: &[Played]) -> std::fmt::Result {
    let failed: Vec<_> = played.iter().filter(|one| matches!(one.outcome, Outcome::Failed(_))).collect();
    if failed.is_empty() {
        return Ok(());
    }
    writeln!(text, "## Failing\n\n| case | what should happen |\n|---|---|")?;
    for one in failed {
        writeln!(text, "| {} | {} |", one.case.id, cell(&one.case.title))?;
    }
    writeln!(text)
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node_cases::load;
    use crate::workspace;

    #[test]
    fn every_deliberate_difference_is_listed() {
        let cases = load(&workspace::root().join(CASES)).expect("the cases are read");
        let played: Vec<_> = cases
            .into_iter()
            .map(|case| Played { case, outcome: Outcome::Skipped("needs `x`".into()) })
            .collect();
        let text = render(&played);
        for one in played.iter().filter(|one| one.case.verdict == Verdict::Innkeeper) {
            assert!(text.contains(&format!("| {} (skipped) | ", one.case.id)), "{}", one.case.id);
        }
        assert!(text.contains("| needs `x` | F01, "));
    }
}
