//! Frames that were captured between original endpoints: each is read, and Kryo's are written again byte for byte.

use guichet::app::links::Encoding;
use guichet::legacy::kryonet::codec::Codec;
use guichet::legacy::kryonet::frame::{Frames, framed};
use guichet::legacy::kryonet::jsonbeans::Json;
use guichet::legacy::kryonet::kryo::Kryo;
use guichet::legacy::kryonet::message::{Malformed, Message, Packet};
use guichet::legacy::kryonet::{Charset, JsonSettings};
use proptest::prelude::*;
use serde_json::Value;

const STRING: &str = "java.lang.String";

/// One captured frame.
struct Captured {
    name: String,
    codec: Codec,
    kind: String,
    class: String,
    payload: String,
    bytes: Vec<u8>,
}

impl Captured {
    fn read(row: &Value) -> Self {
        let text = |field: &str| row[field].as_str().unwrap_or_default().to_owned();
        let hex = text("hex");
        let digits = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).expect("hex");
        let codec = match text("profile").as_str() {
            "kryo-base11-string3" => Codec::Kryo(kryo(11, false)),
            "kryo-base12-string3" => Codec::Kryo(kryo(12, false)),
            "json" => json(),
            other => panic!("{other} is no profile"),
        };
        Self {
            name: format!("{} {}", text("name"), text("direction")),
            codec,
            kind: text("kind"),
            class: text("payload_class"),
            payload: text("payload"),
            bytes: (0..hex.len()).step_by(2).map(digits).collect(),
        }
    }

    fn is_kryo(&self) -> bool {
        self.codec.encoding() == Encoding::Kryo
    }

    /// What the frame holds, which is one whole frame.
    fn decoded(&self) -> Result<Message, Malformed> {
        let mut frames = Frames::new(1 << 20);
        frames.buffer().extend_from_slice(&self.bytes);
        let payload = frames.next_frame().expect("a length").expect("a whole frame");
        assert_eq!(frames.held(), 0, "{}", self.name);
        self.codec.decode(&payload)
    }

    fn written(&self, message: &Message) -> Vec<u8> {
        framed(&self.codec.encode(message)).expect("a frame")
    }
}

fn kryo(base: u8, references: bool) -> Kryo {
    Kryo { base, string_id: 3, references }
}

fn json() -> Codec {
    Codec::Json(Json::of(&JsonSettings::default()))
}

fn captured() -> Vec<Captured> {
    let rows: Value = serde_json::from_str(include_str!("../../../data/kryonet-frames.json")).expect("JSON");
    let all: Vec<_> = rows.as_array().expect("a list").iter().map(Captured::read).collect();
    assert_eq!(all.len(), 250);
    all
}

#[test]
fn every_captured_string_is_read() {
    let strings: Vec<_> = captured().into_iter().filter(|frame| frame.class == STRING).collect();

    assert_eq!(strings.len(), 130);
    for frame in strings {
        let expected = Message::Packet(Packet::Text(frame.payload.clone()));
        assert_eq!(frame.decoded(), Ok(expected), "{}", frame.name);
    }
}

#[test]
fn captured_strings_of_kryo_are_written_again_byte_for_byte() {
    for frame in captured().iter().filter(|frame| frame.class == STRING && frame.is_kryo()) {
        let message = Message::Packet(Packet::Text(frame.payload.clone()));

        assert_eq!(frame.written(&message), frame.bytes, "{}", frame.name);
    }
}

#[test]
fn captured_messages_of_the_library_are_read_and_kryo_s_written_again() {
    for frame in captured().iter().filter(|frame| frame.kind != "packet") {
        let message = frame.decoded().unwrap_or_else(|error| panic!("{}: {error}", frame.name));
        let fields: Value = serde_json::from_str(&frame.payload).expect("JSON");
        let number = |name: &str| {
            let text = fields[name].as_str().map(str::to_owned).unwrap_or(fields[name].to_string());
            text.parse::<i32>().unwrap_or_default()
        };
        let truth = |name: &str| fields[name] == "true" || fields[name] == true;
        let expected = match frame.kind.as_str() {
            "RegisterTCP" => Message::RegisterTcp { connection: number("connectionID") },
            "KeepAlive" => Message::KeepAlive,
            "Ping" => Message::Ping { id: number("id"), reply: truth("isReply") },
            other => panic!("{other} is not captured"),
        };
        assert_eq!(message, expected, "{}", frame.name);
        if frame.is_kryo() {
            assert_eq!(frame.written(&message), frame.bytes, "{}", frame.name);
        }
    }
}

