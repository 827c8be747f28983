//! Examples of what is judged again and of checks.

use serde_json::{Value, json};

use super::examples::ID;

/// What an operation answers.
pub(super) fn answer(operation: &str) -> Option<Value> {
    Some(match operation {
        "rejudge_exercise" => rejudge("running", 7),
        "get_rejudge" => rejudge("ended", 12),
        "apply_rejudge" => rejudge("applied", 12),
        "cancel_rejudge" => rejudge("cancelled", 7),
        "list_rejudge_changes" => json!({ "items": [rejudge_change()], "next_cursor": null }),
        "follow_rejudge" => json!({ "type": "rejudge.changed", "rejudge": rejudge("running", 7) }),
        "check_exercise" => json!({ "id": ID }),
        "get_check" => check(),
        _ => return None,
    })
}

fn rejudge(state: &str, ended: u64) -> Value {
    let ended_at = if state == "running" { Value::Null } else { json!("2026-11-22T10:00:09.000Z") };
    json!({
        "id": ID, "exercise_id": "sum", "exercise_version": 2, "mode": "preview", "state": state, "total": 12,
        "ended": ended, "changed": 3, "failed": 0, "left_out": 1, "created_at": "2026-11-22T10:00:00.000Z",
        "ended_at": ended_at, "changes_url": format!("/v1/rejudges/{ID}/changes"),
    })
}

fn rejudge_change() -> Value {
    json!({
        "submission_id": ID, "owner": "alice",
        "before": { "verdict": "wrong_answer", "score": 1, "max_score": 4 },
        "after": { "verdict": "accepted", "score": 4, "max_score": 4 },
    })
}

fn check() -> Value {
    json!({
        "id": ID, "exercise_id": "sum", "exercise_version": 2, "state": "ended", "ok": true,
        "created_at": "2026-11-22T10:00:00.000Z",
        "items": [{
            "solution": "right", "expected_verdicts": ["accepted"], "verdict": "accepted", "ok": true,
            "submission_id": ID,
        }],
    })
}
