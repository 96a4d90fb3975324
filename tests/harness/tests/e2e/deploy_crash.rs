//! The host is killed at a hundred random moments while it deploys. Each time
//! it comes up again, agrees with what it last confirmed, and has left nothing
//! behind.

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use innkeeper_harness::configured::ConfiguredHost;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::deployment::{SHOP, answer, files, marked, version};

const KILLS: u32 = 100;

/// The longest time from the first change to the kill: a few deploys.
const LIFE_MICROSECONDS_MAX: u64 = 200_000;

/// Different components of each name: enough that versions go, few enough that
/// most of them are compiled already.
const MARKS: u64 = 3;

/// What the app is to be like.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Model {
    current: Option<u64>,
    canary: Option<u64>,
    previous: Option<u64>,
    /// The number of the newest version.
    newest: u64,
}

#[derive(Debug, Clone, Copy)]
enum Change {
    Deploy,
    Canary,
    /// Deploys what is no component.
    Nonsense,
    Activate(u64),
    RollBack,
}

impl Model {
    /// What it is like after a change; none if that is refused.
    fn after(&self, change: Change) -> Option<Model> {
        let mut model = self.clone();
        match change {
            Change::Nonsense => return None,
            Change::Deploy => {
                model.newest += 1;
                model.activate(model.newest);
            }
            Change::Canary => {
                self.current?;
                model.newest += 1;
                model.canary = Some(model.newest);
            }
            Change::Activate(number) => model.activate(number),
            Change::RollBack if model.canary.take().is_none() => {
                let previous = model.previous?;
                model.previous = model.current.replace(previous);
            }
            Change::RollBack => {}
        }
        Some(model)
    }

    fn activate(&mut self, number: u64) {
        self.canary = None;
        if self.current != Some(number) {
            self.previous = self.current.replace(number);
        }
    }

    /// All that it may be like if the host was killed during the change.
    fn during(&self, change: Change) -> Vec<Model> {
        let written_down = matches!(change, Change::Deploy | Change::Canary)
            .then(|| Model { newest: self.newest + 1, ..self.clone() });
        [Some(self.clone()), written_down, self.after(change)].into_iter().flatten().collect()
    }

    /// What a host says that it is like.
    fn of(host: &ConfiguredHost) -> Self {
        let (status, app) = host.api("GET", "/v1/apps/shop", "");
        assert_eq!(status, 200, "{app}");
        let number = |pointer| app.pointer(pointer).and_then(Value::as_u64);
        Model {
            current: number("/current/number"),
            canary: number("/canary/version/number"),
            previous: number("/previous/number"),
            newest: stored(host).keys().next_back().copied().unwrap_or_default(),
        }
    }
}

/// Splitmix64: the same changes and moments for the same seed.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit
    }
}

#[test]
fn killed_at_a_hundred_random_moments() {
    let seed = env::var("INNKEEPER_CRASH_SEED").ok().and_then(|seed| seed.parse().ok());
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970");
    let seed = seed.unwrap_or_else(|| u64::from(since.subsec_nanos()));
    println!("INNKEEPER_CRASH_SEED={seed}");
    let mut random = Random(seed);
    let components = Components { names: [version(None), version(Some("v2"))] };

    let begun = Instant::now();
    let mut directory = tempfile::tempdir().expect("a folder");
    let mut possible = vec![Model::default()];
    let (mut confirmed, mut midway) = (0, 0);
    for kill in 0..=KILLS {
        let host = ConfiguredHost::start_in(directory, SHOP).unwrap_or_else(|error| {
            panic!("seed {seed}: it does not start after kill {kill}: {error:#}");
        });
        let mut model = check(&host, &possible, seed);
        if kill == KILLS {
            break;
        }
        let life = Duration::from_micros(random.below(LIFE_MICROSECONDS_MAX));
        let id = i32::try_from(host.running.process().id()).ok().and_then(Pid::from_raw);
        let id = id.expect("a process has an id");
        possible = thread::scope(|scope| {
            scope.spawn(move || {
                thread::sleep(life);
                kill_process(id, Signal::KILL).expect("the host is there to be killed");
            });
            loop {
                let change = choose(&model, &mut random);
                match make(&host, &model, change, &components, &mut random) {
                    Some(true) => {
                        model = model.after(change).unwrap_or_else(|| {
                            panic!("seed {seed}: {change:?} is not refused, {model:?}");
                        });
                        confirmed += 1;
                    }
                    Some(false) => {
                        assert_eq!(
                            model.after(change),
                            None,
                            "seed {seed}: {change:?} is refused, {model:?}"
                        );
                    }
                    None => break model.during(change),
                }
            }
        });
        midway += usize::from(possible.len() > 1);
        directory = host.kill();
    }
    println!("{KILLS} kills in {:?}; {confirmed} changes confirmed, {midway} cut", begun.elapsed());
    assert!(confirmed > 0 && midway > 0, "seed {seed}: the kills came at no interesting moments");
}

