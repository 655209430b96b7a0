//! Applications that keep rights themselves: what no grant of a token allows, they are asked about.
//!
//! A decision counts for a while, so that each message is checked without asking. What it allows is a grant for that while: who asks
//! goes on with an identity that has it, and ends with it.
//!
//! Invariants:
//! * what was not asked about, or could not be, is not allowed;
//! * no decision counts longer than the two times together that the settings name;
//! * about one user, device and claims there is one question under way, whatever they do.

mod decisions;
#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use serde::Deserialize;
use serde_json::{Value as Json, json};
use syncline_core::{
    access::{Action, Grant, Identity, Resource, ResourcePattern},
    entity::{ActorName, Handler, UserName, Value},
    id::TenantName,
    time::MonotonicMs,
};
use tokio::sync::watch;

use self::decisions::{Decision, Decisions, Lasting};
use crate::{
    clock::Clock,
    limits::WEBHOOK_CHECKS_MAX,
    outgoing::{Gate, NoAnswer, Target, TargetError, Trust, Web},
};

/// How long a decision counts unless an operator says otherwise, in milliseconds.
const FRESH_MS: u64 = 30_000;

/// How long one counts at least, in milliseconds: as long as it takes to do what was asked for.
const FRESH_MS_MIN: u64 = 10;

/// How long one counts besides while nobody answers, in milliseconds.
const STALE_MS: u64 = 300_000;

/// After what time a decision that is too old is asked for again, in milliseconds.
const AGAIN_MS: u64 = 1_000;

const NEVER: MonotonicMs = MonotonicMs(u64::MAX);

/// How often a question is asked whose answer was forgotten before it came.
const TRIES_MAX: usize = 3;

/// Who is asked what no grant decides.
#[derive(Clone, Debug)]
pub struct WebhookSettings {
    /// Whom, and for how long.
    pub asked: Handler,
    /// How long a decision counts, in milliseconds, at least 10; if there is nothing here, 30 s.
    pub ttl_ms: Option<u64>,
    /// How long it counts besides while nobody answers, in milliseconds; if there is nothing here, 5 minutes.
    pub stale_ms: Option<u64>,
}

/// Whether someone may do something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Check {
    /// As grants name it; a `*` is part of its name.
    resource: String,
    grant: Grant,
}

/// Whom decisions are about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Who {
    tenant: TenantName,
    user: UserName,
    device: Option<ActorName>,
    /// As JSON.
    claims: String,
}

/// What was decided.
#[derive(Debug)]
pub(super) struct Decided {
    /// What is allowed.
    pub(super) grants: Vec<Grant>,
    /// When to ask again.
    pub(super) again: MonotonicMs,
    /// Until when all of it counts.
    pub(super) until: MonotonicMs,
}

/// Nobody says what is allowed, so nothing is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it cannot be found out now what may be done")]
pub(crate) struct Undecided {
    /// When it is worth another try, in milliseconds.
    pub(crate) retry_after_ms: u64,
}

impl Default for Undecided {
    fn default() -> Self {
        Self { retry_after_ms: AGAIN_MS }
    }
}

/// Asks, and remembers what was answered.
#[derive(Debug)]
pub(crate) struct Webhook {
    clock: Clock,
    web: Web,
    gate: Gate,
    lasting: Lasting,
    decisions: Mutex<Decisions>,
    /// Whoever holds one of these asks.
    turns: Mutex<BTreeMap<Who, Weak<tokio::sync::Mutex<()>>>>,
    forgotten: watch::Sender<u64>,
}

#[derive(Deserialize)]
struct Answer {
    allowed: Vec<bool>,
}

impl Check {
    pub(crate) fn new(action: Action, resource: Resource<'_>) -> Self {
        let grant = Grant { resource: ResourcePattern::exactly(resource), action };
        Self { resource: resource.to_string(), grant }
    }

    /// Returns whether a grant of someone allows it.
    pub(crate) fn is_granted(&self, identity: &Identity) -> bool {
        self.grant.resource.only().is_some_and(|resource| identity.may(self.grant.action, resource))
    }
}

impl Who {
    fn of(identity: &Identity) -> Self {
        let claims = identity.claims.iter().map(|(name, value)| (name.clone(), claim(value)));
        Self {
            tenant: identity.tenant.clone(),
            user: identity.user.clone(),
            device: identity.device.clone(),
            claims: Json::Object(claims.collect()).to_string(),
        }
    }

    fn question(&self, checks: &[&Check]) -> String {
        let claims: Json = serde_json::from_str(&self.claims).unwrap_or_default();
        let checks = checks
            .iter()
            .map(|check| json!({ "resource": check.resource, "action": check.grant.action.to_string() }));
        json!({
            "tenant": self.tenant.as_str(),
            "user": self.user.as_str(),
            "device": self.device.as_ref().map(ActorName::as_str),
            "claims": claims,
            "checks": checks.collect::<Vec<_>>(),
        })
        .to_string()
    }
}

/// Returns a claim as tokens have it: of these kinds only.
fn claim(value: &Value) -> Json {
    match value {
        Value::Bool(value) => (*value).into(),
        Value::Text(text) => text.as_str().into(),
        Value::Number(number) => match number.to_string().parse::<i64>() {
            Ok(whole) => whole.into(),
            Err(_) => number.to_string().into(),
        },
        Value::Null | Value::List(_) | Value::Map(_) => Json::Null,
    }
}

