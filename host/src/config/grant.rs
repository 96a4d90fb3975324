//! What an operator grants an app beside answering, and how it is written: the
//! same on the command line (`--allow`) and in a file (`allow`).

use std::path::{Path, PathBuf};
use std::str::FromStr;

/// What an operator grants an app. By default it is nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Grants {
    /// To see and control the host's listening side.
    pub server_control: bool,
    /// To open TCP connections to these.
    pub tcp: Vec<TcpGrant>,
    /// To read, or to change, files in these.
    pub directories: Vec<DirectoryGrant>,
}

/// A host and a port that an app may connect to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TcpGrant {
    /// A name or an IP address, as the guest has to give it.
    pub host: String,
    /// The port.
    pub port: u16,
}

/// A directory that an app may use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirectoryGrant {
    /// The directory of the host.
    pub host: PathBuf,
    /// Its absolute path for the guest.
    pub guest: String,
    /// Whether the guest may change what is in it.
    pub writable: bool,
}

/// One of the things that can be granted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Grant {
    /// `server-control`
    ServerControl,
    /// `tcp=HOST:PORT`
    Tcp(TcpGrant),
    /// `dir=HOST_DIR:/GUEST_DIR`, with `:rw` at its end if it may be changed.
    Directory(DirectoryGrant),
}

impl Grants {
    /// All of these together.
    pub fn of(granted: impl IntoIterator<Item = Grant>) -> Self {
        let mut grants = Grants::default();
        for grant in granted {
            match grant {
                Grant::ServerControl => grants.server_control = true,
                Grant::Tcp(grant) => grants.tcp.push(grant),
                Grant::Directory(grant) => grants.directories.push(grant),
            }
        }
        grants
    }
}

impl FromStr for Grant {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "server-control" {
            return Ok(Grant::ServerControl);
        }
        if let Some(address) = text.strip_prefix("tcp=") {
            return tcp(address).map(Grant::Tcp);
        }
        if let Some(directory) = text.strip_prefix("dir=") {
            return directory_in(directory).map(Grant::Directory);
        }
        Err(format!(
            "{text:?} cannot be granted; there are server-control, tcp=HOST:PORT and dir=HOST_DIR:/GUEST_DIR[:rw]"
        ))
    }
}

impl DirectoryGrant {
    /// Whether there is such a directory.
    ///
    /// # Errors
    /// If there is none, or if it cannot be seen.
    pub fn check(&self) -> Result<(), String> {
        let shown = self.host.display();
        match std::fs::metadata(&self.host) {
            Ok(found) if found.is_dir() => Ok(()),
            Ok(_) => Err(format!("{shown} is no directory; grant the directory that it is in")),
            Err(error) => {
                Err(format!("cannot use the directory {shown}: {error}; make it, or leave the grant out"))
            }
        }
    }
}

fn tcp(address: &str) -> Result<TcpGrant, String> {
    let (host, port) = address.rsplit_once(':').ok_or("write it as tcp=HOST:PORT")?;
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    let port = port.parse().map_err(|_| format!("{port:?} is no port; write it as tcp=HOST:PORT"))?;
    if host.is_empty() || port == 0 {
        return Err("a host and a port are needed; write it as tcp=HOST:PORT".to_owned());
    }
    Ok(TcpGrant { host: host.to_owned(), port })
}

fn directory_in(text: &str) -> Result<DirectoryGrant, String> {
    let (text, writable) = match text.strip_suffix(":rw") {
        Some(text) => (text, true),
        None => (text.strip_suffix(":ro").unwrap_or(text), false),
    };
    // From the right: a path of the host may have colons, one of a guest
    // needs none.
    let (host, guest) =
        text.rsplit_once(':').ok_or("write it as dir=HOST_DIR:/GUEST_DIR or dir=HOST_DIR:/GUEST_DIR:rw")?;
    if host.is_empty() {
        return Err("a directory of the host is needed; write it as dir=HOST_DIR:/GUEST_DIR".to_owned());
    }
    let is_plain = Path::new(guest).components().all(|part| !matches!(part, std::path::Component::ParentDir));
    if !guest.starts_with('/') || !is_plain {
        return Err(format!(
            "{guest:?} is no absolute path; the guest's path begins with a slash and has no .."
        ));
    }
    Ok(DirectoryGrant { host: host.into(), guest: guest.to_owned(), writable })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directory(text: &str) -> Option<(String, String, bool)> {
        match text.parse() {
            Ok(Grant::Directory(grant)) => {
                Some((grant.host.display().to_string(), grant.guest, grant.writable))
            }
            _ => None,
        }
    }

    #[test]
    fn directories_are_read_only_unless_said() {
        let granted = |host: &str, guest: &str, writable| Some((host.to_owned(), guest.to_owned(), writable));
        assert_eq!(directory("dir=/srv:/data"), granted("/srv", "/data", false));
        assert_eq!(directory("dir=/srv:/data:ro"), granted("/srv", "/data", false));
        assert_eq!(directory("dir=a:b:/data:rw"), granted("a:b", "/data", true));
    }

    #[test]
    fn what_cannot_be_granted() {
        for bad in [
            "",
            "all",
            "tcp=a",
            "tcp=a:0",
            "tcp=:1",
            "tcp=a:x",
            "dir=/a",
            "dir=:/a",
            "dir=/a:b",
            "dir=/a:/b/../c",
            "dir=/a:rw",
        ] {
            assert!(bad.parse::<Grant>().is_err(), "{bad}");
        }
        let address = TcpGrant { host: "::1".to_owned(), port: 80 };
        assert_eq!("tcp=[::1]:80".parse(), Ok(Grant::Tcp(address)));
    }
}
