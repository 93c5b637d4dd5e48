//! Brute force: whether a property of a small dense `relu` network holds, in exact rational arithmetic.
//!
//! The box is cut into simplices. Wherever a neuron has both signs on a simplex, an edge between two corners of different
//! sign is cut where the neuron is 0, which gives two simplices; so in the end the network is affine on each, and given by its
//! corners. Conjunctions of constraints are decided in the same way. This works in any number of dimensions and needs
//! neither linear programs nor tolerances; the number of simplices grows quickly, so it is for tiny networks.
#![allow(dead_code)]

use num_bigint::BigInt;
use num_rational::BigRational;
use num_traits::{One, Zero};
use perturb_graph::{DType, Expr, Graph, Tensor};
use perturb_onnx::vnnlib::{Constraint, Property, Variable};
use rand::{Rng, RngExt};

/// An affine layer: one row of weights and one bias for each output.
#[derive(Clone, Debug)]
pub struct Dense {
    pub weights: Vec<Vec<f32>>,
    pub bias: Vec<f32>,
}

/// Affine layers with `relu` between them.
#[derive(Clone, Debug)]
pub struct Net {
    pub layers: Vec<Dense>,
}

impl Net {
    pub fn inputs(&self) -> usize {
        self.layers[0].weights[0].len()
    }

    pub fn outputs(&self) -> usize {
        self.layers.last().unwrap().bias.len()
    }

    /// Weights and biases that are multiples of 1/8 up to 2.
    pub fn random(sizes: &[usize], rng: &mut impl Rng) -> Net {
        let mut number = || rng.random_range(-16..=16) as f32 / 8.0;
        let mut rows =
            |n: usize, m: usize| (0..m).map(|_| (0..n).map(|_| number()).collect()).collect::<Vec<Vec<f32>>>();
        let layers = sizes.windows(2).map(|s| Dense { weights: rows(s[0], s[1]), bias: rows(s[1], 1).remove(0) });
        Net { layers: layers.collect() }
    }

    /// The network as a graph from `[1, inputs]` to `[1, outputs]`.
    pub fn graph(&self) -> Graph {
        let x = Expr::input("x", [1, self.inputs()], DType::F32);
        let mut value = x.clone();
        for (index, layer) in self.layers.iter().enumerate() {
            if index > 0 {
                value = value.relu();
            }
            let (n, m) = (layer.weights[0].len(), layer.bias.len());
            let transposed = (0..n).flat_map(|i| layer.weights.iter().map(move |row| row[i])).collect();
            let weights = Expr::constant(Tensor::new([n, m], transposed).unwrap());
            let bias = Expr::constant(Tensor::new([1, m], layer.bias.clone()).unwrap());
            value = value.matmul(&weights).add(&bias);
        }
        Graph::new(vec![x], vec![("y".into(), value)]).unwrap()
    }

    /// The outputs, exactly.
    pub fn outputs_at(&self, input: &[BigRational]) -> Vec<BigRational> {
        let mut values = input.to_vec();
        for (index, layer) in self.layers.iter().enumerate() {
            if index > 0 {
                values.iter_mut().for_each(relu);
            }
            values = layer.apply(&values);
        }
        values
    }
}

impl Dense {
    fn apply(&self, values: &[BigRational]) -> Vec<BigRational> {
        let row = |(weights, bias): (&Vec<f32>, &f32)| {
            let used = weights.iter().zip(values).filter(|(w, _)| **w != 0.0);
            used.fold(number(*bias), |sum, (w, v)| sum + number(*w) * v)
        };
        self.weights.iter().zip(&self.bias).map(row).collect()
    }
}

/// The exact value of a number.
pub fn number(value: f32) -> BigRational {
    BigRational::from_float(value).unwrap()
}

/// numerator/denominator.
pub fn fraction(numerator: i64, denominator: i64) -> BigRational {
    BigRational::new(BigInt::from(numerator), BigInt::from(denominator))
}

fn relu(value: &mut BigRational) {
    if *value < BigRational::zero() {
        *value = BigRational::zero();
    }
}

/// Whether no input of the property's boxes is a counterexample.
pub fn holds(net: &Net, property: &Property) -> bool {
    counterexample(net, property).is_none()
}

/// A counterexample, if there is one.
pub fn counterexample(net: &Net, property: &Property) -> Option<Vec<BigRational>> {
    property
        .cases
        .iter()
        .find_map(|case| triangulated(&case.bounds).into_iter().find_map(|simplex| search(net, simplex, &case.any_of)))
}

/// A corner of a simplex: the input there, and the values of the current layer.
#[derive(Clone)]
struct Corner {
    input: Vec<BigRational>,
    values: Vec<BigRational>,
}

