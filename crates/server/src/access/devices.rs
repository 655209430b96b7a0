//! What is asked of devices: whether they sign, and who says whose they are.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use axum::http::StatusCode;
use serde_json::json;
use syncline_core::{
    access::Identity,
    entity::{ActorName, Handler},
    time::WallMs,
};
use syncline_protocol::{ledger::DeviceKey, wire::sync_v1::key_text};

use crate::{
    clock::Clock,
    limits::VERIFIED_MAX,
    outgoing::{ExchangeError, Gate, NoAnswer, Target, TargetError, Trust, Web},
};

/// How long an answer of a verifier counts unless an operator says otherwise, in milliseconds.
const VERIFIED_MS: u64 = 60_000;

/// What is asked of devices.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct DeviceSettings {
    /// Whether a device does nothing before it has a key.
    pub keys_required: bool,
    /// What shows that a device is a user's, when it is bound and when it gets a key.
    pub binding: DeviceBinding,
}

/// What shows that a device is a user's.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub enum DeviceBinding {
    /// Nothing but that the user says so: a device that nobody has bound is whoever's binds it.
    #[default]
    Trust,
    /// The token, which names the device in its claim `device`.
    Claim,
    /// Whoever is asked over HTTP.
    Http {
        /// Whom, and for how long.
        verifier: Handler,
        /// How long an answer counts, in milliseconds; if there is nothing here, a minute.
        ttl_ms: Option<u64>,
    },
}

/// Why a device is not bound, or does not get a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotBound {
    /// Only a token that names the device binds it.
    #[error("the token does not name the device in its claim `device`")]
    Claim,
    /// Whoever was asked says no.
    #[error("the device is not known to be this user's")]
    Refused,
    /// Nobody can say now.
    #[error("it cannot be found out now whose the device is")]
    Unavailable { retry_after_ms: u64 },
}

/// Finds out whose a device is.
#[derive(Debug)]
pub(crate) struct Devices {
    settings: DeviceSettings,
    clock: Clock,
    verifier: Option<Result<Verifier, TargetError>>,
}

#[derive(Debug)]
struct Verifier {
    web: Web,
    gate: Gate,
    ttl_ms: u64,
    known: Mutex<BTreeMap<String, (bool, WallMs)>>,
}

impl Devices {
    pub(crate) fn new(settings: &DeviceSettings, trust: Trust, clock: Clock) -> Self {
        let verifier = match &settings.binding {
            DeviceBinding::Trust | DeviceBinding::Claim => None,
            DeviceBinding::Http { verifier, ttl_ms } => {
                let web = |target| Web::new(target, trust, verifier.secret.clone(), clock);
                // An operator may name a machine of their own.
                Some(Target::parse(&verifier.url, true).map(web).map(|web| Verifier {
                    web,
                    gate: Gate::new(Some("devices".to_owned()), verifier.timeout_ms),
                    ttl_ms: ttl_ms.unwrap_or(VERIFIED_MS),
                    known: Mutex::default(),
                }))
            }
        };
        Self { settings: settings.clone(), clock, verifier }
    }

    /// Checks that whoever is to be asked can be asked.
    pub(crate) fn check(&self) -> Result<(), TargetError> {
        match &self.verifier {
            Some(Err(error)) => Err(*error),
            Some(Ok(_)) | None => Ok(()),
        }
    }

    /// Returns whether a device does nothing before it has a key.
    pub(crate) fn keys_required(&self) -> bool {
        self.settings.keys_required
    }

    /// Checks that a device is of who asks, who wants to bind it or to give it a key.
    pub(crate) async fn check_owner(
        &self,
        identity: &Arc<Identity>,
        device: &ActorName,
        key: Option<DeviceKey>,
    ) -> Result<(), NotBound> {
        match (&self.settings.binding, &self.verifier) {
            (DeviceBinding::Trust, _) => Ok(()),
            (DeviceBinding::Claim, _) if identity.device.as_ref() == Some(device) => Ok(()),
            (DeviceBinding::Claim, _) => Err(NotBound::Claim),
            (DeviceBinding::Http { .. }, Some(Ok(verifier))) => {
                let question = json!({
                    "tenant": identity.tenant.as_str(),
                    "user": identity.user.as_str(),
                    "device": device.as_str(),
                    "key": key.map(|key| key_text(&key)),
                });
                let is_theirs = verifier.ask(self.clock, question.to_string()).await;
                let NoAnswer { retry_after_ms } = match is_theirs {
                    Ok(true) => return Ok(()),
                    Ok(false) => return Err(NotBound::Refused),
                    Err(none) => none,
                };
                Err(NotBound::Unavailable { retry_after_ms })
            }
            (DeviceBinding::Http { .. }, _) => Err(NotBound::Refused),
        }
    }
}

impl Verifier {
    async fn ask(&self, clock: Clock, question: String) -> Result<bool, NoAnswer> {
        let now = clock.now().wall;
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner).get(&question).copied();
        if let Some((is_theirs, _)) = known.filter(|(_, until)| now < *until) {
            return Ok(is_theirs);
        }
        let asking = async {
            match self.web.exchange(question.clone()).await {
                Ok(_) => Ok(true),
                Err(ExchangeError::Status(StatusCode::FORBIDDEN)) => Ok(false),
                Err(error) => {
                    let error = &error as &dyn std::error::Error;
                    tracing::debug!(error, "nobody says whose a device is");
                    Err(NoAnswer::default())
                }
            }
        };
        let is_theirs = self.gate.ask(clock, asking).await?;
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= VERIFIED_MAX {
            known.retain(|_, (_, until)| now < *until);
        }
        if known.len() < VERIFIED_MAX {
            known.insert(question, (is_theirs, WallMs(now.0.saturating_add(self.ttl_ms))));
        }
        Ok(is_theirs)
    }
}
