//! The JSON Schema of a configuration file, for editors and for the reference:
//! made of the raw tables, with the defaults that the host really has.

use schemars::Schema;
use serde_json::{Map, Value};

use super::{raw, raw_limits};
use crate::config::{Limits, Quotas};

/// The schema of the whole file.
pub fn schema() -> Schema {
    let mut schema = schemars::schema_for!(raw::Raw);
    let limits = Limits::default();
    let quotas = raw_limits::Quotas::of(&Quotas::within(&limits));
    set_defaults(&mut schema, "Limits", serde_json::to_value(raw_limits::Limits::of(&limits)));
    set_defaults(&mut schema, "Quotas", serde_json::to_value(quotas));
    schema
}

/// Gives the properties of a table their defaults. One whose description names
/// its default depends on something else and has no other.
fn set_defaults(schema: &mut Schema, table: &str, defaults: serde_json::Result<Value>) {
    let properties = schema.pointer_mut(&format!("/$defs/{table}/properties")).and_then(Value::as_object_mut);
    let (Some(properties), Ok(Value::Object(defaults))) = (properties, defaults) else { return };
    for (name, default) in defaults {
        if let Some(property) = properties.get_mut(&name).and_then(Value::as_object_mut)
            && !says_its_default(property)
        {
            property.insert("default".to_owned(), default);
        }
    }
}

fn says_its_default(property: &Map<String, Value>) -> bool {
    property.get("description").and_then(Value::as_str).is_some_and(|text| text.contains("Default:"))
}
