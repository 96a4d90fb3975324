//! What the system refuses, and what a disk has lost: descriptors, room,
//! a database, a component. The host says what it is and what to do, and goes
//! on with everything else.

use std::fs;
use std::io;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;

use innkeeper_harness::configured::{ConfiguredHost, Ran};
use innkeeper_harness::server::Server;
use innkeeper_harness::wire::Client;
use innkeeper_harness::workspace;
use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};
use serde_json::json;
use tempfile::TempDir;

use crate::deployment::{
    SHOP, answer, count, deploy, files, history, marked, name, upload, version, versions,
};
use crate::limits::{limit_descriptors, set_descriptors};
use crate::support::promptly;

/// A host that does not start: what it says.
#[track_caller]
fn refused(directory: &Path) -> String {
    let mut command = Command::new(workspace::host_binary().expect("the host can be built"));
    let ran = Ran::of(command.args(["serve", "--config"]).arg(directory.join("innkeeper.toml")));
    assert_eq!(ran.code, Some(1), "{ran:?}");
    ran.stderr
}

fn only_component(host: &ConfiguredHost) -> PathBuf {
    let components = files(host, "components");
    assert_eq!(components.len(), 1, "{components:?}");
    components.into_iter().next().expect("there is one")
}

#[test]
fn no_descriptor_for_administration_or_clients() {
    let host = Server::configured(SHOP);
    deploy(&host, "", &version(None));
    let mut before = host.running.connect();
    assert_eq!(name(&mut before), "v1");
    let path = host.admin.strip_prefix("unix:").expect("a Unix socket");
    let limit = limit_descriptors(&host.running, 1);
    // Connections that the system takes and the host cannot.
    let clients: Vec<_> = (0..5).map(|_| host.running.connect()).collect();
    let tools: Vec<_> = (0..5).map(|_| UnixStream::connect(path).expect("the system takes it")).collect();
    host.running.wait_log(|line| line.message == "cannot accept connections");
    host.running.wait_log(|line| line.message == "cannot accept a connection of the administration");
    // Who is there already is served.
    assert_eq!(name(&mut before), "v1");
    set_descriptors(&host.running, limit);
    drop((clients, tools));
    assert_eq!(name(&mut host.running.connect()), "v1");
    assert_eq!(host.api("GET", "/v1/apps", "").0, 200);
    assert_eq!(deploy(&host, "", &version(Some("v2"))), 2);
    assert_eq!(name(&mut before), "v2");
}

/// A file system with little room, for as long as it is held.
struct SmallDisk(PathBuf);

impl SmallDisk {
    /// None where the tests may not mount.
    fn mount(path: PathBuf, kibibytes: usize) -> Option<Self> {
        fs::create_dir_all(&path).expect("a folder can be made");
        let size = std::ffi::CString::new(format!("size={kibibytes}k,mode=0700")).expect("no zero byte");
        match mount("tmpfs", &path, "tmpfs", MountFlags::empty(), Some(size.as_c_str())) {
            Ok(()) => Some(SmallDisk(path)),
            Err(error) => {
                println!("no small disk, and so no test of a full one: {error}");
                None
            }
        }
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        if let Err(error) = unmount(&self.0, UnmountFlags::DETACH) {
            println!("{} stays mounted: {error}", self.0.display());
        }
    }
}

