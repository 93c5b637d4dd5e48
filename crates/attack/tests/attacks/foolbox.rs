//! Against foolbox on the same networks, inputs and labels; `benches/reference/foolbox_reference.py` wrote the numbers.

use perturb_attack::{Adversarial, Attack, Ball, Classifier, Criterion, DeepFool, Norm, Pgd, Seed};
use perturb_graph::{Graph, Tensor};
use perturb_nn::peers::{cnn, mlp};
use perturb_nn::recipe;
use serde_json::Value;

const EXAMPLES: usize = 64;

struct Comparison {
    expected: Value,
    model: Classifier,
    inputs: Tensor,
    criterion: Criterion,
}

impl Comparison {
    fn new(name: &str, graph: &Graph) -> Comparison {
        let file: Value = serde_json::from_str(include_str!("../fixtures/foolbox.json")).unwrap();
        assert_eq!(file["examples"], EXAMPLES);
        let expected = file["networks"][name].clone();
        let model = Classifier::new(graph, 64).unwrap();
        let mut inputs = recipe(7, [EXAMPLES, 1, 28, 28], 1.0);
        inputs.as_mut_slice::<f32>().iter_mut().for_each(|v| *v = (*v + 1.0) / 2.0);
        let labels = model.predictions(&inputs).unwrap().into_iter().map(Option::unwrap).collect();
        Comparison { expected, model, inputs, criterion: Criterion::Misclassify { labels } }
    }

    fn same_network(&self) {
        let sum: f64 = self.model.logits(&self.inputs).unwrap().to_f64_vec().iter().map(|z| z.abs()).sum();
        let expected = self.expected["logits_abs_sum"].as_f64().unwrap();
        assert!((sum / expected - 1.0).abs() < 1e-5, "{sum} for {expected}");
        let labels: Vec<u64> = self.criterion.classes().iter().map(|&l| l as u64).collect();
        assert_eq!(Value::from(labels), self.expected["labels"]);
    }

    fn run(&self, attack: &dyn Attack, ball: &Ball) -> Adversarial {
        attack.run(&self.model, &self.inputs, &self.criterion, ball, &Seed::new(0, 0)).unwrap()
    }

    // At every `stride`-th budget.
    fn pgd_finds_as_many(&self, stride: usize) {
        let pgd = Pgd { steps: 40, relative_step: 0.025, random_start: false, ..Pgd::default() };
        for (name, norm) in [("linf_pgd", Norm::Linf), ("l2_pgd", Norm::L2)] {
            let column = |key: &str| self.expected[name][key].as_array().unwrap().clone();
            for (epsilon, theirs) in column("epsilons").iter().zip(column("successes")).skip(stride - 1).step_by(stride)
            {
                let ball = Ball::new(norm, epsilon.as_f64().unwrap(), (0.0, 1.0)).unwrap();
                let ours = self.run(&pgd, &ball).success.iter().filter(|&&s| s).count() as u64;
                println!("{name} {epsilon}: {ours}, foolbox {theirs}");
                assert!(ours >= theirs.as_u64().unwrap(), "{name} {epsilon}: {ours}, foolbox {theirs}");
            }
        }
    }

    fn deepfool_is_as_near(&self) {
        for (norm, key) in [(Norm::L2, "l2"), (Norm::Linf, "linf")] {
            let theirs = &self.expected[format!("{key}_deepfool_50")];
            let ball = Ball::unbounded(norm, (0.0, 1.0)).unwrap();
            let found = self.run(&DeepFool::default(), &ball);
            let mut distances = found.distances.clone();
            distances.sort_by(f64::total_cmp);
            let median = (distances[EXAMPLES / 2 - 1] + distances[EXAMPLES / 2]) / 2.0;
            let reference = theirs["median"].as_f64().unwrap();
            println!("DeepFool {key}: {median}, foolbox {reference}");
            assert!(median <= 1.02 * reference, "{key}: {median}, foolbox {reference}");
            let successes = found.success.iter().filter(|&&s| s).count() as u64;
            assert!(successes >= theirs["successes"].as_u64().unwrap(), "{key}: {successes} successes");
        }
    }
}

#[test]
fn mlp_is_attacked_as_well() {
    let comparison = Comparison::new("mlp", &mlp());
    comparison.same_network();
    comparison.pgd_finds_as_many(1);
    comparison.deepfool_is_as_near();
}

#[test]
fn cnn_is_attacked_as_well() {
    let comparison = Comparison::new("cnn", &cnn());
    comparison.same_network();
    comparison.pgd_finds_as_many(2);
    comparison.deepfool_is_as_near();
}
