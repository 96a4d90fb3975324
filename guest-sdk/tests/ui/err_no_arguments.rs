use innkeeper_guest::{Result, handler};

#[handler]
fn handle() -> Result<()> {
    Ok(())
}

fn main() {}
