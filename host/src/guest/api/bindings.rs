//! What `wasmtime` makes of `wit/`. Functions that may wait are async on the
//! host; to the guest all of them are plain calls.

wasmtime::component::bindgen!({
    path: "../wit",
    // Every export there is; which of them a component has is looked up one by
    // one.
    inline: "
        package innkeeper:host;

        world every-export {
            include innkeeper:http/app@0.1.0;
            include innkeeper:http/upgrade@0.1.0;
            include innkeeper:http/connect@0.1.0;
            include innkeeper:http/check-continue@0.1.0;
            include innkeeper:http/check-expectation@0.1.0;
            include innkeeper:http/client-error@0.1.0;
        }
    ",
    world: "innkeeper:host/every-export",
    imports: {
        "innkeeper:http/types.[method]incoming-message.read": async | trappable,
        "innkeeper:http/types.[method]incoming-message.read-all": async | trappable,
        "innkeeper:http/types.[method]server-response.write": async | trappable,
        "innkeeper:http/types.[method]server-response.finished": async | trappable,
        "innkeeper:http/types.[method]socket.read": async | trappable,
        "innkeeper:http/types.[method]socket.write": async | trappable,
        "innkeeper:http/types.[method]socket.flush": async | trappable,
        "innkeeper:http/client.[method]client-request.write": async | trappable,
        "innkeeper:http/client.[method]client-request.response": async | trappable,
        "innkeeper:http/client.[method]client-request.continue": async | trappable,
        "innkeeper:http/client.[method]client-request.information": async | trappable,
        "innkeeper:http/client.[method]client-request.upgraded": async | trappable,
        "innkeeper:http/client.[method]client-request.connected": async | trappable,
        default: trappable,
    },
    exports: { default: async },
    with: {
        "wasi:io": wasmtime_wasi::p2::bindings::io,
        "innkeeper:http/types.incoming-message": super::IncomingMessage,
        "innkeeper:http/types.server-response": super::ServerResponse,
        "innkeeper:http/types.socket": super::Socket,
        "innkeeper:http/client.agent": super::agent::HeldAgent,
        "innkeeper:http/client.client-request": super::client_request::HeldRequest,
    },
});
