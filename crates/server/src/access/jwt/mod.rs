//! Signed tokens (JWT, RFC 7519): who signed them is one of the known keys, each of which is good for one algorithm only.
//!
//! | claim | what it says |
//! | --- | --- |
//! | `sub` | the user |
//! | `exp` | when it ends, in seconds since 1970; there is none that does not |
//! | `nbf` | when it begins |
//! | `iat` | when it was issued: what is revoked of its user or device later, is revoked of it |
//! | `iss`, `aud` | who issued it for whom: those that are configured |
//! | `jti` | what it is called by whoever revokes it |
//! | `tenant`, or the one that is configured | whose data it is for; `default` if it does not say |
//! | `device` | the only device that it is good for |
//! | `grants` | a list of `RESOURCE=ACTION` |
//! | texts, whole numbers and booleans under other names | what fills scopes |

mod keys;
mod mint;
mod provider;
mod published;
#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, fmt, sync::Arc};

use futures_util::future::{BoxFuture, ready};
use jsonwebtoken::{Validation, decode, decode_header};
use serde::Deserialize;
use serde_json::Value as Json;
use syncline_core::{
    access::{Grant, Grants, Identity},
    entity::{ActorName, UserName, Value},
    id::TenantName,
    time::WallMs,
};

use self::keys::KeySet;
pub use self::{
    keys::KeyError,
    mint::{MintError, NewToken, SigningAlgorithm, SigningKey},
    published::{PublishedKeys, PublishedKeysError},
};
use super::{Authenticator, Unauthenticated};

/// How far the clocks of issuers may be off, in seconds: a token may begin that much early. None ends late.
const LEEWAY_S: u64 = 30;

/// The claim that names the tenant unless an operator says otherwise.
const TENANT_CLAIM: &str = "tenant";

/// Claims that say something else.
const READ_OTHERWISE: [&str; 9] = ["sub", "exp", "nbf", "iat", "iss", "aud", "jti", "device", "grants"];

/// Longest token, in bytes.
const TOKEN_BYTES_MAX: usize = 16 << 10;

/// Whose tokens are good, and for what.
#[derive(Clone, Debug, Default)]
pub struct JwtSettings {
    /// Who issues them; any, if none is named.
    pub issuer: Option<String>,
    /// What they are for. A token that names an audience is good only if this is one of it.
    pub audience: Option<String>,
    /// The claim that names the tenant; `tenant` if there is none here.
    pub tenant_claim: Option<String>,
    /// What each bearer may do besides what their token says.
    pub grants: Vec<Grant>,
}

/// Verifies signed tokens.
pub struct JwtVerifier {
    settings: JwtSettings,
    keys: KeySet,
}

impl fmt::Debug for JwtVerifier {
    /// Leaves the keys out: some are secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JwtVerifier").field("settings", &self.settings).finish_non_exhaustive()
    }
}

#[derive(Deserialize)]
struct Claims {
    sub: String,
    exp: u64,
    nbf: Option<u64>,
    jti: Option<String>,
    device: Option<String>,
    #[serde(default)]
    grants: Vec<Grant>,
    #[serde(flatten)]
    others: BTreeMap<String, Json>,
}

impl JwtVerifier {
    /// Takes a JWK set as JSON. Secrets in it, and private halves of keys, must be kept from others.
    ///
    /// # Errors
    /// [`KeyError`] says why nothing can be verified with it.
    pub fn new(settings: JwtSettings, jwk_set: &[u8]) -> Result<Self, KeyError> {
        provider::install();
        Ok(Self { settings, keys: KeySet::parse(jwk_set)? })
    }

    /// Returns whether the claim of this name may say whose data a token is for: no other one is read from it.
    #[must_use]
    pub fn may_name_tenant(claim: &str) -> bool {
        !claim.is_empty() && !READ_OTHERWISE.contains(&claim)
    }

    /// Returns who shows a token at `now`.
    ///
    /// # Errors
    /// [`Unauthenticated`]: there is no token, it is not good here, or it has ended.
    pub fn verify(&self, token: &str, now: WallMs) -> Result<Identity, Unauthenticated> {
        verify(&self.settings, &self.keys, token, now)
    }
}

impl Authenticator for JwtVerifier {
    fn authenticate<'a>(
        &'a self,
        token: &'a str,
        now: WallMs,
    ) -> BoxFuture<'a, Result<Arc<Identity>, Unauthenticated>> {
        Box::pin(ready(self.verify(token, now).map(Arc::new)))
    }
}

