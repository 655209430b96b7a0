//! Registration of devices, and definition of scopes.

use syncline_core::entity::{ActorName, TypeName};

use super::json::Json;
use super::read::{self, RequestError, each, expected, list, may, need};

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
    pub public_key: Option<String>,
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
            public_key: may(body, "public_key", read::string)?,
        })
    }
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
