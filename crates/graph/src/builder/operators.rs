//! `+ − · /` between expressions and with numbers.

use crate::Expr;
use std::ops::{Add, Div, Mul, Neg, Sub};

macro_rules! operators {
    ($($trait:ident $method:ident),*) => {$(
        impl $trait<&Expr> for &Expr {
            type Output = Expr;
            #[track_caller]
            fn $method(self, other: &Expr) -> Expr { Expr::$method(self, other) }
        }
        impl $trait<Expr> for Expr {
            type Output = Expr;
            #[track_caller]
            fn $method(self, other: Expr) -> Expr { Expr::$method(&self, &other) }
        }
        impl $trait<&Expr> for Expr {
            type Output = Expr;
            #[track_caller]
            fn $method(self, other: &Expr) -> Expr { Expr::$method(&self, other) }
        }
        impl $trait<Expr> for &Expr {
            type Output = Expr;
            #[track_caller]
            fn $method(self, other: Expr) -> Expr { Expr::$method(self, &other) }
        }
        impl $trait<f64> for Expr {
            type Output = Expr;
            #[track_caller]
            fn $method(self, other: f64) -> Expr { Expr::$method(&self, &self.like(other)) }
        }
        impl $trait<f64> for &Expr {
            type Output = Expr;
            #[track_caller]
            fn $method(self, other: f64) -> Expr { Expr::$method(self, &self.like(other)) }
        }
        impl $trait<Expr> for f64 {
            type Output = Expr;
            #[track_caller]
            fn $method(self, other: Expr) -> Expr { Expr::$method(&other.like(self), &other) }
        }
        impl $trait<&Expr> for f64 {
            type Output = Expr;
            #[track_caller]
            fn $method(self, other: &Expr) -> Expr { Expr::$method(&other.like(self), other) }
        }
    )*};
}
operators!(Add add, Sub sub, Mul mul, Div div);

impl Neg for Expr {
    type Output = Expr;
    fn neg(self) -> Expr {
        Expr::neg(&self)
    }
}

impl Neg for &Expr {
    type Output = Expr;
    fn neg(self) -> Expr {
        Expr::neg(self)
    }
}
