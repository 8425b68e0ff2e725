//! Limits on the share of retries among all attempts: Finagle's budget, AWS' quota, gRPC's throttle.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::problem;
use crate::{
    AttemptFailure, Problem, Reconnect, ReconnectAction, ReconnectEvent, Time,
    unit::{Fraction, Span},
};

/// Limits retries. The first attempt after the loss of a connection is a request, and so is the very first of all; one
/// that follows on a failed attempt is a retry, and made only if the limit allows it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct RetryLimit {
    /// How the limit is counted.
    pub by: LimitBy,
    /// What to do instead of a retry that is not allowed. Default `stop`.
    #[serde(default)]
    pub denied: Denied,
}

/// How a limit is counted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum LimitBy {
    /// A share of the requests of the last while, and a reserve.
    Budget(RetryBudget),
    /// A bucket that successes fill.
    Quota(RetryQuota),
    /// A count that failures bring down and successes up.
    Throttle(RetryThrottle),
}

/// What to do instead of a retry that is not allowed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Denied {
    /// Nothing, until something else happens: fail fast, as the sources have it, whose callers are there to try again.
    #[default]
    Stop,
    /// The client makes a request of its own this long after the failure, since nothing else wakes it.
    FreshAfter(Span),
}

parameters! {
    /// Finagle's retry budget (Finagle's blog; `tower::retry::Budget` is the same): within any `ttl` no more retries than
    /// `ratio` of the requests in it and a reserve of `reserve_per_s` for each of its seconds. Reckoned in tenths of `ttl`,
    /// on the safe side.
    #[derive(Copy)]
    pub struct RetryBudget {
        /// How long a request counts. Default 10 s.
        pub ttl: Span = Span::secs(10),
        /// Retries that are always allowed, a second. Default 10: for a server's clients; for a single connection's it is
        /// no limit at all.
        pub reserve_per_s: f64 = 10.0,
        /// Retries for each request. Default 0.2.
        pub ratio: Fraction = Fraction::new(0.2).expect("a share"),
    }
}

parameters! {
    /// AWS' retry quota (aws-sdk-js-v3, issue 1258): a retry takes its cost from a bucket, and fails fast where that holds
    /// too little; its success gives the cost back, that of a request 1.
    #[derive(Copy, Eq)]
    pub struct RetryQuota {
        /// What the bucket holds, at least the costs. Default 500.
        pub capacity: u32 = 500,
        /// The cost of a retry. Default 5.
        pub cost: u32 = 5,
        /// The cost of a retry after a timeout. Default 10.
        pub timeout_cost: u32 = 10,
    }
}

parameters! {
    /// gRPC's retry throttle (proposal A6, from memory: not verified against its text): a failure takes 1 token, a success
    /// gives `token_ratio`, and retries are allowed while there are more than half of `max_tokens`.
    #[derive(Copy)]
    pub struct RetryThrottle {
        /// The most tokens, and the number to begin with, 1 to 1000. Default 10.
        pub max_tokens: u32 = 10,
        /// What a success gives, more than 0, at most `max_tokens`. Default 0.1.
        pub token_ratio: f64 = 0.1,
    }
}

impl RetryLimit {
    pub(super) fn describe(&self) -> String {
        let limit = match self.by {
            LimitBy::Budget(RetryBudget { ttl, reserve_per_s, ratio }) => {
                format!("within {ttl}, {} of the requests and {reserve_per_s} a second", ratio.get())
            }
            LimitBy::Quota(RetryQuota { capacity, cost, timeout_cost }) => format!(
                "what a bucket of {capacity} pays for, at {cost} each or {timeout_cost} after a timeout, which a success \
                 gives back"
            ),
            LimitBy::Throttle(RetryThrottle { max_tokens, token_ratio }) => format!(
                "while more than half of {max_tokens} tokens are left, of which a failure takes 1 and a success gives \
                 {token_ratio}"
            ),
        };
        let denied = match self.denied {
            Denied::Stop => "else it stops until something else happens".to_owned(),
            Denied::FreshAfter(span) => format!("else it makes a request of its own {span} later"),
        };
        format!("Retries are limited: {limit}; {denied}.")
    }

    /// Returns the longest wait that a denial makes; `None` if it may be the end.
    pub(super) fn longest(&self) -> Option<Duration> {
        match self.denied {
            Denied::Stop => None,
            Denied::FreshAfter(span) => Some(span.get()),
        }
    }

