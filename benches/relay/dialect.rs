//! The protocols that are measured: each has a reference server of its own.

/// What clients and server speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Dialect {
    /// One room a connection, named by the URL. An update is confirmed by its echo.
    YWebsocket,
    /// The same messages with an address before each. An update is confirmed by a `SyncStatus`.
    Hocuspocus,
}

impl Dialect {
    /// All of them, in the order of the report.
    pub(crate) const ALL: [Self; 2] = [Self::YWebsocket, Self::Hocuspocus];

    /// Returns the name of its rows.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::YWebsocket => "y-websocket",
            Self::Hocuspocus => "hocuspocus",
        }
    }
}
