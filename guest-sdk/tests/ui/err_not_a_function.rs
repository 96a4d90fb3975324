use innkeeper_guest::handler;

#[handler]
struct Handler;

fn main() {}
