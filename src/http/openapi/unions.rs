//! Unions in the form that generators of clients read: references alone, and told apart by a tag inside each variant.

use serde_json::{Map, Value, json};

const SCHEMAS: &str = "#/components/schemas/";
/// The property that tells variants apart.
const TAG: &str = "type";
/// What has no tag where it stands alone, and the name of what has one.
const TAGGED: [(&str, &str); 2] = [("Host", "HostChanged"), ("Queue", "QueueChanged")];

/// A variant of a union, out of `allOf: [its schema, an object of the tag alone]`.
struct Variant {
    tag: String,
    schema: String,
}

/// Brings all unions of the document into their form.
pub fn finish(document: &mut Value) {
    hold_references_only(document);
    let Some(schemas) = document.pointer_mut("/components/schemas").and_then(Value::as_object_mut) else {
        return;
    };
    let found = schemas.iter().filter_map(|(name, union)| Some((name.clone(), variants(union)?)));
    for (name, variants) in found.collect::<Vec<_>>() {
        for variant in &variants {
            tag_inside(schemas, variant);
        }
        if let Some(union) = schemas.get_mut(&name).and_then(Value::as_object_mut) {
            let mut options: Vec<Value> = Vec::new();
            let mut mapping = Map::new();
            for Variant { tag, schema } in variants {
                let reference = format!("{SCHEMAS}{}", tagged(&schema));
                let option = json!({ "$ref": &reference });
                if !options.contains(&option) {
                    options.push(option);
                }
                mapping.insert(tag, reference.into());
            }
            union.insert("oneOf".to_owned(), options.into());
            union.insert("discriminator".to_owned(), json!({ "propertyName": TAG, "mapping": mapping }));
        }
    }
    schemas.sort_keys();
}

/// The variants of a union that is told apart by a tag beside each; `None` of everything else.
fn variants(union: &Value) -> Option<Vec<Variant>> {
    let options = union.get("oneOf")?.as_array()?;
    let read = |option: &Value| {
        let schema = option.pointer("/allOf/0/$ref")?.as_str()?.strip_prefix(SCHEMAS)?.to_owned();
        let tag = option.pointer(&format!("/allOf/1/properties/{TAG}/enum/0"))?.as_str()?.to_owned();
        Some(Variant { tag, schema })
    };
    options.iter().map(read).collect()
}

fn tagged(schema: &str) -> &str {
    TAGGED.iter().find(|(plain, _)| *plain == schema).map_or(schema, |(_, tagged)| tagged)
}

/// Puts the tag into the variant's own schema, as its first property. Its values have a name: without one, each generator
/// makes up its own.
fn tag_inside(schemas: &mut Map<String, Value>, variant: &Variant) {
    let name = tagged(&variant.schema);
    if !schemas.contains_key(name)
        && let Some(plain) = schemas.get(&variant.schema)
    {
        schemas.insert(name.to_owned(), plain.clone());
    }
    let values = format!("{name}Type");
    if let Some(known) = schemas.get_mut(&values).and_then(|values| values.get_mut("enum")?.as_array_mut()) {
        let tag = json!(variant.tag);
        if !known.contains(&tag) {
            known.push(tag);
        }
        return;
    }
    let named = json!({
        "type": "string", "description": format!("What tells `{name}` apart."), "enum": [variant.tag],
    });
    if let Some(schema) = schemas.get_mut(name).and_then(Value::as_object_mut) {
        let own = schema.get_mut("properties").and_then(Value::as_object_mut).map(std::mem::take);
        let mut properties =
            Map::from_iter([(TAG.to_owned(), json!({ "$ref": format!("{SCHEMAS}{values}") }))]);
        properties.extend(own.unwrap_or_default());
        schema.insert("properties".to_owned(), properties.into());
        let required = schema.entry("required").or_insert_with(|| json!([]));
        if let Some(required) = required.as_array_mut() {
            required.insert(0, TAG.into());
        }
    }
    schemas.insert(values, named);
}

/// Some generators take a reference that is described for a type of its own: the description moves to the union.
fn hold_references_only(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            let mut moved = None;
            for option in fields.get_mut("oneOf").and_then(Value::as_array_mut).into_iter().flatten() {
                if let Some(option) = option.as_object_mut().filter(|option| option.contains_key("$ref")) {
                    moved = option.shift_remove("description").or(moved);
                }
            }
            if let Some(description) = moved {
                fields.entry("description").or_insert(description);
            }
            fields.values_mut().for_each(hold_references_only);
        }
        Value::Array(items) => items.iter_mut().for_each(hold_references_only),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
