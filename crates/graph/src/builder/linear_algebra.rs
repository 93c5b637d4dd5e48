//! Factorisations, solutions of linear systems, and what follows from them, batched over leading axes.

use crate::interval::unit_roundoff;
use crate::{Cholesky, Eigh, Expr, Qr, Result, Shape, Solve, StopGradient, Svd, Tensor, TriangularSolve};

panicking! {
    cholesky, try_cholesky() -> Expr;
    solve, try_solve(b: &Expr) -> Expr;
    triangular_solve, try_triangular_solve(b: &Expr, lower: bool, transpose: bool) -> Expr;
    qr, try_qr() -> (Expr, Expr);
    eigh, try_eigh() -> (Expr, Expr);
    svd, try_svd() -> (Expr, Expr, Expr);
    inverse, try_inverse() -> Expr;
    slogdet, try_slogdet() -> (Expr, Expr);
    determinant, try_determinant() -> Expr;
    lstsq, try_lstsq(b: &Expr) -> Expr;
    pinverse, try_pinverse() -> Expr;
    matrix_power, try_matrix_power(power: i32) -> Expr;
    diagonal, try_diagonal() -> Expr;
    trace, try_trace() -> Expr;
    diagonal_matrix, try_diagonal_matrix() -> Expr;
    outer, try_outer(other: &Expr) -> Expr;
}

fn refuse<T>(op: &str, reason: &str, of: &[&Expr]) -> Result<T> {
    let operands: Vec<Expr> = of.iter().map(|&x| x.clone()).collect();
    crate::op::shape_error(op, reason, &operands)
}

impl Expr {
    /// Lower triangular factor L of symmetric positive definite matrices L·Lᵀ `[…, n, n]`, see [`Cholesky`].
    ///
    /// # Errors
    /// If the matrices are not square or not of a floating-point type.
    pub fn try_cholesky(&self) -> Result<Expr> {
        Expr::apply(Cholesky, std::slice::from_ref(self))
    }

    /// The solution of `self · x = b` for square matrices `[…, n, n]`, see [`Solve`]. `b` is `[…, n, k]`, with
    /// leading axes that broadcast, or one vector `[n]`.
    ///
    /// # Errors
    /// If shapes or types do not fit.
    pub fn try_solve(&self, b: &Expr) -> Result<Expr> {
        self.solve_by(b, "solve", |a, b| Expr::apply(Solve, &[a.clone(), b.clone()]))
    }

    /// The solution of `op(self) · x = b`, where only the `lower` or upper triangle is read and `op` is the transpose
    /// or nothing, see [`TriangularSolve`]; `b` as in [`Expr::try_solve`].
    ///
    /// # Errors
    /// If shapes or types do not fit.
    pub fn try_triangular_solve(&self, b: &Expr, lower: bool, transpose: bool) -> Result<Expr> {
        let primitive = TriangularSolve { lower, transpose };
        self.solve_by(b, "triangular_solve", |a, b| Expr::apply(primitive, &[a.clone(), b.clone()]))
    }

    fn solve_by(&self, b: &Expr, op: &str, solve: impl Fn(&Expr, &Expr) -> Result<Expr>) -> Result<Expr> {
        self.rows_and_columns(op)?;
        let vector = b.rank() == 1;
        let b = if vector { b.try_reshape(appended(b.shape(), &[1]))? } else { b.clone() };
        if b.rank() < 2 {
            return refuse(op, "needs right-hand sides […, n, k] or [n]", &[self, &b]);
        }
        let lead = |x: &Expr| Expr::full(&x.shape()[..x.rank() - 2], 0.0, x.dtype());
        let batch = super::elementwise::broadcast_shape(op, &lead(self), &lead(&b))?;
        let spread = |x: &Expr| x.try_broadcast_to(appended(&batch, &x.shape()[x.rank() - 2..]));
        let x = solve(&spread(self)?, &spread(&b)?)?;
        if vector { x.try_reshape(&x.shape()[..x.rank() - 1]) } else { Ok(x) }
    }

