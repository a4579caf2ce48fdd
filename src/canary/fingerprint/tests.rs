//! Cut-offs on a virtual time line: streams are arithmetic here, so an hour takes no time.

use super::*;

/// The cut-offs that users report (ALB, Cloudflare, Heroku, Azure, NLB and others).
const KNOWN: [f64; 9] = [30.0, 55.0, 60.0, 100.0, 120.0, 230.0, 240.0, 300.0, 350.0];

fn seconds(value: f64) -> Duration {
    Duration::from_secs_f64(value)
}

fn sample(age: f64, silence: f64, survived: f64) -> Sample {
    Sample {
        age: seconds(age),
        silence: seconds(silence),
        survived: seconds(survived),
    }
}

/// A stream whose heartbeats come each `beat` from `phase` on, cut at `total`.
fn beaten(total: f64, beat: f64, phase: f64) -> Sample {
    let since_first = total - phase;
    if since_first < 0.0 {
        return sample(total, total, 0.0);
    }
    let survived = if since_first < beat { phase } else { beat };
    sample(total, since_first % beat, survived.max(phase))
}

fn suspected(interval: Option<f64>, ends: &[Sample]) -> Option<(CutOff, f64)> {
    let mut fingerprint = Fingerprint::default();
    if let Some(interval) = interval {
        fingerprint.learned(seconds(interval));
    }
    for end in ends {
        fingerprint.ended(*end);
    }
    let found = fingerprint.suspicion()?;
    Some((found.kind, found.after.as_secs_f64()))
}

fn check(interval: Option<f64>, ends: &[Sample], expected: Option<(CutOff, f64)>) {
    let found = suspected(interval, ends);
    let fits = match (found, expected) {
        (None, None) => true,
        (Some((kind, at)), Some((wanted, after))) => {
            kind == wanted && (at - after).abs() <= after * 0.01
        }
        _ => false,
    };
    assert!(fits, "{found:?}, not {expected:?}, of {ends:?}");
}

#[test]
fn each_known_cut_off_is_recognised_at_three_ends() {
    for cut in KNOWN {
        // A silent server: nothing came since the stream opened.
        let silent = [0.0, 0.11, 0.05].map(|late| sample(cut + late, cut + late, 0.0));
        check(None, &silent[..2], None);
        check(None, &silent, Some((CutOff::Idle, cut)));
        // A server that stopped after some beats, so that ages differ by heartbeats.
        let hung =
            [1.0, 4.0, 2.0].map(|beats| sample(cut + 15.0 * beats, cut + 0.02 * beats, 15.0));
        check(Some(15.0), &hung, Some((CutOff::Idle, cut)));
        // Beats go on, at any phase: silences differ by up to a heartbeat.
        let beating = [1.0, 13.0, 7.0].map(|phase| beaten(cut + phase / 100.0, 15.0, phase));
        check(Some(15.0), &beating, Some((CutOff::Total, cut)));
        // At the same phase silence repeats too, but a heartbeat's silence cuts nobody.
        let in_step = [0.0, 0.01, 0.02].map(|late| beaten(cut + late, 15.0, 7.0));
        check(Some(15.0), &in_step, Some((CutOff::Total, cut)));
    }
}

/// Where in the heartbeat the cut is noticed; one at once, one after a whole beat.
const NOTICED: [[f64; 5]; 3] = [
    [0.0, 0.99, 0.4, 0.7, 0.2],
    [1.0, 0.5, 0.02, 0.3, 0.9],
    [0.6, 0.0, 1.0, 0.8, 0.1],
];

/// Ends of a stream that is cut so, noticed at such shares of a heartbeat. Without one, nothing is late.
fn cut(kind: CutOff, after: f64, beat: Option<f64>, noticed: &[f64]) -> Vec<Sample> {
    let end = |(number, share): (usize, &f64)| {
        let value = after + beat.map_or(share / 20.0, |beat| share * beat);
        let (lively, usual) = (3.0 * number as f64, beat.unwrap_or(9.0));
        match kind {
            CutOff::Idle => sample(
                value + lively,
                value,
                if beat.is_some() { usual } else { 0.0 },
            ),
            CutOff::Total => sample(value, usual - lively / 4.0, usual),
        }
    };
    noticed.iter().enumerate().map(end).collect()
}

#[test]
fn a_known_cut_off_is_recognised_at_three_ends_though_noticed_a_heartbeat_late() {
    for known in KNOWN {
        for kind in [CutOff::Idle, CutOff::Total] {
            for beat in [None, Some(5.0), Some(15.0)] {
                // Half of the cut-off is too much for three.
                let needed = if (known, beat) == (30.0, Some(15.0)) {
                    5
                } else {
                    3
                };
                for noticed in NOTICED {
                    let ends = cut(kind, known, beat, &noticed[..needed]);
                    check(beat, &ends[..needed - 1], None);
                    check(beat, &ends, Some((kind, known)));
                }
            }
        }
    }
}

#[test]
fn wherever_in_the_heartbeat_it_is_noticed_the_value_is_less_than_a_heartbeat_off() {
    let mut random = fastrand::Rng::with_seed(7);
    for known in KNOWN {
        for (beat, kind) in [
            (5.0, CutOff::Total),
            (15.0, CutOff::Idle),
            (15.0, CutOff::Total),
        ] {
            for _ in 0..50 {
                let noticed: Vec<f64> = (0..5).map(|_| random.f64()).collect();
                let ends = cut(kind, known, Some(beat), &noticed);
                let found = suspected(Some(beat), &ends);
                let near = found.filter(|(found, at)| *found == kind && (at - known).abs() < beat);
                assert!(near.is_some(), "{found:?}, not {kind} {known}, of {ends:?}");
            }
        }
    }
}

