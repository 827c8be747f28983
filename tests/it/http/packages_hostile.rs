//! Archives that mean harm: each ends in a clear refusal, within the memory that there is, and nothing is stored.

use guichet::app::Role;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use super::house::{Answer, House, Plan};
use crate::support::zips::{Entry, raw_zip, zip_of_package};

const ZIP: &str = "application/zip";
const DOCUMENT: &str = r#"{ "title": "T", "kind": "stdio", "runtimes": ["python"], "tests": [ { "name": "a", "expected": "" } ] }"#;

async fn import(house: &House, zip: Vec<u8>) -> Answer {
    let teacher = house.token("tina", Role::Teacher);
    house.post("/v1/exercises/import?id=x").token(&teacher).of(ZIP, zip).send().await
}

async fn assert_nothing_stored(house: &House) {
    let list = house.get("/v1/exercises").token(&house.token("tina", Role::Teacher)).send().await.json();
    assert_eq!(list["items"], serde_json::json!([]));
}

/// An exercise with one more entry.
fn with(entry: Entry) -> Vec<u8> {
    raw_zip(&[Entry::new("exercise.json", DOCUMENT), entry])
}

#[tokio::test]
async fn an_archive_that_says_what_it_likes_is_refused_with_what_is_wrong() {
    let house = House::build().await;
    let plain = || Entry::new("a.txt", "hello hello hello");
    let deflated = || Entry { deflated: true, ..plain() };
    let named = |name: &str| with(Entry::new(name, "x"));
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("no archive", b"no archive at all".to_vec()),
        ("nothing", Vec::new()),
        ("zip slip", named("../../etc/passwd")),
        ("an absolute name", named("/etc/passwd")),
        ("a backslash", named("..\\..\\windows")),
        ("a control character", named("a\nb")),
        ("an empty part", named("a//b")),
        ("a name without end", named(&"x".repeat(3000))),
        ("a name that is deep", named(&("d/".repeat(60) + "x"))),
        ("a name that is no UTF-8", with(Entry { name: b"\xff\xfe.txt".to_vec(), ..plain() })),
        ("a symbolic link", with(Entry { mode: 0o120_777, content: b"/etc/passwd".to_vec(), ..plain() })),
        ("a device", with(Entry { mode: 0o020_666, ..plain() })),
        ("a name twice", raw_zip(&[Entry::new("exercise.json", DOCUMENT), plain(), plain()])),
        (
            "names that differ in case",
            raw_zip(&[Entry::new("exercise.json", DOCUMENT), plain(), Entry::new("A.TXT", "")]),
        ),
        (
            "a file that is a folder",
            raw_zip(&[Entry::new("exercise.json", DOCUMENT), plain(), Entry::new("a.txt/b", "")]),
        ),
        ("an encrypted entry", with(Entry { flags: 1, ..plain() })),
        ("another compression", with(Entry { method: Some(12), ..plain() })),
        ("a length that is a lie", with(Entry { told: Some(3), ..deflated() })),
        ("a length that is too much", with(Entry { told: Some(1 << 30), ..deflated() })),
        ("a checksum that is another's", with(Entry { is_damaged: true, ..deflated() })),
        ("a checksum of what is not compressed", with(Entry { is_damaged: true, ..plain() })),
        ("two names of one entry", with(Entry { local_name: Some(b"b.txt".to_vec()), ..plain() })),
        ("entries in each other", with(Entry { overlaps: true, ..Entry::new("exercise.json2", DOCUMENT) })),
        (
            "an archive in an archive",
            raw_zip(&[Entry { content: zip_of_package("own/sum"), ..Entry::new("sum.zip", "") }]),
        ),
        ("no package", raw_zip(&[plain()])),
    ];
    for (what, zip) in cases {
        let answer = import(&house, zip).await;

        let (status, code, pointers) = answer.problem();
        assert_eq!(
            (status, code.as_str(), pointers.len()),
            (422, "invalid_package", 1),
            "{what}: {answer:?}"
        );
    }
    assert_nothing_stored(&house).await;
}

