//! Replicated types beside those of the crate `crdts`, on the same work, in one process.
//!
//! `cargo bench -p syncline --bench crdt -- [--quick] [FILTER]`

mod catch_up;
mod clocks;
mod set;
mod table;

use table::Table;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    let (flags, filters): (Vec<String>, Vec<String>) = args.into_iter().partition(|arg| arg.starts_with('-'));
    let is_quick = flags.iter().any(|flag| flag == "--quick");
    let mut table = Table::new(if is_quick { 5 } else { 51 }, filters.into_iter().next());
    clocks::measure(&mut table);
    set::measure(&mut table);
    catch_up::measure(&mut table);
    print!("{table}");
}
