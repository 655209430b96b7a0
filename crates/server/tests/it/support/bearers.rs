//! Tokens whose bearers change.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use futures_util::future::{BoxFuture, ready};
use syncline_core::{
    access::{Grant, Identity},
    entity::UserName,
    time::WallMs,
};
use syncline_server::{Authenticator, Unauthenticated};

/// Who bears which token, for now.
#[derive(Debug, Default)]
pub(crate) struct Bearers(Mutex<BTreeMap<String, Arc<Identity>>>);

impl Bearers {
    /// Has the bearer of `token` be the user of that name, who may do this.
    pub(crate) fn set(&self, token: &str, grants: &[&str]) {
        self.put(token, of(token, grants));
    }

    pub(crate) fn put(&self, token: &str, identity: Identity) {
        self.0.lock().expect("no test panics with it").insert(token.into(), Arc::new(identity));
    }
}

/// Returns a user who may do this.
pub(crate) fn of(user: &str, grants: &[&str]) -> Identity {
    let grants = grants.iter().map(|text| text.parse::<Grant>().expect("a grant"));
    Identity::of(UserName::new(user).expect("a name"), grants.collect())
}

impl Authenticator for Bearers {
    fn authenticate<'a>(
        &'a self,
        token: &'a str,
        _now: WallMs,
    ) -> BoxFuture<'a, Result<Arc<Identity>, Unauthenticated>> {
        let found = self.0.lock().expect("no test panics with it").get(token).cloned();
        Box::pin(ready(found.ok_or(Unauthenticated::Unknown)))
    }
}
