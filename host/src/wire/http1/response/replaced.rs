//! The host's own answers: they take the place of whatever a guest has set and
//! not sent.

use std::time::Duration;

use crate::wire::http1::fields::FieldLimits;
use crate::wire::http1::response::Response;
use crate::wire::http1::response_head::ResponseContext;

/// What one of the host's own answers tells beside its status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hint {
    /// `Retry-After`: when it is worth trying again.
    RetryAfter(Duration),
    /// `Allow`: the methods that there are.
    Allow(String),
}

impl Response {
    /// Puts the host's own answer in place of whatever was set and not sent.
    /// The caller has checked [`Response::is_unsent`].
    pub fn replace(&mut self, status: u16, body: &str, hint: Option<&Hint>, close: bool) {
        // The host may give a body that a guest may not; it is dropped.
        let context = ResponseContext { reject_body_not_allowed: false, ..self.context.clone() };
        *self = Response::new(context);
        self.keep_alive &= !close;
        self.status = status;
        let limits = FieldLimits { bytes_max: usize::MAX, lines_max: usize::MAX };
        let mut set = |name: &str, value: &str| {
            // The names and values are the host's own and known to be good.
            let _ = self.fields.set(name, vec![value.as_bytes().to_vec()], limits);
        };
        set("Content-Type", "text/plain; charset=utf-8");
        match hint {
            Some(Hint::RetryAfter(wait)) => {
                // Whole seconds, and not before the time.
                let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
                set("Retry-After", itoa::Buffer::new().format(seconds));
            }
            Some(Hint::Allow(methods)) => set("Allow", methods),
            None => {}
        }
        let ended = self.end(Some(body.as_bytes().to_vec()));
        debug_assert_eq!(ended, Ok(()), "the host's own answer is well formed");
    }
}
