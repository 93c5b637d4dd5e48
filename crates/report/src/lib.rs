//! Reports: JSON, self-contained HTML, plots and heat maps
