//! The presence table.
