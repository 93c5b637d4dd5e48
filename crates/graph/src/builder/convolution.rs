//! Convolution and pooling.

use crate::{Convolution, Expr, GraphError, MaxPool, PoolRole, Result, Shape, Slot};

/// Parameters of a convolution over `x [N, C, spatial…]`. An empty list means the default along every axis.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conv {
    /// Step between positions (default 1).
    pub strides: Vec<usize>,
    /// Zeros before and after (default none).
    pub padding: Vec<(usize, usize)>,
    /// Step between the kernel's elements (default 1).
    pub dilation: Vec<usize>,
    /// Number of groups of channels.
    pub groups: usize,
    /// Pad so that a stride of 1 keeps the size, overriding `padding`.
    pub same: bool,
}

impl Default for Conv {
    fn default() -> Self {
        Conv { strides: vec![], padding: vec![], dilation: vec![], groups: 1, same: false }
    }
}

impl Conv {
    /// Stride 1, no padding, dilation 1, one group, for `spatial` axes.
    pub fn unit(spatial: usize) -> Conv {
        Conv {
            strides: vec![1; spatial],
            padding: vec![(0, 0); spatial],
            dilation: vec![1; spatial],
            ..Conv::default()
        }
    }

    /// Padding that keeps the size for stride 1; the odd zero of an even window goes to the end.
    pub fn same() -> Conv {
        Conv { same: true, ..Conv::default() }
    }

    /// The same convolution with one stride for all axes.
    pub fn stride(self, stride: usize) -> Conv {
        Conv { strides: vec![stride; 8], ..self }
    }

    fn resolve(&self, window: &[usize]) -> Convolution {
        let at = |list: &[usize], i: usize| list.get(i).copied().unwrap_or(1);
        let dilation: Vec<usize> = (0..window.len()).map(|i| at(&self.dilation, i)).collect();
        let padding = (0..window.len()).map(|i| {
            let reach = dilation[i].saturating_mul(window[i].saturating_sub(1));
            if self.same { (reach / 2, reach - reach / 2) } else { self.padding.get(i).copied().unwrap_or((0, 0)) }
        });
        Convolution {
            strides: (0..window.len()).map(|i| at(&self.strides, i)).collect(),
            padding: padding.collect(),
            dilation,
            groups: self.groups,
            result: Slot::Response,
            result_spatial: vec![],
        }
    }
}

/// Parameters of pooling over `x [N, C, spatial…]`. Empty `strides` means the window; other empty lists the default.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Pool {
    /// Window sizes.
    pub window: Vec<usize>,
    /// Steps between windows.
    pub strides: Vec<usize>,
    /// Padding before and after each axis.
    pub padding: Vec<(usize, usize)>,
    /// Steps between the elements of a window.
    pub dilation: Vec<usize>,
}

impl Pool {
    /// Square windows side by side, for `spatial` axes.
    pub fn square(size: usize, spatial: usize) -> Pool {
        Pool { window: vec![size; spatial], ..Pool::default() }
    }

    fn resolve(&self, role: PoolRole) -> MaxPool {
        let n = self.window.len();
        MaxPool {
            window: self.window.clone(),
            strides: if self.strides.is_empty() { self.window.clone() } else { self.strides.clone() },
            padding: if self.padding.is_empty() { vec![(0, 0); n] } else { self.padding.clone() },
            dilation: if self.dilation.is_empty() { vec![1; n] } else { self.dilation.clone() },
            role,
        }
    }
}

fn rank_error(op: &str, x: &Expr, reason: String) -> GraphError {
    GraphError::Shape { op: op.into(), reason, shapes: vec![x.shape().clone()] }
}

impl Expr {
    /// Convolution (cross-correlation, as everywhere in deep learning) of `[N, C, spatial…]` with `weights`
    /// `[O, C/groups, window…]`.
    ///
    /// # Errors
    /// If channels, groups or windows do not fit.
    pub fn try_conv(&self, weights: &Expr, conv: &Conv) -> Result<Expr> {
        if weights.rank() < 3 {
            return Err(rank_error(
                "conv",
                weights,
                "weights need output channels, input channels and a window".into(),
            ));
        }
        Expr::apply(conv.resolve(&weights.shape()[2..]), &[self.clone(), weights.clone()])
    }

