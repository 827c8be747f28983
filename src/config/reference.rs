//! The reference of all settings, made from the commented defaults.

use super::{DEFAULTS, PREFIX, SHORT_NAMES};

const HEAD: &str = "# Settings

All keys with their defaults, by section. They stand in `guichet.toml` in the working folder, or in the file that `--config` names; over it
counts the environment. How files and environment go together: [operating.md](operating.md). Durations have a unit: `ms`, `s`, `m`, `h` or `d`.

This page is what `guichet settings` prints.
";

/// All settings, as Markdown: by section, each key with its default, its variable and what it means.
pub fn markdown() -> String {
    let mut page = vec![HEAD.to_owned()];
    let mut section = "";
    let mut comment: Vec<&str> = Vec::new();
    // What stands before the first section is about the file.
    for line in DEFAULTS.lines().skip_while(|line| !line.starts_with('[')) {
        if let Some(text) = line.strip_prefix('#') {
            comment.push(text.strip_prefix(' ').unwrap_or(text));
        } else if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            section = name;
            page.push(format!("\n## {section}\n"));
            page.push(prose(&std::mem::take(&mut comment)));
        } else if let Some((key, default)) = line.split_once(" = ") {
            page.push(format!("\n### `{section}.{key}`\n\nDefault: `{default}`"));
            page.push(variables(section, key));
            page.push(format!("\n{}", prose(&std::mem::take(&mut comment))));
        }
    }
    page.concat()
}

/// The variables that set a key; none sets a list of tables.
fn variables(section: &str, key: &str) -> String {
    let whole = format!("{PREFIX}{}__{}", section.replace('.', "__"), key).to_uppercase();
    let short = SHORT_NAMES.iter().find(|(_, of, name)| *of == section && *name == key);
    match (section, key, short) {
        (_, _, Some((short, ..))) => format!(" · `{PREFIX}{short}` or `{whole}`"),
        ("auth", "keys", None) | ("legacy", "backends", None) => " · in a file only".to_owned(),
        (_, _, None) => format!(" · `{whole}`"),
    }
}

/// A comment as paragraphs, what is TOML in it as code.
fn prose(comment: &[&str]) -> String {
    let is_code = |line: &str| {
        line.starts_with("[[") || line.split_once(" = ").is_some_and(|(key, _)| !key.contains(' '))
    };
    let chunks = comment.chunk_by(|one, other| is_code(one) == is_code(other)).map(|lines| {
        let is_code = lines.first().is_some_and(|line| is_code(line));
        let (open, close) = if is_code { ("```toml\n", "\n```") } else { ("", "") };
        format!("\n{open}{}{close}\n", lines.join("\n"))
    });
    chunks.collect()
}

#[cfg(test)]
mod tests {
    use toml::{Table, Value};

    use super::{DEFAULTS, markdown};

    fn keys(table: &Table, prefix: &str) -> Vec<String> {
        let of = |(key, value): (&String, &Value)| match value {
            Value::Table(inner) => keys(inner, &format!("{prefix}{key}.")),
            _ => vec![format!("{prefix}{key}")],
        };
        table.iter().flat_map(of).collect()
    }

    #[test]
    fn every_setting_has_its_default_its_variable_and_some_words() {
        let page = markdown();

        for key in keys(&DEFAULTS.parse().unwrap(), "") {
            let (_, rest) = page.split_once(&format!("\n### `{key}`\n\nDefault: ")).expect(&key);
            let own = rest.split("\n#").next().unwrap();
            assert!(own.contains("GUICHET_") || own.contains("in a file only"), "{key}: {own}");
            assert!(own.lines().count() > 1, "{key} is not explained: {own}");
        }
        assert_eq!(page.matches("```").count() % 2, 0);
    }

    #[test]
    fn short_names_stand_beside_the_long_ones() {
        assert!(markdown().contains("`GUICHET_LISTEN` or `GUICHET_SERVER__LISTEN`"));
    }
}