    pub(super) fn problem(&self) -> Option<Problem> {
        let (key, message, help) = match &self.by {
            LimitBy::Budget(rule) if !(0.0..=1e6).contains(&rule.reserve_per_s) => {
                let message = format!("a reserve of {} a second is outside 0 to 1,000,000", rule.reserve_per_s);
                ("budget.reserve_per_s", message, "use 10.0".to_owned())
            }
            LimitBy::Quota(rule) if rule.capacity < rule.cost.max(rule.timeout_cost) => {
                let least = rule.cost.max(rule.timeout_cost);
                let message = format!("a bucket of {} never pays for a retry that costs {least}", rule.capacity);
                ("quota.capacity", message, format!("use {least} or more"))
            }
            LimitBy::Throttle(rule) if !(1..=1_000).contains(&rule.max_tokens) => {
                let message = format!("{} tokens are outside 1 to 1000", rule.max_tokens);
                ("throttle.max_tokens", message, format!("use {}", rule.max_tokens.clamp(1, 1_000)))
            }
            LimitBy::Throttle(rule) if !(rule.token_ratio > 0.0 && rule.token_ratio <= f64::from(rule.max_tokens)) => {
                let message = format!("a success that gives {} tokens is outside 0 to `max_tokens`", rule.token_ratio);
                ("throttle.token_ratio", message, "use 0.1".to_owned())
            }
            _ => return None,
        };
        Some(problem(&format!("retry_limit.by.{key}"), message, help))
    }
}

/// [`RetryLimit`] at work.
pub(super) struct RetryLimiter {
    inner: Box<dyn Reconnect>,
    denied: Denied,
    account: Account,
    /// Why the last attempt failed; `None` if the next one is a request.
    failure: Option<AttemptFailure>,
    /// When a retry was denied: whatever the next attempt is, it is a request.
    denied_at: Option<Time>,
}

impl RetryLimiter {
    pub(super) fn new(inner: Box<dyn Reconnect>, rule: &RetryLimit) -> Self {
        let account = match rule.by {
            LimitBy::Budget(rule) => Account::Budget(Budget::new(rule)),
            LimitBy::Quota(rule) => Account::Quota { rule, left: rule.capacity, spent: 0 },
            LimitBy::Throttle(rule) => Account::Throttle { rule, tokens: f64::from(rule.max_tokens) },
        };
        Self { inner, denied: rule.denied, account, failure: None, denied_at: None }
    }
}

impl Reconnect for RetryLimiter {
    fn on_event(&mut self, now: Time, event: &ReconnectEvent) {
        match event {
            ReconnectEvent::AttemptStarted { .. } => {
                let retry = self.failure.take().filter(|_| self.denied_at.is_none());
                self.account.start(now, retry);
                self.denied_at = None;
            }
            ReconnectEvent::AttemptFailed(failure) => {
                self.failure = Some(*failure);
                self.account.fail();
            }
            ReconnectEvent::Connected => self.account.succeed(),
            _ => {}
        }
        self.inner.on_event(now, event);
    }

    fn next(&mut self, now: Time) -> ReconnectAction {
        let verdict = self.inner.next(now);
        let (ReconnectAction::TryAfter { wait, server, timeout }, Some(failure)) = (verdict, self.failure) else {
            return verdict;
        };
        if self.denied_at.is_none() && self.account.allows(now + wait, failure) {
            return verdict;
        }
        let denied_at = *self.denied_at.get_or_insert(now);
        match self.denied {
            Denied::Stop => ReconnectAction::Stop,
            Denied::FreshAfter(span) => {
                ReconnectAction::TryAfter { wait: wait.max((denied_at + span.get()).since(now)), server, timeout }
            }
        }
    }
}

/// What is left for retries.
enum Account {
    Budget(Budget),
    /// `spent`: on the attempt under way.
    Quota {
        rule: RetryQuota,
        left: u32,
        spent: u32,
    },
    Throttle {
        rule: RetryThrottle,
        tokens: f64,
    },
}

impl Account {
    fn allows(&self, at: Time, failure: AttemptFailure) -> bool {
        match self {
            Self::Budget(budget) => budget.allows(at),
            Self::Quota { rule, left, .. } => *left >= rule.cost_after(failure),
            Self::Throttle { rule, tokens } => *tokens > f64::from(rule.max_tokens) / 2.0,
        }
    }

    /// An attempt begins: a retry after this failure, or a request.
    fn start(&mut self, now: Time, retry: Option<AttemptFailure>) {
        match self {
            Self::Budget(budget) => budget.count(now, retry.is_some()),
            Self::Quota { rule, left, spent } => {
                // A retry that something else began before it was asked for may cost more than there is.
                *spent = retry.map_or(0, |failure| rule.cost_after(failure)).min(*left);
                *left -= *spent;
            }
            Self::Throttle { .. } => {}
        }
    }

    fn fail(&mut self) {
        if let Self::Throttle { tokens, .. } = self {
            *tokens = (*tokens - 1.0).max(0.0);
        }
    }

    fn succeed(&mut self) {
        match self {
            Self::Budget(_) => {}
            Self::Quota { rule, left, spent } => *left = (*left + (*spent).max(1)).min(rule.capacity),
            Self::Throttle { rule, tokens } => *tokens = (*tokens + rule.token_ratio).min(f64::from(rule.max_tokens)),
        }
    }
}

impl RetryQuota {
    const fn cost_after(&self, failure: AttemptFailure) -> u32 {
        match failure {
            AttemptFailure::Timeout => self.timeout_cost,
            _ => self.cost,
        }
    }
}

/// How many tenths of `ttl` a budget keeps: one more than ten, because the present one has only just begun.
const TENTHS: usize = 11;

