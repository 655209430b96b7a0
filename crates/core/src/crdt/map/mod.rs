//! Maps.

mod lww;
mod or_map;

pub use lww::LwwMap;
pub use or_map::OrMap;
