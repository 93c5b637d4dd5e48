//! Sheets of densities, fields and series.

use super::canvas::{CLASSES, Canvas, FAINT, INK, Panel, Rgb, diverging, range, sequential};
use perturb_data::worlds::WorldError;
use perturb_data::worlds::mixtures::{Checkerboard, Density, gmm8, gmm25, moons, rings, spiral, swiss_roll};
use perturb_data::worlds::pde::*;
use perturb_data::worlds::series::{Components, HiddenStates, Motifs, Scales, Tones};

/// Above: samples, coloured by class. Below: the density after noise of 0.25.
pub fn mixtures() -> Canvas {
    let densities: [(&dyn Density, f64); 7] = [
        (&gmm8(), 3.0),
        (&gmm25(), 5.0),
        (&Checkerboard::default(), 2.6),
        (&moons(), 2.2),
        (&swiss_roll(), 2.8),
        (&rings(), 3.0),
        (&spiral(), 2.8),
    ];
    let mut canvas = Canvas::new(7 * 114 + 4, 2 * 114 + 4);
    for (column, (density, reach)) in densities.into_iter().enumerate() {
        let panel =
            |row: usize| Panel::new(4 + 114 * column, 4 + 114 * row, 110, 110, [-reach, reach], [-reach, reach]);
        let points = density.dataset(1, 700);
        for (x, class) in points.points.as_slice::<f64>().chunks(2).zip(&points.classes) {
            canvas.dot(&panel(0), [x[0], x[1]], 1.0, CLASSES[class % 8]);
        }
        canvas.frame(&panel(0));
        let level = |x: f64, y: f64| density.log_prob(&[x, y], 0.25).exp();
        let grid = |i: usize| -reach + 2.0 * reach * (i as f64 + 0.5) / 55.0;
        let highest = (0..55 * 55).map(|k| level(grid(k % 55), grid(k / 55))).fold(0.0, f64::max);
        canvas.paint(&panel(1), |x, y| sequential(level(x, y) / highest));
        canvas.frame(&panel(1));
    }
    canvas
}

/// Space–time pictures of the equations on a line (time upwards), and last states of those in the plane.
pub fn pde() -> Result<Canvas, WorldError> {
    let mut canvas = Canvas::new(6 * 134 + 4, 2 * 134 + 4);
    let mut lines = |column: usize, equation: &dyn Evolution, end: f64| -> Result<(), WorldError> {
        let times: Vec<f64> = (0..130).map(|i| end * f64::from(i) / 129.0).collect();
        let solution = equation.sample(3, 1, &times)?;
        let shape = solution.fields.shape();
        let (channels, n) = (shape[1], shape[2]);
        let values = solution.fields.as_slice::<f64>();
        let largest = values.chunks(n).step_by(channels).flatten().fold(0.0f64, |m, v| m.max(v.abs()));
        let panel = Panel::new(4 + 134 * (column % 6), 4 + 134 * (column / 6), 130, 130, [0.0, n as f64], [0.0, 130.0]);
        canvas.paint(&panel, |x, t| diverging(values[t as usize * channels * n + x as usize] / largest));
        Ok(())
    };
    lines(0, &Heat::default(), 1.0)?;
    lines(1, &Advection::default(), 1.0)?;
    lines(2, &Wave::default(), 1.0)?;
    lines(3, &Burgers { viscosity: 0.05, ..Burgers::default() }, 3.0)?;
    lines(4, &Kdv::default(), 6.0)?;
    lines(5, &KuramotoSivashinsky::default(), 120.0)?;
    lines(6, &AllenCahn::default(), 8.0)?;
    let mut plane = |column: usize, n: usize, values: &[f64], color: &dyn Fn(f64) -> Rgb| {
        let panel = Panel::new(4 + 134 * (column % 6), 138, 130, 130, [0.0, n as f64], [0.0, n as f64]);
        canvas.paint(&panel, |x, y| color(values[y as usize * n + x as usize]));
    };
    let gray_scott = GrayScott { step: 2.0, ..GrayScott::default() };
    let spots = gray_scott.sample(1, 0, &[2500.0])?;
    plane(7, 128, &spots.fields.as_slice::<f64>()[128 * 128..], &|v| sequential(v / 0.4));
    let flow = NavierStokes { n: 128, viscosity: 0.003, ..NavierStokes::default() };
    let vortices = flow.sample(1, 0, &[5.0])?;
    plane(8, 128, vortices.fields.as_slice::<f64>(), &|v| diverging(v / 4.0));
    let poisson = Poisson::default();
    let potential = poisson.solve(&poisson.source(1, 0).on_plane(64))?;
    let largest = potential.iter().fold(0.0f64, |m, v| m.max(v.abs()));
    plane(9, 64, &potential, &|v| diverging(v / largest));
    let darcy = Darcy { permeability: Permeability::TwoPhase { high: 12.0, low: 3.0, modes: 12 }, ..Darcy::default() };
    let permeability = darcy.permeability(2, 6);
    plane(10, 64, &permeability, &|v| if v > 5.0 { [0.95, 0.93, 0.88] } else { [0.75, 0.68, 0.55] });
    let pressure = darcy.solve(&permeability, &vec![1.0; 64 * 64])?;
    let largest = pressure.iter().fold(0.0f64, |m, v| m.max(*v));
    plane(11, 64, &pressure, &|v| sequential(v / largest));
    Ok(canvas)
}

