//! How well an embedding recovers its relations.

use crate::Relations;
use crate::error::Result;
use crate::geometry::Manifold;
use crate::table::Table;
use perturb_data::graphs::Taxonomy;
use perturb_metrics::reconstruction::{self, Reconstruction};

/// Mean rank and mean average precision with which distance from each concept finds its ancestors among all concepts
/// (Nickel & Kiela 2017, §4.1). Quadratic in the number of concepts.
///
/// # Errors
/// If the pairs cannot be used ([`Relations::new`]) or the table lacks one of the concepts.
pub fn reconstruction<M: Manifold>(table: &Table<M>, taxonomy: &Taxonomy) -> Result<Reconstruction> {
    let relations = Relations::new(taxonomy)?;
    let rows: Vec<usize> = taxonomy.names.iter().map(|name| table.index(name)).collect::<Result<_>>()?;
    let related = |item: usize| relations.related(item as u32).iter().map(|r| *r as usize).collect();
    let neighbors: Vec<Vec<usize>> = (0..relations.items()).map(related).collect();
    let found = reconstruction::reconstruction(&neighbors, |item, out| {
        let from = table.row(rows[item]);
        out.iter_mut().zip(&rows).for_each(|(d, row)| *d = table.space().dist(from, table.row(*row)));
    })?;
    Ok(found)
}
