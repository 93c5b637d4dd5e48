//! How well adversarial examples made on one model fool others: a table, drawn as a heat map.

use crate::escape::escape;
use crate::format::percent;
use crate::html::{document, page_section, table};
use serde::Serialize;

/// What was found. Rows of the table are sources, columns models.
#[derive(Clone, Debug, Serialize)]
pub struct Transfer {
    /// Name of the attack.
    pub attack: String,
    /// Norm of the budget.
    pub norm: String,
    /// Budget; none for attacks that look for the nearest example.
    pub epsilon: Option<f64>,
    /// Where the examples come from.
    pub data: String,
    /// How many there are.
    pub examples: usize,
    /// Names of the models.
    pub models: Vec<String>,
    /// Examples made on each of the models, in their order, and others.
    pub sources: Vec<Source>,
    /// Version that wrote this.
    pub perturb_version: String,
}

/// Changed examples, and what each model makes of them.
#[derive(Clone, Debug, Serialize)]
pub struct Source {
    /// The model that they were made on, or what else they are.
    pub name: String,
    /// One for each model.
    pub rates: Vec<Rate>,
}

/// How many of the examples that a model classifies correctly it misclassifies when they are changed.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Rate {
    /// Misclassified.
    pub fooled: usize,
    /// Correct as they were.
    pub total: usize,
    /// `fooled/total`.
    pub value: f64,
    /// 95 % Clopper–Pearson interval.
    pub interval: [f64; 2],
}

impl Transfer {
    /// The page: one self-contained HTML file.
    pub fn render(&self) -> String {
        let title = format!("Transfer of {}", escape(&self.attack));
        let norm = match self.norm.as_str() {
            "linf" => "ℓ∞".into(),
            "l2" => "ℓ2".into(),
            "l1" => "ℓ1".into(),
            "l0" => "ℓ0".into(),
            other => escape(other),
        };
        let ball = match self.epsilon {
            Some(epsilon) => format!("{norm} ≤ {}", crate::format::epsilon(epsilon)),
            None => format!("{norm}, as near as possible"),
        };
        let header = format!(
            "<header>\n<p class=\"kicker\">Do adversarial examples of one model fool another?</p>\n<h1>{title}</h1>\n\
             <p class=\"about\">{ball} · {} examples of {} · {} models</p>\n</header>\n",
            self.examples,
            escape(&self.data),
            self.models.len()
        );
        let body = format!(
            "<p>{}</p>\n{}<p class=\"hint\">A share of the examples that the model of the column classifies correctly \
             unchanged. The small numbers are 95 % Clopper–Pearson intervals. Attacks that stop at the first success \
             leave the boundary of their own model only just behind, so that their examples transfer less than those \
             that use the whole budget, such as FGSM.</p>\n",
            self.sentence(),
            table(
                "Misclassified examples, made on the row's model and shown to the column's",
                "numeric heat",
                &self.head(),
                &self.rows()
            )
        );
        document(&title, &(header + &page_section("transfer", "Success rates", &body)), &self.perturb_version)
    }

    /// The mean rate of a source against all models but one, if there are any.
    fn mean_without(&self, source: usize, left_out: usize) -> Option<f64> {
        let others: Vec<f64> = self.sources[source]
            .rates
            .iter()
            .enumerate()
            .filter(|&(k, _)| k != left_out)
            .map(|(_, r)| r.value)
            .collect();
        (!others.is_empty()).then(|| others.iter().sum::<f64>() / others.len() as f64)
    }

    /// The mean rate of a source against models other than the one it was made on, if there are any.
    pub fn mean_elsewhere(&self, source: usize) -> Option<f64> {
        self.mean_without(source, source)
    }

    fn sentence(&self) -> String {
        let by_source = (0..self.models.len()).filter_map(|i| Some((i, self.mean_elsewhere(i)?)));
        match by_source.max_by(|a, b| a.1.total_cmp(&b.1)) {
            Some((best, mean)) => {
                let controls = (self.models.len()..self.sources.len()).filter_map(|i| {
                    Some(format!(", of {} {}", escape(&self.sources[i].name), percent(self.mean_without(i, best)?)))
                });
                format!(
                    "Examples made on <strong>{}</strong> transfer best: the other models misclassify {} of them on \
                     average{}.",
                    escape(&self.models[best]),
                    percent(mean),
                    controls.collect::<String>()
                )
            }
            None => "There is only one model.".into(),
        }
    }

    fn head(&self) -> Vec<String> {
        let models = self.models.iter().map(|name| escape(name));
        std::iter::once("made on".to_string()).chain(models).chain(["others, mean".to_string()]).collect()
    }

    fn rows(&self) -> String {
        let cell = |rate: &Rate, own: bool| {
            format!(
                "<td style=\"--heat:{:.3}\"{}>{}<small>{} – {}</small></td>",
                rate.value,
                if own { " class=\"own\"" } else { "" },
                percent(rate.value),
                percent(rate.interval[0]),
                percent(rate.interval[1])
            )
        };
        let row = |(i, source): (usize, &Source)| {
            let cells: String = source.rates.iter().enumerate().map(|(k, rate)| cell(rate, k == i)).collect();
            let mean = self.mean_elsewhere(i).map_or("–".into(), percent);
            format!("<tr><th scope=\"row\">{}</th>{cells}<td class=\"mean\">{mean}</td></tr>\n", escape(&source.name))
        };
        self.sources.iter().enumerate().map(row).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn transfer() -> Transfer {
        let rate = |fooled| Rate { fooled, total: 10, value: fooled as f64 / 10.0, interval: [0.0, 1.0] };
        let source = |name: &str, rates: [usize; 2]| Source { name: name.into(), rates: rates.map(rate).to_vec() };
        Transfer {
            attack: "PGD".into(),
            norm: "linf".into(),
            epsilon: Some(0.1),
            data: "<images>".into(),
            examples: 12,
            models: vec!["a".into(), "b&c".into()],
            sources: vec![source("a", [10, 3]), source("b&c", [5, 9]), source("noise", [0, 1])],
            perturb_version: "1".into(),
        }
    }

    #[test]
    fn means_leave_the_own_model_out() {
        let transfer = transfer();
        let means: Vec<Option<f64>> = (0..3).map(|i| transfer.mean_elsewhere(i)).collect();
        assert_eq!(means[..2], [Some(0.3), Some(0.5)]);
        assert!((means[2].unwrap() - 0.05).abs() < 1e-12);
    }

    #[test]
    fn the_page_has_every_rate_and_no_foreign_markup() {
        let page = transfer().render();
        for part in [
            "--heat:0.300",
            "--heat:0.900",
            "b&amp;c</strong> transfer best",
            "50.0% of them on average, of noise 0.0%",
            "ℓ∞ ≤ 0.1",
            "&lt;images&gt;",
            "noise",
        ] {
            assert!(page.contains(part), "{part} is missing");
        }
        assert!(!page.contains("<images>") && page.matches("class=\"own\"").count() == 2);
    }
}