type Simplex = Vec<Corner>;

// Kuhn's triangulation: along each order of the axes, a path from the lowest corner to the highest.
fn triangulated(bounds: &[(BigRational, BigRational)]) -> Vec<Simplex> {
    let axes: Vec<usize> = (0..bounds.len()).filter(|&a| bounds[a].0 != bounds[a].1).collect();
    let mut orders: Vec<Vec<usize>> = vec![Vec::new()];
    for _ in 0..axes.len() {
        let longer = |order: &Vec<usize>| -> Vec<Vec<usize>> {
            let rest = axes.iter().filter(|a| !order.contains(a));
            rest.map(|&a| order.iter().copied().chain([a]).collect()).collect()
        };
        orders = orders.iter().flat_map(longer).collect();
    }
    let path = |order: Vec<usize>| {
        let mut at: Vec<BigRational> = bounds.iter().map(|b| b.0.clone()).collect();
        let mut corners = vec![Corner { input: at.clone(), values: at.clone() }];
        for axis in order {
            at[axis] = bounds[axis].1.clone();
            corners.push(Corner { input: at.clone(), values: at.clone() });
        }
        corners
    };
    orders.into_iter().map(path).collect()
}

// Cuts a simplex into two where `f` has both signs on it.
fn cut(simplex: &Simplex, f: impl Fn(&Corner) -> BigRational) -> Option<[Simplex; 2]> {
    let zero = BigRational::zero();
    let values: Vec<BigRational> = simplex.iter().map(f).collect();
    let (above, below) = (values.iter().position(|v| *v > zero)?, values.iter().position(|v| *v < zero)?);
    let share = &values[above] / (&values[above] - &values[below]);
    let between = |a: &[BigRational], b: &[BigRational]| a.iter().zip(b).map(|(a, b)| a + (b - a) * &share).collect();
    let middle = Corner {
        input: between(&simplex[above].input, &simplex[below].input),
        values: between(&simplex[above].values, &simplex[below].values),
    };
    Some([above, below].map(|replaced| {
        let mut part = simplex.clone();
        part[replaced] = middle.clone();
        part
    }))
}

// Depth first over the simplices on which the network is affine.
fn search(net: &Net, simplex: Simplex, any_of: &[Vec<Constraint>]) -> Option<Vec<BigRational>> {
    let mut pending = vec![(simplex, 0, true)];
    while let Some((mut simplex, layer, fresh)) = pending.pop() {
        let dense = &net.layers[layer];
        if fresh {
            simplex.iter_mut().for_each(|c| c.values = dense.apply(&c.values));
        }
        if layer + 1 == net.layers.len() {
            if let Some(found) = any_of.iter().find_map(|all| meets(&simplex, all)) {
                return Some(found);
            }
            continue;
        }
        match (0..dense.bias.len()).find_map(|k| cut(&simplex, |c| c.values[k].clone())) {
            Some(parts) => pending.extend(parts.map(|part| (part, layer, false))),
            None => {
                simplex.iter_mut().for_each(|c| c.values.iter_mut().for_each(relu));
                pending.push((simplex, layer + 1, true));
            }
        }
    }
    None
}

fn left_side(constraint: &Constraint, corner: &Corner) -> BigRational {
    constraint.terms.iter().fold(constraint.constant.clone(), |sum, (variable, coefficient)| {
        let value = match *variable {
            Variable::Input(i) => &corner.input[i],
            Variable::Output(i) => &corner.values[i],
        };
        sum + coefficient * value
    })
}

// A point of the simplex that meets all constraints. Where a constraint's left side has one sign, only the face remains
// on which it is not positive; a strict one needs a corner where it is negative, and then holds in the middle.
fn meets(simplex: &Simplex, all: &[Constraint]) -> Option<Vec<BigRational>> {
    let zero = BigRational::zero();
    let mut pending = vec![simplex.clone()];
    'next: while let Some(mut simplex) = pending.pop() {
        for constraint in all {
            if let Some(parts) = cut(&simplex, |c| left_side(constraint, c)) {
                pending.extend(parts);
                continue 'next;
            }
            simplex.retain(|c| left_side(constraint, c) <= zero);
        }
        let negative = |c: &Constraint| !c.strict || simplex.iter().any(|corner| left_side(c, corner) < zero);
        if !simplex.is_empty() && all.iter().all(negative) {
            let share = BigRational::one() / BigRational::from_integer(BigInt::from(simplex.len()));
            let mean = |i: usize| simplex.iter().fold(zero.clone(), |sum, c| sum + &c.input[i]) * &share;
            return Some((0..simplex[0].input.len()).map(mean).collect());
        }
    }
    None
}
