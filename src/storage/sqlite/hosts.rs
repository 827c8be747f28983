//! What outlives the process of the Docker hosts.

use std::num::NonZeroU32;

use rusqlite::params;

use super::rows::Row;
use super::writer::Tx;
use crate::domain::host::{CertsName, HostMode, HostName, HostSettings, HostSource, HostUpdate, HostWishes};
use crate::domain::time::Timestamp;
use crate::storage::Result;

/// A row, as it is stored.
struct Stored {
    name: String,
    url: Option<String>,
    certs: Option<String>,
    slots: Option<u32>,
    mode: String,
    created_at: i64,
}

/// Takes in which hosts the settings have now. What was stored of others of them goes, and so do hosts of the API whose URL
/// the settings have. Answers all hosts: those of the settings in their order, each with what is stored of it, then the others by
/// age.
///
/// * `configured` — as they are if nothing is stored of them.
pub(super) fn remember(tx: &Tx, configured: Vec<HostSettings>) -> Result<Vec<HostSettings>> {
    let named: Vec<&str> = configured.iter().map(|host| host.name.as_str()).collect();
    let urls: Vec<&str> = configured.iter().map(|host| host.url.as_str()).collect();
    let (named, urls) = (list(&named), list(&urls));
    tx.execute(
        "DELETE FROM hosts WHERE name NOT IN (SELECT value FROM json_each(?1)) \
           AND (source = 'config' OR url IN (SELECT value FROM json_each(?2)))",
        [&named, &urls],
    )?;
    tx.execute(
        "UPDATE hosts SET source = 'config', url = NULL, certs = NULL \
         WHERE source = 'api' AND name IN (SELECT value FROM json_each(?1))",
        [&named],
    )?;
    let mut hosts = Vec::new();
    for host in configured {
        tx.execute(
            "INSERT INTO hosts (name, mode, created_at) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
            params![host.name.as_str(), host.mode.name(), host.created_at.millis()],
        )?;
        let known = tx.one("SELECT * FROM hosts WHERE name = ?1", [host.name.as_str()], Stored::read)?;
        let HostWishes { mode, slots } = known.wishes(&host.name)?;
        let created_at = Timestamp::from_millis(known.created_at);
        hosts.push(HostSettings { mode, slots: slots.or(host.slots), created_at, ..host });
    }
    let added = "SELECT * FROM hosts WHERE source = 'api' ORDER BY created_at, name";
    for known in tx.rows(added, [], Stored::read)? {
        hosts.push(known.added()?);
    }
    Ok(hosts)
}

/// Stores a host of the API; `false` if its name is taken.
pub(super) fn add(tx: &Tx, host: &HostSettings) -> Result<bool> {
    let HostSettings { name, url, certs, slots, source, mode, created_at } = host;
    let stored = tx.execute(
        "INSERT INTO hosts (name, source, url, certs, slots, mode, created_at) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (name) DO NOTHING",
        params![
            name.as_str(),
            source.name(),
            url,
            certs.as_ref().map(CertsName::as_str),
            slots.map(NonZeroU32::get),
            mode.name(),
            created_at.millis()
        ],
    )?;
    Ok(stored > 0)
}

/// Stores what an operator wants of a host; answers what he wanted before.
pub(super) fn update(tx: &Tx, name: &HostName, change: HostUpdate) -> Result<Option<HostWishes>> {
    let known = tx.first("SELECT * FROM hosts WHERE name = ?1", [name.as_str()], Stored::read)?;
    let Some(known) = known else { return Ok(None) };
    let before = known.wishes(name)?;
    let HostWishes { mode, slots } = before.after(change);
    tx.execute(
        "UPDATE hosts SET mode = ?2, slots = ?3 WHERE name = ?1",
        params![name.as_str(), mode.name(), slots.map(NonZeroU32::get)],
    )?;
    Ok(Some(before))
}

/// Forgets a host of the API; `false` if there is none of that name.
pub(super) fn remove(tx: &Tx, name: &HostName) -> Result<bool> {
    Ok(tx.execute("DELETE FROM hosts WHERE name = ?1 AND source = 'api'", [name.as_str()])? > 0)
}

fn list(texts: &[&str]) -> String {
    serde_json::Value::from(texts).to_string()
}

impl Stored {
    fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            name: row.get("name")?,
            url: row.get("url")?,
            certs: row.get("certs")?,
            slots: row.get("slots")?,
            mode: row.get("mode")?,
            created_at: row.get("created_at")?,
        })
    }

    fn wishes(&self, name: &HostName) -> Result<HostWishes> {
        let of = Row { table: "hosts", key: name };
        let mode = of.present("mode", HostMode::from_name(&self.mode))?;
        let slots = self.slots.map(|slots| of.present("slots", NonZeroU32::new(slots))).transpose()?;
        Ok(HostWishes { mode, slots })
    }

    /// A host of the API.
    fn added(self) -> Result<HostSettings> {
        let of = Row { table: "hosts", key: &self.name };
        let name = of.text("name", &self.name)?;
        let HostWishes { mode, slots } = self.wishes(&name)?;
        Ok(HostSettings {
            url: of.present("url", self.url.clone())?,
            certs: self.certs.as_deref().map(|certs| of.text("certs", certs)).transpose()?,
            slots,
            source: HostSource::Api,
            mode,
            created_at: Timestamp::from_millis(self.created_at),
            name,
        })
    }
}
