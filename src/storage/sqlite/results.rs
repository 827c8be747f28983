//! The results of an exercise, read from what was graded.
//!
//! `submissions_graded` has what was graded of an exercise, by owner and age: a page costs what its owners have sent.

use std::collections::HashMap;

use futures_util::TryStreamExt as _;
use sqlx::sqlite::SqliteConnection;

use super::rows::{Row, submission_id};
use crate::domain::ids::{ExerciseId, Owner};
use crate::domain::standing::{Graded, Standing, TestTally, VerdictCounts};
use crate::domain::time::Timestamp;
use crate::domain::verdict::{Points, Verdict};
use crate::storage::{ExerciseResults, Result, ResultsPage, Tests};

/// The last owner of a page; NULL if no owner stands there.
const LAST_OWNER: &str = "SELECT max(owner) FROM (SELECT DISTINCT owner FROM submissions \
     WHERE exercise_id = ?1 AND run IS NULL AND result_round IS NOT NULL AND set_aside IS NULL AND owner > ?2 ORDER BY owner LIMIT ?3)";

/// What the owners of a page sent, each from his first to his last. No name is empty, so all stand behind ''.
const GRADED: &str = "SELECT s.owner, s.id, \
     coalesce(r.exercise_version, s.exercise_version) AS exercise_version, s.verdict, s.finished_at, \
     r.summary ->> '$.points.score' AS score, r.summary ->> '$.points.max_score' AS max_score \
     FROM submissions AS s JOIN results AS r ON r.submission_id = s.id AND r.round = s.result_round \
     WHERE s.exercise_id = ?1 AND s.run IS NULL AND s.result_round IS NOT NULL AND s.set_aside IS NULL AND s.owner > ?2 AND s.owner <= ?3 \
     ORDER BY s.owner, s.created_at, s.id";

/// How often each test came out how, in all and in the last of each owner.
const TALLIES: &str = "WITH graded AS (SELECT s.id, s.result_round, \
       row_number() OVER (PARTITION BY s.owner ORDER BY s.created_at DESC, s.id DESC) = 1 AS is_last \
     FROM submissions AS s WHERE s.exercise_id = ?1 AND s.run IS NULL AND s.result_round IS NOT NULL \
     AND s.set_aside IS NULL) \
     SELECT test.value ->> '$.name' AS name, test.value ->> '$.verdict' AS verdict, \
       sum(g.is_last) AS of_last, count(*) AS of_all \
     FROM graded AS g JOIN results AS r ON r.submission_id = g.id AND r.round = g.result_round, \
       json_each(r.tests) AS test \
     GROUP BY 1, 2 ORDER BY min(min(test.key)) OVER (PARTITION BY test.value ->> '$.name'), 1, 2";

/// What came of an exercise; `None` if there never was one.
pub(super) async fn read(
    db: &mut SqliteConnection,
    of: &ExerciseId,
    page: &ResultsPage,
) -> Result<Option<ExerciseResults>> {
    let known: bool = sqlx::query_scalar("SELECT count(*) > 0 FROM exercises WHERE id = ?1")
        .bind(of.as_str())
        .fetch_one(&mut *db)
        .await?;
    if !known {
        return Ok(None);
    }
    let standings = standings(db, of, page).await?;
    let tests = match page.tests {
        Tests::Counted => Some(tallies(db, of).await?),
        Tests::LeftOut => None,
    };
    Ok(Some(ExerciseResults { standings, tests }))
}

#[derive(sqlx::FromRow)]
struct GradedRow {
    owner: String,
    id: Vec<u8>,
    exercise_version: i64,
    verdict: String,
    finished_at: Option<i64>,
    score: Option<i64>,
    max_score: Option<i64>,
}

