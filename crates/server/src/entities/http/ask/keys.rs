//! What is asked of whoever binds a device or gives it a key.

use syncline_core::entity::ActorName;
use syncline_protocol::{
    ledger::{DeviceKey, KeyChange, KeyWarrant},
    wire::sync_v1::{Code, Problem},
};

use super::{Asked, Refusal, SIGN};
use crate::access::NotBound;

impl Asked {
    /// Returns a key that a device is to have, with what it may replace, once the caller has proved to have its other half and
    /// the device to be theirs.
    pub(in crate::entities::http) async fn key_change(
        &self,
        device: &ActorName,
        key: DeviceKey,
    ) -> Result<KeyChange, Refusal> {
        let warrant = match self.signed.key_of(device) {
            _ if self.owner().is_none() => KeyWarrant::Admin,
            Some(signed) => KeyWarrant::Key(signed),
            None => KeyWarrant::Nothing,
        };
        let held = self.ledger.device_key(device).filter(|held| *held != key);
        if held.is_some() && warrant == KeyWarrant::Nothing {
            return Err(Problem::new(Code::SignatureRequired).because(SIGN).into());
        }
        let proved =
            self.shared.signers.proves(self.tenant().name(), &self.signed, (device, &key), self.now());
        proved.map_err(|error| {
            let problem = Problem::from(error);
            problem.because(format_args!("by the new key, under the label `new`: {error}"))
        })?;
        Ok(KeyChange { key, warrant })
    }

    /// Checks that a device that is to be bound, or to get a key, is the caller's.
    pub(in crate::entities::http) async fn check_owner(
        &self,
        device: &ActorName,
        key: Option<DeviceKey>,
    ) -> Result<(), Refusal> {
        let checked = self.shared.devices.check_owner(&self.identity, device, key).await;
        checked.map_err(|error| {
            let problem = match error {
                NotBound::Claim | NotBound::Refused => Problem::new(Code::DeviceMismatch),
                NotBound::Unavailable { retry_after_ms } => {
                    let retry_after_ms = Some(retry_after_ms);
                    Problem { retry_after_ms, ..Problem::new(Code::HandlerUnavailable) }
                }
            };
            problem.because(error).into()
        })
    }
}
