//! Addresses from which tokens were refused, so that each further refusal comes later. Good tokens never wait.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Refusals that are answered at once.
const FREE: u32 = 5;
/// The first pause, doubled each time.
const FIRST: Duration = Duration::from_millis(100);
/// Longest pause.
const LONGEST: Duration = Duration::from_secs(5);
/// When an address is forgotten.
const FORGIVEN: Duration = Duration::from_mins(10);
/// Addresses that are remembered.
const MOST: usize = 10_000;

/// Refusals by address. The lock is held for map operations only.
#[derive(Debug, Default)]
pub struct Failures {
    by_address: Mutex<HashMap<IpAddr, Entry>>,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    count: u32,
    last: Instant,
}

impl Failures {
    /// Counts a refusal; how long its answer is held back.
    pub fn count(&self, address: IpAddr, now: Instant) -> Duration {
        let mut by_address = self.by_address.lock().unwrap_or_else(PoisonError::into_inner);
        let recent = |entry: &Entry| now.duration_since(entry.last) < FORGIVEN;
        if by_address.len() >= MOST {
            by_address.retain(|_, entry| recent(entry));
        }
        if by_address.len() >= MOST {
            by_address.clear();
        }
        let entry = by_address.entry(network(address)).or_insert(Entry { count: 0, last: now });
        if !recent(entry) {
            entry.count = 0;
        }
        entry.count = entry.count.saturating_add(1);
        entry.last = now;
        match entry.count.checked_sub(FREE + 1) {
            None => Duration::ZERO,
            Some(doublings) => FIRST.saturating_mul(1 << doublings.min(16)).min(LONGEST),
        }
    }
}

/// One customer's network: with IPv6 he has 2^64 addresses.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64))),
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;
    use std::time::Duration;

    use tokio::time::Instant;

    use super::{FORGIVEN, Failures, LONGEST, MOST};

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn refusals_of_one_address_come_later_each_time_and_others_are_not_touched() {
        let failures = Failures::default();
        let now = Instant::now();

        let pauses: Vec<_> = (0..20).map(|_| failures.count(address("2001:db8::1"), now)).collect();

        assert_eq!(pauses[..5], [Duration::ZERO; 5]);
        assert_eq!(pauses[5..8], [100, 200, 400].map(Duration::from_millis));
        assert_eq!(pauses[19], LONGEST);
        assert_eq!(failures.count(address("2001:db8::2"), now), LONGEST);
        assert_eq!(failures.count(address("192.0.2.1"), now), Duration::ZERO);
    }

    #[test]
    fn an_address_is_forgiven_after_ten_minutes() {
        let failures = Failures::default();
        let now = Instant::now();
        let before: Vec<_> = (0..20).map(|_| failures.count(address("192.0.2.1"), now)).collect();
        assert_eq!(before.last(), Some(&LONGEST));

        assert_eq!(failures.count(address("192.0.2.1"), now + FORGIVEN), Duration::ZERO);
    }

    #[test]
    fn no_number_of_addresses_takes_more_memory() {
        let failures = Failures::default();
        let now = Instant::now();

        let free = (0..30_000_u32).all(|n| failures.count(IpAddr::from(n.to_be_bytes()), now).is_zero());

        assert!(free);
        assert!(failures.by_address.lock().unwrap().len() <= MOST);
    }
}
