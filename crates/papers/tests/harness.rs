//! The harness: seeds survive a kill, results of different builds stay apart, checks that cannot fail are refused.

use perturb_papers::catalogue::system;
use perturb_papers::{
    Build, Claim, Estimator, Figure, Measurements, Outcome, Quantity, Rejection, Report, Reproduction, Run, RunError,
    SeedResult, Store, Tier, Verdict, reproduce, results_page, write_page,
};
use perturb_report::chart::{Hue, LineChart, Marker, Sample, Series};
use std::sync::atomic::{AtomicU64, Ordering};

const ERROR: Quantity = Quantity::share("error <of> the model");

/// An effect of `effect` with a spread over seeds, which fails at seed `fails_at`.
struct Toy {
    effect: f64,
    spread: f64,
    fails_at: u64,
    runs: AtomicU64,
    rules: Vec<perturb_papers::Rule>,
}

impl Toy {
    fn new(effect: f64) -> Toy {
        let rule = Estimator::Difference(ERROR.of("method"), ERROR.of("baseline")).at_least(0.2);
        Toy { effect, spread: 0.01, fails_at: u64::MAX, runs: AtomicU64::new(0), rules: vec![rule] }
    }
}

impl Reproduction for Toy {
    fn slug(&self) -> &'static str {
        "fgsm"
    }

    fn claim(&self) -> Claim {
        Claim {
            method: "method",
            baselines: &["baseline"],
            seeds: 4,
            preconditions: Vec::new(),
            rules: self.rules.clone(),
        }
    }

    fn run(&self, run: &Run) -> Result<Measurements, RunError> {
        self.runs.fetch_add(1, Ordering::Relaxed);
        if run.seed == self.fails_at {
            return Err(RunError::Measurement("killed".into()));
        }
        run.progress(0.5, "half");
        let mut found = Measurements::new();
        found.record(ERROR.of("method"), 0.3 + self.effect + self.spread * run.seed as f64)?;
        found.record(ERROR.of("baseline"), 0.3)?;
        Ok(found)
    }

    fn figures(&self, seeds: &[SeedResult]) -> Vec<Figure> {
        let sample = |s: &SeedResult| Sample {
            x: s.seed as f64,
            y: s.measurements.value(ERROR.of("method")).unwrap_or(0.0),
            interval: None,
            note: String::new(),
        };
        let series = Series {
            name: "errors".into(),
            points: seeds.iter().map(sample).collect(),
            hue: Hue::Blue,
            marker: Marker::Circle,
            dashed: false,
            bold: false,
        };
        let chart = LineChart {
            description: "errors".into(),
            x_label: "seed".into(),
            y_label: "error".into(),
            x_range: (0.0, 4.0),
            y_range: (0.0, 1.0),
            percent: true,
            series: vec![series],
            regions: Vec::new(),
        };
        vec![Figure { name: "errors", caption: "errors by seed".into(), chart }]
    }
}

fn build(fingerprint: &str) -> Build {
    Build { commit: "abc123".into(), fingerprint: fingerprint.into() }
}

fn run(toy: &Toy, build: &Build, store: &Store) -> Result<(Report, Vec<SeedResult>), RunError> {
    reproduce(toy, Tier::Quick, (0, None), build, store, &|_| ())
}

#[test]
fn finished_seeds_survive_and_are_not_run_again() {
    let folder = tempfile::tempdir().unwrap();
    let mut toy = Toy { fails_at: 2, ..Toy::new(0.4) };
    let store = Store::open(folder.path()).unwrap();
    assert_eq!(run(&toy, &build("a"), &store).unwrap_err().to_string(), "killed");
    assert_eq!(toy.runs.load(Ordering::Relaxed), 3);
    drop(store);

    toy.fails_at = u64::MAX;
    let store = Store::open(folder.path()).unwrap();
    let (report, seeds) = run(&toy, &build("a"), &store).unwrap();
    assert_eq!(toy.runs.load(Ordering::Relaxed), 5, "seeds 0 and 1 come from the file");
    assert_eq!((report.verdict, report.seeds, seeds.len()), (Verdict::Reproduced, 4, 4));
    assert!((report.headline().unwrap().value - 0.415).abs() < 1e-12);

    // What a resumed run reports is what an undisturbed one does.
    let elsewhere = tempfile::tempdir().unwrap();
    let whole = run(&toy, &build("a"), &Store::open(elsewhere.path()).unwrap()).unwrap().0;
    assert_eq!(whole.findings, report.findings);
}

#[test]
fn another_build_starts_afresh() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let toy = Toy::new(0.4);
    run(&toy, &build("a"), &store).unwrap();
    run(&toy, &build("a"), &store).unwrap();
    assert_eq!(toy.runs.load(Ordering::Relaxed), 4);
    run(&toy, &build("b"), &store).unwrap();
    assert_eq!(toy.runs.load(Ordering::Relaxed), 8);
}

