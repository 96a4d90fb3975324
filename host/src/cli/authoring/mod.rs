//! What authors of handlers do: their project is found (`project`), its tools
//! are there or are installed (`tools`), it is built (`building`). The
//! subcommands are `build`, and `dev`, which watches the sources (`sources`).

pub mod build;
mod building;
pub mod dev;
mod project;
mod sources;
mod tools;
