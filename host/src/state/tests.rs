//! The store as its callers see it: every operation, and what another host
//! finds that opens the state afterwards.

mod faults;

use std::fs;
use std::path::Path;

use serde_json::json;

use super::*;

pub(super) fn open(directory: &Path) -> Store {
    let (store, recovery) = Store::open(directory).unwrap();
    assert_eq!(recovery, Recovery::default());
    store
}

pub(super) fn name(text: &str) -> Name {
    text.parse().unwrap()
}

pub(super) fn event(action: Action) -> Event {
    Event { action, by: "tester".to_owned(), detail: format!("{action:?}") }
}

pub(super) fn app(text: &str) -> AppRecord {
    AppRecord {
        name: name(text),
        spec: Some(json!({"routes": ["*"]})),
        tenant: name("owner"),
        serving: Serving::default(),
        next_number: 1,
    }
}

pub(super) fn upload(store: &Store, bytes: &[u8]) -> (Sha256, u64) {
    let mut upload = store.begin_upload().unwrap();
    bytes.chunks(3).for_each(|piece| upload.write(piece).unwrap());
    upload.finish().unwrap()
}

pub(super) fn deploy(store: &Store, app: &Name, bytes: &[u8]) -> VersionRecord {
    let (sha256, length) = upload(store, bytes);
    store.add_version(app, sha256, length, "tester", "").unwrap()
}

fn only_current(number: u64) -> Serving {
    Serving { current: Some(number), ..Serving::default() }
}

#[test]
fn apps_and_versions_are_there_after_reopening() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("deep/state");
    let store = open(&path);
    let (a, b) = (name("a"), name("b"));
    assert_eq!(store.put_app(&app("a"), event(Action::Created)).unwrap(), app("a"));
    store.put_app(&AppRecord { spec: None, ..app("b") }, event(Action::Created)).unwrap();
    let first = deploy(&store, &a, b"first");
    let second = deploy(&store, &a, b"second");
    assert_eq!((first.number, second.number, second.bytes), (1, 2, 6));
    assert_eq!(second.sha256, Sha256::of(b"second"));
    let canary = CanaryRecord { version: 2, weight_percent: 5, error_rate_max: Some(0.1), requests_min: 50 };
    let serving = Serving { current: Some(1), canary: Some(canary), previous: None };
    store.set_serving(&a, serving.clone(), event(Action::Canary)).unwrap();
    drop(store);

    let store = open(&path);
    assert_eq!(store.app(&a).unwrap(), Some(AppRecord { serving, next_number: 3, ..app("a") }));
    assert_eq!(store.apps().unwrap().iter().map(|app| &app.name).collect::<Vec<_>>(), [&a, &b]);
    assert_eq!(store.versions(&a).unwrap(), [first, second.clone()]);
    assert_eq!(store.versions(&b).unwrap(), []);
    assert_eq!(store.app(&name("c")).unwrap(), None);
    store.verify(&second.sha256).unwrap();
    assert_eq!(fs::read(store.component_path(&second.sha256)).unwrap(), b"second");

    let lines = store.history(|line| line.app.as_ref() == Some(&a), 10).unwrap();
    let actions: Vec<_> = lines.iter().map(|line| line.action).collect();
    assert_eq!(actions, [Action::Canary, Action::Deployed, Action::Deployed, Action::Created]);
    assert!(lines.windows(2).all(|pair| pair[0].sequence > pair[1].sequence));
    assert_eq!(lines[0].tenant, Some(name("owner")));
    assert_eq!(store.history(|_| true, 10).unwrap().len(), 5);
    assert_eq!(store.history(|_| true, 2).unwrap().len(), 2);
    assert_eq!(store.history(|line| line.app.as_ref() == Some(&b), 10).unwrap().len(), 1);
}

#[test]
fn the_directory_is_its_owners_only() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("state");
    drop(open(&path));
    assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o700);
}

#[test]
fn configuring_an_app_leaves_what_serves() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    let a = name("a");
    store.put_app(&app("a"), event(Action::Created)).unwrap();
    deploy(&store, &a, b"x");
    store.set_serving(&a, only_current(1), event(Action::Activated)).unwrap();
    let stored = store.put_app(&AppRecord { spec: None, ..app("a") }, event(Action::Configured)).unwrap();
    assert_eq!(stored, AppRecord { spec: None, serving: only_current(1), next_number: 2, ..app("a") });
    assert_eq!(store.app(&a).unwrap(), Some(stored));
}

#[test]
fn what_is_not_there_cannot_serve_or_be_deployed() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    let a = name("a");
    let unknown = store.set_serving(&a, Serving::default(), event(Action::Activated));
    assert!(matches!(unknown, Err(StateError::UnknownApp(_))));
    assert!(matches!(store.delete_app(&a, event(Action::Deleted)), Err(StateError::UnknownApp(_))));
    store.put_app(&app("a"), event(Action::Created)).unwrap();
    let unknown = store.set_serving(&a, only_current(1), event(Action::Activated));
    assert!(matches!(unknown, Err(StateError::UnknownVersion { number: 1, .. })));
    let missing = store.add_version(&a, Sha256::of(b"x"), 1, "me", "");
    assert!(matches!(missing, Err(StateError::ComponentMissing { .. })));
    let (sha256, _) = upload(&store, b"x");
    let damaged = store.add_version(&a, sha256, 2, "me", "");
    assert!(matches!(damaged, Err(StateError::ComponentDamaged { .. })));
    // Nothing of what failed is in the history.
    assert_eq!(store.history(|_| true, 10).unwrap().len(), 1);
    assert_eq!(store.app(&a).unwrap(), Some(app("a")));
}

