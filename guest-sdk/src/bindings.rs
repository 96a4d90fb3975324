//! What `wit-bindgen` makes of the contract in `wit/`, of the one clock
//! function that [`timer`](crate::timer) needs, of the sockets below
//! [`net`](crate::net), and of what some features have beside it. Nothing here
//! is meant to be used directly: the other modules wrap it, and what the
//! attributes expand to exports with it.
#![allow(
    missing_docs,
    unsafe_code,
    unused_qualifications,
    clippy::all,
    clippy::allow_attributes_without_reason,
    reason = "generated code"
)]

/// The contract, with `with` in place of what is not to be generated.
macro_rules! contract {
    ($($with:tt)*) => {
        wit_bindgen::generate!({
            path: ["../wit", "wit/clocks.wit", "wit/sockets.wit"],
            inline: "
                package innkeeper:guest;

                world sdk {
                    include innkeeper:http/app@0.1.0;
                    import wasi:clocks/monotonic-clock@0.2.12;
                    import wasi:sockets/instance-network@0.2.12;
                    import wasi:sockets/ip-name-lookup@0.2.12;
                    import wasi:sockets/tcp@0.2.12;
                    import wasi:sockets/tcp-create-socket@0.2.12;
                }
            ",
            world: "innkeeper:guest/sdk",
            with: { $($with)* },
            generate_all,
            // Arguments are borrowed: a header or a piece of body is not copied
            // before the host copies it.
            ownership: Borrowing { duplicate_if_necessary: true },
            pub_export_macro: true,
        });
    };
}

#[cfg(target_family = "wasm")]
contract!();

// There is no host to bind to: the types are those of an imitation.
#[cfg(not(target_family = "wasm"))]
contract!(
    "innkeeper:http/types@0.1.0": crate::host::types,
    "innkeeper:http/client@0.1.0": crate::host::client,
    "innkeeper:http/server@0.1.0": crate::host::server,
    "wasi:io/poll@0.2.12": crate::host::poll,
    "wasi:clocks/monotonic-clock@0.2.12": crate::host::monotonic_clock,
);

/// The optional exports: a world for each, so that a component has those that
/// its author asks for and no other. The linker merges their worlds.
macro_rules! optional {
    ($($module:ident: $world:tt)*) => {$(
        pub mod $module {
            wit_bindgen::generate!({
                path: "../wit",
                world: $world,
                with: {
                    "innkeeper:http/types@0.1.0": crate::host::types,
                    "wasi:io/poll@0.2.12": crate::host::poll,
                },
                pub_export_macro: true,
            });
        }
    )*};
}

optional! {
    upgrade: "innkeeper:http/upgrade"
    connect: "innkeeper:http/connect"
    check_continue: "innkeeper:http/check-continue"
    check_expectation: "innkeeper:http/check-expectation"
    client_error: "innkeeper:http/client-error"
}

/// What stands beside the contract, each with the feature of its name: the
/// interfaces of a file of `wit/`.
macro_rules! beside {
    ($($feature:tt $module:ident: $path:tt $world:tt $imports:tt)*) => {$(
        #[cfg(all(feature = $feature, target_family = "wasm"))]
        pub mod $module {
            wit_bindgen::generate!({
                path: $path,
                inline: $imports,
                world: $world,
                generate_all,
            });
        }
    )*};
}

beside! {
    "config" config: "wit/config.wit" "innkeeper:guest-config/config" "
        package innkeeper:guest-config;

        world config {
            import wasi:config/store@0.2.0-rc.1;
        }
    "
    "keyvalue" keyvalue: "wit/keyvalue.wit" "innkeeper:guest-keyvalue/keyvalue" "
        package innkeeper:guest-keyvalue;

        world keyvalue {
            import wasi:keyvalue/store@0.2.0-draft2;
            import wasi:keyvalue/atomics@0.2.0-draft2;
        }
    "
    "log" logging: "wit/logging.wit" "innkeeper:guest-logging/logging" "
        package innkeeper:guest-logging;

        world logging {
            import wasi:logging/logging@0.1.0-draft;
        }
    "
}

/// The handler behind a middleware. A component that does not call it does not
/// import it.
pub mod next {
    wit_bindgen::generate!({
        path: "../wit",
        inline: "
            package innkeeper:middleware;

            world middleware {
                import innkeeper:http/handler@0.1.0;
            }
        ",
        world: "innkeeper:middleware/middleware",
        generate_all,
        with: {
            "innkeeper:http/types@0.1.0": crate::host::types,
            "wasi:io/poll@0.2.12": crate::host::poll,
        },
        ownership: Borrowing { duplicate_if_necessary: true },
    });
}
