//! The start of a program: the export that makes it listen, called once for
//! each instance, and the listener that it leaves. Which export that is, is
//! told by name: jco's own examples have `start`, with or without a port.

use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component, ComponentExportIndex, Instance, InstancePre, ResourceAny, Type, Val};
use wasmtime::error::Context as _;
use wasmtime::{Result, Store, bail};

use crate::guest::instance::HostState;
use crate::guest::node_http::bindings::exports::jco::node::http_callbacks;

/// Names under which the start is looked for, in this order.
const STARTS: [&str; 3] = ["start", "main", "run"];

/// The port that a program is given to listen on. It binds none; this is what
/// Node's programs use when nothing else is said.
const PORT: u16 = 3000;

/// Where the functions of a program are that the host calls.
pub struct Program {
    callbacks: http_callbacks::GuestIndices,
    start: ComponentExportIndex,
    /// The type of the port that it wants to be given, if it does.
    port: Option<Type>,
}

/// A program that listens.
pub struct Listening {
    pub(super) callbacks: http_callbacks::Guest,
    pub(super) listener: ResourceAny,
}

impl Program {
    /// Finds the start of a component.
    ///
    /// # Errors
    /// One without a start, or with one that wants more than a port.
    pub fn find(pre: &InstancePre<HostState>) -> Result<Self> {
        let component = pre.component();
        let callbacks = http_callbacks::GuestIndices::new(pre)?;
        let command = command_of(component);
        let candidates = STARTS.into_iter().map(|name| component.get_export(None, name));
        let found = candidates.flatten().chain(command).find_map(|(item, index)| match item {
            ComponentItem::ComponentFunc(function) => Some((function, index)),
            _ => None,
        });
        let Some((function, start)) = found else {
            bail!(
                "it exports no function that starts its server; export `start: func(port: u16)`, which calls \
                 listen"
            );
        };
        let mut params = function.params().map(|(_, ty)| ty);
        let port = params.next();
        let is_port = |ty: &Type| matches!(ty, Type::U16 | Type::U32 | Type::S32 | Type::U64 | Type::Float64);
        if params.next().is_some() || port.as_ref().is_some_and(|ty| !is_port(ty)) {
            bail!("its start wants to be given more than a port; export `start: func(port: u16)`");
        }
        Ok(Program { callbacks, start, port })
    }

    /// Starts an instance. It runs until the program listens, or gives up.
    ///
    /// # Errors
    /// A start that traps or fails, or after which nothing listens.
    pub async fn start(&self, store: &mut Store<HostState>, instance: &Instance) -> Result<Listening> {
        let start = instance.get_func(&mut *store, self.start).context("the start is not there")?;
        let port = self.port.as_ref().map(port_as);
        let mut results = vec![Val::Bool(false); start.ty(&*store).results().len()];
        start.call_async(&mut *store, port.as_slice(), &mut results).await?;
        if let Some(Val::Result(Err(error))) = results.first() {
            bail!("its start failed: {}", error.as_deref().map_or_else(String::new, words_of));
        }
        let Some(id) = store.data().servers.listener() else {
            bail!("its start returned, and no server of it listens; call listen, and wait for it");
        };
        let callbacks = self.callbacks.load(&mut *store, instance)?;
        let listener = callbacks.call_take_request_listener(&mut *store, id).await?;
        let listener = listener.context("its server listens, and has no listener")?;
        Ok(Listening { callbacks, listener })
    }
}

/// `wasi:cli/run`, of any version of 0.2.
fn command_of(component: &Component) -> Option<(ComponentItem, ComponentExportIndex)> {
    let engine = component.engine();
    let ty = component.component_type();
    let name = ty.exports(engine).map(|(name, _)| name).find(|name| name.starts_with("wasi:cli/run@0.2."))?;
    let (_, interface) = component.get_export(None, name)?;
    component.get_export(Some(&interface), "run")
}

fn port_as(ty: &Type) -> Val {
    match ty {
        Type::U32 => Val::U32(PORT.into()),
        Type::S32 => Val::S32(PORT.into()),
        Type::U64 => Val::U64(PORT.into()),
        Type::Float64 => Val::Float64(PORT.into()),
        _ => Val::U16(PORT),
    }
}

/// What of an error can be read.
fn words_of(error: &Val) -> String {
    match error {
        Val::String(text) => text.clone(),
        Val::Record(fields) => fields
            .iter()
            .find(|(name, _)| name == "message")
            .map_or_else(String::new, |(_, text)| words_of(text)),
        _ => "it does not say why".to_owned(),
    }
}
