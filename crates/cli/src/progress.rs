//! Progress of long work on the terminal: what is done, and the time left.

use indicatif::{ProgressBar, ProgressStyle};

/// A progress bar of `total` units on standard error; hidden when that is not a terminal.
pub fn bar(label: &str, total: usize) -> ProgressBar {
    let bar = ProgressBar::new(total as u64);
    let style = ProgressStyle::with_template("{msg:<26} {wide_bar} {pos:>6}/{len:<6} {elapsed:>4} left {eta:>4}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar.set_message(label.to_string());
    bar
}
