//! Tokens of the administration. A token is shown once, when it is made; only
//! its SHA-256 is kept, by which it is found again.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use redb::ReadableTable;

use super::database::{Fault, TOKENS, decode, encode};
use super::history::{About, record};
use super::records::now;
use super::{Action, Event, Scope, Sha256, StateError, Store, TokenRecord};
use crate::config::Name;

/// Hexadecimal digits of a token's id.
const ID_DIGITS: usize = 8;

impl Store {
    /// Makes a token: the token itself, to be handed over, and what is kept.
    ///
    /// # Errors
    ///
    /// If the system has no random bytes or the database cannot be written.
    pub fn make_token(
        &self,
        scope: Scope,
        label: &str,
        by: &str,
    ) -> Result<(String, TokenRecord), StateError> {
        self.database.write(|transaction| {
            let mut table = transaction.open_table(TOKENS)?;
            // People revoke by the id, so no two may have the same.
            let (token, hash, id) = loop {
                let (token, hash, id) = draw()?;
                if find_id(&table, &id)?.is_none() {
                    break (token, hash, id);
                }
            };
            let made = TokenRecord { id, scope, label: label.to_owned(), created: now() };
            table.insert(hash.as_bytes(), encode("tokens", &made)?.as_slice())?;
            let event = Event {
                action: Action::TokenMade,
                by: by.to_owned(),
                detail: format!("{} {}", made.id, made.label),
            };
            record(transaction, about(&made), event)?;
            Ok((token, made))
        })
    }

    /// What is known of a token; none if it is none of ours.
    ///
    /// # Errors
    ///
    /// If the database cannot be read.
    pub fn find_token(&self, token: &str) -> Result<Option<TokenRecord>, StateError> {
        self.database.read(|transaction| {
            let table = transaction.open_table(TOKENS)?;
            let stored = table.get(Sha256::of(token.as_bytes()).as_bytes())?;
            stored.map(|stored| decode("tokens", stored.value())).transpose()
        })
    }

    /// All tokens, in no particular order.
    ///
    /// # Errors
    ///
    /// If the database cannot be read.
    pub fn tokens(&self) -> Result<Vec<TokenRecord>, StateError> {
        self.database.read(|transaction| {
            let table = transaction.open_table(TOKENS)?;
            table.iter()?.map(|row| decode("tokens", row?.1.value())).collect()
        })
    }

    /// Revokes the token of this id; from then on it opens nothing. None if
    /// there is none.
    ///
    /// # Errors
    ///
    /// If the database cannot be written.
    pub fn revoke_token(&self, id: &str, by: &str) -> Result<Option<TokenRecord>, StateError> {
        self.database.write(|transaction| {
            let mut table = transaction.open_table(TOKENS)?;
            let Some((hash, revoked)) = find_id(&table, id)? else { return Ok(None) };
            table.remove(&hash)?;
            let event = Event {
                action: Action::TokenRevoked,
                by: by.to_owned(),
                detail: format!("{} {}", revoked.id, revoked.label),
            };
            record(transaction, about(&revoked), event)?;
            Ok(Some(revoked))
        })
    }
}

/// A new token, its hash and its id.
fn draw() -> Result<(String, Sha256, String), StateError> {
    let token = random_token()?;
    let hash = Sha256::of(token.as_bytes());
    let mut id = hash.to_string();
    id.truncate(ID_DIGITS);
    Ok((token, hash, id))
}

/// A token: 256 bits that nobody can guess, marked so that it is known for
/// what it is where it does not belong.
pub(super) fn random_token() -> Result<String, StateError> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|error| StateError::Random(error.into()))?;
    Ok(format!("ink_{}", URL_SAFE_NO_PAD.encode(bytes)))
}

fn find_id(
    table: &impl ReadableTable<&'static [u8; 32], &'static [u8]>,
    id: &str,
) -> Result<Option<([u8; 32], TokenRecord)>, Fault> {
    for row in table.iter()? {
        let (hash, stored) = row?;
        let found: TokenRecord = decode("tokens", stored.value())?;
        if found.id == id {
            return Ok(Some((*hash.value(), found)));
        }
    }
    Ok(None)
}

fn about(token: &TokenRecord) -> About<'_> {
    let tenant: Option<&Name> = match &token.scope {
        Scope::Operator => None,
        Scope::Tenant(tenant) => Some(tenant),
    };
    About { app: None, tenant }
}
