//! The file of results: every finished seed is in it, so that a killed run continues where it stopped.

use crate::harness::{Build, Report, SeedResult};
use crate::{Measurements, Tier};
use rusqlite::{Connection, OptionalExtension, params};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Seeds and reports in an SQLite file; several processes may use it at once.
pub struct Store {
    connection: Connection,
    path: PathBuf,
}

/// Why the file of results cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("cannot use {}: {reason}; if it is damaged, move it away and run again", .path.display())]
pub struct StoreError {
    path: PathBuf,
    reason: String,
}

impl Store {
    /// Opens `results.sqlite` in `folder`, or starts it.
    ///
    /// # Errors
    /// If it cannot be read or written.
    pub fn open(folder: &Path) -> Result<Store, StoreError> {
        let path = folder.join("results.sqlite");
        let failed = |reason: String| StoreError { path: path.clone(), reason };
        std::fs::create_dir_all(folder).map_err(|e| failed(e.to_string()))?;
        let connection = Connection::open(&path).and_then(|c| {
            c.busy_timeout(Duration::from_secs(30))?;
            // Write-ahead logging with full synchronisation: a seed is either wholly in the file or not at all.
            c.pragma_update(None, "journal_mode", "WAL")?;
            c.pragma_update(None, "synchronous", "FULL")?;
            c.execute_batch(
                "CREATE TABLE IF NOT EXISTS seeds (
                     slug TEXT NOT NULL, tier TEXT NOT NULL, build TEXT NOT NULL, seed INTEGER NOT NULL,
                     measurements TEXT NOT NULL, seconds REAL NOT NULL, PRIMARY KEY (slug, tier, build, seed));
                 CREATE TABLE IF NOT EXISTS reports (
                     slug TEXT NOT NULL, tier TEXT NOT NULL, build TEXT NOT NULL, date TEXT NOT NULL,
                     report TEXT NOT NULL, PRIMARY KEY (slug, tier, build));",
            )?;
            Ok(c)
        });
        let connection = connection.map_err(|e| failed(e.to_string()))?;
        Ok(Store { connection, path })
    }

    /// What a seed measured in this very build, if it was finished.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn seed(&self, slug: &str, tier: Tier, build: &Build, seed: u64) -> Result<Option<SeedResult>, StoreError> {
        let query =
            "SELECT measurements, seconds FROM seeds WHERE slug = ?1 AND tier = ?2 AND build = ?3 AND seed = ?4";
        let row = params![slug, tier.to_string(), build.fingerprint, seed as i64];
        let found = self.connection.query_row(query, row, |row| Ok((row.get::<_, String>(0)?, row.get(1)?)));
        let Some((text, seconds)) = found.optional().map_err(|e| self.failed(e))? else { return Ok(None) };
        let measurements: Measurements = serde_json::from_str(&text).map_err(|e| self.failed(e))?;
        Ok(Some(SeedResult { seed, measurements, seconds }))
    }

    /// Keeps what a seed measured.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn keep_seed(&self, slug: &str, tier: Tier, build: &Build, result: &SeedResult) -> Result<(), StoreError> {
        let text = serde_json::to_string(&result.measurements).map_err(|e| self.failed(e))?;
        let row = params![slug, tier.to_string(), build.fingerprint, result.seed as i64, text, result.seconds];
        let insert = "INSERT OR IGNORE INTO seeds VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
        self.connection.execute(insert, row).map_err(|e| self.failed(e))?;
        Ok(())
    }

    /// Keeps a report, in place of an earlier one of the same system, tier and build.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn keep_report(&self, report: &Report) -> Result<(), StoreError> {
        let text = serde_json::to_string(report).map_err(|e| self.failed(e))?;
        let row = params![report.slug, report.tier.to_string(), report.build.fingerprint, report.date, text];
        let insert = "INSERT OR REPLACE INTO reports VALUES (?1, ?2, ?3, ?4, ?5)";
        self.connection.execute(insert, row).map_err(|e| self.failed(e))?;
        Ok(())
    }

    /// For each system the report that counts: the latest of the full tier, or of the quick one if there is none.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn reports(&self) -> Result<Vec<Report>, StoreError> {
        let read = || -> rusqlite::Result<Vec<String>> {
            let mut statement = self
                .connection
                .prepare("SELECT report FROM reports ORDER BY slug, tier = 'quick', date DESC, rowid DESC")?;
            statement.query_map([], |row| row.get(0))?.collect()
        };
        let mut reports: Vec<Report> = Vec::new();
        for text in read().map_err(|e| self.failed(e))? {
            let report: Report = serde_json::from_str(&text).map_err(|e| self.failed(e))?;
            if reports.last().is_none_or(|r| r.slug != report.slug) {
                reports.push(report);
            }
        }
        Ok(reports)
    }

    /// The time now, in UTC, as `2026-01-31T12:00:00Z`.
    ///
    /// # Errors
    /// If the database does not answer.
    pub fn now(&self) -> Result<String, StoreError> {
        let query = "SELECT strftime('%Y-%m-%dT%H:%M:%SZ', 'now')";
        self.connection.query_row(query, [], |row| row.get(0)).map_err(|e| self.failed(e))
    }

    fn failed(&self, reason: impl std::fmt::Display) -> StoreError {
        StoreError { path: self.path.clone(), reason: reason.to_string() }
    }
}
