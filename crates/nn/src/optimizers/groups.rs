//! Parameter groups: which parameters learn faster, decay, or do not move.

use perturb_graph::Expr;

/// Settings of some of the parameters. Of several groups that a parameter belongs to, the first counts.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    /// Which parameters.
    pub select: Select,
    /// Factor of their learning rate.
    pub rate: f64,
    /// Their weight decay, if not the optimizer's.
    pub weight_decay: Option<f64>,
    /// Whether they stay as they are.
    pub frozen: bool,
}

/// Which parameters belong to a [`Group`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Select {
    /// Those whose name matches a pattern, in which `*` stands for any number of characters: `*.bias`, `encoder.*`.
    Name(String),
    /// Those of at most one axis: biases and the scales of norms, which usually do not decay.
    Vectors,
    /// All.
    All,
}

impl Group {
    /// Those that match `pattern`, with ordinary settings.
    pub fn of(pattern: impl Into<String>) -> Group {
        Group { select: Select::Name(pattern.into()), rate: 1.0, weight_decay: None, frozen: false }
    }

    /// Those that match `pattern` stay as they are.
    pub fn frozen(pattern: impl Into<String>) -> Group {
        Group { frozen: true, ..Group::of(pattern) }
    }

    /// No weight decay for parameters of at most one axis.
    pub fn vectors_do_not_decay() -> Group {
        Group { select: Select::Vectors, rate: 1.0, weight_decay: Some(0.0), frozen: false }
    }

    /// Whether the parameter belongs to this group.
    pub fn contains(&self, parameter: &Expr) -> bool {
        match &self.select {
            Select::Name(pattern) => matches(pattern, parameter.name().unwrap_or_default()),
            Select::Vectors => parameter.rank() <= 1,
            Select::All => true,
        }
    }
}

fn matches(pattern: &str, name: &str) -> bool {
    let Some((head, rest)) = pattern.split_once('*') else { return pattern == name };
    let Some(tail) = name.strip_prefix(head) else { return false };
    // Where a character may be skipped is where the star ends.
    (0..=tail.len()).filter(|&i| tail.is_char_boundary(i)).any(|i| matches(rest, &tail[i..]))
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn stars_stand_for_anything() {
        for (pattern, name) in
            [("*.bias", "a.b.bias"), ("a.*", "a.weight"), ("*", ""), ("a*b*c", "a.b.b.c"), ("x", "x")]
        {
            assert!(matches(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in [("*.bias", "bias"), ("a.*", "b.a.c"), ("a*b", "abc"), ("", "x")] {
            assert!(!matches(pattern, name), "{pattern} {name}");
        }
    }
}
