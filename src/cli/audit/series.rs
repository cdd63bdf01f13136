//! Counts over time, in slots that grow with the time they must cover.
//! Knows nothing of what is counted.

use std::collections::BTreeMap;

/// More slots than this are merged two by two.
const MOST: usize = 4096;
/// Widths of slots that people can name, in seconds.
const NICE: [i64; 16] =
    [1, 5, 15, 60, 300, 900, 1800, 3600, 3 * 3600, 6 * 3600, 12 * 3600, 86_400, 2 * 86_400, 7 * 86_400, 14 * 86_400, 28 * 86_400];

/// How much of each of `N` kinds, when.
#[derive(Debug, Clone)]
pub struct Series<const N: usize> {
    width: i64,
    slots: BTreeMap<i64, [u64; N]>,
}

/// A row of slots without gaps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slots<const N: usize> {
    /// Seconds since 1970 at which the first slot begins.
    pub start: i64,
    /// Seconds of a slot.
    pub width: i64,
    /// The counts.
    pub counts: Vec<[u64; N]>,
}

impl<const N: usize> Default for Series<N> {
    fn default() -> Self {
        Self { width: 1, slots: BTreeMap::new() }
    }
}

impl<const N: usize> Series<N> {
    /// Counts so many of a kind at a second.
    pub fn add(&mut self, second: i64, kind: usize, number: u64) {
        let slot = self.slots.entry(second.div_euclid(self.width)).or_insert([0; N]);
        if let Some(count) = slot.get_mut(kind) {
            *count += number;
        }
        if self.slots.len() > MOST {
            self.merge();
        }
    }

    fn merge(&mut self) {
        self.width *= 2;
        for (at, counts) in std::mem::take(&mut self.slots) {
            add(self.slots.entry(at.div_euclid(2)).or_insert([0; N]), &counts);
        }
    }

    /// All of it in at most so many slots of a width that people can name.
    pub fn slots(&self, most: usize) -> Slots<N> {
        let (Some((first, _)), Some((last, _))) = (self.slots.first_key_value(), self.slots.last_key_value()) else {
            return Slots { start: 0, width: 1, counts: Vec::new() };
        };
        let (first, last) = (first * self.width, last * self.width);
        let fits = |width: &i64| *width >= self.width && last.div_euclid(*width) - first.div_euclid(*width) < most as i64;
        let years = (1..).map(|number| number * 364 * 86_400);
        let width = NICE.into_iter().chain(years.take(1000)).find(fits).unwrap_or(i64::MAX);
        let start = first.div_euclid(width);
        let mut counts = vec![[0; N]; usize::try_from(last.div_euclid(width) - start + 1).unwrap_or(1)];
        for (at, slot) in &self.slots {
            let at = (at * self.width).div_euclid(width) - start;
            if let Some(sum) = usize::try_from(at).ok().and_then(|at| counts.get_mut(at)) {
                add(sum, slot);
            }
        }
        Slots { start: start.saturating_mul(width), width, counts }
    }
}

fn add<const N: usize>(sum: &mut [u64; N], more: &[u64; N]) {
    for (sum, more) in sum.iter_mut().zip(more) {
        *sum += more;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_in_slots_that_people_can_name() {
        let mut series = Series::<2>::default();
        assert!(series.slots(10).counts.is_empty());
        series.add(1_000_020, 0, 1);
        series.add(1_000_021, 1, 2);
        series.add(1_000_050, 0, 4);
        assert_eq!(series.slots(60).counts.len(), 31);
        assert_eq!(series.slots(3), Slots { start: 1_000_020, width: 15, counts: vec![[1, 2], [0, 0], [4, 0]] });
    }

    #[test]
    fn loses_nothing_however_long_it_goes_on() {
        let mut series = Series::<1>::default();
        for n in 0..20_000 {
            series.add(n * 61, 0, 1);
        }
        assert!(series.slots.len() <= MOST);
        for most in [1, 7, 60] {
            let slots = series.slots(most);
            assert!(slots.counts.len() <= most, "{slots:?}");
            assert_eq!(slots.counts.iter().map(|[count]| count).sum::<u64>(), 20_000);
        }
    }
}
