//! Brute force: whether a property of a small dense `relu` network holds, in exact rational arithmetic.
//!
//! The box is cut into simplices. Wherever a neuron has both signs on a simplex, an edge between two corners of different
//! sign is cut where the neuron is 0, which gives two simplices; so in the end the network is affine on each, and given by its
//! corners. Conjunctions of constraints are decided in the same way. This works in any number of dimensions and needs
//! neither linear programs nor tolerances; the number of simplices grows quickly, so it is for tiny networks.
#![allow(dead_code)]

use num_bigint::BigInt;
use num_rational::BigRational;
use num_traits::{One, Signed, Zero};
use perturb_graph::{DType, Expr, Graph, Tensor};
use perturb_onnx::vnnlib::{Case, Constraint, Property, Variable};
use rand::{Rng, RngExt};
use std::collections::BTreeMap;

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

/// A property over the box −1..1 with two alternatives, of one and of two constraints on inputs and outputs, strict or
/// not. About as many hold as do not.
pub fn random_property(inputs: usize, outputs: usize, rng: &mut impl Rng) -> Property {
    let mut constraint = || {
        let variables = (0..outputs).map(Variable::Output).chain((0..inputs).map(Variable::Input));
        let mut terms: BTreeMap<Variable, BigRational> =
            variables.map(|v| (v, fraction(rng.random_range(-4..=4), 2))).collect();
        terms.retain(|_, c| *c != fraction(0, 1));
        Constraint { terms, constant: fraction(rng.random_range(-8..=40), 8), strict: rng.random_range(0..2) == 0 }
    };
    let any_of = vec![vec![constraint(), constraint()], vec![constraint()]];
    Property { inputs, outputs, cases: vec![Case { bounds: vec![(fraction(-1, 1), fraction(1, 1)); inputs], any_of }] }
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
    let layers: Vec<Integers> = net.layers.iter().map(Integers::of_layer).collect();
    property.cases.iter().find_map(|case| {
        let any_of: Vec<Vec<LeftSide>> =
            case.any_of.iter().map(|all| all.iter().map(LeftSide::new).collect()).collect();
        triangulated(&case.bounds).into_iter().find_map(|simplex| search(&layers, simplex, &any_of))
    })
}

/// Rows of numbers times a positive integer that makes them whole.
struct Integers {
    rows: Vec<Vec<BigInt>>,
    factor: BigInt,
}

impl Integers {
    fn new(rows: &[Vec<BigRational>]) -> Integers {
        let factor = rows.iter().flatten().fold(BigInt::one(), |f, v| &f * v.denom() / gcd(&f, v.denom()));
        let whole = |v: &BigRational| v.numer() * (&factor / v.denom());
        let rows = rows.iter().map(|row| row.iter().map(whole).collect()).collect();
        Integers { rows, factor: factor.clone() }
    }

    // The bias comes last in each row.
    fn of_layer(layer: &Dense) -> Integers {
        let row = |(weights, bias): (&Vec<f32>, &f32)| weights.iter().chain([bias]).map(|&v| number(v)).collect();
        Integers::new(&layer.weights.iter().zip(&layer.bias).map(row).collect::<Vec<_>>())
    }
}

/// The left side of a constraint, times a positive integer that makes its numbers whole.
struct LeftSide {
    terms: Vec<(Variable, BigInt)>,
    constant: BigInt,
    strict: bool,
}

impl LeftSide {
    fn new(constraint: &Constraint) -> LeftSide {
        let numbers = constraint.terms.values().chain([&constraint.constant]).cloned().collect();
        let mut whole = Integers::new(&[numbers]).rows.remove(0);
        let constant = whole.pop().unwrap();
        LeftSide { terms: constraint.terms.keys().copied().zip(whole).collect(), constant, strict: constraint.strict }
    }

    /// Times the corner's weight.
    fn at(&self, corner: &Corner) -> BigInt {
        self.terms.iter().fold(&self.constant * &corner.weight, |sum, (variable, coefficient)| {
            let value = match *variable {
                Variable::Input(i) => &corner.input[i],
                Variable::Output(i) => &corner.values[i],
            };
            sum + coefficient * value
        })
    }
}

fn gcd(a: &BigInt, b: &BigInt) -> BigInt {
    let (mut a, mut b) = (a.abs(), b.abs());
    while !b.is_zero() {
        (a, b) = (b.clone(), a % b);
    }
    a
}

/// A corner of a simplex in homogeneous coordinates: the input there and the values of the current layer, all times
/// `weight > 0`. Affine maps and points between corners need integers only.
#[derive(Clone)]
struct Corner {
    weight: BigInt,
    input: Vec<BigInt>,
    values: Vec<BigInt>,
}

