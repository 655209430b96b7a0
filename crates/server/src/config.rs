//! What an operator may set.

use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    sync::Arc,
};

use syncline_core::{
    entity::{EntityType, Handler, TypeName},
    limits::{CONNECTIONS_MAX, TENANTS_MAX},
};

use crate::{
    access::{Authenticator, DeviceSettings, WebhookSettings},
    edge::Network,
    entities::PushHandler,
    history::HistoryRules,
    hooks::HookSettings,
    memory,
    origin::Origin,
    quota::Quota,
    tls::TlsFiles,
};

/// How long events are kept unless an operator says otherwise, in days: who reads them has been away for a holiday.
const EVENT_RETENTION_DAYS: u32 = 30;

/// The settings of a server.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// Where to listen; port 0 lets the system choose one.
    pub listen: SocketAddr,
    /// Whether to listen beyond this machine although nobody is asked who they are.
    pub insecure_listen_anywhere: bool,
    /// The certificate to speak TLS with; without one the server speaks plain HTTP, as behind a proxy that speaks TLS.
    pub tls: Option<TlsFiles>,
    /// Certificates of authorities that the server trusts when it asks others, besides those that browsers trust, in PEM.
    pub trust: Option<PathBuf>,
    /// Web pages that may connect besides the server's own and those of this machine.
    pub allow_origins: Vec<Origin>,
    /// Proxies that are believed when they say whom they speak for.
    pub trusted_proxies: Vec<Network>,
    /// Who finds out whose a token is; if nobody does, everyone may do everything.
    pub authenticator: Option<Arc<dyn Authenticator>>,
    /// Who is asked what no grant of a token allows.
    pub webhook: Option<WebhookSettings>,
    /// Applications that are told of documents.
    pub hooks: Vec<HookSettings>,
    /// What is asked of devices.
    pub devices: DeviceSettings,
    /// Types of entities that there are from the start.
    pub types: Vec<EntityType>,
    /// Who judges the ops of types before they take effect, instead of what the types say, by the names of the types.
    pub handlers: BTreeMap<TypeName, Arc<dyn PushHandler>>,
    /// Who is asked what to make of conflicts of types that name nobody themselves.
    pub suggest: Option<Handler>,
    /// Tenants besides the one that is always there, as far as anything of them is stored or somebody looks at them.
    pub tenants_max: usize,
    /// How long the values are kept that lie beside the audit, in days; if there is nothing here, for ever.
    pub audit_retention_days: Option<u32>,
    /// How long events are kept for those who read them later, in days; if there is nothing here, for ever.
    pub event_retention_days: Option<u32>,
    /// How long every update of a document is kept, with who made it and when.
    pub history: HistoryRules,
    /// Memory that documents may hold before rooms without anyone in them are unloaded at once, in bytes.
    pub memory_bytes: usize,
    /// Open WebSockets.
    pub connections_max: usize,
    /// How much each tenant, user and connection may use.
    pub quota: Quota,
}

impl Default for Config {
    /// Listens on a port of the system's choice, on loopback, and gives documents half of the machine's memory.
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            insecure_listen_anywhere: false,
            tls: None,
            trust: None,
            allow_origins: Vec::new(),
            trusted_proxies: Vec::new(),
            authenticator: None,
            webhook: None,
            hooks: Vec::new(),
            devices: DeviceSettings::default(),
            types: Vec::new(),
            handlers: BTreeMap::new(),
            suggest: None,
            tenants_max: TENANTS_MAX,
            audit_retention_days: None,
            event_retention_days: Some(EVENT_RETENTION_DAYS),
            history: HistoryRules::default(),
            memory_bytes: memory::default_budget_bytes(),
            connections_max: CONNECTIONS_MAX,
            quota: Quota::default(),
        }
    }
}
