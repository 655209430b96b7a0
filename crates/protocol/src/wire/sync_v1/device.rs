//! Registration of devices, and definition of scopes.

use data_encoding::BASE64URL_NOPAD;
use syncline_core::entity::{ActorName, TypeName};

use super::json::{Json, Node};
use super::read::{self, RequestError, each, expected, list, may, need};
use crate::ledger::DeviceKey;

/// A device that is to be bound to a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceRequest {
    /// Its id.
    pub device: ActorName,
    /// What its user calls it.
    pub name: Option<String>,
    /// The application and its version.
    pub app: Option<String>,
    /// A key that it signs with.
    pub public_key: Option<DeviceKey>,
}

/// A key that a device is to sign with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyRequest {
    /// Its public half.
    pub public_key: DeviceKey,
}

/// A part of some types.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScopeRequest {
    /// The types; there is one at least.
    pub types: Vec<TypeName>,
    /// The template of the bucket that a record must lie in; without it all do.
    pub bucket: Option<String>,
}

impl DeviceRequest {
    /// Reads the body of a request.
    ///
    /// # Errors
    /// [`RequestError`] if it is not JSON, or one of its parts is not what it is to be.
    pub fn parse(body: &[u8]) -> Result<Self, RequestError> {
        let json = Json::parse(body)?;
        let body = json.root();
        Ok(Self {
            device: need(body, "device_id", read::device)?,
            name: may(body, "name", read::label)?,
            app: may(body, "app", read::label)?,
            public_key: may(body, "public_key", key)?,
        })
    }
}

impl KeyRequest {
    /// Reads the body of a request.
    ///
    /// # Errors
    /// [`RequestError`] if it is not JSON, or has no key.
    pub fn parse(body: &[u8]) -> Result<Self, RequestError> {
        let json = Json::parse(body)?;
        Ok(Self { public_key: need(json.root(), "public_key", key)? })
    }
}

/// Returns a key as it is written.
#[must_use]
pub fn key_text(key: &DeviceKey) -> String {
    BASE64URL_NOPAD.encode(&key.0)
}

fn key(node: Node<'_>) -> Result<DeviceKey, RequestError> {
    let bytes = BASE64URL_NOPAD.decode(read::string(node)?.as_bytes()).ok();
    let key = bytes.and_then(|bytes| bytes.try_into().ok());
    key.map(DeviceKey).ok_or_else(|| expected(node, "base64url of the 32 bytes of a public Ed25519 key"))
}

impl ScopeRequest {
    /// Reads the body of a request.
    ///
    /// # Errors
    /// [`RequestError`] if it is not JSON, or one of its parts is not what it is to be.
    pub fn parse(body: &[u8]) -> Result<Self, RequestError> {
        let json = Json::parse(body)?;
        let body = json.root();
        let types = each(body, "types", read::type_name)?;
        if types.is_empty() {
            return Err(need(body, "types", list).map_or_else(|error| error, |node| expected(node, "a type")));
        }
        Ok(Self { types, bucket: may(body, "bucket", read::label)? })
    }
}
