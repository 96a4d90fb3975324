//! Types as WIT writes them.

use wit_bindgen_core::wit_parser::{Handle, Resolve, Type, TypeDefKind};

/// A type where it is used: by its name, if it has one.
pub fn name_of(resolve: &Resolve, ty: &Type) -> String {
    let plain = match ty {
        Type::Bool => "bool",
        Type::U8 => "u8",
        Type::U16 => "u16",
        Type::U32 => "u32",
        Type::U64 => "u64",
        Type::S8 => "s8",
        Type::S16 => "s16",
        Type::S32 => "s32",
        Type::S64 => "s64",
        Type::F32 => "f32",
        Type::F64 => "f64",
        Type::Char => "char",
        Type::String => "string",
        Type::ErrorContext => "error-context",
        Type::Id(id) => {
            let ty = &resolve.types[*id];
            return ty.name.clone().unwrap_or_else(|| in_words(resolve, &ty.kind));
        }
    };
    plain.to_owned()
}

/// What a type is made of.
pub fn in_words(resolve: &Resolve, kind: &TypeDefKind) -> String {
    let of = |ty: &Type| name_of(resolve, ty);
    let perhaps = |ty: &Option<Type>| ty.as_ref().map_or_else(|| "_".to_owned(), of);
    match kind {
        TypeDefKind::Handle(Handle::Own(id)) => of(&Type::Id(*id)),
        TypeDefKind::Handle(Handle::Borrow(id)) => format!("borrow<{}>", of(&Type::Id(*id))),
        TypeDefKind::Tuple(tuple) => {
            format!("tuple<{}>", tuple.types.iter().map(of).collect::<Vec<_>>().join(", "))
        }
        TypeDefKind::Option(ty) => format!("option<{}>", of(ty)),
        TypeDefKind::List(ty) => format!("list<{}>", of(ty)),
        TypeDefKind::Result(result) => match (&result.ok, &result.err) {
            (None, None) => "result".to_owned(),
            (ok, None) => format!("result<{}>", perhaps(ok)),
            (ok, err) => format!("result<{}, {}>", perhaps(ok), perhaps(err)),
        },
        TypeDefKind::Future(ty) => format!("future<{}>", perhaps(ty)),
        TypeDefKind::Stream(ty) => format!("stream<{}>", perhaps(ty)),
        TypeDefKind::Type(ty) => of(ty),
        // The others always have a name.
        other => other.as_str().to_owned(),
    }
}
