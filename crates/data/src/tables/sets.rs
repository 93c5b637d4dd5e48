//! The tables that the registry lists.

use super::{Layout, Table, Target, csv_rows};
use crate::error::{DataError, Result};
use crate::lines::{Lines, plain_or_gzipped};
use std::path::Path;

impl Table {
    /// UCI Adult, its training part: 32,561 people, whether they earn more than 50,000 dollars a year (class 1). The
    /// sampling weight `fnlwgt` is left out, as usual.
    ///
    /// # Errors
    /// [`DataError`], with the line for malformed rows.
    pub fn adult(path: &Path) -> Result<Table> {
        let layout = Layout {
            numeric: &["age", "education-num", "capital-gain", "capital-loss", "hours-per-week"],
            categorical: &[
                "workclass",
                "education",
                "marital-status",
                "occupation",
                "relationship",
                "race",
                "sex",
                "native-country",
            ],
            target: "income-per-year",
            classes: &[("<=50K", "at most 50K"), (">50K", "more than 50K")],
            ..COMMA
        };
        Table::load(path, &layout)
    }

    /// Statlog German credit: 1,000 applicants, good (class 0) or bad credit.
    ///
    /// # Errors
    /// [`DataError`], with the line for malformed rows.
    pub fn german_credit(path: &Path) -> Result<Table> {
        let layout = Layout {
            numeric: &[
                "month",
                "credit_amount",
                "investment_as_income_percentage",
                "residence_since",
                "age",
                "number_of_credits",
                "people_liable_for",
            ],
            categorical: &[
                "status",
                "credit_history",
                "purpose",
                "savings",
                "employment",
                "personal_status",
                "other_debtors",
                "property",
                "installment_plans",
                "housing",
                "skill_level",
                "telephone",
                "foreign_worker",
            ],
            target: "credit",
            classes: &[("1", "good"), ("2", "bad")],
            ..COMMA
        };
        Table::load(path, &layout)
    }

    /// ProPublica's COMPAS data, 7,214 defendants: whether a new offence followed within two years (class 1). The
    /// variables are those known at screening; the scores under study are left out. ProPublica's own analysis filters
    /// rows further, this does not.
    ///
    /// # Errors
    /// [`DataError`], with the line for malformed rows.
    pub fn compas(path: &Path) -> Result<Table> {
        let layout = Layout {
            numeric: &["age", "juv_fel_count", "juv_misd_count", "juv_other_count", "priors_count"],
            categorical: &["sex", "race", "c_charge_degree"],
            target: "two_year_recid",
            classes: &[("0", "no new offence"), ("1", "new offence")],
            ..COMMA
        };
        Table::load(path, &layout)
    }

    /// FICO's home equity lines of credit (HELOC), 9,871 applicants, 23 numbers: whether the loan was repaid (class 1).
    ///
    /// # Errors
    /// [`DataError`], with the line for malformed rows.
    pub fn heloc(path: &Path) -> Result<Table> {
        let layout = Layout {
            numeric: &[
                "ExternalRiskEstimate",
                "MSinceOldestTradeOpen",
                "MSinceMostRecentTradeOpen",
                "AverageMInFile",
                "NumSatisfactoryTrades",
                "NumTrades60Ever2DerogPubRec",
                "NumTrades90Ever2DerogPubRec",
                "PercentTradesNeverDelq",
                "MSinceMostRecentDelq",
                "MaxDelq2PublicRecLast12M",
                "MaxDelqEver",
                "NumTotalTrades",
                "NumTradesOpeninLast12M",
                "PercentInstallTrades",
                "MSinceMostRecentInqexcl7days",
                "NumInqLast6M",
                "NumInqLast6Mexcl7days",
                "NetFractionRevolvingBurden",
                "NetFractionInstallBurden",
                "NumRevolvingTradesWBalance",
                "NumInstallTradesWBalance",
                "NumBank2NatlTradesWHighUtilization",
                "PercentTradesWBalance",
            ],
            target: "RiskPerformance",
            classes: &[("0.0", "bad"), ("1.0", "good")],
            ..COMMA
        };
        Table::load(path, &layout)
    }

