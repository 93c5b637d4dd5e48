//! The rules of the summary, the checks and the headline, on reports made for each rule.

mod sample;

use perturb_report::audit::*;
use perturb_report::{Verdict, checks, headline};
use sample::{accuracy, mnist_like, summarise};

/// A report with the given clean and attacked accuracies (of 1000), and nothing else to tell.
fn plain(clean: usize, attacked: &[(f64, usize)]) -> AuditReport {
    let mut report = mnist_like();
    let point = |&(epsilon, correct): &(f64, usize)| CurvePoint { epsilon, accuracy: accuracy(correct, 1000) };
    report.clean = accuracy(clean, 1000);
    report.worst_case = attacked.iter().map(point).collect();
    report.settings.epsilons = attacked.iter().map(|a| a.0).collect();
    report.attacks =
        vec![AttackCurve { name: "PGD".into(), kind: AttackKind::WhiteBox, points: report.worst_case.clone() }];
    report.certificates.clear();
    report.minimal_perturbation = None;
    report.attributions = AttributionQuality::default();
    report.data.normalization.candidates.clear();
    summarise(&mut report);
    report
}

/// Adds a deterministic certificate for the model with the given counts (of `total`).
fn certify(report: &mut AuditReport, total: usize, proved: &[(f64, usize)]) {
    let point = |&(epsilon, correct): &(f64, usize)| CurvePoint { epsilon, accuracy: accuracy(correct, total) };
    report.certificates.push(CertificateCurve {
        name: "CROWN".into(),
        guarantee: Guarantee::Deterministic,
        classifier: CertifiedClassifier::Model,
        norm: report.settings.norm,
        examples: total,
        points: proved.iter().map(point).collect(),
        notes: String::new(),
    });
    summarise(report);
}

fn titled<'a>(report: &'a AuditReport, title: &str) -> Option<&'a Finding> {
    report.findings.iter().find(|f| f.title.contains(title))
}

#[test]
fn clean_accuracy_states_its_interval() {
    let report = plain(979, &[(0.1, 900)]);
    let finding = titled(&report, "Clean accuracy 97.9%").unwrap();
    assert_eq!(finding.severity, Severity::Good);
    // Clopper–Pearson for 979 of 1000.
    assert!(finding.text.contains("97.9% [96.8%, 98.7%]"), "{}", finding.text);
    assert_eq!(titled(&plain(700, &[(0.1, 600)]), "Clean accuracy").unwrap().severity, Severity::Note);
}

#[test]
fn breaking_epsilon_is_the_first_below_half_of_clean() {
    let report = plain(800, &[(0.1, 410), (0.2, 390), (0.3, 0)]);
    let finding = titled(&report, "Breaks at ε = 0.2").unwrap();
    assert_eq!(finding.severity, Severity::Warning);
    assert!(finding.text.contains("39.0%") && finding.action.as_ref().unwrap().contains("adversarial training"));
    let head = headline(&report);
    assert_eq!((head.verdict, head.epsilon), (Verdict::Fragile, Some(0.2)));
    assert_eq!(head.attacked.unwrap().correct, 390);
    // At the smallest budget tried it is critical, and comes first.
    let report = plain(800, &[(0.1, 10), (0.2, 0)]);
    assert_eq!(
        (report.findings[0].severity, report.findings[0].title.as_str()),
        (Severity::Critical, "Breaks at ε = 0.1")
    );
}

#[test]
fn a_model_that_holds_is_told_so_with_the_largest_budget() {
    let report = plain(990, &[(0.1, 950), (8.0 / 255.0 * 4.0, 900)]);
    assert!(titled(&report, "Holds up to ε = 32/255").is_some_and(|f| f.severity == Severity::Good));
    assert_eq!(headline(&report).verdict, Verdict::Holds);
    let report = plain(990, &[(0.1, 890)]);
    assert!(titled(&report, "More than half holds").is_some_and(|f| f.severity == Severity::Note));
    assert_eq!(headline(&report).verdict, Verdict::Weakened);
}

