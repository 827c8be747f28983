//! Makes the types of the API out of its document, `openapi/openapi.json`: one type for each schema.
//!
//! The document's forms are few: objects, lists of strings, and unions told apart by `type`. What has another form stops the
//! build, so that nothing of the document is left out unseen.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

type Text = Result<String, String>;

const DOCUMENT: &str = "../openapi/openapi.json";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo::rerun-if-changed={DOCUMENT}");
    let document: Value = serde_json::from_slice(&std::fs::read(DOCUMENT)?)?;
    let schemas = object(&document, "/components/schemas").ok_or("the document has no schemas")?;
    let mut code = String::new();
    for (name, schema) in schemas {
        code.push_str(&type_of_schema(name, schema, schemas).map_err(|fault| format!("{name}: {fault}"))?);
    }
    #[expect(clippy::disallowed_methods, reason = "Cargo tells build scripts where they write so")]
    let folder = PathBuf::from(std::env::var("OUT_DIR")?);
    std::fs::write(Path::new(&folder).join("types.rs"), code)?;
    Ok(())
}

fn object<'a>(value: &'a Value, pointer: &str) -> Option<&'a Map<String, Value>> {
    value.pointer(pointer).and_then(Value::as_object)
}

fn text<'a>(value: &'a Value, key: &str) -> Option<&'a str> {
    value.get(key).and_then(Value::as_str)
}

fn type_of_schema(name: &str, schema: &Value, all: &Map<String, Value>) -> Text {
    let mut code = documentation(schema, "");
    if let Some(values) = schema.get("enum").and_then(Value::as_array) {
        code.push_str(&open_enum(name, values)?);
    } else if let Some(mapping) = object(schema, "/discriminator/mapping") {
        code.push_str(&union(name, mapping)?);
    } else if let Some(fields) = object(schema, "/properties") {
        let is_member = all.values().filter_map(|one| object(one, "/discriminator/mapping")).any(|mapping| {
            mapping.values().filter_map(Value::as_str).any(|target| target.rsplit('/').next() == Some(name))
        });
        code.push_str(&structure(name, schema, fields, is_member)?);
    } else {
        return Err("a schema of a form that is not known".to_owned());
    }
    Ok(code)
}

fn documentation(schema: &Value, indent: &str) -> String {
    let text = text(schema, "description").unwrap_or("See the API's document.");
    text.lines()
        .fold(String::new(), |code, line| code + &format!("{indent}/// {line}\n").replace(" \n", "\n"))
}

/// An enumeration: the service may send values that this client does not know yet.
fn open_enum(name: &str, values: &[Value]) -> Text {
    let mut code = format!(
        "#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]\npub enum {name} {{\n"
    );
    let mut arms = String::new();
    for value in values {
        let value = value.as_str().ok_or("a value that is no string")?;
        let variant = pascal(value);
        write!(code, "    /// `{value}`\n    #[serde(rename = \"{value}\")]\n    {variant},\n")
            .map_err(|e| e.to_string())?;
        writeln!(arms, "            Self::{variant} => \"{value}\",").map_err(|e| e.to_string())?;
    }
    Ok(code
        + "    /// A value of a later version of the service.\n    #[serde(untagged)]\n    Other(String),\n}\n"
        + &format!(
            "impl {name} {{\n    /// As the API writes it.\n    pub fn as_str(&self) -> &str {{\n        match self {{\n{arms}            \
             Self::Other(value) => value,\n        }}\n    }}\n}}\n\
             impl std::fmt::Display for {name} {{\n    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {{\n        \
             f.write_str(self.as_str())\n    }}\n}}\n"
        ))
}

/// Several forms told apart by their field `type`.
fn union(name: &str, mapping: &Map<String, Value>) -> Text {
    let mut code = format!(
        "#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]\n#[serde(tag = \"type\")]\npub enum {name} {{\n"
    );
    for (value, target) in mapping {
        let target =
            target.as_str().and_then(|target| target.rsplit('/').next()).ok_or("a mapping to nothing")?;
        let variant = pascal(value);
        write!(
            code,
            "    /// `{value}`\n    #[serde(rename = \"{value}\")]\n    {variant}(Box<{target}>),\n"
        )
        .map_err(|e| e.to_string())?;
    }
    Ok(code + "    /// A form of a later version of the service.\n    #[serde(other)]\n    Other,\n}\n")
}