/// A [`RetryBudget`]'s counts.
struct Budget {
    rule: RetryBudget,
    /// Requests and retries of the last tenths, by the number of the tenth.
    counts: [(u32, u32); TENTHS],
    /// The number of the tenth that was counted in last.
    tenth: u64,
}

impl Budget {
    fn new(rule: RetryBudget) -> Self {
        Self { rule, counts: [(0, 0); TENTHS], tenth: 0 }
    }

    fn tenth_of(&self, at: Time) -> u64 {
        at.as_micros() / (self.rule.ttl.get().as_micros() as u64 / 10).max(1)
    }

    /// Returns a retry counts until it is `ttl` old for certain, a request only while it is younger for certain.
    fn allows(&self, at: Time) -> bool {
        let now = self.tenth_of(at);
        let (mut requests, mut retries) = (0_u64, 0_u64);
        for age in 0..TENTHS as u64 {
            let Some(tenth) =
                now.checked_sub(age).filter(|tenth| *tenth <= self.tenth && tenth + TENTHS as u64 > self.tenth)
            else {
                continue;
            };
            let (of_requests, of_retries) = self.counts[tenth as usize % TENTHS];
            requests += if age < TENTHS as u64 - 2 { u64::from(of_requests) } else { 0 };
            retries += u64::from(of_retries);
        }
        let reserve = self.rule.reserve_per_s * self.rule.ttl.get().as_secs_f64();
        (retries + 1) as f64 <= self.rule.ratio.get() * requests as f64 + reserve
    }

    fn count(&mut self, now: Time, is_retry: bool) {
        let tenth = self.tenth_of(now);
        let passed = (tenth - self.tenth).min(TENTHS as u64);
        for gone in 1..=passed {
            self.counts[(self.tenth + gone) as usize % TENTHS] = (0, 0);
        }
        if passed == TENTHS as u64 {
            self.counts = [(0, 0); TENTHS];
        }
        self.tenth = tenth;
        let (requests, retries) = &mut self.counts[tenth as usize % TENTHS];
        let count = if is_retry { retries } else { requests };
        *count = count.saturating_add(1);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{LossReason, reconnect::Ended};

    proptest! {
        /// Invariant 26.
        #[test]
        fn in_no_window_are_there_more_retries_than_the_budget_has(
            steps in prop::collection::vec((0_u64..3_000, any::<bool>()), 1..300),
            reserve_tenths in 0_u32..30,
            ratio in 0.0..=1.0,
        ) {
            let ttl = Span::secs(10);
            let reserve_per_s = f64::from(reserve_tenths) / 10.0;
            let rule = RetryBudget { ttl, reserve_per_s, ratio: Fraction::new(ratio).unwrap() };
            let limit = RetryLimit { by: LimitBy::Budget(rule), denied: Denied::Stop };
            let waits = crate::reconnect::fixed_delay::ConstantDelay::new(Duration::ZERO);
            let mut policy = RetryLimiter::new(Box::new(waits), &limit);
            let (mut now, mut requests, mut retries) = (Time::ZERO, Vec::new(), Vec::new());
            let attempt = ReconnectEvent::AttemptStarted { server: 0 };
            for (pause_ms, comes_up) in steps {
                // A request, and then as many retries as are allowed, up to three.
                now += Duration::from_millis(pause_ms);
                requests.push(now);
                policy.on_event(now, &attempt);
                for _ in 0..3 {
                    policy.on_event(now, &ReconnectEvent::AttemptFailed(AttemptFailure::Refused));
                    if policy.next(now) == ReconnectAction::Stop {
                        break;
                    }
                    now += Duration::from_millis(pause_ms / 10);
                    retries.push(now);
                    policy.on_event(now, &attempt);
                }
                if comes_up {
                    policy.on_event(now, &ReconnectEvent::Connected);
                }
                policy.on_event(now, &ReconnectEvent::Lost(Ended::Transport(LossReason::Reset)));
                policy.failure = None;
            }
            for (last, end) in retries.iter().enumerate() {
                let within = |at: &&Time| end.since(**at) < ttl.get() && **at <= *end;
                let made = retries[..=last].iter().filter(within).count() as f64;
                let allowed = ratio * requests.iter().filter(within).count() as f64 + reserve_per_s * 10.0;
                prop_assert!(made <= allowed + 1e-9, "{made} retries of {allowed} until {end}");
            }
        }
    }

    #[test]
    fn a_budget_of_a_fifth_gives_one_retry_for_five_requests() {
        let rule = RetryBudget { reserve_per_s: 0.0, ..RetryBudget::default() };
        let mut budget = Budget::new(rule);
        let at = Time::from_secs;
        for second in 0..5 {
            assert!(!budget.allows(at(second)), "{second}");
            budget.count(at(second), false);
        }
        assert!(budget.allows(at(4)));
        budget.count(at(4), true);
        assert!(!budget.allows(at(4)));
        assert!(!budget.allows(at(100)), "what it was owed is forgotten too");
    }
}
