//! What a bucket has, on the disk and in memory, and what a tenant may have.

use super::*;

fn space(tenant: &str, name: &str) -> Space {
    Space { tenant: tenant.parse().unwrap(), name: name.to_owned() }
}

fn set(key: &str, value: &str) -> Write {
    Write::Set(vec![(key.to_owned(), Some(value.as_bytes().to_vec()))])
}

fn remove(key: &str) -> Write {
    Write::Set(vec![(key.to_owned(), None)])
}

fn write(values: &KeyValues, space: &Space, write: &Write) -> Result<Written, Refused> {
    write_within(values, space, u64::MAX, write)
}

fn write_within(values: &KeyValues, space: &Space, max: u64, write: &Write) -> Result<Written, Refused> {
    values.write([(space, max, write)]).unwrap().remove(0)
}

fn get(values: &KeyValues, space: &Space, key: &str) -> Option<String> {
    let found = values.get(space, &[key.to_owned()], usize::MAX).unwrap().unwrap().remove(0);
    found.map(|(_, value)| String::from_utf8(value).unwrap())
}

#[test]
fn what_was_written_is_there_when_it_is_opened_again() {
    let directory = tempfile::tempdir().unwrap();
    let space = space("t", "a/b");
    for round in 0..2 {
        let (store, _) = Store::open(directory.path()).unwrap();
        let values = store.open_key_values().unwrap();
        assert_eq!(get(&values, &space, "k").is_some(), round == 1);
        write(&values, &space, &set("k", "v")).unwrap();
    }
}

#[test]
fn spaces_have_nothing_in_common() {
    let values = KeyValues::in_memory().unwrap();
    let all = [space("t", "a/b"), space("t", "a/c"), space("t", "b"), space("u", "a/b")];
    for (index, space) in all.iter().enumerate() {
        write(&values, space, &set("k", &index.to_string())).unwrap();
    }
    for (index, space) in all.iter().enumerate() {
        assert_eq!(get(&values, space, "k"), Some(index.to_string()));
        assert_eq!(values.list(space, None, 10).unwrap(), [(place_of("k"), "k".to_owned())]);
    }
}

#[test]
fn a_list_goes_on_behind_a_place_though_keys_go() {
    let (values, space) = (KeyValues::in_memory().unwrap(), space("t", "a/b"));
    for key in 0..10 {
        write(&values, &space, &set(&key.to_string(), "")).unwrap();
    }
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let page = values.list(&space, after, 3).unwrap();
        let Some((place, _)) = page.last() else { break };
        after = Some(*place);
        for (_, key) in page {
            write(&values, &space, &remove(&key)).unwrap();
            seen.push(key);
        }
    }
    seen.sort_unstable();
    assert_eq!(seen.len(), 10, "{seen:?}");
    assert!(values.list(&space, Some(u64::MAX), 3).unwrap().is_empty());
}

#[test]
fn numbers_are_added_to() {
    let (values, space) = (KeyValues::in_memory().unwrap(), space("t", "a/b"));
    let add = |delta| write(&values, &space, &Write::Increment { key: "n".to_owned(), delta, signed: true });
    assert_eq!(add(5), Ok(Written::Number(5)));
    assert_eq!(add(-7), Ok(Written::Number(-2)));
    assert_eq!(get(&values, &space, "n").as_deref(), Some("-2"));
    let unsigned = Write::Increment { key: "n".to_owned(), delta: 3, signed: false };
    assert_eq!(write(&values, &space, &unsigned), Err(Refused::NoNumber));
    write(&values, &space, &set("n", &i64::MAX.to_string())).unwrap();
    assert_eq!(add(1), Err(Refused::Overflow));
    for no_number in ["", "+1", "01", "1.0", "x", "9223372036854775808"] {
        write(&values, &space, &set("n", no_number)).unwrap();
        assert_eq!(add(1), Err(Refused::NoNumber), "{no_number}");
    }
}