/// * `is_member` — whether it is one form of a union, which tells its `type`.
fn structure(name: &str, schema: &Value, fields: &Map<String, Value>, is_member: bool) -> Text {
    let required: Vec<&str> = schema
        .get("required")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let mut code = String::new();
    let mut has_default = true;
    for (field, schema) in fields.iter().filter(|(field, _)| !(is_member && *field == "type")) {
        let (plain, is_nullable) = type_of(schema)?;
        let is_required = required.contains(&field.as_str());
        // Of a change, null says something else than nothing.
        let is_change = name.ends_with("Patch") && is_nullable;
        let option = if is_change { format!("Option<Option<{plain}>>") } else { format!("Option<{plain}>") };
        code.push_str(&documentation(schema, "    "));
        if !is_required {
            code.push_str("    #[serde(default, skip_serializing_if = \"Option::is_none\")]\n");
        }
        let keyword = if ["type", "in", "self"].contains(&field.as_str()) {
            writeln!(code, "    #[serde(rename = \"{field}\")]").map_err(|e| e.to_string())?;
            "_"
        } else {
            ""
        };
        let is_optional = is_nullable || !is_required;
        has_default &= is_optional || BUILT_IN.iter().any(|known| plain.starts_with(known));
        let written = if is_optional { &option } else { &plain };
        writeln!(code, "    pub {field}{keyword}: {written},").map_err(|e| e.to_string())?;
    }
    let default = if has_default { "Default, " } else { "" };
    Ok(format!(
        "#[derive(Clone, Debug, {default}PartialEq, serde::Serialize, serde::Deserialize)]\npub struct {name} {{\n{code}}}\n"
    ))
}

/// Types of the language that have a value of their own if nothing is said.
const BUILT_IN: [&str; 8] = ["String", "u32", "u64", "i32", "i64", "f64", "bool", "Vec<"];

/// The type of a field and whether it may be null.
fn type_of(schema: &Value) -> Result<(String, bool), String> {
    if let Some(target) = text(schema, "$ref") {
        let name = target.rsplit('/').next().unwrap_or(target);
        return Ok((name.to_owned(), false));
    }
    if let Some(forms) = schema.get("oneOf").and_then(Value::as_array) {
        let is_null = |form: &&Value| text(form, "type") == Some("null");
        let form = forms.iter().find(|form| !is_null(form)).ok_or("a union of nothing")?;
        return Ok((type_of(form)?.0, forms.iter().any(|form| is_null(&form))));
    }
    let names: Vec<&str> = match schema.get("type") {
        Some(Value::String(name)) => vec![name],
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect(),
        Some(_) | None => return Ok(("serde_json::Value".to_owned(), false)),
    };
    let is_nullable = names.contains(&"null");
    let name = names.into_iter().find(|name| *name != "null").ok_or("a type of nothing")?;
    Ok((built_in(name, schema)?, is_nullable))
}

fn built_in(name: &str, schema: &Value) -> Text {
    let is_unsigned = schema.get("minimum").and_then(Value::as_i64).is_some_and(|least| least >= 0);
    Ok(match (name, text(schema, "format")) {
        ("string", _) => "String".to_owned(),
        ("boolean", _) => "bool".to_owned(),
        ("number", _) => "f64".to_owned(),
        ("integer", Some("int32")) => if is_unsigned { "u32" } else { "i32" }.to_owned(),
        ("integer", _) => if is_unsigned { "u64" } else { "i64" }.to_owned(),
        ("array", _) => format!("Vec<{}>", type_of(schema.get("items").ok_or("a list of nothing")?)?.0),
        ("object", _) => match schema.get("additionalProperties").filter(|rest| rest.get("$ref").is_some()) {
            Some(values) => format!("std::collections::BTreeMap<String, {}>", type_of(values)?.0),
            None => "serde_json::Map<String, serde_json::Value>".to_owned(),
        },
        (other, _) => return Err(format!("the type {other}")),
    })
}

/// `time_limit.exceeded` → `TimeLimitExceeded`.
fn pascal(name: &str) -> String {
    let words = name.split(|c: char| !c.is_alphanumeric()).filter_map(|word| {
        let mut letters = word.chars();
        Some(format!("{}{}", letters.next()?.to_ascii_uppercase(), letters.as_str()))
    });
    words.collect()
}
