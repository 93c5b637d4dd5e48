//! What measures a perturbation.

/// Norm of a perturbation, taken over the coordinates of an example.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Norm {
    /// Number of coordinates that differ (which is no norm, but is called one): an image's pixel has one for each channel.
    L0,
    /// Sum of magnitudes.
    L1,
    /// Euclidean length.
    L2,
    /// Largest magnitude.
    Linf,
}

impl From<perturb_graph::Norm> for Norm {
    fn from(norm: perturb_graph::Norm) -> Norm {
        match norm {
            perturb_graph::Norm::L1 => Norm::L1,
            perturb_graph::Norm::L2 => Norm::L2,
            perturb_graph::Norm::Linf => Norm::Linf,
        }
    }
}

impl Norm {
    /// Name on the command line and in tables.
    pub fn name(self) -> &'static str {
        match self {
            Norm::L0 => "l0",
            Norm::L1 => "l1",
            Norm::L2 => "l2",
            Norm::Linf => "linf",
        }
    }
}
