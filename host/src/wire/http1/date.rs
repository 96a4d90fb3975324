//! The `Date` header: an IMF-fixdate (RFC 9110 5.6.7), rendered once a second
//! on each thread.

use std::cell::RefCell;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::BytesMut;

thread_local! {
    static RENDERED: RefCell<(u64, String)> = const { RefCell::new((0, String::new())) };
}

/// Appends `Date: …` and its line end.
pub fn put_date(out: &mut BytesMut) {
    // A clock before 1970 renders as 1970; there is no better answer.
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    RENDERED.with_borrow_mut(|(second, line)| {
        if *second != now || line.is_empty() {
            let date = httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(now));
            *line = format!("Date: {date}\r\n");
            *second = now;
        }
        out.extend_from_slice(line.as_bytes());
    });
}
