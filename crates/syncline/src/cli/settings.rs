//! Settings: from flags, variables and a file to what the server is started with.

mod auth;
mod devices;
mod hooks;
mod quota;
#[cfg(test)]
mod tests;
mod webhook;
mod wrong;

use std::{
    collections::BTreeMap,
    fs, io,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
};

use clap::{Args, ValueEnum};
use serde::Deserialize;
use syncline::{
    core::{
        entity::{EntityType, Handler, NameError, TypeError, TypeForm, TypeName},
        id::{TenantName, TenantNameError},
    },
    server::{Config, HookSettings, KeyError, Network, Origin, OriginError, PublishedKeysError, TlsFiles},
};

use self::{
    auth::{Auth, TokenGrant, authenticator, with_webhook},
    devices::{Devices, DevicesError},
    hooks::{Hook, HookFormError},
};

use self::quota::QuotaForm;
use super::retention::History;

/// Where a server listens that was told nothing.
const LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 8080);

/// Where data is kept by whoever was told nothing.
const DATA_DIR: &str = "syncline-data";

/// Shortest token that is taken, in bytes.
const TOKEN_BYTES_MIN: usize = 8;

/// The file that is read if it exists and no other is named.
const CONFIG_FILE: &str = "syncline.toml";

/// Settings of every command that looks at a tenant in a data folder.
#[derive(Debug, Args)]
pub(crate) struct TenantArgs {
    #[command(flatten)]
    pub(crate) data: DataArgs,
    /// Whose rooms and entities
    #[arg(long, value_name = "NAME", default_value = TenantName::DEFAULT)]
    pub(crate) tenant: TenantName,
}

/// Settings of the command that checks a data folder.
#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    #[command(flatten)]
    pub(crate) data: DataArgs,
    /// Look only at what is this tenant's
    #[arg(long, value_name = "NAME")]
    pub(crate) tenant: Option<TenantName>,
}

/// Settings of every command that opens a data folder.
#[derive(Debug, Default, Args)]
pub(crate) struct DataArgs {
    /// Folder that holds documents and entities [default: syncline-data]
    #[arg(long, env = "SYNCLINE_DATA_DIR", value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// File of settings in TOML [default: syncline.toml, if it exists]
    #[arg(long, env = "SYNCLINE_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
}

/// Settings of `syncline serve`.
#[derive(Debug, Default, Args)]
pub(crate) struct ServeArgs {
    /// Address and port to listen on; port 0 lets the system choose [default: 127.0.0.1:8080]
    #[arg(long, env = "SYNCLINE_LISTEN", value_name = "ADDR")]
    listen: Option<SocketAddr>,
    #[command(flatten)]
    data: DataArgs,
    /// Certificate to speak TLS with, and those it rests on, in PEM; read again on SIGHUP
    #[arg(long, env = "SYNCLINE_TLS_CERT", value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// Private key of the certificate, in PEM
    #[arg(long, env = "SYNCLINE_TLS_KEY", value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// Certificates of authorities to trust when others are asked, besides those that browsers trust, in PEM
    #[arg(long, env = "SYNCLINE_CA_FILE", value_name = "FILE")]
    ca_file: Option<PathBuf>,
    /// Memory for documents, in MiB, above which unused ones are unloaded at once [default: half of the machine's]
    #[arg(long, env = "SYNCLINE_MEMORY_MB", value_name = "N")]
    memory_mb: Option<usize>,
    /// Web page that may connect besides the server's own and those on localhost; may be given several times
    #[arg(long, env = "SYNCLINE_ALLOW_ORIGIN", value_name = "ORIGIN", value_delimiter = ',')]
    allow_origin: Option<Vec<Origin>>,
    /// Network of proxies that are believed when they say whom they speak for, as 10.0.0.0/8; may be given several times
    #[arg(long, env = "SYNCLINE_TRUSTED_PROXIES", value_name = "NETWORK", value_delimiter = ',')]
    trusted_proxies: Option<Vec<Network>>,
    /// WebSockets that may be open at the same time [default: 10000]
    #[arg(long, env = "SYNCLINE_CONNECTIONS_MAX", value_name = "N")]
    connections_max: Option<usize>,
    /// Tenants besides `default` that there may be [default: 1000]
    #[arg(long, env = "SYNCLINE_TENANTS_MAX", value_name = "N")]
    tenants_max: Option<usize>,
    /// Days for which the values are kept that entities once had, beside the audit; 0 is for ever [default: 0]
    #[arg(long, env = "SYNCLINE_AUDIT_RETENTION_DAYS", value_name = "DAYS")]
    audit_retention_days: Option<u32>,
    /// Days for which events are kept; 0 is for ever [default: 30]
    #[arg(long, env = "SYNCLINE_EVENT_RETENTION_DAYS", value_name = "DAYS")]
    event_retention_days: Option<u32>,
    /// Listen beyond this machine although nobody is asked who they are
    #[arg(
        long, env = "SYNCLINE_INSECURE_LISTEN_ANYWHERE", value_name = "BOOL",
        num_args = 0..=1, require_equals = true, default_missing_value = "true"
    )]
    insecure_listen_anywhere: Option<bool>,
    /// What to log to stderr: error, warn, info, debug or trace, or filters such as syncline_server=debug
    /// [default: info]
    #[arg(long, env = "SYNCLINE_LOG", value_name = "LEVEL")]
    log: Option<String>,
    /// How to write the log [default: text]
    #[arg(long, env = "SYNCLINE_LOG_FORMAT", value_name = "FORMAT")]
    log_format: Option<LogFormat>,
}

