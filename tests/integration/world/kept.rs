//! What is on disk, read as any program would read it.

use super::World;
use rusqlite::{Connection, OpenFlags};
use std::path::Path;

/// Until when everything is on disk, UTC milliseconds; none where nothing is yet, or it cannot be read just now.
fn kept_until_ms(database: &Path) -> Option<i64> {
    let connection = Connection::open_with_flags(database, OpenFlags::SQLITE_OPEN_READ_ONLY).ok()?;
    connection.query_row("SELECT utc_ms FROM heartbeat", [], |row| row.get(0)).ok()
}

impl World {
    /// Waits until the program has received everything that was published, from every source.
    pub async fn received_all(&self) {
        let published = self.published;
        self.until("everything is received", |overview| {
            let has_all = |row: &serde_json::Value| row["received_ops"].as_u64() >= Some(published);
            let mirrors = overview["mirrors"].as_array()?;
            (has_all(&overview["primary"]) && mirrors.iter().all(has_all)).then_some(())
        })
        .await;
    }

    /// Waits until everything that the program knows now is on disk.
    pub async fn kept(&self) {
        let now_ms = (self.now_ms)();
        let database = self.config.data_dir.join("mirrorwatch.db");
        let is_kept = async || kept_until_ms(&database).filter(|until_ms| *until_ms > now_ms);
        self.eventually("what is known now is on disk", is_kept).await;
    }
}
