//! Which encoding a backend speaks, told by its first frame, and the one way in and out of both.

use super::jsonbeans::Json;
use super::kryo::Kryo;
use super::message::{Malformed, Message};
use super::{Serialization, Settings};
use crate::app::links::Encoding;

/// How payloads are read and written on one connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Codec {
    /// Kryo's bytes.
    Kryo(Kryo),
    /// The JSON of JsonBeans.
    Json(Json),
}

/// Why a connection can't be used: its first frame is not the one that every backend sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unrecognised {
    /// It is the other encoding's.
    #[error("the first frame is {}, and the settings say {}", found.name(), set.name())]
    OtherEncoding {
        /// What the frame is.
        found: Encoding,
        /// What `serialization` says.
        set: Encoding,
    },
    /// It is something else.
    #[error("the first frame is no RegisterTCP; is it a KryoNet server, from 2.09 on?")]
    NoRegistration,
}

impl Codec {
    /// Recognises the encoding by a connection's first payload, and answers the number of the connection.
    ///
    /// An opening brace is JSON. Otherwise the first byte is the id of `RegisterTCP`, 11 or 12, and a second byte of 1
    /// with more behind it is the mark for references: without them it would be the connection -1.
    ///
    /// # Errors
    /// The frame is another one, or not what the settings say.
    pub fn recognise(payload: &[u8], settings: &Settings) -> Result<(Self, i32), Unrecognised> {
        let found = if payload.first() == Some(&b'{') { Encoding::Json } else { Encoding::Kryo };
        let set = match settings.serialization {
            Serialization::Auto => found,
            Serialization::Kryo => Encoding::Kryo,
            Serialization::Json => Encoding::Json,
        };
        if found != set {
            return Err(Unrecognised::OtherEncoding { found, set });
        }
        let codec = match found {
            Encoding::Json => Self::Json(Json::of(&settings.json)),
            Encoding::Kryo => Self::Kryo(kryo(payload, settings).ok_or(Unrecognised::NoRegistration)?),
        };
        match codec.decode(payload) {
            Ok(Message::RegisterTcp { connection }) => Ok((codec, connection)),
            Ok(
                Message::RegisterUdp { .. }
                | Message::KeepAlive
                | Message::DiscoverHost
                | Message::Ping { .. }
                | Message::Packet(_),
            )
            | Err(_) => Err(Unrecognised::NoRegistration),
        }
    }

    /// Reads a payload.
    ///
    /// # Errors
    /// It holds something else than what links know, or not quite that.
    pub fn decode(&self, payload: &[u8]) -> Result<Message, Malformed> {
        match self {
            Self::Kryo(kryo) => kryo.decode(payload),
            Self::Json(json) => json.decode(payload),
        }
    }

    /// Writes a payload.
    pub fn encode(&self, message: &Message) -> Vec<u8> {
        match self {
            Self::Kryo(kryo) => kryo.encode(message),
            Self::Json(json) => json.encode(message),
        }
    }

    /// What it is called.
    pub const fn encoding(&self) -> Encoding {
        match self {
            Self::Kryo(_) => Encoding::Kryo,
            Self::Json(_) => Encoding::Json,
        }
    }
}

fn kryo(payload: &[u8], settings: &Settings) -> Option<Kryo> {
    let first = *payload.first()?;
    let base = settings.kryo.framework_base.unwrap_or(first);
    let references = settings.kryo.references.unwrap_or(payload.len() >= 3 && payload.get(1) == Some(&1));
    [11, 12].contains(&base).then_some(Kryo { base, string_id: settings.kryo.string_id, references })
}
