//! `/problems/{code}`: what the `type` of a problem points to, for people and for programs.

use aws_lc_rs::digest;
use axum::Json;
use axum::extract::Path;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{Html, IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::http::problem::{Code, Problem};
use crate::http::problem_sets::Explaining;

/// What a code of a problem means.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ProblemExplanation {
    /// The `type` of such problems.
    #[serde(rename = "type")]
    pub kind: String,
    /// The code.
    pub code: Code,
    /// The status that it comes with.
    #[schema(minimum = 400, maximum = 599)]
    pub status: u16,
    /// One line for people.
    pub title: String,
    /// Why it is answered.
    pub what_happened: String,
    /// What holds after it.
    pub what_is_true_now: String,
    /// What helps.
    pub what_to_do: String,
}

impl ProblemExplanation {
    fn of(code: Code) -> Self {
        let [what_happened, what_is_true_now, what_to_do] = explanation(code).map(str::to_owned);
        Self {
            kind: format!("/problems/{}", code.name()),
            code,
            status: code.status().as_u16(),
            title: code.title().to_owned(),
            what_happened,
            what_is_true_now,
            what_to_do,
        }
    }
}

/// Explains the code of a problem: what happened, what is true afterwards, what to do.
///
/// A page for people, or JSON if the header `Accept` asks for it.
#[utoipa::path(
    get,
    path = "/problems/{code}",
    tag = "problems",
    security(()),
    params(("code" = String, Path, description = "The `code` of a problem; its `type` is this address.")),
    responses(
        (status = 200, description = "What it means.", content(
            (ProblemExplanation = "application/json"),
            (String = "text/html"),
        )),
        Explaining,
    ),
)]
pub async fn explain_problem(Path(code): Path<String>, headers: HeaderMap) -> Result<Response, Problem> {
    let known = Code::ALL.into_iter().find(|known| known.name() == code).ok_or_else(Problem::not_found)?;
    let explanation = ProblemExplanation::of(known);
    let mut response = if wants_json(&headers) {
        Json(explanation).into_response()
    } else {
        let mut page = Html(page(&explanation)).into_response();
        if let Ok(policy) = HeaderValue::from_str(&policy()) {
            page.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
        }
        page
    };
    response.headers_mut().insert(header::VARY, HeaderValue::from_static("Accept"));
    Ok(response)
}

/// Whether JSON is asked for by its name and a page isn't.
fn wants_json(headers: &HeaderMap) -> bool {
    let accepted: Vec<&str> =
        headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok()).collect();
    let names = |kind: &str| accepted.iter().any(|value| value.contains(kind));
    (names("application/json") || names("application/problem+json")) && !names("text/html")
}

const STYLE: &str = "\
:root{color-scheme:light dark}\
body{margin:0;font:1.05rem/1.6 system-ui,sans-serif}\
main{max-width:40rem;margin:0 auto;padding:2.5rem 1.25rem}\
h1{font-size:1.7rem;line-height:1.25;margin:.2rem 0 1.5rem}\
h2{font-size:1rem;margin:1.5rem 0 .2rem}\
p{margin:0}\
code{font:.95em ui-monospace,monospace;background:#8883;border-radius:.25rem;padding:.1em .3em}\
.code{opacity:.8}\
footer{margin-top:2.5rem;font-size:.9rem}";

/// No script, no picture, nothing from elsewhere, and the one style sheet above.
fn policy() -> String {
    let hash = STANDARD.encode(digest::digest(&digest::SHA256, STYLE.as_bytes()).as_ref());
    format!(
        "default-src 'none'; style-src 'sha256-{hash}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
}

fn page(explanation: &ProblemExplanation) -> String {
    let ProblemExplanation { code, status, title, .. } = explanation;
    let parts = [
        ("What happened", &explanation.what_happened),
        ("What is true now", &explanation.what_is_true_now),
        ("What to do", &explanation.what_to_do),
    ];
    let parts: String =
        parts.map(|(heading, text)| format!("<h2>{heading}</h2>\n<p>{}</p>\n", marked_up(text))).concat();
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{title} · Guichet</title>\n<link rel=\"icon\" href=\"data:,\">\n<style>{STYLE}</style>\n</head>\n\
         <body>\n<main>\n<p class=\"code\">{status} <code>{}</code></p>\n<h1>{title}</h1>\n{parts}\
         <footer><a href=\"/docs/\">The whole API</a></footer>\n</main>\n</body>\n</html>\n",
        code.name()
    )
}

