//! Registers.

mod lww;
mod mv;

pub use lww::LwwRegister;
pub use mv::MvRegister;