#[test]
fn a_swap_sees_that_a_key_was_changed_even_if_it_was_changed_back() {
    let (values, space) = (KeyValues::in_memory().unwrap(), space("t", "a/b"));
    let swap = |version| {
        write(&values, &space, &Write::Swap { key: "k".to_owned(), version, value: b"new".to_vec() })
    };
    assert_eq!(swap(Some(1)), Ok(Written::Changed));
    assert_eq!(swap(None), Ok(Written::Done));
    assert_eq!(swap(None), Ok(Written::Changed));
    let version = values.version(&space, "k").unwrap();
    write(&values, &space, &remove("k")).unwrap();
    write(&values, &space, &set("k", "new")).unwrap();
    assert_eq!(swap(version), Ok(Written::Changed));
    assert_eq!(swap(values.version(&space, "k").unwrap()), Ok(Written::Done));
}

#[test]
fn a_tenant_has_no_more_than_it_may() {
    let (values, one, other) = (KeyValues::in_memory().unwrap(), space("t", "a/b"), space("t", "c"));
    let max = 2 * size_of("k", 10);
    let ten = "x".repeat(10);
    assert_eq!(write_within(&values, &one, max, &set("k", &ten)), Ok(Written::Done));
    assert_eq!(write_within(&values, &other, max, &set("k", &ten)), Ok(Written::Done));
    assert_eq!(write_within(&values, &one, max, &set("k", &"x".repeat(11))), Err(Refused::Full));
    assert_eq!(write_within(&values, &one, max, &set("l", "")), Err(Refused::Full));
    let add = Write::Increment { key: "n".to_owned(), delta: 1, signed: true };
    assert_eq!(write_within(&values, &one, max, &add), Err(Refused::Full));
    // Another tenant has its own, and what becomes less is let through.
    assert_eq!(write_within(&values, &space("u", "a/b"), max, &set("k", &ten)), Ok(Written::Done));
    assert_eq!(write_within(&values, &one, 0, &set("k", "x")), Ok(Written::Done));
    assert_eq!(write_within(&values, &one, 0, &remove("k")), Ok(Written::Done));
    assert_eq!(write_within(&values, &one, max, &set("l", &ten)), Ok(Written::Done));
}

#[test]
fn a_write_that_is_refused_changes_nothing_and_holds_up_no_other() {
    let (values, space) = (KeyValues::in_memory().unwrap(), space("t", "a/b"));
    let many = ["a", "b"].map(|key| (key.to_owned(), Some(vec![0; 100])));
    let (many, one) = (Write::Set(many.to_vec()), set("c", "d"));
    let max = size_of("a", 100) + 1;
    let written = values.write([(&space, max, &many), (&space, max, &one)]).unwrap();
    assert_eq!(written, [Err(Refused::Full), Ok(Written::Done)]);
    assert_eq!((get(&values, &space, "a"), get(&values, &space, "c")), (None, Some("d".to_owned())));
}

#[test]
fn more_than_is_wanted_is_not_read() {
    let (values, space) = (KeyValues::in_memory().unwrap(), space("t", "a/b"));
    write(&values, &space, &set("k", "12345")).unwrap();
    let keys = ["k".to_owned(), "k".to_owned()];
    assert!(values.get(&space, &keys, 9).unwrap().is_none());
    assert!(values.get(&space, &keys, 10).unwrap().is_some());
}

#[test]
fn a_damaged_database_is_told_with_what_to_do() {
    let directory = tempfile::tempdir().unwrap();
    let (store, _) = Store::open(directory.path()).unwrap();
    std::fs::write(directory.path().join("keyvalue.redb"), "nonsense").unwrap();
    let error = store.open_key_values().unwrap_err().to_string();
    assert!(error.contains("keyvalue.redb is damaged"), "{error}");
    assert!(error.ends_with("move it away to begin with empty buckets"), "{error}");
}