/// The components, and which version is which.
struct Components {
    names: [Vec<u8>; 2],
}

impl Components {
    /// The component of the version of this number.
    fn of(&self, number: u64, mark: u64) -> Vec<u8> {
        let [even, odd] = &self.names;
        marked(if number.is_multiple_of(2) { even } else { odd }, &mark.to_string())
    }

    /// What that version answers.
    fn name(number: u64) -> &'static str {
        if number.is_multiple_of(2) { "v1" } else { "v2" }
    }
}

/// Checks a host that has come up: it is one of what it may be, and what it
/// says, serves and keeps is the same. Returns which one it is.
fn check(host: &ConfiguredHost, possible: &[Model], seed: u64) -> Model {
    let left = files(host, "uploads");
    assert!(left.is_empty(), "seed {seed}: uploads are left: {left:?}");
    let kept: BTreeSet<_> = files(host, "components")
        .iter()
        .filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned()))
        .collect();
    let named: BTreeSet<_> = stored(host).into_values().collect();
    assert_eq!(kept, named, "seed {seed}: components that no version has, or the other way round");

    let model = Model::of(host);
    assert!(possible.contains(&model), "seed {seed}: {model:?} is not one of {possible:?}");
    let expected: BTreeSet<_> = model.current.into_iter().chain(model.canary).map(Components::name).collect();
    let mut client = host.running.connect();
    // Two of any four requests are a canary's, if there is one.
    for _ in 0..4 {
        let (status, name) = answer(&mut client);
        match status {
            Some(200) => {
                assert!(expected.contains(name.as_str()), "seed {seed}: {name}, and not {expected:?}")
            }
            _ => assert_eq!((status, model.current), (Some(503), None), "seed {seed}"),
        }
    }
    model
}

/// The versions that are stored: the SHA-256 of each number.
fn stored(host: &ConfiguredHost) -> BTreeMap<u64, String> {
    let (status, versions) = host.api("GET", "/v1/apps/shop/versions", "");
    assert_eq!(status, 200, "{versions}");
    let one = |version: &Value| Some((version["number"].as_u64()?, version["sha256"].as_str()?.to_owned()));
    versions.as_array().into_iter().flatten().filter_map(one).collect()
}

fn choose(model: &Model, random: &mut Random) -> Change {
    // Those that were deployed last are kept in any case.
    let recent = model.newest.saturating_sub(random.below(5)).max(1);
    match random.below(8) {
        0..=2 => Change::Deploy,
        3 => Change::Canary,
        4 => Change::Nonsense,
        5 if model.newest > 0 => Change::Activate(recent),
        _ => Change::RollBack,
    }
}

/// Makes a change: whether it was confirmed or refused; none if the host was
/// killed meanwhile.
fn make(
    host: &ConfiguredHost,
    model: &Model,
    change: Change,
    components: &Components,
    random: &mut Random,
) -> Option<bool> {
    let (path, body) = match change {
        Change::Deploy => ("versions".to_owned(), components.of(model.newest + 1, random.below(MARKS))),
        Change::Canary => {
            ("versions?weight_percent=50".to_owned(), components.of(model.newest + 1, random.below(MARKS)))
        }
        Change::Nonsense => ("versions".to_owned(), b"nonsense".to_vec()),
        Change::Activate(number) => (format!("versions/{number}/activate"), b"{}".to_vec()),
        Change::RollBack => ("rollback".to_owned(), Vec::new()),
    };
    let answer = host.try_api(&host.token, "POST", &format!("/v1/apps/shop/{path}"), &body).ok()?;
    if answer.status() != Some(200) {
        return Some(false);
    }
    if !path.starts_with("versions") || path.ends_with("activate") {
        return answer.complete.then_some(true);
    }
    // The last line says what became of a deploy.
    let text = answer.text();
    if text.contains(r#""stage":"done""#) {
        return Some(true);
    }
    text.contains(r#""stage":"failed""#).then_some(false)
}
