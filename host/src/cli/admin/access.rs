//! Which host, and with which token: flags before the environment. Nothing is
//! asked of the host here.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use clap::Args;

use crate::cli::client::{Address, Client, Token};
use crate::config::{AdminConfig, file};

/// The address, if no flag names one.
const ADDRESS: &str = "INNKEEPER_ADMIN";

/// The address, if nothing names one; that of a configuration that says nothing
/// else.
const DEFAULT: &str = "127.0.0.1:9090";

/// A token.
const TOKEN: &str = "INNKEEPER_TOKEN";

/// The file of a token.
const TOKEN_FILE: &str = "INNKEEPER_TOKEN_FILE";

/// Flags of every subcommand that speaks to a host.
#[derive(Debug, Args)]
pub struct AdminFlags {
    /// Where the host is administered: `http://HOST:PORT` or `unix:/PATH` [default:
    /// $INNKEEPER_ADMIN, else http://127.0.0.1:9090].
    #[arg(long, help_heading = "Administration", value_name = "ADDRESS")]
    admin: Option<Address>,

    /// The file with the token [default: the token in $INNKEEPER_TOKEN, else the file
    /// $INNKEEPER_TOKEN_FILE].
    #[arg(long, help_heading = "Administration", value_name = "PATH")]
    token_file: Option<PathBuf>,

    /// The host's configuration file: the address and the operator's token are where it says, unless
    /// a flag names others.
    #[arg(long, help_heading = "Administration", value_name = "FILE")]
    config: Option<PathBuf>,

    /// Print what the administration says, as JSON, unchanged.
    #[arg(long, help_heading = "Administration")]
    json: bool,
}

impl AdminFlags {
    /// Whether JSON is wanted.
    pub fn json(&self) -> bool {
        self.json
    }

    /// A client of the host.
    ///
    /// # Errors
    /// A configuration without an administration, a file that cannot be read,
    /// no token.
    pub fn client(self) -> Result<Client> {
        let config = self.config.as_deref().map(admin_of).transpose()?;
        let (listen, configured_file) = match config {
            Some(AdminConfig { listen, token_file }) => (Some(Address::from(listen)), Some(token_file)),
            None => (None, None),
        };
        let address = match self.admin.or(listen) {
            Some(address) => address,
            None => address_of_environment()?,
        };
        let token = match self.token_file.or(configured_file) {
            Some(file) => token_in(&file)?,
            None => token_of_environment()?,
        };
        Client::new(address, token)
    }
}

fn admin_of(path: &Path) -> Result<AdminConfig> {
    let admin = file::admin_of(path).map_err(|problems| anyhow::anyhow!("{problems}"))?;
    admin.with_context(|| format!("{} has no [admin], so that its host is not administered", path.display()))
}

fn address_of_environment() -> Result<Address> {
    match env::var(ADDRESS) {
        Ok(text) => {
            text.parse().map_err(|error| anyhow::anyhow!("{ADDRESS} is {text:?}, no address: {error}"))
        }
        Err(_) => Ok(Address::Http(DEFAULT.to_owned())),
    }
}

fn token_of_environment() -> Result<Token> {
    if let Ok(text) = env::var(TOKEN) {
        return token(&text, TOKEN.to_owned());
    }
    match env::var_os(TOKEN_FILE) {
        Some(file) => token_in(Path::new(&file)),
        None => bail!(
            "there is no token; name its file with --token-file, the host's configuration with --config, or set {TOKEN} or {TOKEN_FILE}"
        ),
    }
}

fn token_in(path: &Path) -> Result<Token> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("cannot read the token in {}", path.display()))?;
    token(&text, path.display().to_string())
}

fn token(text: &str, from: String) -> Result<Token> {
    let value = text.trim();
    if value.is_empty() {
        bail!("there is no token in {from}");
    }
    if !value.bytes().all(|byte| byte.is_ascii_graphic()) {
        bail!(
            "{from} has something else than one token in it: a line of printable characters without spaces"
        );
    }
    Ok(Token { value: value.to_owned(), from })
}