impl GradedRow {
    fn graded(&self) -> Result<Graded> {
        let id = submission_id("submissions", &self.id)?;
        let of = Row { table: "submissions", key: &id };
        let points = |value| of.number("result_round", of.present("result_round", value)?);
        Ok(Graded {
            id,
            exercise_version: of.number("exercise_version", self.exercise_version)?,
            verdict: of.present("verdict", Verdict::from_name(&self.verdict))?,
            points: Points { score: points(self.score)?, max_score: points(self.max_score)? },
            ended_at: self.finished_at.map(Timestamp::from_millis),
        })
    }
}

async fn standings(db: &mut SqliteConnection, of: &ExerciseId, page: &ResultsPage) -> Result<Vec<Standing>> {
    let after = page.after.as_ref().map_or("", Owner::as_str);
    let last: Option<String> = sqlx::query_scalar(LAST_OWNER)
        .bind(of.as_str())
        .bind(after)
        .bind(i64::from(page.limit))
        .fetch_one(&mut *db)
        .await?;
    let mut standings: Vec<Standing> = Vec::new();
    let Some(last) = last else { return Ok(standings) };
    let mut rows = sqlx::query_as::<_, GradedRow>(GRADED).bind(of.as_str()).bind(after).bind(last).fetch(db);
    while let Some(row) = rows.try_next().await? {
        let graded = row.graded()?;
        match standings.last_mut().filter(|standing| standing.owner.as_str() == row.owner) {
            Some(standing) => standing.add(graded),
            None => {
                let of = Row { table: "submissions", key: &graded.id };
                standings.push(Standing::begin(of.text("owner", &row.owner)?, graded));
            }
        }
    }
    Ok(standings)
}

/// In the order of the tests: by the first place that each name had in any result.
async fn tallies(db: &mut SqliteConnection, of: &ExerciseId) -> Result<Vec<TestTally>> {
    let rows: Vec<(String, String, i64, i64)> =
        sqlx::query_as(TALLIES).bind(of.as_str()).fetch_all(db).await?;
    let wrong = Row { table: "results", key: of };
    let mut tallies: Vec<TestTally> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    for (name, verdict, of_last, of_all) in rows {
        let verdict = wrong.present("tests", Verdict::from_name(&verdict))?;
        if verdict == Verdict::Skipped {
            continue;
        }
        let place = *places.entry(name.clone()).or_insert_with(|| {
            let (last, all) = (VerdictCounts::default(), VerdictCounts::default());
            tallies.push(TestTally { name, last, all });
            tallies.len() - 1
        });
        if let Some(tally) = tallies.get_mut(place) {
            tally.last.add(verdict, wrong.number("tests", of_last)?);
            tally.all.add(verdict, wrong.number("tests", of_all)?);
        }
    }
    Ok(tallies)
}

#[cfg(test)]
mod tests {
    use sqlx::AssertSqlSafe;

    use super::{GRADED, LAST_OWNER, TALLIES};
    use crate::storage::sqlite::open;

    #[tokio::test]
    async fn what_was_graded_of_an_exercise_is_found_without_looking_at_others() {
        let folder = tempfile::tempdir().unwrap();
        let mut db = open::schema(&folder.path().join("guichet.db")).await.unwrap();
        open::migrate(&mut db).await.unwrap();
        for sql in [LAST_OWNER, GRADED, TALLIES] {
            let plan: Vec<(i64, i64, i64, String)> =
                sqlx::query_as(AssertSqlSafe(format!("EXPLAIN QUERY PLAN {sql}")))
                    .fetch_all(&mut db)
                    .await
                    .unwrap();

            let steps: Vec<String> = plan.into_iter().map(|(_, _, _, step)| step).collect();

            let by_index = |step: &String| step.contains("INDEX submissions_graded (exercise_id=?");
            assert!(steps.iter().any(by_index), "{steps:#?}");
            let reads_all = |step: &String| {
                ["SCAN s", "SCAN r", "SCAN submissions", "SCAN results"].contains(&step.as_str())
            };
            assert!(!steps.iter().any(reads_all), "{steps:#?}");
        }
    }
}
