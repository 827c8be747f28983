//! Engines behind TLS in which both sides show a certificate: real ones, and every way to fail with them.

use std::fmt::Write as _;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::pool::hosts::OwnEngine;
use crate::pool::valve::Valve;
use crate::support::authority::{Authority, Period};
use crate::support::client::text;
use crate::support::{Client, Options, TestGuichet, exercises, programs, wait_for};

const SOON: Duration = Duration::from_mins(1);

/// The addresses that a test's engine listens at and that its certificate is for.
const ADDRESSES: u16 = 4;

/// An engine that speaks TLS and takes only clients with a certificate of the authority.
pub struct TlsEngine {
    pub engine: OwnEngine,
    folder: tempfile::TempDir,
    port: u16,
}

impl TlsEngine {
    pub async fn start(authority: &Authority, period: Period) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let port = free_port().await;
        let file = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
        let mut options = vec!["--tlsverify".to_owned()];
        for (option, name) in [("--tlscacert", "ca.pem"), ("--tlscert", "cert.pem"), ("--tlskey", "key.pem")]
        {
            options.extend([option.to_owned(), file(name)]);
        }
        for number in 1..=ADDRESSES {
            options.extend(["--host".to_owned(), format!("tcp://{}:{port}", address(number))]);
        }
        authority.write(folder.path(), &names(), period);
        let options: Vec<_> = options.iter().map(String::as_str).collect();
        Self { engine: OwnEngine::start(&options).await, port, folder }
    }

    /// Host and port at one of its addresses.
    fn place(&self, number: u16) -> String {
        format!("{}:{}", address(number), self.port)
    }

    pub fn url(&self, number: u16) -> String {
        format!("tcp://{}", self.place(number))
    }

    /// Starts it anew with certificates of another authority.
    async fn renew(&self, authority: &Authority) {
        self.engine.end("-TERM").await;
        authority.write(self.folder.path(), &names(), Period::Now);
        self.engine.up().await;
    }
}

fn address(number: u16) -> String {
    format!("127.0.0.{number}")
}

fn names() -> Vec<String> {
    (1..=ADDRESSES).map(address).collect()
}

async fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    listener.local_addr().expect("its address").port()
}

/// The settings of hosts, each with its name, URL and folder of certificates.
fn settings(certs_dir: &Path, hosts: &[(&str, &str, Option<&str>)]) -> String {
    let mut text = format!("[docker]\ncerts_dir = '{}'\n", certs_dir.display());
    for (name, url, certs) in hosts {
        write!(text, "[[docker.hosts]]\nname = '{name}'\nurl = '{url}'\n").expect("a text");
        if let Some(certs) = certs {
            writeln!(text, "certs = '{certs}'").expect("a text");
        }
    }
    text
}

/// The folders of certificates that a service may have for one engine.
struct Certs(tempfile::TempDir);

