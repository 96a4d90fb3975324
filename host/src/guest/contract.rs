//! By which contract a component is served: told from its bytes before it is
//! compiled, because that decides which engine compiles it. What is not a
//! component at all is told what it is, and what to do about it.

use std::path::Path;

use anyhow::{Context as _, Result, bail};
use wasmparser::{Encoding, Parser, Payload};

/// The export that makes a component an app of our own contract.
pub const INNKEEPER_HANDLER: &str = "innkeeper:http/handler@0.1.0";

/// The beginnings of the standard exports, any patch version of which is
/// served.
const WASI_HTTP_02: &str = "wasi:http/incoming-handler@0.2.";
const WASI_HTTP_03: &str = "wasi:http/handler@0.3.";

/// The export of a Node program that jco made a component of.
const JCO_NODE: &str = "jco:node/http-callbacks@0.1.0";

/// How a component answers requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Contract {
    /// `innkeeper:http/handler`.
    Innkeeper,
    /// `wasi:http/incoming-handler@0.2`.
    WasiHttp02,
    /// `wasi:http/handler@0.3`.
    WasiHttp03,
    /// `jco:node/http-callbacks`: a Node program with a server of its own.
    JcoNode,
    /// None that is known.
    Unknown,
}

/// Names of what a component imports and exports, at its surface.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Surface {
    /// Its imports, in order.
    pub imports: Vec<String>,
    /// Its exports, in order.
    pub exports: Vec<String>,
}

/// What of a core module says for what it was built.
#[derive(Debug, Default)]
struct Core {
    preview1: bool,
    unstable: bool,
    /// It has a world, and only lacks the component around it.
    has_world: bool,
}

impl Contract {
    /// Says by which contract a component with this surface is served. Our own
    /// comes first; of the two standard ones that without concurrency, which
    /// has an instance to itself.
    pub fn of(surface: &Surface) -> Self {
        let exports = |wanted: &dyn Fn(&str) -> bool| surface.exports.iter().any(|name| wanted(name));
        if exports(&|name| name == INNKEEPER_HANDLER) {
            Contract::Innkeeper
        } else if exports(&|name| name.starts_with(WASI_HTTP_02)) {
            Contract::WasiHttp02
        } else if exports(&|name| is_final(name, WASI_HTTP_03)) {
            Contract::WasiHttp03
        } else if exports(&|name| name == JCO_NODE) {
            Contract::JcoNode
        } else {
            Contract::Unknown
        }
    }

    /// How it is called in messages.
    pub fn name(self) -> &'static str {
        match self {
            Contract::Innkeeper => INNKEEPER_HANDLER,
            Contract::WasiHttp02 => "wasi:http/incoming-handler@0.2",
            Contract::WasiHttp03 => "wasi:http/handler@0.3",
            Contract::JcoNode => JCO_NODE,
            Contract::Unknown => "none that this host serves",
        }
    }
}

impl Surface {
    /// Reads the names of a component; `path` is what it is called in errors.
    /// Everything within it is left to the compiler.
    ///
    /// # Errors
    /// A core module, with what to do to make a component of it; bytes that
    /// are no WebAssembly.
    pub fn read(bytes: &[u8], path: &Path) -> Result<Self> {
        recognise(bytes, path)?;
        let broken = || format!("{} is not a valid component", path.display());
        let mut surface = Surface::default();
        let mut depth = 0_u32;
        for payload in Parser::new(0).parse_all(bytes) {
            match payload.with_context(broken)? {
                Payload::Version { .. } => depth += 1,
                Payload::End(_) => depth = depth.saturating_sub(1),
                Payload::ComponentImportSection(imports) if depth == 1 => {
                    for import in imports {
                        surface.imports.push(import.with_context(broken)?.name.name.to_owned());
                    }
                }
                Payload::ComponentExportSection(exports) if depth == 1 => {
                    for export in exports {
                        surface.exports.push(export.with_context(broken)?.name.name.to_owned());
                    }
                }
                _ => {}
            }
        }
        Ok(surface)
    }

    /// Whether it imports what only an engine with concurrency has.
    pub fn wants_concurrency(&self) -> bool {
        self.imports.iter().any(|name| name.starts_with("wasi:") && name.contains("@0.3."))
    }

    /// Refuses a component that no contract fits.
    ///
    /// # Errors
    /// What it exports instead, and what to do.
    pub fn check(&self) -> Result<()> {
        if Contract::of(self) != Contract::Unknown {
            return Ok(());
        }
        let export = |prefix: &str| self.exports.iter().find(|name| name.starts_with(prefix));
        if let Some(other) = export("innkeeper:http/handler") {
            bail!(
                "it exports {other}, but this host speaks {INNKEEPER_HANDLER}; rebuild it with a matching \
                 innkeeper-guest"
            );
        }
        if let Some(other) = export("wasi:http/incoming-handler").or_else(|| export("wasi:http/handler")) {
            bail!(
                "it exports {other}, which is not a version that this host serves; it serves any \
                 wasi:http/incoming-handler@0.2 and any final wasi:http/handler@0.3: rebuild it for one of them"
            );
        }
        if export("wasi:cli/run").is_some() {
            bail!(
                "it exports wasi:cli/run: it is a command, which runs once, and not a handler of requests; \
                 export {INNKEEPER_HANDLER} or wasi:http/incoming-handler@0.2"
            );
        }
        bail!(
            "it does not export {INNKEEPER_HANDLER}; use #[innkeeper_guest::handler] on its handler, or export \
             wasi:http/incoming-handler@0.2"
        )
    }
}

