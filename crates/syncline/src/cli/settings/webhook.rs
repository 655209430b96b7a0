//! What the file says of an application that keeps rights itself.

use serde::Deserialize;
use syncline::{
    core::entity::{Handler, Secret, TypeError},
    server::WebhookSettings,
};

/// The table `[auth.webhook]`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Webhook {
    url: String,
    secret: Option<Secret>,
    timeout_ms: Option<u64>,
    ttl_ms: Option<u64>,
    stale_ms: Option<u64>,
}

impl Webhook {
    pub(super) fn settings(self) -> Result<WebhookSettings, TypeError> {
        let Self { url, secret, timeout_ms, ttl_ms, stale_ms } = self;
        let asked = Handler { url, timeout_ms, secret };
        asked.check()?;
        Ok(WebhookSettings { asked, ttl_ms, stale_ms })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_file_says_of_a_webhook_is_meant() {
        let read = |text: &str| toml::from_str::<Webhook>(text).expect("it is a table").settings();
        let good = read("url = 'http://127.0.0.1:9/rights'\nsecret = 'sesame'\nttl-ms = 5\nstale-ms = 0");
        let good = good.expect("it is good");
        assert_eq!((good.ttl_ms, good.stale_ms, good.asked.timeout_ms), (Some(5), Some(0), None));
        assert!(!format!("{good:?}").contains("sesame"), "secrets stay out of logs");
        assert!(read("url = 'rights'").is_err());
    }
}
