//! What the file says of tokens.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt, fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use serde::Deserialize;
use syncline::{
    core::{
        access::{Grant, Identity},
        entity::{UserName, Value},
        id::TenantName,
    },
    server::{
        Authenticator, JwtSettings, JwtVerifier, OneOf, PublishedKeys, StaticToken, StaticTokens,
        WebhookSettings,
    },
};

use super::{SettingsError, TOKEN_BYTES_MIN, webhook::Webhook};

/// What the bearer of a token may do. Secrets are kept in the file: a command line is seen by everyone on the machine.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct TokenGrant {
    secret: String,
    /// Whose data it is for; the default tenant's, if it does not say.
    tenant: Option<String>,
    /// Who its bearer is.
    user: String,
    /// What its bearer may do, as `doc:team/*=write`.
    grants: Vec<Grant>,
    /// What scopes are filled with.
    #[serde(default)]
    claims: BTreeMap<String, Claim>,
}

impl fmt::Debug for TokenGrant {
    /// Leaves the secret out.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenGrant").field("user", &self.user).finish_non_exhaustive()
    }
}

/// Whose signed tokens are good.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Auth {
    /// File with a JWK set.
    keys: Option<PathBuf>,
    /// URL of a JWK set that the issuer publishes.
    jwks_url: Option<String>,
    issuer: Option<String>,
    audience: Option<String>,
    /// The claim that names the tenant.
    tenant_claim: Option<String>,
    /// What each bearer may do besides what their token says.
    #[serde(default)]
    grants: Vec<Grant>,
    /// Who is asked what no grant allows.
    webhook: Option<Webhook>,
}

/// What else is said about the bearer of a token.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Claim {
    Text(String),
    Number(i64),
    Bool(bool),
}

impl From<Claim> for Value {
    fn from(claim: Claim) -> Self {
        match claim {
            Claim::Text(text) => text.as_str().into(),
            Claim::Number(number) => number.into(),
            Claim::Bool(value) => Self::Bool(value),
        }
    }
}

pub(super) fn authenticator(
    tokens: Vec<TokenGrant>,
    auth: Option<Auth>,
    trust: Option<&Path>,
) -> Result<Option<Arc<dyn Authenticator>>, SettingsError> {
    let mut ways: Vec<Arc<dyn Authenticator>> = Vec::new();
    if !tokens.is_empty() {
        ways.push(Arc::new(known_tokens(tokens)?));
    }
    if let Some(Auth { keys, jwks_url, issuer, audience, tenant_claim, grants, webhook: _ }) = auth {
        if tenant_claim.as_ref().is_some_and(|claim| !JwtVerifier::may_name_tenant(claim)) {
            return Err(SettingsError::TenantClaim);
        }
        let settings = JwtSettings { issuer, audience, tenant_claim, grants };
        ways.push(match (keys, jwks_url) {
            (Some(path), None) => Arc::new(verifier(settings, path)?),
            (None, Some(url)) => Arc::new(PublishedKeys::new(settings, &url, trust)?),
            _ => return Err(SettingsError::AuthKeys),
        });
    }
    Ok(if ways.is_empty() { None } else { Some(Arc::new(OneOf::new(ways))) })
}

/// Takes out who is asked what no grant allows; what is left may say nothing.
pub(super) fn with_webhook(
    auth: Option<Auth>,
) -> Result<(Option<Auth>, Option<WebhookSettings>), SettingsError> {
    let Some(mut auth) = auth else { return Ok((None, None)) };
    let Some(webhook) = auth.webhook.take() else { return Ok((Some(auth), None)) };
    let webhook = webhook.settings().map_err(|source| SettingsError::Webhook { source })?;
    let Auth { keys, jwks_url, issuer, audience, tenant_claim, grants, webhook: _ } = &auth;
    let texts = [jwks_url, issuer, audience, tenant_claim];
    let is_empty = keys.is_none() && grants.is_empty() && texts.iter().all(|text| text.is_none());
    Ok((Some(auth).filter(|_| !is_empty), Some(webhook)))
}

fn verifier(settings: JwtSettings, path: PathBuf) -> Result<JwtVerifier, SettingsError> {
    let set = fs::read(&path).map_err(|source| SettingsError::Read { path: path.clone(), source })?;
    JwtVerifier::new(settings, &set).map_err(|source| SettingsError::Keys { path, source })
}

fn known_tokens(grants: Vec<TokenGrant>) -> Result<StaticTokens, SettingsError> {
    if grants.iter().any(|grant| grant.secret.len() < TOKEN_BYTES_MIN) {
        return Err(SettingsError::ShortToken);
    }
    let secrets: BTreeSet<&str> = grants.iter().map(|grant| grant.secret.as_str()).collect();
    if secrets.len() < grants.len() {
        return Err(SettingsError::SameSecret);
    }
    let tokens = grants.into_iter().zip(1..).map(|(grant, number)| {
        let TokenGrant { secret, tenant, user, grants, claims } = grant;
        let tenant = tenant.as_deref().map(TenantName::new).transpose()?.unwrap_or_default();
        let name = UserName::new(&user).map_err(|source| SettingsError::User { number, source })?;
        let claims = claims.into_iter().map(|(name, claim)| (name, claim.into())).collect();
        let identity = Identity { tenant, claims, ..Identity::of(name, grants.into_iter().collect()) };
        Ok(StaticToken { secret, identity: Arc::new(identity) })
    });
    Ok(StaticTokens::new(tokens.collect::<Result<_, SettingsError>>()?))
}
