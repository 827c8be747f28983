//! The statement: the English one, or the first, as Markdown.

use super::super::{Error, PROBLEM};
use super::Package;
use super::metadata::Metadata;

/// Title and statement.
pub(super) fn read(package: &mut Package<'_>, metadata: &Metadata) -> Result<(String, String), Error> {
    let folder = metadata.format.statements();
    let all: Vec<String> = package.files.below(folder).map(str::to_owned).collect();
    // By language: the kind of file that is the easiest to show comes first.
    let mut found: Vec<(u8, String, String)> = Vec::new();
    for name in &all {
        match language_and_kind(name) {
            Some((language, kind)) => {
                let rank = u8::from(language != "en")
                    + if kind == "md" {
                        0
                    } else if kind == "tex" {
                        2
                    } else {
                        4
                    };
                found.push((rank, language.to_owned(), name.clone()));
            }
            None => package
                .notes
                .add(format!("{folder}{name}"), "is left out: a statement has no files beside it"),
        }
    }
    found.sort();
    let chosen = found.first().filter(|(_, _, name)| !is_pdf(name)).cloned();
    for (_, _, name) in found.iter().skip(usize::from(chosen.is_some())) {
        let message = if is_pdf(name) {
            "is left out: a statement is Markdown"
        } else {
            "is left out: an exercise has one statement"
        };
        package.notes.add(format!("{folder}{name}"), message);
    }
    let Some((_, language, name)) = chosen else {
        package
            .notes
            .add(folder.trim_end_matches('/'), "holds no statement that can be read: the exercise has none");
        return Ok((title(package, metadata, "en", ""), String::new()));
    };
    let path = format!("{folder}{name}");
    let text = metadata.fill(package.files.text(&path)?.unwrap_or_default());
    let title = title(package, metadata, &language, &text);
    package.origins.insert("/statement".to_owned(), path.clone());
    if !has_ending(&name, "tex") {
        return Ok((title, text));
    }
    package.notes.add(path, "is LaTeX and not converted: its source stands in the statement");
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    Ok((title, format!("{fence}latex\n{}\n{fence}\n", text.trim_end())))
}

fn is_pdf(name: &str) -> bool {
    has_ending(name, "pdf")
}

fn has_ending(name: &str, ending: &str) -> bool {
    name.rsplit_once('.').is_some_and(|(_, of)| of == ending)
}

/// Of `problem.<language>.<kind>`; English if no language is named.
fn language_and_kind(name: &str) -> Option<(&str, &str)> {
    let (language, kind) =
        name.strip_prefix("problem.")?.rsplit_once('.').unwrap_or(("en", name.strip_prefix("problem.")?));
    (["md", "tex", "pdf"].contains(&kind) && !language.contains('/')).then_some((language, kind))
}

/// What the problem is called in the language of its statement.
fn title(package: &mut Package<'_>, metadata: &Metadata, language: &str, statement: &str) -> String {
    let names = &metadata.names;
    let chosen = names.iter().find(|(of, _)| of == language).or_else(|| names.first());
    for (of, name) in names.iter().filter(|other| Some(*other) != chosen) {
        package.notes.add(PROBLEM, format!("name in {of} ({name}) is left out: an exercise has one title"));
    }
    let in_statement = || {
        let plain = statement.lines().find_map(|line| line.trim().strip_prefix("%% plainproblemname:"));
        let command = || statement.split_once("\\problemname{")?.1.split('}').next();
        plain.or_else(command).map(|name| name.trim().to_owned()).filter(|name| !name.is_empty())
    };
    let folder = || package.files.top().map(str::to_owned);
    let title =
        chosen.map(|(_, name)| name.clone()).or_else(in_statement).or_else(folder).unwrap_or_default();
    title.split_whitespace().collect::<Vec<_>>().join(" ")
}
