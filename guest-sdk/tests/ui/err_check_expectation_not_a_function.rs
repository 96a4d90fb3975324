use innkeeper_guest::check_expectation_handler;

#[check_expectation_handler]
const EXPECTATION: &str = "none";

fn main() {}
