//! Matrix products.

use crate::{DotDims, Expr, GraphError, Result, Shape};

impl Expr {
    /// Generalised matrix product, see [`DotDims`].
    ///
    /// # Errors
    /// If the named axes do not exist or do not fit.
    pub fn try_dot_general(&self, other: &Expr, dims: DotDims) -> Result<Expr> {
        Expr::apply(dims, &[self.clone(), other.clone()])
    }

    /// See [`Expr::try_dot_general`].
    ///
    /// # Panics
    /// If the named axes do not exist or do not fit.
    #[track_caller]
    pub fn dot_general(&self, other: &Expr, dims: DotDims) -> Expr {
        self.try_dot_general(other, dims).unwrap_or_else(|e| panic!("{e}"))
    }

    /// Matrix product with NumPy's rules: vectors count as a row on the left and a column on the right, leading axes
    /// broadcast.
    ///
    /// # Errors
    /// If the inner sizes differ, the leading axes do not broadcast, or an operand is a scalar.
    pub fn try_matmul(&self, other: &Expr) -> Result<Expr> {
        let mismatch = |reason: &str| GraphError::Shape {
            op: "matmul".into(),
            reason: reason.into(),
            shapes: vec![self.shape().clone(), other.shape().clone()],
        };
        if self.rank() == 0 || other.rank() == 0 {
            return Err(mismatch("scalars have no matrix product"));
        }
        let (k_l, k_r) = (self.rank() - 1, other.rank().saturating_sub(2));
        if self.shape()[k_l] != other.shape()[k_r] {
            return Err(mismatch("the last axis on the left and the second last on the right must be equal"));
        }
        let contract = |batch: usize| DotDims {
            lhs_contract: vec![k_l],
            rhs_contract: vec![k_r],
            lhs_batch: (0..batch).collect(),
            rhs_batch: (0..batch).collect(),
        };
        // A right operand without leading axes serves all rows of the left one.
        if other.rank() <= 2 {
            return self.try_dot_general(other, contract(0));
        }
        let left = if self.rank() == 1 { self.try_reshape([1, k_l + self.shape()[0]])? } else { self.clone() };
        let lead = |s: &Shape| Shape::from(&s[..s.len() - 2]);
        let (a, b) =
            (Expr::full(lead(left.shape()), 0.0, self.dtype()), Expr::full(lead(other.shape()), 0.0, self.dtype()));
        let batch = super::elementwise::broadcast_shape("matmul", &a, &b)
            .map_err(|_| mismatch("the leading axes must broadcast together"))?;
        let with = |s: &Shape| batch.iter().copied().chain(s[s.len() - 2..].iter().copied()).collect::<Shape>();
        let n = batch.len();
        let (x, y) = (left.try_broadcast_to(with(left.shape()))?, other.try_broadcast_to(with(other.shape()))?);
        let dims = DotDims { lhs_contract: vec![n + 1], rhs_contract: vec![n], ..contract(n) };
        let product = x.try_dot_general(&y, dims)?;
        if self.rank() > 1 {
            return Ok(product);
        }
        let shape: Shape = batch.iter().copied().chain([product.shape()[n + 1]]).collect();
        product.try_reshape(shape)
    }

    /// See [`Expr::try_matmul`].
    ///
    /// # Panics
    /// If the shapes do not fit.
    #[track_caller]
    pub fn matmul(&self, other: &Expr) -> Expr {
        self.try_matmul(other).unwrap_or_else(|e| panic!("{e}"))
    }

    /// Inner product of two expressions of one shape: a scalar.
    #[track_caller]
    pub fn inner(&self, other: &Expr) -> Expr {
        let axes: Vec<usize> = (0..self.rank()).collect();
        let dims = DotDims { lhs_contract: axes.clone(), rhs_contract: axes, ..DotDims::default() };
        self.dot_general(other, dims)
    }
}
