//! Convolution and pooling.

use crate::{Convolution, Expr, GraphError, MaxPool, PoolRole, Result, Shape, Slot};

/// Parameters of a convolution over `x [N, C, spatial…]`. An empty list means the default along every axis.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conv {
    /// Step between positions (default 1).
    pub strides: Vec<usize>,
    /// Padding before and after (default none).
    pub padding: Vec<(usize, usize)>,
    /// Step between the kernel's elements (default 1).
    pub dilation: Vec<usize>,
    /// Number of groups of channels.
    pub groups: usize,
    /// Pad so that a stride of 1 keeps the size, overriding `padding`.
    pub same: bool,
    /// What the padding holds.
    pub border: Padding,
}

/// What a convolution sees beyond the border of its images.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Padding {
    /// Zeros.
    #[default]
    Zero,
    /// The image mirrored at its first and last elements, which are not repeated: it must be larger than the padding.
    Reflect,
    /// The first and last elements, repeated.
    Replicate,
    /// The other end of the image, which must not be smaller than the padding.
    Circular,
    /// Nothing, whatever padding is asked for: results are smaller than images.
    None,
}

impl Padding {
    /// All of them.
    pub const ALL: [Padding; 5] =
        [Padding::Zero, Padding::Reflect, Padding::Replicate, Padding::Circular, Padding::None];

    /// Images `[N, C, spatial…]` with so many elements before and after each spatial axis.
    fn around(self, images: &Expr, amounts: &[(usize, usize)]) -> Result<Expr> {
        let ends = |end: fn(&(usize, usize)) -> usize| -> Vec<usize> {
            [0, 0].into_iter().chain(amounts.iter().map(end)).collect()
        };
        let (low, high) = (ends(|a| a.0), ends(|a| a.1));
        match self {
            Padding::Zero => images.try_pad(&low, &high),
            Padding::Reflect => images.try_pad_reflect(&low, &high),
            Padding::Replicate => images.try_pad_edge(&low, &high),
            Padding::Circular => images.try_pad_circular(&low, &high),
            Padding::None => Ok(images.clone()),
        }
    }
}

impl Default for Conv {
    fn default() -> Self {
        Conv { strides: vec![], padding: vec![], dilation: vec![], groups: 1, same: false, border: Padding::Zero }
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

    /// The same convolution with padding of another kind.
    pub fn border(self, border: Padding) -> Conv {
        Conv { border, ..self }
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
        let mut convolution = conv.resolve(&weights.shape()[2..]);
        if conv.border == Padding::Zero {
            return Expr::apply(convolution, &[self.clone(), weights.clone()]);
        }
        // Only zeros are the convolution's own.
        let nothing = vec![(0, 0); convolution.padding.len()];
        let amounts = std::mem::replace(&mut convolution.padding, nothing);
        if self.rank() != weights.rank() {
            return Err(rank_error(
                "conv",
                self,
                format!("weights of rank {} need images of that rank", weights.rank()),
            ));
        }
        Expr::apply(convolution, &[conv.border.around(self, &amounts)?, weights.clone()])
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
    /// If channels, groups, windows or output padding do not fit, or the border is not of zeros.
    pub fn try_conv_transpose(&self, weights: &Expr, conv: &Conv, output_padding: &[usize]) -> Result<Expr> {
        if weights.rank() < 3 || weights.rank() != self.rank() {
            return Err(rank_error("conv_transpose", weights, "weights need the rank of the images".into()));
        }
        if conv.border != Padding::Zero {
            return Err(rank_error("conv_transpose", self, "its padding takes away, and so is of zeros".into()));
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{DType, Tensor, eval};

    // A window of three ones on (1, 2, 3, 5) sums neighbours, the missing ones of which each border makes up.
    #[test]
    fn borders_by_hand() {
        let x = Expr::input("x", [1, 1, 4], DType::F64);
        let ones = Expr::constant(Tensor::full([1, 1, 3], 1.0f64));
        let expected: [&[f64]; 5] = [
            &[3.0, 6.0, 10.0, 8.0],
            &[5.0, 6.0, 10.0, 11.0],
            &[4.0, 6.0, 10.0, 13.0],
            &[8.0, 6.0, 10.0, 9.0],
            &[6.0, 10.0],
        ];
        for (border, expected) in Padding::ALL.into_iter().zip(expected) {
            let y = x.conv(&ones, Conv::same().border(border));
            let at = Tensor::new([1, 1, 4], vec![1.0, 2.0, 3.0, 5.0]).unwrap();
            assert_eq!(eval(&[y], &[(x.clone(), at)]).unwrap()[0].as_slice::<f64>(), expected, "{border:?}");
        }
    }

    #[test]
    fn borders_that_do_not_exist_are_refused() {
        let x = Expr::input("x", [1, 1, 2], DType::F32);
        let wide = Expr::constant(Tensor::full([1, 1, 5], 1.0f32));
        let fits = |border| x.try_conv(&wide, &Conv::same().border(border)).is_ok();
        assert_eq!(Padding::ALL.map(fits), [true, false, true, true, false]);
        assert!(x.try_conv_transpose(&wide, &Conv::same().border(Padding::Circular), &[]).is_err());
    }
}
