//! Writes one picture per world into a folder: `cargo run --release --example worlds_sheet -- docs/worlds`.

#[path = "sheet/canvas.rs"]
mod canvas;
#[path = "sheet/fields.rs"]
mod fields;
#[path = "sheet/figures.rs"]
mod figures;
#[path = "sheet/palette.rs"]
mod palette;
#[path = "sheet/structures.rs"]
mod structures;

use std::error::Error;
use std::path::PathBuf;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = PathBuf::from(std::env::args().nth(1).ok_or("give the folder to write to")?);
    std::fs::create_dir_all(&folder)?;
    for (name, picture) in [
        ("shapes", figures::shapes()?),
        ("mixtures", fields::mixtures()),
        ("pde", fields::pde()?),
        ("sem", structures::sem()?),
        ("grammar", structures::grammar()),
        ("series", fields::series()),
        ("graphs", structures::graphs()?),
        ("markov", structures::markov()?),
        ("market", structures::market()?),
    ] {
        let path = folder.join(format!("{name}.png"));
        picture.save(&path)?;
        println!("{}: {} bytes", path.display(), std::fs::metadata(&path)?.len());
    }
    Ok(())
}
