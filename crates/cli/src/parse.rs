//! Values on the command line.

use perturb::graph::Norm;

/// A norm that a ball can have.
#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq)]
pub enum BallNorm {
    /// Largest magnitude.
    Linf,
    /// Euclidean length.
    L2,
    /// Sum of magnitudes.
    L1,
}

impl From<BallNorm> for Norm {
    fn from(norm: BallNorm) -> Norm {
        match norm {
            BallNorm::Linf => Norm::Linf,
            BallNorm::L2 => Norm::L2,
            BallNorm::L1 => Norm::L1,
        }
    }
}

/// A perturbation budget: a number, or a fraction such as `8/255`.
pub fn epsilon(text: &str) -> Result<f64, String> {
    let number =
        |t: &str| t.trim().parse::<f64>().map_err(|_| format!("'{text}' is not a number or a fraction such as 8/255"));
    let value = match text.split_once('/') {
        Some((a, b)) => number(a)? / number(b)?,
        None => number(text)?,
    };
    if value.is_finite() && value >= 0.0 {
        Ok(value)
    } else {
        Err(format!("a perturbation budget must be a number of at least 0, not '{text}'"))
    }
}

/// A number of at least 1.
pub fn count(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(n) if n > 0 => Ok(n),
        _ => Err(format!("expected a whole number of at least 1, not '{text}'")),
    }
}

/// `NAME=SIZE`.
pub fn dimension(text: &str) -> Result<(String, usize), String> {
    let wrong = || format!("expected NAME=SIZE with a size of at least 1, not '{text}'");
    let (name, size) = text.split_once('=').ok_or_else(wrong)?;
    match size.parse() {
        Ok(size) if size > 0 && !name.is_empty() => Ok((name.to_string(), size)),
        _ => Err(wrong()),
    }
}

/// A pair `LOW:HIGH` of finite numbers.
pub fn range(text: &str) -> Result<(f64, f64), String> {
    let wrong = || format!("expected LOW:HIGH with LOW < HIGH, such as 0:1 or 0:255, not '{text}'");
    let (low, high) = text.split_once(':').ok_or_else(wrong)?;
    match (low.parse::<f64>(), high.parse::<f64>()) {
        (Ok(low), Ok(high)) if low < high && low.is_finite() && high.is_finite() => Ok((low, high)),
        _ => Err(wrong()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn budgets_are_numbers_or_fractions() {
        assert_eq!(epsilon("0.1"), Ok(0.1));
        assert_eq!(epsilon("8/255"), Ok(8.0 / 255.0));
        for bad in ["-0.1", "nan", "1/0", "x", "", "inf", "-1/255"] {
            assert!(epsilon(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn dimensions_and_ranges_need_their_form() {
        assert_eq!(dimension("sequence=19"), Ok(("sequence".into(), 19)));
        assert!(["sequence", "=3", "a=0", "a=-1"].iter().all(|t| dimension(t).is_err()));
        assert_eq!(range("0:255"), Ok((0.0, 255.0)));
        assert_eq!(range("-1:1"), Ok((-1.0, 1.0)));
        assert!(["1:0", "0-1", "0:inf"].iter().all(|t| range(t).is_err()));
    }
}
