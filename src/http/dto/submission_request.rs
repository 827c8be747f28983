//! What is sent to make submissions and to replace their files.

use serde::Deserialize;
use utoipa::ToSchema;

use super::bytes::Sent;
use super::names::Priority;
use crate::app::FieldError;
use crate::app::budget::Purpose;
use crate::app::submit::{MAX_BATCH, Submit};
use crate::app::validate::MAX_FILES;
use crate::domain::exercise;
use crate::domain::metadata::Metadata;
use crate::domain::submission;
use crate::http::body::{MAX_BODY_BYTES, MAX_VALUES, RequestBody};
use crate::json::{Bounds, at_most};

/// A file: its path, and its bytes as text or in base64.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FileRequest {
    /// Relative path with `/`: no `.` or `..`, no backslash, no control characters.
    #[schema(min_length = 1, max_length = 255)]
    pub path: String,
    /// The bytes, if they are UTF-8; this or `content_base64`.
    pub content: Option<String>,
    /// The bytes in base64, in place of `content`; line breaks may stand in it.
    #[schema(format = Byte)]
    pub content_base64: Option<String>,
}

impl FileRequest {
    /// The file; `pointer` is its place in the request.
    pub fn read(self, pointer: &str, errors: &mut Vec<FieldError>) -> exercise::SourceFile {
        let bytes =
            Sent { parent: pointer, name: "content", text: self.content, base64: self.content_base64 };
        exercise::SourceFile { path: self.path, content: bytes.read_required(errors) }
    }

    /// All files of a list at `pointer`.
    pub fn read_all(
        files: Vec<Self>,
        pointer: &str,
        errors: &mut Vec<FieldError>,
    ) -> Vec<exercise::SourceFile> {
        let read = |(index, file): (usize, Self)| file.read(&format!("{pointer}/{index}"), errors);
        files.into_iter().enumerate().map(read).collect()
    }
}

/// What the program of a run is given.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RunRequest {
    /// Standard input; empty if left out.
    pub stdin: Option<String>,
    /// Standard input in base64, in place of `stdin`; line breaks may stand in it.
    #[schema(format = Byte)]
    pub stdin_base64: Option<String>,
    /// Arguments; none if left out.
    pub args: Option<Vec<String>>,
}

/// A program to be graded (with `exercise_id`) or only run (with `run`).
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SubmissionRequest {
    /// The exercise it is for; needed unless `run` is there.
    #[schema(min_length = 1, max_length = 128, pattern = "^[A-Za-z0-9_.:~-]+$")]
    pub exercise_id: Option<String>,
    /// The runtime its program is for.
    #[schema(min_length = 1, max_length = 64, pattern = "^[A-Za-z0-9_.:~-]+$")]
    pub runtime: String,
    /// The program: 1 MiB at most in all.
    #[schema(min_items = 1)]
    #[serde(deserialize_with = "at_most::<MAX_FILES, _, _>")]
    pub files: Vec<FileRequest>,
    /// Run it with this input, without grading: `accepted` then means only that it exited with 0.
    pub run: Option<RunRequest>,
    /// Your own JSON object, at most 4 KiB; empty if left out. It comes back as sent, each number with all its digits.
    #[schema(value_type = Option<std::collections::BTreeMap<String, serde_json::Value>>)]
    pub metadata: Option<Metadata>,
    /// Class in the queue (teacher, backend, admin); the exercise's if left out.
    pub priority: Option<Priority>,
    /// Whose it is (backend, admin); yours if left out.
    #[schema(min_length = 1, max_length = 255)]
    pub owner: Option<String>,
    /// The original backend that knows it by `legacy_id` (backend, admin); `default` if left out.
    #[schema(min_length = 1, max_length = 128)]
    pub backend: Option<String>,
    /// Its id at that backend (backend, admin): at most 1,024 bytes, no NUL.
    #[schema(min_length = 1, max_length = 1024)]
    pub legacy_id: Option<String>,
    /// Whether it enters the queue at once, which it does if this is left out; else it is a draft.
    pub enqueue: Option<bool>,
}

/// Longest string: a file in base64 of 1 MiB, with line breaks.
const STRING_BYTES: usize = 2 << 20;
/// What one submission may come to: 1 MiB of files and 1 MiB of input in base64, and the rest.
const SUBMISSION: Bounds = Bounds { bytes: 3 << 20, string_bytes: STRING_BYTES, values: MAX_VALUES };

impl RequestBody for SubmissionRequest {
    const BOUNDS: Bounds = SUBMISSION;
    const PURPOSE: Purpose = Purpose::Small;
    type Asked = Submit;

    fn asked(self, errors: &mut Vec<FieldError>) -> Submit {
        self.read("", errors)
    }
}

impl RequestBody for SubmissionBatchRequest {
    /// 32 MiB in base64, and the rest.
    const BOUNDS: Bounds = Bounds { bytes: MAX_BODY_BYTES, string_bytes: STRING_BYTES, values: MAX_VALUES };
    const PURPOSE: Purpose = Purpose::Large;
    type Asked = Vec<Submit>;

    fn asked(self, errors: &mut Vec<FieldError>) -> Vec<Submit> {
        let requests = self.submissions.into_iter().enumerate();
        requests.map(|(index, request)| request.read(&format!("/submissions/{index}"), errors)).collect()
    }
}

impl RequestBody for SubmissionFilesRequest {
    const BOUNDS: Bounds = SUBMISSION;
    const PURPOSE: Purpose = Purpose::Small;
    type Asked = Vec<exercise::SourceFile>;

    fn asked(self, errors: &mut Vec<FieldError>) -> Vec<exercise::SourceFile> {
        FileRequest::read_all(self.files, "/files", errors)
    }
}

impl SubmissionRequest {
    /// What is to be submitted; `pointer` is the request's place in the body.
    fn read(self, pointer: &str, errors: &mut Vec<FieldError>) -> Submit {
        let files = FileRequest::read_all(self.files, &format!("{pointer}/files"), errors);
        let run = self.run.map(|run| {
            let parent = format!("{pointer}/run");
            let stdin = Sent { parent: &parent, name: "stdin", text: run.stdin, base64: run.stdin_base64 };
            submission::RunInput {
                stdin: stdin.read(errors).unwrap_or_default(),
                args: run.args.unwrap_or_default(),
            }
        });
        Submit {
            exercise_id: self.exercise_id,
            runtime: self.runtime,
            files,
            run,
            metadata: self.metadata.unwrap_or_default(),
            priority: self.priority.map(Into::into),
            owner: self.owner,
            backend: self.backend,
            legacy_id: self.legacy_id,
            enqueue: self.enqueue.unwrap_or(true),
        }
    }
}

/// Several submissions, made all or not at all.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SubmissionBatchRequest {
    /// The submissions.
    #[schema(min_items = 1, max_items = 100)]
    #[serde(deserialize_with = "at_most::<MAX_BATCH, _, _>")]
    pub submissions: Vec<SubmissionRequest>,
}

/// All files of a submission, in place of those it has.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SubmissionFilesRequest {
    /// The program: 1 MiB at most in all.
    #[schema(min_items = 1)]
    #[serde(deserialize_with = "at_most::<MAX_FILES, _, _>")]
    pub files: Vec<FileRequest>,
}
