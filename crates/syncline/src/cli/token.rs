//! `syncline token`: signed tokens, for development and for scripts.

use std::{
    fs,
    io::{self, Write},
    path::PathBuf,
    process::ExitCode,
};

use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};
use syncline::{
    core::{
        access::Grant,
        entity::{ActorName, UserName, Value as Claim},
        id::TenantName,
    },
    server::{JwtSettings, JwtVerifier, NewToken},
};

use super::{Outcome, at, keys, wall_now};

pub(crate) const EXAMPLES: &str = "\
Examples:
  syncline token mint --keys keys.json --user ann --grant 'doc:team/*=write' --grant 'type:*=write'
  syncline token mint --keys keys.json --tenant acme --user bob --grant '*=admin'
  syncline token mint --keys keys.json --user till --device till-1 --claim area=7 --grant scope:mine=read --for 30d
  syncline token inspect --keys public.json TOKEN";

#[derive(Debug, Subcommand)]
pub(crate) enum TokenCommand {
    /// Prints a token that a key has signed.
    #[command(after_help = EXAMPLES)]
    Mint(MintArgs),
    /// Prints who the bearer of a token is and what they may do; exit code 1 if it is not good now.
    Inspect {
        /// The keys that the server verifies with
        #[arg(long, value_name = "FILE")]
        keys: PathBuf,
        /// Who must have issued it
        #[arg(long)]
        issuer: Option<String>,
        /// Whom it must be for
        #[arg(long)]
        audience: Option<String>,
        /// The claim that names the tenant [default: tenant]
        #[arg(long, value_name = "CLAIM")]
        tenant_claim: Option<String>,
        /// The token
        token: String,
    },
}

#[derive(Debug, Args)]
pub(crate) struct MintArgs {
    /// The set with the private key
    #[arg(long, value_name = "FILE")]
    keys: PathBuf,
    /// Whose token it is
    #[arg(long)]
    user: String,
    /// Whose data it is for [default: default]
    #[arg(long, value_name = "NAME")]
    tenant: Option<TenantName>,
    /// What its bearer may do, as RESOURCE=ACTION; may be given several times
    #[arg(long = "grant", value_name = "GRANT")]
    grants: Vec<Grant>,
    /// What fills scopes, as NAME=VALUE; may be given several times
    #[arg(long = "claim", value_name = "CLAIM")]
    claims: Vec<String>,
    /// The only device that it is good for
    #[arg(long)]
    device: Option<String>,
    /// How long it is good, as 90s, 15m, 12h or 30d
    #[arg(long = "for", value_name = "TIME", default_value = "1h", value_parser = seconds)]
    seconds: u64,
    /// Who issues it
    #[arg(long)]
    issuer: Option<String>,
    /// Whom it is for
    #[arg(long)]
    audience: Option<String>,
    /// What it is called by whoever revokes it
    #[arg(long)]
    id: Option<String>,
}

impl TokenCommand {
    pub(crate) fn run(self) -> Outcome {
        match self {
            Self::Mint(args) => mint(args),
            Self::Inspect { keys, issuer, audience, tenant_claim, token } => {
                let set = fs::read(&keys).map_err(|error| at(&keys, &error))?;
                let settings = JwtSettings { issuer, audience, tenant_claim, grants: Vec::new() };
                let verifier = JwtVerifier::new(settings, &set)?;
                inspect(&verifier, &token)
            }
        }
    }
}

fn mint(args: MintArgs) -> Outcome {
    UserName::new(&args.user)?;
    args.device.as_deref().map(ActorName::device).transpose()?;
    let issued_at_s = wall_now().0 / 1_000;
    let token = NewToken {
        tenant: args.tenant.map(|tenant| tenant.to_string()),
        user: args.user,
        issued_at_s,
        expires_at_s: issued_at_s.saturating_add(args.seconds),
        issuer: args.issuer,
        audience: args.audience,
        id: args.id,
        device: args.device,
        grants: args.grants,
        claims: args.claims.iter().map(|text| claim(text)).collect::<Result<_, _>>()?,
    };
    writeln!(io::stdout(), "{}", keys::signing_key(&args.keys)?.sign(&token)?)?;
    Ok(ExitCode::SUCCESS)
}

fn inspect(verifier: &JwtVerifier, token: &str) -> Outcome {
    let now = wall_now();
    let who = match verifier.verify(token, now) {
        Ok(who) => who,
        Err(error) => {
            writeln!(io::stderr(), "{error}")?;
            return Ok(ExitCode::FAILURE);
        }
    };
    let claims: Map<String, Value> =
        who.claims.iter().map(|(name, value)| (name.clone(), shown(value))).collect();
    let left = who.expires_at.map(|at| at.0.saturating_sub(now.0) / 1_000);
    keys::print(&json!({
        "tenant": who.tenant.as_str(),
        "user": who.user.as_str(),
        "device": who.device.as_ref().map(ActorName::as_str),
        "grants": who.grants.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "claims": claims,
        "id": who.token_id,
        "seconds_left": left,
    }))
}

/// Returns a claim as JSON; tokens hold no others.
fn shown(claim: &Claim) -> Value {
    match claim {
        Claim::Text(text) => (**text).into(),
        Claim::Number(number) => number.to_string().into(),
        Claim::Bool(value) => (*value).into(),
        Claim::Null | Claim::List(_) | Claim::Map(_) => Value::Null,
    }
}

fn claim(text: &str) -> Result<(String, Value), String> {
    let (name, value) =
        text.split_once('=').ok_or_else(|| format!("{text:?} is no claim: write NAME=VALUE"))?;
    Ok((name.to_owned(), value.into()))
}

fn seconds(text: &str) -> Result<u64, String> {
    let odd = || format!("{text:?} is no time: write 90s, 15m, 12h or 30d");
    let (number, unit) = text.split_at_checked(text.len().saturating_sub(1)).ok_or_else(odd)?;
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return Err(odd()),
    };
    number.parse().ok().and_then(|number: u64| number.checked_mul(seconds)).ok_or_else(odd)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_claims_are_read() {
        assert_eq!(["90s", "15m", "12h", "30d"].map(seconds), [Ok(90), Ok(900), Ok(43_200), Ok(2_592_000)]);
        for odd in ["", "h", "1", "1y", "-1h", "1ü", "99999999999999999999d"] {
            assert!(seconds(odd).is_err(), "{odd}");
        }
        assert_eq!(claim("area=7=8"), Ok(("area".into(), "7=8".into())));
        assert!(claim("area").is_err());
    }
}
