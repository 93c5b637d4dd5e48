//! The `series` world: parts sum up, follow their laws, and are where they are said to be.

use perturb_data::worlds::series::*;

#[test]
fn parts_sum_and_are_what_they_are_called() {
    let world = Components { anomalies: 3, switching: 0.02, ..Components::default() };
    let mut kinds = std::collections::HashSet::new();
    for index in 0..100 {
        let s = world.sample(1, index);
        for t in 0..world.length {
            let sum = s.trend[t] + s.season[t] + s.level[t] + s.noise[t] + s.anomaly[t];
            assert_eq!(s.values[t], sum);
            let inside = s.intervals.iter().any(|(_, times)| times.contains(&t));
            assert!(inside || s.anomaly[t] == 0.0);
            if t > 0 {
                assert!(s.regime[t] == s.regime[t - 1] || s.regime[t] == s.regime[t - 1] + 1);
                assert_eq!(s.regime[t] == s.regime[t - 1], s.level[t] == s.level[t - 1]);
            }
        }
        assert!(s.intervals.windows(2).all(|w| w[0].1.end <= w[1].1.start) && s.intervals.len() == 3);
        // The trend bends once: second differences vanish but at one or two times.
        let bends = s.trend.windows(3).filter(|w| (w[0] - 2.0 * w[1] + w[2]).abs() > 1e-12).count();
        assert!(bends <= 2, "{bends}");
        // Seasons of 24 and 168 steps: the sum repeats after 168.
        assert!((0..300).all(|t| (s.season[t] - s.season[t + 168]).abs() < 1e-9));
        for (kind, times) in &s.intervals {
            let added = &s.anomaly[times.clone()];
            match kind {
                Anomaly::Spike => assert_eq!(added.len(), 1),
                Anomaly::Shift => assert!(added.iter().all(|a| *a == added[0])),
                Anomaly::Oscillation => assert!((added[0] + added[2]).abs() < 1e-12 && added[1].abs() < 1e-12),
            }
            assert!((added[0].abs() - 1.8).abs() < 1e-12);
            kinds.insert(*kind);
        }
    }
    assert_eq!(kinds.len(), 3);
}

/// Variance and autocorrelation of the noise over 200 series of 512 steps: five standard errors of the mean of 200.
#[test]
fn noise_is_autoregressive() {
    let world = Components::default();
    let (mut variances, mut correlations) = (Vec::new(), Vec::new());
    for index in 0..200 {
        let noise = world.sample(2, index).noise;
        variances.push(noise.iter().map(|v| v * v).sum::<f64>() / 512.0);
        correlations.push(noise.windows(2).map(|w| w[0] * w[1]).sum::<f64>() / 511.0);
    }
    for (found, expected) in [(variances, 0.09), (correlations, 0.7 * 0.09)] {
        let mean = found.iter().sum::<f64>() / 200.0;
        let spread = found.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / 199.0;
        assert!((mean - expected).abs() < 5.0 * (spread / 200.0).sqrt(), "{mean} instead of {expected}");
    }
}

#[test]
fn motifs_are_where_they_are_said_to_be() {
    let world = Motifs::default();
    let mut classes = [0; 4];
    for index in 0..400 {
        let s = world.sample(3, index);
        classes[s.motif as usize] += 1;
        let own: Vec<f64> = s.times.clone().map(|t| s.signal[t * 3 + s.channel]).collect();
        assert_eq!(own.len(), 24);
        let elsewhere = (0..s.signal.len()).filter(|&i| i % 3 != s.channel || !s.times.contains(&(i / 3)));
        assert!(elsewhere.into_iter().all(|i| s.signal[i] == 0.0));
        let noise: f64 = s.values.iter().zip(&s.signal).map(|(v, m)| (v - m).powi(2)).sum::<f64>() / 384.0;
        assert!((noise - 1.0).abs() < 0.8, "{noise}");
    }
    assert!(classes.iter().all(|&n| (n as f64 - 100.0).abs() < 5.0 * 8.7), "{classes:?}");
    // Finely sampled, motifs have mean 0 and the squared amplitude as mean square: the midpoint rule errs by 10⁻⁴.
    for index in 0..20 {
        let s = Motifs { length: 512, width: 240, ..world }.sample(3, index);
        let (sum, square): (f64, f64) = (s.signal.iter().sum(), s.signal.iter().map(|v| v * v).sum());
        assert!((sum / 240.0).abs() < 1e-3 && (square / 240.0 - 4.0).abs() < 1e-3, "{:?}: {sum} {square}", s.motif);
    }
}

