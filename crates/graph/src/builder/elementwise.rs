//! Elementwise functions, with NumPy's broadcasting for those of two operands.

use crate::{Binary, Compare, Expr, GraphError, Result, Select, Shape, StopGradient, Unary};

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
            /// If the element type is not a floating-point type.
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

impl Expr {
    /// An elementwise function of one operand.
    ///
    /// # Errors
    /// If the element type is not a floating-point type.
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

    /// `self` to the power of a constant-exponent or general operand: repeated products for small integer constants,
    /// square root for ½, otherwise `exp(p·log x)`, which needs x > 0.
    ///
    /// # Errors
    /// If the shapes do not broadcast or the types differ.
    pub fn try_pow(&self, exponent: &Expr) -> Result<Expr> {
        let shape = broadcast_shape("pow", self, exponent)?;
        let x = self.try_broadcast_to(&shape)?;
        match exponent.uniform_value() {
            Some(0.5) => x.try_unary(Unary::Sqrt),
            Some(p) if p.fract() == 0.0 && p.abs() <= 64.0 => {
                let power = x.integer_power(p.abs() as u32)?;
                if p < 0.0 { power.try_unary(Unary::Reciprocal) } else { Ok(power) }
            }
            _ => x.try_unary(Unary::Log)?.try_mul(exponent)?.try_unary(Unary::Exp),
        }
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
