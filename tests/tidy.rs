//! The house rules that neither rustc nor clippy checks.
//!
//! Goal: what `ARCHITECTURE.md` and the style promise stays true without anyone remembering it. Method: each rule is a test that reads
//! the repository's own files, lists every breach with its place, and says what to do about it. The readers know just as much Rust
//! and TOML as the rules need; where they are wrong, mend them rather than write code around them.

mod tidy {
    mod floors;
    mod manifest;
    mod mask;
    mod modules;
    mod rust;
    mod sources;
    mod testing;
    mod tree;
    mod workspace;
}
