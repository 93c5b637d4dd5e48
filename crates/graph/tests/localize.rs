//! Windows of a change, put into what is kept, against everything evaluated anew.

use perturb_graph::{Conv, DType, Expr, Graph, Localized, Place, Pool, Read, Tensor, eval};
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

fn tensor(shape: &[usize], rng: &mut impl Rng) -> Tensor {
    let count = shape.iter().product();
    Tensor::new(shape.to_vec(), (0..count).map(|_| rng.random_range(-1.0f32..1.0)).collect()).unwrap()
}

fn plane(shape: &[usize]) -> [usize; 2] {
    [shape[2], shape[3]]
}

/// All kept values for an image.
fn values(local: &Localized, image: &Tensor) -> Vec<Vec<f32>> {
    let rest = eval(&local.values.output_exprs(), &[(local.values.inputs[0].clone(), image.clone())]).unwrap();
    [image].into_iter().chain(&rest).map(|t| t.as_slice::<f32>().to_vec()).collect()
}

fn head(local: &Localized, kept: &[Vec<f32>]) -> Vec<f32> {
    let feed = |(input, &k): (&Expr, &usize)| (input.clone(), Tensor::new(input.shape(), kept[k].clone()).unwrap());
    let feeds: Vec<_> = local.head.inputs.iter().zip(&local.head_reads).map(feed).collect();
    eval(&local.head.output_exprs(), &feeds).unwrap().iter().flat_map(|t| t.as_slice::<f32>().to_vec()).collect()
}

/// Runs all steps after a window of the image has been put in.
fn update(local: &Localized, kept: &mut [Vec<f32>], at: [usize; 2]) {
    for (i, step) in local.steps.iter().enumerate() {
        let feed = |(input, read): (&Expr, &Read)| {
            let mut window = vec![read.outside as f32; input.shape().count()];
            let place = Place { origin: read.origin(local.start(i + 1, at)), size: plane(input.shape()) };
            local.whole(read.kept).copy(&kept[read.kept], &place, &mut window);
            (input.clone(), Tensor::new(input.shape(), window).unwrap())
        };
        let feeds: Vec<_> = step.graph.inputs.iter().zip(&step.reads).map(feed).collect();
        let result = eval(&step.graph.output_exprs(), &feeds).unwrap().remove(0);
        let whole = local.whole(i + 1);
        local.reached(i + 1, at).copy(result.as_slice::<f32>(), &whole, &mut kept[i + 1]);
    }
}

/// A network of convolutions with everything that may vary, pools, a residual sum and a dense layer.
fn network(rng: &mut ChaCha8Rng) -> Graph {
    let mut pick = |n: usize| rng.random_range(0..n);
    let (channels, height, width) = (1 + pick(2), 9 + pick(6), 8 + pick(7));
    let (groups, outputs) = (if channels == 2 { 1 + pick(2) } else { 1 }, 4);
    let strides = vec![1 + pick(3), 1 + pick(2)];
    let dilation = vec![1 + pick(2), 1 + pick(2)];
    let padding = vec![(pick(3), pick(2)), (pick(2), pick(3))];
    let (window, pooled, residual) = ([1 + pick(3), 1 + pick(3)], pick(3), pick(2) == 0);
    let x = Expr::input("x", [1, channels, height, width], DType::F32);
    let by_channel = |rng: &mut ChaCha8Rng| Expr::constant(tensor(&[channels, 1, 1], rng)).broadcast_to(x.shape());
    let normal = x.sub(&by_channel(rng)).mul(&by_channel(rng));
    let kernel = Expr::param("w", tensor(&[outputs, channels / groups, window[0], window[1]], rng));
    let mut y = normal.conv(&kernel, Conv { strides, padding, dilation, groups, ..Conv::default() }).relu();
    if pooled == 1 && y.shape()[2] > 2 && y.shape()[3] > 2 {
        y = y.max_pool(Pool { window: vec![2, 2], padding: vec![(1, 0), (0, 1)], ..Pool::default() });
    }
    let same = || Conv { padding: vec![(1, 1), (1, 1)], ..Conv::default() };
    if residual {
        let (a, b) = (tensor(&[outputs, outputs, 3, 3], rng), tensor(&[outputs, outputs, 3, 3], rng));
        let inner = y.conv(&Expr::param("a", a), same()).relu().conv(&Expr::param("b", b), same());
        y = inner.add(&y).relu();
    }
    let count = y.shape().count();
    let dense = Expr::param("d", tensor(&[count, 3], rng));
    Graph::new(vec![x], vec![("y".into(), y.reshape([1, count]).matmul(&dense))]).unwrap()
}

#[test]
fn windows_of_change_give_exactly_what_the_whole_gives() {
    let (mut cut, mut smaller) = (0, 0);
    for seed in 0..150 {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let graph = network(&mut rng);
        let shape = graph.input_shape(0).to_vec();
        let size = [rng.random_range(1..5), rng.random_range(1..5)];
        let Some(local) = graph.localize(size).unwrap() else { panic!("network {seed} has local parts") };
        smaller += usize::from(local.share < 0.5);
        let image = tensor(&shape, &mut rng);
        let mut kept = values(&local, &image);
        let mut pixels = kept[0].clone();
        // Changes one after another, at borders too.
        for _ in 0..6 {
            let at = [0, 1].map(|a| match rng.random_range(0..4) {
                0 => 0,
                1 => shape[2 + a] - size[a],
                _ => rng.random_range(0..=shape[2 + a] - size[a]),
            });
            let window = tensor(&[shape[1], size[0], size[1]], &mut rng);
            let place = local.reached(0, at);
            assert_eq!((place.origin, place.size), (at.map(|s| s as isize), size));
            place.copy(window.as_slice::<f32>(), &local.whole(0), &mut pixels);
            kept[0].clone_from(&pixels);
            update(&local, &mut kept, at);
            let image = Tensor::new(shape.clone(), pixels.clone()).unwrap();
            let expected = values(&local, &image);
            assert_eq!(kept, expected, "network {seed}, window {size:?} at {at:?}");
            let whole = eval(&graph.output_exprs(), &[(graph.inputs[0].clone(), image)]).unwrap();
            assert_eq!(head(&local, &kept), whole[0].as_slice::<f32>());
            cut += 1;
        }
    }
    assert_eq!(cut, 900);
    assert!(smaller > 50, "windows save work in {smaller} networks");
}

#[test]
fn what_is_not_local_is_refused() {
    let cut = |graph: &Graph, size| graph.localize(size).unwrap().is_some();
    let x = Expr::input("x", [1, 1, 6, 6], DType::F32);
    let graph = |y: &Expr| Graph::new(vec![x.clone()], vec![("y".into(), y.clone())]).unwrap();
    let kernel = Expr::param("w", tensor(&[2, 1, 3, 3], &mut ChaCha8Rng::seed_from_u64(0)));
    let response = x.conv(&kernel, Conv::default());
    assert!(cut(&graph(&response), [2, 2]));
    // As large as the image; empty; nothing local; a mask that varies over the plane.
    assert!(!cut(&graph(&response), [6, 2]) && !cut(&graph(&response), [0, 2]));
    assert!(!cut(&graph(&x.reshape([1, 36])), [2, 2]));
    let mask = Expr::constant(tensor(&[1, 2, 4, 4], &mut ChaCha8Rng::seed_from_u64(1)));
    assert!(!cut(&graph(&response.mul(&mask)), [2, 2]));
}
