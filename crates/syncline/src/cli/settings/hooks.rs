//! What the file says of applications that are told of documents: the tables `[[hooks]]`.

use std::{collections::BTreeSet, fs, path::PathBuf};

use serde::Deserialize;
use syncline::{
    core::{
        entity::Secret,
        hook::{HookEvent, HookEventError, HookName, HookNameError},
        id::{TenantName, TenantNameError},
    },
    protocol::hooks::Rules,
    server::HookSettings,
};

/// One table as it is written. The name of each key says nothing of `[auth.webhook]`, which is asked and not told.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Hook {
    name: String,
    url: String,
    secret: Option<Secrets>,
    /// File with a secret in each line.
    secret_file: Option<PathBuf>,
    documents: Option<Vec<String>>,
    events: Option<Vec<String>>,
    tenants: Option<Vec<String>>,
    debounce_ms: Option<u64>,
    debounce_max_ms: Option<u64>,
    attempts: Option<u32>,
    retry_ms: Option<u64>,
    timeout_ms: Option<u64>,
    #[serde(default)]
    allow_private: bool,
}

/// One, or several while one takes the place of another.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Secrets {
    One(Secret),
    Several(Vec<Secret>),
}

/// Why a table makes no sense.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HookFormError {
    #[error(transparent)]
    Name(#[from] HookNameError),
    #[error(transparent)]
    Event(#[from] HookEventError),
    #[error("`tenants` names tenants, or is [\"*\"] for all")]
    Tenant(#[from] TenantNameError),
    #[error("it has either `secret` or `secret-file`")]
    Secrets,
    #[error("cannot read {}", path.display())]
    Read { path: PathBuf, source: std::io::Error },
}

impl Hook {
    /// Returns what it is called.
    pub(super) fn name(&self) -> Result<HookName, HookNameError> {
        HookName::new(&self.name)
    }

    pub(super) fn settings(self) -> Result<HookSettings, HookFormError> {
        let secrets = secrets(self.secret, self.secret_file)?;
        let events = match self.events {
            Some(events) => events.iter().map(|event| event.parse()).collect::<Result<_, _>>()?,
            None => BTreeSet::from([HookEvent::Changed]),
        };
        let tenants = match self.tenants {
            Some(tenants) if tenants == ["*"] => None,
            Some(tenants) => {
                Some(tenants.iter().map(|tenant| TenantName::new(tenant)).collect::<Result<_, _>>()?)
            }
            None => Some(BTreeSet::from([TenantName::default()])),
        };
        let mut rules = Rules::default();
        // Whoever sets one of them longer than the usual other means that as well.
        if let Some(quiet_ms) = self.debounce_ms {
            rules.debounce.quiet_ms = quiet_ms;
            rules.debounce.longest_ms = rules.debounce.longest_ms.max(quiet_ms);
        }
        if let Some(longest_ms) = self.debounce_max_ms {
            rules.debounce.longest_ms = longest_ms;
            if self.debounce_ms.is_none() {
                rules.debounce.quiet_ms = rules.debounce.quiet_ms.min(longest_ms);
            }
        }
        rules.attempts = self.attempts.unwrap_or(rules.attempts);
        rules.retry_ms = self.retry_ms.unwrap_or(rules.retry_ms);
        Ok(HookSettings {
            name: HookName::new(&self.name)?,
            url: self.url,
            secrets,
            documents: self.documents.unwrap_or_else(|| vec!["*".into()]),
            events,
            tenants,
            rules,
            timeout_ms: self.timeout_ms,
            allow_private: self.allow_private,
        })
    }
}

fn secrets(written: Option<Secrets>, file: Option<PathBuf>) -> Result<Vec<Secret>, HookFormError> {
    match (written, file) {
        (Some(Secrets::One(secret)), None) => Ok(vec![secret]),
        (Some(Secrets::Several(secrets)), None) => Ok(secrets),
        (None, Some(path)) => match fs::read_to_string(&path) {
            Ok(text) => {
                let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
                Ok(lines.map(|line| Secret::new(line.to_owned())).collect())
            }
            Err(source) => Err(HookFormError::Read { path, source }),
        },
        (Some(_), Some(_)) | (None, None) => Err(HookFormError::Secrets),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMED: &str = "name = 'search'\nurl = 'https://app.example/hooks'\nsecret = 'whsec_canary'\n";

    fn read(text: &str) -> Result<HookSettings, HookFormError> {
        toml::from_str::<Hook>(text).expect("it is a table").settings()
    }

    #[test]
    fn what_is_not_said_is_usual() {
        let hook = read(NAMED).expect("it is good");
        assert_eq!((hook.name.as_str(), &hook.documents[..]), ("search", &["*".to_owned()][..]));
        assert_eq!(hook.events, [HookEvent::Changed].into());
        assert_eq!(hook.tenants, Some([TenantName::default()].into()));
        assert_eq!((hook.rules, hook.timeout_ms, hook.allow_private), (Rules::default(), None, false));
        assert!(!format!("{hook:?}").contains("canary"), "secrets stay out of logs");
    }

    #[test]
    fn what_is_said_is_meant() {
        let hook = read(&format!(
            "{NAMED}documents = ['team/*']\nevents = ['document.created', 'document.deleted']\ntenants = ['*']\n\
             debounce-ms = 20000\nattempts = 3\nretry-ms = 5\ntimeout-ms = 7\nallow-private = true"
        ));
        let hook = hook.expect("it is good");
        assert_eq!(hook.events, [HookEvent::Created, HookEvent::Deleted].into());
        let debounce = hook.rules.debounce;
        assert_eq!((debounce.quiet_ms, debounce.longest_ms, hook.rules.attempts), (20_000, 20_000, 3));
        assert_eq!((hook.tenants, hook.rules.retry_ms, hook.timeout_ms), (None, 5, Some(7)));
        assert!(hook.allow_private);
        let hook = read(&format!("{NAMED}debounce-max-ms = 500")).expect("it is good");
        assert_eq!((hook.rules.debounce.quiet_ms, hook.rules.debounce.longest_ms), (500, 500));
        for wrong in ["events = ['changed']", "tenants = ['']", "secret-file = 'other'"] {
            assert!(read(&format!("{NAMED}{wrong}")).is_err(), "{wrong}");
        }
        assert!(read(&NAMED.replace("search", "the search")).is_err());
    }

    #[test]
    fn secrets_are_in_a_file_or_not() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("secrets");
        fs::write(&path, "whsec_one\n\n whsec_two \n").expect("written");
        let without = NAMED.replace("secret = 'whsec_canary'\n", "");
        let hook = read(&format!("{without}secret-file = '{}'", path.display())).expect("it is good");
        assert_eq!(hook.secrets.iter().map(Secret::expose).collect::<Vec<_>>(), ["whsec_one", "whsec_two"]);
        let several = read(&format!("{without}secret = ['whsec_one', 'whsec_two']")).expect("it is good");
        assert_eq!(several.secrets.len(), 2);
        assert!(read(&without).is_err());
        let gone = folder.path().join("none");
        assert!(read(&format!("{without}secret-file = '{}'", gone.display())).is_err());
    }
}
