//! `guichet openapi` and `guichet settings`: what the code says, printed or compared with the committed file.

use std::io::Write as _;
use std::process::ExitCode;

use anyhow::Context as _;

use crate::config::reference;
use crate::http::openapi_json;

/// A document that is made from the code.
#[derive(Clone, Copy, Debug)]
pub enum Document {
    /// The API's description.
    OpenApi,
    /// All settings.
    Settings,
}

impl Document {
    /// Prints it, or compares it with the committed one.
    ///
    /// # Errors
    /// It differs, or the committed one cannot be read.
    pub fn run(self, check: bool) -> anyhow::Result<ExitCode> {
        let (command, committed) = match self {
            Self::OpenApi => ("openapi", "openapi/openapi.json"),
            Self::Settings => ("settings", "docs/settings.md"),
        };
        let document = match self {
            Self::OpenApi => openapi_json(),
            Self::Settings => reference::markdown(),
        };
        if !check {
            std::io::stdout().write_all(document.as_bytes())?;
            return Ok(ExitCode::SUCCESS);
        }
        let found = std::fs::read_to_string(committed).with_context(|| format!("cannot read {committed}"))?;
        anyhow::ensure!(
            found == document,
            "{committed} is not what the code says; run: guichet {command} > {committed}"
        );
        Ok(ExitCode::SUCCESS)
    }
}