impl Webhook {
    /// # Errors
    /// [`TargetError`] if nobody can be asked so.
    pub(crate) fn new(settings: &WebhookSettings, trust: Trust, clock: Clock) -> Result<Self, TargetError> {
        let WebhookSettings { asked, ttl_ms, stale_ms } = settings;
        // An operator may name a machine of their own.
        let target = Target::parse(&asked.url, true)?;
        Ok(Self {
            clock,
            web: Web::new(target, trust, asked.secret.clone(), clock),
            gate: Gate::new(Some("rights".to_owned()), asked.timeout_ms),
            lasting: Lasting {
                fresh_ms: ttl_ms.unwrap_or(FRESH_MS).max(FRESH_MS_MIN),
                stale_ms: stale_ms.unwrap_or(STALE_MS),
            },
            decisions: Mutex::default(),
            turns: Mutex::default(),
            forgotten: watch::Sender::new(0),
        })
    }

    /// Finds out what of these someone may do, none of which a grant allows.
    pub(super) async fn decide(&self, identity: &Identity, checks: &[Check]) -> Result<Decided, Undecided> {
        let who = Who::of(identity);
        if let Some(decided) = self.known(&who, checks, Decision::fresh_until) {
            return Ok(decided);
        }
        let turn = self.turn(&who);
        let _held = turn.lock().await;
        let mut undecided = Undecided::default();
        for _ in 0..TRIES_MAX {
            // Somebody else may have asked meanwhile.
            if let Some(decided) = self.known(&who, checks, Decision::fresh_until) {
                return Ok(decided);
            }
            match self.ask(&who, checks).await {
                // What has just come counts for this question, however short that is.
                Ok(true) => return self.known(&who, checks, |_, _| NEVER).ok_or(undecided),
                Ok(false) => {}
                Err(NoAnswer { retry_after_ms }) => {
                    undecided = Undecided { retry_after_ms };
                    break;
                }
            }
        }
        self.known(&who, checks, Decision::good_until).ok_or(undecided)
    }

    /// Asks about all that is not known. Returns whether it is now: the answer may have been forgotten before it came.
    async fn ask(&self, who: &Who, checks: &[Check]) -> Result<bool, NoAnswer> {
        let now = self.clock.monotonic();
        let (missing, forgotten) = {
            let decisions = self.decisions();
            let is_known = |check: &&Check| {
                let known = decisions.of(who, check);
                known.is_some_and(|known| now < known.fresh_until(self.lasting))
            };
            (checks.iter().filter(|check| !is_known(check)).collect::<Vec<_>>(), decisions.forgotten)
        };
        for asked in missing.chunks(WEBHOOK_CHECKS_MAX) {
            let question = who.question(asked);
            let asking = async {
                let answer = self.web.exchange(question).await.map_err(|error| {
                    let error = &error as &dyn std::error::Error;
                    tracing::debug!(error, "nobody says what may be done");
                    NoAnswer::default()
                })?;
                let answer: Option<Answer> = serde_json::from_slice(&answer).ok();
                answer.filter(|answer| answer.allowed.len() == asked.len()).ok_or_else(|| {
                    tracing::debug!("an answer about rights cannot be read");
                    NoAnswer::default()
                })
            };
            let Answer { allowed } = self.gate.ask(self.clock, asking).await?;
            let at = self.clock.monotonic();
            let mut decisions = self.decisions();
            if decisions.forgotten != forgotten {
                return Ok(false);
            }
            for (check, is_allowed) in asked.iter().zip(allowed) {
                decisions.note(who, check, Decision { is_allowed, at });
            }
        }
        Ok(true)
    }

    /// Returns what was decided, if all of it still counts.
    fn known(
        &self,
        who: &Who,
        checks: &[Check],
        counts_until: fn(&Decision, Lasting) -> MonotonicMs,
    ) -> Option<Decided> {
        let now = self.clock.monotonic();
        let decisions = self.decisions();
        let mut decided = Decided { grants: Vec::new(), again: NEVER, until: NEVER };
        for check in checks {
            let known = decisions.of(who, check)?;
            if counts_until(&known, self.lasting) <= now {
                return None;
            }
            let again = known.fresh_until(self.lasting);
            let again = if again <= now { now.after(AGAIN_MS) } else { again };
            decided.again = decided.again.min(again);
            if known.is_allowed {
                decided.until = decided.until.min(known.good_until(self.lasting));
                decided.grants.push(check.grant.clone());
            }
        }
        Some(decided)
    }

    /// Forgets what was decided, and has everyone who rests on it ask again. Returns how many decisions that were.
    pub(super) fn forget(
        &self,
        tenant: &TenantName,
        user: Option<&UserName>,
        resource: Option<&str>,
    ) -> usize {
        let (count, forgotten) = {
            let mut decisions = self.decisions();
            (decisions.forget(tenant, user, resource), decisions.forgotten)
        };
        self.forgotten.send_replace(forgotten);
        count
    }

    /// Returns where it is told that decisions were forgotten.
    pub(super) fn listen(&self) -> watch::Receiver<u64> {
        self.forgotten.subscribe()
    }

    fn turn(&self, who: &Who) -> Arc<tokio::sync::Mutex<()>> {
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(turn) = turns.get(who).and_then(Weak::upgrade) {
            return turn;
        }
        turns.retain(|_, turn| turn.strong_count() > 0);
        let turn = Arc::default();
        turns.insert(who.clone(), Arc::downgrade(&turn));
        turn
    }

    /// Nothing that runs under the lock leaves decisions half changed, so a poisoned lock holds whole ones.
    fn decisions(&self) -> MutexGuard<'_, Decisions> {
        self.decisions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
