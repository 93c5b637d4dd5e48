//! Reports: what an audit found, as data and as a page.
//!
//! - [`audit`]: the typed content of `report.json` ([`AuditReport`]); the format is documented in `SCHEMA.md`.
//! - [`findings()`] and [`headline()`]: the plain-language summary, derived from the numbers by fixed rules.
//! - [`checks()`]: tests of the attacks themselves (masked gradients, broken certificates).
//! - [`render`]: one self-contained `report.html`, readable without a network; [`html`]: the parts of such pages.
//! - [`picture`]: PNG images of inputs, perturbations and attributions; [`chart`]: small SVG charts.
//! - [`transfer`]: a page of its own, on whether examples made on one model fool others.

pub mod audit;
pub mod chart;
pub mod checks;
mod escape;
pub mod findings;
pub mod format;
pub mod headline;
pub mod html;
pub mod picture;
pub mod transfer;

pub use audit::{AuditReport, ReportError};
pub use checks::checks;
pub use escape::escape;
pub use findings::findings;
pub use headline::{Headline, Verdict, headline};
pub use html::render;