#[test]
fn a_component_lives_as_long_as_a_version_names_it() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    for text in ["a", "b"] {
        store.put_app(&app(text), event(Action::Created)).unwrap();
        deploy(&store, &name(text), b"shared");
    }
    deploy(&store, &name("a"), b"alone");
    store.delete_app(&name("a"), event(Action::Deleted)).unwrap();
    assert_eq!(store.versions(&name("a")).unwrap(), []);
    assert!(!store.component_path(&Sha256::of(b"alone")).exists());
    store.verify(&Sha256::of(b"shared")).unwrap();
    // Uploaded again, by one that is still compiling it.
    let (sha256, bytes) = upload(&store, b"shared");
    store.delete_app(&name("b"), event(Action::Deleted)).unwrap();
    store.verify(&sha256).unwrap();
    store.put_app(&app("a"), event(Action::Created)).unwrap();
    assert_eq!(store.add_version(&name("a"), sha256, bytes, "me", "").unwrap().number, 1);
}

#[test]
fn a_discarded_component_goes_when_nobody_needs_it() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    let (sha256, bytes) = upload(&store, b"twice");
    upload(&store, b"twice");
    store.discard(&sha256).unwrap();
    assert!(store.component_path(&sha256).exists(), "the other upload needs it");
    store.put_app(&app("a"), event(Action::Created)).unwrap();
    store.add_version(&name("a"), sha256, bytes, "me", "").unwrap();
    store.discard(&sha256).unwrap();
    assert!(store.component_path(&sha256).exists(), "a version names it");
    let (other, _) = upload(&store, b"unwanted");
    store.discard(&other).unwrap();
    assert!(!store.component_path(&other).exists());
}

#[test]
fn old_versions_go_unless_they_serve() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    let a = name("a");
    store.put_app(&app("a"), event(Action::Created)).unwrap();
    deploy(&store, &a, b"1");
    deploy(&store, &a, b"2");
    let serving = Serving { current: Some(2), canary: None, previous: Some(1) };
    store.set_serving(&a, serving, event(Action::Activated)).unwrap();
    for number in 3..=24 {
        deploy(&store, &a, number.to_string().as_bytes());
    }
    let numbers: Vec<_> = store.versions(&a).unwrap().iter().map(|version| version.number).collect();
    assert_eq!(numbers, [1, 2].into_iter().chain(5..=24).collect::<Vec<_>>());
    assert!(!store.component_path(&Sha256::of(b"4")).exists());
    assert!(store.component_path(&Sha256::of(b"5")).exists());
    drop(store);
    open(directory.path());
}

#[test]
fn tokens_are_found_by_themselves_only() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    let tenant = Scope::Tenant(name("owner"));
    let (token, record) = store.make_token(tenant.clone(), "ci", "operator").unwrap();
    let (other, _) = store.make_token(Scope::Operator, "me", "operator").unwrap();
    assert!(token.starts_with("ink_") && token.len() == 4 + 43, "{token}");
    assert_ne!(token, other);
    assert_eq!((record.id.len(), &record.scope, record.label.as_str()), (8, &tenant, "ci"));
    drop(store);
    assert!(
        !String::from_utf8_lossy(&fs::read(directory.path().join("state.redb")).unwrap()).contains(&token)
    );

    let store = open(directory.path());
    assert_eq!(store.find_token(&token).unwrap(), Some(record.clone()));
    assert_eq!(store.find_token(&record.id).unwrap(), None);
    assert_eq!(store.find_token("").unwrap(), None);
    assert_eq!(store.tokens().unwrap().len(), 2);
    assert_eq!(store.revoke_token(&record.id, "operator").unwrap(), Some(record.clone()));
    assert_eq!(store.revoke_token(&record.id, "operator").unwrap(), None);
    assert_eq!(store.find_token(&token).unwrap(), None);
    let lines = store.history(|_| true, 10).unwrap();
    let actions: Vec<_> = lines.iter().map(|line| line.action).collect();
    assert_eq!(actions, [Action::TokenRevoked, Action::TokenMade, Action::TokenMade]);
    assert_eq!((&lines[0].tenant, &lines[1].tenant), (&Some(name("owner")), &None));
}

#[test]
fn quotas_are_kept() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    let tenant = name("owner");
    store.set_quotas(&tenant, &json!({"exchanges_max": 1}), event(Action::QuotasChanged)).unwrap();
    store.set_quotas(&tenant, &json!({"exchanges_max": 2}), event(Action::QuotasChanged)).unwrap();
    drop(store);
    let store = open(directory.path());
    assert_eq!(store.quotas().unwrap(), [(tenant.clone(), json!({"exchanges_max": 2}))].into());
    assert_eq!(store.history(|_| true, 1).unwrap()[0].tenant, Some(tenant));
}

#[test]
fn the_operators_token_is_made_once() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("token");
    let token = operator_token(&path).unwrap();
    assert_eq!(operator_token(&path).unwrap(), token);
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);

    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    let error = operator_token(&path).unwrap_err();
    assert!(matches!(error, TokenFileError::Exposed { mode: 0o640, .. }), "{error}");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    fs::write(&path, "\n").unwrap();
    assert!(matches!(operator_token(&path), Err(TokenFileError::Empty { .. })));
    for unfit in ["two tokens\n", "a\nb\n", "\u{fc}\n"] {
        fs::write(&path, unfit).unwrap();
        assert!(matches!(operator_token(&path), Err(TokenFileError::Unfit { .. })), "{unfit:?}");
    }
    let nowhere = operator_token(&directory.path().join("none/token"));
    assert!(matches!(nowhere, Err(TokenFileError::Failed { .. })));
}
