//! Making keys and tokens, for development and for servers that issue their own.

use data_encoding::BASE64URL_NOPAD;
use ring::{
    hmac,
    rand::{SecureRandom, SystemRandom},
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair},
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use syncline_core::access::Grant;

/// Bytes of a secret, and of the private half of a key.
const SECRET_BYTES: usize = 32;

/// How a key signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SigningAlgorithm {
    /// A secret that whoever verifies has, too: HMAC with SHA-256.
    Hs256,
    /// A pair of keys on the curve P-256.
    Es256,
    /// A pair of keys on the curve Ed25519.
    EdDsa,
}

/// Why there is no key or no token. Whoever gave the key is at fault, but for the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MintError {
    /// It is no private JWK of a kind that can sign here.
    #[error("no key to sign with: a private JWK of HS256, ES256 or EdDSA is needed")]
    NoKey,
    /// The key breaks the rules of its kind.
    #[error("the key is broken")]
    BadKey,
    /// The system gives no random bytes.
    #[error("the system gives no random bytes")]
    NoRandom,
}

/// A key that signs tokens: a private JWK (RFC 7517).
#[derive(Clone, Deserialize, Serialize)]
pub struct SigningKey {
    kty: String,
    alg: String,
    kid: String,
    #[serde(rename = "use", default = "signature")]
    usage: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    crv: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    x: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    y: Option<String>,
    /// The private half.
    #[serde(skip_serializing_if = "Option::is_none")]
    d: Option<String>,
    /// The secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    k: Option<String>,
}

/// What a token is to say.
#[derive(Clone, Debug, Default)]
pub struct NewToken {
    /// Whose data it is for; the default tenant's, if it does not say.
    pub tenant: Option<String>,
    /// The user.
    pub user: String,
    /// When it is issued, in seconds since 1970.
    pub issued_at_s: u64,
    /// When it ends, in seconds since 1970.
    pub expires_at_s: u64,
    /// Who issues it.
    pub issuer: Option<String>,
    /// What it is for.
    pub audience: Option<String>,
    /// What it is called.
    pub id: Option<String>,
    /// The only device that it is good for.
    pub device: Option<String>,
    /// What its bearer may do.
    pub grants: Vec<Grant>,
    /// What fills scopes.
    pub claims: Map<String, Value>,
}

fn signature() -> String {
    "sig".into()
}

