//! The end-to-end tests: the real binary, real components, real sockets.

mod seams;
