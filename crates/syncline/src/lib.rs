//! Syncline, a collaboration engine centred on CRDTs: what applications depend on, and the `syncline` command.
//!
//! This crate adds nothing of its own. It names the parts, each of which can be used alone:
//!
//! * [`core`]: ids, limits, the guard against hostile bytes, documents, and replicated types for state of your own;
//! * [`protocol`]: the wire codecs, and the machines that decide what a server does;
//! * [`store`]: the store on disk, and the one in memory;
//! * [`server`]: a server to embed, which is also what `syncline serve` runs.
//!
//! # Embedding a server
//!
//! ```
//! use syncline::{
//!     server::{Config, STACK_BYTES, Server},
//!     store::mem::MemoryStore,
//! };
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // Documents nest, and deleting nested ones recurses: give the threads room for it.
//! let runtime = tokio::runtime::Builder::new_multi_thread()
//!     .thread_stack_size(STACK_BYTES)
//!     .enable_all()
//!     .build()?;
//!
//! runtime.block_on(async {
//!     // The default listens on a free port of loopback. `SledStore::open` keeps documents on disk.
//!     let server = Server::start(Config::default(), Box::new(MemoryStore::new())).await?;
//!     println!("editors connect to ws://{}/yjs/<room>", server.addr());
//!
//!     server.shutdown().await;
//!     Ok(())
//! })
//! # }
//! ```

pub use syncline_core as core;
pub use syncline_protocol as protocol;
pub use syncline_server as server;
pub use syncline_store as store;
