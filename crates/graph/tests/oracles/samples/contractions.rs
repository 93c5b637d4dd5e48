//! Matrix products and convolutions.

use super::{Table, WIDE};
use perturb_graph::{Conv, Convolution, DotDims, Expr, Slot};
use rand::RngExt;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

pub fn add(table: &mut Table) {
    table.two("matrix times vector", &[2, 3], &[3], |a, b| a.matmul(b));
    table.two("vector times matrix", &[3], &[3, 2], |a, b| a.matmul(b));
    table.two("vector times matrices", &[3], &[2, 3, 2], |a, b| a.matmul(b));
    table.two("matrices that broadcast", &[2, 1, 2, 3], &[2, 3, 2], |a, b| a.matmul(b));
    table.two("inner", &[2, 3], &[2, 3], |a, b| a.inner(b));
    table.one("gram matrix", WIDE, |x| x.matmul(&x.transpose(&[1, 0])));
    for i in 0..20 {
        let (lhs, rhs, dims) = random_dot(&mut table.rng);
        table.two(format!("dot {i} {lhs:?} {rhs:?} {dims:?}"), &lhs, &rhs, |a, b| a.dot_general(b, dims.clone()));
    }
    for i in 0..24 {
        let (conv, image, kernel) = random_conv(&mut table.rng, 1 + i % 3);
        let (x, w) = (table.input("x", image), table.input("w", kernel));
        let y = Expr::apply(conv.clone(), &[x.clone(), w.clone()]).unwrap();
        let r = table.input("r", y.shape());
        let name = |slot: &str| format!("conv {slot} {i} {} {} {conv:?}", x.shape(), w.shape());
        let with = |result: Slot, like: &Expr| Convolution {
            result,
            result_spatial: like.shape()[2..].to_vec(),
            ..conv.clone()
        };
        table.add(name("response"), &[(&x, WIDE), (&w, WIDE)], y);
        let image = Expr::apply(with(Slot::Image, &x), &[r.clone(), w.clone()]).unwrap();
        table.add(name("image"), &[(&r, WIDE), (&w, WIDE)], image);
        let kernel = Expr::apply(with(Slot::Kernel, &w), &[x.clone(), r.clone()]).unwrap();
        table.add(name("kernel"), &[(&x, WIDE), (&r, WIDE)], kernel);
    }
    for groups in [1, 2] {
        let conv = Conv {
            strides: vec![2, 3],
            padding: vec![(1, 0), (0, 2)],
            dilation: vec![1, 2],
            groups,
            ..Conv::default()
        };
        let (x, w) = (table.input("x", [2, 4, 3, 2]), table.input("w", [4, 2, 2, 3]));
        let y = x.try_conv_transpose(&w, &conv, &[1, 0]).unwrap();
        table.add(format!("conv_transpose, {groups} group(s)"), &[(&x, WIDE), (&w, WIDE)], y);
    }
    let (x, w) = (table.input("x", [1, 2, 4, 5]), table.input("w", [3, 2, 2, 3]));
    table.add("conv same", &[(&x, WIDE), (&w, WIDE)], x.conv(&w, Conv::same()));
}

// Batch, contracted and free axes of random sizes at random places, the contracted ones in random order.
fn random_dot(rng: &mut ChaCha8Rng) -> (Vec<usize>, Vec<usize>, DotDims) {
    let mut sizes = |n: usize| (0..n).map(|_| rng.random_range(1..=3)).collect::<Vec<usize>>();
    let (batch, contract) = (sizes(2), sizes(2));
    let (left, right) = (sizes(1), sizes(2));
    let (nb, nc) = (rng.random_range(0..=2), rng.random_range(0..=2));
    let (nl, nr) = (rng.random_range(0..=1), rng.random_range(0..=2));
    let mut place = |free: &[usize]| {
        let roles: Vec<usize> = [&batch[..nb], &contract[..nc], free].concat();
        let mut order: Vec<usize> = (0..roles.len()).collect();
        order.shuffle(rng);
        let shape: Vec<usize> = order.iter().map(|&r| roles[r]).collect();
        let at = |role: usize| order.iter().position(|&r| r == role).unwrap();
        (shape, (0..nb).map(at).collect::<Vec<_>>(), (nb..nb + nc).map(at).collect::<Vec<_>>())
    };
    let (lhs, lhs_batch, lhs_contract) = place(&left[..nl]);
    let (rhs, rhs_batch, rhs_contract) = place(&right[..nr]);
    (lhs, rhs, DotDims { lhs_contract, rhs_contract, lhs_batch, rhs_batch })
}

fn random_conv(rng: &mut ChaCha8Rng, spatial: usize) -> (Convolution, Vec<usize>, Vec<usize>) {
    let (images, groups) = (rng.random_range(1..=2), rng.random_range(1..=3));
    let (channels, filters) = (rng.random_range(1..=2), rng.random_range(1..=2));
    let largest = if spatial == 3 { 2 } else { 3 };
    let mut draw = |lo: usize, hi: usize| (0..spatial).map(|_| rng.random_range(lo..=hi)).collect::<Vec<_>>();
    let (window, strides, dilation, low, high) = (draw(1, largest), draw(1, 3), draw(1, 2), draw(0, 2), draw(0, 2));
    let extra = draw(0, 3);
    let size = (0..spatial).map(|a| {
        let reach = dilation[a] * (window[a] - 1) + 1;
        (reach + extra[a]).saturating_sub(low[a] + high[a]).max(1)
    });
    let image = [images, channels * groups].into_iter().chain(size).collect();
    let kernel = [filters * groups, channels].into_iter().chain(window).collect();
    let padding = low.into_iter().zip(high).collect();
    let conv = Convolution { strides, padding, dilation, groups, result: Slot::Response, result_spatial: vec![] };
    (conv, image, kernel)
}
