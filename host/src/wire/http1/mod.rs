//! The HTTP/1.0 and 1.1 codec, on `httparse` and strict: what could be read in
//! two ways is refused. Pure, but for `output` and `body`, which are handed the
//! socket.

pub mod head;
pub mod body;
pub mod chunked;
pub mod response;
pub mod response_head;
pub mod fields;
pub mod output;
pub mod date;
pub mod status;
pub mod syntax;
