//! How often one subject may ask: a token bucket each (GCRA), told in the `RateLimit` headers.
//!
//! The headers follow draft-ietf-httpapi-ratelimit-headers-11.

use std::num::NonZeroU32;

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use governor::clock::{Clock as _, DefaultClock};
use governor::middleware::StateInformationMiddleware;
use governor::state::keyed::DefaultKeyedStateStore;
use governor::{Quota, RateLimiter};

use crate::app::{Caller, Role};
use crate::domain::ids::Owner;
use crate::http::problem::{Code, Problem};

const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const LIMIT: HeaderName = HeaderName::from_static("ratelimit");
/// Subjects that may be remembered before those at rest are forgotten.
const SUBJECTS: usize = 10_000;

/// Counts the requests of each subject.
#[derive(Debug)]
pub struct Limiter {
    buckets: RateLimiter<Owner, DefaultKeyedStateStore<Owner>, DefaultClock, StateInformationMiddleware>,
    policy: HeaderValue,
}

/// What is left to a subject; `None` for whom no limit holds.
#[derive(Clone, Debug)]
pub struct Allowance {
    headers: Option<[(HeaderName, HeaderValue); 2]>,
}

impl Limiter {
    /// Lets each subject ask `per_second` times a second, and `burst` times at once.
    pub fn new(per_second: NonZeroU32, burst: NonZeroU32) -> Self {
        let quota = Quota::per_second(per_second).allow_burst(burst);
        let window_s = burst.get().div_ceil(per_second.get());
        let policy = text(&format!("\"default\";q={burst};w={window_s}"));
        Self { buckets: RateLimiter::keyed(quota).with_middleware(), policy }
    }

    /// Counts one request of `caller`.
    ///
    /// # Errors
    /// A 429 that says when to come back; the request doesn't count then.
    pub fn check(&self, caller: &Caller) -> Result<Allowance, Problem> {
        match caller.role {
            Role::Backend | Role::Admin => return Ok(Allowance { headers: None }),
            Role::Student | Role::Teacher => {}
        }
        if self.buckets.len() > SUBJECTS {
            self.buckets.retain_recent();
        }
        match self.buckets.check_key(&caller.subject) {
            Ok(left) => Ok(self.allowance(left.remaining_burst_capacity(), 1)),
            Err(refused) => {
                let wait = refused.wait_time_from(DefaultClock::default().now());
                let seconds = wait.as_millis().div_ceil(1000).max(1);
                let seconds = u64::try_from(seconds).unwrap_or(u64::MAX);
                let mut problem = Problem::new(Code::RateLimited, "slow down").retry_after(seconds);
                problem.headers.extend(self.allowance(0, seconds).headers.into_iter().flatten());
                Err(problem)
            }
        }
    }

    fn allowance(&self, left: u32, seconds: u64) -> Allowance {
        let limit = text(&format!("\"default\";r={left};t={seconds}"));
        Allowance { headers: Some([(POLICY, self.policy.clone()), (LIMIT, limit)]) }
    }
}

impl Allowance {
    /// Writes what is left into an answer.
    pub fn write(self, headers: &mut HeaderMap) {
        for (name, value) in self.headers.into_iter().flatten() {
            headers.insert(name, value);
        }
    }
}

fn text(value: &str) -> HeaderValue {
    HeaderValue::from_str(value).unwrap_or(HeaderValue::from_static(""))
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use axum::http::HeaderMap;

    use super::Limiter;
    use crate::app::{Caller, Role};

    fn caller(subject: &str, role: Role) -> Caller {
        Caller { subject: subject.parse().unwrap(), role }
    }

    fn strict() -> Limiter {
        Limiter::new(NonZeroU32::MIN, NonZeroU32::new(2).unwrap())
    }

    #[test]
    fn one_subject_over_its_limit_does_not_slow_another() {
        let limiter = strict();
        let alice = caller("alice", Role::Student);
        limiter.check(&alice).unwrap();
        limiter.check(&alice).unwrap();

        let refused = limiter.check(&alice).unwrap_err();

        assert_eq!(refused.code.status(), 429);
        assert!(refused.headers.iter().any(|(name, _)| name == "retry-after"));
        assert!(limiter.check(&caller("bob", Role::Student)).is_ok());
    }

    #[test]
    fn a_backend_has_no_limit() {
        let limiter = strict();
        let backend = caller("platform", Role::Backend);

        assert!((0..10).all(|_| limiter.check(&backend).is_ok()));
    }

    #[test]
    fn what_is_left_is_told() {
        let mut headers = HeaderMap::new();

        strict().check(&caller("alice", Role::Student)).unwrap().write(&mut headers);

        assert_eq!(headers["ratelimit-policy"], "\"default\";q=2;w=2");
        assert_eq!(headers["ratelimit"], "\"default\";r=1;t=1");
    }
}
