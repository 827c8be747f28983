//! YAML of packages as a tree, of a bounded size: an alias counts as all that it stands for.
//!
//! Values are those of the core schema of YAML 1.2, and numbers like `1e-6` count as numbers. Keys must be scalars and
//! differ.

use std::collections::HashMap;

use saphyr_parser::{Event, Parser, ScalarStyle, StrInput};
use serde_json::{Map, Number, Value};

/// Longest text, in bytes.
const MAX_BYTES: usize = 256 << 10;
/// Most values, those of aliases counted each time.
const MAX_VALUES: usize = 20_000;
/// Most maps and lists in each other.
const MAX_DEPTH: usize = 32;

/// The value of a text's only document; null if it has none.
///
/// # Errors
/// What is wrong, with its line where that is known: a lower-case fragment.
pub(super) fn parse(text: &str) -> Result<Value, String> {
    if text.len() > MAX_BYTES {
        return Err(format!("must not be longer than {MAX_BYTES} bytes"));
    }
    let mut reader = Reader {
        parser: Parser::new_from_str(text.strip_prefix('\u{feff}').unwrap_or(text)),
        values: 0,
        anchors: HashMap::new(),
    };
    let mut read = None;
    loop {
        match reader.next()? {
            Event::StreamEnd => return Ok(read.unwrap_or(Value::Null)),
            Event::StreamStart | Event::DocumentStart(_) | Event::DocumentEnd | Event::Nothing => {}
            event => {
                let value = reader.value(event, 0)?;
                if read.replace(value).is_some() {
                    return Err("must be one document".to_owned());
                }
            }
        }
    }
}

/// A scalar as it is written; `None` for lists, maps and null.
pub(super) fn as_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

struct Reader<'t> {
    parser: Parser<'t, StrInput<'t>>,
    values: usize,
    /// What each anchor stands for, with how many values that is.
    anchors: HashMap<usize, (Value, usize)>,
}

impl<'t> Reader<'t> {
    fn next(&mut self) -> Result<Event<'t>, String> {
        match self.parser.next_event() {
            Some(Ok((event, _span))) => Ok(event),
            Some(Err(error)) => Err(format!("is no YAML: line {}: {}", error.marker().line(), error.info())),
            None => Ok(Event::StreamEnd),
        }
    }

    fn count(&mut self, values: usize) -> Result<(), String> {
        self.values += values;
        if self.values > MAX_VALUES {
            Err(format!("must not have more than {MAX_VALUES} values"))
        } else {
            Ok(())
        }
    }

    fn value(&mut self, event: Event<'t>, depth: usize) -> Result<Value, String> {
        if depth > MAX_DEPTH {
            return Err(format!("must not be deeper than {MAX_DEPTH} lists and maps"));
        }
        self.count(1)?;
        let before = self.values;
        let (value, anchor) = match event {
            Event::Alias(anchor) => {
                let (value, values) =
                    self.anchors.get(&anchor).cloned().ok_or("has an alias inside of what it stands for")?;
                self.count(values)?;
                return Ok(value);
            }
            Event::Scalar(text, style, anchor, tag) => {
                let is_plain = style == ScalarStyle::Plain && tag.is_none();
                (if is_plain { scalar(&text) } else { Value::String(text.into_owned()) }, anchor)
            }
            Event::SequenceStart(anchor, _tag) => (self.list(depth)?, anchor),
            Event::MappingStart(anchor, _tag) => (self.map(depth)?, anchor),
            Event::Nothing
            | Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(_)
            | Event::DocumentEnd
            | Event::SequenceEnd
            | Event::MappingEnd => return Err("is no YAML: it ends too early".to_owned()),
        };
        if anchor > 0 {
            self.anchors.insert(anchor, (value.clone(), self.values - before + 1));
        }
        Ok(value)
    }

    fn list(&mut self, depth: usize) -> Result<Value, String> {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                Event::SequenceEnd => return Ok(Value::Array(items)),
                event => items.push(self.value(event, depth + 1)?),
            }
        }
    }

    fn map(&mut self, depth: usize) -> Result<Value, String> {
        let mut entries = Map::new();
        loop {
            let key = match self.next()? {
                Event::MappingEnd => return Ok(Value::Object(entries)),
                Event::Scalar(key, _, _, _) => key.into_owned(),
                _ => return Err("has a key that is no text".to_owned()),
            };
            self.count(1)?;
            let event = self.next()?;
            let value = self.value(event, depth + 1)?;
            if entries.contains_key(&key) {
                return Err(format!("has the key {key} twice"));
            }
            entries.insert(key, value);
        }
    }
}

/// What a scalar without quotes says.
fn scalar(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "true" | "True" | "TRUE" => return Value::Bool(true),
        "false" | "False" | "FALSE" => return Value::Bool(false),
        _ => {}
    }
    if let Ok(whole) = text.strip_prefix('+').unwrap_or(text).parse::<i64>() {
        return Value::Number(whole.into());
    }
    let is_number = text.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c))
        && text.chars().all(|c| c.is_ascii_digit() || "+-.eE".contains(c));
    let number = is_number.then(|| text.parse().ok().and_then(Number::from_f64)).flatten();
    number.map_or_else(|| Value::String(text.to_owned()), Value::Number)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::parse;

    #[test]
    fn scalars_lists_and_maps_are_read_as_they_are_meant() {
        let text = "a: 1\nb: [x, 'true', 1e-6]\nc:\n  d: yes\n  e: |\n    two\n    lines\nf: &z {g: ~}\nh: *z\ni: -inf\n";

        assert_eq!(
            parse(text).unwrap(),
            json!({ "a": 1, "b": ["x", "true", 1e-6], "c": { "d": "yes", "e": "two\nlines\n" }, "f": { "g": null },
                    "h": { "g": null }, "i": "-inf" })
        );
        assert_eq!(parse("# nothing\n").unwrap(), json!(null));
    }

    #[test]
    fn aliases_that_multiply_depth_without_end_and_keys_that_repeat_are_refused() {
        let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..20 {
            let before = vec![format!("*a{}", level - 1); 10].join(", ");
            bomb = format!("{bomb}a{level}: &a{level} [{before}]\n");
        }

        assert!(parse(&bomb).unwrap_err().contains("values"));
        assert!(parse(&"[".repeat(10_000)).is_err());
        assert!(parse("a: 1\na: 2\n").unwrap_err().contains("twice"));
        assert!(parse("a: 1\n---\nb: 2\n").unwrap_err().contains("one document"));
        assert!(parse("a: [1\n").unwrap_err().contains("line"));
        assert!(parse("a: &a [*a]\n").is_err());
        assert!(parse(&" ".repeat(1 << 20)).is_err());
    }
}
