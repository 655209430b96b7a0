//! `syncline keys`: keys that tokens are signed with.

use std::{
    fs,
    io::{self, Write},
    path::PathBuf,
    process::ExitCode,
};

use clap::{Subcommand, ValueEnum};
use serde_json::Value;
use syncline::server::{SigningAlgorithm, SigningKey};

use super::{Outcome, at};

pub(crate) const EXAMPLES: &str = "\
A set of keys is a JWK set (RFC 7517). Whoever has the private half of a key signs tokens that are good here; the
server needs no more than the public half.

Examples:
  syncline keys generate > keys.json && chmod 600 keys.json
  syncline keys public keys.json > public.json      # for `keys` in [auth] of syncline.toml";

#[derive(Debug, Subcommand)]
pub(crate) enum KeysCommand {
    /// Prints a new private key.
    Generate {
        /// How it signs
        #[arg(long, default_value = "es256")]
        algorithm: Algorithm,
    },
    /// Prints what others verify tokens with.
    Public {
        /// The set with the private key
        keys: PathBuf,
    },
}

/// How a key signs.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Algorithm {
    /// With a secret that the server has, too.
    Hs256,
    /// With a pair of keys on P-256.
    Es256,
    /// With a pair of keys on Ed25519.
    #[value(name = "eddsa")]
    EdDsa,
}

impl KeysCommand {
    pub(crate) fn run(self) -> Outcome {
        let set = match self {
            Self::Generate { algorithm } => {
                let algorithm = match algorithm {
                    Algorithm::Hs256 => SigningAlgorithm::Hs256,
                    Algorithm::Es256 => SigningAlgorithm::Es256,
                    Algorithm::EdDsa => SigningAlgorithm::EdDsa,
                };
                SigningKey::generate(algorithm)?.set()
            }
            Self::Public { keys } => {
                let set = signing_key(&keys)?.public_set();
                set.ok_or("a secret has no public half: the server needs the secret itself")?
            }
        };
        print(&set)
    }
}

/// Reads the key that signs.
pub(super) fn signing_key(
    path: &std::path::Path,
) -> Result<SigningKey, Box<dyn std::error::Error + Send + Sync>> {
    Ok(SigningKey::of_set(&fs::read(path).map_err(|error| at(path, &error))?)?)
}

/// Prints JSON for people and programs.
pub(super) fn print(json: &Value) -> Outcome {
    writeln!(io::stdout(), "{}", serde_json::to_string_pretty(json)?)?;
    Ok(ExitCode::SUCCESS)
}
