//! The sets that inputs range over.

use crate::{Expr, GraphError, Interval, Result, Rounding, Shape, dependents, substitute};

/// Norm of a perturbation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Norm {
    /// Sum of magnitudes.
    L1,
    /// Euclidean length.
    L2,
    /// Largest magnitude.
    Linf,
}

/// The set that an input ranges over; its tensors have the input's shape.
#[derive(Clone, Debug)]
pub enum Domain {
    /// All points between two corners.
    Box {
        /// Lower corner.
        lo: Expr,
        /// Upper corner.
        hi: Expr,
    },
    /// All points within `radius` (a scalar) of `center`, and within the box `within` if there is one.
    Ball {
        /// Middle.
        center: Expr,
        /// Radius, a scalar.
        radius: Expr,
        /// The norm that measures the distance.
        norm: Norm,
        /// Limits of every element, such as the pixel range.
        within: Option<(Expr, Expr)>,
    },
    /// Word substitutions (Huang et al. 2019; Xu et al. 2020, §3.3): of the rows of an input `[…, width]`, one for each
    /// word, at most `budget` are replaced by one of their candidates.
    Substitutions {
        /// The rows as they are, of the input's shape.
        rows: Expr,
        /// What may stand instead, `[…, candidates, width]`.
        candidates: Expr,
        /// 1 for a candidate, 0 for a place that is left empty, `[…, candidates]`.
        allowed: Expr,
        /// Most rows that may be replaced.
        budget: usize,
    },
}

impl Domain {
    /// The smallest box around the set.
    pub fn bounding_box(&self, rounding: Rounding) -> Interval {
        match self {
            Domain::Box { lo, hi } => Interval { lo: lo.clone(), hi: hi.clone() },
            Domain::Ball { center, radius, within, .. } => {
                let radius = radius.reshape([]).broadcast_to(center.shape());
                let ball = Interval { lo: center.sub(&radius), hi: center.add(&radius) }.widen(1.0, rounding);
                match within {
                    Some((lo, hi)) => Interval { lo: ball.lo.maximum(lo), hi: ball.hi.minimum(hi) },
                    None => ball,
                }
            }
            Domain::Substitutions { rows, candidates, allowed, budget } => {
                if *budget == 0 {
                    return Interval::point(rows);
                }
                let empty = |side: f64| {
                    let mask = allowed.expand_axes(candidates.shape(), &[candidates.rank() - 1]);
                    Expr::select(&mask, candidates, &candidates.like(side * f64::INFINITY))
                };
                let axis = [candidates.rank() - 2];
                let least = empty(1.0).neg().reduce_max(&axis, false).neg();
                Interval { lo: least.minimum(rows), hi: empty(-1.0).reduce_max(&axis, false).maximum(rows) }
            }
        }
    }

    // Everything that describes the set, and the shape that each part must have.
    fn parts(&self, input: &Expr) -> Vec<(&Expr, Shape)> {
        let shape = input.shape();
        match self {
            Domain::Box { lo, hi } => vec![(lo, shape.clone()), (hi, shape.clone())],
            Domain::Ball { center, radius, within, .. } => {
                let limits = within.iter().flat_map(|(lo, hi)| [lo, hi]);
                let mut parts: Vec<_> = std::iter::once(center).chain(limits).map(|e| (e, shape.clone())).collect();
                // A radius of one element may have any rank.
                let scalar = if radius.shape().count() == 1 { radius.shape().clone() } else { Shape::from([]) };
                parts.push((radius, scalar));
                parts
            }
            Domain::Substitutions { rows, candidates, allowed, .. } => {
                let (words, width) = shape.split_at(shape.len().saturating_sub(1));
                let size = candidates.shape().iter().rev().nth(1).copied().unwrap_or(1).max(1);
                let of_word = |last: &[usize]| words.iter().chain(last).copied().collect::<Shape>();
                let full: Vec<usize> = [size].iter().chain(width).copied().collect();
                vec![(rows, shape.clone()), (candidates, of_word(&full)), (allowed, of_word(&[size]))]
            }
        }
    }

    fn check(&self, input: &Expr) -> Result<()> {
        let parts = self.parts(input);
        if parts.iter().all(|(e, shape)| e.dtype() == input.dtype() && e.shape() == shape) {
            return Ok(());
        }
        let shapes = parts.iter().map(|(e, _)| e.shape().clone()).collect();
        let wanted: Vec<String> = parts.iter().map(|(_, shape)| shape.to_string()).collect();
        let scalar = if matches!(self, Domain::Ball { .. }) { ", and a radius of one element" } else { "" };
        let wanted = wanted.join(", ");
        let reason = format!("a domain of {input:?} needs tensors of its type and of shapes {wanted}{scalar}");
        Err(GraphError::Shape { op: "linear_bounds".into(), reason, shapes })
    }

    // Over a box, an affine map of one layer has exact interval bounds.
    pub(super) fn is_box(&self) -> bool {
        matches!(self, Domain::Box { .. } | Domain::Ball { norm: Norm::Linf, .. })
    }
}

// Inputs with what they range over.
pub(super) type Sets = Vec<(Expr, Domain)>;

// A domain may be described through the very input that it is for (a ball around x). What varies within the domain must
// then be told apart from the x that it is centred at.
pub(super) fn apart_from_domains(outputs: &[Expr], inputs: &[(Expr, Domain)]) -> Result<(Vec<Expr>, Sets)> {
    let sources: Vec<Expr> = inputs.iter().map(|(x, _)| x.clone()).collect();
    let mut described = Vec::new();
    for (x, domain) in inputs {
        domain.check(x)?;
        described.extend(domain.parts(x).into_iter().map(|(part, _)| part.clone()));
    }
    let depends = dependents(&described, &sources);
    if described.iter().all(|d| !depends.contains(&d.id())) {
        return Ok((outputs.to_vec(), inputs.to_vec()));
    }
    let varying: Vec<Expr> = sources.iter().map(|x| Expr::input("varying", x.shape(), x.dtype())).collect();
    let pairs: Vec<(Expr, Expr)> = sources.into_iter().zip(varying.iter().cloned()).collect();
    let domains = inputs.iter().map(|(_, d)| d.clone());
    Ok((substitute(outputs, &pairs)?, varying.into_iter().zip(domains).collect()))
}
