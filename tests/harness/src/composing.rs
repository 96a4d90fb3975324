//! Components composed of two, as `wac plug` does it: one that imports a
//! handler, and one whose export takes its place.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, anyhow};
use wac_graph::types::Package;
use wac_graph::{CompositionGraph, EncodeOptions, PackageId, plug};

/// Puts `middleware` in front of `app`, and gives the bytes of both as one.
///
/// # Errors
///
/// If a file cannot be read, or what the one imports is not what the other
/// exports.
pub fn in_front(middleware: &Path, app: &Path) -> Result<Vec<u8>> {
    let mut graph = CompositionGraph::new();
    let socket = add(&mut graph, "local:middleware", middleware)?;
    let behind = add(&mut graph, "local:app", app)?;
    plug(&mut graph, vec![behind], socket).map_err(|error| {
        anyhow!("{} does not fit behind {}: {error}", app.display(), middleware.display())
    })?;
    graph.encode(EncodeOptions::default()).context("cannot write the composition")
}

fn add(graph: &mut CompositionGraph, name: &str, path: &Path) -> Result<PackageId> {
    let bytes = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let package = Package::from_bytes(name, None, bytes, graph.types_mut())
        .with_context(|| format!("{} is no component", path.display()))?;
    graph.register_package(package).with_context(|| format!("cannot take {} in", path.display()))
}
