//! A real browser against `examples/websocket-echo`: the page that the example
//! serves, in Chromium. `cargo xtask test --browser off` leaves it out.

use innkeeper_harness::server::Server;

use crate::devtools::Browser;

#[test]
fn a_page_converses_with_the_server_that_it_came_from() {
    let server = Server::of("websocket-echo").start();
    let mut browser = Browser::start();
    browser.open(&format!("http://{}/", server.addr()));
    let report = browser.evaluate("converse(300, 7)");
    assert_eq!(report["received"], 300, "{report:#}");
    assert_eq!(report["equal"], true, "{report:#}");
    browser.close();
}