/// How the log is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum LogFormat {
    /// Lines for people.
    #[default]
    Text,
    /// One object a line.
    Json,
}

/// The keys of the file.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct File {
    listen: Option<SocketAddr>,
    data_dir: Option<PathBuf>,
    tls_cert: Option<PathBuf>,
    tls_key: Option<PathBuf>,
    ca_file: Option<PathBuf>,
    memory_mb: Option<usize>,
    allow_origin: Option<Vec<String>>,
    trusted_proxies: Option<Vec<Network>>,
    connections_max: Option<usize>,
    tenants_max: Option<usize>,
    audit_retention_days: Option<u32>,
    event_retention_days: Option<u32>,
    insecure_listen_anywhere: Option<bool>,
    log: Option<String>,
    log_format: Option<LogFormat>,
    #[serde(default)]
    token: Vec<TokenGrant>,
    auth: Option<Auth>,
    #[serde(default)]
    hooks: Vec<Hook>,
    #[serde(default)]
    devices: Devices,
    #[serde(default)]
    history: History,
    #[serde(default)]
    quota: QuotaForm,
    /// Who is asked what to make of conflicts of types that name nobody themselves.
    suggest: Option<Handler>,
    /// Types of entities, by their names.
    #[serde(default)]
    types: BTreeMap<TypeName, TypeForm>,
}

/// Everything that `syncline serve` needs to know.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) server: Config,
    pub(crate) data_dir: PathBuf,
    pub(crate) log: String,
    pub(crate) log_format: LogFormat,
}

/// Why the settings make no sense.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SettingsError {
    /// The file cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The file is not one of settings.
    #[error("{}, line {line}: {why}", path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// Where it is wrong, counted from 1.
        line: usize,
        /// What is wrong with it. What stands there is left out: it may be a secret.
        why: String,
    },
    /// The file holds a token that is too easily guessed.
    #[error("a token has at least {TOKEN_BYTES_MIN} bytes; `openssl rand -hex 16` makes a good one")]
    ShortToken,
    /// The file holds a token of someone who has no name.
    #[error("the user of `[[token]]` number {number} has no name")]
    User {
        /// Which token of the file, counted from 1.
        number: usize,
        /// What is wrong with it.
        source: NameError,
    },
    /// The file holds a token of a tenant that has no name.
    #[error("a token is for no tenant")]
    Tenant {
        /// What is wrong with its name.
        #[from]
        source: TenantNameError,
    },
    /// The claim that is to name the tenant says something else.
    #[error("the claim that `tenant-claim` names cannot name the tenant: it says something else")]
    TenantClaim,
    /// The file names a certificate without its key, or a key without its certificate.
    #[error("`tls-cert` and `tls-key` are given together")]
    HalfTls,
    /// The keys of signed tokens are of no use.
    #[error("{} holds no keys of tokens", path.display())]
    Keys {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: KeyError,
    },
    /// The file says nothing of the keys of signed tokens, or twice.
    #[error("`[auth]` has one of `keys` and `jwks-url`; only beside `[[token]]` is `[auth.webhook]` enough")]
    AuthKeys,
    /// The keys of signed tokens cannot be asked for.
    #[error("`jwks-url` is of no use")]
    JwksUrl {
        /// Why.
        #[from]
        source: PublishedKeysError,
    },
    /// The file holds a token twice.
    #[error("two tokens have the same secret: give one all grants")]
    SameSecret,
    /// The file declares a type that means nothing.
    #[error("the type `{name}` cannot be declared so")]
    Type {
        /// Its name.
        name: TypeName,
        /// What is wrong with it.
        source: TypeError,
    },
    /// The file says wrongly who is asked what no grant allows.
    #[error("nobody can be asked about rights so")]
    Webhook {
        /// What is wrong with it.
        source: TypeError,
    },
    /// The file says wrongly who is told of documents.
    #[error("the hook {name} makes no sense")]
    Hook {
        /// What it is called, or where it stands if that is no name.
        name: String,
        /// What is wrong with it.
        source: HookFormError,
    },
    /// The file says wrongly what is asked of devices.
    #[error("`[devices]` makes no sense")]
    Devices {
        /// What is wrong with it.
        #[from]
        source: DevicesError,
    },
    /// The file says wrongly who is asked about conflicts.
    #[error("nobody can be asked about conflicts so")]
    Suggest {
        /// What is wrong with it.
        source: TypeError,
    },
    /// The file holds an origin that is none.
    #[error("`allow-origin` number {number} is not an origin")]
    Origin {
        /// Which of them, counted from 1.
        number: usize,
        /// What is wrong with it.
        source: OriginError,
    },
}

