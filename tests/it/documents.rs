//! What the documents show works: their shell when pasted, their JSON when sent, their settings, their page in a browser.

use std::path::Path;
use std::time::Duration;

use axum::Router;
use axum::response::Html;
use axum::routing::{get, post};
use guichet::app::Role;
use guichet::auth::AuthSettings;
use guichet::http;
use guichet::shutdown::Tasks;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use crate::http::house::House;
use crate::support::browser::browse;
use crate::support::engine::{root, run};
use crate::support::{Options, TestGuichet, exercises};

/// How long the page may take for one step: a browser starts, a program runs.
const STEP: Duration = Duration::from_mins(1);

pub fn document(name: &str) -> String {
    std::fs::read_to_string(root().join("docs").join(name)).unwrap()
}

/// The fenced blocks of a document in that language.
pub fn blocks(document: &str, language: &str) -> Vec<String> {
    let fence = format!("```{language}\n");
    let blocks: Vec<String> =
        document.split(&fence).skip(1).map(|rest| rest.split("```").next().unwrap().to_owned()).collect();
    assert!(!blocks.is_empty(), "no block of {language}");
    blocks
}

/// Pastes all shell of a document into one shell in `folder`; what it prints.
async fn paste(guichet: &TestGuichet, name: &str, folder: &Path) -> String {
    let shell = blocks(&document(name), "sh").join("\n");
    let here = shell
        .replace("http://127.0.0.1:8080", &guichet.url())
        .replace("target/quick/guichet", env!("CARGO_BIN_EXE_guichet"));
    let mut bash = guichet.command_of("bash", &["-euo", "pipefail", "-c", &here]);
    bash.current_dir(folder);
    let output = tokio::task::spawn_blocking(move || run(&mut bash)).await.unwrap();
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{told}{}", String::from_utf8_lossy(&output.stderr));
    told
}

fn read(folder: &Path, name: &str) -> Value {
    serde_json::from_slice(&std::fs::read(folder.join(name)).unwrap()).unwrap()
}