#[test]
fn captured_objects_in_json_are_read_as_their_fields() {
    let field = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let read = |case: &str| {
        let frames =
            captured().into_iter().filter(move |frame| frame.name.contains(case) && !frame.is_kryo());
        let fields: Vec<_> = frames
            .map(|frame| match frame.decoded() {
                Ok(Message::Packet(Packet::Fields(fields))) => fields,
                other => panic!("{}: {other:?}", frame.name),
            })
            .collect();
        assert!(!fields.is_empty(), "{case}");
        fields
    };
    let exercise = |id: &str| vec![field("cmd", "EXERCISE"), field("id", id)];

    for (case, expected) in [
        ("hashmap_numeric_string", exercise("42")),
        ("linkedhashmap_exercise", exercise("ID_EXERCICE")),
        ("pojo_exercise", exercise("ID_EXERCICE")),
        ("pojo_numeric_string", exercise("42")),
        ("pojo_null_field", vec![field("cmd", "EXERCISE")]),
        ("pojo_special_chars", exercise("élève {x}, [y]: \"q\" true // c")),
        ("pojo_true_and_spaces", vec![field("cmd", "true"), field("id", " leading and trailing ")]),
        ("pojo_uuid", exercise("3f2b8c1e-9a4d-4f6b-8e2a-0c1d2e3f4a5b")),
        ("pojo_colon_slash_space", exercise("math:algebra/1 two")),
    ] {
        for fields in read(case) {
            assert_eq!(fields, expected, "{case}");
        }
    }
}

#[test]
fn captured_objects_that_links_do_not_know_are_reported() {
    let classes = [
        "java.util.HashMap",
        "java.util.LinkedHashMap",
        "java.util.ArrayList",
        "java.lang.Integer",
        "java.lang.Boolean",
    ];
    let unknown = |frame: &Captured| {
        frame.class == "java.util.ArrayList"
            || frame.is_kryo()
                && (classes.contains(&frame.class.as_str()) || frame.class.starts_with("Common$"))
    };
    let unknown: Vec<_> = captured().into_iter().filter(unknown).collect();

    assert!(unknown.len() > 20, "{}", unknown.len());
    for frame in unknown {
        assert!(
            matches!(frame.decoded(), Err(Malformed::ClassId(_) | Malformed::NoObject)),
            "{}: {:?}",
            frame.name,
            frame.decoded()
        );
    }
}

#[test]
fn a_one_character_string_has_the_form_that_does_not_read_as_a_length() {
    let written = |text: &str| kryo(11, false).encode(&Message::Packet(Packet::Text(text.to_owned())));

    assert_eq!(written("A"), [3, 0x82, 0x41]);
    assert_eq!(written(""), [3, 0x81]);
    assert_eq!(written("AB"), [3, 0x41, 0xc2]);
}

#[test]
fn strings_in_the_form_that_the_writer_did_not_choose_are_read_too() {
    let long = "x".repeat(300);
    let mut ascii = [&[3][..], long.as_bytes()].concat();
    *ascii.last_mut().expect("a byte") |= 0x80;

    assert_eq!(kryo(11, false).decode(&ascii), Ok(Message::Packet(Packet::Text(long))));
    assert_eq!(
        kryo(11, false).decode(&[3, 0x83, b'A', b'B']),
        Ok(Message::Packet(Packet::Text("AB".to_owned())))
    );
}