    /// See [`Expr::try_conv`].
    ///
    /// # Panics
    /// If channels, groups or windows do not fit.
    #[track_caller]
    pub fn conv(&self, weights: &Expr, conv: Conv) -> Expr {
        self.try_conv(weights, &conv).unwrap_or_else(|e| panic!("{e}"))
    }

    /// Transposed convolution of `[N, C, spatial…]` with `weights [C, O/groups, window…]`; the result's size is
    /// `(size − 1)·stride − low − high + reach + output_padding`.
    ///
    /// # Errors
    /// If channels, groups, windows or output padding do not fit.
    pub fn try_conv_transpose(&self, weights: &Expr, conv: &Conv, output_padding: &[usize]) -> Result<Expr> {
        if weights.rank() < 3 || weights.rank() != self.rank() {
            return Err(rank_error("conv_transpose", weights, "weights need the rank of the images".into()));
        }
        let base = conv.resolve(&weights.shape()[2..]);
        let size = |i: usize| {
            let (low, high) = base.padding[i];
            let reach = base.dilation[i].checked_mul(weights.shape()[2 + i].checked_sub(1)?)?.checked_add(1)?;
            let full = self.shape()[2 + i].checked_sub(1)?.checked_mul(base.strides[i])?.checked_add(reach)?;
            let extra = output_padding.get(i).copied().unwrap_or(0);
            full.checked_add(extra)?.checked_sub(low.checked_add(high)?)
        };
        let sizes: Option<Vec<usize>> = (0..base.strides.len()).map(size).collect();
        let Some(result_spatial) = sizes else {
            return Err(rank_error("conv_transpose", self, "windows and padding do not fit the size".into()));
        };
        let op = Convolution { result: Slot::Image, result_spatial, ..base };
        Expr::apply(op, &[self.clone(), weights.clone()])
    }

    /// Maximum over windows of `[N, C, spatial…]`; padding counts as −∞.
    ///
    /// # Errors
    /// If the windows do not fit.
    pub fn try_max_pool(&self, pool: &Pool) -> Result<Expr> {
        Expr::apply(pool.resolve(PoolRole::Max), std::slice::from_ref(self))
    }

    /// See [`Expr::try_max_pool`].
    ///
    /// # Panics
    /// If the windows do not fit.
    #[track_caller]
    pub fn max_pool(&self, pool: Pool) -> Expr {
        self.try_max_pool(&pool).unwrap_or_else(|e| panic!("{e}"))
    }

    /// Mean over windows of `[N, C, spatial…]`: a convolution of every channel with ones, divided by the number of
    /// elements in the window, padding included or not.
    ///
    /// # Errors
    /// If the windows do not fit.
    pub fn try_avg_pool(&self, pool: &Pool, count_include_pad: bool) -> Result<Expr> {
        if self.rank() != pool.window.len() + 2 {
            return Err(rank_error("avg_pool", self, format!("needs rank {}", pool.window.len() + 2)));
        }
        let p = pool.resolve(PoolRole::Max);
        let conv = Conv { strides: p.strides, padding: p.padding, dilation: p.dilation, ..Conv::default() };
        let one_channel = |n: usize, s: &[usize]| [n, 1].into_iter().chain(s.iter().copied()).collect::<Shape>();
        let one = Expr::scalar(1.0, self.dtype());
        let ones = one.try_broadcast_to(one_channel(1, &pool.window))?;
        let (n, c) = (self.shape()[0], self.shape()[1]);
        let sums = self.try_reshape(one_channel(n * c, &self.shape()[2..]))?.try_conv(&ones, &conv)?;
        let counts = if count_include_pad {
            let count: usize = pool.window.iter().product();
            sums.like(count as f64)
        } else {
            one.try_broadcast_to(one_channel(1, &self.shape()[2..]))?.try_conv(&ones, &conv)?
        };
        let shape: Shape = [n, c].into_iter().chain(sums.shape()[2..].iter().copied()).collect();
        sums.try_div(&counts)?.try_reshape(shape)
    }

    /// See [`Expr::try_avg_pool`], padding not counted.
    ///
    /// # Panics
    /// If the windows do not fit.
    #[track_caller]
    pub fn avg_pool(&self, pool: Pool) -> Expr {
        self.try_avg_pool(&pool, false).unwrap_or_else(|e| panic!("{e}"))
    }
}
