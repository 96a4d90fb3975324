//! Commands as they stand on a page: joined where a line ends in `\`, without
//! comments, in words. The quotes of a shell are known; what a shell expands
//! is not, and stays as it is written.

/// The commands of a snippet in `sh`: what stands on its lines.
#[must_use]
pub fn commands(text: &str) -> Vec<Vec<String>> {
    text.replace("\\\n", " ").lines().map(words).filter(|words| !words.is_empty()).collect()
}

/// A snippet in `console`: each command behind a `$`, and the lines that it
/// prints.
#[must_use]
pub fn session(text: &str) -> Vec<(Vec<String>, Vec<&str>)> {
    let mut session: Vec<(String, Vec<&str>)> = Vec::new();
    for line in text.lines() {
        match (line.strip_prefix("$ "), session.last_mut()) {
            (Some(command), _) => session.push((command.to_owned(), Vec::new())),
            (None, Some((command, printed))) if command.ends_with('\\') && printed.is_empty() => {
                command.pop();
                command.push_str(line);
            }
            (None, Some((_, printed))) => printed.push(line),
            (None, None) => session.push((String::new(), vec![line])),
        }
    }
    session.into_iter().map(|(command, printed)| (words(&command), printed)).collect()
}

/// The arguments of the command, if it runs `innkeeper`: behind variables that
/// are set for it, and up to where a pipe, a redirection or another command
/// begins.
#[must_use]
pub fn innkeeper(words: &[String]) -> Option<&[String]> {
    let start = words.iter().position(|word| !is_assignment(word))?;
    let (program, arguments) = words.get(start..)?.split_first()?;
    let end = arguments.iter().position(|word| matches!(word.as_str(), "|" | ">" | "<" | "&" | "&&" | ";"));
    (program == "innkeeper").then(|| arguments.get(..end.unwrap_or(arguments.len())))?
}

fn is_assignment(word: &str) -> bool {
    word.split_once('=').is_some_and(|(name, _)| {
        !name.is_empty() && name.chars().all(|char| char.is_ascii_uppercase() || char == '_')
    })
}

/// The words of a line. A `#` where a word would begin ends it.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = None::<String>;
    let mut quote = None;
    for char in line.chars() {
        match (quote, char) {
            (Some(open), _) if char == open => quote = None,
            (None, '\'' | '"') => {
                quote = Some(char);
                word.get_or_insert_default();
            }
            (None, '#') if word.is_none() => break,
            (None, _) if char.is_whitespace() => words.extend(word.take()),
            _ => word.get_or_insert_default().push(char),
        }
    }
    words.extend(word);
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_commands() {
        let found = commands("# first\ncurl -H 'A: b  c' \\\n  \"x\"#y   # why\n\n");
        assert_eq!(found, [["curl", "-H", "A: b  c", "x#y"]]);
    }

    #[test]
    fn what_runs_innkeeper() {
        let found = commands("A_B=1 innkeeper serve x.wasm | cat\ncargo build\ninnkeeper top");
        let arguments: Vec<_> = found.iter().map(|words| innkeeper(words)).collect();
        let of = |words: &[&str]| words.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(arguments, [Some(&*of(&["serve", "x.wasm"])), None, Some(&*of(&["top"]))]);
    }

    #[test]
    fn commands_and_what_they_print() {
        let found = session("$ one \\\n  'a b'\nfirst\n\nsecond\n$ two\n");
        let of = |words: &[&str]| words.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(found, [(of(&["one", "a b"]), vec!["first", "", "second"]), (of(&["two"]), vec![])]);
    }
}