#[test]
fn a_full_disk() {
    let directory = tempfile::tempdir().expect("a folder");
    // The database takes more than a mebibyte of it.
    let Some(disk) = SmallDisk::mount(directory.path().join("state"), 4096) else { return };
    let config = format!("cache = \"{{dir}}/cache\"\n{SHOP}");
    let host = ConfiguredHost::start_in(directory, &config).expect("it starts");
    deploy(&host, "", &version(None));
    let mut client = host.running.connect();
    assert_eq!(name(&mut client), "v1");
    // A component for which there is no room.
    let large = marked(&vec![0; 5 << 20], "large");
    let (status, told) = host.api("POST", "/v1/apps/shop/versions", &large);
    assert_eq!(status, 507, "{told}");
    assert!(told.to_string().contains("no space left"), "{told}");
    assert_eq!((files(&host, "uploads").len(), files(&host, "components").len()), (0, 1));
    // No room for anything: what writes says so, whatever it is, and what only
    // reads or serves goes on.
    let filler = disk.0.join("filler");
    fill(&filler);
    let (status, told) = host.api("POST", "/v1/apps/shop/versions", version(Some("v2")));
    assert_eq!(status, 507, "{told}");
    let mut refused = 0;
    for _ in 0..200 {
        let (status, told) = host.api("POST", "/v1/apps/shop/versions/1/activate", "{}");
        match status {
            200 => {}
            507 => refused += 1,
            _ => panic!("{status}: {told}"),
        }
        assert_eq!(name(&mut client), "v1");
        if refused > 0 {
            break;
        }
    }
    assert_eq!(refused, 1);
    assert_eq!(versions(&host), [(1, Some("current".to_owned()))]);
    // With room again all is well, without a restart.
    fs::remove_file(&filler).expect("the filler can be removed");
    assert_eq!(deploy(&host, "", &version(Some("v2"))), 2);
    assert_eq!(name(&mut client), "v2");
    let (directory, _) = host.stop();
    let host = ConfiguredHost::start_in(directory, &config).expect("it starts again");
    assert_eq!(name(&mut host.running.connect()), "v2");
    assert!(history(&host).ends_with(&["deployed".to_owned(), "activated".to_owned()]));
    drop(host.kill());
}

/// Writes until there is no room for a byte.
fn fill(path: &Path) {
    use std::io::Write as _;
    let mut file = fs::File::create(path).expect("a file can be made");
    for size in [64 * 1024, 4096, 1] {
        while match file.write_all(&vec![b'x'; size]) {
            Ok(()) => true,
            Err(error) => {
                assert_eq!(error.kind(), io::ErrorKind::StorageFull, "{error}");
                false
            }
        } {}
    }
}

#[test]
fn a_database_that_is_damaged() {
    let host = Server::configured(SHOP);
    deploy(&host, "", &version(None));
    let (directory, _) = host.stop();
    let path = directory.path().join("state/state.redb");
    let whole = fs::read(&path).expect("the database is there");
    let half = whole.get(..whole.len() / 2).unwrap_or_default().to_vec();
    let mut torn = whole.clone();
    torn.iter_mut().skip(4096).for_each(|byte| *byte ^= 0x5a);
    for (damage, bytes) in
        [("empty", Vec::new()), ("half", half), ("torn", torn), ("other", b"text".to_vec())]
    {
        fs::write(&path, bytes).expect("the database can be written");
        let told = refused(directory.path());
        assert!(told.contains("state.redb") && told.contains("damaged"), "{damage}: {told}");
        assert!(told.contains("restore it from a backup"), "{damage}: {told}");
    }
    fs::remove_file(&path).expect("the database can be removed");
    let told = refused(directory.path());
    assert!(told.contains("state.redb is missing"), "{told}");
    // Nothing was begun anew meanwhile.
    assert!(!path.exists());
    fs::write(&path, whole).expect("the database can be written");
    let host = ConfiguredHost::start_in(directory, SHOP).expect("it starts with its backup");
    assert_eq!(name(&mut host.running.connect()), "v1");
}

