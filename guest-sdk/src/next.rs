//! [`next`]: the handler behind this one, for middleware.

use crate::bindings::next::innkeeper::http::handler;
use crate::{IncomingMessage, ServerResponse};

/// Has the handler behind this component answer: a component that calls it
/// imports `innkeeper:http/handler` and is a middleware, which runs once it is
/// composed with another app (`wac plug`). The one behind has the same limits,
/// and the same environment.
///
/// It returns when that handler has returned. What was done to the response
/// before, such as setting a header, is there for it to see and to change.
pub fn next(req: IncomingMessage, res: ServerResponse) {
    // What tells the linker of the import is in the same object as this function,
    // which is left out if nothing of it is called.
    #[cfg(target_family = "wasm")]
    crate::bindings::next::__link_custom_section_describing_imports();
    handler::handle(req.into(), res.into());
}