/// Whether bytes begin as a component does; `path` is what they are called in
/// errors.
///
/// # Errors
/// A core module, with what to do to make a component of it; what is no
/// WebAssembly.
pub fn recognise(bytes: &[u8], path: &Path) -> Result<()> {
    let path = path.display();
    if Parser::is_component(bytes) {
        return Ok(());
    }
    if !Parser::is_core_wasm(bytes) {
        bail!("{path} is not WebAssembly");
    }
    // The rest of a damaged one has nothing to add.
    let core = Core::of(bytes);
    if core.has_world {
        bail!(
            "{path} is a core WebAssembly module whose component was never made; run \
             `wasm-tools component new` on it, or build it for the target wasm32-wasip2"
        );
    }
    if core.preview1 {
        bail!(
            "{path} is a WASI preview 1 module, not a component: it imports wasi_snapshot_preview1; build it for \
             the target wasm32-wasip2, or wrap it with `wasm-tools component new --adapt` and WASI's adapter"
        );
    }
    if core.unstable {
        bail!(
            "{path} is a module for wasi_unstable, WASI before its first preview, and not a component; build it \
             for the target wasm32-wasip2"
        );
    }
    bail!("{path} is a core WebAssembly module, not a component; build it for the target wasm32-wasip2")
}

impl Core {
    fn of(bytes: &[u8]) -> Self {
        let mut core = Core::default();
        for payload in Parser::new(0).parse_all(bytes).map_while(Result::ok) {
            match payload {
                Payload::Version { encoding: Encoding::Component, .. } => break,
                Payload::ImportSection(imports) => {
                    for import in imports.into_imports().map_while(Result::ok) {
                        core.preview1 |= import.module == "wasi_snapshot_preview1";
                        core.unstable |= import.module == "wasi_unstable";
                    }
                }
                Payload::CustomSection(section) => {
                    core.has_world |= section.name().starts_with("component-type");
                }
                _ => {}
            }
        }
        core
    }
}

/// Whether a name is one of a released version: a candidate for one (0.3.0-rc)
/// has other types.
fn is_final(name: &str, prefix: &str) -> bool {
    name.strip_prefix(prefix)
        .is_some_and(|patch| !patch.is_empty() && patch.bytes().all(|b| b.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(exports: &[&str]) -> Contract {
        let exports = exports.iter().map(|name| (*name).to_owned()).collect();
        Contract::of(&Surface { imports: Vec::new(), exports })
    }

    fn refusal(wat: &str) -> String {
        let bytes = wat::parse_str(wat).unwrap();
        format!("{:#}", Surface::read(&bytes, Path::new("x.wasm")).unwrap_err())
    }

    #[test]
    fn any_patch_of_a_standard_world_is_served_and_no_candidate() {
        assert_eq!(of(&["wasi:http/incoming-handler@0.2.0"]), Contract::WasiHttp02);
        assert_eq!(of(&["wasi:http/incoming-handler@0.2.12"]), Contract::WasiHttp02);
        assert_eq!(of(&["wasi:http/handler@0.3.0"]), Contract::WasiHttp03);
        assert_eq!(of(&["wasi:http/handler@0.3.7"]), Contract::WasiHttp03);
        assert_eq!(of(&["wasi:http/handler@0.3.0-rc-2026-01-06"]), Contract::Unknown);
        assert_eq!(of(&["wasi:http/incoming-handler@0.3.0"]), Contract::Unknown);
        assert_eq!(of(&["wasi:http/incoming-handler@0.2.1", INNKEEPER_HANDLER]), Contract::Innkeeper);
        assert_eq!(of(&["start", JCO_NODE]), Contract::JcoNode);
        assert_eq!(of(&["wasi:http/incoming-handler@0.2.12", JCO_NODE]), Contract::WasiHttp02);
    }

    #[test]
    fn a_module_is_told_what_it_is() {
        assert!(refusal("(module)").contains("is a core WebAssembly module, not a component"));
        let preview1 = r#"(module (import "wasi_snapshot_preview1" "fd_write" (func)))"#;
        assert!(refusal(preview1).contains("WASI preview 1"), "{}", refusal(preview1));
        let unstable = r#"(module (import "wasi_unstable" "fd_write" (func)))"#;
        assert!(refusal(unstable).contains("wasi_unstable"));
        let unwrapped = r#"(module (@custom "component-type:app" "x"))"#;
        assert!(refusal(unwrapped).contains("wasm-tools component new"));
    }

    #[test]
    fn only_the_surface_of_a_component_counts() {
        let inner = r#"(component (component (export "wasi:http/handler@0.3.0" (instance))))"#;
        let bytes = wat::parse_str(inner).unwrap_or_default();
        if let Ok(surface) = Surface::read(&bytes, Path::new("x.wasm")) {
            assert_eq!(surface, Surface::default());
        }
    }

    #[test]
    fn what_is_not_served_is_named_with_a_remedy() {
        let of = |export: &str| {
            let surface = Surface { imports: Vec::new(), exports: vec![export.to_owned()] };
            surface.check().unwrap_err().to_string()
        };
        assert!(of("wasi:cli/run@0.2.0").contains("it is a command"));
        assert!(of("wasi:http/handler@0.3.0-rc-1").contains("it exports wasi:http/handler@0.3.0-rc-1"));
        assert!(of("innkeeper:http/handler@9.0.0").contains("this host speaks innkeeper:http/handler@0.1.0"));
        assert!(of("other").contains("does not export innkeeper:http/handler@0.1.0"));
    }
}
