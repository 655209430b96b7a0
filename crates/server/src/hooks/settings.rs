//! What an operator says of hooks, and what is made of it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use syncline_core::{
    access::{Resource, ResourcePattern},
    entity::Secret,
    hook::{HookEvent, HookName},
    id::{RoomName, TenantName},
    limits::{HANDLER_MS_MAX, HOOK_ATTEMPTS_MAX, HOOK_WAIT_MS_MAX, HOOKS_MAX},
};
use syncline_protocol::{
    hooks::Rules,
    wire::hook::{HookSecret, HookSecretError},
};

use crate::{
    limits::HOOK_MS,
    outgoing::{Gate, Target, TargetError, Trust},
};

/// An application that is told of documents.
#[derive(Clone, Debug)]
pub struct HookSettings {
    /// What it is called in logs, metrics and requests about it. What is stored for it is so by this name.
    pub name: HookName,
    /// Where requests go.
    pub url: String,
    /// What they are signed with, each by itself: `whsec_` and base64. At least one.
    pub secrets: Vec<Secret>,
    /// Which documents it is told of, by their names; a `*` at the end stands for any rest.
    pub documents: Vec<String>,
    /// What it is told.
    pub events: BTreeSet<HookEvent>,
    /// Whose documents it is told of; if there is nothing here, those of all tenants.
    pub tenants: Option<BTreeSet<TenantName>>,
    /// How it is told.
    pub rules: Rules,
    /// Time for one request, in milliseconds; if there is nothing here, 15 s.
    pub timeout_ms: Option<u64>,
    /// Whether it may be on this machine, or its network.
    pub allow_private: bool,
}

/// Why an application cannot be told so. The operator is at fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HookError {
    /// Two have one name.
    #[error("there is another of this name")]
    Twice,
    /// There are too many.
    #[error("there are at most {HOOKS_MAX} hooks")]
    TooMany,
    /// Its address is none.
    #[error("the `url` is none of `http://` or `https://` with a host")]
    Url,
    /// Its address is on this machine, or its network.
    #[error("the `url` is on a loopback or private address; `allow-private = true` allows that")]
    Inside,
    /// Nothing would show that requests are the server's.
    #[error("it has no `secret`")]
    NoSecret,
    /// A secret is none.
    #[error(transparent)]
    Secret(#[from] HookSecretError),
    /// It would be told of nothing.
    #[error("`documents`, `events` and `tenants` each name something")]
    Nothing,
    /// It would be told too late.
    #[error("`debounce-ms` is at most `debounce-max-ms`, and that at most {HOOK_WAIT_MS_MAX}")]
    Debounce,
    /// It would be tried too often, or never.
    #[error("`attempts` is from 1 to {HOOK_ATTEMPTS_MAX}, and `retry-ms` from 1 to {HOOK_WAIT_MS_MAX}")]
    Attempts,
    /// A request would have no time, or too much.
    #[error("`timeout-ms` is from 1 to {HANDLER_MS_MAX}")]
    Timeout,
}

/// A hook that can be told.
#[derive(Debug)]
pub(crate) struct Configured {
    pub(crate) name: HookName,
    pub(super) target: Target,
    pub(super) trust: Trust,
    pub(super) secrets: Vec<HookSecret>,
    pub(super) gate: Gate,
    documents: Vec<ResourcePattern>,
    pub(crate) patterns: Vec<String>,
    pub(crate) events: BTreeSet<HookEvent>,
    tenants: Option<BTreeSet<TenantName>>,
    pub(super) rules: Rules,
    /// Whether the application has said that it wants nothing more, until the server starts again.
    unwanted: AtomicBool,
}

impl Configured {
    fn new(settings: HookSettings, trust: Trust) -> Result<Self, HookError> {
        let HookSettings { name, url, secrets, documents, events, tenants, rules, timeout_ms, allow_private } =
            settings;
        let target = Target::parse(&url, allow_private).map_err(|_| HookError::Url)?;
        target.check_literal().map_err(|error| match error {
            TargetError::Url => HookError::Url,
            TargetError::Inside => HookError::Inside,
        })?;
        if secrets.is_empty() {
            return Err(HookError::NoSecret);
        }
        let secrets = secrets.iter().map(|secret| HookSecret::parse(secret.expose()));
        let secrets = secrets.collect::<Result<_, _>>()?;
        let names_tenants = tenants.as_ref().is_none_or(|tenants| !tenants.is_empty());
        if documents.is_empty()
            || documents.iter().any(String::is_empty)
            || events.is_empty()
            || !names_tenants
        {
            return Err(HookError::Nothing);
        }
        let waits = rules.debounce;
        if waits.quiet_ms > waits.longest_ms || waits.longest_ms > HOOK_WAIT_MS_MAX {
            return Err(HookError::Debounce);
        }
        if !(1..=HOOK_ATTEMPTS_MAX).contains(&rules.attempts)
            || !(1..=HOOK_WAIT_MS_MAX).contains(&rules.retry_ms)
        {
            return Err(HookError::Attempts);
        }
        let timeout_ms = timeout_ms.unwrap_or(HOOK_MS);
        if !(1..=HANDLER_MS_MAX).contains(&timeout_ms) {
            return Err(HookError::Timeout);
        }
        let gate = Gate::new(Some(format!("hook {name}")), Some(timeout_ms));
        Ok(Self {
            name,
            target,
            trust,
            secrets,
            gate,
            documents: documents.iter().map(|name| ResourcePattern::documents(name)).collect(),
            patterns: documents,
            events,
            tenants,
            rules,
            unwanted: AtomicBool::new(false),
        })
    }

