//! The sets that inputs range over.

use crate::{Expr, GraphError, Interval, Result, Rounding, dependents, substitute};

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
        }
    }

    // The tensors of the input's shape, and the radius.
    fn parts(&self) -> (Vec<&Expr>, Option<&Expr>) {
        match self {
            Domain::Box { lo, hi } => (vec![lo, hi], None),
            Domain::Ball { center, radius, within, .. } => {
                let limits = within.iter().flat_map(|(lo, hi)| [lo, hi]);
                (std::iter::once(center).chain(limits).collect(), Some(radius))
            }
        }
    }

    fn check(&self, input: &Expr) -> Result<()> {
        let (tensors, radius) = self.parts();
        let typed = |e: &&Expr| e.dtype() == input.dtype();
        let fits = |e: &&Expr| typed(e) && e.shape() == input.shape();
        if tensors.iter().all(fits) && radius.iter().all(|r| typed(r) && r.shape().count() == 1) {
            return Ok(());
        }
        let shapes = tensors.into_iter().chain(radius).map(|e| e.shape().clone()).collect();
        let reason = format!("a domain of {input:?} needs its shape and type, and a radius of one element");
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
        let (tensors, radius) = domain.parts();
        described.extend(tensors.into_iter().chain(radius).cloned());
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
