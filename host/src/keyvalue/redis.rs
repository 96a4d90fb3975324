//! Keys and values in a Redis, which several hosts may share. What a write has
//! to look at first it looks at in a script, which Redis runs as a whole.
//!
//! A bucket is three keys of Redis: a hash of values, a hash of versions, and a
//! sorted set of the names in the order of their places. A tenant has two more:
//! its bytes, and the version that was given last. All keys of a tenant have
//! its name in braces, so that a cluster keeps them together.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{Client, ConnectionAddr, IntoConnectionInfo as _, RedisConnectionInfo, RedisResult, Script};
use tokio::runtime::Handle;

use super::{KeyValueError, Versioned};
use crate::config::{RedisConfig, Secret};
use crate::state::{Refused, Space, Write, Written, place_of, size_of};

/// Time for a connection: a Redis is near.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// Time for an answer: long for a Redis, short for a guest.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(5);

/// Hexadecimal digits of a place.
const PLACE_DIGITS: usize = 16;

/// Sets values, or swaps one. Arguments: the tenant's bytes, those of a pair,
/// the version that the first key must have (or `any`, or `none`), and for
/// each key its place, itself, and `+` with its value or `-`.
static SET: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
local values, versions, names, used, last = unpack(KEYS)
local limit, pair, expected = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3]
if expected ~= 'any' and (redis.call('HGET', versions, ARGV[5]) or 'none') ~= expected then
  return 'changed'
end
local more = 0
for at = 4, #ARGV, 3 do
  local key, value = ARGV[at + 1], ARGV[at + 2]
  if redis.call('HEXISTS', values, key) == 1 then
    more = more - #key - redis.call('HSTRLEN', values, key) - pair
  end
  if string.sub(value, 1, 1) == '+' then
    more = more + #key + #value - 1 + pair
  end
end
if more > 0 and tonumber(redis.call('GET', used) or '0') + more > limit then
  return 'full'
end
for at = 4, #ARGV, 3 do
  local key, value = ARGV[at + 1], ARGV[at + 2]
  if string.sub(value, 1, 1) == '+' then
    redis.call('HSET', values, key, string.sub(value, 2))
    redis.call('HSET', versions, key, redis.call('INCR', last))
    redis.call('ZADD', names, 0, ARGV[at] .. key)
  else
    redis.call('HDEL', values, key)
    redis.call('HDEL', versions, key)
    redis.call('ZREM', names, ARGV[at] .. key)
  end
end
redis.call('INCRBY', used, string.format('%.0f', more))
return 'done'
",
    )
});

/// Adds to a number. Arguments: the tenant's bytes, those of a pair, the key's
/// place, itself, what to add, and `unsigned` if a number below 0 is none.
static INCREMENT: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
local values, versions, names, used, last = unpack(KEYS)
local limit, pair = tonumber(ARGV[1]), tonumber(ARGV[2])
local place, key, delta, kind = unpack(ARGV, 3)
local before = redis.call('HGET', values, key)
if kind == 'unsigned' and before and string.sub(before, 1, 1) == '-' then
  return 'no number'
end
local told = redis.pcall('HINCRBY', values, key, delta)
if type(told) == 'table' and told.err then
  return string.find(told.err, 'overflow') and 'overflow' or 'no number'
end
local after = redis.call('HGET', values, key)
local more = before and #after - #before or #key + #after + pair
if more > 0 and tonumber(redis.call('GET', used) or '0') + more > limit then
  if before then redis.call('HSET', values, key, before) else redis.call('HDEL', values, key) end
  return 'full'
end
redis.call('HSET', versions, key, redis.call('INCR', last))
redis.call('ZADD', names, 0, place .. key)
redis.call('INCRBY', used, more)
return after
",
    )
});

/// A Redis. Its connection is made when it is first needed, and again when it
/// was lost; what is asked meanwhile fails, and waits for no time to come.
#[derive(Clone)]
pub(super) struct Redis {
    connection: ConnectionManager,
    runtime: Handle,
}

/// What a space's keys are called in Redis.
struct Names {
    values: String,
    versions: String,
    names: String,
    used: String,
    last: String,
}

