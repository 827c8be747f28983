//! `guichet openapi`: the document, printed or compared.

use std::io::Write as _;
use std::process::ExitCode;

use anyhow::Context as _;

use crate::http::openapi_json;

const COMMITTED: &str = "openapi/openapi.json";

/// Prints the document, or compares it with the committed one.
pub fn run(check: bool) -> anyhow::Result<ExitCode> {
    let document = openapi_json();
    if !check {
        std::io::stdout().write_all(document.as_bytes())?;
        return Ok(ExitCode::SUCCESS);
    }
    let committed = std::fs::read_to_string(COMMITTED).with_context(|| format!("cannot read {COMMITTED}"))?;
    anyhow::ensure!(
        committed == document,
        "{COMMITTED} is not what the code says; run: guichet openapi > {COMMITTED}"
    );
    Ok(ExitCode::SUCCESS)
}
