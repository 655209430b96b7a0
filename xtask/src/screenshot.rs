//! `cargo xtask screenshot`: the picture in the README.

use std::env;
use std::path::PathBuf;
use std::process::ExitCode;

use crate::{browser, npm, process, web};

pub(crate) const HELP: &str = "\
Usage: cargo xtask screenshot

Builds the page and the server, has two people write in one document, and takes
the picture docs/page.png of it. It needs Chromium, and looks best with the font
Inter.";

pub(crate) fn run(args: Vec<String>) -> Result<ExitCode, String> {
    if let Some(arg) = args.first() {
        return Err(format!("`screenshot` does not know `{arg}`"));
    }
    browser::install()?;
    npm::install("tests/clients")?;
    npm::install("tests/browser")?;
    web::build()?;
    process::run(&mut process::cargo(["build", "--package", "syncline"]))?;
    let target =
        env::var_os("CARGO_TARGET_DIR").map_or_else(|| process::root().join("target"), PathBuf::from);
    let mut camera = process::program("node", ["tests/browser/screenshot.mjs", "docs/page.png"]);
    process::run(camera.env("SYNCLINE_BIN", target.join("debug/syncline")))?;
    Ok(ExitCode::SUCCESS)
}
