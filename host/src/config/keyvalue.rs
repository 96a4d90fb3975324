//! Where guests keep keys and values, and which buckets an app may open; as it
//! is written on the command line and in a file.

use std::fmt;
use std::str::FromStr;

use crate::config::{Name, Secret};

/// The port of Redis if none is said.
const REDIS_PORT: u16 = 6379;

/// Where keys and values are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum KeyValueBackend {
    /// In the state directory; in memory if there is none.
    #[default]
    State,
    /// In the host's memory, and gone with it.
    Memory,
    /// In a Redis, which several hosts may share.
    Redis(RedisConfig),
}

/// A Redis.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedisConfig {
    /// Its name or IP address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// The number of the database in it.
    pub database: u32,
    /// The user; none for Redis's default one.
    pub user: Option<String>,
    /// The user's password.
    pub password: Option<Secret>,
}

/// A bucket that an app may open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BucketGrant {
    /// By this name.
    pub name: Name,
    /// Whether all apps of the tenant that may open it mean the same one.
    pub shared: bool,
}

impl FromStr for KeyValueBackend {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "state" => Ok(KeyValueBackend::State),
            "memory" => Ok(KeyValueBackend::Memory),
            _ => match text.strip_prefix("redis://") {
                Some(rest) => redis(rest).map(KeyValueBackend::Redis),
                None => Err(format!(
                    "{text:?} keeps no keys and values; there are \"state\", \"memory\" and \"redis://HOST:PORT/DATABASE\""
                )),
            },
        }
    }
}

/// What follows `redis://`. No message says it: there may be a password in it.
fn redis(text: &str) -> Result<RedisConfig, String> {
    let (authority, database) = text.split_once('/').unwrap_or((text, ""));
    let database = match database {
        "" => 0,
        number => number.parse().map_err(|_| "the database of a redis:// address is a number".to_owned())?,
    };
    let (user, address) = match authority.rsplit_once('@') {
        None => (None, authority),
        Some((user, _)) if user.contains(':') => {
            return Err("a password does not belong in a redis:// address; put it in a file or an environment variable, and name that".to_owned());
        }
        Some((user, address)) => (Some(user.to_owned()).filter(|user| !user.is_empty()), address),
    };
    let (host, port) = match address.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, "")) => (host, None),
        Some((host, port)) => (host, port.strip_prefix(':')),
        None => match address.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (address, None),
        },
    };
    let port = port.map_or(Ok(REDIS_PORT), str::parse).ok().filter(|port| *port > 0);
    match port {
        Some(port) if !host.is_empty() => {
            Ok(RedisConfig { host: host.to_owned(), port, database, user, password: None })
        }
        _ => Err("a redis:// address has a host and a port; write redis://HOST:PORT".to_owned()),
    }
}

impl fmt::Display for RedisConfig {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let RedisConfig { host, port, database, .. } = self;
        if host.contains(':') {
            write!(out, "redis://[{host}]:{port}/{database}")
        } else {
            write!(out, "redis://{host}:{port}/{database}")
        }
    }
}

impl FromStr for BucketGrant {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, shared) = match text.strip_suffix(":shared") {
            Some(name) => (name, true),
            None => (text, false),
        };
        let name = name.parse().map_err(|error| {
            format!("{error}; a bucket that the tenant's apps share has :shared behind its name")
        })?;
        Ok(BucketGrant { name, shared })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backend_as_it_is_written() {
        assert_eq!("state".parse(), Ok(KeyValueBackend::State));
        assert_eq!("memory".parse(), Ok(KeyValueBackend::Memory));
        for (text, shown, user) in [
            ("redis://a", "redis://a:6379/0", None),
            ("redis://a:1/2", "redis://a:1/2", None),
            ("redis://me@[::1]:1", "redis://[::1]:1/0", Some("me")),
            ("redis://[::1]", "redis://[::1]:6379/0", None),
        ] {
            let Ok(KeyValueBackend::Redis(redis)) = text.parse() else { panic!("{text}") };
            assert_eq!((redis.to_string().as_str(), redis.user.as_deref()), (shown, user));
        }
        for bad in ["", "disk", "rediss://a", "redis://", "redis://a:0", "redis://a:x", "redis://a/x"] {
            assert!(bad.parse::<KeyValueBackend>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_password_in_an_address_is_refused_and_not_shown() {
        let error = "redis://me:hush@a".parse::<KeyValueBackend>().unwrap_err();
        assert!(!error.contains("hush"), "{error}");
    }

    #[test]
    fn a_bucket_is_the_apps_unless_it_is_said_to_be_shared() {
        let grant = |name: &str, shared| Ok(BucketGrant { name: name.parse().unwrap(), shared });
        assert_eq!("sessions".parse(), grant("sessions", false));
        assert_eq!("sessions:shared".parse(), grant("sessions", true));
        for bad in ["", ":shared", "a/b", "a:b"] {
            assert!(bad.parse::<BucketGrant>().is_err(), "{bad}");
        }
    }
}