impl Redis {
    /// Says where it is, and has a task see whether it is there.
    pub(super) fn new(config: &RedisConfig, runtime: &Handle) -> Result<Self> {
        let mut login = RedisConnectionInfo::default().set_db(config.database.into());
        if let Some(user) = &config.user {
            login = login.set_username(user);
        }
        if let Some(password) = config.password.as_ref().map(Secret::reveal) {
            login = login.set_password(password);
        }
        let address = ConnectionAddr::Tcp(config.host.clone(), config.port);
        let info = address.into_connection_info().context("no address of a Redis")?.set_redis_settings(login);
        let terms = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(CONNECT_TIMEOUT))
            .set_response_timeout(Some(RESPONSE_TIMEOUT))
            // Whoever asks next has it tried again.
            .set_number_of_retries(0);
        let client = Client::open(info).context("no address of a Redis")?;
        // The manager has a task of its own.
        let _in_runtime = runtime.enter();
        let connection = ConnectionManager::new_lazy_with_config(client, terms)?;
        let redis = Redis { connection, runtime: runtime.clone() };
        redis.look(config);
        Ok(redis)
    }

    /// Tells the operator early if nobody is there.
    fn look(&self, config: &RedisConfig) {
        let (mut connection, address) = (self.connection.clone(), config.to_string());
        self.runtime.spawn(async move {
            let answer: RedisResult<String> = redis::cmd("PING").query_async(&mut connection).await;
            match answer {
                Ok(_) => tracing::info!(target: "keyvalue", %address, "keys and values are in Redis"),
                Err(error) => tracing::error!(
                    target: "keyvalue",
                    %address,
                    "Redis cannot be reached, and buckets fail until it can: {error}"
                ),
            }
        });
    }

    pub(super) async fn get(
        &self,
        space: &Arc<Space>,
        keys: Vec<String>,
        bytes_max: usize,
    ) -> Result<Option<Vec<Option<Versioned>>>, KeyValueError> {
        if keys.is_empty() {
            return Ok(Some(Vec::new()));
        }
        let names = Names::of(space);
        self.run(move |mut connection| async move {
            let mut lengths = redis::pipe();
            for key in &keys {
                lengths.cmd("HSTRLEN").arg(&names.values).arg(key);
            }
            let lengths: Vec<usize> = lengths.query_async(&mut connection).await?;
            if lengths.into_iter().fold(0, usize::saturating_add) > bytes_max {
                return Ok(None);
            }
            let (versions, values): (Vec<Option<u64>>, Vec<Option<Vec<u8>>>) = redis::pipe()
                .atomic()
                .cmd("HMGET")
                .arg(&names.versions)
                .arg(&keys)
                .cmd("HMGET")
                .arg(&names.values)
                .arg(&keys)
                .query_async(&mut connection)
                .await?;
            Ok(Some(versions.into_iter().zip(values).map(|(version, value)| version.zip(value)).collect()))
        })
        .await
    }

    pub(super) async fn version(
        &self,
        space: &Arc<Space>,
        key: String,
    ) -> Result<Option<u64>, KeyValueError> {
        let names = Names::of(space);
        self.run(move |mut connection| async move {
            redis::cmd("HGET").arg(&names.versions).arg(&key).query_async(&mut connection).await
        })
        .await
    }

    pub(super) async fn list(
        &self,
        space: &Arc<Space>,
        after: Option<u64>,
        keys_max: usize,
    ) -> Result<Vec<(u64, String)>, KeyValueError> {
        let names = Names::of(space);
        let first = match after {
            None => b"-".to_vec(),
            // Behind every key of that place: no key has this byte.
            Some(after) => [format!("({}", place(after)).as_bytes(), b"\xff"].concat(),
        };
        let found: Vec<String> = self
            .run(move |mut connection| async move {
                redis::cmd("ZRANGEBYLEX")
                    .arg(&names.names)
                    .arg(&first)
                    .arg("+")
                    .arg("LIMIT")
                    .arg(0)
                    .arg(keys_max)
                    .query_async(&mut connection)
                    .await
            })
            .await?;
        let split = |member: String| {
            let (digits, key) = member.split_at_checked(PLACE_DIGITS)?;
            Some((u64::from_str_radix(digits, 16).ok()?, key.to_owned()))
        };
        found.into_iter().map(|member| split(member).ok_or_else(foreign)).collect()
    }

    pub(super) async fn write(
        &self,
        space: &Arc<Space>,
        bytes_max: u64,
        write: Write,
    ) -> Result<Result<Written, Refused>, KeyValueError> {
        let names = Names::of(space);
        let (script, arguments) = call_of(write, bytes_max);
        let told: String = self
            .run(move |mut connection| async move {
                let mut call = script.prepare_invoke();
                for name in [&names.values, &names.versions, &names.names, &names.used, &names.last] {
                    call.key(name);
                }
                for argument in &arguments {
                    call.arg(argument.as_slice());
                }
                call.invoke_async(&mut connection).await
            })
            .await?;
        match told.as_str() {
            "done" => Ok(Ok(Written::Done)),
            "changed" => Ok(Ok(Written::Changed)),
            "full" => Ok(Err(Refused::Full)),
            "no number" => Ok(Err(Refused::NoNumber)),
            "overflow" => Ok(Err(Refused::Overflow)),
            sum => sum.parse().map(|sum| Ok(Written::Number(sum))).map_err(|_| foreign()),
        }
    }

    /// Asks on a task of its own: guests run on threads that Redis's timers
    /// know nothing of, and a write that was begun goes to its end.
    async fn run<T, F>(&self, ask: impl FnOnce(ConnectionManager) -> F) -> Result<T, KeyValueError>
    where
        T: Send + 'static,
        F: Future<Output = RedisResult<T>> + Send + 'static,
    {
        let asking = self.runtime.spawn(ask(self.connection.clone()));
        let answer = asking.await.map_err(|error| KeyValueError::Unavailable(error.into()))?;
        answer.map_err(|error| KeyValueError::Unavailable(anyhow!(error).context("Redis failed")))
    }
}

