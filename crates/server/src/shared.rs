//! What every part of a running server knows.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicU64, Ordering},
};

use syncline_core::{access::Identity, entity::EntityType, id::ConnectionId, limits::INBOUND_BYTES_MAX};
use tokio::sync::Semaphore;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    access::{Devices, Gate, Signers, Webhook},
    clock::Clock,
    config::Config,
    edge::Doors,
    entities::Handlers,
    epoch::Epoch,
    hooks::HookSet,
    inbound::InboundBudget,
    limits::{
        BULK_MAX, BULK_PER_USER_MAX, CHANGE_READERS_MAX, DOCS_BULK_MAX, HANDSHAKES_MAX,
        IMPORT_INBOUND_BYTES_MAX, LIVE_MAX,
    },
    lobby::Lobby,
    memory::MemoryBudget,
    metrics::{Metrics, Moment},
    origin::Pages,
    outgoing::{TargetError, Trust},
    quota::{Pace, Payer, Places, Quota, Shares, TooFast, Usage},
    tenants::TenantSettings,
};

pub(crate) struct Shared {
    pub(crate) clock: Clock,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) memory: Arc<MemoryBudget>,
    pub(crate) inbound: Arc<InboundBudget>,
    /// The part of it that is for imports of documents.
    pub(crate) import_lines: Arc<InboundBudget>,
    pub(crate) quota: Quota,
    pub(crate) pace: Arc<Pace>,
    pub(crate) usage: Arc<Usage>,
    pub(crate) doors: Doors,
    pub(crate) pages: Pages,
    pub(crate) gate: Gate,
    pub(crate) signers: Signers,
    pub(crate) devices: Devices,
    pub(crate) lobby: Lobby,
    /// Those that the operator declared.
    pub(crate) types: Vec<EntityType>,
    pub(crate) handlers: Arc<Handlers>,
    pub(crate) tenants: TenantSettings,
    /// Live streams of entities.
    pub(crate) live: Arc<Places>,
    /// Exports and imports of entities.
    pub(crate) bulk: Arc<Places>,
    /// Exports and imports of documents.
    pub(crate) docs_bulk: Arc<Places>,
    /// Streams of events of documents.
    pub(crate) feeds: Arc<Places>,
    connections_max: usize,
    /// One permit for each WebSocket that may still be opened.
    pub(crate) sockets: Arc<Semaphore>,
    pub(crate) handshakes: Arc<Semaphore>,
    /// Every task of a TCP connection or WebSocket.
    pub(crate) connections: TaskTracker,
    /// Nothing new is accepted.
    pub(crate) stopping: CancellationToken,
    /// Absent while the store is down.
    epoch: Mutex<Option<Arc<Epoch>>>,
    connected: AtomicU64,
}

impl Shared {
    pub(crate) fn new(config: &Config, trust: Trust, hooks: HookSet) -> Result<Self, TargetError> {
        // Permits beyond what the semaphore can count are beyond what a machine can connect, too.
        let connections_max = config.connections_max.min(Semaphore::MAX_PERMITS);
        let clock = Clock::start();
        let webhook = config.webhook.as_ref().map(|settings| Webhook::new(settings, trust.clone(), clock));
        let webhook = webhook.transpose()?.map(Arc::new);
        let devices = Devices::new(&config.devices, trust.clone(), clock);
        let handlers = Arc::new(Handlers::new(config, trust, clock));
        let inbound = InboundBudget::new(INBOUND_BYTES_MAX);
        // Where no token is asked for everyone is of one tenant.
        let has_tenants = config.authenticator.is_some() && config.tenants_max > 0;
        let places = |all, user| Places::new(Shares::of_server(all, user, has_tenants));
        Ok(Self {
            clock,
            metrics: Arc::new(Metrics::new()),
            memory: MemoryBudget::new(config.memory_bytes),
            import_lines: inbound.part(IMPORT_INBOUND_BYTES_MAX),
            inbound,
            quota: config.quota.clone(),
            pace: Arc::new(Pace::new(&config.quota)),
            usage: Usage::new(&config.quota),
            doors: Doors::new(config),
            pages: Pages::new(
                config.allow_origins.clone(),
                config.authenticator.is_some() || config.insecure_listen_anywhere,
            ),
            gate: Gate::new(clock, config.authenticator.clone(), webhook),
            signers: Signers::new(clock.now().wall),
            devices,
            lobby: Lobby::default(),
            types: config.types.clone(),
            tenants: TenantSettings::new(config, &handlers, hooks),
            handlers,
            live: places(LIVE_MAX, None),
            bulk: places(BULK_MAX, Some(BULK_PER_USER_MAX)),
            docs_bulk: places(DOCS_BULK_MAX, Some(BULK_PER_USER_MAX)),
            feeds: places(CHANGE_READERS_MAX, None),
            connections_max,
            sockets: Arc::new(Semaphore::new(connections_max)),
            handshakes: Arc::new(Semaphore::new(HANDSHAKES_MAX)),
            connections: TaskTracker::new(),
            stopping: CancellationToken::new(),
            epoch: Mutex::new(None),
            connected: AtomicU64::new(0),
        })
    }

    /// Returns the number of the next connection.
    pub(crate) fn next_connection(&self) -> ConnectionId {
        ConnectionId(self.connected.fetch_add(1, Ordering::Relaxed) + 1)
    }

    /// Returns whose quota it is that someone uses.
    pub(crate) fn payer(&self, identity: &Identity) -> Payer {
        Payer::of(Some(identity).filter(|_| self.gate.asks_token()))
    }

    /// Takes in a request of so many bytes, if its sender may send one now.
    pub(crate) fn admit(&self, payer: &Payer, bytes: u64) -> Result<(), TooFast> {
        let admitted = self.pace.admit(self.clock.monotonic(), payer, bytes);
        admitted.inspect_err(|too_fast| self.metrics.limited(too_fast.limit))
    }

    /// Returns what is open, or nothing while the store is down or the server stops.
    pub(crate) fn epoch(&self) -> Option<Arc<Epoch>> {
        let epoch = self.epoch.lock().unwrap_or_else(PoisonError::into_inner).clone();
        epoch.filter(|epoch| !epoch.halt.is_set() && !self.stopping.is_cancelled())
    }

    /// Says what is open from now on.
    pub(crate) fn set_epoch(&self, epoch: Option<Arc<Epoch>>) {
        *self.epoch.lock().unwrap_or_else(PoisonError::into_inner) = epoch;
    }

    /// Returns the metrics as text.
    pub(crate) fn encode_metrics(&self) -> String {
        let epoch = self.epoch();
        self.metrics.encode(Moment {
            connections: self.connections_max - self.sockets.available_permits(),
            rooms: epoch.as_ref().map_or(0, |epoch| epoch.registry.len()),
            memory_bytes: self.memory.used(),
            inbound_bytes: self.inbound.used(),
            stored_bytes: self.usage.all_stored_bytes(),
            ready: epoch.is_some(),
        })
    }
}