#[tokio::test]
async fn what_unpacks_to_more_than_is_taken_is_refused_while_it_is_unpacked() {
    let house = House::build().await;
    let bomb = || Entry { content: vec![0; 65 << 20], deflated: true, ..Entry::new("bomb", "") };
    let quiet = Entry { told: Some(1), content: vec![0; 2 << 20], ..bomb() };
    let parts: Vec<Entry> = (0..70)
        .map(|part| Entry {
            content: vec![0; 1 << 20],
            deflated: true,
            ..Entry::new(&format!("part{part}"), "")
        })
        .collect();
    for (zip, code) in [
        (raw_zip(&[bomb()]), "payload_too_large"),
        (raw_zip(&[quiet]), "invalid_package"),
        (raw_zip(&parts), "payload_too_large"),
    ] {
        assert!(zip.len() < 1 << 20, "it is small: {}", zip.len());
        let answer = import(&house, zip).await;

        assert_eq!(answer.problem().1, code, "{answer:?}");
    }
    let big = vec![b'x'; (48 << 20) + 1];
    assert_eq!(import(&house, big).await.problem().1, "payload_too_large");
    assert_nothing_stored(&house).await;
}

#[tokio::test]
async fn what_unpacks_to_more_than_there_is_memory_for_is_refused() {
    let house = House::of(Plan { memory_bytes: 8 << 20, ..Plan::default() }).await;
    let bomb = Entry { content: vec![0; 20 << 20], deflated: true, ..Entry::new("bomb", "") };

    let answer = import(&house, raw_zip(&[Entry::new("exercise.json", DOCUMENT), bomb])).await;

    assert_eq!(answer.problem().1, "payload_too_large", "{answer:?}");
    assert_eq!(import(&house, zip_of_package("own/sum")).await.status, 201, "the memory is free again");
}

#[tokio::test]
async fn an_archive_of_too_many_entries_is_refused_before_they_are_read() {
    let house = House::build().await;
    let entries: Vec<Entry> = (0..40_000).map(|number| Entry::new(&format!("f{number}"), "")).collect();

    let answer = import(&house, raw_zip(&entries)).await;

    let problem = answer.problem();
    assert_eq!((problem.0, problem.1.as_str()), (422, "invalid_package"));
    assert!(
        answer.json()["errors"][0]["message"].as_str().unwrap().contains("more than 10000"),
        "{answer:?}"
    );
}

#[tokio::test]
async fn a_file_that_is_named_a_thousand_times_counts_each_time() {
    let house = House::build().await;
    let tests: Vec<String> =
        (0..1000).map(|test| format!(r#"{{"name":"{test}","expected":"","stdin_file":"big"}}"#)).collect();
    let document =
        format!(r#"{{"title":"T","kind":"stdio","runtimes":["python"],"tests":[{}]}}"#, tests.join(","));
    let big = Entry { content: vec![b'x'; 1 << 20], deflated: true, ..Entry::new("big", "") };

    let answer = import(&house, raw_zip(&[Entry::new("exercise.json", &document), big])).await;

    assert_eq!(answer.problem().1, "payload_too_large", "{answer:?}");
}

#[tokio::test]
async fn the_body_must_be_declared_as_a_zip() {
    let house = House::build().await;
    let teacher = house.token("tina", Role::Teacher);
    let call = || house.post("/v1/exercises/import?id=x").token(&teacher);

    let json = call().raw(zip_of_package("own/sum")).send().await;
    let coded = call().header("content-encoding", "gzip").of(ZIP, zip_of_package("own/sum")).send().await;
    let query = house
        .post("/v1/exercises/import?ID=x")
        .token(&teacher)
        .of(ZIP, zip_of_package("own/sum"))
        .send()
        .await;

    assert_eq!(json.problem().1, "unsupported_media_type");
    assert_eq!(coded.problem().1, "unsupported_media_type");
    assert_eq!(query.problem().1, "validation_failed");
}

/// Every archive that is changed in a few places is read or refused: none ends otherwise.
#[test]
fn an_archive_with_changed_bytes_is_read_or_refused() {
    let zips: Vec<Vec<u8>> = ["own/sum", "newer/steps"].map(zip_of_package).to_vec();
    let changes = proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6);
    let runtimes = guichet::runtimes::load(&crate::support::engine::root().join("runtimes")).unwrap();
    let mut runner =
        TestRunner::new(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(600) });
    let strategy = (prop::sample::select(zips), changes, any::<prop::sample::Index>(), any::<bool>());

    let outcome = runner.run(&strategy, |(mut zip, changes, end, is_cut)| {
        for (place, byte) in changes {
            let place = place.index(zip.len());
            zip[place] = byte;
        }
        if is_cut {
            zip.truncate(end.index(zip.len()));
        }
        let mut most = 0;
        let read = guichet::packages::archive::read(&zip, &mut |unpacked| {
            most = unpacked;
            true
        });
        if let Ok(files) = read {
            let bytes: usize = files.iter().map(|(_, content)| content.len()).sum();
            prop_assert!(bytes <= most);
            drop(guichet::packages::read(files, &runtimes));
        }
        Ok(())
    });

    outcome.unwrap();
}
