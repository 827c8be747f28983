//! The inbox as an original backend uses it: the statements of docs/legacy-database.md, run by another program.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::support::engine::root;

/// Runs statements as a backend would: by another program, another library, on a connection of its own. What a statement
/// answers is printed as a line of JSON.
const BACKEND: &str = r#"
import json, sqlite3, sys
path, blocks = json.load(sys.stdin)
db = sqlite3.connect(path, isolation_level=None, timeout=0)
for sql, parameters in blocks:
    statement = ""
    for line in sql.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            for row in db.execute(statement, parameters):
                print(json.dumps(row))
            statement = ""
    assert not statement.strip(), statement
"#;

/// The statements of the document, in its order: settings of a connection, store, look, take back.
pub fn documented() -> [String; 4] {
    let document = std::fs::read_to_string(root().join("docs/legacy-database.md")).expect("the document");
    let blocks = document.split("```sql\n").skip(1);
    let blocks: Vec<String> =
        blocks.map(|block| block.split("```").next().unwrap_or_default().to_owned()).collect();
    blocks.try_into().expect("four blocks of SQL")
}

/// What a backend's program answers to these statements, each with its parameters; `None` if one of them is refused.
pub fn answered(database: &Path, blocks: &Value) -> Option<Vec<Value>> {
    let mut backend = Command::new("python3")
        .args(["-c", BACKEND])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("python3 runs");
    let told = serde_json::to_vec(&json!([database, blocks])).expect("JSON");
    backend.stdin.take().expect("its input").write_all(&told).expect("it reads");
    let output = backend.wait_with_output().expect("it ends");
    let refused = String::from_utf8_lossy(&output.stderr).contains("CHECK constraint failed");
    assert!(output.status.success() || refused, "{}", String::from_utf8_lossy(&output.stderr));
    let lines = String::from_utf8(output.stdout).expect("text");
    let rows = lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    output.status.success().then_some(rows)
}

/// The parameters of a draft of Alice's.
pub fn alices(legacy_id: &Value, content: &str) -> Value {
    json!({ "legacy_id": legacy_id, "owner": "alice", "exercise_id": "sum", "runtime": "python",
            "path": "main.py", "content": content })
}

/// Stores a draft as the document says.
pub fn store(database: &Path, draft: &Value) {
    let [settings, store, ..] = documented();
    assert_eq!(answered(database, &json!([[settings, {}], [store, draft]])), Some(vec![json!([5000])]));
}
