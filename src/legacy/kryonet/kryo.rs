//! Kryo's bytes, as far as links need them: class ids, numbers, strings.
//!
//! A payload is the id of a class and what that class wrote. Ids depend on the backend's version of Kryo, so the first
//! frame tells them. Strings come in two forms: ASCII with a mark on the last byte, or a length in UTF-16 units with
//! each unit in one to three bytes (so a character beyond U+FFFF has six). Writers choose freely, readers take both.

use super::message::{Malformed, Message, Packet};

/// Id of `null`.
const NULL: u32 = 0;
/// Id of a class that is named instead of numbered.
const BY_NAME: u32 = 1;
/// Longest string that is written in the ASCII form, in characters, as Kryo 2 to 4 do.
const LONGEST_ASCII: usize = 63;
/// Marks the last byte of the ASCII form, the first of the other, and "more follows" in a number.
const MARK: u8 = 0x80;
/// Says that more bits of a string's length follow its first byte.
const MORE: u8 = 0x40;

/// What differs between one backend's bytes and another's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kryo {
    /// Id of `RegisterTCP`; the four other messages of the library follow it.
    pub base: u8,
    /// Id of `java.lang.String`.
    pub string_id: u8,
    /// Whether a mark for references follows each class id.
    pub references: bool,
}

impl Kryo {
    /// Reads a payload.
    ///
    /// # Errors
    /// It holds something else than what links know, or not quite that.
    pub fn decode(self, payload: &[u8]) -> Result<Message, Malformed> {
        let mut reader = Reader { rest: payload };
        let class = reader.varint()?;
        let message = if class == u32::from(self.string_id) {
            self.reference(&mut reader)?;
            let text = reader.string()?.ok_or(Malformed::Null)?;
            Message::Packet(Packet::Text(text))
        } else {
            self.framework(class, &mut reader)?
        };
        if reader.rest.is_empty() { Ok(message) } else { Err(Malformed::Trailing) }
    }

    fn framework(self, class: u32, reader: &mut Reader<'_>) -> Result<Message, Malformed> {
        let base = u32::from(self.base);
        let known = class.checked_sub(base).filter(|behind| *behind <= 4).ok_or(match class {
            NULL => Malformed::Null,
            BY_NAME => Malformed::ClassByName,
            id => Malformed::ClassId(id),
        })?;
        self.reference(reader)?;
        Ok(match known {
            0 => Message::RegisterTcp { connection: reader.zigzag()? },
            1 => Message::RegisterUdp { connection: reader.zigzag()? },
            2 => Message::KeepAlive,
            3 => Message::DiscoverHost,
            _ => Message::Ping { id: reader.zigzag()?, reply: reader.boolean()? },
        })
    }

    fn reference(self, reader: &mut Reader<'_>) -> Result<(), Malformed> {
        if self.references && reader.varint()? != 1 {
            return Err(Malformed::Reference);
        }
        Ok(())
    }

    /// Writes a payload; a packet of fields is written as the JSON text of them.
    pub fn encode(self, message: &Message) -> Vec<u8> {
        let mut bytes = Vec::new();
        let class = |bytes: &mut Vec<u8>, id: u8| {
            bytes.push(id);
            if self.references {
                bytes.push(1);
            }
        };
        match message {
            Message::RegisterTcp { connection } => {
                class(&mut bytes, self.base);
                put_zigzag(&mut bytes, *connection);
            }
            Message::RegisterUdp { connection } => {
                class(&mut bytes, self.base.wrapping_add(1));
                put_zigzag(&mut bytes, *connection);
            }
            Message::KeepAlive => class(&mut bytes, self.base.wrapping_add(2)),
            Message::DiscoverHost => class(&mut bytes, self.base.wrapping_add(3)),
            Message::Ping { id, reply } => {
                class(&mut bytes, self.base.wrapping_add(4));
                put_zigzag(&mut bytes, *id);
                bytes.push(u8::from(*reply));
            }
            Message::Packet(packet) => {
                class(&mut bytes, self.string_id);
                put_string(&mut bytes, &packet.text());
            }
        }
        bytes
    }
}

/// What is left of a payload.
struct Reader<'a> {
    rest: &'a [u8],
}

