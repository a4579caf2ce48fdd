//! Lifetimes at random: how often they look like a cut-off. The seeds are fixed, so the rates are too.

use super::*;

/// What lifetimes are drawn from.
#[derive(Clone, Copy, Debug)]
enum Lifetimes {
    /// Ends that remember nothing, of this mean.
    Exponential(f64),
    /// Anything up to this.
    Uniform(f64),
}

impl Lifetimes {
    fn draw(self, random: &mut fastrand::Rng) -> f64 {
        match self {
            Self::Exponential(mean) => -mean * (1.0 - random.f64()).ln(),
            Self::Uniform(most) => most * random.f64(),
        }
    }
}

/// The same numbers at every run, others for each mixture.
fn seeded(lifetimes: Lifetimes, beat: Option<f64>) -> fastrand::Rng {
    let (Lifetimes::Exponential(scale) | Lifetimes::Uniform(scale)) = lifetimes;
    let is_uniform = matches!(lifetimes, Lifetimes::Uniform(_));
    fastrand::Rng::with_seed(
        scale.to_bits() ^ beat.unwrap_or(0.5).to_bits() ^ u64::from(is_uniform),
    )
}

/// A leg whose server beats so, or never.
fn leg(beat: Option<f64>) -> Fingerprint {
    let mut fingerprint = Fingerprint::default();
    beat.inspect(|beat| fingerprint.learned(seconds(*beat)));
    fingerprint
}

fn end(lifetimes: Lifetimes, beat: Option<f64>, random: &mut fastrand::Rng) -> Sample {
    let age = lifetimes.draw(random);
    beat.map_or(sample(age, age, 0.0), |beat| {
        beaten(age, beat, beat * random.f64())
    })
}

/// How often a suspicion appears on a leg that goes on so.
fn alarms(lifetimes: Lifetimes, beat: Option<f64>, ends: u32) -> u32 {
    let mut random = seeded(lifetimes, beat);
    let mut fingerprint = leg(beat);
    let mut alarms = 0;
    for _ in 0..ends {
        let before = fingerprint.suspicion();
        fingerprint.ended(end(lifetimes, beat, &mut random));
        alarms += u32::from(before.is_none() && fingerprint.suspicion().is_some());
    }
    alarms
}

/// How many of so many new legs have a suspicion within their first ends.
fn alarmed(lifetimes: Lifetimes, beat: Option<f64>, legs: u32) -> u32 {
    let mut random = seeded(lifetimes, beat);
    let is_alarmed = |_: &u32| {
        let mut fingerprint = leg(beat);
        (0..16).any(|_| {
            fingerprint.ended(end(lifetimes, beat, &mut random));
            fingerprint.suspicion().is_some()
        })
    };
    (0..legs).filter(is_alarmed).count() as u32
}

const BEATS: [Option<f64>; 5] = [None, Some(1.0), Some(5.0), Some(15.0), Some(30.0)];
const SCALES: [f64; 5] = [20.0, 60.0, 150.0, 300.0, 3600.0];

/// Every mixture of lifetimes and heartbeats.
fn all() -> impl Iterator<Item = (Lifetimes, Option<f64>)> {
    let of_scale = |scale| [Lifetimes::Exponential(scale), Lifetimes::Uniform(scale)];
    let lifetimes = SCALES.into_iter().flat_map(of_scale);
    lifetimes.flat_map(|lifetimes| BEATS.map(|beat| (lifetimes, beat)))
}

#[test]
fn random_lifetimes_stay_silent() {
    const ENDS: u32 = 4000;
    let mut found = 0;
    for (lifetimes, beat) in all() {
        let alarms = alarms(lifetimes, beat, ENDS);
        assert!(alarms <= 3, "{lifetimes:?} {beat:?}: {alarms} of {ENDS}");
        found += alarms;
    }
    let ends = ENDS * all().count() as u32;
    println!("{found} of {ends} ends");
    assert!(found <= ends / 15_000, "{found} of {ends}");
}

/// The worst there is: nothing lives longer than the window is wide, so nothing disproves it.
#[test]
fn lifetimes_that_stop_at_a_window_s_end_are_rarely_taken_for_it() {
    const ENDS: u32 = 20_000;
    for (most, beat) in [(35.0, 5.0), (70.0, 15.0), (75.0, 15.0), (155.0, 30.0)] {
        let alarms = alarms(Lifetimes::Uniform(most), Some(beat), ENDS);
        println!("up to {most} s, beats of {beat} s: {alarms} of {ENDS} ends");
        assert!(alarms <= ENDS / 5000, "{most} {beat}: {alarms} of {ENDS}");
    }
}

/// Three ends are few: what a leg shows first may be chance.
#[test]
fn few_new_legs_are_taken_in_by_chance() {
    const LEGS: u32 = 300;
    let (mut found, mut worst) = (0, 0);
    for (lifetimes, beat) in all() {
        let alarmed = alarmed(lifetimes, beat, LEGS);
        found += alarmed;
        worst = worst.max(alarmed);
    }
    let legs = LEGS * all().count() as u32;
    println!("{found} of {legs} legs, at most {worst} of {LEGS}");
    assert!(found <= legs / 200, "{found} of {legs}");
    assert!(worst <= LEGS * 3 / 100, "{worst} of {LEGS}");
}
