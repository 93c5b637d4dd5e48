//! Numbers as a reader wants them.

use crate::audit::Accuracy;

/// A share in \[0, 1\] as a percentage with one decimal. Shares that are neither 0 nor 1 are never shown as 0 % or 100 %.
///
/// ```
/// use perturb_report::format::percent;
/// assert_eq!(percent(0.9791), "97.9%");
/// assert_eq!(percent(0.9999), ">99.9%");
/// assert_eq!(percent(0.0), "0.0%");
/// ```
pub fn percent(share: f64) -> String {
    if share > 0.0 && share < 0.0005 {
        "<0.1%".into()
    } else if (0.9995..1.0).contains(&share) {
        ">99.9%".into()
    } else {
        format!("{:.1}%", 100.0 * share)
    }
}

/// An accuracy with its interval, such as `97.9% [96.8%, 98.7%]`.
pub fn accuracy(a: &Accuracy) -> String {
    format!("{} {}", percent(a.value), interval(a))
}

/// The interval of an accuracy, such as `[96.8%, 98.7%]`.
pub fn interval(a: &Accuracy) -> String {
    format!("[{}, {}]", percent(a.interval[0]), percent(a.interval[1]))
}

/// A number with `digits` significant digits and no trailing zeros, in scientific notation only where it is very
/// large or very small.
///
/// ```
/// use perturb_report::format::number;
/// assert_eq!(number(0.012345, 3), "0.0123");
/// assert_eq!(number(1234.6, 3), "1235");
/// assert_eq!(number(2.5e-7, 3), "2.5e-7");
/// ```
pub fn number(value: f64, digits: usize) -> String {
    if value == 0.0 || !value.is_finite() {
        return if value == 0.0 { "0".into() } else { "not finite".into() };
    }
    let scientific = format!("{value:.*e}", digits.saturating_sub(1));
    // The exponent after rounding: 9.99 may round to 1.00e1.
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    match exponent.parse::<i32>() {
        Ok(e) if (-4..7).contains(&e) => trim_zeros(&format!("{value:.*}", (digits as i32 - 1 - e).max(0) as usize)),
        _ => format!("{}e{exponent}", trim_zeros(mantissa)),
    }
}

fn trim_zeros(text: &str) -> String {
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').into() } else { text.into() }
}

/// A budget. Multiples of 1/255, as they are usual for 8-bit images, are written so where that is shorter.
///
/// ```
/// use perturb_report::format::epsilon;
/// assert_eq!(epsilon(8.0 / 255.0), "8/255");
/// assert_eq!(epsilon(0.1), "0.1");
/// ```
pub fn epsilon(value: f64) -> String {
    let levels = value * 255.0;
    let short = number(value, 4);
    let exact = short.parse() == Ok(value);
    if !exact && value > 0.0 && value < 1.0 && (levels - levels.round()).abs() < 1e-5 && levels.round() >= 1.0 {
        format!("{levels:.0}/255")
    } else {
        short
    }
}

/// A whole number with thousands separated, such as `1,234,567`.
///
/// ```
/// assert_eq!(perturb_report::format::count(1_234_567), "1,234,567");
/// ```
pub fn count(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A duration, such as `0.42 s`, `12.3 s` or `2 min 5 s`.
pub fn seconds(value: f64) -> String {
    if value < 60.0 {
        format!("{} s", number(value, 3))
    } else {
        let whole = value.round() as u64;
        format!("{} min {} s", whole / 60, whole % 60)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_back_within_their_digits() {
        for k in -12..13 {
            for m in [1.0, 1.2345, 5.0, 9.996, 9.9999] {
                for sign in [1.0, -1.0] {
                    let value = sign * m * 10f64.powi(k);
                    let back: f64 = number(value, 3).parse().expect("a number");
                    assert!((back / value - 1.0).abs() <= 5.1e-3, "{value} shown as {}", number(value, 3));
                }
            }
        }
        assert_eq!(number(f64::NAN, 3), "not finite");
    }

    #[test]
    fn percentages_never_round_to_certainty() {
        assert_eq!(percent(1.0), "100.0%");
        assert_eq!(percent(0.99949), "99.9%");
        assert_eq!(percent(1e-9), "<0.1%");
        assert_eq!(percent(1.0 - 1e-9), ">99.9%");
    }

    #[test]
    fn epsilons_of_eight_bit_images() {
        assert_eq!(epsilon(f64::from(2.0f32 / 255.0)), "2/255");
        assert_eq!(epsilon(0.03), "0.03");
        assert_eq!(epsilon(0.0), "0");
        assert_eq!(epsilon(8.0), "8");
        assert_eq!(epsilon(51.0 / 255.0), "0.2");
    }

    #[test]
    fn durations() {
        assert_eq!(seconds(0.4217), "0.422 s");
        assert_eq!(seconds(125.2), "2 min 5 s");
    }
}
