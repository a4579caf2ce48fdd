//! How canaries come back: never all at once.

use holter::canary::ending::Cause;
use holter::canary::machine::Input;
use holter::canary::{Leg, Transport};

use crate::play::Play;

#[test]
fn a_hundred_canaries_come_back_spread() {
    for failures in 1..=6 {
        let mut waits: Vec<_> = (0..100)
            .map(|seed| {
                let mut play = Play::seeded(Leg::Direct, Transport::StreamableHttp, seed);
                let mut wait = 0.0;
                for _ in 0..failures {
                    play.tick().say(Input::ReplyFailed(Cause::Refused));
                    wait = (play.canary.deadline().unwrap() - play.now).as_secs_f64();
                }
                wait
            })
            .collect();
        waits.sort_by(f64::total_cmp);
        let step = f64::from(1 << (failures - 1));
        let (least, most) = (waits[0], waits[99]);
        assert!(
            least >= step / 2.0 && most <= step,
            "{failures}: {least} to {most}"
        );
        assert!(
            most - least > 0.4 * step,
            "{failures}: within {} s",
            most - least
        );
        let crowd = waits.windows(20).map(|some| some[19] - some[0]);
        let crowd = crowd.fold(f64::INFINITY, f64::min);
        assert!(
            crowd > 0.03 * step,
            "{failures}: 20 of 100 within {crowd} s"
        );
    }
}

#[test]
fn a_hundred_canaries_do_not_start_at_once() {
    let mut starts: Vec<_> = (0..100)
        .map(|seed| {
            let play = Play::seeded(Leg::Direct, Transport::StreamableHttp, seed);
            (play.canary.deadline().unwrap() - play.now).as_secs_f64()
        })
        .collect();
    starts.sort_by(f64::total_cmp);
    assert!(starts[99] - starts[0] > 0.8, "{starts:?}");
    assert!(
        starts.windows(20).all(|some| some[19] - some[0] > 0.06),
        "{starts:?}"
    );
}
