//! Compares what was printed with what a page says. `…` on the page stands for
//! what differs from run to run, or does not matter there: alone on a line for
//! any lines, inside one for any text.

/// What a page writes where it leaves something out.
const ANY: &str = "…";

/// The first line of the page that was not printed in its place; none if all
/// of them were, and nothing beside them.
///
/// # Errors
///
/// That line, or that there is more.
pub fn compare(page: &[&str], printed: &str) -> Result<(), String> {
    let printed: Vec<_> = printed.lines().collect();
    fits(trimmed(page), trimmed(&printed))
}

/// Without the empty lines at the end: whether a body ends with a newline is
/// not seen on a page.
fn trimmed<'a, 'b>(lines: &'a [&'b str]) -> &'a [&'b str] {
    let end = lines.iter().rposition(|line| !line.trim().is_empty()).map_or(0, |last| last + 1);
    lines.get(..end).unwrap_or_default()
}

fn fits(page: &[&str], printed: &[&str]) -> Result<(), String> {
    let Some((wanted, page)) = page.split_first() else {
        return match printed.first() {
            None => Ok(()),
            Some(more) => Err(format!("nothing where it printed `{more}`")),
        };
    };
    if *wanted == ANY {
        let rests = (0..=printed.len()).filter_map(|skipped| printed.get(skipped..));
        let mut found = rests.map(|rest| fits(page, rest));
        return match found.find(Result::is_ok) {
            Some(fits) => fits,
            None => Err(format!("`{}` somewhere below", page.first().unwrap_or(&"the end"))),
        };
    }
    match printed.split_first() {
        Some((line, printed)) if line_fits(wanted.trim_end(), line.trim_end()) => fits(page, printed),
        Some((line, _)) => Err(format!("`{wanted}` where it printed `{line}`")),
        None => Err(format!("`{wanted}` where it printed nothing more")),
    }
}

/// Whether one line is what the page says.
#[must_use]
pub fn line_fits(wanted: &str, line: &str) -> bool {
    let Some((first, others)) = wanted.split_once(ANY) else { return wanted == line };
    let Some(rest) = line.strip_prefix(first) else { return false };
    let starts = rest.char_indices().map(|(at, _)| at).chain([rest.len()]);
    starts.filter_map(|at| rest.get(at..)).any(|rest| line_fits(others, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_is_not_compared() {
        assert_eq!(compare(&["a", "…", "Date: …", "", "z", ""], "a\nb\nc\nDate: now\n\nz"), Ok(()));
        assert_eq!(compare(&["…"], ""), Ok(()));
        assert_eq!(compare(&["x … y …"], "x 1 y 2"), Ok(()));
    }

    #[test]
    fn what_differs_is_told() {
        assert_eq!(compare(&["a"], "b"), Err("`a` where it printed `b`".to_owned()));
        assert_eq!(compare(&["a"], "a\nb"), Err("nothing where it printed `b`".to_owned()));
        assert_eq!(compare(&["a", "b"], "a"), Err("`b` where it printed nothing more".to_owned()));
        assert_eq!(compare(&["…", "b"], "a\nc"), Err("`b` somewhere below".to_owned()));
    }
}
