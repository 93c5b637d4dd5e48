//! Tables: rows of numeric and categorical variables with something to predict.
//!
//! ```no_run
//! use perturb_data::registry;
//! use perturb_data::tables::{Encoding, Table};
//! let adult = Table::adult(&registry::locate("adult")?)?;
//! let encoding = Encoding::fit(&adult, 0..20_000);
//! let inputs = encoding.encode(&adult);
//! assert_eq!(inputs.shape()[1], encoding.width());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod delimited;
mod encoding;
mod sets;
mod table;

pub(crate) use delimited::csv_rows;
pub use encoding::{EncodedVariable, Encoding};
pub use table::{Column, Layout, Table, Target, Variable};
