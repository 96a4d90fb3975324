//! The calls of a script: `open NAME`, and on what that opened `get K`,
//! `size K`, `set K V`, `fill K BYTES`, `delete K`, `exists K`, `list`,
//! `page CURSOR`, `get-many K…`, `set-many K=V…`, `delete-many K…`,
//! `increment K N`; what compares and swaps is in [`cas`].

use std::fmt::Debug;

use crate::bindings::wasi::keyvalue0_2_0_draft as first;
use crate::bindings::wasi::keyvalue0_2_0_draft2 as second;
use crate::{beside, cas};

/// The bucket that a script has open, by both drafts.
#[derive(Default)]
pub struct Buckets {
    first: Option<first::store::Bucket>,
    second: Option<second::store::Bucket>,
}

/// What the drafts have in common, but for the types of cursors and numbers.
macro_rules! call {
    ($draft:ident, $bucket:expr, $what:expr, $words:expr, $cursor:expr) => {{
        let (bucket, words) = ($bucket, $words);
        let word = |at: usize| words.get(at).copied().unwrap_or_default();
        let keys = || words.iter().map(|key| (*key).to_owned()).collect::<Vec<_>>();
        match $what {
            "get" => tell(bucket.get(word(0)), |value| value.map_or("none".to_owned(), text)),
            "size" => tell(bucket.get(word(0)), |value| value.unwrap_or_default().len().to_string()),
            "set" => done(bucket.set(word(0), word(1).as_bytes())),
            "fill" => done(bucket.set(word(0), &vec![b'x'; word(1).parse().unwrap_or_default()])),
            "delete" => done(bucket.delete(word(0))),
            "exists" => tell(bucket.exists(word(0)), |there| there.to_string()),
            "page" => tell(bucket.list_keys($cursor(word(0))), |page| format!("{page:?}")),
            "list" => {
                let (mut keys, mut pages, mut cursor) = (Vec::new(), 0, String::new());
                loop {
                    match bucket.list_keys($cursor(&cursor)) {
                        Ok(page) => {
                            pages += 1;
                            keys.extend(page.keys);
                            match page.cursor {
                                Some(next) => cursor = next.to_string(),
                                None => break,
                            }
                        }
                        Err(error) => return format!("{error:?}"),
                    }
                }
                keys.sort_unstable();
                format!("{} in {pages}", keys.join(" "))
            }
            "get-many" => tell($draft::batch::get_many(bucket, &keys()), |pairs| format!("{pairs:?}")),
            "set-many" => {
                let pairs = words.iter().filter_map(|pair| pair.split_once('='));
                let pairs: Vec<_> =
                    pairs.map(|(key, value)| (key.to_owned(), value.as_bytes().to_vec())).collect();
                done($draft::batch::set_many(bucket, &pairs))
            }
            "delete-many" => done($draft::batch::delete_many(bucket, &keys())),
            "increment" => {
                let sum = $draft::atomics::increment(bucket, word(0), word(1).parse().unwrap_or(1));
                tell(sum, |sum| sum.to_string())
            }
            other => format!("there is no call {other}"),
        }
    }};
}

impl Buckets {
    /// Carries one call out; what came of it.
    pub fn call(&mut self, call: &str) -> String {
        let words: Vec<_> = call.split_whitespace().collect();
        match words.as_slice() {
            ["open"] => self.open(""),
            ["open", name] => self.open(name),
            ["config" | "old-config" | "log" | "old-log", ..] => beside::call(call),
            ["2", what, words @ ..] => match &self.second {
                Some(bucket) if what.starts_with("cas") => cas::call(bucket, what, words),
                Some(bucket) => call!(second, bucket, *what, words, cursor_text),
                None => "no bucket".to_owned(),
            },
            [what, words @ ..] => match &self.first {
                Some(bucket) => call!(first, bucket, *what, words, cursor_number),
                None => "no bucket".to_owned(),
            },
            [] => String::new(),
        }
    }

    fn open(&mut self, name: &str) -> String {
        match (first::store::open(name), second::store::open(name)) {
            (Ok(first), Ok(second)) => {
                (self.first, self.second) = (Some(first), Some(second));
                "open".to_owned()
            }
            (first, second) => format!("{:?} {:?}", first.err(), second.err()),
        }
    }
}

fn cursor_number(cursor: &str) -> Option<u64> {
    cursor.parse().ok()
}

fn cursor_text(cursor: &str) -> Option<&str> {
    Some(cursor).filter(|cursor| !cursor.is_empty())
}

fn tell<T, E: Debug>(outcome: Result<T, E>, tell: impl FnOnce(T) -> String) -> String {
    outcome.map_or_else(|error| format!("{error:?}"), tell)
}

fn done<E: Debug>(outcome: Result<(), E>) -> String {
    tell(outcome, |()| "done".to_owned())
}

/// A value as text.
pub fn text(value: Vec<u8>) -> String {
    String::from_utf8_lossy(&value).into_owned()
}
