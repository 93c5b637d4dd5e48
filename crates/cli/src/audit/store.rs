//! The run's file: every finished batch is in it, so that a killed run continues where it stopped.

use crate::CliError;
use rusqlite::{Connection, OptionalExtension, params};
use serde::{Serialize, de::DeserializeOwned};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Instant;

/// Finished batches by stage and number, in an SQLite file.
pub struct Store {
    connection: Rc<Connection>,
    path: PathBuf,
    scope: String,
}

impl Store {
    /// Opens `run.sqlite` in `folder`. With `resume`, what it holds is kept if it belongs to the same `settings`
    /// (a canonical text of everything that determines the results); without, it is started afresh.
    ///
    /// # Errors
    /// If the file cannot be written, is damaged, or belongs to other settings; for `resume` also if there is none.
    pub fn open(folder: &Path, settings: &str, resume: bool) -> Result<Store, CliError> {
        let path = folder.join("run.sqlite");
        if resume && !path.exists() {
            let message = format!("there is no run to resume in {}: leave --resume out to start one", folder.display());
            return Err(CliError::Usage(message));
        }
        if path.exists() {
            refuse_running(&path)?;
        }
        if !resume {
            for name in ["run.sqlite", "run.sqlite-wal", "run.sqlite-shm"] {
                match std::fs::remove_file(folder.join(name)) {
                    Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                        return Err(CliError::File {
                            action: "replace",
                            path: folder.join(name).display().to_string(),
                            source: e,
                        });
                    }
                    _ => {}
                }
            }
        }
        let connection = Rc::new(Connection::open(&path).map_err(|e| damaged(&path, e))?);
        let store = Store { connection, path, scope: String::new() };
        store.prepare().map_err(|e| damaged(&store.path, e))?;
        match store.meta("settings").map_err(|e| damaged(&store.path, e))? {
            Some(found) if found != settings => Err(CliError::Usage(format!(
                "{} belongs to a run with other settings, model or data:\n  it was: {found}\n  now:    {settings}\nuse the same ones, another --out, or leave --resume out",
                store.path.display()
            ))),
            Some(_) => Ok(store),
            None => {
                let insert = "INSERT INTO meta (key, value) VALUES ('settings', ?1)";
                store.connection.execute(insert, [settings]).map_err(|e| damaged(&store.path, e))?;
                Ok(store)
            }
        }
    }

    /// The same file for one of several subjects of a run, whose stages have the same names.
    pub fn of(&self, subject: &str) -> Store {
        let scope = format!("{}{subject}/", self.scope);
        Store { connection: Rc::clone(&self.connection), path: self.path.clone(), scope }
    }

    fn prepare(&self) -> rusqlite::Result<()> {
        // One run at a time: the lock is held until the process ends, however it ends.
        self.connection.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
        // Write-ahead logging with full synchronisation: a batch is either wholly in the file or not at all.
        self.connection.pragma_update(None, "journal_mode", "WAL")?;
        self.connection.pragma_update(None, "synchronous", "FULL")?;
        self.connection.execute_batch(
            "CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);
             CREATE TABLE IF NOT EXISTS batches (
                 stage TEXT NOT NULL, batch INTEGER NOT NULL, result TEXT NOT NULL, seconds REAL NOT NULL,
                 PRIMARY KEY (stage, batch));",
        )
    }

    fn meta(&self, key: &str) -> rusqlite::Result<Option<String>> {
        self.connection.query_row("SELECT value FROM meta WHERE key = ?1", [key], |row| row.get(0)).optional()
    }

    /// The result of a batch: from the file if it is there, otherwise computed and written.
    ///
    /// # Errors
    /// If computing fails or the file cannot be read or written.
    pub fn batch<T: Serialize + DeserializeOwned>(
        &self,
        stage: &str,
        batch: usize,
        compute: impl FnOnce() -> Result<T, CliError>,
    ) -> Result<T, CliError> {
        let stage = &format!("{}{stage}", self.scope);
        let query = "SELECT result FROM batches WHERE stage = ?1 AND batch = ?2";
        let found: Option<String> = self
            .connection
            .query_row(query, params![stage, batch as i64], |row| row.get(0))
            .optional()
            .map_err(|e| damaged(&self.path, e))?;
        if let Some(text) = found {
            return serde_json::from_str(&text).map_err(|e| self.unreadable(stage, batch, &e));
        }
        let start = Instant::now();
        let result = compute()?;
        let text = serde_json::to_string(&result).map_err(|e| self.unreadable(stage, batch, &e))?;
        // What was computed is read back the way a resumed run will read it, so that both go on with the same values.
        let result = serde_json::from_str(&text).map_err(|e| self.unreadable(stage, batch, &e))?;
        let insert = "INSERT INTO batches (stage, batch, result, seconds) VALUES (?1, ?2, ?3, ?4)";
        let row = params![stage, batch as i64, text, start.elapsed().as_secs_f64()];
        self.connection.execute(insert, row).map_err(|e| damaged(&self.path, e))?;
        Ok(result)
    }

    /// Seconds spent on every stage, over all runs that contributed.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn seconds(&self) -> Result<BTreeMap<String, f64>, CliError> {
        let read = || -> rusqlite::Result<BTreeMap<String, f64>> {
            let mut statement = self.connection.prepare("SELECT stage, SUM(seconds) FROM batches GROUP BY stage")?;
            let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
            rows.collect()
        };
        read().map_err(|e| damaged(&self.path, e))
    }

    fn unreadable(&self, stage: &str, batch: usize, error: &serde_json::Error) -> CliError {
        let place = format!("batch {batch} of {stage}");
        CliError::Usage(format!("{}: {place} cannot be stored or read back: {error}", self.path.display()))
    }
}