impl SigningKey {
    /// Makes a key, with an id that tells it from others.
    ///
    /// # Errors
    /// [`MintError::NoRandom`].
    pub fn generate(algorithm: SigningAlgorithm) -> Result<Self, MintError> {
        let random = SystemRandom::new();
        let bytes = |bytes: &mut [u8]| random.fill(bytes).map_err(|_| MintError::NoRandom);
        let (mut secret, mut id) = ([0; SECRET_BYTES], [0; 6]);
        bytes(&mut secret)?;
        bytes(&mut id)?;
        let word = |bytes: &[u8]| BASE64URL_NOPAD.encode(bytes);
        let key = |kty: &str, alg: &str, crv: Option<&str>| Self {
            kty: kty.into(),
            alg: alg.into(),
            kid: word(&id),
            usage: signature(),
            crv: crv.map(Into::into),
            x: None,
            y: None,
            d: None,
            k: None,
        };
        Ok(match algorithm {
            SigningAlgorithm::Hs256 => Self { k: Some(word(&secret)), ..key("oct", "HS256", None) },
            SigningAlgorithm::EdDsa => {
                let pair = Ed25519KeyPair::from_seed_unchecked(&secret).map_err(|_| MintError::BadKey)?;
                let public = word(pair.public_key().as_ref());
                Self { x: Some(public), d: Some(word(&secret)), ..key("OKP", "EdDSA", Some("Ed25519")) }
            }
            SigningAlgorithm::Es256 => {
                let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random);
                let document = document.map_err(|_| MintError::NoRandom)?;
                let pair =
                    EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, document.as_ref(), &random);
                let pair = pair.map_err(|_| MintError::BadKey)?;
                // An uncompressed point: 4, x, y (SEC 1 section 2.3.3).
                let (x, y) = pair.public_key().as_ref()[1..].split_at(SECRET_BYTES);
                let private = private_half(document.as_ref()).ok_or(MintError::BadKey)?;
                Self {
                    x: Some(word(x)),
                    y: Some(word(y)),
                    d: Some(word(private)),
                    ..key("EC", "ES256", Some("P-256"))
                }
            }
        })
    }

    /// Reads the first key of a JWK set that can sign.
    ///
    /// # Errors
    /// [`MintError::NoKey`].
    pub fn of_set(json: &[u8]) -> Result<Self, MintError> {
        let set: Value = serde_json::from_slice(json).map_err(|_| MintError::NoKey)?;
        let keys = set.get("keys").and_then(Value::as_array).ok_or(MintError::NoKey)?;
        let read = keys.iter().filter_map(|key| serde_json::from_value::<Self>(key.clone()).ok());
        let mut private = read.filter(|key| key.d.is_some() || key.k.is_some());
        private.next().ok_or(MintError::NoKey)
    }

    /// Returns the JWK set of this key, with what must be kept secret.
    #[must_use]
    pub fn set(&self) -> Value {
        json!({ "keys": [self] })
    }

    /// Returns the JWK set that others verify with; none for a secret.
    #[must_use]
    pub fn public_set(&self) -> Option<Value> {
        self.k.is_none().then(|| Self { d: None, ..self.clone() }.set())
    }

    /// Returns a token that this key has signed.
    ///
    /// # Errors
    /// [`MintError`]: the key is broken, or there are no random bytes.
    pub fn sign(&self, token: &NewToken) -> Result<String, MintError> {
        let header = json!({ "typ": "JWT", "alg": self.alg, "kid": self.kid });
        let word = |json: &Value| BASE64URL_NOPAD.encode(json.to_string().as_bytes());
        let signed = format!("{}.{}", word(&header), word(&token.claims()));
        let signature = self.signature(signed.as_bytes())?;
        Ok(format!("{signed}.{}", BASE64URL_NOPAD.encode(&signature)))
    }

    fn signature(&self, message: &[u8]) -> Result<Vec<u8>, MintError> {
        let bytes = |word: &Option<String>| {
            let word = word.as_deref().ok_or(MintError::NoKey)?;
            BASE64URL_NOPAD.decode(word.as_bytes()).map_err(|_| MintError::BadKey)
        };
        let bad = |_| MintError::BadKey;
        match self.alg.as_str() {
            "HS256" => {
                let key = hmac::Key::new(hmac::HMAC_SHA256, &bytes(&self.k)?);
                Ok(hmac::sign(&key, message).as_ref().to_vec())
            }
            "EdDSA" => {
                let pair = Ed25519KeyPair::from_seed_and_public_key(&bytes(&self.d)?, &bytes(&self.x)?);
                Ok(pair.map_err(bad)?.sign(message).as_ref().to_vec())
            }
            "ES256" => {
                let random = SystemRandom::new();
                let point = [vec![4], bytes(&self.x)?, bytes(&self.y)?].concat();
                let pair = EcdsaKeyPair::from_private_key_and_public_key(
                    &ECDSA_P256_SHA256_FIXED_SIGNING,
                    &bytes(&self.d)?,
                    &point,
                    &random,
                );
                let signature = pair.map_err(bad)?.sign(&random, message);
                Ok(signature.map_err(|_| MintError::NoRandom)?.as_ref().to_vec())
            }
            _ => Err(MintError::NoKey),
        }
    }
}

/// Returns the private half from the PKCS#8 of a new P-256 key: what stands behind the header of its octet string (RFC 5915).
fn private_half(pkcs8: &[u8]) -> Option<&[u8]> {
    const HEADER: [u8; 2] = [0x04, SECRET_BYTES as u8];
    let at = pkcs8.windows(HEADER.len()).position(|window| window == HEADER)? + HEADER.len();
    pkcs8.get(at..at + SECRET_BYTES)
}

impl NewToken {
    fn claims(&self) -> Value {
        let mut claims = self.claims.clone();
        let mut put = |name: &str, value: Value| claims.insert(name.into(), value);
        put("sub", self.user.clone().into());
        put("iat", self.issued_at_s.into());
        put("exp", self.expires_at_s.into());
        let grants: Vec<String> = self.grants.iter().map(ToString::to_string).collect();
        put("grants", grants.into());
        let texts = [
            ("iss", &self.issuer),
            ("aud", &self.audience),
            ("jti", &self.id),
            ("tenant", &self.tenant),
            ("device", &self.device),
        ];
        for (name, value) in texts {
            if let Some(value) = value {
                put(name, value.clone().into());
            }
        }
        claims.into()
    }
}