    /// Q `[…, m, k]` with orthonormal columns and the upper triangular R `[…, k, n]` with Q·R = self `[…, m, n]`,
    /// k = min(m, n); see [`Qr`].
    ///
    /// # Errors
    /// If this is not a matrix of a floating-point type.
    pub fn try_qr(&self) -> Result<(Expr, Expr)> {
        let (m, n) = self.rows_and_columns("qr")?;
        let both = Expr::apply(Qr, std::slice::from_ref(self))?;
        let axis = self.rank() - 2;
        Ok((both.slice_axis(axis, 0, m), both.slice_axis(axis, m, m + n).transposed()))
    }

    /// Eigenvalues `[…, n]`, ascending, and eigenvectors `[…, n, n]`, the columns, of symmetric matrices `[…, n, n]`, of
    /// which the lower triangle is read; see [`Eigh`].
    ///
    /// # Errors
    /// If the matrices are not square or not of a floating-point type.
    pub fn try_eigh(&self) -> Result<(Expr, Expr)> {
        let (_, n) = self.rows_and_columns("eigh")?;
        let both = Expr::apply(Eigh, std::slice::from_ref(self))?;
        let axis = self.rank() - 2;
        let values = both.slice_axis(axis, 0, 1).try_reshape(appended(&self.shape()[..axis], &[n]))?;
        Ok((values, both.slice_axis(axis, 1, n + 1)))
    }

    /// U `[…, m, k]`, singular values `[…, k]`, descending, and V `[…, n, k]` with U·diag(s)·Vᵀ = self `[…, m, n]`,
    /// k = min(m, n); see [`Svd`].
    ///
    /// # Errors
    /// If this is not a matrix of a floating-point type.
    pub fn try_svd(&self) -> Result<(Expr, Expr, Expr)> {
        let (m, n) = self.rows_and_columns("svd")?;
        let all = Expr::apply(Svd, std::slice::from_ref(self))?;
        let axis = self.rank() - 2;
        let values = all.slice_axis(axis, m, m + 1).try_reshape(appended(&self.shape()[..axis], &[m.min(n)]))?;
        Ok((all.slice_axis(axis, 0, m), values, all.slice_axis(axis, m + 1, m + 1 + n)))
    }

    /// Inverse matrices. Solving is faster and more accurate where the inverse is only multiplied with.
    ///
    /// # Errors
    /// If the matrices are not square or not of a floating-point type.
    pub fn try_inverse(&self) -> Result<Expr> {
        self.try_solve(&self.identity("inverse")?)
    }

    /// Sign `[…]`, 1 or −1, and logarithm of the magnitude `[…]` of the determinants of square matrices. The sign has no
    /// derivative. Singular matrices have logarithm −∞ (or very negative, by rounding) and no derivative.
    ///
    /// # Errors
    /// If the matrices are not square or not of a floating-point type.
    pub fn try_slogdet(&self) -> Result<(Expr, Expr)> {
        let (sign, diagonal) = self.sign_and_diagonal("slogdet")?;
        let axis = diagonal.rank() - 1;
        Ok((sign, diagonal.log().try_reduce_sum(&[axis], false)?))
    }

    /// Determinants `[…]` of square matrices `[…, n, n]`. Singular matrices have no derivative.
    ///
    /// # Errors
    /// If the matrices are not square or not of a floating-point type.
    pub fn try_determinant(&self) -> Result<Expr> {
        let (sign, mut factors) = self.sign_and_diagonal("determinant")?;
        let axis = factors.rank() - 1;
        while factors.shape()[axis] > 1 {
            let n = factors.shape()[axis];
            let pairs = factors.slice_axis(axis, 0, n / 2).mul(&factors.slice_axis(axis, n / 2, n / 2 * 2));
            let odd = factors.slice_axis(axis, n / 2 * 2, n);
            factors = if n % 2 == 0 { pairs } else { Expr::try_concat(&[pairs, odd], axis)? };
        }
        match factors.shape()[axis] {
            0 => Ok(sign),
            _ => factors.try_reshape(sign.shape())?.try_mul(&sign),
        }
    }

    // From A = Q·R: the sign of det(Q), and the diagonal of R, which is not negative.
    fn sign_and_diagonal(&self, op: &str) -> Result<(Expr, Expr)> {
        self.square_size(op)?;
        let (q, r) = self.try_qr()?;
        Ok((q.orientation()?, r.try_diagonal()?))
    }