impl DataArgs {
    /// Returns the data folder.
    pub(crate) fn data_dir(&self) -> Result<PathBuf, SettingsError> {
        let file = self.file()?;
        Ok(self.data_dir.clone().or(file.data_dir).unwrap_or_else(|| DATA_DIR.into()))
    }

    fn file(&self) -> Result<File, SettingsError> {
        let (path, named) = match &self.config {
            Some(path) => (path.as_path(), true),
            None => (Path::new(CONFIG_FILE), false),
        };
        match fs::read_to_string(path) {
            Ok(text) => read(path, &text),
            Err(error) if error.kind() == io::ErrorKind::NotFound && !named => Ok(File::default()),
            Err(source) => Err(SettingsError::Read { path: path.to_owned(), source }),
        }
    }
}

fn read(path: &Path, text: &str) -> Result<File, SettingsError> {
    toml::from_str(text).map_err(|error| {
        let (line, why) = wrong::told(text, &error);
        SettingsError::Parse { path: path.to_owned(), line, why }
    })
}

impl ServeArgs {
    /// Reads the file and puts everything together.
    pub(crate) fn settings(self) -> Result<Settings, SettingsError> {
        let file = self.data.file()?;
        self.over(file)
    }

    fn over(self, file: File) -> Result<Settings, SettingsError> {
        let mut server = Config::default();
        server.listen = self.listen.or(file.listen).unwrap_or(LISTEN);
        if let Some(mb) = self.memory_mb.or(file.memory_mb) {
            server.memory_bytes = mb.saturating_mul(1 << 20);
        }
        server.allow_origins = match self.allow_origin {
            Some(origins) => origins,
            None => origins(file.allow_origin.unwrap_or_default())?,
        };
        server.trusted_proxies = self.trusted_proxies.or(file.trusted_proxies).unwrap_or_default();
        if let Some(connections_max) = self.connections_max.or(file.connections_max) {
            server.connections_max = connections_max;
        }
        if let Some(tenants_max) = self.tenants_max.or(file.tenants_max) {
            server.tenants_max = tenants_max;
        }
        if let Some(days) = self.audit_retention_days.or(file.audit_retention_days) {
            server.audit_retention_days = unless_for_ever(days);
        }
        if let Some(days) = self.event_retention_days.or(file.event_retention_days) {
            server.event_retention_days = unless_for_ever(days);
        }
        server.history = file.history.rules();
        server.trust = self.ca_file.or(file.ca_file);
        let (auth, webhook) = with_webhook(file.auth)?;
        server.webhook = webhook;
        server.authenticator = authenticator(file.token, auth, server.trust.as_deref())?;
        if server.webhook.is_some() && server.authenticator.is_none() {
            return Err(SettingsError::AuthKeys);
        }
        server.tls = match (self.tls_cert.or(file.tls_cert), self.tls_key.or(file.tls_key)) {
            (Some(certificates), Some(key)) => Some(TlsFiles { certificates, key }),
            (None, None) => None,
            _ => return Err(SettingsError::HalfTls),
        };
        file.quota.over(&mut server.quota);
        server.hooks = hooks(file.hooks)?;
        server.devices = file.devices.settings()?;
        server.types = types(file.types)?;
        if let Some(suggest) = file.suggest {
            suggest.check().map_err(|source| SettingsError::Suggest { source })?;
            server.suggest = Some(suggest);
        }
        let insecure = self.insecure_listen_anywhere.or(file.insecure_listen_anywhere);
        server.insecure_listen_anywhere = insecure.unwrap_or_default();
        Ok(Settings {
            server,
            data_dir: self.data.data_dir.or(file.data_dir).unwrap_or_else(|| DATA_DIR.into()),
            log: self.log.or(file.log).unwrap_or_else(|| "info".into()),
            log_format: self.log_format.or(file.log_format).unwrap_or_default(),
        })
    }
}

fn unless_for_ever(days: u32) -> Option<u32> {
    (days > 0).then_some(days)
}

fn hooks(forms: Vec<Hook>) -> Result<Vec<HookSettings>, SettingsError> {
    let hooks = forms.into_iter().zip(1..).map(|(form, number)| {
        // What is no name may be a secret that stands at the wrong place.
        let name = form.name().map_or_else(|_| format!("number {number}"), |name| format!("`{name}`"));
        form.settings().map_err(|source| SettingsError::Hook { name, source })
    });
    hooks.collect()
}

fn types(forms: BTreeMap<TypeName, TypeForm>) -> Result<Vec<EntityType>, SettingsError> {
    let named = forms.into_iter().map(|(name, form)| match form.named(name.clone()) {
        Ok(ty) => Ok(ty),
        Err(source) => Err(SettingsError::Type { name, source }),
    });
    named.collect()
}

fn origins(texts: Vec<String>) -> Result<Vec<Origin>, SettingsError> {
    let parse = |(origin, number): (String, usize)| {
        origin.parse().map_err(|source| SettingsError::Origin { number, source })
    };
    texts.into_iter().zip(1..).map(parse).collect()
}
