//! What `wasmtime` makes of `wit/jco-node.wit`.

wasmtime::component::bindgen!({
    path: "wit/jco-node.wit",
    world: "node",
    imports: {
        "jco:node/http.request": async | trappable,
        default: trappable,
    },
    exports: { default: async },
    with: { "jco:node/http.server": super::server::Server },
});