#[test]
fn half_a_pair_becomes_a_replacement_character() {
    let decoded = kryo(11, false).decode(&[3, 0x83, b'A', 0xed, 0xa0, 0xbd]);
    let json = json().decode(br#"{class:java.lang.String,value:"A\ud83d"}"#);

    assert_eq!(decoded, Ok(Message::Packet(Packet::Text("A\u{fffd}".to_owned()))));
    assert_eq!(json, decoded);
}

#[test]
fn references_are_read_and_written_if_the_backend_has_them() {
    let kryo = kryo(11, true);
    for (message, bytes) in [
        (Message::RegisterTcp { connection: 1 }, &[0x0b, 1, 2][..]),
        (Message::KeepAlive, &[0x0d, 1]),
        (Message::Ping { id: 0, reply: false }, &[0x0f, 1, 0, 0]),
        (Message::Packet(Packet::Text("AB".to_owned())), &[3, 1, 0x41, 0xc2]),
    ] {
        assert_eq!(kryo.encode(&message), bytes);
        assert_eq!(kryo.decode(bytes), Ok(message));
    }
    assert_eq!(kryo.decode(&[3, 2]), Err(Malformed::Reference));
}

#[test]
fn payloads_that_are_not_quite_something_say_why() {
    let decode = |bytes: &[u8]| kryo(12, false).decode(bytes).expect_err("malformed");

    assert_eq!(decode(&[]), Malformed::Short);
    assert_eq!(decode(&[0]), Malformed::Null);
    assert_eq!(decode(&[3, 0x80]), Malformed::Null);
    assert_eq!(decode(&[1, 0, 0x41]), Malformed::ClassByName);
    assert_eq!(decode(&[0x0b]), Malformed::ClassId(11));
    assert_eq!(decode(&[0x0e, 0]), Malformed::Trailing);
    assert_eq!(decode(&[0x0c]), Malformed::Short);
    assert_eq!(decode(&[0xff; 6]), Malformed::LongNumber);
    assert_eq!(decode(&[3, 0x41, 0x42]), Malformed::Short);
    assert_eq!(decode(&[3, 0xff, 0xff, 0xff, 0xff, 0x7f]), Malformed::Short);
    assert_eq!(decode(&[3, 0x82, 0xf0]), Malformed::Character);
}

#[test]
fn json_that_is_not_quite_something_says_why() {
    let decode = |text: &str| json().decode(text.as_bytes()).expect_err("malformed");

    assert_eq!(decode(&"{a:".repeat(5000)), Malformed::Depth);
    assert_eq!(decode(&"[".repeat(5000)), Malformed::Depth);
    assert_eq!(decode("[a,b]"), Malformed::NoObject);
    assert_eq!(decode("{class:java.lang.Runtime,cmd:EXERCISE,id:x}"), Malformed::Class);
    assert_eq!(decode("{class:{}}"), Malformed::Class);
    assert_eq!(decode("{class:java.lang.String}"), Malformed::Null);
    assert_eq!(decode("{class:Ping,id:x}"), Malformed::Field("id"));
    assert_eq!(decode("{class:KeepAlive}}"), Malformed::Trailing);
    assert!(matches!(decode("{class:KeepAlive"), Malformed::Syntax(_)));
    assert!(matches!(decode("[}]"), Malformed::Syntax(_)));
    assert!(matches!(decode(r#"{a:"\u12"}"#), Malformed::Syntax(_)));
    assert!(matches!(decode(r"{a:\"), Malformed::Syntax(_)));
    assert_eq!(json().decode(b"{a:\xe9}"), Err(Malformed::Character));
}

#[test]
fn a_backend_on_windows_may_write_its_own_characters() {
    let settings = JsonSettings { inbound_charset: Charset::Windows1252, ..JsonSettings::default() };
    let fields = Codec::Json(Json::of(&settings)).decode(b"{class:a.B,id:\xe9l\xe8ve}");

    assert_eq!(fields, Ok(Message::Packet(Packet::Fields(vec![("id".to_owned(), "élève".to_owned())]))));
}

#[test]
fn json_is_sent_in_ascii_with_quotes() {
    let handshake = Packet::handshake(&"é\u{1f600}".into());
    let inline = JsonSettings { packet_class: "java.util.HashMap".to_owned(), ..JsonSettings::default() };
    let written = |codec: Codec| String::from_utf8(codec.encode(&Message::Packet(handshake.clone())));

    assert_eq!(
        written(json()).as_deref(),
        Ok(
            r#"{"class":"java.lang.String","value":"{\"cmd\":\"HANDSHAKE\",\"TOKEN\":\"\u00e9\ud83d\ude00\"}"}"#
        )
    );
    assert_eq!(
        written(Codec::Json(Json::of(&inline))).as_deref(),
        Ok(r#"{"class":"java.util.HashMap","cmd":"HANDSHAKE","TOKEN":"\u00e9\ud83d\ude00"}"#)
    );
}

fn messages() -> impl Strategy<Value = Message> {
    prop_oneof![
        any::<i32>().prop_map(|connection| Message::RegisterTcp { connection }),
        any::<i32>().prop_map(|connection| Message::RegisterUdp { connection }),
        Just(Message::KeepAlive),
        Just(Message::DiscoverHost),
        (any::<i32>(), any::<bool>()).prop_map(|(id, reply)| Message::Ping { id, reply }),
        any::<String>().prop_map(|text| Message::Packet(Packet::Text(text))),
        "[ -~]{0,100}".prop_map(|text| Message::Packet(Packet::Text(text))),
    ]
}

fn codecs() -> impl Strategy<Value = Codec> {
    let kryo = (prop_oneof![Just(11), Just(12)], any::<bool>(), prop_oneof![Just(3), Just(10)]);
    prop_oneof![
        kryo.prop_map(|(base, references, string_id)| Codec::Kryo(Kryo { base, string_id, references })),
        Just(json()),
    ]
}

proptest! {
    #[test]
    fn what_is_written_is_read_again(codec in codecs(), message in messages()) {
        prop_assert_eq!(codec.decode(&codec.encode(&message)), Ok(message));
    }

    #[test]
    fn any_bytes_are_a_message_or_an_error(codec in codecs(), bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        drop(codec.decode(&bytes));
    }

    #[test]
    fn any_text_is_a_message_or_an_error(text in r#"[{}\[\]:,"\\a-zA-Z0-9 ]{0,80}"#) {
        drop(json().decode(text.as_bytes()));
    }

    #[test]
    fn a_message_cut_short_is_another_one_or_an_error(
        codec in codecs(), message in messages(), cut in any::<prop::sample::Index>(),
    ) {
        let whole = codec.encode(&message);
        let kept = &whole[..cut.index(whole.len())];

        prop_assert_ne!(codec.decode(kept), Ok(message));
    }
}
