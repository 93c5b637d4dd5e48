//! Losses against PyTorch 2.15, whose numbers are given: `wave` as in the tests of layers.

use crate::layers::wave;
use crate::{assert_close, tensor};
use perturb_graph::{DType, Expr, Tensor, eval};
use perturb_nn::losses;

fn constant(k: usize, scale: f64) -> Expr {
    Expr::constant(wave(&[2, 3], k)).scale(scale)
}

#[track_caller]
fn check(loss: Expr, expected: &[f64]) {
    assert_close(&eval(&[loss], &[]).unwrap()[0].to_f64_vec(), expected, 1e-10);
}

/// Logits, labels of two examples, and soft targets.
fn classes() -> (Expr, Expr, Expr) {
    let labels = Expr::constant(Tensor::new([2], vec![2i64, 0]).unwrap());
    (constant(0, 4.0), labels, constant(5, 1.0).softmax(1))
}

#[test]
fn of_classes() {
    let (z, labels, soft) = classes();
    let hard = labels.one_hot(3, DType::F64);
    check(losses::cross_entropy(&z, &hard, 0.0), &[0.497559005024, 0.361795266566]);
    check(losses::cross_entropy_of_labels(&z, &labels), &[0.497559005024, 0.361795266566]);
    check(losses::nll(&z.log_softmax(1), &labels), &[0.497559005024, 0.361795266566]);
    check(losses::cross_entropy(&z, &hard, 0.1), &[0.58600445654, 0.477942853955]);
    check(losses::cross_entropy(&z, &soft, 0.0), &[1.210483332531, 1.532593217325]);
    check(losses::binary_cross_entropy(&z, &soft), &[1.022815006681, 0.940146632961]);
    check(losses::multi_margin(&z, &hard, 0.8), &[0.039178638166, 0.0]);
    check(losses::kl_divergence(&z, &constant(3, 4.0)), &[1.184444889103, 1.458234947594]);
    check(losses::accuracy(&z, &labels), &[1.0, 1.0]);
    // Extreme logits neither overflow nor lose the loss.
    let extreme = Expr::constant(tensor(&[1, 2], &[1000.0, -1000.0]));
    check(losses::binary_cross_entropy(&extreme, &extreme.like(0.0)), &[500.0]);
}

#[test]
fn of_values() {
    let (z, t) = (constant(0, 4.0), constant(3, 4.0));
    check(losses::mse(&z, &t), &[6.867315918622, 5.546930923447]);
    check(losses::l1(&z, &t), &[2.168150426723, 2.103011729549]);
    check(losses::huber(&z, &t, 0.7), &[1.301792532728, 1.227108210684]);
}

#[test]
fn of_embeddings_and_scores() {
    let (z, t) = (constant(0, 4.0), constant(3, 4.0));
    check(losses::triplet(&z, &t, &constant(7, 1.0), 1.0), &[3.77213104979, 3.27610616056]);
    check(losses::cosine_similarity(&z, &t), &[-0.989214859015, -0.983520100366]);
    let first = |e: &Expr| e.slice_axis(1, 0, 1).reshape([2]);
    check(losses::margin_ranking(&first(&z), &first(&t), 0.5), &[0.78224001612, 0.0]);
    let scores = Expr::constant(tensor(&[3], &[0.3, -2.0, 2.0]));
    let targets = Expr::constant(tensor(&[3], &[1.0, 1.0, 1.0]));
    check(losses::hinge(&scores, &targets), &[0.7, 3.0, 0.0]);
    check(losses::cosine_similarity(&z.scale(0.0), &t), &[0.0, 0.0]);
}
