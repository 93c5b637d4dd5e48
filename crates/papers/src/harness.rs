//! Running reproductions.

use crate::{Finding, Measurements, Rejection, Reproduction, Run, RunError, Store, Tier, Verdict};
use serde::{Deserialize, Serialize};
use std::time::Instant;

/// Which code measured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Build {
    /// The commit it was built from, with `-dirty` if there were changes.
    pub commit: String,
    /// What tells this executable from every other: only seeds of the same build are put together.
    pub fingerprint: String,
}

/// What one seed measured.
#[derive(Clone, Debug, PartialEq)]
pub struct SeedResult {
    /// The seed.
    pub seed: u64,
    /// What it measured.
    pub measurements: Measurements,
    /// How long it took.
    pub seconds: f64,
}

/// How far a run is.
#[derive(Clone, Copy, Debug)]
pub struct Progress<'a> {
    /// Share of all seeds' work that is done, from 0 to 1.
    pub share: f64,
    /// What is being done.
    pub note: &'a str,
}

/// The result of a reproduction.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// The system.
    pub slug: String,
    /// The tier.
    pub tier: Tier,
    /// The method's arm.
    pub method: String,
    /// The arms that it was compared with.
    pub baselines: Vec<String>,
    /// How many seeds, from 0 on.
    pub seeds: usize,
    /// The verdict.
    pub verdict: Verdict,
    /// The rules with their estimates, preconditions first.
    pub findings: Vec<Finding>,
    /// Time that all seeds took together.
    pub seconds: f64,
    /// When it was finished, in UTC.
    pub date: String,
    /// The code.
    pub build: Build,
}

impl Report {
    /// The finding for the claim's first rule.
    pub fn headline(&self) -> Option<&Finding> {
        self.findings.iter().find(|f| !f.precondition)
    }
}

/// Runs a reproduction with `seeds` seeds (by default as many as its claim asks for) from `first` on, taking from the store
/// what this build has measured before. The report is kept if the first seed is 0: a claim is judged by its own seeds,
/// others show whether it depends on them, and are there to develop with.
///
/// # Errors
/// [`RunError::Rejected`] before anything runs if the claim cannot fail, or afterwards if the measurements ignore the
/// seed; otherwise if a seed fails. Seeds that were finished are kept.
pub fn reproduce(
    reproduction: &dyn Reproduction,
    tier: Tier,
    (first, seeds): (u64, Option<usize>),
    build: &Build,
    store: &Store,
    progress: &dyn Fn(Progress),
) -> Result<(Report, Vec<SeedResult>), RunError> {
    let (slug, claim) = (reproduction.slug(), reproduction.claim());
    let seeds = seeds.unwrap_or(claim.seeds);
    claim.check(seeds)?;
    let mut results = Vec::with_capacity(seeds);
    for (done, seed) in (first..first + seeds as u64).enumerate() {
        let within = |share: f64, note: &str| {
            progress(Progress { share: (done as f64 + share.clamp(0.0, 1.0)) / seeds as f64, note });
        };
        results.push(match store.seed(slug, tier, build, seed)? {
            Some(found) => found,
            None => {
                let start = Instant::now();
                let measurements = reproduction.run(&Run::new(seed, tier, &within))?;
                let result = SeedResult { seed, measurements, seconds: start.elapsed().as_secs_f64() };
                store.keep_seed(slug, tier, build, &result)?;
                result
            }
        });
        within(1.0, "");
    }
    let measured: Vec<Measurements> = results.iter().map(|r| r.measurements.clone()).collect();
    if measured.windows(2).all(|pair| pair[0].values() == pair[1].values()) {
        return Err(Rejection::SeedIgnored.into());
    }
    let (verdict, findings) = claim.evaluate(&measured)?;
    let report = Report {
        slug: slug.into(),
        tier,
        method: claim.method.into(),
        baselines: claim.baselines.iter().map(ToString::to_string).collect(),
        seeds,
        verdict,
        findings,
        seconds: results.iter().map(|r| r.seconds).sum(),
        date: store.now()?,
        build: build.clone(),
    };
    if first == 0 {
        store.keep_report(&report)?;
    }
    Ok((report, results))
}
