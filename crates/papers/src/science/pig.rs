//! PIG: Physics-Informed Gaussians as Adaptive Parametric Mesh Representations (Kang et al. 2025).
//!
//! Claim: Gaussians that move are accurate across equations with few parameters. Method: four features of 64 Gaussians and
//! a small network on Helmholtz' equation with the solution sin(4πx)·sin(πy), and on Burgers' equation against the exact
//! solution of Cole and Hopf. Baselines: a physics-informed network with random Fourier features, the same loss and
//! optimizers, and at least as much time; the same Gaussians, frozen on a lattice. Where the advantage must shrink: the
//! low frequency of sin(πx)·sin(πy).
//!
//! Errors spread over orders of magnitude, so that rules compare means of their logarithms: ratios of geometric means, which
//! bad seeds sway as little as the medians that the specification asks for. Times are kept, but not judged, because they
//! depend on what else a machine does; the best of eight short fits on two cores were 8.4 ms for a step of Adam and 10.4
//! for one of L-BFGS with moving Gaussians, 15.5 and 11.8 with the network, so that it gets a quarter more time.

use crate::{Claim, Estimator, Figure, Measurements, Quantity, Reproduction, Run, RunError, SeedResult};
use perturb_data::worlds::pde::{Burgers as World, FourierSeries};
use perturb_nn::{Initializer, Layers, Lbfgs};
use perturb_report::picture::Picture;
use perturb_science::pinn::{
    Ansatz, Burgers, Centres, Domain, Fit, Helmholtz, Perceptron, Pig, Problem, relative_error,
};
use std::time::Instant;

pub struct PhysicsInformedGaussians;

const PIG: &str = "moving Gaussians";
const NETWORK: &str = "network";
const FROZEN: &str = "frozen Gaussians";

const HIGH: Quantity = Quantity::real("log₁₀ of relative error, Helmholtz sin(4πx)·sin(πy)");
const LOW: Quantity = Quantity::real("log₁₀ of relative error, Helmholtz sin(πx)·sin(πy)");
const BURGERS: Quantity = Quantity::real("log₁₀ of relative error, Burgers");
const SECONDS: Quantity = Quantity::positive("seconds of fitting, Helmholtz sin(4πx)·sin(πy)");

/// Points along each axis at which errors are measured.
const LATTICE: usize = 64;
/// Side of the picture, in pixels.
const PIXELS: usize = 480;

impl Reproduction for PhysicsInformedGaussians {
    fn slug(&self) -> &'static str {
        "pig"
    }

    fn claim(&self) -> Claim {
        let gain = |quantity: Quantity, over| Estimator::Difference(quantity.of(PIG), quantity.of(over));
        Claim {
            method: PIG,
            baselines: &[NETWORK, FROZEN],
            seeds: 5,
            preconditions: Vec::new(),
            rules: vec![
                // log₁₀ of 0.2, 0.5 and 0.3.
                gain(HIGH, NETWORK).at_most(-0.699),
                gain(HIGH, FROZEN).at_most(-0.301),
                // Where the advantage must shrink.
                gain(LOW, NETWORK).at_least(-0.523),
            ],
        }
    }

    fn run(&self, run: &Run) -> Result<Measurements, RunError> {
        let mut found = Measurements::new();
        let sets: [(Quantity, Problem, Fit, &[&str]); 3] = [
            (HIGH, helmholtz([4.0, 1.0])?, fit(run, 1e-3, [300, 2]), &[PIG, NETWORK, FROZEN]),
            (LOW, helmholtz([1.0, 1.0])?, fit(run, 1e-3, [100, 1]), &[PIG, NETWORK]),
            (BURGERS, burgers()?, fit(run, 0.1, [100, 1]), &[PIG, NETWORK]),
        ];
        let total = sets.iter().map(|s| s.3.len()).sum::<usize>() as f64;
        let mut done = 0.0;
        for (quantity, problem, fit, arms) in &sets {
            let places = problem.domain.lattice(LATTICE);
            let exact = problem.exact(&places);
            for &arm in *arms {
                run.progress(done / total, arm);
                done += 1.0;
                let ansatz = ansatz(arm, &problem.domain);
                let fit = if arm == NETWORK { of_network(fit) } else { fit.clone() };
                let layers = Layers::new(Initializer::pytorch(run.seed));
                let start = Instant::now();
                let solution = fit.run(problem, &*ansatz, &layers)?;
                if *quantity == HIGH {
                    found.record(SECONDS.of(arm), start.elapsed().as_secs_f64())?;
                }
                let values = solution.values(&places)?;
                found.record(quantity.of(arm), relative_error(&values, &exact).log10())?;
                if *quantity == HIGH && arm == PIG {
                    let number = |name: &str| solution.parameters.get(name).map(|t| t.to_f64_vec()).unwrap_or_default();
                    let mesh = ["mu.0", "mu.1", "sigma.0", "sigma.1"].map(number);
                    let picture = draw(&exact, &mesh);
                    let caption = "The solution of Helmholtz' equation (red above 0, blue below) and the Gaussians of all \
                                   features as ellipses of one standard deviation, after the fit.";
                    found.image(caption, &Picture::new(&picture, [3, PIXELS, PIXELS])?.png(1)?);
                }
            }
        }
        Ok(found)
    }

    fn figures(&self, _seeds: &[SeedResult]) -> Vec<Figure> {
        Vec::new()
    }
}