#[test]
fn l2_models_are_pointed_to_smoothing() {
    let mut report = plain(900, &[(0.5, 100)]);
    assert!(!titled(&report, "Breaks").unwrap().action.as_ref().unwrap().contains("smoothed"));
    report.settings.norm = Norm::L2;
    certify(&mut report, 1000, &[(0.5, 0)]);
    assert!(titled(&report, "Breaks").unwrap().action.as_ref().unwrap().contains("smoothed"));
    assert!(titled(&report, "prove nothing").unwrap().action.as_ref().unwrap().contains("randomized smoothing"));
}

#[test]
fn the_gap_is_stated_where_it_is_widest() {
    let mut report = plain(970, &[(0.01, 960), (0.05, 700), (0.1, 50)]);
    assert!(titled(&report, "Nothing is proved").is_some());
    certify(&mut report, 1000, &[(0.01, 900), (0.05, 120), (0.1, 0)]);
    assert!(titled(&report, "Nothing is proved").is_none());
    let text = &titled(&report, "nobody knows").unwrap().text;
    assert!(text.contains("ε = 0.05") && text.contains("12.0% (certified) and 70.0% (attacked)"), "{text}");
    // At 0.1 something survives, but nothing is proved.
    let useless = titled(&report, "prove nothing from ε = 0.1").unwrap();
    assert!(useless.action.as_ref().unwrap().contains("IBP"));
}

#[test]
fn only_comparable_certificates_count() {
    let mut report = plain(970, &[(0.1, 500)]);
    certify(&mut report, 1000, &[(0.1, 300)]);
    assert_eq!(report.proved_at(0.1).unwrap().accuracy.correct, 300);
    let original = report.certificates[0].clone();
    for change in [
        |c: &mut CertificateCurve| c.norm = Norm::L2,
        |c: &mut CertificateCurve| c.guarantee = Guarantee::Probabilistic { confidence: 0.999 },
        |c: &mut CertificateCurve| c.classifier = CertifiedClassifier::Smoothed { sigma: 0.5 },
    ] {
        report.certificates = vec![original.clone()];
        change(&mut report.certificates[0]);
        assert_eq!(report.proved_at(0.1), None);
    }
}

#[test]
fn low_clean_accuracy_suspects_the_normalization() {
    let mut report = plain(110, &[(0.1, 20)]);
    assert!(titled(&report, "Low accuracy").is_some_and(|f| f.severity == Severity::Critical));
    let candidate = |name: &str, accuracy| Candidate { name: name.into(), accuracy };
    report.data.normalization.candidates = vec![candidate("none", 0.11), candidate("−1 to 1", 0.13)];
    summarise(&mut report);
    assert!(titled(&report, "No normalization that was tried").unwrap().text.contains("−1 to 1 13.0%"));
    report.data.normalization.candidates.push(candidate("ImageNet", 0.76));
    summarise(&mut report);
    let action = titled(&report, "Another normalization").unwrap().action.clone().unwrap();
    assert!(action.contains("ImageNet"), "{action}");
}

#[test]
fn a_good_normalization_is_not_mentioned() {
    let report = mnist_like();
    assert!(titled(&report, "ormalization").is_none());
}

#[test]
fn few_examples_ask_for_more() {
    let mut report = plain(980, &[(0.1, 500)]);
    assert!(titled(&report, "Few examples").is_none());
    report.clean = accuracy(28, 30);
    report.worst_case = vec![CurvePoint { epsilon: 0.1, accuracy: accuracy(15, 30) }];
    summarise(&mut report);
    // Clopper–Pearson for 15 of 30 is [31.3 %, 68.7 %].
    let finding = titled(&report, "Few examples").unwrap();
    assert!(finding.text.contains("30 examples") && finding.text.contains("±19 percentage"), "{}", finding.text);
    let enough = accuracy(192, 385).interval;
    assert!(enough[1] - enough[0] < 0.104 && finding.action.as_ref().unwrap().contains("385"));
}

#[test]
fn no_examples_and_no_attacks_are_said() {
    let mut report = plain(980, &[(0.1, 500)]);
    report.worst_case.clear();
    report.attacks.clear();
    assert_eq!(headline(&report).verdict, Verdict::Nothing);
    report.clean = Accuracy::new(0, 0, [0.0, 1.0]);
    summarise(&mut report);
    assert_eq!(report.findings[0].title, "No examples");
}

