//! A run of intervals, each found in constant time by its number.

use crate::domain::interval::Interval;
use std::collections::VecDeque;
use std::sync::Arc;

/// Numbers that a series may span, whatever it is given; what lies further apart is not kept.
const SPAN_MAX: usize = 600_000;

/// Intervals by number; numbers without anything in them take one word.
#[derive(Clone, Debug)]
pub struct Series {
    mirrors: usize,
    base: u32,
    floor: u32,
    items: VecDeque<Option<Arc<Interval>>>,
}

impl Series {
    /// An empty series for this many mirrors.
    #[must_use]
    pub fn new(mirrors: usize) -> Series {
        Series { mirrors, base: 0, floor: 0, items: VecDeque::new() }
    }

    /// The interval of this number, made if it is not there; none when it lies outside what is kept.
    pub fn get_mut(&mut self, k: u32) -> Option<&mut Interval> {
        if k < self.floor {
            return None;
        }
        if self.items.is_empty() {
            self.base = k;
        }
        if k < self.base {
            let before = (self.base - k) as usize;
            if self.items.len() + before > SPAN_MAX {
                return None;
            }
            (0..before).for_each(|_| self.items.push_front(None));
            self.base = k;
        }
        let place = (k - self.base) as usize;
        if place >= SPAN_MAX {
            return None;
        }
        if place >= self.items.len() {
            self.items.resize(place + 1, None);
        }
        let mirrors = self.mirrors;
        let slot = self.items.get_mut(place)?;
        Some(Arc::make_mut(slot.get_or_insert_with(|| Arc::new(Interval::new(mirrors)))))
    }

    /// The interval of this number, to change it, if it is there.
    pub fn existing_mut(&mut self, k: u32) -> Option<&mut Interval> {
        let place = k.checked_sub(self.base)? as usize;
        self.items.get_mut(place)?.as_mut().map(Arc::make_mut)
    }

    /// The interval of this number.
    #[must_use]
    pub fn get(&self, k: u32) -> Option<&Arc<Interval>> {
        self.items.get(k.checked_sub(self.base)? as usize)?.as_ref()
    }

    /// The oldest number that is kept; none where nothing is.
    #[must_use]
    pub fn first(&self) -> Option<u32> {
        (!self.items.is_empty()).then_some(self.base)
    }

    /// Puts a finished interval in its place.
    pub fn insert(&mut self, k: u32, interval: Interval) {
        if let Some(slot) = self.get_mut(k) {
            *slot = interval;
        }
    }

    /// Forgets what lies before number `k`.
    pub fn trim(&mut self, k: u32) {
        self.floor = self.floor.max(k);
        while self.base < k && !self.items.is_empty() {
            self.items.pop_front();
            self.base += 1;
        }
    }

    /// Every interval that is there, with its number, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = (u32, &Arc<Interval>)> {
        (self.base..).zip(&self.items).filter_map(|(k, i)| i.as_ref().map(|i| (k, i)))
    }

    /// Those from number `from` through `to`, oldest first.
    pub fn between(&self, from: u32, to: u32) -> impl Iterator<Item = (u32, &Arc<Interval>)> {
        let first = from.saturating_sub(self.base) as usize;
        let start = self.base.saturating_add(first as u32);
        let count = (u64::from(to) + 1).saturating_sub(u64::from(start)) as usize;
        let items = self.items.iter().skip(first).take(count);
        (start..).zip(items).filter_map(|(k, i)| i.as_ref().map(|i| (k, i)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_are_found_by_number_in_any_order_of_making() {
        let mut s = Series::new(1);
        for k in [100, 103, 98] {
            s.get_mut(k).unwrap().primary_ops = k;
        }
        assert_eq!(s.between(98, 102).map(|i| i.0).collect::<Vec<_>>(), [98, 100]);
        assert_eq!(s.between(99, 500).map(|i| i.0).collect::<Vec<_>>(), [100, 103]);
        assert_eq!(s.between(5, 20).count(), 0);
        s.trim(100);
        assert!(s.get(98).is_none() && s.existing_mut(101).is_none());
        assert_eq!(s.get(103).unwrap().primary_ops, 103);
        assert!(s.get_mut(98).is_none(), "what was forgotten stays forgotten");
        assert!(s.get_mut(u32::MAX).is_none(), "what lies too far away is not kept");
    }
}
