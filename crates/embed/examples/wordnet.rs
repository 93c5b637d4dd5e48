//! Embeds WordNet in the Poincaré ball and prints the rate and the quality as a line of JSON.
//!
//!     cargo run --release -p perturb-embed --example wordnet -- CLOSURE.tsv[.gz] [epochs] [threads] [seed] [damping] [learning rate] [TABLE.txt]
//!
//! The quality is measured for up to 10,000 concepts, as its time is quadratic in their number.

use perturb_data::graphs::Taxonomy;
use perturb_embed::evaluation::reconstruction;
use perturb_embed::geometry::PoincareBall;
use perturb_embed::{Epoch, Poincare};
use std::error::Error;
use std::path::Path;
use std::str::FromStr;
use std::time::Instant;

const DIMENSIONS: usize = 5;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let path =
        arguments.first().ok_or("give a file of child<TAB>ancestor lines, such as wordnet/mammal_closure.tsv")?;
    let defaults = Poincare::default();
    let method = Poincare {
        epochs: argument(&arguments, 1, defaults.epochs)?,
        threads: argument(&arguments, 2, defaults.threads)?,
        seed: argument(&arguments, 3, defaults.seed)?,
        damping: argument(&arguments, 4, defaults.damping)?,
        learning_rate: argument(&arguments, 5, defaults.learning_rate)?,
        ..defaults
    };
    let taxonomy = Taxonomy::load(Path::new(path))?;
    let start = Instant::now();
    let mut loss = f64::NAN;
    let observe = |epoch: Epoch| {
        loss = epoch.loss;
        eprint!("\repoch {} of {}: loss {loss:.3} ", epoch.index + 1, epoch.count);
    };
    let table = method.fit_observed(PoincareBall { dim: DIMENSIONS }, &taxonomy, observe)?;
    let seconds = start.elapsed().as_secs_f64();
    if let Some(output) = arguments.get(6) {
        table.save(Path::new(output))?;
    }
    eprintln!();
    let passes = (method.epochs + method.burn_in_epochs) * taxonomy.pairs.len();
    print!("{{\"seconds\": {seconds:.3}, \"pairs_per_second\": {:.0}, \"loss\": {loss:.4}", passes as f64 / seconds);
    if taxonomy.names.len() <= 10_000 {
        let found = reconstruction(&table, &taxonomy)?;
        print!(", \"mean_rank\": {:.3}, \"map\": {:.4}", found.mean_rank, found.mean_average_precision);
    }
    println!("}}");
    Ok(())
}

fn argument<T: FromStr<Err: Error + 'static>>(all: &[String], index: usize, default: T) -> Result<T, Box<dyn Error>> {
    Ok(all.get(index).map(|text| text.parse()).transpose()?.unwrap_or(default))
}
