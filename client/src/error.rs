//! Why there is no answer.

use reqwest::Url;

use crate::types::{Problem, ProblemField};

/// Why a request had no success. What it asked for may have happened all the same unless it was [`Error::Refused`].
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The service said no; it tells what is true now.
    #[error("{0}")]
    Refused(Box<Problem>),
    /// No service answered.
    #[error("no answer from {url}: {}", causes(source))]
    Unreachable {
        /// Where.
        url: Url,
        /// Why.
        source: reqwest::Error,
    },
    /// Another program than Guichet answered, or one between it and us.
    #[error("{url} is not answered by Guichet: {reason}")]
    Foreign {
        /// What was asked.
        url: Url,
        /// What came instead.
        reason: String,
    },
    /// There is no token to ask with.
    #[error("there is no token: {0}")]
    NoToken(Box<dyn std::error::Error + Send + Sync>),
    /// The answer is not what this client knows.
    #[error("the service's answer has {0}")]
    Unknown(serde_json::Error),
}

impl Error {
    /// Whether it may go away by itself, so that asking again is worth it: a connection that broke, a service that starts or
    /// stops, or has too much to do.
    pub fn may_pass(&self) -> bool {
        use crate::types::ProblemCode::{Overloaded, RateLimited, Stopping, Unavailable};
        match self {
            Self::Unreachable { .. } | Self::Foreign { .. } => true,
            Self::Refused(problem) => {
                [Stopping, Unavailable, Overloaded, RateLimited].contains(&problem.code)
            }
            Self::NoToken(_) | Self::Unknown(_) => false,
        }
    }
}

/// Title, detail and code, then each field on a line.
impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { title, code, detail, errors, .. } = self;
        write!(f, "{}: {} ({})", plain(title), plain(detail), plain(code.as_str()))?;
        for ProblemField { pointer, message, .. } in errors {
            write!(f, "\n  {} {}", plain(pointer), plain(message))?;
        }
        Ok(())
    }
}

/// Text of others as a terminal may have it: without control characters.
pub fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// An error with all its causes.
fn causes(error: &dyn std::error::Error) -> String {
    let all = std::iter::successors(Some(error), |error| error.source());
    all.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

#[cfg(test)]
mod tests {
    use crate::types::Problem;

    #[test]
    fn a_problem_is_told_with_title_detail_code_and_fields_and_without_control_characters() {
        let text = r#"{"type":"/problems/x","title":"No\u001b[1m","status":422,"code":"validation_failed","detail":"1 field is wrong",
            "request_id":"r","errors":[{"in":"body","pointer":"/url","message":"must be a URL"}],"added_later":1}"#;
        let problem: Problem = serde_json::from_str(text).unwrap();

        assert_eq!(problem.to_string(), "No [1m: 1 field is wrong (validation_failed)\n  /url must be a URL");
    }
}
