//! Of which kind a document is, as requests and answers name it.

use serde::{Deserialize, Serialize};
use syncline_core::log::Engine;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Kind {
    Yjs,
    Automerge,
}

impl From<Kind> for Engine {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Yjs => Self::Yjs,
            Kind::Automerge => Self::Automerge,
        }
    }
}

impl From<Engine> for Kind {
    fn from(engine: Engine) -> Self {
        match engine {
            Engine::Yjs => Self::Yjs,
            Engine::Automerge => Self::Automerge,
        }
    }
}