fn helmholtz(waves: [f64; 2]) -> Result<Problem, RunError> {
    Ok(Problem::helmholtz(Helmholtz { waves }, 40)?)
}

/// −sin(πx) on [−1, 1], moved to [0, 2], until the front is steepest.
fn burgers() -> Result<Problem, RunError> {
    let viscosity = 0.02;
    let world = World { viscosity, length: 2.0, ..World::default() };
    let series = FourierSeries { length: 2.0, terms: vec![([1, 0], [0.0, 1.0])] };
    let domain = Domain::new(&[0.0, 0.0], &[2.0, 0.5])?;
    Ok(Problem::burgers(Burgers { viscosity }, domain, 60, move |x| world.cole_hopf(&series, x[0], x[1]))?)
}

/// Adam and rounds of L-BFGS, ten times as long in the full tier. The weight of the residual is ten times that of the
/// released code, which was better for all arms on seeds 100 and 101.
fn fit(run: &Run, residual_weight: f64, [adam_steps, rounds]: [usize; 2]) -> Fit {
    let longer = run.scaled(1, 10);
    Fit {
        points: run.scaled(600, 2000),
        residual_weight,
        adam_steps: adam_steps * longer,
        lbfgs: Lbfgs { memory: 20, iterations: 50, tolerance: 1e-10 },
        rounds: rounds * longer,
        seed: run.seed,
        ..Fit::default()
    }
}

/// The network's fit: a learning rate of its own, and three quarters of the iterations, which makes times alike.
fn of_network(fit: &Fit) -> Fit {
    let lbfgs = Lbfgs { iterations: fit.lbfgs.iterations * 3 / 4, ..fit.lbfgs };
    Fit { learning_rate: 3e-3, adam_steps: fit.adam_steps * 3 / 4, lbfgs, ..fit.clone() }
}

fn ansatz(arm: &str, domain: &Domain) -> Box<dyn Ansatz> {
    let pig = Pig { domain: domain.clone(), ..Pig::default() };
    match arm {
        PIG => Box::new(pig),
        // Eight by eight: widths of the lattice's spacing leave no gaps.
        FROZEN => Box::new(Pig { sigma: 0.25, centres: Centres::Lattice, ..pig }),
        _ => Box::new(Perceptron { widths: vec![64; 4], fourier: Some((32, 1.0)), domain: domain.clone() }),
    }
}

/// The solution on the lattice and the Gaussians over it, as `[3, PIXELS, PIXELS]`, x to the right and y upwards.
fn draw(exact: &[f64], [mu_x, mu_y, sigma_x, sigma_y]: &[Vec<f64>; 4]) -> Vec<f32> {
    let mut picture = vec![1.0; 3 * PIXELS * PIXELS];
    let mut set = |column: usize, row: usize, colour: [f32; 3]| {
        (0..3).for_each(|c| picture[(c * PIXELS + row) * PIXELS + column] = colour[c]);
    };
    for (row, column) in (0..PIXELS).flat_map(|r| (0..PIXELS).map(move |c| (r, c))) {
        let (x, y) = (column * LATTICE / PIXELS, (PIXELS - 1 - row) * LATTICE / PIXELS);
        let value = exact[x * LATTICE + y] as f32;
        let pale = 1.0 - 0.7 * value.abs();
        set(column, row, if value > 0.0 { [1.0, pale, pale] } else { [pale, pale, 1.0] });
    }
    for ((x, y), (a, b)) in mu_x.iter().zip(mu_y).zip(sigma_x.iter().zip(sigma_y)) {
        for step in 0..360 {
            let (sin, cos) = f64::from(step).to_radians().sin_cos();
            let pixel = |v: f64| (0.5 * (v + 1.0) * PIXELS as f64).floor();
            let (column, row) = (pixel(x + a * cos), PIXELS as f64 - 1.0 - pixel(y + b * sin));
            let inside = |v: f64| v >= 0.0 && v < PIXELS as f64;
            if inside(column) && inside(row) {
                set(column as usize, row as usize, [0.2; 3]);
            }
        }
    }
    picture
}