#[test]
fn of_two_known_values_more_ends_tell_which() {
    let at = |late: &[f64], cut: f64| -> Vec<Sample> {
        let end = |late: &f64| sample(cut + late, 4.0, 15.0);
        late.iter().map(end).collect()
    };
    // All of them could be 60 s; the first end says that it is 55.
    let ends = at(&[2.0, 8.0, 13.0, 6.0], 55.0);
    check(Some(15.0), &ends, Some((CutOff::Total, 55.0)));
    check(Some(15.0), &ends[1..], Some((CutOff::Total, 60.0)));
    // And here that it is not.
    let ends = at(&[14.0, 2.0, 9.0, 5.0], 60.0);
    check(Some(15.0), &ends, Some((CutOff::Total, 60.0)));
}

#[test]
fn each_other_end_lately_asks_for_one_more() {
    let other = sample(17.0, 2.0, 15.0);
    let cuts = |ends: usize| {
        let late = [3.0, 14.0, 9.0, 1.0, 6.0, 12.0, 4.0];
        late[..ends]
            .iter()
            .map(|late| sample(100.0 + late, 4.0, 15.0))
            .collect::<Vec<_>>()
    };
    for (others, needed) in [(0, 3), (1, 4), (2, 5), (4, 7), (20, 7)] {
        let mut ends = vec![other; others];
        // The same end over and over would be a cut-off itself.
        for (number, end) in ends.iter_mut().enumerate() {
            end.age += seconds(3.0 * number as f64 * if number % 2 == 0 { 1.0 } else { 20.0 });
        }
        let with = |cut: usize| [ends.clone(), cuts(cut)].concat();
        check(Some(15.0), &with(needed - 1), None);
        check(Some(15.0), &with(needed), Some((CutOff::Total, 100.0)));
    }
}

#[test]
fn a_stream_that_lives_longer_meanwhile_refutes_it() {
    let mut fingerprint = Fingerprint::default();
    fingerprint.learned(seconds(15.0));
    for late in [3.0, 14.0, 9.0, 1.0, 6.0] {
        // Another stream of the leg goes on: nothing cuts at 100 s.
        fingerprint.outlived(seconds(500.0 + late), seconds(15.0));
        fingerprint.ended(sample(100.0 + late, 4.0, 15.0));
        assert_eq!(fingerprint.suspicion(), None);
    }
    let mut fingerprint = Fingerprint::default();
    fingerprint.learned(seconds(5.0));
    for late in [3.0, 0.5, 4.9] {
        fingerprint.outlived(seconds(99.0), seconds(70.0));
        fingerprint.ended(sample(400.0 * late, 60.0 + late, 5.0));
    }
    assert_eq!(
        fingerprint.suspicion(),
        None,
        "a silence of 70 s was lived through"
    );
}

#[test]
fn an_unknown_cut_that_is_noticed_a_heartbeat_late_takes_more_ends() {
    let noticed = |late: &[f64], cut: f64| -> Vec<Sample> {
        late.iter()
            .map(|late| sample(cut + late, 0.1, 5.0))
            .collect()
    };
    let late = [0.0, 4.9, 2.1, 3.3, 1.2, 4.4, 0.4, 2.8];
    for (cut, ends) in [(320.0, 4), (210.0, 5), (135.0, 5), (76.0, 6), (26.0, 8)] {
        assert_eq!(
            suspected(Some(5.0), &noticed(&late[..ends - 1], cut)),
            None,
            "{cut}"
        );
        let found = suspected(Some(5.0), &noticed(&late[..ends], cut));
        let (kind, at) = found.unwrap_or_else(|| panic!("{cut} after {ends}"));
        assert!(
            kind == CutOff::Total && at >= cut && at <= cut + 5.0,
            "{cut}: {at}"
        );
    }
    // Without a heartbeat nothing excuses the jitter.
    check(None, &noticed(&late, 60.0), None);
}

#[test]
fn other_ends_in_between_cost_one_more() {
    let cut = sample(60.0, 3.0, 15.0);
    let other = sample(17.0, 2.0, 15.0);
    check(Some(15.0), &[cut, other, cut, other, cut], None);
    check(
        Some(15.0),
        &[cut, other, cut, other, cut, other, cut],
        Some((CutOff::Total, 60.0)),
    );
}

#[test]
fn streams_that_die_at_once_are_no_cut_off() {
    check(None, &[sample(0.2, 0.2, 0.0); 8], None);
}

#[test]
fn a_stream_that_outlives_it_withdraws_it() {
    let mut fingerprint = Fingerprint::default();
    fingerprint.learned(seconds(1.0));
    for _ in 0..3 {
        fingerprint.ended(sample(60.0, 0.5, 1.0));
    }
    assert!(fingerprint.suspicion().is_some());
    fingerprint.outlived(seconds(61.0), Duration::ZERO);
    assert!(
        fingerprint.suspicion().is_some(),
        "within a heartbeat proves nothing"
    );
    fingerprint.ended(sample(20.0, 0.5, 1.0));
    assert!(
        fingerprint.suspicion().is_some(),
        "nor does another end before it"
    );
    fingerprint.outlived(seconds(68.0), Duration::ZERO);
    assert_eq!(fingerprint.suspicion(), None);
}

#[test]
fn a_setting_that_changed_is_followed() {
    let mut ends = vec![sample(60.0, 60.0, 0.0); 5];
    ends.extend([sample(300.0, 300.0, 0.0); 3]);
    check(None, &ends, Some((CutOff::Idle, 300.0)));
    ends.extend([sample(30.0, 30.0, 0.0); 3]);
    check(None, &ends, Some((CutOff::Idle, 30.0)));
}

mod chance;
