//! Files of every format, good and bad.

mod bad_files;
mod bad_text;
mod builders;
mod formats;
mod pickles;
