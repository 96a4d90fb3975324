//! `server`: not granted, as it is not unless an operator grants it.

use super::types::ErrorCode;

macro_rules! denied {
    ($($name:ident($($argument:ident)?) -> $result:ty;)*) => {$(
        pub fn $name($($argument: u32)?) -> Result<$result, ErrorCode> {
            $(let _ = $argument;)?
            Err(ErrorCode::Denied("server-control; the operator grants it with --allow".to_owned()))
        }
    )*};
}

denied! {
    listening() -> bool;
    get_connections() -> u64;
    close() -> ();
    close_idle_connections() -> ();
    close_all_connections() -> ();
    keep_alive_timeout() -> u32;
    set_keep_alive_timeout(_milliseconds) -> ();
    headers_timeout() -> u32;
    set_headers_timeout(_milliseconds) -> ();
    request_timeout() -> u32;
    set_request_timeout(_milliseconds) -> ();
    timeout() -> u32;
    set_timeout(_milliseconds) -> ();
}
