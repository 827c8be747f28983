//! What a person sees who opens a sign-in link: who it signs in, and a button; or that it is over.

use aws_lc_rs::digest;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::app::Role;
use crate::app::sign_in::SignInLink;

const STYLE: &str = "\
:root{color-scheme:light dark}\
body{margin:0;font:1.05rem/1.6 system-ui,sans-serif;color:#1b1f24;background:#fff}\
main{max-width:26rem;margin:0 auto;padding:3rem 1.25rem}\
h1{font-size:1.7rem;line-height:1.25;margin:0 0 1rem}\
strong{overflow-wrap:anywhere}\
button{font:inherit;font-weight:600;padding:.6rem 1.4rem;border:0;border-radius:.4rem;background:#1a56c4;color:#fff;cursor:pointer}\
button:focus-visible{outline:3px solid #1a56c4;outline-offset:3px}\
a{color:#1a56c4}\
@media(prefers-color-scheme:dark){body{color:#e6e9ee;background:#14171c}a{color:#8ab4ff}button:focus-visible{outline-color:#8ab4ff}}";

/// What is said, in one language.
struct Words {
    language: &'static str,
    title: &'static str,
    before: &'static str,
    roles: [&'static str; 4],
    caution: &'static str,
    button: &'static str,
    over: &'static str,
    over_lead: &'static str,
    other_way: &'static str,
}

const ENGLISH: Words = Words {
    language: "en",
    title: "Sign in to Guichet",
    before: "This signs you in as",
    roles: ["student", "teacher", "backend", "admin"],
    caution: "If that is not you, close this page. The link works once.",
    button: "Sign in",
    over: "This link is over",
    over_lead: "It was used, or its time has passed. Ask for a new one where you got it.",
    other_way: "Sign in with a token",
};

const FRENCH: Words = Words {
    language: "fr",
    title: "Se connecter à Guichet",
    before: "Vous serez connecté comme",
    roles: ["étudiant", "enseignant", "plateforme", "administrateur"],
    caution: "Si ce n’est pas vous, fermez cette page. Le lien ne sert qu’une fois.",
    button: "Se connecter",
    over: "Ce lien n’est plus valable",
    over_lead: "Il a servi, ou son temps est passé. Demandez-en un autre là où vous l’avez reçu.",
    other_way: "Se connecter avec un jeton",
};

/// Who is signed in, and the button.
pub fn button(request: &HeaderMap, link: &SignInLink) -> Response {
    let words = words(request);
    let [student, teacher, backend, admin] = words.roles;
    let role = match link.role {
        Role::Student => student,
        Role::Teacher => teacher,
        Role::Backend => backend,
        Role::Admin => admin,
    };
    let body = format!(
        "<h1>{}</h1>\n<p>{} <strong>{}</strong> ({role}).</p>\n<p>{}</p>\n\
         <form method=\"post\"><button>{}</button></form>",
        words.title,
        words.before,
        escaped(link.subject.as_str()),
        words.caution,
        words.button
    );
    page(StatusCode::OK, words, words.title, &body)
}

/// That the link is over; `None` for a program, which reads the problem.
pub fn over(request: &HeaderMap) -> Option<Response> {
    let mut accepted = request.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    if !accepted.any(|kinds| kinds.contains("text/html")) {
        return None;
    }
    let words = words(request);
    let body = format!(
        "<h1>{}</h1>\n<p>{}</p>\n<p><a href=\"../sign-in\">{}</a></p>",
        words.over, words.over_lead, words.other_way
    );
    Some(page(StatusCode::GONE, words, words.over, &body))
}

/// The first language that the reader names and there is.
fn words(request: &HeaderMap) -> &'static Words {
    let asked =
        request.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut named = asked.split(',').map(|part| part.trim().to_ascii_lowercase());
    let known = named.find_map(|name| match name.split(['-', ';']).next() {
        Some("fr") => Some(&FRENCH),
        Some("en") => Some(&ENGLISH),
        Some(_) | None => None,
    });
    known.unwrap_or(&ENGLISH)
}

/// * `title` — without markup.
fn page(status: StatusCode, words: &Words, title: &str, body: &str) -> Response {
    let language = words.language;
    let document = format!(
        "<!doctype html>\n<html lang=\"{language}\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{title}</title>\n\
         <link rel=\"icon\" href=\"data:,\">\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n{body}\n</main>\n</body>\n\
         </html>\n"
    );
    let mut response = (status, Html(document)).into_response();
    let headers = response.headers_mut();
    if let Ok(policy) = HeaderValue::from_str(&policy()) {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    // The button's request says where it comes from, which `no-referrer` would hide; the link goes nowhere else.
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    headers.insert(header::VARY, HeaderValue::from_static("Accept, Accept-Language"));
    response
}

/// No script, the one style sheet above, a form that leads here alone, and no frame around it.
fn policy() -> String {
    let hash = STANDARD.encode(digest::digest(&digest::SHA256, STYLE.as_bytes()).as_ref());
    format!(
        "default-src 'none'; style-src 'sha256-{hash}'; img-src data:; base-uri 'none'; form-action 'self'; \
         frame-ancestors 'none'"
    )
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderMap, HeaderValue, header};

    use super::{escaped, over, words};

    fn with(name: header::HeaderName, value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_static(value))])
    }

    #[test]
    fn the_reader_s_first_language_that_there_is_is_spoken() {
        let spoken = |asked| words(&with(header::ACCEPT_LANGUAGE, asked)).language;

        assert_eq!(spoken("de, fr-CH;q=0.9, en;q=0.8"), "fr");
        assert_eq!(spoken("en-GB, fr"), "en");
        assert_eq!(spoken("de"), "en");
        assert_eq!(words(&HeaderMap::new()).language, "en");
    }

    #[test]
    fn a_program_reads_the_problem() {
        assert!(over(&with(header::ACCEPT, "application/json")).is_none());
        assert!(over(&with(header::ACCEPT, "text/html,*/*;q=0.8")).is_some());
    }

    #[test]
    fn a_name_is_no_markup() {
        assert_eq!(escaped("<b a=\"&\">"), "&lt;b a=&quot;&amp;&quot;&gt;");
    }
}