/// The script of a write, and its arguments.
fn call_of(write: Write, bytes_max: u64) -> (&'static Script, Vec<Vec<u8>>) {
    let mut arguments = vec![bytes_max.to_string().into_bytes(), size_of("", 0).to_string().into_bytes()];
    let change = |arguments: &mut Vec<Vec<u8>>, key: String, value: Option<Vec<u8>>| {
        arguments.push(place(place_of(&key)).into_bytes());
        arguments.push(key.into_bytes());
        arguments.push(value.map_or_else(|| b"-".to_vec(), |value| [b"+", value.as_slice()].concat()));
    };
    match write {
        Write::Set(changes) => {
            arguments.push(b"any".to_vec());
            // Of several values for a key it has the last, whose bytes count.
            for (key, value) in changes.into_iter().collect::<BTreeMap<_, _>>() {
                change(&mut arguments, key, value);
            }
            (&SET, arguments)
        }
        Write::Swap { key, version, value } => {
            let expected = version.map_or_else(|| "none".to_owned(), |version| version.to_string());
            arguments.push(expected.into_bytes());
            change(&mut arguments, key, Some(value));
            (&SET, arguments)
        }
        Write::Increment { key, delta, signed } => {
            arguments.push(place(place_of(&key)).into_bytes());
            arguments.push(key.into_bytes());
            arguments.push(delta.to_string().into_bytes());
            arguments.push(if signed { b"signed".to_vec() } else { b"unsigned".to_vec() });
            (&INCREMENT, arguments)
        }
    }
}

impl Names {
    fn of(space: &Space) -> Self {
        let Space { tenant, name } = space;
        let of = |what: &str| format!("innkeeper:{{{tenant}}}:{what}");
        Names {
            values: of(&format!("values:{name}")),
            versions: of(&format!("versions:{name}")),
            names: of(&format!("names:{name}")),
            used: of("bytes"),
            last: of("version"),
        }
    }
}

/// A place as it stands in a sorted set.
fn place(place: u64) -> String {
    format!("{place:016x}")
}

/// What this host would not have written.
fn foreign() -> KeyValueError {
    KeyValueError::Unavailable(anyhow!(
        "there is something else in Redis than a host has written; give the hosts a database of their own"
    ))
}