    // The determinant, 1 or −1, of orthogonal matrices, without derivative. Eliminating Q − S without pivoting, where
    // each sign S_tt is chosen against the pivot's when it is met, writes Q as n reflections times S (Ballard et al.
    // 2014, §3): det Q is the product of the pivots' signs, and no pivot of Q − S is smaller than 1.
    fn orientation(&self) -> Result<Expr> {
        let n = self.square_size("slogdet")?;
        let triangle = |i: usize, j: usize| f64::from(u8::from(j > i));
        let below = (0..n * n).map(|at| triangle(at / n, at % n)).collect();
        let below = Expr::constant(Tensor::from_f64([n, n], self.dtype(), below)?);
        let unit = Expr::constant(identity(n, self.dtype())?);
        let lead = &self.shape()[..self.rank() - 2];
        let start = [Expr::apply(StopGradient, std::slice::from_ref(self))?, Expr::full(lead, 1.0, self.dtype())];
        let (finals, _) = Expr::scan(&start, &[unit, below], n, false, |state, rows| {
            let (rest, sign, unit, below) = (&state[0], &state[1], &rows[0], &rows[1]);
            let (row, column) = (unit.try_matmul(rest)?, rest.try_matmul(unit)?);
            let axis = row.rank() - 1;
            let pivot = row.mul(unit).try_reduce_sum(&[axis], false)?;
            let own = Expr::select(&pivot.greater_equal(&pivot.like(0.0)), &pivot.like(1.0), &pivot.like(-1.0));
            let spread = own.try_reshape(appended(own.shape(), &[1]))?;
            let column = column.mul(below).div(&pivot.add(&own).try_reshape(spread.shape())?);
            let row = row.add(&spread.mul(unit));
            Ok((vec![rest.sub(&column.try_outer(&row)?), sign.mul(&own)], vec![]))
        })?;
        Ok(finals[1].clone())
    }

    /// Least-squares solution of `self · x = b` `[…, m, n]`, b `[…, m, k]`: the shortest residual for m ≥ n, the shortest
    /// solution for m < n. The matrices must have full rank.
    ///
    /// # Errors
    /// If shapes or types do not fit.
    pub fn try_lstsq(&self, b: &Expr) -> Result<Expr> {
        let (m, n) = self.rows_and_columns("lstsq")?;
        if b.rank() != self.rank() || b.shape()[b.rank() - 2] != m {
            return refuse("lstsq", "needs right-hand sides […, m, k] for matrices […, m, n]", &[self, b]);
        }
        if m >= n {
            let (q, r) = self.try_qr()?;
            return r.try_triangular_solve(&q.transposed().try_matmul(b)?, false, false);
        }
        let (q, r) = self.transposed().try_qr()?;
        q.try_matmul(&r.try_triangular_solve(b, false, true)?)
    }

    /// Pseudo-inverses `[…, n, m]` of matrices `[…, m, n]`. Singular values up to max(m, n) units in the last place of
    /// the largest count as zero; derivatives hold the rank.
    ///
    /// # Errors
    /// If this is not a matrix of a floating-point type.
    pub fn try_pinverse(&self) -> Result<Expr> {
        let (m, n) = self.rows_and_columns("pinverse")?;
        let (u, s, v) = self.try_svd()?;
        if m.min(n) == 0 {
            return Ok(Expr::full(self.transposed().shape(), 0.0, self.dtype()));
        }
        let axis = s.rank() - 1;
        let smallest = s.try_reduce_max(&[axis], true)?.scale(2.0 * m.max(n) as f64 * unit_roundoff(s.dtype()));
        let kept = s.try_greater(&smallest)?;
        let inverse = Expr::select(&kept, &Expr::select(&kept, &s, &s.like(1.0)).reciprocal(), &s.like(0.0));
        v.try_mul(&inverse.try_reshape(appended(&s.shape()[..axis], &[1, m.min(n)]))?)?.try_matmul(&u.transposed())
    }

    /// Integer powers of square matrices, by repeated squaring; negative ones of the inverse.
    ///
    /// # Errors
    /// If the matrices are not square or not of a floating-point type.
    pub fn try_matrix_power(&self, power: i32) -> Result<Expr> {
        let identity = self.identity("matrix_power")?;
        let mut base = if power < 0 { self.try_inverse()? } else { self.clone() };
        let (mut left, mut result) = (power.unsigned_abs(), None::<Expr>);
        while left > 0 {
            if left % 2 == 1 {
                result = Some(match result {
                    Some(r) => r.try_matmul(&base)?,
                    None => base.clone(),
                });
            }
            left /= 2;
            if left > 0 {
                base = base.try_matmul(&base)?;
            }
        }
        result.map_or_else(|| identity.try_broadcast_to(self.shape()), Ok)
    }