#[tokio::test]
async fn the_use_of_the_api_works_when_pasted() {
    let guichet = TestGuichet::start().await;
    let folder = tempfile::tempdir().unwrap();

    let told = paste(&guichet, "use-the-api.md", folder.path()).await;

    assert!(told.contains(r#""verdict": "accepted""#), "{told}");
    assert_eq!(read(folder.path(), "try-1.json")["id"], read(folder.path(), "try-2.json")["id"]);
    // Watched from the start, and once more behind the second event.
    assert_eq!(told.matches("event: submission.queued").count(), 1, "{told}");
    assert_eq!(told.matches("event: submission.finished").count(), 2, "{told}");
    assert!(told.contains("print(2 * int(input()))\n"), "{told}");
    let link = std::fs::read_to_string(folder.path().join("link.txt")).unwrap();
    assert!(link.starts_with(&format!("{}/v1/sign-in?link=", guichet.url())), "{link}");
    let zip = std::fs::File::open(folder.path().join("files.zip")).unwrap();
    let mut zip = zip::ZipArchive::new(zip).unwrap();
    assert_eq!((zip.len(), zip.by_index(0).unwrap().name().unwrap().as_ref()), (1, "main.py"));
}

#[tokio::test]
async fn the_writing_of_an_exercise_works_when_pasted() {
    let guichet = TestGuichet::start().await;
    let folder = tempfile::tempdir().unwrap();

    let told = paste(&guichet, "write-an-exercise.md", folder.path()).await;

    assert!(told.contains(r#""verdict": "accepted""#), "{told}");
    assert!(told.contains("line 1: expected `ABC`, got `abc`") && told.contains("\n2\n"), "{told}");
    assert!(told.ends_with("[\"tina\",2,\"accepted\",\"wrong_answer\"]\n"), "{told}");
    let table = std::fs::read_to_string(folder.path().join("results.csv")).unwrap();
    assert!(table.lines().nth(1).unwrap().starts_with("\"tina\",2,"), "{table}");
    let stored = guichet.teacher().get("/v1/exercises/upper").await.json();
    assert_eq!((&stored["title"], &stored["version"]), (&json!("In upper case"), &json!(2)));
}

#[tokio::test]
async fn the_exercises_that_the_documents_show_are_taken() {
    let house = House::build().await;
    let tina = house.token("tina", Role::Teacher);
    let shown = blocks(&document("write-an-exercise.md"), "json");
    assert_eq!(shown.len(), 7);
    for block in shown {
        let exercise: Value = serde_json::from_str(&block).unwrap();

        let answer = house.put("/v1/exercises/shown").token(&tina).json(&exercise).send().await;

        assert!(answer.status.is_success(), "{block}{answer:?}");
    }
}

#[tokio::test]
async fn the_problem_that_the_documents_show_is_the_one_that_is_answered() {
    let house = House::build().await;
    house.with_sum().await;
    let shown: Value = serde_json::from_str(&blocks(&document("use-the-api.md"), "json")[0]).unwrap();
    let alice = house.token("alice", Role::Student);
    let mut body = crate::http::house::solution();
    body["runtime"] = json!("cobol");

    let mut answer = house.post("/v1/submissions").token(&alice).json(&body).send().await.json();

    answer["request_id"] = shown["request_id"].clone();
    assert_eq!(answer, shown);
}

#[test]
fn the_settings_that_the_documents_show_are_read() {
    let shown = &blocks(&document("roles-and-tokens.md"), "toml")[0];
    let mut table: toml::Table = shown.parse().unwrap();

    let settings: AuthSettings = table.remove("auth").unwrap().try_into().unwrap();

    assert_eq!((settings.keys.len(), settings.audience.as_str()), (2, "guichet"));
}

/// The page of the documents on a server of its own, and a user who fills it in.
struct Page {
    origin: String,
    told: mpsc::Receiver<String>,
}

/// Tells each text that the page shows, and makes the first ticket short.
const USER: &str = r##"<script>
  const tell = text => fetch("/told", { method: "POST", body: text });
  const show = () => tell(document.getElementById("state").textContent + " | "
    + [...document.querySelectorAll("#log li")].map(item => item.textContent).join(" | "));
  new MutationObserver(show).observe(document.body, { childList: true, subtree: true, characterData: true });
  window.addEventListener("error", event => tell("script error: " + event.message));
  const plain = window.fetch;
  let tickets = 0;
  window.fetch = (address, options) => {
    if (String(address).endsWith("/v1/stream-tickets") && tickets++ === 0) {
      options.body = options.body.replace('"ttl_s":600', '"ttl_s":FIRST_TTL');
    }
    return plain(address, options);
  };
  OTHERS
  for (const [id, value] of Object.entries(FIELDS)) document.getElementById(id).value = value;
  document.getElementById("form").requestSubmit();
</script>"##;

impl Page {
    async fn bind() -> (Self, TcpListener, mpsc::Sender<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let (tell, told) = mpsc::channel(1024);
        (Self { origin, told }, listener, tell)
    }

    fn serve(listener: TcpListener, tell: mpsc::Sender<String>, user: &str, tasks: &Tasks) {
        let page = document("examples/watch.html") + user;
        let tell = move |text: String| async move { tell.send(text).await.unwrap() };
        let router = Router::new().route("/", get(move || async { Html(page) })).route("/told", post(tell));
        tasks.start(http::serve(listener, router, tasks.hard().clone()));
    }

    /// What it shows until it shows that.
    async fn shows(&mut self, end: &str) -> Vec<String> {
        let mut seen: Vec<String> = Vec::new();
        loop {
            let text = tokio::time::timeout(STEP, self.told.recv()).await;
            let text = text.unwrap_or_else(|_elapsed| panic!("no {end} after {seen:?}")).expect("the page");
            assert!(!text.contains("script error"), "{text}");
            seen.push(text);
            if seen.last().is_some_and(|text| text.contains(end)) {
                return seen;
            }
        }
    }
}

const SUM: &str = "a, b = map(int, input().split())\nprint(a + b)\n";

/// Never closes a stream, and tells its errors by its state: 0 is CONNECTING, 2 is CLOSED.
const NEVER_CLOSES: &str = r#"
  const Plain = window.EventSource;
  window.EventSource = function (address) {
    const source = new Plain(address);
    source.close = () => {};
    source.addEventListener("error", () => tell("error in state " + source.readyState));
    return source;
  };"#;

/// Submits `program` on the page; what the page showed until `end`.
///
/// * `others` — more script of the user's.
async fn submits_on_the_page(program: &str, first_ttl_s: u32, others: &str, end: &str) -> Vec<String> {
    let (mut page, listener, tell) = Page::bind().await;
    let shown = blocks(&document("use-the-api.md"), "toml")[0].replace("http://127.0.0.1:8000", &page.origin);
    let guichet = Options::default().settings(&shown).start().await;
    guichet.teacher().put_exercise("sum", &exercises::sum()).await;
    let fields = json!({
        "service": guichet.url(), "token": guichet.student("alice").token(), "program": program,
    });
    let user = USER
        .replace("FIELDS", &fields.to_string())
        .replace("FIRST_TTL", &first_ttl_s.to_string())
        .replace("OTHERS", others);
    let servers = Tasks::default();
    Page::serve(listener, tell, &user, &servers);
    let profile = tempfile::tempdir().unwrap();

    let mut browser = browse(&format!("{}/", page.origin), profile.path());
    let seen = page.shows(end).await;

    browser.kill().await.unwrap();
    servers.stop_hard();
    seen
}

#[tokio::test]
async fn the_page_of_the_documents_shows_a_submission_to_its_end() {
    let seen = submits_on_the_page(SUM, 600, "", "finished: accepted").await;

    let last = seen.last().unwrap();
    assert!(last.contains("test 1 of 2, small: accepted | test 2 of 2, big: accepted"), "{seen:?}");
}

#[tokio::test]
async fn a_page_that_does_not_close_its_stream_comes_back_once_and_stays_away() {
    let seen = submits_on_the_page(SUM, 600, NEVER_CLOSES, "error in state 2").await;

    let errors: Vec<_> = seen.iter().filter(|text| text.starts_with("error")).collect();
    assert_eq!(errors, ["error in state 0", "error in state 2"], "{seen:?}");
    assert!(seen.iter().any(|text| text.contains("finished: accepted")), "{seen:?}");
}

#[tokio::test]
async fn the_page_of_the_documents_outlives_its_ticket() {
    let slow = "import time\ntime.sleep(4)\na, b = map(int, input().split())\nprint(a + b)\n";

    let seen = submits_on_the_page(slow, 2, "", "finished: accepted").await;

    let last = seen.last().unwrap();
    assert_eq!((last.matches("test 1 of").count(), last.matches("test 2 of").count()), (1, 1), "{seen:?}");
}