#[test]
fn a_component_that_is_damaged() {
    let config = "[[app]]\nname = \"shop\"\nroutes = [{ path = \"/*\" }]\n\n[[app]]\nname = \"hello\"\n\
         component = \"{guest:hello}\"\nroutes = [{ path = \"/hello\" }]\n";
    let hello = |host: &ConfiguredHost| {
        let message = host.running.connect().ask("GET /hello HTTP/1.1\r\nHost: inn\r\n\r\n");
        assert_eq!(message.status(), Some(200));
    };
    let mut host = Server::configured(config);
    deploy(&host, "", &version(None));
    let path = only_component(&host);
    let whole = fs::read(&path).expect("the component is there");
    let cut = whole.get(..whole.len() / 2).unwrap_or_default().to_vec();
    // It would run, and is not what was deployed.
    let other = marked(&whole, "other");
    for damage in [Some(cut), Some(other), None] {
        let (directory, _) = host.stop();
        match &damage {
            Some(bytes) => fs::write(&path, bytes).expect("the component can be written"),
            None => fs::remove_file(&path).expect("the component can be removed"),
        }
        host = ConfiguredHost::start_in(directory, config).expect("it starts all the same");
        hello(&host);
        assert_eq!(answer(&mut host.running.connect()).0, Some(503));
        host.running.wait_log(|line| {
            line.message == "the component of a version is damaged; deploy it again"
                || line.message == "the component of a version is missing; deploy it again"
                || line.message.starts_with("a deployed version cannot be served")
        });
        // It cannot be had by its number, but by the same bytes again.
        assert_eq!(host.api("POST", "/v1/apps/shop/versions/1/activate", "{}").0, 422);
        deploy(&host, "", &whole);
        assert_eq!(name(&mut host.running.connect()), "v1");
        assert_eq!(fs::read(&path).ok().as_ref(), Some(&whole));
    }
}

#[test]
fn routes_that_the_file_has_taken_since_leave_the_deployed_app_without() {
    let host = Server::configured("");
    let spec = json!({ "name": "shop", "routes": [{ "host": "*" }] });
    assert_eq!(host.api("PUT", "/v1/apps", spec.to_string()).0, 200);
    deploy(&host, "", &version(None));
    assert_eq!(name(&mut host.running.connect()), "v1");
    let (directory, _) = host.stop();
    let config = "[[app]]\nname = \"hello\"\ncomponent = \"{guest:hello}\"\n";
    let host = ConfiguredHost::start_in(directory, config).expect("it starts all the same");
    assert_eq!(answer(&mut host.running.connect()), (Some(200), "Hello world\n".to_owned()));
    host.running
        .wait_log(|line| line.level == "ERROR" && line.message.starts_with("a deployed app is not reached"));
    assert_eq!(host.api("GET", "/v1/apps/shop", "").0, 200);
}

#[test]
fn a_damaged_version_keeps_no_other_from_taking_over() {
    let host = Server::configured(SHOP);
    deploy(&host, "", &version(None));
    let path = only_component(&host);
    let (directory, _) = host.stop();
    fs::write(&path, "damaged").expect("the component can be written");
    let host = ConfiguredHost::start_in(directory, SHOP).expect("it starts all the same");
    let mut client = host.running.connect();
    assert_eq!(answer(&mut client).0, Some(503));
    assert_eq!(deploy(&host, "", &version(Some("v2"))), 2);
    assert_eq!(name(&mut client), "v2");
    // Going back to it is refused, and nothing changes.
    let (status, told) = host.api("POST", "/v1/apps/shop/rollback", "");
    assert_eq!(status, 422, "{told}");
    assert_eq!(count(&mut client, 3, "v2"), 3);
    assert_eq!(host.api("GET", "/v1/apps/shop", "").1["current"]["number"], json!(2));
}

#[test]
fn two_hosts_of_one_state_directory() {
    let host = Server::configured(SHOP);
    deploy(&host, "", &version(None));
    let other = TempDir::new().expect("a folder");
    let state = host.directory.path().join("state");
    let config = format!(
        "listen = [\"127.0.0.1:0\"]\nstate = {:?}\n{SHOP}[admin]\nlisten = \"127.0.0.1:0\"\n",
        state.to_string_lossy()
    );
    fs::write(other.path().join("innkeeper.toml"), config).expect("the folder can be written");
    let told = promptly(|| refused(other.path()));
    assert!(told.contains("is in use by another innkeeper"), "{told}");
    assert!(told.contains(&*state.to_string_lossy()), "{told}");
    // The first one is as it was, its uploads too.
    assert_eq!(name(&mut host.running.connect()), "v1");
    assert_eq!(upload(&host, "", &version(Some("v2"))).len(), 5);
    // One that was killed does not keep the next from starting.
    let host = ConfiguredHost::start_in(host.kill(), SHOP).expect("it starts again");
    let mut client: Client = host.running.connect();
    assert_eq!(name(&mut client), "v2");
}
