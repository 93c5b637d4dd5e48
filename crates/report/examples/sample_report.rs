//! Writes the page of a made-up audit: `cargo run -p perturb-report --example sample_report -- OUT.html`.

#[path = "../tests/sample/mod.rs"]
mod sample;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args().nth(1).ok_or("usage: sample_report OUT.html")?;
    std::fs::write(&path, perturb_report::render(&sample::mnist_like()))?;
    println!("wrote {path}");
    Ok(())
}