impl Certs {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    fn folder(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Good ones, in which one file is put in another's place afterwards.
    fn write(&self, name: &str, authority: &Authority, other: Option<(&str, String)>) {
        authority.write(&self.folder(name), &["guichet".to_owned()], Period::Now);
        if let Some((file, text)) = other {
            std::fs::write(self.folder(name).join(file), text).expect("a file");
        }
    }
}

async fn host_when(admin: &Client, name: &str, what: &str, ready: impl Fn(&Value) -> bool) -> Value {
    let look = || async { admin.get(&format!("/v1/hosts/{name}")).await.expect(200) };
    wait_for(what, SOON, look, ready).await
}

/// A host that cannot be used, and what is told of that.
struct Case {
    name: &'static str,
    url: String,
    certs: Option<&'static str>,
    code: &'static str,
    message: Vec<String>,
}

/// A host without TLS with the engine, whose folder of certificates has its name.
fn no_tls<const N: usize>(name: &'static str, url: String, message: [String; N]) -> Case {
    Case { name, url, certs: Some(name), code: "tls", message: message.into() }
}

/// Starts a service with these hosts, and looks at what it tells of each.
async fn assert_told(certs: &Certs, cases: &[Case]) {
    let hosts: Vec<_> = cases.iter().map(|case| (case.name, case.url.as_str(), case.certs)).collect();
    let settings = settings(certs.0.path(), &hosts);
    let guichet = Options::default().slots(1).settings(&settings).start().await;
    let admin = guichet.admin();
    for Case { name, certs, code, message, .. } in cases {
        let host =
            host_when(&admin, name, "an error of the host", |host| host["last_error"].is_object()).await;
        let told = text(&host["last_error"]["message"]);
        assert_eq!((&host["last_error"]["code"], &host["certs"]), (&json!(code), &json!(certs)), "{host}");
        for part in message {
            assert!(told.contains(part), "{name}: {part:?} is not in {told:?}");
        }
    }
}

#[tokio::test]
async fn each_fault_of_a_certificate_is_told_as_what_it_is() {
    let (ours, other) = (Authority::new(), Authority::new());
    let (engine, expired) =
        tokio::join!(TlsEngine::start(&ours, Period::Now), TlsEngine::start(&ours, Period::Past));
    let certs = Certs::new();
    let file = |folder: &str, name: &str| certs.folder(folder).join(name).display().to_string();
    certs.write("other-authority", &ours, Some(("ca.pem", other.pem())));
    certs.write("other-name", &ours, None);
    certs.write("expired-engine", &ours, None);
    ours.write(&certs.folder("expired"), &[], Period::Past);
    certs.write("refused", &other, Some(("ca.pem", ours.pem())));
    let port = engine.port;

    let cases = [
        no_tls(
            "other-authority",
            engine.url(2),
            [format!(
                "no authority in {} has signed the certificate of 127.0.0.2:{port}",
                file("other-authority", "ca.pem")
            )],
        ),
        no_tls(
            "other-name",
            format!("tcp://localhost:{port}"),
            [format!("localhost:{port} is not for that name, but for 127.0.0.1, 127.0.0.2")],
        ),
        no_tls(
            "expired-engine",
            expired.url(1),
            [format!("the certificate of 127.0.0.1:{} expired at 2026-01-02T00:00:00", expired.port)],
        ),
        no_tls(
            "expired",
            engine.url(3),
            [format!("our certificate {} expired at 2026-01-02T00:00:00", file("expired", "cert.pem"))],
        ),
        no_tls(
            "refused",
            engine.url(4),
            [format!("127.0.0.4:{port} refuses our certificate {}", file("refused", "cert.pem"))],
        ),
    ];

    assert_told(&certs, &cases).await;
}

#[tokio::test]
async fn each_fault_of_a_file_is_told_with_its_path() {
    let (ours, certs) = (Authority::new(), Certs::new());
    let file = |folder: &str, name: &str| certs.folder(folder).join(name).display().to_string();
    let url = |port: u16| format!("tcp://127.0.0.1:{port}");
    for folder in ["without", "unreadable"] {
        certs.write(folder, &ours, None);
    }
    std::fs::remove_file(file("without", "cert.pem")).expect("the file goes");
    std::fs::remove_file(file("unreadable", "key.pem")).expect("the file goes");
    std::fs::create_dir(file("unreadable", "key.pem")).expect("a folder");
    certs.write("empty", &ours, Some(("cert.pem", String::new())));
    certs.write("two-keys", &ours, Some(("cert.pem", ours.certificate(&[], Period::Now).0)));
    certs.write("broken", &ours, Some(("ca.pem", "-----BEGIN CERTIFICATE-----\nx\n".to_owned())));

    let cases = [
        no_tls("absent", url(1), [format!("{} cannot be read: No such file", file("absent", "ca.pem"))]),
        no_tls("without", url(2), [format!("{} cannot be read: No such file", file("without", "cert.pem"))]),
        no_tls("unreadable", url(3), [format!("{} cannot be read", file("unreadable", "key.pem"))]),
        no_tls("empty", url(4), [format!("{} holds no certificate", file("empty", "cert.pem"))]),
        no_tls(
            "two-keys",
            url(5),
            [format!("{} is not the key of {}", file("two-keys", "key.pem"), file("two-keys", "cert.pem"))],
        ),
        no_tls(
            "broken",
            url(6),
            [format!("{} cannot be used: it is no whole PEM file", file("broken", "ca.pem"))],
        ),
    ];

    assert_told(&certs, &cases).await;
}

#[tokio::test]
async fn what_does_not_answer_as_an_engine_with_tls_is_told_as_what_it_is() {
    let (ours, certs) = (Authority::new(), Certs::new());
    let (engine, plain) = tokio::join!(TlsEngine::start(&ours, Period::Now), Valve::far());
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let mute = format!("127.0.0.1:{}", listener.local_addr().expect("its address").port());
    let closed = format!("127.0.0.1:{}", free_port().await);
    certs.write("good", &ours, None);
    let plain_at = plain.address.trim_start_matches("tcp://").to_owned();
    let good = |name, place: &str, code, message: &str| Case {
        name,
        url: format!("tcp://{place}"),
        certs: Some("good"),
        code,
        message: vec![message.to_owned()],
    };

    let cases = [
        good("tls-to-plain", &plain_at, "tls", &format!("{plain_at} does not speak TLS")),
        Case { certs: None, ..good("plain-to-tls", &engine.place(1), "tls", "speaks TLS: name the folder") },
        good("closed", &closed, "refused", &format!("{closed}: connection refused")),
        good("nowhere", "nowhere.invalid:2376", "unreachable", "nowhere.invalid:2376: failed to lookup"),
        good("mute", &mute, "silent", "no answer within"),
    ];

    assert_told(&certs, &cases).await;
    drop(listener);
    plain.closed.cancel();
}

#[tokio::test]
async fn submissions_run_over_tls_and_renewed_certificates_are_taken_without_a_restart() {
    let (first, second) = (Authority::new(), Authority::new());
    let engine = TlsEngine::start(&first, Period::Now).await;
    let certs = Certs::new();
    first.write(&certs.folder("judge"), &["guichet".to_owned()], Period::Past);
    let settings = settings(certs.0.path(), &[("judge", &engine.url(1), Some("judge"))]);
    let guichet = Options::default().slots(1).settings(&settings).start().await;
    let (admin, alice) = (guichet.admin(), guichet.student("alice"));
    guichet.teacher().put_exercise("patient", &exercises::patient_sum()).await;
    let failed = |part: &'static str| {
        move |host: &Value| {
            let error = &host["last_error"];
            error["code"] == "tls" && text(&error["message"]).contains(part)
        }
    };
    host_when(&admin, "judge", "the expired certificate", failed("expired")).await;