    /// Diagonals `[…, min(m, n)]` of matrices `[…, m, n]`.
    ///
    /// # Errors
    /// If this is not a matrix.
    pub fn try_diagonal(&self) -> Result<Expr> {
        let (m, n) = self.rows_and_columns("diagonal")?;
        let (k, lead) = (m.min(n), &self.shape()[..self.rank() - 2]);
        // Every (n + 1)-th element of the rows that have one.
        let rows = self.slice_axis(self.rank() - 2, 0, k).try_reshape(appended(lead, &[k * n]))?;
        let axis = rows.rank() - 1;
        let (mut end, mut stride) = (rows.shape().to_vec(), vec![1; axis + 1]);
        stride[axis] = n + 1;
        end[axis] = if k == 0 { 0 } else { (k - 1) * (n + 1) + 1 };
        rows.try_slice(&vec![0; axis + 1], &end, &stride)
    }

    /// Sums of the diagonals of matrices `[…, m, n]`.
    ///
    /// # Errors
    /// If this is not a matrix of a floating-point type.
    pub fn try_trace(&self) -> Result<Expr> {
        let diagonal = self.try_diagonal()?;
        diagonal.try_reduce_sum(&[diagonal.rank() - 1], false)
    }

    /// Matrices `[…, n, n]` with `[…, n]` on their diagonals and zeros elsewhere.
    ///
    /// # Errors
    /// If this is a scalar.
    pub fn try_diagonal_matrix(&self) -> Result<Expr> {
        let Some(&n) = self.shape().last() else {
            return refuse("diagonal_matrix", "a scalar is no diagonal", &[self]);
        };
        let axis = self.rank() - 1;
        if n == 0 {
            return self.try_reshape(appended(self.shape(), &[0]));
        }
        // n zeros between neighbours on the diagonal of a row-major matrix.
        let mut interior = vec![0; axis + 1];
        interior[axis] = n;
        let pad = crate::Pad { low: vec![0; axis + 1], high: vec![0; axis + 1], interior };
        Expr::apply(pad, std::slice::from_ref(self))?.try_reshape(appended(self.shape(), &[n]))
    }

    /// Outer products `[…, m, n]` of vectors `[…, m]` and `[…, n]`, leading axes broadcast.
    ///
    /// # Errors
    /// If an operand is a scalar, or shapes or types do not fit.
    pub fn try_outer(&self, other: &Expr) -> Result<Expr> {
        let (Some(_), Some(&n)) = (self.shape().last(), other.shape().last()) else {
            return refuse("outer", "scalars have no outer product", &[self, other]);
        };
        let column = self.try_reshape(appended(self.shape(), &[1]))?;
        column.try_mul(&other.try_reshape(appended(&other.shape()[..other.rank() - 1], &[1, n]))?)
    }

    // The last two axes exchanged.
    fn transposed(&self) -> Expr {
        self.move_axis(self.rank() - 1, self.rank() - 2)
    }

    fn rows_and_columns(&self, op: &str) -> Result<(usize, usize)> {
        match *self.shape().as_ref() {
            [.., m, n] => Ok((m, n)),
            _ => refuse(op, "needs a matrix […, rows, columns]", &[self]),
        }
    }

    fn square_size(&self, op: &str) -> Result<usize> {
        match self.rows_and_columns(op)? {
            (m, n) if m == n => Ok(n),
            _ => refuse(op, "the matrix must be square", &[self]),
        }
    }

    fn identity(&self, op: &str) -> Result<Expr> {
        Ok(Expr::constant(identity(self.square_size(op)?, self.dtype())?))
    }
}

fn identity(n: usize, dtype: crate::DType) -> Result<Tensor> {
    Tensor::from_f64([n, n], dtype, (0..n * n).map(|at| f64::from(u8::from(at / n == at % n))).collect())
}

fn appended(shape: &[usize], more: &[usize]) -> Shape {
    shape.iter().chain(more).copied().collect()
}
