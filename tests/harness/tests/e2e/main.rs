//! The end-to-end tests: the real binary, real components, real sockets.

mod cases;
mod cli;
mod examples;
mod misbehave;
mod seams;
