//! What is on disk, read as any program would read it.

use super::stalls::Patience;
use super::{LOOK_EVERY, World};
use rusqlite::{Connection, OpenFlags};
use std::path::Path;
use std::time::Duration;
use tokio::time::sleep;

/// A transaction is made every second: what was known is on disk within this, without what the machine let nobody run.
const KEPT_WITHIN: Duration = Duration::from_millis(1_500);

/// Until when everything is on disk, UTC milliseconds; none where nothing is yet, or it cannot be read just now.
fn kept_until_ms(database: &Path) -> Option<i64> {
    let connection = Connection::open_with_flags(database, OpenFlags::SQLITE_OPEN_READ_ONLY).ok()?;
    connection.query_row("SELECT utc_ms FROM heartbeat", [], |row| row.get(0)).ok()
}

/// Whether the run that is kept was ended in order.
fn is_closed(database: &Path) -> rusqlite::Result<bool> {
    let connection = Connection::open_with_flags(database, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let mark = "SELECT count(*) FROM meta, heartbeat WHERE key = 'closed_tau' AND value = CAST(tau_ns AS TEXT)";
    connection.query_row(mark, [], |row| row.get::<_, i64>(0)).map(|marks| marks == 1)
}

impl World {
    /// Whether the program has closed what it keeps.
    pub fn is_closed(&self) -> bool {
        let database = self.config.data_dir.join("mirrorwatch.db");
        // What is being written just now can be read a moment later.
        (0..100).find_map(|_| is_closed(&database).ok()).expect("it can be read")
    }

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

    /// Waits until everything that the program knows now is on disk, which is soon.
    pub async fn kept(&self) {
        let now_ms = (self.now_ms)();
        let database = self.config.data_dir.join("mirrorwatch.db");
        let patience = Patience::of(KEPT_WITHIN);
        while kept_until_ms(&database).is_none_or(|until_ms| until_ms <= now_ms) {
            assert!(!patience.is_over(), "what was known is not on disk within {KEPT_WITHIN:?}");
            sleep(LOOK_EVERY).await;
        }
    }
}
