//! Records the commit that the program is built from, for the results that it measures.

use std::process::Command;

fn main() {
    // Changed sources make the working tree dirty without touching git's files.
    println!("cargo:rerun-if-changed=..");
    for path in ["HEAD", "index"] {
        if let Some(file) = git(&["rev-parse", "--git-path", path]) {
            println!("cargo:rerun-if-changed={file}");
        }
    }
    let commit = git(&["describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]);
    println!("cargo:rustc-env=PERTURB_COMMIT={}", commit.unwrap_or_else(|| "unknown".into()));
}

// The answer of git, or nothing outside of a repository or without git.
fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    (output.status.success() && !text.trim().is_empty()).then(|| text.trim().to_string())
}
