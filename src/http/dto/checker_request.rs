//! What a teacher sends of how outputs are compared.

use serde::Deserialize;
use utoipa::openapi::schema::{Discriminator, OneOfBuilder};
use utoipa::openapi::{Ref, RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use super::exercise::{ExactName, ProgramName, TokensName};
use super::exercise_request::{LimitsRequest, read_runtime};
use super::submission_request::FileRequest;
use crate::app::FieldError;
use crate::domain::exercise;

/// How far numbers may differ: by `absolute`, or by `relative` times the expected number.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FloatToleranceRequest {
    /// 0 if left out.
    #[schema(minimum = 0)]
    pub absolute: Option<f64>,
    /// 0 if left out.
    #[schema(minimum = 0)]
    pub relative: Option<f64>,
}

/// Compares byte for byte.
#[derive(Debug, ToSchema)]
#[schema(as = ExactCheckerRequest)]
#[serde(deny_unknown_fields)]
pub struct ExactSchema {
    #[serde(rename = "type")]
    _kind: ExactName,
}

/// Compares token for token; white space only separates.
#[derive(Debug, ToSchema)]
#[schema(as = TokensCheckerRequest)]
#[serde(deny_unknown_fields)]
pub struct TokensSchema {
    #[serde(rename = "type")]
    _kind: TokensName,
    /// Whether letters must have the same case (ASCII), which they must if this is left out.
    #[serde(rename = "case_sensitive")]
    _case_sensitive: Option<bool>,
    /// Tokens that are numbers on both sides may differ this far; not at all if left out.
    #[serde(rename = "float_tolerance")]
    _float_tolerance: Option<FloatToleranceRequest>,
}

/// Has a program of the exercise decide: an output validator of the ICPC's problem packages.
#[derive(Debug, ToSchema)]
#[schema(as = ProgramCheckerRequest)]
#[serde(deny_unknown_fields)]
pub struct ProgramSchema {
    #[serde(rename = "type")]
    _kind: ProgramName,
    /// What it is written in.
    #[schema(min_length = 1, max_length = 64, pattern = "^[A-Za-z0-9_.:~-]+$")]
    #[serde(rename = "runtime")]
    _runtime: String,
    /// Its files: 1 MiB at most in all; the one that is run is chosen as of a submission.
    #[schema(min_items = 1, max_items = 256)]
    #[serde(rename = "files")]
    _files: Vec<FileRequest>,
    /// Its arguments behind input, answer and feedback folder; none if left out.
    #[serde(rename = "args")]
    _args: Option<Vec<String>>,
    /// Limits of a check.
    #[serde(rename = "limits")]
    _limits: Option<LimitsRequest>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum CheckerName {
    Exact,
    Tokens,
    Program,
}

/// How an output is compared with what was expected.
///
/// Read as one object, so that what is wrong in it is named with its place; described as a union.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CheckerRequest {
    #[serde(rename = "type")]
    kind: CheckerName,
    case_sensitive: Option<bool>,
    float_tolerance: Option<FloatToleranceRequest>,
    runtime: Option<String>,
    files: Option<Vec<FileRequest>>,
    args: Option<Vec<String>>,
    limits: Option<LimitsRequest>,
}

impl PartialSchema for CheckerRequest {
    fn schema() -> RefOr<Schema> {
        let variants = [
            ("exact", "ExactCheckerRequest"),
            ("tokens", "TokensCheckerRequest"),
            ("program", "ProgramCheckerRequest"),
        ];
        let mut union = OneOfBuilder::new()
            .description(Some("How an output is compared with what was expected."))
            .discriminator(Some(Discriminator::with_mapping(
                "type",
                variants.map(|(tag, name)| (tag, format!("#/components/schemas/{name}"))),
            )));
        for (_, name) in variants {
            union = union.item(Ref::from_schema_name(name));
        }
        union.into()
    }
}

impl ToSchema for CheckerRequest {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push(("ExactCheckerRequest".to_owned(), ExactSchema::schema()));
        schemas.push(("TokensCheckerRequest".to_owned(), TokensSchema::schema()));
        schemas.push(("ProgramCheckerRequest".to_owned(), ProgramSchema::schema()));
        schemas.push(("FloatToleranceRequest".to_owned(), FloatToleranceRequest::schema()));
    }
}

impl CheckerRequest {
    /// The checker that is asked for; `None` if it cannot be one.
    pub fn read(self, errors: &mut Vec<FieldError>) -> Option<exercise::Checker> {
        let of_tokens = [
            ("case_sensitive", self.case_sensitive.is_some()),
            ("float_tolerance", self.float_tolerance.is_some()),
        ];
        let of_programs = [
            ("runtime", self.runtime.is_some()),
            ("files", self.files.is_some()),
            ("args", self.args.is_some()),
            ("limits", self.limits.is_some()),
        ];
        let mut refuse = |fields: &[(&str, bool)], whose| {
            for (field, _) in fields.iter().filter(|(_, sent)| *sent) {
                errors.push(FieldError::body(format!("/checker/{field}"), format!("is for {whose} only")));
            }
        };
        match self.kind {
            CheckerName::Exact => {
                refuse(&of_tokens, "tokens");
                refuse(&of_programs, "program");
                Some(exercise::Checker::Exact)
            }
            CheckerName::Tokens => {
                refuse(&of_programs, "program");
                Some(exercise::Checker::Tokens {
                    case_sensitive: self.case_sensitive.unwrap_or(true),
                    float_tolerance: self.float_tolerance.map(|tolerance| exercise::FloatTolerance {
                        absolute: not_negative(tolerance.absolute, "absolute", errors),
                        relative: not_negative(tolerance.relative, "relative", errors),
                    }),
                })
            }
            CheckerName::Program => {
                refuse(&of_tokens, "tokens");
                self.read_program(errors).map(exercise::Checker::Program)
            }
        }
    }

    fn read_program(self, errors: &mut Vec<FieldError>) -> Option<exercise::CheckerProgram> {
        let missing = [("runtime", self.runtime.is_none()), ("files", self.files.is_none())];
        for (field, _) in missing.into_iter().filter(|(_, missing)| *missing) {
            errors.push(FieldError::body(format!("/checker/{field}"), "is missing"));
        }
        let files = FileRequest::read_all(self.files.unwrap_or_default(), "/checker/files", errors);
        Some(exercise::CheckerProgram {
            runtime: read_runtime(&self.runtime?, "/checker/runtime", errors)?,
            files,
            args: self.args.unwrap_or_default(),
            limits: self.limits.unwrap_or_default().into(),
        })
    }
}

fn not_negative(value: Option<f64>, field: &str, errors: &mut Vec<FieldError>) -> f64 {
    let value = value.unwrap_or(0.0);
    if value < 0.0 {
        errors.push(FieldError::body(format!("/checker/float_tolerance/{field}"), "must be 0 or more"));
    }
    value
}