    /// Returns whether it is told anything of this tenant.
    pub(crate) fn is_of(&self, tenant: &TenantName) -> bool {
        self.tenants.as_ref().is_none_or(|tenants| tenants.contains(tenant))
    }

    /// Returns whether it is told of a document.
    pub(crate) fn covers(&self, tenant: &TenantName, name: &RoomName) -> bool {
        let document = Resource::Document(name.as_str());
        self.is_of(tenant) && self.documents.iter().any(|pattern| pattern.covers(document))
    }

    pub(crate) fn is_unwanted(&self) -> bool {
        self.unwanted.load(Ordering::Relaxed)
    }

    pub(super) fn set_unwanted(&self) {
        self.unwanted.store(true, Ordering::Relaxed);
    }
}

/// The hooks of a server, in the order of their names.
#[derive(Clone, Debug, Default)]
pub(crate) struct HookSet(Arc<[Arc<Configured>]>);

impl HookSet {
    /// Checks what an operator says. With the error comes the hook that is meant.
    pub(crate) fn new(settings: &[HookSettings], trust: &Trust) -> Result<Self, (HookName, HookError)> {
        let mut all = BTreeMap::new();
        for (at, hook) in settings.iter().enumerate() {
            let wrong = |error| (hook.name.clone(), error);
            if at >= HOOKS_MAX {
                return Err(wrong(HookError::TooMany));
            }
            let configured = Configured::new(hook.clone(), trust.clone()).map_err(wrong)?;
            if all.insert(hook.name.clone(), Arc::new(configured)).is_some() {
                return Err(wrong(HookError::Twice));
            }
        }
        Ok(Self(all.into_values().collect()))
    }

    pub(crate) fn iter(&self) -> std::slice::Iter<'_, Arc<Configured>> {
        self.0.iter()
    }
}

#[cfg(test)]
mod tests {
    use syncline_protocol::hooks::Debounce;

    use super::*;

    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    fn hook(name: &str) -> HookSettings {
        HookSettings {
            name: HookName::new(name).expect("a name"),
            url: "https://app.example/hooks".into(),
            secrets: vec![Secret::new(SECRET.into())],
            documents: vec!["team/*".into(), "plan".into()],
            events: HookEvent::ALL.into(),
            tenants: Some([TenantName::default()].into()),
            rules: Rules::default(),
            timeout_ms: None,
            allow_private: false,
        }
    }

    fn check(settings: &[HookSettings]) -> Result<HookSet, HookError> {
        let trust = Trust::load(None).expect("nothing is added");
        HookSet::new(settings, &trust).map_err(|(_, error)| error)
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let wrong = |want: HookError, change: fn(&mut HookSettings)| {
            let mut settings = hook("a");
            change(&mut settings);
            let error = check(&[settings]).expect_err("it makes no sense");
            assert_eq!(error, want);
            assert!(!error.to_string().contains("MfKQ"), "{error}");
        };
        wrong(HookError::Url, |hook| hook.url = "app.example".into());
        for url in
            ["http://127.0.0.1:9/", "https://10.0.0.1/", "http://[::1]/", "http://169.254.169.254/latest"]
        {
            let mut settings = hook("a");
            settings.url = url.into();
            assert_eq!(check(&[settings.clone()]).err(), Some(HookError::Inside), "{url}");
            settings.allow_private = true;
            assert!(check(&[settings]).is_ok(), "{url}");
        }
        wrong(HookError::NoSecret, |hook| hook.secrets.clear());
        wrong(HookError::Secret(HookSecretError), |hook| {
            hook.secrets.push(Secret::new(SECRET.replace("whsec_", "")));
        });
        wrong(HookError::Nothing, |hook| hook.documents.clear());
        wrong(HookError::Nothing, |hook| hook.documents.push(String::new()));
        wrong(HookError::Nothing, |hook| hook.events.clear());
        wrong(HookError::Nothing, |hook| hook.tenants = Some(BTreeSet::new()));
        wrong(HookError::Debounce, |hook| {
            hook.rules.debounce = Debounce { quiet_ms: 2, longest_ms: 1 };
        });
        wrong(HookError::Debounce, |hook| hook.rules.debounce.longest_ms = u64::MAX);
        wrong(HookError::Attempts, |hook| hook.rules.attempts = 0);
        wrong(HookError::Attempts, |hook| hook.rules.attempts = HOOK_ATTEMPTS_MAX + 1);
        wrong(HookError::Attempts, |hook| hook.rules.retry_ms = 0);
        wrong(HookError::Timeout, |hook| hook.timeout_ms = Some(0));
        assert_eq!(check(&[hook("a"), hook("b"), hook("a")]).err(), Some(HookError::Twice));
        let many: Vec<_> = (0..=HOOKS_MAX).map(|number| hook(&number.to_string())).collect();
        assert_eq!(check(&many).err(), Some(HookError::TooMany));
        assert_eq!(check(&many[1..]).map(|set| set.iter().len()), Ok(HOOKS_MAX));
    }

    #[test]
    fn a_hook_is_told_of_its_documents_alone() {
        let set = check(&[hook("a")]).expect("it makes sense");
        let [hook] = &*set.0 else { panic!("there is one") };
        let covers = |tenant: &str, name: &str| {
            hook.covers(&tenant.parse().expect("a name"), &RoomName::new(name).expect("a name"))
        };
        assert!(covers("default", "team/x") && covers("default", "plan"));
        assert!(!covers("default", "plan2") && !covers("default", "tea") && !covers("acme", "plan"));
        assert!(!format!("{set:?}").contains("MfKQ"), "secrets stay out of logs");
    }
}
