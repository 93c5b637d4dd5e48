//! Sheets of graphs, sentences, chains and markets.

use super::canvas::{CLASSES, Canvas, FAINT, INK, Panel, range, sequential};
use perturb_data::worlds::WorldError;
use perturb_data::worlds::grammar::{English, Tree};
use perturb_data::worlds::graphs::*;
use perturb_data::worlds::market::{Market, mean_variance};
use perturb_data::worlds::markov::{Chain, Hmm, Mdp};
use perturb_data::worlds::sem::{Dag, Intervention, LinearLaw, NoiseLaw, Sem};

/// Observational rows (blue) and their twins under do(x = 2) (orange) of pairs of variables: cause and effect, effect
/// and cause, two effects; the last panel is a nonlinear model. Lines join twins.
pub fn sem() -> Result<Canvas, WorldError> {
    let mut canvas = Canvas::new(4 * 184 + 4, 188);
    let dag = || Dag::from_edges(3, &[(0, 1), (0, 2), (1, 2)]).expect("acyclic");
    let law = LinearLaw { noise: NoiseLaw::Uniform, ..LinearLaw::default() };
    let (linear, nonlinear) = (Sem::linear(dag(), &law, 3), Sem::nonlinear(dag(), &LinearLaw::default(), 4));
    let panels = [(&linear, 0, 1, 0), (&linear, 0, 1, 1), (&linear, 1, 2, 1), (&nonlinear, 1, 2, 0)];
    for (column, (model, a, b, node)) in panels.into_iter().enumerate() {
        let changed = model.intervene(&[Intervention::Hard { node, value: 2.0 }])?;
        let [before, after] = [model, &changed].map(|m| m.dataset(1, 350));
        let pick = |rows: &[f64]| rows.chunks(3).map(|x| [x[a], x[b]]).collect::<Vec<[f64; 2]>>();
        let (before, after) = (pick(before.as_slice()), pick(after.as_slice()));
        let all = |i: usize| range(&before.iter().chain(&after).map(|p| p[i]).collect::<Vec<f64>>());
        let panel = Panel::new(4 + 184 * column, 4, 180, 180, all(0), all(1));
        before.iter().zip(&after).take(25).for_each(|(from, to)| canvas.line(&panel, *from, *to, 0.6, FAINT));
        before.iter().for_each(|p| canvas.dot(&panel, *p, 1.5, CLASSES[0]));
        after.iter().for_each(|p| canvas.dot(&panel, *p, 1.5, CLASSES[1]));
        canvas.frame(&panel);
    }
    Ok(canvas)
}

/// The tree of a sentence, words as bars of their lengths; below, how often sentences have each number of words, and
/// their log-probabilities.
pub fn grammar() -> Canvas {
    let english = English::new();
    let mut canvas = Canvas::new(748, 420);
    let long = |tree: &Tree| (11..=13).contains(&tree.words().len());
    let tree = (0..).map(|i| english.sample(1, i)).find(long).expect("long sentences occur");
    let panel = Panel::new(4, 4, 740, 250, [-0.5, tree.words().len() as f64 - 0.5], [-9.6, 0.5]);
    draw(&mut canvas, &panel, &tree, 0, &mut 0);
    let samples: Vec<Tree> = (0..4000).map(|i| english.sample(2, i)).collect();
    let mut lengths = vec![0.0f64; 26];
    samples.iter().for_each(|t| lengths[t.words().len().min(25)] += 1.0);
    let logs: Vec<f64> = samples.iter().map(|t| -english.pcfg().tree_log_prob(t)).collect();
    let mut heights = vec![0.0f64; 40];
    let [low, high] = range(&logs);
    logs.iter().for_each(|v| heights[((v - low) / (high - low) * 40.0) as usize] += 1.0);
    for (i, (bars, color)) in [(lengths, CLASSES[0]), (heights, CLASSES[2])].into_iter().enumerate() {
        let top = bars.iter().fold(0.0f64, |m, v| m.max(*v));
        let panel = Panel::new(4 + 374 * i, 264, 366, 150, [0.0, bars.len() as f64], [0.0, 1.05 * top]);
        canvas.paint(&panel, |x, y| if y <= bars[x as usize] && x.fract() > 0.12 { color } else { [1.0; 3] });
        canvas.frame(&panel);
    }
    canvas
}