#[test]
fn an_effect_that_is_not_there_is_not_reproduced() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let report = run(&Toy::new(0.05), &build("a"), &store).unwrap().0;
    assert_eq!((report.verdict, report.findings[0].outcome), (Verdict::NotReproduced, Outcome::Fails));
}

#[test]
fn checks_that_cannot_fail_are_refused_before_anything_runs() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let refused = |toy: &Toy, seeds| match reproduce(toy, Tier::Quick, (0, seeds), &build("a"), &store, &|_| ()) {
        Err(RunError::Rejected(rejection)) => rejection,
        other => panic!("{other:?}"),
    };
    let toy = Toy::new(0.4);
    assert_eq!(refused(&toy, Some(1)), Rejection::TooFewSeeds { seeds: 1 });
    let alone = Toy { rules: vec![Estimator::Level(ERROR.of("method")).at_least(0.5)], ..Toy::new(0.4) };
    assert_eq!(refused(&alone, None), Rejection::NoBaseline);
    let trivial = Estimator::Difference(ERROR.of("method"), ERROR.of("baseline")).at_least(-1.0);
    let trivial = Toy { rules: vec![trivial], ..Toy::new(0.4) };
    assert!(matches!(refused(&trivial, None), Rejection::CannotFail { .. }));
    for toy in [&toy, &alone, &trivial] {
        assert_eq!(toy.runs.load(Ordering::Relaxed), 0);
    }
    // Numbers written down instead of measured do not vary with the seed.
    assert_eq!(refused(&Toy { spread: 0.0, ..Toy::new(0.4) }, None), Rejection::SeedIgnored);
    assert!(store.reports().unwrap().is_empty());
}

#[test]
fn the_page_and_the_table_show_what_was_measured() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let toy = Toy::new(0.4);
    let (report, seeds) = run(&toy, &build("a"), &store).unwrap();
    let page = write_page(folder.path(), system("fgsm").unwrap(), &report, &seeds, &toy.figures(&seeds)).unwrap();
    let html = std::fs::read_to_string(page).unwrap();
    for part in ["Explaining and Harnessing", "reproduced", "0.415 [", "error &lt;of&gt; the model", "seed 3", "abc123"]
    {
        assert!(html.contains(part), "'{part}' is missing");
    }
    assert!(!html.contains("<of>") && !html.contains("http://"), "nothing from outside");
    let svg = std::fs::read_to_string(folder.path().join("errors.svg")).unwrap();
    assert!(svg.starts_with("<svg xmlns=\"http://www.w3.org/2000/svg\"") && svg.contains("<style>"), "{svg}");

    let table = results_page(&store.reports().unwrap(), "");
    let row = table.lines().find(|l| l.starts_with("| `fgsm` |")).unwrap();
    for part in ["baseline", "0.415 [", "| 4 |", "**reproduced** (quick), 1/1 rules", "abc123", &report.date[..10]] {
        assert!(row.contains(part), "'{part}' is missing in {row}");
    }
    assert!(table.contains("210 systems") && table.contains("`nngp-finite-width`"), "built, but not run");
    // Without that run its row stays, and a new run replaces it.
    assert_eq!(results_page(&[], &table), table);
    assert_eq!(results_page(&store.reports().unwrap(), &table.replace("0.415 [", "0.5 [")), table);
}

#[test]
fn other_seeds_are_no_verdict() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let toy = Toy::new(0.4);
    let (report, seeds) = reproduce(&toy, Tier::Quick, (10, Some(2)), &build("a"), &store, &|_| ()).unwrap();
    assert_eq!((report.seeds, seeds[0].seed, seeds[1].seed), (2, 10, 11));
    assert!(store.reports().unwrap().is_empty());
}

#[test]
fn the_full_tier_counts_and_then_the_latest() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let mut report = run(&Toy::new(0.4), &build("a"), &store).unwrap().0;
    for (tier, fingerprint, date) in
        [(Tier::Full, "a", "2026-01-02"), (Tier::Full, "b", "2026-01-03"), (Tier::Full, "c", "2026-01-01")]
    {
        (report.tier, report.build, report.date) = (tier, build(fingerprint), date.into());
        store.keep_report(&report).unwrap();
    }
    let reports = store.reports().unwrap();
    assert_eq!(reports.len(), 1);
    assert_eq!((reports[0].tier, &reports[0].date[..]), (Tier::Full, "2026-01-03"));
}

#[test]
fn a_damaged_file_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("results.sqlite"), b"not a database, but long enough to look like one....")
        .unwrap();
    let message = Store::open(folder.path()).err().unwrap().to_string();
    assert!(message.contains("results.sqlite") && message.contains("move it away"), "{message}");
}
