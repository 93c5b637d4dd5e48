//! Stronger attacks find more: APGD than PGD, AutoAttack than each of its members.

use crate::networks::{dropping, examples, random};
use perturb_attack::{
    Adversarial, Apgd, Attack, AutoAttack, Ball, Classifier, Criterion, Norm, Pgd, Seed, Version, in_turn,
};
use perturb_graph::Tensor;

struct Case {
    model: Classifier,
    inputs: Tensor,
    criterion: Criterion,
}

fn case(seed: u64, shape: &[usize], count: usize) -> Case {
    let model = Classifier::new(&random(seed, shape), 32).unwrap();
    let inputs = examples(seed, count, shape, 0.0, 1.0);
    let labels = model.predictions(&inputs).unwrap().into_iter().map(Option::unwrap).collect();
    Case { model, inputs, criterion: Criterion::Misclassify { labels } }
}

impl Case {
    fn run(&self, attack: &dyn Attack, ball: &Ball) -> Adversarial {
        attack.run(&self.model, &self.inputs, &self.criterion, ball, &Seed::new(1, 0)).unwrap()
    }

    fn broken(&self, attack: &dyn Attack, ball: &Ball) -> usize {
        self.run(attack, ball).success.iter().filter(|&&s| s).count()
    }
}

const BUDGETS: [(Norm, f64); 3] = [(Norm::Linf, 0.14), (Norm::L2, 0.5), (Norm::L1, 1.6)];

#[test]
fn apgd_finds_more_than_pgd_with_as_many_steps() {
    for (norm, epsilon) in BUDGETS {
        let ball = Ball::new(norm, epsilon, (0.0, 1.0)).unwrap();
        let (mut pgd, mut apgd, mut all) = (0, 0, 0);
        for seed in 0..12 {
            let case = case(seed, &[30], 32);
            pgd += case.broken(&Pgd { steps: 100, relative_step: 2.5 / 100.0, ..Pgd::default() }, &ball);
            apgd += case.broken(&Apgd::ce(), &ball);
            all += 32;
        }
        println!("{norm:?}: PGD {pgd}, APGD {apgd} of {all}");
        assert!(apgd >= pgd && pgd > all / 5 && apgd < all, "{norm:?}: PGD {pgd}, APGD {apgd} of {all}");
    }
}

#[test]
fn autoattack_finds_what_each_member_finds() {
    for (norm, epsilon) in [(Norm::Linf, 0.12), (Norm::L2, 0.4), (Norm::L1, 1.4)] {
        let case = case(31, &[1, 6, 5], 24);
        let ball = Ball::new(norm, epsilon, (0.0, 1.0)).unwrap();
        for version in [Version::Standard, Version::Plus] {
            let attack = AutoAttack { version };
            let together = case.run(&attack, &ball);
            let mut count = 0;
            for member in attack.members(norm) {
                let alone = case.run(member.as_ref(), &ball);
                for row in 0..24 {
                    assert!(together.success[row] || !alone.success[row], "{} {norm:?}", member.name());
                }
                count += alone.success.iter().filter(|&&s| s).count();
            }
            assert!(count > 0 && together.success.contains(&false), "{norm:?}: the budget decides nothing");
        }
    }
}

// Members see only what is left, with the random numbers of their rows: as if they had run on everything.
#[test]
fn members_run_on_survivors() {
    let case = case(32, &[20], 30);
    let ball = Ball::new(Norm::Linf, 0.1, (0.0, 1.0)).unwrap();
    let (weak, strong) = (Pgd { steps: 1, ..Pgd::default() }, Pgd::default());
    let (first, second) = (case.run(&weak, &ball), case.run(&strong, &ball));
    let members: Vec<Box<dyn Attack>> = vec![Box::new(weak), Box::new(strong)];
    let both = in_turn(&members, &case.model, &case.inputs, &case.criterion, &ball, &Seed::new(1, 0)).unwrap();
    let mut taken = [0, 0];
    for row in 0..30 {
        assert_eq!(both.success[row], first.success[row] || second.success[row]);
        let from = if first.success[row] { &first } else { &second };
        taken[usize::from(!first.success[row])] += 1;
        if both.success[row] {
            assert_eq!(both.inputs.rows(row, row + 1), from.inputs.rows(row, row + 1));
        }
        let queries = if first.success[row] { 0 } else { second.queries[row] };
        assert_eq!(both.queries[row], first.queries[row] + queries);
    }
    assert!(taken[0] > 0 && taken[1] > 0);
}

// A randomised model answers otherwise each time; attacks on it are reproducible all the same, and averaged gradients lead
// to points that more of its answers are wrong at.
#[test]
fn randomised_models_are_attacked_by_averaged_gradients() {
    let model = Classifier::new(&dropping(5, 40), 16).unwrap();
    assert!(model.is_randomized() && !case(1, &[4], 1).model.is_randomized());
    let inputs = examples(5, 24, &[40], 0.0, 1.0);
    let labels: Vec<usize> = model.predictions(&inputs).unwrap().into_iter().map(Option::unwrap).collect();
    let ball = Ball::new(Norm::Linf, 0.05, (0.0, 1.0)).unwrap();
    let criterion = Criterion::Misclassify { labels: labels.clone() };
    let attack = AutoAttack { version: Version::Rand };
    let whole = attack.run(&model, &inputs, &criterion, &ball, &Seed::new(1, 0)).unwrap();
    for (row, &label) in labels.iter().enumerate() {
        let criterion = Criterion::Misclassify { labels: vec![label] };
        let seed = Seed::new(1, row as u64);
        let one = attack.run(&model, &inputs.rows(row, row + 1), &criterion, &ball, &seed).unwrap();
        assert_eq!(one.inputs, whole.inputs.rows(row, row + 1));
        assert_eq!((one.success[0], one.queries[0]), (whole.success[row], whole.queries[row]));
    }
    // Each of 100 gradients takes 20 runs, the last point one; a model without random numbers is run once each.
    let attack = Apgd { samples: 20, ..Apgd::ce() };
    let found = attack.run(&model, &inputs, &criterion, &ball, &Seed::new(1, 0)).unwrap();
    assert!(found.queries.iter().all(|&q| q % 20 == 0 || q == 2001) && found.queries.iter().any(|&q| q > 0));
    let fixed = case(5, &[30], 24);
    let ball = Ball::new(Norm::Linf, 1e-4, (0.0, 1.0)).unwrap();
    assert_eq!(fixed.run(&attack, &ball).queries.iter().max(), Some(&101));
}
