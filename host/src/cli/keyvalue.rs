//! The buckets of the guest of `serve COMPONENT`, as flags, and where they are.

use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use clap::Args;

use crate::config::values::Size;
use crate::config::{BucketGrant, KeyValueBackend, Limits, Quotas, Secret};

/// What the guest may keep, and where.
#[derive(Debug, Args)]
pub struct KeyValueFlags {
    /// Lets the guest open a bucket of keys and values (`wasi:keyvalue`); may be given several times.
    #[arg(long, help_heading = "Keys and values", value_name = "BUCKET")]
    keyvalue: Vec<BucketGrant>,
    /// Where they are: `memory`, and gone with the host, or `redis://HOST:PORT/DATABASE`.
    #[arg(long, help_heading = "Keys and values", value_name = "BACKEND", default_value = "memory")]
    keyvalue_backend: KeyValueBackend,
    /// The file with the password of the Redis user.
    #[arg(long, help_heading = "Keys and values", value_name = "FILE")]
    keyvalue_password_file: Option<PathBuf>,
    /// Bytes of the keys and values of all buckets, and 64 more for each pair.
    #[arg(long, help_heading = "Keys and values", value_name = "BYTES", default_value_t = Size::of(Quotas::within(&Limits::default()).keyvalue_bytes_max))]
    keyvalue_bytes_max: Size,
}

impl KeyValueFlags {
    /// Bytes that the guest may keep.
    pub fn bytes_max(&self) -> u64 {
        self.keyvalue_bytes_max.0
    }

    /// Where keys and values are and what was granted, with the password read.
    ///
    /// # Errors
    /// A file that cannot be read, a flag that has no effect.
    pub fn read(self) -> Result<(KeyValueBackend, Vec<BucketGrant>)> {
        let mut backend = self.keyvalue_backend;
        if backend == KeyValueBackend::State {
            bail!("--keyvalue-backend state needs a state directory, which only a --config can have");
        }
        if let Some(path) = self.keyvalue_password_file {
            let KeyValueBackend::Redis(redis) = &mut backend else {
                bail!("--keyvalue-password-file has no effect; only a redis:// backend asks for a password");
            };
            let text = std::fs::read_to_string(&path)
                .with_context(|| format!("--keyvalue-password-file cannot be used: {}", path.display()))?;
            redis.password = Some(Secret::new(text.trim_end_matches('\n').to_owned()));
        }
        for (index, grant) in self.keyvalue.iter().enumerate() {
            if self.keyvalue.iter().take(index).any(|other| other.name == grant.name) {
                bail!("--keyvalue {} is given twice; leave one out", grant.name);
            }
        }
        Ok((backend, self.keyvalue))
    }
}
