//! What `wasmtime` makes of `wit/`. Functions that may wait are async on the
//! host; to the guest all of them are plain calls.

wasmtime::component::bindgen!({
    path: "../wit",
    world: "app",
    imports: {
        "innkeeper:http/types.[method]incoming-message.read": async | trappable,
        "innkeeper:http/types.[method]incoming-message.read-all": async | trappable,
        "innkeeper:http/types.[method]server-response.write": async | trappable,
        "innkeeper:http/types.[method]server-response.finished": async | trappable,
        default: trappable,
    },
    exports: { default: async },
    with: {
        "wasi:io": wasmtime_wasi::p2::bindings::io,
        "innkeeper:http/types.incoming-message": super::IncomingMessage,
        "innkeeper:http/types.server-response": super::ServerResponse,
        "innkeeper:http/types.socket": super::Socket,
    },
});
