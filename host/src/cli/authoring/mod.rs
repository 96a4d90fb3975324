//! What authors of handlers do: a project is begun from a `template`, or found
//! (`project`), its tools are there or are installed (`tools`), and it is built
//! (`building`). The subcommands are `new`, `build` and `dev`, which watches the
//! `sources`, those of `packages` beside it among them.

pub mod build;
mod building;
pub mod dev;
pub mod new;
mod packages;
mod project;
mod sources;
mod template;
mod tools;