// Whether another process is writing this run. A damaged file is no reason to refuse: it will be replaced or reported.
fn refuse_running(path: &Path) -> Result<(), CliError> {
    let locked = |error: &rusqlite::Error| error.sqlite_error_code() == Some(rusqlite::ErrorCode::DatabaseBusy);
    let probe = Connection::open(path).and_then(|c| {
        c.busy_timeout(std::time::Duration::from_millis(200))?;
        c.execute_batch("BEGIN EXCLUSIVE; ROLLBACK;")
    });
    match probe {
        Err(error) if locked(&error) => {
            let folder = path.parent().unwrap_or(path).display();
            Err(CliError::Usage(format!("another run is writing to {folder}: wait for it, or use another --out")))
        }
        _ => Ok(()),
    }
}

fn damaged(path: &Path, error: rusqlite::Error) -> CliError {
    CliError::Usage(format!(
        "cannot use the run's file {}: {error}; if it is damaged, start again without --resume",
        path.display()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_is_computed_once_and_survives_reopening() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), "a", false).unwrap();
        let value = vec![0.1f32, 1.0 / 3.0, f32::MIN_POSITIVE];
        assert_eq!(store.batch("s", 0, || Ok(value.clone())).unwrap(), value);
        drop(store);
        let store = Store::open(folder.path(), "a", true).unwrap();
        let again: Vec<f32> = store.batch("s", 0, || panic!("it is in the file")).unwrap();
        assert_eq!(again, value);
        drop(store);
        let fresh = Store::open(folder.path(), "b", true).err().unwrap().to_string();
        assert!(fresh.contains("other settings"), "{fresh}");
    }

    #[test]
    fn subjects_do_not_share_their_stages() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), "a", false).unwrap();
        assert_eq!(store.batch("s", 0, || Ok(1)).unwrap(), 1);
        let of = |name: &str, value: i32| store.of(name).batch("s", 0, || Ok(value)).unwrap();
        assert_eq!((of("x", 2), of("y", 3), of("x", 4)), (2, 3, 2));
        assert_eq!(store.seconds().unwrap().into_keys().collect::<Vec<_>>(), ["s", "x/s", "y/s"]);
    }

    #[test]
    fn starting_afresh_forgets_and_resuming_nothing_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Store::open(folder.path(), "a", true).err().unwrap().to_string().contains("no run to resume"));
        Store::open(folder.path(), "a", false).unwrap().batch("s", 0, || Ok(1)).unwrap();
        let store = Store::open(folder.path(), "b", false).unwrap();
        assert_eq!(store.batch("s", 0, || Ok(2)).unwrap(), 2);
    }

    #[test]
    fn two_runs_do_not_share_a_folder() {
        let folder = tempfile::tempdir().unwrap();
        let first = Store::open(folder.path(), "a", false).unwrap();
        first.batch("s", 0, || Ok(1)).unwrap();
        for resume in [false, true] {
            let message = Store::open(folder.path(), "a", resume).err().unwrap().to_string();
            assert!(message.contains("another run"), "{message}");
        }
        assert_eq!(first.batch("s", 0, || Ok(2)).unwrap(), 1, "the first run goes on undisturbed");
        drop(first);
        assert_eq!(Store::open(folder.path(), "a", true).unwrap().batch("s", 0, || Ok(2)).unwrap(), 1);
    }

    #[test]
    fn a_damaged_file_is_an_error_that_says_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("run.sqlite"), b"not a database, but long enough to look like one....")
            .unwrap();
        let message = Store::open(folder.path(), "a", true).err().unwrap().to_string();
        assert!(message.contains("without --resume"), "{message}");
    }
}
