//! The error answers of the document, each described once: operations refer to them.

use serde_json::{Map, Value, json};

/// Moves what operations answer as problems to `components/responses`, named after its codes.
pub fn share(document: &mut Value) {
    let mut shared = Map::new();
    let paths = document.get_mut("paths").and_then(Value::as_object_mut);
    for operation in paths.into_iter().flat_map(Map::values_mut).filter_map(Value::as_object_mut) {
        for operation in operation.values_mut() {
            let answers = operation.get_mut("responses").and_then(Value::as_object_mut);
            for answer in answers.into_iter().flat_map(Map::values_mut) {
                if let Some(name) = name(answer) {
                    let reference = json!({ "$ref": format!("#/components/responses/{name}") });
                    shared.insert(name, std::mem::replace(answer, reference));
                }
            }
        }
    }
    shared.sort_keys();
    if let Some(components) = document.get_mut("components").and_then(Value::as_object_mut) {
        components.insert("responses".to_owned(), shared.into());
    }
}

/// `NotFound`, or `HostBusyOrHostConfigured`; `None` of what is no problem.
fn name(answer: &Value) -> Option<String> {
    let codes = answer.pointer("/content/application~1problem+json/examples")?.as_object()?;
    Some(codes.keys().map(|code| camel(code)).collect::<Vec<_>>().join("Or"))
}

fn camel(code: &str) -> String {
    let word = |word: &str| {
        let (first, rest) = word.split_at(1.min(word.len()));
        first.to_ascii_uppercase() + rest
    };
    code.split('_').map(word).collect()
}