/// The result of one check after `change` was made to a healthy report.
fn check(name: CheckName, zero: Option<(usize, usize)>, change: impl Fn(&mut AuditReport)) -> Option<bool> {
    let mut report = mnist_like();
    change(&mut report);
    checks(&report, zero).into_iter().find(|c| c.name == name).map(|c| c.passed)
}

#[test]
fn a_healthy_audit_passes_all_checks() {
    assert_eq!(checks(&mnist_like(), Some((3, 1000))).iter().map(|c| c.passed).collect::<Vec<_>>(), [true; 4]);
}

#[test]
fn black_box_attacks_must_not_beat_white_box_attacks() {
    use CheckName::BlackBoxBeatsWhiteBox as Name;
    let set = |n: usize| move |r: &mut AuditReport| r.attacks[3].points[3].accuracy = accuracy(n, 1000);
    let best = mnist_like().attacks[..3].iter().map(|a| a.points[3].accuracy.correct).min().unwrap();
    assert_eq!(check(Name, None, set(best - 10)), Some(true), "1 % is the attacks' own randomness");
    assert_eq!(check(Name, None, set(best - 11)), Some(false));
    assert_eq!(check(Name, None, |r| r.attacks.truncate(3)), None);
}

#[test]
fn accuracy_must_not_rise_with_the_budget() {
    use CheckName::AccuracyRisesWithEpsilon as Name;
    assert_eq!(
        check(Name, None, |r| r.attacks[1].points[4].accuracy = accuracy(900, 1000)),
        Some(true),
        "others break it"
    );
    let raise = |r: &mut AuditReport| r.attacks.iter_mut().for_each(|a| a.points[4].accuracy = accuracy(900, 1000));
    assert_eq!(check(Name, None, raise), Some(false));
}

#[test]
fn zero_gradients_fire_above_five_percent() {
    use CheckName::ZeroGradients as Name;
    assert_eq!(check(Name, Some((50, 1000)), |_| ()), Some(true));
    assert_eq!(check(Name, Some((51, 1000)), |_| ()), Some(false));
    assert_eq!(check(Name, Some((0, 0)), |_| ()), None);
    assert_eq!(check(Name, None, |_| ()), None);
}

#[test]
fn masked_gradients_warn_and_make_a_good_verdict_doubtful() {
    let mut report = plain(990, &[(0.1, 950)]);
    report.checks = checks(&report, Some((800, 1000)));
    report.findings = perturb_report::findings(&report);
    let finding = titled(&report, "masked").unwrap();
    assert!(finding.severity == Severity::Warning && finding.text.contains("800 of 1000"));
    assert_eq!(headline(&report).verdict, Verdict::Doubtful);
}

#[test]
fn an_attack_that_breaks_a_proof_is_critical() {
    let mut report = plain(990, &[(0.1, 500)]);
    certify(&mut report, 1000, &[(0.1, 500)]);
    assert!(titled(&report, "contradicts").is_none());
    report.certificates.clear();
    certify(&mut report, 1000, &[(0.1, 501)]);
    assert_eq!(report.findings[0].title, "An attack contradicts a certificate");
    // A certificate on a part of the examples is only contradicted by its count.
    report.certificates.clear();
    certify(&mut report, 100, &[(0.1, 90)]);
    assert!(titled(&report, "contradicts").is_none());
}

#[test]
fn distances_and_attributions_are_summed_up() {
    let report = mnist_like();
    assert!(titled(&report, "Half of the inputs flip within ℓ∞ distance").is_some());
    let finding = titled(&report, "start with integrated gradients").unwrap();
    assert!(finding.text.contains("SmoothGrad changes least"), "{}", finding.text);
    let mut report = report;
    report.minimal_perturbation =
        Some(MinimalPerturbation::from_distances("DeepFool", Norm::L2, &[None, None, Some(0.1)]));
    summarise(&mut report);
    assert!(titled(&report, "no adversarial neighbour").unwrap().text.contains("1 of 3"));
}

#[test]
fn most_severe_first() {
    let report = mnist_like();
    assert!(report.findings.windows(2).all(|w| w[0].severity <= w[1].severity));
    assert!(report.findings.len() >= 4);
}
