//! Texts as what types ask for.

use serde::Deserialize;
use serde_json::json;

use super::parse::Text;
use super::read::Misfit;
use super::unknown::MAX_UNKNOWN;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Shape {
    files: Vec<Part>,
    #[serde(default)]
    _limit: Option<u64>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Part {
    path: String,
}

fn read<T: serde::de::DeserializeOwned>(value: &serde_json::Value) -> Result<T, Vec<Misfit>> {
    super::read(Text::of_request(value.to_string().as_bytes()).unwrap())
}

fn misfit(value: &serde_json::Value) -> (String, String) {
    let misfits = read::<Shape>(value).unwrap_err();
    let [Misfit { pointer, message }] = <[Misfit; 1]>::try_from(misfits).unwrap();
    (pointer, message)
}

fn pointers(value: &serde_json::Value) -> Vec<String> {
    read::<Shape>(value).unwrap_err().into_iter().map(|misfit| misfit.pointer).collect()
}

#[test]
fn all_unknown_fields_are_listed_and_the_first_other_misfit() {
    let value = json!({ "a": 1, "files": [{ "path": "x", "b": 1 }, { "path": 3, "c": { "d": 1 } }], "e": 1 });

    assert_eq!(pointers(&value), ["/a", "/e", "/files/0/b", "/files/1/c", "/files/1/path"]);
    assert_eq!(pointers(&json!({ "file": [] })), ["/file", "/files"]);
}

#[test]
fn a_list_of_unknown_fields_is_bounded() {
    let many =
        (0..1000).map(|index| (format!("x{index}"), json!(0))).chain([("files".to_owned(), json!([]))]);

    let misfits = read::<Shape>(&many.collect::<serde_json::Map<_, _>>().into()).unwrap_err();

    assert_eq!(misfits.len(), MAX_UNKNOWN + 1);
    assert_eq!(misfits[MAX_UNKNOWN].message, "has 900 more unknown fields");
}

#[test]
fn a_wrong_type_is_named_with_its_place() {
    let (pointer, message) = misfit(&json!({"files": [{"path": "a"}, {"path": 3}]}));

    assert_eq!((pointer.as_str(), message.as_str()), ("/files/1/path", "must be a string"));
}

#[test]
fn an_unknown_field_is_the_place_itself() {
    assert_eq!(misfit(&json!({"files": [{"path": "a", "a/b": 1}]})).0, "/files/0/a~1b");
}

#[test]
fn a_missing_field_is_named() {
    assert_eq!(misfit(&json!({"files": [{}]})), ("/files/0/path".to_owned(), "is missing".to_owned()));
}

#[test]
fn a_list_is_no_object() {
    assert_eq!(misfit(&json!({"files": [["a"]]})).0, "/files/0");
    assert_eq!(misfit(&json!([[]])).0, "");
}

#[test]
fn a_negative_number_is_refused_where_none_may_be() {
    assert_eq!(misfit(&json!({"files": [], "_limit": -1})).0, "/_limit");
}

#[test]
fn parts_are_read() {
    assert_eq!(read::<Shape>(&json!({"files": [{"path": "a"}]})).unwrap().files[0].path, "a");
}

#[test]
fn the_sender_s_own_is_kept_as_text_with_its_numbers() {
    #[derive(Deserialize)]
    struct Own {
        metadata: Option<String>,
    }
    let own =
        |request: &str| super::read::<Own>(Text::of_request(request.as_bytes()).unwrap()).unwrap().metadata;

    let kept = own(
        r#"{"metadata": { "n": [123456789012345678901234567890, 1e400, 1.50, -0], "\u00e9\/": "\u0041\n" } }"#,
    );

    assert_eq!(
        kept.as_deref(),
        Some("{\"n\":[123456789012345678901234567890,1e400,1.50,-0],\"\u{e9}/\":\"A\\n\"}")
    );
    assert_eq!(own(r#"{"metadata":null}"#), None);
    assert_eq!(own(r#"{"metadata":[ "x" ]}"#).as_deref(), Some(r#"["x"]"#));
}

#[test]
fn a_list_that_is_too_long_is_the_place() {
    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Few {
        #[serde(deserialize_with = "crate::json::at_most::<2, _, _>")]
        files: Vec<u64>,
    }

    assert_eq!(read::<Few>(&json!({"files": [1, 2]})).unwrap().files, [1, 2]);
    for (value, pointer) in [
        (json!({"files": [1, 2, 3]}), "/files"),
        (json!({"files": {}}), "/files"),
        (json!({"files": [0, "x"]}), "/files/1"),
    ] {
        let misfits = read::<Few>(&value).unwrap_err();
        assert_eq!(misfits[0].pointer, pointer);
    }
}

#[test]
fn a_long_name_of_a_field_is_not_repeated_whole() {
    let (pointer, _message) = misfit(&json!({ "files": [], "k".repeat(10_000): 1 }));

    assert!(pointer.len() < 1000, "{pointer}");
}
