//! Puts the page that `web/` builds into the server, or nothing if it was not built: the server is whole without it.
//!
//! `web/dist` holds its files, and `.gz` and `.br` files beside those that are worth it. What lies in `assets/` has a hash
//! of its content in its name.

use std::{
    collections::hash_map::DefaultHasher,
    env, fs,
    hash::{Hash, Hasher},
    io,
    path::{Path, PathBuf},
};

fn main() -> io::Result<()> {
    let manifest_dir = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    // The folder is in the repository, so that cargo can watch it before anything is built into it.
    let dist = manifest_dir.join("../../web/dist");
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed={}", dist.display());

    let mut files = Vec::new();
    if dist.join("index.html").is_file() {
        collect(&dist, &mut files)?;
    }
    files.sort();
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it"));
    let mut copies = Copies { folder: out.join("page"), count: 0 };
    fs::create_dir_all(&copies.folder)?;
    let mut source = String::from("&[\n");
    for file in &files {
        source += &asset(&dist, file, &mut copies)?;
    }
    source += "]\n";
    fs::write(out.join("page.rs"), source)
}

/// Copies of what is built in: the page may be built again while the compiler reads them.
struct Copies {
    folder: PathBuf,
    count: usize,
}

impl Copies {
    /// Returns the source of the content's bytes.
    fn add(&mut self, content: &[u8]) -> io::Result<String> {
        let name = self.count.to_string();
        self.count += 1;
        fs::write(self.folder.join(&name), content)?;
        Ok(format!("include_bytes!(concat!(env!(\"OUT_DIR\"), \"/page/{name}\"))"))
    }
}

fn collect(folder: &Path, found: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let is_hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        let is_compressed = path.extension().is_some_and(|extension| extension == "gz" || extension == "br");
        if path.is_dir() {
            collect(&path, found)?;
        } else if !is_hidden && !is_compressed {
            found.push(path);
        }
    }
    Ok(())
}

/// Returns the source of one `Asset`.
fn asset(dist: &Path, file: &Path, copies: &mut Copies) -> io::Result<String> {
    let content = fs::read(file)?;
    // The keys of this hasher are fixed, so equal content has an equal tag in every build.
    let mut hasher = DefaultHasher::new();
    content.hash(&mut hasher);
    let relative =
        file.strip_prefix(dist).expect("the walk began there").to_string_lossy().replace('\\', "/");
    let path = if relative == "index.html" { String::from("/") } else { format!("/{relative}") };
    let mut compressed = |extension: &str| {
        let beside = PathBuf::from(format!("{}.{extension}", file.display()));
        if !beside.is_file() {
            return Ok(String::from("None"));
        }
        fs::read(beside).and_then(|content| copies.add(&content)).map(|bytes| format!("Some({bytes})"))
    };
    let (gzip, brotli) = (compressed("gz")?, compressed("br")?);
    let plain = copies.add(&content)?;
    Ok(format!(
        "Asset {{ path: {path:?}, kind: {:?}, tag: {:?}, immutable: {}, plain: {plain}, gzip: {gzip}, brotli: {brotli} }},\n",
        kind(file),
        format!("\"{:016x}\"", hasher.finish()),
        relative.starts_with("assets/"),
    ))
}

fn kind(file: &Path) -> &'static str {
    match file.extension().and_then(|extension| extension.to_str()) {
        Some("html") => "text/html; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("woff2") => "font/woff2",
        Some("json" | "webmanifest") => "application/json",
        Some("txt") => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}
