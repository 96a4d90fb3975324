//! The contract's pages: one that lists worlds and interfaces, and one for
//! each interface.

use anyhow::{Context, Result};
use innkeeper_harness::workspace;
use wit_bindgen_core::wit_parser::{
    Docs, Function, FunctionKind, Interface, PackageId, Resolve, TypeDef, TypeDefKind, TypeId, World,
    WorldItem,
};

use super::types::{in_words, name_of};
use super::{Page, WRITTEN};

pub fn pages() -> Result<Vec<Page>> {
    let mut resolve = Resolve::default();
    let folder = workspace::root().join("wit");
    let (package, _) =
        resolve.push_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut pages = vec![index(&resolve, package)];
    for &id in resolve.packages[package].interfaces.values() {
        let interface = &resolve.interfaces[id];
        let name = interface.name.as_deref().unwrap_or_default();
        pages.push(Page { name: format!("{name}.md"), text: page(&resolve, name, interface) });
    }
    Ok(pages)
}

fn index(resolve: &Resolve, package: PackageId) -> Page {
    let package = &resolve.packages[package];
    let mut text = format!(
        "# The contract: `{}`\n\n{WRITTEN}\n\nWhat host and guest ask of each other, in WIT. The files are in \
         [`wit/`](../../wit). Authors in Rust see it through the SDK, which names things in the same way.\n\n\
         ## Interfaces\n\n| interface | what for |\n|---|---|\n",
        package.name
    );
    for (name, &id) in &package.interfaces {
        text.push_str(&format!(
            "| [`{name}`]({name}.md) | {} |\n",
            first_sentence(&resolve.interfaces[id].docs)
        ));
    }
    text.push_str("\n## Worlds\n\n");
    for (name, &id) in &package.worlds {
        let world = &resolve.worlds[id];
        text.push_str(&format!("### `{name}`\n\n{}", paragraphs(&world.docs)));
        text.push_str(&items(resolve, "imports", world, true));
        text.push_str(&items(resolve, "exports", world, false));
        text.push('\n');
    }
    Page { name: "README.md".to_owned(), text: format!("{}\n", text.trim_end()) }
}

fn items(resolve: &Resolve, verb: &str, world: &World, imports: bool) -> String {
    let items = if imports { &world.imports } else { &world.exports };
    let names = items.values().filter_map(|item| match item {
        WorldItem::Interface { id, .. } => {
            let interface = &resolve.interfaces[*id];
            let name = interface.name.as_deref()?;
            let own = interface.package == world.package;
            Some(if own { format!("[`{name}`]({name}.md)") } else { format!("`{}`", resolve.id_of(*id)?) })
        }
        _ => None,
    });
    let names: Vec<_> = names.collect();
    if names.is_empty() { String::new() } else { format!("- {verb} {}\n", names.join(", ")) }
}

fn page(resolve: &Resolve, name: &str, interface: &Interface) -> String {
    let mut text = format!("# `{name}`\n\n{WRITTEN}\n\n{}", paragraphs(&interface.docs));
    let (resources, plain): (Vec<_>, Vec<_>) = interface
        .types
        .iter()
        .filter(|(_, id)| is_own(&resolve.types[**id]))
        .partition(|(_, id)| matches!(resolve.types[**id].kind, TypeDefKind::Resource));
    for (name, id) in resources {
        text.push_str(&format!("## `{name}`\n\n{}", paragraphs(&resolve.types[*id].docs)));
        for function in methods(interface, Some(*id)) {
            text.push_str(&told(resolve, &format!("{name}."), function));
        }
    }
    let functions: Vec<_> = methods(interface, None).collect();
    if !functions.is_empty() {
        text.push_str("## Functions\n\n");
    }
    for function in functions {
        text.push_str(&told(resolve, "", function));
    }
    if !plain.is_empty() {
        text.push_str("## Types\n\n");
    }
    for (name, id) in plain {
        text.push_str(&format!(
            "### `{name}`\n\n{}{}",
            paragraphs(&resolve.types[*id].docs),
            members(resolve, &resolve.types[*id])
        ));
    }
    format!("{}\n", text.trim_end())
}

/// Whether it is defined here, and not taken from another interface.
fn is_own(ty: &TypeDef) -> bool {
    use wit_bindgen_core::wit_parser::Type;
    !matches!(&ty.kind, TypeDefKind::Type(Type::Id(_)))
}

fn methods(interface: &Interface, of: Option<TypeId>) -> impl Iterator<Item = &Function> {
    interface.functions.values().filter(move |function| function.kind.resource() == of)
}

fn told(resolve: &Resolve, of: &str, function: &Function) -> String {
    let is_method = matches!(function.kind, FunctionKind::Method(_) | FunctionKind::AsyncMethod(_));
    // The first parameter of a method is the resource itself.
    let params = function.params.iter().skip(usize::from(is_method));
    let params: Vec<_> =
        params.map(|param| format!("{}: {}", param.name, name_of(resolve, &param.ty))).collect();
    let kind = match &function.kind {
        FunctionKind::Static(_) | FunctionKind::AsyncStatic(_) => "static func",
        _ => "func",
    };
    let result = function.result.as_ref().map(|ty| format!(" -> {}", name_of(resolve, ty)));
    format!(
        "### `{of}{}`\n\n`{kind}({}){}`\n\n{}",
        function.item_name(),
        params.join(", "),
        result.unwrap_or_default(),
        paragraphs(&function.docs)
    )
}

/// The fields of a record, the cases of a variant or an enumeration; else what
/// the type is another name for.
fn members(resolve: &Resolve, ty: &TypeDef) -> String {
    let row = |name: &str, ty: Option<String>, docs: &Docs| {
        let ty = ty.map(|ty| format!("`{ty}`")).unwrap_or_default();
        format!("| `{name}` | {ty} | {} |\n", one_line(docs))
    };
    let rows: Vec<_> = match &ty.kind {
        TypeDefKind::Record(record) => {
            let fields = record.fields.iter();
            fields.map(|it| row(&it.name, Some(name_of(resolve, &it.ty)), &it.docs)).collect()
        }
        TypeDefKind::Variant(variant) => {
            let cases = variant.cases.iter();
            cases.map(|it| row(&it.name, it.ty.as_ref().map(|ty| name_of(resolve, ty)), &it.docs)).collect()
        }
        TypeDefKind::Enum(all) => all.cases.iter().map(|it| row(&it.name, None, &it.docs)).collect(),
        TypeDefKind::Flags(all) => all.flags.iter().map(|it| row(&it.name, None, &it.docs)).collect(),
        kind => return format!("`{}`\n\n", in_words(resolve, kind)),
    };
    let heading = match &ty.kind {
        TypeDefKind::Record(_) => "field",
        TypeDefKind::Flags(_) => "flag",
        _ => "case",
    };
    format!("| {heading} | type | meaning |\n|---|---|---|\n{}\n", rows.concat())
}

/// Each paragraph on a line of its own, as the rest of the book has them.
fn paragraphs(docs: &Docs) -> String {
    let Some(text) = &docs.contents else { return String::new() };
    let joined = text.trim().split("\n\n").map(|paragraph| paragraph.lines().collect::<Vec<_>>().join(" "));
    joined.map(|paragraph| format!("{paragraph}\n\n")).collect()
}

fn one_line(docs: &Docs) -> String {
    docs.contents
        .as_deref()
        .unwrap_or_default()
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
        .replace('|', "\\|")
}

fn first_sentence(docs: &Docs) -> String {
    let line = one_line(docs);
    let end = line.find(". ").map_or(line.len(), |at| at + 1);
    line.get(..end).unwrap_or_default().to_owned()
}
