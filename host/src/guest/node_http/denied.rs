//! What else of Node a program imports (`jco:node/fs`, `jco:node/os` and so
//! on): there for the linker, and refused when it is called, with the error
//! that Node has for a missing permission. Most programs import far more of
//! Node than they use.

use wasmtime::component::types::{ComponentFunc, ComponentItem, Type};
use wasmtime::component::{Component, Linker, LinkerInstance, ResourceType, Val};
use wasmtime::{Result, bail};

use crate::guest::instance::HostState;
use crate::guest::node_http::{ACCESS_DENIED, ERROR, NODE};

/// What of Node this host has.
const LINKED: [&str; 2] = ["jco:node/http@0.1.0", "jco:node/tty@0.1.0"];

/// What stands for a resource that no program ever gets.
enum Never {}

/// A linker that also has what `component` imports of Node.
///
/// # Errors
/// None but wasmtime's own.
pub fn link(linker: &Linker<HostState>, component: &Component) -> Result<Linker<HostState>> {
    let mut linker = linker.clone();
    let engine = linker.engine().clone();
    for (name, item) in component.component_type().imports(&engine) {
        let ComponentItem::ComponentInstance(interface) = item.ty else { continue };
        if !name.starts_with(NODE) || LINKED.contains(&name) {
            continue;
        }
        let mut instance = linker.instance(name)?;
        for (function, item) in interface.exports(&engine) {
            match item.ty {
                ComponentItem::ComponentFunc(_) => refuse(&mut instance, name, function)?,
                ComponentItem::Resource(_) => {
                    instance.resource(function, ResourceType::host::<Never>(), |_, _| Ok(()))?;
                }
                _ => {}
            }
        }
    }
    Ok(linker)
}

fn refuse(instance: &mut LinkerInstance<'_, HostState>, interface: &str, function: &str) -> Result<()> {
    let name = format!("{interface}.{function}");
    instance.func_new(function, move |_, ty, _, results| {
        if let [result] = results {
            *result = refusal(&ty, &name)?;
        }
        Ok(())
    })
}

/// The error of a function, made as its type says.
fn refusal(function: &ComponentFunc, name: &str) -> Result<Val> {
    let message = format!("{name} is not available on this host");
    let Some(Type::Result(result)) = function.results().next() else { bail!("{message}") };
    let Some(Type::Record(error)) = result.err() else { bail!("{message}") };
    let mut fields = Vec::new();
    for field in error.fields() {
        let value = match (field.name, field.ty) {
            ("name", Type::String) => Val::String(ERROR.to_owned()),
            ("message", Type::String) => Val::String(message.clone()),
            ("code", Type::Option(code)) if matches!(code.ty(), Type::String) => {
                Val::Option(Some(Box::new(Val::String(ACCESS_DENIED.to_owned()))))
            }
            (_, Type::Option(_)) => Val::Option(None),
            _ => bail!("{message}"),
        };
        fields.push((field.name.to_owned(), value));
    }
    Ok(Val::Result(Err(Some(Box::new(Val::Record(fields))))))
}
