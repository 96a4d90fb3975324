//! What disks, killed hosts and hands leave behind: it is told, and it never
//! makes the host panic or begin anew.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use super::{Action, DamagedVersion, Name, Recovery, Sha256, StateError, Store};
use super::{app, deploy, event, name, open, upload};

#[test]
fn two_hosts_do_not_share_a_state() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    let error = Store::open(directory.path()).unwrap_err();
    assert!(matches!(error, StateError::InUse { .. }), "{error}");
    assert!(error.to_string().contains("in use by another innkeeper"), "{error}");
    drop(store);
    open(directory.path());
}

#[test]
fn an_upload_dropped_half_way_leaves_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    let mut upload = store.begin_upload().unwrap();
    upload.write(b"half").unwrap();
    assert_eq!(entries(&directory.path().join("uploads")), 1);
    drop(upload);
    assert_eq!(entries(&directory.path().join("uploads")), 0);
    assert_eq!(entries(&directory.path().join("components")), 0);
}

#[test]
fn leftovers_of_a_killed_host_are_removed() {
    let directory = tempfile::tempdir().unwrap();
    drop(open(directory.path()));
    fs::write(directory.path().join("uploads/0.part"), "half").unwrap();
    let orphan = Sha256::of(b"never deployed");
    fs::write(directory.path().join(format!("components/{orphan}.wasm")), "never deployed").unwrap();
    fs::write(directory.path().join("components/README"), "somebody's").unwrap();
    let (store, recovery) = Store::open(directory.path()).unwrap();
    let expected = Recovery { damaged: Vec::new(), components_removed: vec![orphan], uploads_removed: 1 };
    assert_eq!(recovery, expected);
    assert!(!store.component_path(&orphan).exists());
    assert!(directory.path().join("components/README").exists());
    upload(&store, b"the next one");
}

#[test]
fn damaged_components_are_reported_and_healed_by_uploading() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    let a = name("a");
    store.put_app(&app("a"), event(Action::Created)).unwrap();
    for bytes in [b"good", b"gone", b"long", b"same"] {
        deploy(&store, &a, bytes);
    }
    let path = |bytes: &[u8]| store.component_path(&Sha256::of(bytes));
    fs::remove_file(path(b"gone")).unwrap();
    File::options().append(true).open(path(b"long")).unwrap().write_all(b"er").unwrap();
    fs::write(path(b"same"), "size").unwrap();
    assert!(matches!(store.verify(&Sha256::of(b"gone")), Err(StateError::ComponentMissing { .. })));
    assert!(matches!(store.verify(&Sha256::of(b"same")), Err(StateError::ComponentDamaged { .. })));
    drop(store);

    let (store, recovery) = Store::open(directory.path()).unwrap();
    let damaged = |number, bytes: &[u8], bytes_found| DamagedVersion {
        app: a.clone(),
        number,
        sha256: Sha256::of(bytes),
        bytes: 4,
        bytes_found,
    };
    assert_eq!(recovery.damaged, [damaged(2, b"gone", None), damaged(3, b"long", Some(6))]);
    assert_eq!(recovery.components_removed, []);
    for bytes in [b"gone", b"long", b"same"] {
        let (sha256, _) = upload(&store, bytes);
        store.verify(&sha256).unwrap();
    }
    drop(store);
    open(directory.path());
}

/// A state with something of everything in it.
fn filled(directory: &Path) -> Name {
    let store = open(directory);
    let a = name("a");
    store.put_app(&app("a"), event(Action::Created)).unwrap();
    for number in 0..30 {
        deploy(&store, &a, &[number; 100]);
    }
    a
}

#[test]
fn a_database_that_is_none_is_an_error_and_stays() {
    let directory = tempfile::tempdir().unwrap();
    filled(directory.path());
    let path = directory.path().join("state.redb");
    let good = fs::read(&path).unwrap();
    let random: Vec<u8> = (0..good.len()).map(|index| (index * 7919 % 251) as u8).collect();
    let mut headless = good.clone();
    headless[..64].fill(0xa5);
    for bad in [random, Vec::new(), b"short".to_vec(), headless] {
        fs::write(&path, &bad).unwrap();
        let error = Store::open(directory.path()).unwrap_err();
        assert!(matches!(error, StateError::Damaged { .. }), "{error:?}");
        assert!(error.to_string().contains("state.redb") && error.to_string().contains("restore"), "{error}");
        assert_eq!(fs::read(&path).unwrap(), bad, "it is left for whoever mends it");
    }
    fs::write(&path, good).unwrap();
    open(directory.path());
}

#[test]
fn a_truncated_database_is_an_error() {
    let directory = tempfile::tempdir().unwrap();
    filled(directory.path());
    let path = directory.path().join("state.redb");
    let good = fs::read(&path).unwrap();
    for length in [1, 100, 4096, 5000, 8192, good.len() / 2, good.len() - 4096, good.len() - 1] {
        fs::write(&path, &good[..length]).unwrap();
        let error = Store::open(directory.path()).unwrap_err();
        assert!(matches!(error, StateError::Damaged { .. }), "{length} of {}: {error:?}", good.len());
    }
}

#[test]
fn damage_anywhere_is_told_or_harmless() {
    let directory = tempfile::tempdir().unwrap();
    let a = filled(directory.path());
    let path = directory.path().join("state.redb");
    let good = fs::read(&path).unwrap();
    let expected = {
        let store = open(directory.path());
        (store.apps().unwrap(), store.versions(&a).unwrap(), store.history(|_| true, 100).unwrap())
    };
    let mut told = 0;
    for at in (0..good.len() / 512).map(|sector| sector * 512) {
        let mut bad = good.clone();
        bad[at..at + 512].iter_mut().for_each(|byte| *byte ^= 0x5a);
        fs::write(&path, &bad).unwrap();
        match Store::open(directory.path()) {
            Err(StateError::Damaged { .. }) => told += 1,
            Err(other) => panic!("damage at {at}: {other:?}"),
            Ok((store, recovery)) => {
                assert_eq!(recovery, Recovery::default(), "damage at {at}");
                let found = (
                    store.apps().unwrap(),
                    store.versions(&a).unwrap(),
                    store.history(|_| true, 100).unwrap(),
                );
                assert_eq!(found, expected, "damage at {at}");
            }
        }
    }
    assert!(told > 0, "none of the damage was noticed");
}

#[test]
fn a_database_that_is_lost_is_not_begun_anew() {
    let directory = tempfile::tempdir().unwrap();
    filled(directory.path());
    let path = directory.path().join("state.redb");
    fs::remove_file(&path).unwrap();
    let error = Store::open(directory.path()).unwrap_err();
    assert!(matches!(error, StateError::Missing { .. }), "{error}");
    assert!(!path.exists());
    assert!(entries(&directory.path().join("components")) > 0);
}

#[test]
fn a_first_start_that_was_killed_does_no_harm() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("state.redb.new"), "half").unwrap();
    open(directory.path());
}

#[test]
fn a_file_instead_of_a_directory_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("state");
    fs::write(&path, "").unwrap();
    let error = Store::open(&path).unwrap_err();
    assert!(matches!(&error, StateError::Io { path: named, .. } if *named == path), "{error:?}");
}

fn entries(directory: &Path) -> usize {
    fs::read_dir(directory).unwrap().count()
}
