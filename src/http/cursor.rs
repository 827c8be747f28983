//! Pages of lists: a limit, and a cursor that opens only for its caller and filters.

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::app::containers::{ContainerCursor, ContainerView};
use crate::app::{Caller, ListCursor, Location};
use crate::domain::ids::{ExerciseId, Owner, SubmissionId};
use crate::domain::time::Timestamp;
use crate::http::problem::Problem;
use crate::http::seal::{self, Purpose};

const DEFAULT_LIMIT: u32 = 50;
const MAX_LIMIT: u32 = 100;

/// The number of items that is asked for, 1 to 100.
pub fn limit(asked: Option<u32>) -> Result<usize, Problem> {
    match asked.unwrap_or(DEFAULT_LIMIT) {
        limit @ 1..=MAX_LIMIT => Ok(usize::try_from(limit).unwrap_or(usize::MAX)),
        _ => Err(Problem::field(Location::Query, "limit", format!("must be between 1 and {MAX_LIMIT}"))),
    }
}

/// Cuts the items read (one more than the page holds, if there are more); answers whether there are more.
pub fn cut<T>(items: &mut Vec<T>, limit: usize) -> bool {
    let more = items.len() > limit;
    items.truncate(limit);
    more
}

/// Where a list goes on, kept for one caller and one set of filters.
#[derive(Clone, Copy, Debug)]
pub struct Cursors<'a> {
    secret: &'a [u8],
    caller: &'a Caller,
    list: &'static str,
    filters: &'a str,
}

#[derive(Serialize, Deserialize)]
struct SubmissionPlace {
    created_at: i64,
    id: SubmissionId,
}

#[derive(Serialize, Deserialize)]
struct ContainerPlace {
    created_at: i64,
    serial: u64,
}

impl<'a> Cursors<'a> {
    /// Cursors of `list` for this caller and these filters.
    pub const fn new(secret: &'a [u8], caller: &'a Caller, list: &'static str, filters: &'a str) -> Self {
        Self { secret, caller, list, filters }
    }

    fn bound(&self) -> String {
        json!([self.list, self.caller.subject, self.caller.role.name(), self.filters]).to_string()
    }

    fn seal(&self, payload: &str) -> String {
        seal::seal(self.secret, Purpose::Cursor, &self.bound(), payload)
    }

    fn open(&self, cursor: &str) -> Result<String, Problem> {
        seal::open(self.secret, Purpose::Cursor, &self.bound(), cursor).ok_or_else(refused)
    }

    /// The cursor behind a submission.
    pub fn behind_submission(&self, created_at: Timestamp, id: SubmissionId) -> String {
        self.seal(&json!(SubmissionPlace { created_at: created_at.millis(), id }).to_string())
    }

    /// The place that a cursor of submissions means.
    pub fn submission(&self, cursor: &str) -> Result<ListCursor, Problem> {
        let place: SubmissionPlace =
            serde_json::from_str(&self.open(cursor)?).map_err(|_source| refused())?;
        Ok(ListCursor { created_at: Timestamp::from_millis(place.created_at), id: place.id })
    }

    /// The cursor behind a container.
    pub fn behind_container(&self, container: &ContainerView) -> String {
        let ContainerCursor { created_at, serial } = ContainerCursor::behind(container);
        self.seal(&json!(ContainerPlace { created_at: created_at.millis(), serial }).to_string())
    }

    /// The place that a cursor of containers means.
    pub fn container(&self, cursor: &str) -> Result<ContainerCursor, Problem> {
        let place: ContainerPlace = serde_json::from_str(&self.open(cursor)?).map_err(|_source| refused())?;
        let created_at = Timestamp::from_millis(place.created_at);
        Ok(ContainerCursor { created_at, serial: place.serial })
    }

    /// The cursor behind an exercise.
    pub fn behind_exercise(&self, id: &str) -> String {
        self.seal(id)
    }

    /// The place that a cursor of exercises means.
    pub fn exercise(&self, cursor: &str) -> Result<ExerciseId, Problem> {
        self.open(cursor)?.parse().map_err(|_malformed| refused())
    }

    /// The cursor behind a place in a list that is numbered.
    pub fn behind_place(&self, place: u64) -> String {
        self.seal(&place.to_string())
    }

    /// The place in a numbered list that a cursor means.
    pub fn place(&self, cursor: &str) -> Result<u64, Problem> {
        self.open(cursor)?.parse().map_err(|_malformed| refused())
    }

    /// The cursor behind an owner.
    pub fn behind_owner(&self, owner: &Owner) -> String {
        self.seal(owner.as_str())
    }

    /// The place that a cursor of owners means.
    pub fn owner(&self, cursor: &str) -> Result<Owner, Problem> {
        self.open(cursor)?.parse().map_err(|_malformed| refused())
    }
}

fn refused() -> Problem {
    Problem::field(
        Location::Query,
        "cursor",
        "must be the next_cursor of a page with the same filters, for you",
    )
}

#[cfg(test)]
mod tests {
    use super::{Cursors, cut, limit};
    use crate::app::{Caller, Role};

    const SECRET: &[u8] = b"0123456789abcdef0123456789abcdef";

    fn caller(subject: &str) -> Caller {
        Caller { subject: subject.parse().unwrap(), role: Role::Teacher }
    }

    #[test]
    fn a_cursor_opens_for_its_caller_and_filters_only() {
        let (alice, bob) = (caller("alice"), caller("bob"));
        let cursor = Cursors::new(SECRET, &alice, "exercises", "").behind_exercise("sum");

        let of_alice = Cursors::new(SECRET, &alice, "exercises", "").exercise(&cursor);

        assert_eq!(of_alice.unwrap().as_str(), "sum");
        assert!(Cursors::new(SECRET, &bob, "exercises", "").exercise(&cursor).is_err());
        assert!(Cursors::new(SECRET, &alice, "exercises", "x").exercise(&cursor).is_err());
        assert!(Cursors::new(SECRET, &alice, "submissions", "").submission(&cursor).is_err());
    }

    #[test]
    fn a_page_has_one_to_a_hundred_items() {
        assert_eq!(limit(None).unwrap(), 50);
        assert!(limit(Some(0)).is_err());
        assert!(limit(Some(101)).is_err());
    }

    #[test]
    fn one_item_more_than_asked_tells_of_a_next_page() {
        let mut items = vec![1, 2, 3];

        assert!(cut(&mut items, 2));
        assert_eq!(items, [1, 2]);
        assert!(!cut(&mut items, 2));
    }
}
