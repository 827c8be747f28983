//! What clients send, well and badly written.

use proptest::prelude::*;

use super::{CloseCode, Decoder, Incoming, MAX_FRAGMENTS, MAX_TEXT_BYTES, Violation};

const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// A client's frame with this first byte.
fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = super::frame(first & 0x0f, payload);
    let head = frame.len() - payload.len();
    frame[0] = first;
    frame[1] |= 0x80;
    let masked: Vec<u8> = payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask).collect();
    frame.truncate(head);
    frame.extend(MASK);
    frame.extend(masked);
    frame
}

fn decode(mut bytes: &[u8]) -> Result<Vec<Incoming>, Violation> {
    let mut decoder = Decoder::default();
    let mut messages = Vec::new();
    while let Some(message) = decoder.next(&mut bytes)? {
        messages.push(message);
    }
    assert!(bytes.is_empty());
    Ok(messages)
}

fn code(bytes: &[u8]) -> CloseCode {
    decode(bytes).expect_err("a violation").code
}

#[test]
fn a_text_in_one_frame_is_that_text() {
    assert_eq!(decode(&masked(0x81, b"{}")), Ok(vec![Incoming::Text("{}".to_owned())]));
}

#[test]
fn a_text_in_several_frames_is_one_text_and_a_ping_may_stand_between() {
    let bytes = [masked(0x01, b"a"), masked(0x89, b"!"), masked(0x00, b""), masked(0x80, b"b")].concat();

    assert_eq!(decode(&bytes), Ok(vec![Incoming::Ping(b"!".to_vec()), Incoming::Text("ab".to_owned())]));
}

#[test]
fn a_text_may_have_64_kib_and_not_one_byte_more() {
    let longest = vec![b'x'; MAX_TEXT_BYTES];

    assert!(
        matches!(&decode(&masked(0x81, &longest)).unwrap()[..], [Incoming::Text(text)] if text.len() == MAX_TEXT_BYTES)
    );
    assert_eq!(code(&[masked(0x01, &longest), masked(0x80, b"x")].concat()), CloseCode::TooBig);
}

#[test]
fn a_length_is_refused_when_it_is_announced() {
    let head = [&[0x81, 0xff][..], &(1_u64 << 62).to_be_bytes()[..], &MASK[..]].concat();
    let negative = [&[0x81, 0xff][..], &(1_u64 << 63).to_be_bytes()[..], &MASK[..]].concat();

    assert_eq!(code(&head), CloseCode::TooBig);
    assert_eq!(code(&negative), CloseCode::Protocol);
}

#[test]
fn a_text_comes_in_no_more_frames_than_1024() {
    let mut bytes = masked(0x01, b"");
    for _ in 1..MAX_FRAGMENTS {
        bytes.extend(masked(0x00, b""));
    }
    assert_eq!(decode(&bytes), Ok(Vec::new()));

    bytes.extend(masked(0x00, b""));

    assert_eq!(code(&bytes), CloseCode::Policy);
}

#[test]
fn what_breaks_the_protocol_is_told_apart() {
    let unmasked = super::text("{}");
    let long_ping = [&[0x89, 0xfe, 0, 126][..], &MASK[..], &[0; 126][..]].concat();
    let padded = [&[0x81, 0xfe, 0, 5][..], &MASK[..], &[0; 5][..]].concat();
    for (bytes, expected) in [
        (masked(0x82, b"{}"), CloseCode::Unsupported),
        (masked(0x81, &[0xc3, 0x28]), CloseCode::InvalidUtf8),
        (masked(0x81, &[0xed, 0xa0, 0x80]), CloseCode::InvalidUtf8),
        (unmasked, CloseCode::Protocol),
        (masked(0xc1, b"{}"), CloseCode::Protocol),
        (masked(0xa1, b"{}"), CloseCode::Protocol),
        (masked(0x91, b"{}"), CloseCode::Protocol),
        (masked(0x83, b"{}"), CloseCode::Protocol),
        (masked(0x8b, b""), CloseCode::Protocol),
        (masked(0x80, b"{}"), CloseCode::Protocol),
        ([masked(0x01, b"a"), masked(0x81, b"b")].concat(), CloseCode::Protocol),
        (masked(0x09, b""), CloseCode::Protocol),
        (long_ping, CloseCode::Protocol),
        (padded, CloseCode::Protocol),
        (masked(0x88, &[3]), CloseCode::Protocol),
        (masked(0x88, &1005_u16.to_be_bytes()), CloseCode::Protocol),
        (masked(0x88, &[3, 232, 0xff]), CloseCode::InvalidUtf8),
    ] {
        assert_eq!(code(&bytes), expected, "{bytes:02x?}");
    }
}

#[test]
fn a_close_may_be_empty_or_say_why() {
    assert_eq!(decode(&masked(0x88, b"")), Ok(vec![Incoming::Close(None)]));
    assert_eq!(
        decode(&masked(0x88, b"\x11\x31bye")),
        Ok(vec![Incoming::Close(Some((4401, "bye".to_owned())))])
    );
}

#[test]
fn ours_are_neither_masked_nor_in_parts() {
    assert_eq!(super::text("{}"), b"\x81\x02{}");
    assert_eq!(super::ping(), b"\x89\x00");
    assert_eq!(super::pong(b"x"), b"\x8a\x01x");
    assert_eq!(super::close(1000, ""), b"\x88\x02\x03\xe8");
    assert_eq!(super::text(&"x".repeat(126))[..4], [0x81, 126, 0, 126]);
    assert_eq!(super::text(&"x".repeat(1 << 16))[..10], [0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0]);
}

proptest! {
    #[test]
    fn where_the_bytes_are_cut_does_not_matter(
        texts in proptest::collection::vec(".{0,200}", 1..4),
        cuts in proptest::collection::vec(1_usize..50, 1..50),
    ) {
        let bytes: Vec<u8> = texts.iter().flat_map(|text| masked(0x81, text.as_bytes())).collect();
        let mut decoder = Decoder::default();
        let mut read = Vec::new();
        let mut rest = &bytes[..];
        for cut in cuts.iter().cycle() {
            let (mut part, behind) = rest.split_at((*cut).min(rest.len()));
            while let Some(message) = decoder.next(&mut part).unwrap() {
                read.push(message);
            }
            rest = behind;
            if rest.is_empty() {
                break;
            }
        }
        let sent: Vec<_> = texts.into_iter().map(Incoming::Text).collect();
        prop_assert_eq!(read, sent);
    }

    #[test]
    fn no_bytes_are_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let mut decoder = Decoder::default();
        let mut input = &bytes[..];
        while let Ok(Some(_message)) = decoder.next(&mut input) {}
    }
}
