//! Elementwise functions, with NumPy's broadcasting for those of two operands.

use crate::{Binary, Cast, Compare, DType, Expr, GraphError, Result, Select, Shape, StopGradient, Unary};

/// The shape that two operands broadcast to under NumPy's rule.
pub(crate) fn broadcast_shape(op: &str, a: &Expr, b: &Expr) -> Result<Shape> {
    let (x, y) = (a.shape(), b.shape());
    let rank = x.len().max(y.len());
    let size = |s: &Shape, i: usize| (i + s.len()).checked_sub(rank).map_or(1, |i| s[i]);
    let shape: Option<Shape> = (0..rank)
        .map(|i| match (size(x, i), size(y, i)) {
            (p, q) if p == q || q == 1 => Some(p),
            (1, q) => Some(q),
            _ => None,
        })
        .collect::<Option<Vec<usize>>>()
        .map(Shape::from);
    shape.ok_or_else(|| GraphError::Shape {
        op: op.to_string(),
        reason: "operands do not broadcast together".into(),
        shapes: vec![x.clone(), y.clone()],
    })
}

macro_rules! unary {
    ($($(#[$doc:meta])* $name:ident => $op:ident),* $(,)?) => {
        impl Expr {$(
            $(#[$doc])*
            ///
            /// # Panics
            /// If the function does not take the element type.
            #[track_caller]
            pub fn $name(&self) -> Expr { Expr::build(Unary::$op, std::slice::from_ref(self)) }
        )*}
    };
}

unary! {
    /// −x.
    neg => Neg,
    /// |x|.
    abs => Abs,
    /// −1, 0 or 1.
    sign => Sign,
    /// 1 where x > 0, else 0.
    step => Step,
    /// max(x, 0).
    relu => Relu,
    /// eˣ.
    exp => Exp,
    /// Natural logarithm.
    log => Log,
    /// √x.
    sqrt => Sqrt,
    /// x².
    square => Square,
    /// 1/x.
    reciprocal => Reciprocal,
    /// Hyperbolic tangent.
    tanh => Tanh,
    /// Logistic function.
    sigmoid => Sigmoid,
    /// Gauss error function.
    erf => Erf,
    /// Sine.
    sin => Sin,
    /// Cosine.
    cos => Cos,
    /// Largest integer not above x.
    floor => Floor,
    /// Smallest integer not below x.
    ceil => Ceil,
    /// Nearest integer, ties to even.
    round => Round,
    /// log(1 + x), accurate near 0.
    log1p => Log1p,
    /// eˣ − 1, accurate near 0.
    expm1 => Expm1,
    /// Tangent.
    tan => Tan,
    /// Inverse sine, in [−π/2, π/2]; NaN outside of [−1, 1].
    asin => Asin,
    /// Inverse cosine, in [0, π]; NaN outside of [−1, 1].
    acos => Acos,
    /// Inverse tangent, in (−π/2, π/2).
    atan => Atan,
    /// Hyperbolic sine.
    sinh => Sinh,
    /// Hyperbolic cosine.
    cosh => Cosh,
    /// Inverse hyperbolic sine.
    asinh => Asinh,
    /// Inverse hyperbolic cosine; NaN below 1.
    acosh => Acosh,
    /// Inverse hyperbolic tangent; NaN outside of [−1, 1].
    atanh => Atanh,
}

macro_rules! binary {
    ($($(#[$doc:meta])* $name:ident, $try_name:ident => $op:expr),* $(,)?) => {
        impl Expr {$(
            $(#[$doc])*
            /// Operands broadcast as in NumPy.
            ///
            /// # Errors
            /// If the shapes do not broadcast or the types differ.
            pub fn $try_name(&self, other: &Expr) -> Result<Expr> {
                let op = $op;
                if self.shape() == other.shape() {
                    return Expr::apply(op, &[self.clone(), other.clone()]);
                }
                let shape = broadcast_shape(stringify!($name), self, other)?;
                Expr::apply(op, &[self.try_broadcast_to(&shape)?, other.try_broadcast_to(&shape)?])
            }

            $(#[$doc])*
            /// Operands broadcast as in NumPy.
            ///
            /// # Panics
            /// If the shapes do not broadcast or the types differ.
            #[track_caller]
            pub fn $name(&self, other: &Expr) -> Expr { self.$try_name(other).unwrap_or_else(|e| panic!("{e}")) }
        )*}
    };
}

binary! {
    /// Sum.
    add, try_add => Binary::Add,
    /// Difference.
    sub, try_sub => Binary::Sub,
    /// Product.
    mul, try_mul => Binary::Mul,
    /// Quotient.
    div, try_div => Binary::Div,
    /// The larger operand.
    maximum, try_maximum => Binary::Max,
    /// The smaller operand.
    minimum, try_minimum => Binary::Min,
    /// Angle of the point (x, y) = (other, self), in [−π, π].
    atan2, try_atan2 => Binary::Atan2,
    /// Remainder of the division, with the sign of the dividend `self`.
    rem, try_rem => Binary::Rem,
    /// 1 where equal, else 0.
    equal, try_equal => Compare::Equal,
    /// 1 where the left operand is larger, else 0.
    greater, try_greater => Compare::Greater,
    /// 1 where the left operand is not smaller, else 0.
    greater_equal, try_greater_equal => Compare::GreaterEqual,
    /// 1 where the left operand is smaller, else 0.
    less, try_less => Compare::Less,
    /// 1 where the left operand is not larger, else 0.
    less_equal, try_less_equal => Compare::LessEqual,
}

panicking! {
    floor_mod, try_floor_mod(other: &Expr) -> Expr;
    masked_fill, try_masked_fill(mask: &Expr, value: f64) -> Expr;
}

impl Expr {
    /// An elementwise function of one operand.
    ///
    /// # Errors
    /// If the function does not take the element type.
    pub fn try_unary(&self, f: Unary) -> Result<Expr> {
        Expr::apply(f, std::slice::from_ref(self))
    }

    /// `mask ≠ 0 ? on_true : on_false`, broadcast as in NumPy.
    ///
    /// # Errors
    /// If the shapes do not broadcast or the types differ.
    pub fn try_select(mask: &Expr, on_true: &Expr, on_false: &Expr) -> Result<Expr> {
        let shape = broadcast_shape("select", on_true, on_false)?;
        let on_true = on_true.try_broadcast_to(&shape)?;
        let shape = broadcast_shape("select", &on_true, mask)?;
        let operands =
            [mask.try_broadcast_to(&shape)?, on_true.try_broadcast_to(&shape)?, on_false.try_broadcast_to(&shape)?];
        Expr::apply(Select, &operands)
    }

    /// `mask ≠ 0 ? on_true : on_false`, broadcast as in NumPy.
    ///
    /// # Panics
    /// If the shapes do not broadcast or the types differ.
    #[track_caller]
    pub fn select(mask: &Expr, on_true: &Expr, on_false: &Expr) -> Expr {
        Expr::try_select(mask, on_true, on_false).unwrap_or_else(|e| panic!("{e}"))
    }

    /// The value times a constant.
    #[track_caller]
    pub fn scale(&self, factor: f64) -> Expr {
        if factor == 1.0 { self.clone() } else { self.mul(&self.like(factor)) }
    }

    /// The value plus a constant.
    #[track_caller]
    pub fn offset(&self, amount: f64) -> Expr {
        if amount == 0.0 { self.clone() } else { self.add(&self.like(amount)) }
    }

    /// The value, without derivative.
    #[track_caller]
    pub fn stop_gradient(&self) -> Expr {
        Expr::build(StopGradient, std::slice::from_ref(self))
    }

    /// The same values in another element type, see [`Tensor::to_dtype`](crate::Tensor::to_dtype).
    #[track_caller]
    pub fn cast(&self, to: DType) -> Expr {
        Expr::build(Cast { to }, std::slice::from_ref(self))
    }

    /// `self` to the power of `exponent`, broadcast as in NumPy: repeated products for small integer constants, square
    /// root for ½, otherwise [`Binary::Pow`].
    ///
    /// # Errors
    /// If the shapes do not broadcast or the types differ.
    pub fn try_pow(&self, exponent: &Expr) -> Result<Expr> {
        let shape = broadcast_shape("pow", self, exponent)?;
        let x = self.try_broadcast_to(&shape)?;
        match exponent.uniform_value() {
            Some(0.5) if x.dtype().is_float() => x.try_unary(Unary::Sqrt),
            Some(p) if x.dtype().is_float() && p.fract() == 0.0 && p.abs() <= 64.0 => {
                let power = x.integer_power(p.abs() as u32)?;
                if p < 0.0 { power.try_unary(Unary::Reciprocal) } else { Ok(power) }
            }
            _ => Expr::apply(Binary::Pow, &[x, exponent.try_broadcast_to(&shape)?]),
        }
    }

    /// See [`Expr::try_pow`].
    ///
    /// # Panics
    /// If the shapes do not broadcast or the types differ.
    #[track_caller]
    pub fn pow(&self, exponent: &Expr) -> Expr {
        self.try_pow(exponent).unwrap_or_else(|e| panic!("{e}"))
    }

    /// Remainder of the division with the sign of the divisor `other`, as Python's `%`. Operands broadcast as in NumPy.
    ///
    /// # Errors
    /// If the shapes do not broadcast or the types differ.
    pub fn try_floor_mod(&self, other: &Expr) -> Result<Expr> {
        let rem = self.try_rem(other)?;
        let zero = rem.like(0.0);
        let same_sign = rem.less(&zero).equal(&other.less(&other.like(0.0)));
        let fits = same_sign.maximum(&rem.equal(&zero));
        Ok(Expr::select(&fits, &rem, &rem.add(other)))
    }

    /// 1 where the value is NaN, else 0.
    #[track_caller]
    pub fn is_nan(&self) -> Expr {
        self.like(1.0).sub(&self.equal(self))
    }

    /// 1 where the value is infinite, of either sign, else 0.
    #[track_caller]
    pub fn is_inf(&self) -> Expr {
        self.abs().equal(&self.like(f64::INFINITY))
    }

    /// 1 where the value is neither infinite nor NaN, else 0.
    #[track_caller]
    pub fn is_finite(&self) -> Expr {
        self.abs().less(&self.like(f64::INFINITY))
    }

    /// `value` where `mask` (of this type, broadcast to this shape) is not 0, else the element itself.
    ///
    /// # Errors
    /// If the mask does not broadcast or is of another type.
    pub fn try_masked_fill(&self, mask: &Expr, value: f64) -> Result<Expr> {
        Expr::try_select(&mask.try_broadcast_to(self.shape())?, &self.like(value), self)
    }

    fn integer_power(&self, p: u32) -> Result<Expr> {
        match p {
            0 => Ok(self.like(1.0)),
            1 => Ok(self.clone()),
            _ if p.is_multiple_of(2) => self.integer_power(p / 2)?.try_unary(Unary::Square),
            _ => self.integer_power(p - 1)?.try_mul(self),
        }
    }
}