    /// One of scikit-learn's classification tables (`breast_cancer.csv`, `iris.csv`, `wine_data.csv`): a first row of
    /// the number of rows, of variables, and the class names; then numbers and the class. Variables are called `x0`, `x1`, ….
    ///
    /// # Errors
    /// [`DataError`], with the line for malformed rows.
    pub fn scikit_learn(path: &Path) -> Result<Table> {
        let path = plain_or_gzipped(path);
        let rows = csv_rows(&path, b',')?;
        let Some(((line, header), data)) = rows.split_first() else {
            return Err(DataError::Empty { path, expected: "a header and rows of numbers" });
        };
        let sizes: Option<Vec<usize>> = header.iter().take(2).map(|cell| cell.parse().ok()).collect();
        let Some([declared, width]) = sizes.as_deref() else {
            return Err(DataError::line(&path, *line, "expected the number of rows, of variables, and class names"));
        };
        let fits = |row: &[String]| row.len().checked_sub(1) == Some(*width);
        if data.is_empty() || *declared != data.len() || !data.iter().all(|(_, row)| fits(row)) {
            let reason =
                format!("the header declares {declared} rows of {width} variables and a class, but the rows differ");
            return Err(DataError::line(&path, *line, reason));
        }
        let classes: Vec<(String, &str)> =
            header[2..].iter().enumerate().map(|(i, n)| (i.to_string(), n.as_str())).collect();
        let classes: Vec<(&str, &str)> = classes.iter().map(|(i, n)| (i.as_str(), *n)).collect();
        numbered(&path, *width, b',', 1, &classes)
    }

    /// The diabetes study of Efron et al. 2004 as scikit-learn has it, 442 patients, ten numbers (not scaled), the
    /// progression after a year; from `diabetes_data_raw.csv` and `diabetes_target.csv` in a folder.
    ///
    /// # Errors
    /// [`DataError`], with the line for malformed rows.
    pub fn diabetes(folder: &Path) -> Result<Table> {
        let names = ["age", "sex", "bmi", "bp", "s1", "s2", "s3", "s4", "s5", "s6"];
        let layout = Layout { delimiter: b' ', header: Some(&names), numeric: &names, target: "age", ..COMMA };
        let mut table = Table::load(&folder.join("diabetes_data_raw.csv"), &layout)?;
        // The target has a file of its own.
        let mut targets = Vec::new();
        let path = folder.join("diabetes_target.csv");
        Lines::open(&path)?.for_each(|line| {
            targets.push(line.real(line.text.trim(), "the target")?);
            Ok(())
        })?;
        if targets.len() != table.len() {
            return Err(DataError::LabelCount { path, labels: targets.len(), examples: table.len() });
        }
        table.target = Target::Real(targets);
        Ok(table)
    }

    /// scikit-learn's digits, 1,797 images of 8×8 pixels of 0 to 16, row by row.
    ///
    /// # Errors
    /// [`DataError`], with the line for malformed rows.
    pub fn digits(path: &Path) -> Result<Table> {
        let names: Vec<String> = (0..10).map(|d| d.to_string()).collect();
        let classes: Vec<(&str, &str)> = names.iter().map(|n| (n.as_str(), n.as_str())).collect();
        numbered(path, 64, b',', 0, &classes)
    }
}

const COMMA: Layout<'static> =
    Layout { delimiter: b',', header: None, skip: 0, numeric: &[], categorical: &[], target: "", classes: &[] };

/// A file of `width` numbers a row, `x0`, `x1`, …, and then the target.
fn numbered(path: &Path, width: usize, delimiter: u8, skip: usize, classes: &[(&str, &str)]) -> Result<Table> {
    let mut names: Vec<String> = (0..width).map(|i| format!("x{i}")).collect();
    names.push("target".to_string());
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let layout =
        Layout { delimiter, header: Some(&names), skip, numeric: &names[..width], target: "target", classes, ..COMMA };
    Table::load(path, &layout)
}