/// Draws a tree; the place of its root.
fn draw(canvas: &mut Canvas, panel: &Panel, tree: &Tree, depth: usize, word: &mut usize) -> [f64; 2] {
    match tree {
        Tree::Word(text) => {
            let at = [*word as f64, -(depth as f64)];
            *word += 1;
            let half = 0.04 * text.len() as f64;
            let color = if text == "not" { CLASSES[3] } else { CLASSES[0] };
            canvas.line(panel, [at[0] - half, at[1]], [at[0] + half, at[1]], 6.0, color);
            at
        }
        Tree::Node(symbol, children) => {
            let places: Vec<[f64; 2]> = children.iter().map(|c| draw(canvas, panel, c, depth + 1, word)).collect();
            let at = [places.iter().map(|p| p[0]).sum::<f64>() / places.len() as f64, -(depth as f64)];
            places.iter().for_each(|place| canvas.line(panel, at, *place, 1.2, INK));
            let color = match symbol.as_bytes() {
                [b'N', b'P', ..] => CLASSES[2],
                [b'V', ..] | [b'I', b'S', ..] => CLASSES[1],
                _ => INK,
            };
            canvas.dot(panel, at, 4.0, color);
            at
        }
    }
}

/// Places by springs: neighbours attract, all repel (Fruchterman and Reingold 1991), from a circle.
fn layout(graph: &Graph) -> Vec<[f64; 2]> {
    let n = graph.nodes();
    let circle = |i: usize| std::f64::consts::TAU * (i as f64 * 0.618).fract();
    let mut places: Vec<[f64; 2]> = (0..n).map(circle).map(|a| [a.cos(), a.sin()]).collect();
    let length = 1.6 / (n as f64).sqrt();
    for round in 0..400 {
        let mut forces = vec![[0.0; 2]; n];
        let mut push = |a: usize, b: usize, strength: &dyn Fn(f64) -> f64| {
            let d = [places[a][0] - places[b][0], places[a][1] - places[b][1]];
            let distance = d[0].hypot(d[1]).max(1e-3);
            for i in 0..2 {
                forces[a][i] += d[i] / distance * strength(distance);
                forces[b][i] -= d[i] / distance * strength(distance);
            }
        };
        (0..n).for_each(|a| (0..a).for_each(|b| push(a, b, &|d| length * length / d)));
        graph.edges().iter().for_each(|&(a, b)| push(a, b, &|d| -d * d / length));
        let largest = 0.1 * (1.0 - f64::from(round) / 400.0);
        for (place, force) in places.iter_mut().zip(forces) {
            let size = force[0].hypot(force[1]).max(1e-9);
            (0..2).for_each(|i| place[i] += force[i] / size * size.min(largest));
        }
    }
    places
}

