//! Alternating measurements, so that other work of the machine affects all subjects alike.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

/// Effort of a measurement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effort {
    /// Until the figures hold.
    Full,
    /// Until it is seen that everything works; the figures mean little.
    Quick,
}

impl Effort {
    /// Returns the one number or the other.
    pub fn choose<T>(self, full: T, quick: T) -> T {
        match self {
            Self::Full => full,
            Self::Quick => quick,
        }
    }

    fn rounds(self) -> usize {
        self.choose(101, 3)
    }

    /// Returns the least time of one turn of one subject: long beside the clock's resolution, short
    /// beside the scheduler's.
    fn turn(self) -> Duration {
        self.choose(Duration::from_micros(500), Duration::from_micros(50))
    }
}

/// Something that can be done again and again.
pub struct Subject<'a>(Box<dyn FnMut() + 'a>);

impl std::fmt::Debug for Subject<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Subject")
    }
}

impl<'a> Subject<'a> {
    /// Measures this work, whose result goes to [`std::hint::black_box`].
    pub fn new<T>(mut work: impl FnMut() -> T + 'a) -> Self {
        Self(Box::new(move || {
            std::hint::black_box(work());
        }))
    }

    fn time(&mut self, runs: u32) -> Duration {
        let started = Instant::now();
        for _ in 0..runs {
            (self.0)();
        }
        started.elapsed()
    }

    /// Runs that make one turn.
    fn runs(&mut self, turn: Duration) -> u32 {
        self.time(1);
        let mut runs = 1;
        while runs < 1 << 20 && self.time(runs) < turn {
            runs *= 2;
        }
        runs
    }
}

/// Seconds of one run, turn by turn.
#[derive(Clone, Debug, Default)]
pub struct Series(Vec<f64>);

impl Series {
    /// Adds one measurement.
    pub fn push(&mut self, duration: Duration) {
        self.0.push(duration.as_secs_f64());
    }

    /// Seconds: half of the turns took longer.
    pub fn median(&self) -> f64 {
        self.percentile(50)
    }

    /// Seconds: this share of the turns, in percent, was quicker.
    pub fn percentile(&self, percent: usize) -> f64 {
        percentile(self.0.clone(), percent)
    }

    /// Returns the ratio of one run to one of `other`: the median of the ratios of each turn, which
    /// a busy machine changes less than either of the two.
    pub fn ratio_to(&self, other: &Self) -> f64 {
        let ratios = self.0.iter().zip(&other.0).map(|(own, other)| own / other);
        percentile(ratios.collect(), 50)
    }
}

/// Returns the duration below which this share of the samples, in percent, lies.
pub fn percentile_of(samples: &[Duration], percent: usize) -> Duration {
    let seconds = samples.iter().map(Duration::as_secs_f64).collect();
    Duration::from_secs_f64(percentile(seconds, percent))
}

fn percentile(mut values: Vec<f64>, percent: usize) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    let position = (values.len() * percent / 100).min(values.len().saturating_sub(1));
    values.get(position).copied().unwrap_or(f64::NAN)
}

/// Measures these subjects alternately, forwards and backwards.
pub fn in_turns<const N: usize>(effort: Effort, mut subjects: [Subject<'_>; N]) -> [Series; N] {
    let runs = subjects.each_mut().map(|subject| subject.runs(effort.turn()));
    let mut series = [const { Series(Vec::new()) }; N];
    for round in 0..effort.rounds() {
        for turn in 0..N {
            let who = if round % 2 == 0 { turn } else { N - 1 - turn };
            let took = subjects[who].time(runs[who]);
            series[who].push(took / runs[who]);
        }
    }
    series
}

/// Returns the output of a future that has nothing to wait for.
pub fn at_once<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("the future waits for something"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(seconds: &[f64]) -> Series {
        Series(seconds.to_vec())
    }

    #[test]
    fn a_ratio_is_taken_turn_by_turn() {
        // The second turn met a busy machine, which counts for neither.
        let (own, other) = (series(&[2.0, 200.0, 2.0]), series(&[1.0, 100.0, 1.0]));
        assert_eq!(own.ratio_to(&other), 2.0);
    }

    #[test]
    fn percentiles_stay_within_the_series() {
        let series = series(&[3.0, 1.0, 2.0]);
        assert_eq!((series.median(), series.percentile(99)), (2.0, 3.0));
        assert_eq!(series.percentile(100), 3.0);
    }
}