/// From above: a series with its anomalies shaded and its parts, a motif, hidden states, a tone, three scales.
pub fn series() -> Canvas {
    let mut canvas = Canvas::new(808, 514);
    let sample = Components::default().sample(4, 2);
    let whole = Panel::new(4, 4, 800, 120, [0.0, 512.0], range(&sample.values));
    canvas.paint(&whole, |x, _| {
        if sample.intervals.iter().any(|(_, times)| times.contains(&(x as usize))) {
            [1.0, 0.86, 0.8]
        } else {
            [1.0; 3]
        }
    });
    canvas.curve(&whole, &sample.values, 1.5, INK);
    let parts = [&sample.trend, &sample.season, &sample.level, &sample.noise, &sample.anomaly];
    for (i, part) in parts.into_iter().enumerate() {
        let panel = Panel::new(4 + 162 * i, 128, 152, 64, [0.0, 512.0], range(part));
        canvas.curve(&panel, part, 1.2, CLASSES[i]);
        canvas.frame(&panel);
    }
    let motif = Motifs { channels: 2, ..Motifs::default() }.sample(3, 5);
    for channel in 0..2 {
        let line: Vec<f64> = motif.values.iter().skip(channel).step_by(2).copied().collect();
        let panel = Panel::new(4, 200 + 52 * channel, 395, 50, [0.0, 127.0], range(&line));
        let shaded = |x: f64| channel == motif.channel && motif.times.contains(&(x as usize));
        canvas.paint(&panel, |x, _| if shaded(x) { [0.84, 0.93, 0.88] } else { [1.0; 3] });
        canvas.curve(&panel, &line, 1.2, INK);
    }
    let states = HiddenStates::default().sample(3, 0);
    for feature in 0..3 {
        let line: Vec<f64> = states.values.iter().skip(feature).step_by(3).copied().collect();
        let panel = Panel::new(409, 200 + 35 * feature, 395, 33, [0.0, 199.0], range(&line));
        canvas.paint(&panel, |x, _| if states.salient[x as usize] == feature { [1.0, 0.93, 0.75] } else { [1.0; 3] });
        canvas.curve(&panel, &line, 1.0, INK);
    }
    let tone = Tones { windows: 40, ..Tones::default() }.sample(3, 1);
    let panel = Panel::new(4, 312, 800, 90, [0.0, 640.0], [-1.6, 1.6]);
    canvas.curve(&panel, &tone.amplitude, 1.2, CLASSES[3]);
    canvas.curve(&panel, &tone.values, 1.0, CLASSES[0]);
    for column in 0..4 {
        let wave = Scales { length: 256, ..Scales::default() }.sample(2, column);
        let panel = Panel::new(4 + 202 * column as usize, 410, 194, 100, [0.0, 255.0], range(&wave.values));
        canvas.line(&panel, [0.0, wave.level], [255.0, wave.level], 1.0, FAINT);
        canvas.curve(&panel, &wave.values, 1.2, CLASSES[column as usize + 4]);
        canvas.frame(&panel);
    }
    canvas
}
