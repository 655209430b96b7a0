//! What the load generators have in common.

pub(crate) mod limit;
pub(crate) mod machine;
pub(crate) mod process;
pub(crate) mod report;
pub(crate) mod samples;
