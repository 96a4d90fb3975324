//! A guest that does what the target of its request says, by whichever contract
//! it was built for: Innkeeper's own, or `wasi:http` 0.2 or 0.3 with the feature
//! `p2` or `p3`. Tests say the same to all three and compare.
//!
//! A target is steps, separated by `;`, as in `/status=201;set=X:1;end=made`;
//! [`play`] has the list. What a step failed with is a line of the guest's, as
//! in `set: forbidden`; the steps behind it go on. A step that there is not is
//! a 404.

mod crash;
#[cfg(not(any(feature = "p2", feature = "p3")))]
mod own;
#[cfg(all(feature = "p2", not(feature = "p3")))]
mod p2;
#[cfg(feature = "p3")]
mod p3;
mod play;

use std::time::Duration;

/// A field line.
type Field = (String, Vec<u8>);

/// What came of a step; the error is what a test compares.
type Outcome<T = ()> = Result<T, String>;

/// A request as a guest sees it.
#[derive(Clone)]
struct Facts {
    method: String,
    target: String,
    /// None where the contract has none.
    scheme: Option<String>,
    authority: Option<String>,
    headers: Vec<Field>,
}

/// A request and its response, by any contract. Where none of them waits, the
/// futures are ready at once.
trait Exchange {
    fn facts(&self) -> Facts;
    fn set_status(&mut self, status: u16) -> Outcome;
    /// One more line of the head.
    fn add_header(&mut self, name: &str, value: &[u8]) -> Outcome;
    /// Gives the head away, before any body.
    async fn send_head(&mut self) -> Outcome;
    /// Writes a piece, and waits until it is taken.
    async fn write(&mut self, piece: Vec<u8>) -> Outcome;
    /// Ends the response, with a last piece.
    async fn end(&mut self, piece: Vec<u8>, trailers: Vec<Field>) -> Outcome;
    /// Drops the response as far as it is.
    async fn leave(&mut self);
    /// Keeps the response, as far as it is, and never goes on with it.
    fn forget(&mut self);
    /// An error code in place of a response, or of its rest.
    async fn refuse(&mut self, code: &str) -> Outcome;
    /// A piece of the request's body; none at its end.
    async fn read(&mut self) -> Outcome<Option<Vec<u8>>>;
    /// What follows the body, once that was read.
    async fn trailers(&mut self) -> Outcome<Vec<Field>>;
    async fn sleep(&mut self, time: Duration);
    /// Takes one more handle of the host's, and keeps it.
    fn leak(&mut self);
}

/// The name of an error's case, as it is without its payload and in the words
/// of the contract: `HeaderError::InvalidSyntax` is `invalid-syntax`.
#[cfg(any(feature = "p2", feature = "p3"))]
fn case(error: &impl std::fmt::Debug) -> String {
    let shown = format!("{error:?}");
    let name = shown.split('(').next().unwrap_or_default();
    let name = name.rsplit("::").next().unwrap_or_default();
    let mut told = String::new();
    for (at, letter) in name.char_indices() {
        if letter.is_ascii_uppercase() && at > 0 {
            told.push('-');
        }
        told.push(letter.to_ascii_lowercase());
    }
    told
}

/// Runs what never waits.
#[cfg(not(feature = "p3"))]
fn run(playing: impl Future<Output = ()>) {
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    let polled = pin!(playing).poll(&mut Context::from_waker(Waker::noop()));
    assert!(matches!(polled, Poll::Ready(())), "this contract's calls return when they are done");
}
