//! Which attack within which ball, from the options.

use super::AttackArgs;
use crate::CliError;
use perturb::attack::ordered::OrderedTopK;
use perturb::attack::registry::{Entry, attacks, find};
use perturb::attack::{Attack, Ball, Norm};

/// Norms of a budget.
#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq)]
pub enum AttackNorm {
    /// Largest magnitude.
    Linf,
    /// Euclidean length.
    L2,
    /// Sum of magnitudes.
    L1,
    /// Number of coordinates.
    L0,
}

impl From<AttackNorm> for Norm {
    fn from(norm: AttackNorm) -> Norm {
        match norm {
            AttackNorm::Linf => Norm::Linf,
            AttackNorm::L2 => Norm::L2,
            AttackNorm::L1 => Norm::L1,
            AttackNorm::L0 => Norm::L0,
        }
    }
}

/// Name and title of the attack that is not one on each example.
pub const UNIVERSAL: (&str, &str) =
    ("uap", "One perturbation for all examples of a data set (Moosavi-Dezfooli et al. 2017)");

/// An attack that puts several classes first, in an order.
#[derive(Debug)]
pub struct Ordered {
    /// Its name.
    pub name: &'static str,
    /// What it is, in one line.
    pub title: &'static str,
    /// The attack with its usual settings.
    pub attack: fn() -> OrderedTopK,
}

/// The attacks that `--order` is for.
pub static ORDERED: [Ordered; 3] = [
    Ordered {
        name: "quadattack",
        title: "The classes of --order first, by projecting features (QuadAttack, Paniagua et al. 2023)",
        attack: OrderedTopK::quad_attack,
    },
    Ordered {
        name: "ordered-cw",
        title: "The classes of --order first, by a hinge for each pair of neighbours",
        attack: OrderedTopK::carlini_wagner,
    },
    Ordered {
        name: "ordered-distillation",
        title: "The classes of --order first, by adversarial distillation",
        attack: OrderedTopK::distillation,
    },
];

/// What a name stands for.
#[derive(Clone, Copy, Debug)]
pub enum Method {
    /// An attack on each example.
    Each(&'static Entry),
    /// One perturbation for all.
    Universal,
    /// An attack on the order of the classes.
    Ordered(&'static Ordered),
}

impl Method {
    /// The attack on each example, for what needs one.
    ///
    /// # Errors
    /// If it is another attack; `what` says what needs it.
    pub fn each(self, what: &str) -> Result<&'static Entry, CliError> {
        match self {
            Method::Each(entry) => Ok(entry),
            Method::Universal => Err(CliError::Usage(format!(
                "{what}; {} makes one perturbation for a data set, such as --universal DATA",
                UNIVERSAL.0
            ))),
            Method::Ordered(Ordered { name, .. }) => Err(CliError::Usage(format!(
                "{what}; {name} puts classes in an order: say which, such as --order 3,1,4"
            ))),
        }
    }
}

/// The attack of a name.
pub fn method(name: &str) -> Result<Method, String> {
    if name.eq_ignore_ascii_case(UNIVERSAL.0) {
        return Ok(Method::Universal);
    }
    if let Some(ordered) = ORDERED.iter().find(|ordered| name.eq_ignore_ascii_case(ordered.name)) {
        return Ok(Method::Ordered(ordered));
    }
    known(name).map(Method::Each)
}

/// The attack on each example of a name.
pub fn known(name: &str) -> Result<&'static Entry, String> {
    find(name).map_err(|error| format!("{error} `perturb attack --list` shows all"))
}

/// Refuses a norm that an attack does not work in.
///
/// # Errors
/// See above; the message names attacks that do.
pub fn check_norm(entry: &Entry, norm: Norm) -> Result<(), CliError> {
    if entry.norms.contains(&norm) {
        return Ok(());
    }
    let norms: Vec<&str> = entry.norms.iter().map(|n| n.name()).collect();
    let able: Vec<&str> = attacks().iter().filter(|e| e.norms.contains(&norm)).map(|e| e.name).collect();
    Err(CliError::Usage(format!(
        "{} works in {}, not in {}; attacks that do: {}",
        entry.name,
        norms.join(", "),
        norm.name(),
        able.join(", ")
    )))
}

/// An attack and the ball that it searches.
pub struct Plan {
    pub attack: Box<dyn Attack>,
    pub ball: Ball,
    /// The budget, if there is one.
    pub epsilon: Option<f64>,
}

/// The plan of an attack on each example, with values in `range`; warns of a budget that limits nothing.
///
/// # Errors
/// If the attack does not work in the norm asked for.
pub fn plan(args: &AttackArgs, entry: &'static Entry, range: (f64, f64), width: usize) -> Result<Plan, CliError> {
    let attack = entry.attack();
    let norm = args.norm.map_or(entry.norms[0], Norm::from);
    check_norm(entry, norm)?;
    let epsilon = match args.epsilon {
        None if attack.minimizes_distance() => None,
        given => Some(budget(given, norm, range, width)),
    };
    let ball = Ball::new(norm, epsilon.unwrap_or(f64::INFINITY), range)?;
    Ok(Plan { attack, ball, epsilon })
}

/// The budget given or usual in a norm; warns if every value in the range is within it.
pub fn budget(given: Option<f64>, norm: Norm, range: (f64, f64), width: usize) -> f64 {
    if let Some(epsilon) = given {
        warn_of_excess(epsilon, norm, range, width);
        return epsilon;
    }
    match norm {
        Norm::Linf => 8.0 / 255.0,
        Norm::L2 => 0.5,
        Norm::L1 => 12.0,
        Norm::L0 => 10.0,
    }
}

/// Warns if every value in the range is within a budget.
pub fn warn_of_excess(epsilon: f64, norm: Norm, (low, high): (f64, f64), width: usize) {
    let span = high - low;
    let everything = match norm {
        Norm::Linf => span,
        Norm::L2 => span * (width as f64).sqrt(),
        Norm::L1 => span * width as f64,
        Norm::L0 => width as f64,
    };
    if epsilon >= everything {
        let meant = if norm == Norm::Linf && epsilon > span && high == 1.0 && epsilon < 256.0 {
            format!("; a budget in steps of 1/255 is written --epsilon {epsilon}/255")
        } else {
            String::new()
        };
        eprintln!(
            "warning: --epsilon {epsilon} limits nothing: any two inputs with values from {low} to {high} are at most \
             {everything:.4} apart in {}{meant}",
            norm.name()
        );
    }
}
