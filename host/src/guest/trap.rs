//! How a trap is told: what it was, and where in the guest.

use std::path::Path;

use wasmtime::{FrameInfo, FrameSymbol, WasmBacktrace};
use wasmtime_wasi::I32Exit;

use crate::guest::stdio::printable;

/// Innermost functions of a guest's stack that a log line names.
const FRAMES_MAX: usize = 8;

/// Innermost places in the sources that are told, where they are known.
const PLACES_MAX: usize = 16;

/// The cause of a trap in one line, and the guest's own stack if it has one;
/// if the sources' lines are known, each function has a line, too.
pub(super) fn explain(error: &wasmtime::Error) -> String {
    if let Some(I32Exit(code)) = error.downcast_ref() {
        return format!("the guest exited with code {code}");
    }
    let cause = printable(error.root_cause().to_string().as_bytes());
    let frames = error.downcast_ref().map(WasmBacktrace::frames).unwrap_or_default();
    let places: Vec<_> = frames.iter().flat_map(places_of).take(PLACES_MAX).collect();
    if !places.is_empty() {
        return format!("{cause}{}", places.concat());
    }
    let names = frames.iter().filter_map(FrameInfo::func_name).take(FRAMES_MAX);
    let stack: Vec<_> = names.map(demangled).collect();
    if stack.is_empty() {
        return cause;
    }
    // The names are the guest's own.
    format!("{cause}; in {}", printable(stack.join(" < ").as_bytes()))
}

/// Where in the sources a frame is, as lines of their own; the standard
/// library's aside, which is not where an author looks.
fn places_of(frame: &FrameInfo) -> Vec<String> {
    let here = std::env::current_dir().unwrap_or_default();
    let place = |symbol: &FrameSymbol| {
        let file = Path::new(symbol.file()?);
        if file.starts_with("/rustc") {
            return None;
        }
        let file = file.strip_prefix(&here).unwrap_or(file).display();
        let name = demangled(symbol.name().or(frame.func_name()).unwrap_or("a function"));
        let line = symbol.line().unwrap_or_default();
        Some(format!("\n    in {}", printable(format!("{name} ({file}:{line})").as_bytes())))
    };
    frame.symbols().iter().filter_map(place).collect()
}

/// Without the hash that tells two builds of a function apart.
fn demangled(name: &str) -> String {
    format!("{:#}", rustc_demangle::demangle(name))
}
