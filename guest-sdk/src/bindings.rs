//! What `wit-bindgen` makes of the contract in `wit/`, and of the one clock
//! function that [`timer`](crate::timer) needs. Nothing here is meant to be
//! used directly: the other modules wrap it, and `#[handler]` exports with it.
#![allow(
    missing_docs,
    unsafe_code,
    unused_qualifications,
    clippy::all,
    clippy::allow_attributes_without_reason,
    reason = "generated code"
)]

wit_bindgen::generate!({
    path: ["../wit", "wit"],
    inline: "
        package innkeeper:guest;

        world sdk {
            include innkeeper:http/app@0.1.0;
            import wasi:clocks/monotonic-clock@0.2.12;
        }
    ",
    world: "innkeeper:guest/sdk",
    generate_all,
    // Arguments are borrowed: a header or a piece of body is not copied before
    // the host copies it.
    ownership: Borrowing { duplicate_if_necessary: true },
    pub_export_macro: true,
});