#[test]
fn hidden_states_choose_the_feature_that_counts() {
    let world = HiddenStates::default();
    let (mut stays, mut steps, mut surprise, mut sums, mut counts) = (0.0, 0.0, 0.0, [[0.0; 3]; 2], [0.0; 2]);
    for index in 0..200 {
        let s = world.sample(4, index);
        for t in 0..200 {
            let (state, x) = (s.states[t], &s.values[3 * t..][..3]);
            let feature = if state == 0 { x[1] } else { x[2] };
            assert!(s.salient[t] == 1 + state && (s.probabilities[t] - 1.0 / (1.0 + (-feature).exp())).abs() < 1e-15);
            surprise += f64::from(u8::from(s.labels[t])) - s.probabilities[t];
            if t > 0 {
                stays += f64::from(u8::from(s.states[t] == s.states[t - 1]));
                steps += 1.0;
            }
            (0..3).for_each(|i| sums[state][i] += x[i]);
            counts[state] += 1.0;
        }
    }
    assert!((stays / steps - 0.9f64).abs() < 5.0 * (0.09f64 / steps).sqrt());
    assert!(surprise.abs() < 5.0 * (0.25f64 * 40_000.0).sqrt());
    for ((sums, count), means) in sums.iter().zip(counts).zip(world.means) {
        for (sum, mean) in sums.iter().zip(means) {
            let found = sum / count;
            assert!((found - mean).abs() < 5.0 * (0.8f64 / count).sqrt(), "{found} and {mean}");
        }
    }
}

/// The phase's rate is the frequency that is stated: numerically, from the samples' analytic form.
#[test]
fn tones_have_the_stated_frequency_and_amplitude() {
    for index in 0..20 {
        let world = Tones { frequency: [0.01, 0.01], ..Tones::default() };
        let s = world.sample(5, index);
        assert!(s.values.iter().zip(&s.amplitude).all(|(x, a)| x.abs() <= a + 1e-12));
        let (mut cycles, mut last) = (0.0, 0);
        // Between upward zero crossings the frequency integrates to one cycle.
        let crossings: Vec<usize> = (1..1024).filter(|&t| s.values[t - 1] < 0.0 && s.values[t] >= 0.0).collect();
        for window in crossings.windows(2) {
            let integral: f64 = (window[0]..window[1]).map(|t| 0.5 * (s.frequency[t - 1] + s.frequency[t])).sum();
            // Crossings are known to a step, which is at most 0.015 cycles.
            assert!((integral - 1.0).abs() < 0.035, "{integral}");
            (cycles, last) = (cycles + integral, window[1]);
        }
        assert!(cycles > 7.0 && last > 900);
        let longer = Tones { windows: 100, ..world }.sample(5, index);
        assert_eq!(longer.values[..1024], s.values[..]);
    }
}

#[test]
fn scales_span_their_decades() {
    let world = Scales { noise: 0.0, ..Scales::default() };
    let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
    for index in 0..300 {
        let s = world.sample(6, index);
        let log = s.amplitude.log10();
        (low, high) = (low.min(log), high.max(log));
        let whole = ((512.0 / s.period).floor() * s.period) as usize;
        let mean = s.values[..whole].iter().sum::<f64>() / whole as f64;
        let variance = s.values[..whole].iter().map(|v| (v - mean).powi(2)).sum::<f64>() / whole as f64;
        // At least eight periods of 16 or more steps; rounding of the level bounds what can be read below it.
        let floor = 1e-12 * s.level.abs();
        assert!((mean - s.level).abs() < 0.15 * s.amplitude + floor, "{mean} {}", s.level);
        assert!((variance.sqrt() / s.amplitude - 1.0).abs() < 0.15, "{} {}", variance.sqrt(), s.amplitude);
    }
    assert!(low < -3.8 && high > 3.8 && low >= -4.0 && high <= 4.0);
    // Mean 0 and mean square 1, by a fine midpoint rule.
    for waveform in Waveform::ALL {
        let at = |i: i32| waveform.at((f64::from(i) + 0.5) / 1000.0);
        let (mean, square): (f64, f64) = ((0..1000).map(at).sum(), (0..1000).map(|i| at(i).powi(2)).sum());
        assert!(mean.abs() < 1e-9 && (square / 1000.0 - 1.0).abs() < 1e-5, "{waveform:?}");
    }
}

#[test]
fn series_depend_on_seed_and_index_alone() {
    let forwards: Vec<ComponentSeries> = (0..20).map(|i| Components::default().sample(7, i)).collect();
    let backwards: Vec<ComponentSeries> = (0..20).rev().map(|i| Components::default().sample(7, i)).collect();
    assert!(forwards.iter().eq(backwards.iter().rev()));
    assert_ne!(Components::default().sample(8, 0), forwards[0]);
    assert_eq!(Motifs::default().sample(1, 3), Motifs::default().sample(1, 3));
    // The smallest that can be asked for.
    assert!(Components { length: 0, ..Components::default() }.sample(0, 0).values.is_empty());
    assert_eq!(Components { length: 1, anomalies: 5, ..Components::default() }.sample(0, 0).intervals.len(), 1);
    let crowded = Components { length: 10, anomalies: 20, ..Components::default() }.sample(0, 0);
    assert!(crowded.intervals.iter().enumerate().all(|(i, (_, times))| *times == (i..i + 1)));
    assert!(Motifs { length: 0, channels: 0, ..Motifs::default() }.sample(0, 0).values.is_empty());
    assert!(Tones { windows: 0, ..Tones::default() }.sample(0, 0).values.is_empty());
}
