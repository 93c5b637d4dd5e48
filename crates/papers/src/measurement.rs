//! What one run of one seed measures.

use crate::RunError;
use serde::{Deserialize, Serialize};

/// A quantity that is measured, with the values it can take: a rule that no possible value breaks is no rule.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quantity {
    /// Its name in tables, with its unit.
    pub name: &'static str,
    /// Smallest possible value.
    pub lowest: f64,
    /// Largest possible value.
    pub highest: f64,
}

impl Quantity {
    /// A share, from 0 to 1: an accuracy, an error rate, a probability.
    pub const fn share(name: &'static str) -> Quantity {
        Quantity { name, lowest: 0.0, highest: 1.0 }
    }

    /// A quantity that is not negative: a distance, a time, a norm.
    pub const fn positive(name: &'static str) -> Quantity {
        Quantity { name, lowest: 0.0, highest: f64::INFINITY }
    }

    /// Any real number.
    pub const fn real(name: &'static str) -> Quantity {
        Quantity { name, lowest: f64::NEG_INFINITY, highest: f64::INFINITY }
    }

    /// The quantity for one method or baseline.
    pub const fn of(self, arm: &'static str) -> Measure {
        Measure { quantity: self, arm }
    }
}

/// A quantity of one arm of the experiment: of the method or of a baseline.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Measure {
    /// What is measured.
    pub quantity: Quantity,
    /// Of which arm.
    pub arm: &'static str,
}

/// A value under the names of its arm and quantity.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Value {
    /// The method or baseline.
    pub arm: String,
    /// Name of the quantity.
    pub quantity: String,
    /// Its value, finite.
    pub value: f64,
}

/// Points of a curve.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Curve {
    /// Its name.
    pub name: String,
    /// `(x, y)`, in order.
    pub points: Vec<(f64, f64)>,
}

/// A picture as a PNG file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Image {
    /// Its caption.
    pub caption: String,
    /// The file, in base64.
    pub png: String,
}

/// Everything that one seed measured: values of the method and of its baselines under the same seed, curves, pictures.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Measurements {
    values: Vec<Value>,
    curves: Vec<Curve>,
    images: Vec<Image>,
}

impl Measurements {
    /// Nothing measured yet.
    pub fn new() -> Measurements {
        Measurements::default()
    }

    /// Records a value.
    ///
    /// # Errors
    /// If it is outside what the quantity can be, not finite, or recorded before.
    pub fn record(&mut self, measure: Measure, value: f64) -> Result<(), RunError> {
        let Measure { quantity, arm } = measure;
        if !value.is_finite() || value < quantity.lowest || value > quantity.highest {
            let range = format!("between {} and {}", quantity.lowest, quantity.highest);
            return Err(RunError::Measurement(format!("{} of {arm} is {value}, expected {range}", quantity.name)));
        }
        if self.value(measure).is_some() {
            return Err(RunError::Measurement(format!("{} of {arm} was measured twice", quantity.name)));
        }
        self.values.push(Value { arm: arm.into(), quantity: quantity.name.into(), value });
        Ok(())
    }

    /// Records a curve.
    pub fn curve(&mut self, name: &str, points: Vec<(f64, f64)>) {
        self.curves.push(Curve { name: name.into(), points });
    }

    /// Keeps a picture, a PNG file.
    pub fn image(&mut self, caption: &str, png: &[u8]) {
        self.images.push(Image { caption: caption.into(), png: perturb_report::picture::base64(png) });
    }

    /// The value of a measure.
    pub fn value(&self, measure: Measure) -> Option<f64> {
        let wanted = |v: &&Value| v.arm == measure.arm && v.quantity == measure.quantity.name;
        self.values.iter().find(wanted).map(|v| v.value)
    }

    /// The points of a curve.
    pub fn points(&self, curve: &str) -> Option<&[(f64, f64)]> {
        self.curves.iter().find(|c| c.name == curve).map(|c| &c.points[..])
    }

    /// All values in the order of their measurement.
    pub fn values(&self) -> &[Value] {
        &self.values
    }

    /// All pictures.
    pub fn images(&self) -> &[Image] {
        &self.images
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_must_be_possible() {
        let error = Quantity::share("error");
        let mut found = Measurements::new();
        found.record(error.of("method"), 0.25).unwrap();
        found.record(error.of("baseline"), 1.0).unwrap();
        assert_eq!(found.value(error.of("method")), Some(0.25));
        for (arm, value) in [("x", 1.5), ("x", f64::NAN), ("x", -0.1), ("method", 0.25)] {
            assert!(found.record(error.of(arm), value).is_err(), "{arm} {value}");
        }
    }

    #[test]
    fn reading_back_gives_the_very_numbers() {
        let mut found = Measurements::new();
        for (i, value) in [0.1, 1.0 / 3.0, f64::MIN_POSITIVE, 5e-324, 0.1 + 0.2].into_iter().enumerate() {
            let arm = ["a", "b", "c", "d", "e"][i];
            found.record(Quantity::real("q").of(arm), value).unwrap();
            found.curve(arm, vec![(value, -value)]);
        }
        let text = serde_json::to_string(&found).unwrap();
        assert_eq!(serde_json::from_str::<Measurements>(&text).unwrap(), found);
    }
}
