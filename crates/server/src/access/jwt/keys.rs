//! Keys that tokens are verified with: a JWK set (RFC 7517).

use jsonwebtoken::{
    Algorithm, DecodingKey, DecodingKeyKind, decode_header,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, PublicKeyUse},
};
use serde::Deserialize;
use serde_json::Value;

/// Shortest secret that is taken, in bytes: as long as what it signs with (RFC 7518 section 3.2).
const SECRET_BYTES_MIN: usize = 32;

/// Most keys of a set.
const KEYS_MAX: usize = 64;

/// A key, and the only algorithm that it is used with.
#[derive(Clone)]
pub(super) struct Key {
    id: Option<String>,
    pub(super) algorithm: Algorithm,
    pub(super) key: DecodingKey,
}

/// The keys of an issuer.
#[derive(Clone, Default)]
pub(super) struct KeySet(Vec<Key>);

/// Why keys cannot be used. Whoever wrote the set is at fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// It is no JWK set.
    #[error("it is no JWK set: {0}")]
    Form(String),
    /// There is no key in it that is of use.
    #[error("it holds no key to verify with: HS256, ES256 (P-256), EdDSA (Ed25519) and RS256 are known")]
    Empty,
    /// There are too many.
    #[error("it holds {0} keys, and at most {KEYS_MAX} are taken")]
    Many(usize),
    /// A key that an issuer publishes is a secret.
    #[error("it holds a secret, which nobody publishes")]
    PublicSecret,
    /// A secret is too easily guessed.
    #[error("a secret of HS256 has at least {SECRET_BYTES_MIN} bytes")]
    ShortSecret,
}

#[derive(Deserialize)]
struct Set {
    keys: Vec<Value>,
}

impl KeySet {
    /// Reads a set. Keys that are for something else, or of a kind that is not known here, are left out.
    pub(super) fn parse(json: &[u8]) -> Result<Self, KeyError> {
        let set: Set = serde_json::from_slice(json).map_err(|error| KeyError::Form(error.to_string()))?;
        if set.keys.len() > KEYS_MAX {
            return Err(KeyError::Many(set.keys.len()));
        }
        let jwks = set.keys.into_iter().filter_map(|key| serde_json::from_value::<Jwk>(key).ok());
        let keys: Vec<Key> = jwks.filter_map(|jwk| Key::of(&jwk)).collect();
        if keys.iter().any(Key::is_short) {
            return Err(KeyError::ShortSecret);
        }
        if keys.is_empty() { Err(KeyError::Empty) } else { Ok(Self(keys)) }
    }

    /// Reads a set that everyone can read: it holds no secrets.
    pub(super) fn parse_public(json: &[u8]) -> Result<Self, KeyError> {
        let set = Self::parse(json)?;
        let is_secret = |key: &Key| key.algorithm == Algorithm::HS256;
        if set.0.iter().any(is_secret) { Err(KeyError::PublicSecret) } else { Ok(set) }
    }

    /// Returns whether a token names a key that is not here.
    pub(super) fn lacks_key_of(&self, token: &str) -> bool {
        decode_header(token).is_ok_and(|header| self.find(header.kid.as_deref()).is_none())
    }

    /// Returns the key of an id; for a token that names none, the only one.
    pub(super) fn find(&self, id: Option<&str>) -> Option<&Key> {
        match (id, self.0.as_slice()) {
            (None, [only]) => Some(only),
            (None, _) => None,
            (Some(id), keys) => keys.iter().find(|key| key.id.as_deref() == Some(id)),
        }
    }
}

impl Key {
    fn of(jwk: &Jwk) -> Option<Self> {
        if matches!(&jwk.common.public_key_use, Some(usage) if *usage != PublicKeyUse::Signature) {
            return None;
        }
        let (algorithm, named) = match &jwk.algorithm {
            AlgorithmParameters::OctetKey(_) => (Algorithm::HS256, KeyAlgorithm::HS256),
            AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P256 => {
                (Algorithm::ES256, KeyAlgorithm::ES256)
            }
            AlgorithmParameters::OctetKeyPair(key) if key.curve == EllipticCurve::Ed25519 => {
                (Algorithm::EdDSA, KeyAlgorithm::EdDSA)
            }
            AlgorithmParameters::RSA(_) => (Algorithm::RS256, KeyAlgorithm::RS256),
            _ => return None,
        };
        if jwk.common.key_algorithm.is_some_and(|said| said != named) {
            return None;
        }
        let key = DecodingKey::from_jwk(jwk).ok()?;
        Some(Self { id: jwk.common.key_id.clone(), algorithm, key })
    }

    fn is_short(&self) -> bool {
        let DecodingKeyKind::SecretOrDer(bytes) = self.key.kind() else { return false };
        self.algorithm == Algorithm::HS256 && bytes.len() < SECRET_BYTES_MIN
    }
}
