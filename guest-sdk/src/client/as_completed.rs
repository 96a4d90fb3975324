//! [`as_completed`]: several responses, in the order in which they come.

use super::ClientRequest;
use crate::{ErrorCode, IncomingMessage, Pollable, poll};

/// The responses of several requests that were ended, in the order in which
/// they come, each with the index of its request.
///
/// A request that fails gives its error in the same way, and one of
/// [`ErrorCode::Timeout`] goes on and is not waited for any more. Whoever
/// stops before the end leaves the others as they are.
///
/// ```no_run
/// # use innkeeper_guest::{Result, client};
/// # fn example(mirrors: &[&str]) -> Result<()> {
/// let mut requests = Vec::new();
/// for url in mirrors {
///     let request = client::request("GET", url).start()?;
///     request.end_empty()?;
///     requests.push(request);
/// }
/// let fastest = client::as_completed(&requests).find_map(|(_, response)| response.ok());
/// # Ok(())
/// # }
/// ```
pub fn as_completed(requests: &[ClientRequest]) -> AsCompleted<'_> {
    let waiting = requests.iter().enumerate();
    let waiting = waiting.map(|(index, request)| (index, request, request.subscribe())).collect();
    AsCompleted { waiting }
}

/// The iterator of [`as_completed`].
#[derive(Debug)]
pub struct AsCompleted<'a> {
    /// Those whose response was not given yet.
    waiting: Vec<(usize, &'a ClientRequest, Pollable)>,
}

impl Iterator for AsCompleted<'_> {
    type Item = (usize, Result<IncomingMessage, ErrorCode>);

    fn next(&mut self) -> Option<Self::Item> {
        let pollables: Vec<_> = self.waiting.iter().map(|(_, _, pollable)| pollable).collect();
        let first = *poll(&pollables).first()?;
        let (index, request, _) = self.waiting.remove(first);
        Some((index, request.response()))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.waiting.len(), Some(self.waiting.len()))
    }
}

impl ExactSizeIterator for AsCompleted<'_> {}