/// Two rows of graphs: blocks, attachment, a tree, a geometric graph; houses, a house and a ring in trees, a cycle and
/// its cut. Colours are labels, thick lines explanations.
pub fn graphs() -> Result<Canvas, WorldError> {
    let mut canvas = Canvas::new(4 * 184 + 4, 2 * 184 + 4);
    let mut show = |cell: usize, graph: &Graph, labels: &[usize], thick: &[(usize, usize)], places: Vec<[f64; 2]>| {
        let bounds = |i: usize| range(&places.iter().map(|p| p[i]).collect::<Vec<f64>>());
        let panel = Panel::new(4 + 184 * (cell % 4), 4 + 184 * (cell / 4), 180, 180, bounds(0), bounds(1));
        for &(a, b) in graph.edges() {
            let (width, color) = if thick.contains(&(a, b)) { (2.6, CLASSES[3]) } else { (0.8, [0.62, 0.64, 0.68]) };
            canvas.line(&panel, places[a], places[b], width, color);
        }
        for (place, label) in places.iter().zip(labels) {
            canvas.dot(&panel, *place, 3.2, CLASSES[label % 8]);
        }
        canvas.frame(&panel);
    };
    let (blocks, of) =
        stochastic_block(&[14, 14, 14], &[vec![0.4, 0.02, 0.02], vec![0.02, 0.4, 0.02], vec![0.02, 0.02, 0.4]], 1)?;
    show(0, &blocks, &of, &[], layout(&blocks));
    let attached = barabasi_albert(50, 1, 4)?;
    let hubs: Vec<usize> = attached.degrees().iter().map(|&d| usize::from(d > 5)).collect();
    show(1, &attached, &hubs, &[], layout(&attached));
    let tree = balanced_tree(3, 3);
    show(2, &tree, &[2; 40], &[], layout(&tree));
    let (near, places) = geometric(60, 0.2, 5);
    show(3, &near, &near.components(), &[], places);
    let houses = BaShapes { base: 20, attached: 1, houses: 5, noise: 0.0 }.sample(2)?;
    show(4, &houses.graph, &houses.labels, &houses.motifs.concat(), layout(&houses.graph));
    for (cell, class) in [(5, 0), (6, 1)] {
        let samples = (0..).map(|i| MotifGraphs { base: 15 }.sample(3, i));
        let sample = samples.into_iter().find(|s| s.as_ref().is_ok_and(|s| s.class == class)).expect("both occur")?;
        show(cell, &sample.graph, &sample.labels, &sample.motifs[0], layout(&sample.graph));
    }
    let (closed, _, cut) = CyclePairs { ring: 8, nodes: 18 }.sample(4, 0)?;
    show(7, &closed, &[5; 18], &[cut], layout(&closed));
    Ok(canvas)
}

/// A transition matrix; distance to the stationary law over time on five rings; a hidden chain's states (dots) and
/// posterior; values of a slippery grid with its goal.
pub fn markov() -> Result<Canvas, WorldError> {
    let mut canvas = Canvas::new(4 * 184 + 4, 188);
    let panel = |column: usize, x, y| Panel::new(4 + 184 * column, 4, 180, 180, x, y);
    let chain = Chain::random(12, 1);
    let matrix = panel(0, [0.0, 12.0], [0.0, 12.0]);
    canvas.paint(&matrix, |x, y| sequential(2.5 * chain.row(11 - y as usize)[x as usize]));
    let distances = panel(1, [0.0, 30.0], [0.0, 1.0]);
    canvas.frame(&distances);
    for seed in 0..5u64 {
        // Lazy walks around rings: the longer the way, the slower.
        let n = 3 + 2 * seed as usize;
        let ring = |i: usize, j: usize| match (i + n - j) % n {
            0 => 0.5,
            gap if gap == 1 || gap + 1 == n => 0.25,
            _ => 0.0,
        };
        let chain = Chain::new(n, (0..n * n).map(|k| ring(k / n, k % n)).collect())?;
        let mut law = vec![0.0; n];
        law[0] = 1.0;
        let mut curve = Vec::new();
        for _ in 0..31 {
            curve.push(0.5 * law.iter().map(|p| (p - 1.0 / n as f64).abs()).sum::<f64>());
            law = chain.step(&law);
        }
        canvas.curve(&distances, &curve, 1.5, CLASSES[seed as usize]);
    }
    let model =
        Hmm::new(vec![0.5, 0.5], Chain::new(2, vec![0.92, 0.08, 0.08, 0.92])?, 2, vec![0.75, 0.25, 0.25, 0.75])?;
    let (states, symbols) = model.sample(80, 3, 1);
    let posterior: Vec<f64> = model.smooth(&symbols)?.into_iter().skip(1).step_by(2).collect();
    let hidden = panel(2, [0.0, 79.0], [-0.1, 1.1]);
    canvas.curve(&hidden, &posterior, 1.5, CLASSES[0]);
    states.iter().enumerate().for_each(|(t, &s)| canvas.dot(&hidden, [t as f64, s as f64], 1.6, CLASSES[3]));
    canvas.frame(&hidden);
    let (actions, values) = Mdp::grid(9, 9, 20, 0.2, 0.9)?.optimal();
    let [low, high] = range(&values);
    let grid = panel(3, [0.0, 9.0], [0.0, 9.0]);
    canvas.paint(&grid, |x, y| sequential((values[(8 - y as usize) * 9 + x as usize] - low) / (high - low)));
    for (state, action) in actions.into_iter().enumerate() {
        let (x, y) = ((state % 9) as f64 + 0.5, 8.5 - (state / 9) as f64);
        let (dx, dy) = [(0.3, 0.0), (0.0, -0.3), (-0.3, 0.0), (0.0, 0.3)][action];
        if state == 20 {
            canvas.dot(&grid, [x, y], 5.0, CLASSES[1]);
        } else {
            canvas.line(&grid, [x - dx, y - dy], [x + dx, y + dy], 1.2, INK);
            canvas.dot(&grid, [x + dx, y + dy], 2.0, INK);
        }
    }
    Ok(canvas)
}