/// The text as HTML: what stands between backticks is code.
fn marked_up(text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let parts = text.split('`').enumerate();
    parts
        .map(|(index, part)| if index % 2 == 1 { format!("<code>{part}</code>") } else { part.to_owned() })
        .collect()
}

const NOTHING_STORED: &str = "Nothing was stored and nothing was changed.";
const NOTHING_NEW: &str = "Nothing was stored; what was stored before is as it was.";

/// What happened, what is true now, what to do.
#[expect(clippy::too_many_lines, reason = "a table; as a match it has an entry for every code")]
const fn explanation(code: Code) -> [&'static str; 3] {
    match code {
        Code::MalformedBody => [
            "The body can't be read as JSON: it is cut off, has a comma or quote too many, isn't UTF-8, or is nested deeper \
             than 128 levels. `detail` says where reading stopped.",
            NOTHING_STORED,
            "Let a JSON library write the body, and send it as UTF-8.",
        ],
        Code::MalformedRequest => [
            "The head of the request has no `Host`, or two of them, so that two servers could read it in two ways. The \
             connection is closed.",
            NOTHING_STORED,
            "Let an HTTP library write the request. A proxy in front must send one `Host`.",
        ],
        Code::UnsupportedTransferCoding => [
            "The header `Transfer-Encoding` names another coding than `chunked`, or several. The connection is closed.",
            NOTHING_STORED,
            "Send the body with `Content-Length`, or `chunked` alone.",
        ],
        Code::InvalidToken => [
            "The request has no token, or one that is over, was signed with another key, or is meant for another service. \
             A stream ticket opens streams of events only, until it is over.",
            NOTHING_STORED,
            "Get a fresh token and send it as `Authorization: Bearer …`. A page gets a fresh ticket by \
             `POST /v1/stream-tickets` and opens its stream again with `last_event_id`.",
        ],
        Code::SessionExpired => [
            "The session of the cookie `guichet_session` is over: its time has passed, or its user signed out.",
            NOTHING_STORED,
            "Sign in again: by a new sign-in link, or by a token and `POST /v1/session`. Then send the request again.",
        ],
        Code::Forbidden => [
            "Your role never has this operation, or a field that you sent; `detail` says which role has it.",
            NOTHING_STORED,
            "Leave the field out, or use a token with a role that has it. The same request with the same token will be \
             refused again.",
        ],
        Code::NotFound => [
            "There is nothing at this address, or it belongs to another and you may not see it. The answer is the same, so \
             that ids can't be tried out.",
            NOTHING_STORED,
            "Check the address and the id, and whose token you use. Old submissions are deleted after the time that the \
             operator has set.",
        ],
        Code::MethodNotAllowed => [
            "The address exists and does not have this method.",
            NOTHING_STORED,
            "The header `Allow` names the methods that it has.",
        ],
        Code::RequestTimeout => [
            "The body did not come within 30 seconds.",
            NOTHING_STORED,
            "Send it again. With an `Idempotency-Key` that is safe even if you are not sure what came of the first request.",
        ],
        Code::SubmissionActive => [
            "The submission is queued or running, and its files can't be replaced meanwhile.",
            "It goes on with the files that it has.",
            "Wait for its end, or cancel it by `POST /v1/submissions/{id}/cancel`; then replace the files.",
        ],
        Code::SubmissionEnded => [
            "The submission had finished or failed before it could be cancelled.",
            "Its result stands.",
            "Read it by `GET /v1/submissions/{id}`.",
        ],
        Code::SubmissionNotGraded => [
            "Only what finished or failed for an exercise is judged again; this one is a run or a draft, or was cancelled.",
            "It is as it was.",
            "Queue a draft by `POST /v1/submissions/{id}/enqueue`; send a run or what was cancelled anew.",
        ],
        Code::RejudgeActive => [
            "The exercise's submissions are being judged again, or a preview of that was neither applied nor cancelled. Or the \
             preview itself was to be applied before all were judged.",
            NOTHING_STORED,
            "Look at the one that the detail names by `GET /v1/rejudges/{id}`, and wait until it has ended. A preview is decided about \
             by `POST /v1/rejudges/{id}/apply` or `/cancel`.",
        ],
        Code::RejudgeOver => [
            "Only a preview is applied or cancelled. What is judged with `apply` counts as it comes; a preview that was applied is not \
             cancelled, and one that was cancelled is not applied.",
            "It is as it was.",
            "Ask for a new preview by `POST /v1/exercises/{id}/rejudge`.",
        ],
        Code::NoSolutions => [
            "The exercise has no reference solutions, so that there is nothing to check it by.",
            NOTHING_STORED,
            "Put the exercise with `solutions`.",
        ],
        Code::LegacyIdTaken => [
            "Another submission has this `legacy_id` at this backend. `submission_id` names it.",
            NOTHING_STORED,
            "If it is the one that you meant to make, use it: `GET /v1/submissions/{submission_id}`. Else send another \
             `legacy_id`.",
        ],
        Code::HostExists => [
            "Another Docker host has this name; those of the settings have names, too.",
            NOTHING_STORED,
            "Choose another name, or change the host that has it: `PATCH /v1/hosts/{name}`.",
        ],
        Code::HostBusy => [
            "Submissions run on the Docker host, or something of one is being removed there.",
            "The host is as it was, and what runs there goes on.",
            "Drain it by `PATCH /v1/hosts/{name}` with `{\"mode\": \"draining\"}`, wait until `drained` is true, and remove it \
             then. With `?force=true` it goes at once, and what runs there is queued again at its old place.",
        ],
        Code::HostConfigured => [
            "The Docker host stands in the settings of the service.",
            "The host is as it was.",
            "Cordon or drain it, or take it out of the settings and start the service again.",
        ],
        Code::SignInLinkOver => [
            "The sign-in link was used, its time has passed, or there was none like it. The answer is the same, so that links \
             can't be tried out.",
            "This request signed no one in.",
            "Ask for a new link where you got this one; a platform makes it by `POST /v1/sign-in-links`.",
        ],
        Code::PreconditionFailed => [
            "The stored version is not the one that `If-Match` or `If-None-Match` asks for: it was changed, made or deleted \
             meanwhile.",
            "Nothing was changed; what the other wrote stands.",
            "Read it again, bring your change into what is there now, and send it with the new `ETag`.",
        ],
        Code::PayloadTooLarge => [
            "The body, or the files in it together, have more bytes than are taken; `detail` says how many may be.",
            NOTHING_STORED,
            "Send less: leave out files that the program doesn't need, or split a batch.",
        ],
        Code::UnsupportedMediaType => [
            "The body is not declared as `application/json`, or it is compressed. Of a package, it is not declared as \
             `application/zip`.",
            NOTHING_STORED,
            "Send `Content-Type: application/json`, in UTF-8 and without `Content-Encoding`; for a package \
             `Content-Type: application/zip`.",
        ],
        Code::InvalidPackage => [
            "The archive or a file in it is not as it must be, or asks for what cannot be graded here. Each entry of `errors` \
             names a file: `pointer` is its path in the package, and empty for the archive itself.",
            NOTHING_STORED,
            "Correct the file and import the package again. `guichet exercise validate` tells the same without a service.",
        ],
        Code::ValidationFailed => [
            "The request can be read, but fields of it don't fit: each entry of `errors` names one and says what is wrong. \
             `in` tells the part of the request; in the body `pointer` is a JSON pointer.",
            NOTHING_STORED,
            "Correct all fields that are named and send it again.",
        ],
        Code::ExerciseNotFound => [
            "There is no exercise with this `exercise_id`, or it was deleted.",
            NOTHING_STORED,
            "`GET /v1/exercises` lists those that there are.",
        ],
        Code::IdempotencyKeyReused => [
            "In the last 24 hours you sent this `Idempotency-Key` with another request: another body, or another address.",
            NOTHING_NEW,
            "Use a new key for each new request, and the same key only to repeat one.",
        ],
        Code::RateLimited => [
            "More requests came under your name than are taken in a short time.",
            NOTHING_STORED,
            "Wait as many seconds as `Retry-After` says. To learn how a submission goes on, follow its events or use \
             `Prefer: wait=60` instead of asking again and again.",
        ],
        Code::TooManyQueued => [
            "As many of the owner's submissions are queued as one owner may have.",
            NOTHING_NEW,
            "Wait until some have started (`Retry-After` is an estimate), or cancel some.",
        ],
        Code::TooManyDrafts => [
            "As many of the owner's drafts are stored as one owner may have.",
            NOTHING_NEW,
            "Queue drafts by `POST /v1/submissions/{id}/enqueue`, or cancel some.",
        ],
        Code::Internal => [
            "Something is broken in the service. The cause is in its log, under `request_id`.",
            "A change may have been made or not: the fault may have come after it.",
            "Read whether the change is there before you repeat it; a request with an `Idempotency-Key` can be repeated as it \
             is. If it happens again, tell the operator the `request_id`.",
        ],
        Code::QueueFull => [
            "As many submissions are queued as the service takes.",
            "Nothing was stored; those in the queue keep their places.",
            "Send it again after as many seconds as `Retry-After` says.",
        ],
        Code::Stopping => [
            "This instance of the service is about to stop, and takes nothing new.",
            "Nothing was stored. What is queued stays queued, and runs when an instance is there again.",
            "Send it again after as many seconds as `Retry-After` says.",
        ],
        Code::Unavailable => [
            "The database can't be read or written at the moment.",
            "What was asked is not stored, unless the connection to the database broke just when it was.",
            "Send it again after as many seconds as `Retry-After` says, best with an `Idempotency-Key`.",
        ],
        Code::Overloaded => [
            "So much is on its way at this moment that there is no memory for your request or stream. Small requests find \
             room sooner than large ones.",
            "Nothing was stored; what was taken before goes on.",
            "Send it again after as many seconds as `Retry-After` says. If a batch finds no room again and again, split it.",
        ],
    }
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderMap, HeaderValue, header};

    use super::{Code, ProblemExplanation, marked_up, page, wants_json};

    #[test]
    fn every_code_is_explained_and_has_a_page() {
        for code in Code::ALL {
            let explanation = ProblemExplanation::of(code);

            let page = page(&explanation);

            assert!(page.contains(code.title()) && page.contains(&code.name()), "{page}");
            assert_eq!(page.matches("<h2>").count(), 3);
            assert!(!page.contains('`'), "{page}");
        }
    }

    #[test]
    fn code_in_a_text_is_marked_and_nothing_else_is_markup() {
        assert_eq!(marked_up("a `b<c>` & d"), "a <code>b&lt;c&gt;</code> &amp; d");
    }

    #[test]
    fn programs_get_json_and_browsers_a_page() {
        let accepts = |value: &'static str| {
            wants_json(&HeaderMap::from_iter([(header::ACCEPT, HeaderValue::from_static(value))]))
        };

        assert!(accepts("application/json"));
        assert!(accepts("application/problem+json, */*"));
        assert!(!accepts("text/html,application/xhtml+xml,application/json;q=0.9,*/*;q=0.8"));
        assert!(!accepts("*/*"));
    }
}
