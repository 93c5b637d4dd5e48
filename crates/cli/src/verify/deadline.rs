//! A search that ends when its time is over, in whatever computation it is.

use super::{Answer, load_network, load_property};
use crate::CliError;
use perturb::certify::verify::{Outcome, Progress, Settings, Verdict, verify};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How much longer than its time a search may take to end by itself.
const GRACE: Duration = Duration::from_millis(100);

/// As much stack as a main thread has: graphs are deep.
const STACK: usize = 8 << 20;

/// A search that was given up in the middle of a computation, and ends after that.
pub struct Rest(JoinHandle<()>);

impl Rest {
    /// Waits until nothing is computed any more, so that what follows has the machine for itself.
    pub fn wait(self) {
        // It was given up: not even a panic matters any more.
        let _ = self.0.join();
    }
}

/// Decides an instance within `settings.timeout`, loading included.
pub fn decide(network: &Path, property: &Path, settings: Settings) -> (Result<Answer, CliError>, Option<Rest>) {
    let started = Instant::now();
    let spinner = indicatif::ProgressBar::new_spinner();
    let subdomains = Arc::new(AtomicUsize::new(0));
    let (send, receive) = channel();
    let search = {
        let (network, property): (PathBuf, PathBuf) = (network.into(), property.into());
        let (spinner, subdomains) = (spinner.clone(), subdomains.clone());
        move || {
            let report = &mut |p: &Progress| {
                subdomains.store(p.subdomains, Ordering::Relaxed);
                if !spinner.is_finished() {
                    let bound = p.bound.map_or(String::new(), |b| format!(", lowest bound {b:.4}"));
                    spinner.set_message(format!("{} subdomains bounded, {} open{bound}", p.subdomains, p.open));
                    spinner.tick();
                }
            };
            // Nobody listens any more if the time is over.
            let _ = send.send(load_and_verify(&network, &property, settings, report));
        }
    };
    let thread = match std::thread::Builder::new().name("search".into()).stack_size(STACK).spawn(search) {
        Ok(thread) => thread,
        Err(e) => return (Err(CliError::Usage(format!("cannot start a thread for the search: {e}"))), None),
    };
    let found = receive.recv_timeout(settings.timeout + GRACE);
    spinner.finish_and_clear();
    let seconds = started.elapsed().as_secs_f64();
    match found {
        Ok(found) => (found.map(|outcome| Answer { outcome, seconds }), None),
        Err(RecvTimeoutError::Timeout) => {
            let subdomains = subdomains.load(Ordering::Relaxed);
            let outcome = Outcome { verdict: Verdict::Timeout, proof: None, subdomains, seconds };
            (Ok(Answer { outcome, seconds }), Some(Rest(thread)))
        }
        Err(RecvTimeoutError::Disconnected) => match thread.join() {
            Err(panic) => std::panic::resume_unwind(panic),
            Ok(()) => (Err(CliError::Usage("the search ended without an answer".into())), None),
        },
    }
}

fn load_and_verify(
    network: &Path,
    property: &Path,
    settings: Settings,
    report: &mut dyn FnMut(&Progress),
) -> Result<Outcome, CliError> {
    let started = Instant::now();
    let (graph, path) = (load_network(network)?, property);
    let property = load_property(path)?;
    if property.cases.is_empty() {
        eprintln!("warning: {}: no input meets its bounds, so that it holds of every network", path.display());
    }
    let left = settings.timeout.saturating_sub(started.elapsed());
    Ok(verify(&graph, &property, &Settings { timeout: left, ..settings }, report)?)
}