/// Log-prices of ten assets over shaded regimes; the probability of a crash as the filter sees it; wealth (log) of equal
/// weights (grey), and of the best portfolio for known means and covariances, risk aversion 10 (green).
pub fn market() -> Result<Canvas, WorldError> {
    let mut canvas = Canvas::new(748, 420);
    let market = Market::new(3);
    let steps = 740;
    let path = market.sample(steps, 6, 2)?;
    let shade = [[1.0; 3], [1.0, 0.95, 0.82], [1.0, 0.84, 0.78]];
    let mut prices = vec![vec![0.0]; 10];
    let (mut equal, mut best) = (vec![0.0], vec![0.0]);
    for step in 0..steps {
        let returns = path.returns(step);
        let last = |line: &[f64]| *line.last().expect("starts at 0");
        prices.iter_mut().zip(returns).for_each(|(line, r)| line.push(last(line) + r.ln_1p()));
        equal.push(last(&equal) + (returns.iter().sum::<f64>() / 10.0).ln_1p());
        let weights = mean_variance(path.mean(step), path.covariance(step), 10.0)?;
        best.push(last(&best) + weights.iter().zip(returns).map(|(w, r)| w * r).sum::<f64>().ln_1p());
    }
    let x = [0.0, steps as f64];
    let regime = |x: f64| shade[path.regimes[(x as usize).min(steps - 1)]];
    let above = Panel::new(4, 4, 740, 200, x, range(&prices.concat()));
    canvas.paint(&above, |x, _| regime(x));
    prices.iter().enumerate().for_each(|(i, line)| canvas.curve(&above, line, 1.0, CLASSES[i % 8]));
    let crash: Vec<f64> = market.regime_probabilities(&path)?.into_iter().skip(2).step_by(3).collect();
    let middle = Panel::new(4, 208, 740, 50, x, [-0.05, 1.05]);
    canvas.paint(&middle, |x, _| regime(x));
    canvas.curve(&middle, &crash, 1.2, CLASSES[3]);
    let below = Panel::new(4, 262, 740, 154, x, range(&[equal.clone(), best.clone()].concat()));
    canvas.paint(&below, |x, _| regime(x));
    canvas.curve(&below, &equal, 1.4, CLASSES[7]);
    canvas.curve(&below, &best, 1.6, CLASSES[2]);
    Ok(canvas)
}
