//! What the file says of devices.

use serde::Deserialize;
use syncline::{
    core::entity::{Handler, Secret, TypeError},
    server::{DeviceBinding, DeviceSettings},
};

/// The table `[devices]`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Devices {
    #[serde(default)]
    keys: Keys,
    #[serde(default)]
    binding: Binding,
    url: Option<String>,
    secret: Option<Secret>,
    timeout_ms: Option<u64>,
    ttl_ms: Option<u64>,
}

/// Whether a device does anything without a key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Keys {
    #[default]
    Optional,
    Required,
}

/// What shows that a device is a user's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Binding {
    #[default]
    Trust,
    Claim,
    Http,
}

/// Why nobody can be asked about devices so.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DevicesError {
    #[error("`url`, and what goes with it, is for `binding = \"http\"`, which needs it")]
    Url,
    #[error(transparent)]
    Verifier(#[from] TypeError),
}

impl Devices {
    pub(super) fn settings(self) -> Result<DeviceSettings, DevicesError> {
        let Self { keys, binding, url, secret, timeout_ms, ttl_ms } = self;
        let mut settings = DeviceSettings::default();
        settings.keys_required = keys == Keys::Required;
        settings.binding = match (binding, url) {
            (Binding::Http, Some(url)) => {
                let verifier = Handler { url, timeout_ms, secret };
                verifier.check()?;
                DeviceBinding::Http { verifier, ttl_ms }
            }
            (Binding::Http, None) | (_, Some(_)) => return Err(DevicesError::Url),
            (Binding::Claim, None) => DeviceBinding::Claim,
            (Binding::Trust, None) => DeviceBinding::Trust,
        };
        Ok(settings)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_file_says_of_devices_is_meant() {
        let read = |text: &str| toml::from_str::<Devices>(text).expect("it is a table").settings();
        let plain = read("").expect("nothing need be said");
        assert!(!plain.keys_required && matches!(plain.binding, DeviceBinding::Trust));
        let strict = read("keys = 'required'\nbinding = 'claim'").expect("it is good");
        assert!(strict.keys_required && matches!(strict.binding, DeviceBinding::Claim));
        let asks = read("binding = 'http'\nurl = 'http://127.0.0.1:9/x'\nsecret = 'sesame'\nttl-ms = 5")
            .expect("good");
        assert!(matches!(&asks.binding, DeviceBinding::Http { ttl_ms: Some(5), .. }));
        assert!(!format!("{asks:?}").contains("sesame"), "secrets stay out of logs");
        assert!(matches!(read("binding = 'http'"), Err(DevicesError::Url)));
        assert!(matches!(read("url = 'http://127.0.0.1:9/x'"), Err(DevicesError::Url)));
        assert!(matches!(read("binding = 'http'\nurl = 'x'"), Err(DevicesError::Verifier(_))));
    }
}