    certs.write("judge", &first, None);

    graded(&guichet, &alice).await;
    engine.renew(&second).await;
    host_when(&admin, "judge", "the engine's other authority", failed("no authority")).await;
    certs.write("judge", &second, None);
    graded(&guichet, &alice).await;
    let metrics = admin.get("/metrics").await.text;
    assert!(metrics.contains("transport=\"attach\""), "{metrics}");
    assert!(!metrics.contains("transport=\"socket\""), "{metrics}");
}

#[tokio::test]
async fn a_host_that_is_added_with_its_certificates_is_spoken_to_over_tls() {
    let (ours, certs) = (Authority::new(), Certs::new());
    let engine = TlsEngine::start(&ours, Period::Now).await;
    certs.write("judge", &ours, None);
    let folder = certs.0.path().to_string_lossy().into_owned();
    let guichet = Options::default().slots(1).env("GUICHET_DOCKER__CERTS_DIR", &folder).start().await;
    let (admin, alice) = (guichet.admin(), guichet.student("alice"));
    guichet.teacher().put_exercise("patient", &exercises::patient_sum()).await;
    admin.patch("/v1/hosts/host-1", &json!({ "mode": "cordoned" })).await.expect(200);
    let host = |certs: &str| json!({ "name": "judge", "url": engine.url(1), "certs": certs });

    let refused = admin.post("/v1/hosts", &host("other")).await;
    let (_code, pointers) = refused.problem(422);
    assert_eq!(pointers, ["/certs"]);
    let added = admin.post("/v1/hosts", &host("judge")).await.expect(201);

    assert_eq!(added["certs"], "judge");
    graded(&guichet, &alice).await;
    let used = async || admin.get("/v1/hosts/judge").await.expect(200)["submissions"]["ended"].clone();
    wait_for("the submission to be counted", SOON, used, |ended| *ended == 1).await;
}

async fn graded(guichet: &TestGuichet, student: &Client) {
    let id = student.submit("patient", &programs::python_sum()).await;
    let ended = student.ended(&id).await;
    assert_eq!(ended["result"]["verdict"], "accepted", "{ended}\n{}", guichet.log());
}

#[tokio::test]
async fn the_doctor_tells_certificates_that_end_soon_and_keys_that_others_can_read() {
    let (ours, certs) = (Authority::new(), Certs::new());
    let engine = TlsEngine::start(&ours, Period::Ending).await;
    ours.write(&certs.folder("judge"), &[], Period::Ending);
    ours.write(&certs.folder("old"), &[], Period::Past);
    let key = certs.folder("judge").join("key.pem");
    std::fs::set_permissions(&key, Permissions::from_mode(0o644)).expect("its mode");
    let (url, old) = (engine.url(1), engine.url(2));
    let hosts = [("judge", url.as_str(), Some("judge")), ("old", old.as_str(), Some("old"))];
    let guichet = TestGuichet::prepare(Options::default().settings(&settings(certs.0.path(), &hosts)));

    let doctor = guichet.command(&["doctor"]).args(guichet.config_arguments()).output().expect("doctor runs");

    let found = String::from_utf8_lossy(&doctor.stdout).into_owned();
    let file = |folder: &str, name: &str| certs.folder(folder).join(name).display().to_string();
    for line in [
        format!("warning  {url}: the certificate of {} ends at", file("judge", "cert.pem")),
        format!("warning  {url}: the certificate of {} ends at", url.trim_start_matches("tcp://")),
        format!("FAULT    {url}: the key {} is open to others", key.display()),
        format!(
            "FAULT    {old}: the engine cannot be asked: our certificate {} expired",
            file("old", "cert.pem")
        ),
    ] {
        assert!(found.contains(&line), "{line:?} is not in\n{found}");
    }
    assert!(
        !found.contains(&file("judge", "ca.pem")) && found.contains("ok       tcp://127.0.0.1"),
        "{found}"
    );
    assert_eq!(doctor.status.code(), Some(1));
}