impl Reader<'_> {
    fn byte(&mut self) -> Result<u8, Malformed> {
        let (first, rest) = self.rest.split_first().ok_or(Malformed::Short)?;
        self.rest = rest;
        Ok(*first)
    }

    /// A number of 32 bits: seven in each byte, the low ones first.
    fn varint(&mut self) -> Result<u32, Malformed> {
        let mut value = 0;
        for shift in (0..).step_by(7).take(5) {
            let byte = self.byte()?;
            value |= u32::from(byte & !MARK).wrapping_shl(shift);
            if byte & MARK == 0 {
                return Ok(value);
            }
        }
        Err(Malformed::LongNumber)
    }

    /// A number with a sign, which its lowest bit tells.
    fn zigzag(&mut self) -> Result<i32, Malformed> {
        let value = self.varint()?;
        let size = (value >> 1).cast_signed();
        Ok(if value & 1 == 0 { size } else { !size })
    }

    fn boolean(&mut self) -> Result<bool, Malformed> {
        Ok(self.byte()? != 0)
    }

    /// A string in either form; `None` is Java's `null`.
    fn string(&mut self) -> Result<Option<String>, Malformed> {
        let first = *self.rest.first().ok_or(Malformed::Short)?;
        if first & MARK == 0 {
            return self.ascii().map(Some);
        }
        self.byte()?;
        let low = u32::from(first & 0x3f);
        let length = if first & MORE == 0 { low } else { low | self.varint()?.wrapping_shl(6) };
        match usize::try_from(length) {
            Ok(0) => Ok(None),
            Ok(length) => self.units(length - 1).map(Some),
            Err(_) => Err(Malformed::Short),
        }
    }

    /// Bytes up to the one with the mark.
    fn ascii(&mut self) -> Result<String, Malformed> {
        let end = self.rest.iter().position(|byte| byte & MARK != 0).ok_or(Malformed::Short)?;
        let (text, rest) = self.rest.split_at_checked(end + 1).ok_or(Malformed::Short)?;
        self.rest = rest;
        Ok(text.iter().map(|byte| char::from(byte & !MARK)).collect())
    }

    /// So many UTF-16 units of one to three bytes. Halves of a pair without the other become U+FFFD.
    fn units(&mut self, count: usize) -> Result<String, Malformed> {
        if count > self.rest.len() {
            return Err(Malformed::Short);
        }
        let mut units = Vec::with_capacity(count);
        for _ in 0..count {
            let first = u16::from(self.byte()?);
            units.push(match first >> 4 {
                0..=7 => first,
                12 | 13 => ((first & 0x1f) << 6) | self.low_bits()?,
                14 => ((first & 0x0f) << 12) | (self.low_bits()? << 6) | self.low_bits()?,
                _ => return Err(Malformed::Character),
            });
        }
        Ok(String::from_utf16_lossy(&units))
    }

    fn low_bits(&mut self) -> Result<u16, Malformed> {
        match self.byte()? {
            byte if byte & 0xc0 == 0x80 => Ok(u16::from(byte & 0x3f)),
            _ => Err(Malformed::Character),
        }
    }
}

fn put_varint(bytes: &mut Vec<u8>, value: u32) {
    let mut rest = value;
    loop {
        let [low, ..] = rest.to_le_bytes();
        rest >>= 7;
        if rest == 0 {
            return bytes.push(low);
        }
        bytes.push(low | MARK);
    }
}

fn put_zigzag(bytes: &mut Vec<u8>, value: i32) {
    put_varint(bytes, ((value << 1) ^ (value >> 31)).cast_unsigned());
}

/// Writes a string as Kryo 2 to 4 do. One character alone never has the ASCII form: it would read as a length.
fn put_string(bytes: &mut Vec<u8>, text: &str) {
    if text.is_ascii() && (2..=LONGEST_ASCII).contains(&text.len()) {
        bytes.extend_from_slice(text.as_bytes());
        if let Some(last) = bytes.last_mut() {
            *last |= MARK;
        }
        return;
    }
    put_length(bytes, text.encode_utf16().count());
    for unit in text.encode_utf16() {
        let [high, low] = unit.to_be_bytes();
        match unit {
            0..=0x7f => bytes.push(low),
            0x80..=0x7ff => {
                bytes.extend_from_slice(&[0xc0 | (high << 2) | (low >> 6), MARK | (low & 0x3f)]);
            }
            _ => bytes.extend_from_slice(&[
                0xe0 | (high >> 4),
                MARK | ((high & 0x0f) << 2) | (low >> 6),
                MARK | (low & 0x3f),
            ]),
        }
    }
}

fn put_length(bytes: &mut Vec<u8>, units: usize) {
    let length = u32::try_from(units).unwrap_or(u32::MAX).saturating_add(1);
    let [low, ..] = length.to_le_bytes();
    if length < 64 {
        return bytes.push(MARK | low);
    }
    bytes.push(MARK | MORE | (low & 0x3f));
    put_varint(bytes, length >> 6);
}
