//! What outlives the process of the Docker hosts.

use rusqlite::params;

use super::rows::Row;
use super::writer::Tx;
use crate::domain::host::{HostMode, HostName, RememberedHost};
use crate::domain::time::Timestamp;
use crate::storage::Result;

/// Remembers hosts that are new, as active ones; answers all that are named, in that order.
pub(super) fn remember(tx: &Tx, names: Vec<HostName>, now: Timestamp) -> Result<Vec<RememberedHost>> {
    let remembered = |name: HostName| {
        tx.execute(
            "INSERT INTO hosts (name, created_at) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
            params![name.as_str(), now.millis()],
        )?;
        let (mode, created_at): (String, i64) =
            tx.one("SELECT mode, created_at FROM hosts WHERE name = ?1", [name.as_str()], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })?;
        let mode = read_mode(&name, &mode)?;
        Ok(RememberedHost { name, mode, created_at: Timestamp::from_millis(created_at) })
    };
    names.into_iter().map(remembered).collect()
}

/// Stores what an operator wants of a host; answers what he wanted before.
pub(super) fn set_mode(tx: &Tx, name: &HostName, mode: HostMode) -> Result<Option<HostMode>> {
    let before: Option<String> =
        tx.first("SELECT mode FROM hosts WHERE name = ?1", [name.as_str()], |row| row.get(0))?;
    let Some(before) = before else { return Ok(None) };
    tx.execute("UPDATE hosts SET mode = ?2 WHERE name = ?1 AND mode <> ?2", [name.as_str(), mode.name()])?;
    read_mode(name, &before).map(Some)
}

fn read_mode(name: &HostName, mode: &str) -> Result<HostMode> {
    Row { table: "hosts", key: name }.present("mode", HostMode::from_name(mode))
}