impl Corner {
    fn new(point: &[BigRational]) -> Corner {
        let Integers { mut rows, factor } = Integers::new(&[point.to_vec()]);
        let input = rows.remove(0);
        Corner { weight: factor, values: input.clone(), input }
    }

    fn apply(&mut self, layer: &Integers) {
        let row = |row: &Vec<BigInt>| {
            let (bias, weights) = row.split_last().unwrap();
            let used = weights.iter().zip(&self.values).filter(|(w, v)| !w.is_zero() && !v.is_zero());
            used.fold(bias * &self.weight, |sum, (w, v)| sum + w * v)
        };
        self.values = layer.rows.iter().map(row).collect();
        self.weight *= &layer.factor;
        self.input.iter_mut().for_each(|v| *v *= &layer.factor);
    }

    fn relu(&mut self) {
        self.values.iter_mut().filter(|v| v.is_negative()).for_each(|v| *v = BigInt::zero());
    }

    // The corners' combination with positive factors.
    fn between(&self, own: &BigInt, other: &Corner, others: &BigInt) -> Corner {
        let mix = |a: &BigInt, b: &BigInt| a * own + b * others;
        let all = |a: &[BigInt], b: &[BigInt]| a.iter().zip(b).map(|(a, b)| mix(a, b)).collect();
        let mut corner = Corner {
            weight: mix(&self.weight, &other.weight),
            input: all(&self.input, &other.input),
            values: all(&self.values, &other.values),
        };
        let mut shared = corner.weight.clone();
        for value in corner.input.iter().chain(&corner.values) {
            if shared.is_one() {
                return corner;
            }
            shared = gcd(&shared, value);
        }
        let numbers = corner.input.iter_mut().chain(&mut corner.values).chain([&mut corner.weight]);
        numbers.for_each(|v| *v /= &shared);
        corner
    }
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
        let mut corners = vec![Corner::new(&at)];
        for axis in order {
            at[axis] = bounds[axis].1.clone();
            corners.push(Corner::new(&at));
        }
        corners
    };
    orders.into_iter().map(path).collect()
}

// Cuts a simplex into two where `f`, times the corners' weights, has both signs on it.
fn cut(simplex: &Simplex, f: impl Fn(&Corner) -> BigInt) -> Option<[Simplex; 2]> {
    let values: Vec<BigInt> = simplex.iter().map(f).collect();
    let above = values.iter().position(BigInt::is_positive)?;
    let below = values.iter().position(BigInt::is_negative)?;
    let middle = simplex[above].between(&-&values[below], &simplex[below], &values[above]);
    Some([above, below].map(|replaced| {
        let mut part = simplex.clone();
        part[replaced] = middle.clone();
        part
    }))
}

// Depth first over the simplices on which the network is affine.
fn search(layers: &[Integers], simplex: Simplex, any_of: &[Vec<LeftSide>]) -> Option<Vec<BigRational>> {
    let mut pending = vec![(simplex, 0, true)];
    while let Some((mut simplex, layer, fresh)) = pending.pop() {
        if fresh {
            simplex.iter_mut().for_each(|c| c.apply(&layers[layer]));
        }
        if layer + 1 == layers.len() {
            if let Some(found) = any_of.iter().find_map(|all| meets(&simplex, all)) {
                return Some(found);
            }
            continue;
        }
        match (0..layers[layer].rows.len()).find_map(|k| cut(&simplex, |c| c.values[k].clone())) {
            Some(parts) => pending.extend(parts.map(|part| (part, layer, false))),
            None => {
                simplex.iter_mut().for_each(Corner::relu);
                pending.push((simplex, layer + 1, true));
            }
        }
    }
    None
}

// A point of the simplex that meets all constraints. Where a constraint's left side has one sign, only the face remains
// on which it is not positive; a strict one needs a corner where it is negative, and then holds in the middle.
fn meets(simplex: &Simplex, all: &[LeftSide]) -> Option<Vec<BigRational>> {
    let mut pending = vec![simplex.clone()];
    'next: while let Some(mut simplex) = pending.pop() {
        for constraint in all {
            if let Some(parts) = cut(&simplex, |c| constraint.at(c)) {
                pending.extend(parts);
                continue 'next;
            }
            simplex.retain(|c| !constraint.at(c).is_positive());
        }
        let negative = |c: &LeftSide| !c.strict || simplex.iter().any(|corner| c.at(corner).is_negative());
        if !simplex.is_empty() && all.iter().all(negative) {
            let count = BigRational::from_integer(BigInt::from(simplex.len()));
            let place = |c: &Corner, i: usize| BigRational::new(c.input[i].clone(), c.weight.clone());
            let mean = |i: usize| simplex.iter().map(|c| place(c, i)).sum::<BigRational>() / &count;
            return Some((0..simplex[0].input.len()).map(mean).collect());
        }
    }
    None
}