fn verify(
    settings: &JwtSettings,
    keys: &KeySet,
    token: &str,
    now: WallMs,
) -> Result<Identity, Unauthenticated> {
    if token.is_empty() {
        return Err(Unauthenticated::Missing);
    }
    if token.len() > TOKEN_BYTES_MAX {
        return Err(Unauthenticated::Unknown);
    }
    let unknown = |_| Unauthenticated::Unknown;
    let header = decode_header(token).map_err(unknown)?;
    let key = keys.find(header.kid.as_deref()).ok_or(Unauthenticated::Unknown)?;
    let mut validation = Validation::new(key.algorithm);
    // Against the time that comes in, below.
    (validation.validate_exp, validation.validate_nbf) = (false, false);
    validation.aud = settings.audience.iter().cloned().map(|audience| [audience].into()).next();
    validation.iss = settings.issuer.iter().cloned().map(|issuer| [issuer].into()).next();
    let required = ["exp", "sub"].into_iter().chain(settings.issuer.as_ref().map(|_| "iss"));
    let required: Vec<&str> = required.chain(settings.audience.as_ref().map(|_| "aud")).collect();
    validation.set_required_spec_claims(&required);
    let claims = decode::<Claims>(token, &key.key, &validation).map_err(unknown)?.claims;
    identity(settings, claims, now)
}

fn identity(settings: &JwtSettings, mut claims: Claims, now: WallMs) -> Result<Identity, Unauthenticated> {
    let expires_at = WallMs(claims.exp.saturating_mul(1_000));
    if expires_at <= now {
        return Err(Unauthenticated::Expired);
    }
    let begins_at = claims.nbf.unwrap_or(0).saturating_sub(LEEWAY_S).saturating_mul(1_000);
    if begins_at > now.0 {
        return Err(Unauthenticated::Unknown);
    }
    let tenant = claims.others.remove(settings.tenant_claim.as_deref().unwrap_or(TENANT_CLAIM));
    let device = claims.device.as_deref().map(ActorName::device).transpose();
    let grants: Grants = settings.grants.iter().cloned().chain(claims.grants).collect();
    Ok(Identity {
        tenant: tenant_of(tenant)?,
        user: UserName::new(&claims.sub).map_err(|_| Unauthenticated::Unknown)?,
        device: device.map_err(|_| Unauthenticated::Unknown)?,
        signed_by: None,
        vouched_by: None,
        grants,
        issued_at: claims.others.get("iat").and_then(|iat| issued_at(iat, now)),
        expires_at: Some(expires_at),
        token_id: claims.jti,
        claims: claims.others.into_iter().filter_map(fills).collect(),
    })
}

/// Reads whose data a token is for. One that says so in a way that is not understood is good for nobody's.
fn tenant_of(claim: Option<Json>) -> Result<TenantName, Unauthenticated> {
    match claim {
        None => Ok(TenantName::default()),
        Some(Json::String(name)) => TenantName::new(&name).map_err(|_| Unauthenticated::Unknown),
        Some(_) => Err(Unauthenticated::Unknown),
    }
}

/// Reads a time in seconds, which may have a fraction. One that is still to come says nothing: no revocation would reach the token.
fn issued_at(seconds: &Json, now: WallMs) -> Option<WallMs> {
    // Negative is 0, and too much is as much as there is.
    let at = seconds.as_f64().map(|seconds| WallMs((seconds * 1_000.0) as u64));
    at.filter(|at| at.0 <= now.0.saturating_add(LEEWAY_S * 1_000))
}

/// Claims about the token, not about its bearer (RFC 7519 section 4.1).
const OF_THE_TOKEN: [&str; 3] = ["aud", "iat", "iss"];

/// Returns a claim that can fill a scope.
fn fills((name, value): (String, Json)) -> Option<(String, Value)> {
    if OF_THE_TOKEN.contains(&name.as_str()) {
        return None;
    }
    let value = match value {
        Json::String(text) => text.as_str().into(),
        Json::Number(number) => Value::from(number.as_i64()?),
        Json::Bool(value) => Value::Bool(value),
        Json::Null | Json::Array(_) | Json::Object(_) => return None,
    };
    Some((name, value))
}
