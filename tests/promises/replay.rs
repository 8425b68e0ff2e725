//! Counterexamples as files: the same run in the check, in `replay` and after the file was written anew by somebody else;
//! and the command `cardiogram replay` with what it says, and what it refuses.

use std::{fs, path::Path};

use cardiogram::{
    check::{Attempts, Check, Counterexample, Failure, Judgement, Promised, replay},
    policies::{
        Registry, StrategySpec, preset,
        unit::{Fraction, Span},
    },
};
use kit::{
    faulty::{self, BeatBug, WaitBug, beats, registry, waits},
    place,
    place::Place,
};
use rayon::prelude::*;

fn preset_of(name: &str) -> StrategySpec {
    preset::find(name).unwrap().spec()
}

/// Returns a strategy that breaks a promise in some worlds, and is found to.
fn breaks(strategy: StrategySpec, promise: Promised, seed: u64, name: &str, folder: &Path) -> Counterexample {
    match Check::of(strategy).promise(promise).cases(2_000).seed(seed).named(name).keep_in(folder).quietly().run() {
        Err(Failure::Broken(found)) => *found,
        other => panic!("{name}: {other:?}"),
    }
}

/// Eight ways to break a promise.
fn ways() -> [(StrategySpec, Promised); 8] {
    let half = Fraction::new(0.5).unwrap();
    [
        (preset_of("netease-30-15"), Promised::DetectsWithin(Span::secs(35))),
        (preset_of("wechat-270"), Promised::NatSafe(Span::secs(200))),
        (preset_of("qq-fixed-45"), Promised::ReconnectsWithin(Span::secs(20))),
        (preset_of("none"), Promised::AttemptsWithin(Attempts { count: 3, window: Span::secs(30) })),
        (preset_of("reconnect-no-jitter"), Promised::NoLockStep(half)),
        (beats(BeatBug::MissesOffByOne), Promised::DetectsWithin(Span::secs(40))),
        (beats(BeatBug::TwiceAsOften), Promised::HeartbeatsPerHour(121)),
        (waits(WaitBug::NoJitterAtCap), Promised::JitteredWaits(half)),
    ]
}

#[test]
fn two_hundred_counterexamples_run_the_same_wherever_they_are_run() {
    let place = place!();
    let folder = place.path("found");
    // Crowds are dear: fewer of them.
    let count = |way| if matches!(way, 4 | 7) { 4 } else { 32 };
    let all: Vec<(usize, u64)> = (0..8).flat_map(|way| (1..=count(way)).map(move |seed| (way, seed))).collect();
    let found: Vec<Counterexample> = all
        .into_par_iter()
        .map(|(way, seed)| {
            let (strategy, promise) = ways().into_iter().nth(way).unwrap();
            breaks(strategy, promise, seed, &format!("way-{way}-{seed}"), &folder)
        })
        .collect();
    assert_eq!(found.len(), 200);
    found.par_iter().for_each(|found| {
        let again = replay(&found.path, &registry()).unwrap();
        assert_eq!((&again.trace_hash, &again.recorded_hash), (&found.trace_hash, &found.trace_hash), "{}", found.text);
        assert_eq!(again.judgement, Judgement::Broken(found.breach.clone()), "{}", found.text);
        // Read and written by a program that knows TOML and nothing else.
        let table: toml::Table = found.text.parse().unwrap();
        let rewritten = found.path.with_extension("rewritten.toml");
        fs::write(&rewritten, toml::to_string(&table).unwrap()).unwrap();
        let again = replay(&rewritten, &registry()).unwrap();
        assert_eq!(again.trace_hash, found.trace_hash, "{}", found.text);
    });
    // The first of those ways whose policies are built in, as anybody runs them.
    for way in 0..5 {
        let file = format!("found/way-{way}-1.toml");
        let done = place.cardiogram(&format!("replay {file}"));
        assert_eq!(done.code, Some(1), "{}", done.err);
        let text = fs::read_to_string(place.path(&file)).unwrap();
        let hash = text.split("trace_hash = \"").nth(1).and_then(|rest| rest.split('"').next()).unwrap();
        assert!(done.out.contains(&format!("the one that was recorded: trace hash {hash}")), "{}", done.out);
    }
}

/// Returns a counterexample of a strategy that is no preset, in `found/mine.toml`.
fn mine(place: &Place) -> Counterexample {
    let strategy = preset::find("netease-30-15").unwrap().toml.replace("name = \"netease-30-15\"", "name = \"mine\"");
    let strategy = faulty::from_text(&strategy);
    breaks(strategy, Promised::DetectsWithin(Span::secs(40)), 1, "mine", &place.path("found"))
}

#[test]
fn it_explains_what_is_still_broken_and_draws_it() {
    let place = place!();
    let found = mine(&place);
    assert!(place.path("found/mine.strategy.toml").is_file());
    let done = place.cardiogram("replay found/mine.toml");
    assert_eq!(done.code, Some(1));
    assert_eq!(done.err, "error: mine still breaks its promise `detects-within`\n");
    assert!(done.out.starts_with(&format!("mine breaks its promise `detects-within`\n{}", found.explanation)));
    for words in ["promised: ", "happened: ", "sends heartbeat", "the one that was recorded: trace hash "] {
        assert!(done.out.contains(words), "{words}: {}", done.out);
    }
    // The command that it names works, from the same folder.
    let command = done.out.lines().find_map(|line| line.strip_prefix("  cardiogram ")).unwrap();
    assert!(command.starts_with("trace found/mine.toml --strategy found/mine.strategy.toml --seed "), "{command}");
    place.cardiogram(command).good();
    assert!(fs::read_to_string(place.path("strip.svg")).unwrap().starts_with("<svg"));
    // And with both files, from their own folder, and by every other command.
    for file in ["mine.toml", "mine.strategy.toml"] {
        fs::copy(place.path("found").join(file), place.path(file)).unwrap();
    }
    let here = place.cardiogram("replay mine.toml");
    assert_eq!(here.code, Some(1));
    let command = here.out.lines().find_map(|line| line.strip_prefix("  cardiogram ")).unwrap();
    place.cardiogram(command).good();
    place.cardiogram("run mine.toml --seeds 1 --quiet").good();
    place.cardiogram("check mine.toml mine.strategy.toml --quiet").good();
    // Nothing but the verdict.
    let quiet = place.cardiogram("replay mine.toml --quiet");
    assert_eq!((quiet.code, quiet.out.as_str()), (Some(1), ""));
}

#[test]
fn what_is_mended_is_said_to_be_kept_and_what_is_gone_not_to_be_tested() {
    let place = place!();
    let text = mine(&place).text;
    let strategy = fs::read_to_string(place.path("found/mine.strategy.toml")).unwrap();
    let mended = strategy.replace("timeout = \"15s\"", "timeout = \"10s\"");
    assert_ne!(mended, strategy);
    place.write("found/mine.strategy.toml", mended);
    let kept = place.cardiogram("replay found/mine.toml").good();
    assert!(kept.starts_with("kept: in this run mine keeps its promise `detects-within`\n"), "{kept}");
    assert!(kept.contains("the run is not the one that was recorded"), "{kept}");
    let (world, replay) = text.split_once("\n[[faults]]").unwrap();
    let (_, replay) = replay.split_once("\n[replay]").unwrap();
    let healthy = format!("{world}\n[replay]{replay}").replace("./mine.strategy.toml", "netease-30-15");
    place.write("healthy.toml", healthy);
    let gone = place.cardiogram("replay healthy.toml").good();
    assert!(gone.starts_with("not tested: what the promise `detects-within` is about does not come about"), "{gone}");
}

#[test]
fn what_is_no_counterexample_is_refused_with_its_place() {
    let place = place!();
    let text = mine(&place).text.replace("./mine.strategy.toml", "netease-30-15");
    let refused = |text: &str| {
        place.write("bad.toml", text);
        place.cardiogram("replay bad.toml").failed(2)
    };
    let none = place.cardiogram("replay small.toml").failed(2);
    assert!(none.contains("error: this scenario has no table `[replay]`, so it is no counterexample"), "{none}");
    let seed = refused(&text.replace("\nseed = ", "\nseed = \"one\" # "));
    assert!(seed.contains(" --> bad.toml:") && seed.contains("seed = \"one\""), "{seed}");
    let promise = refused(&text.replace("detects-within", "detects-soon").replace("`detects-soon`", ""));
    assert!(
        promise.contains(" --> bad.toml:") && promise.contains("unknown") && promise.contains("detects-"),
        "{promise}"
    );
    let own = refused(&text.replace("promise = { detects-within = \"40s\" }", "promise = { own = \"mine\" }"));
    assert!(own.contains("the promise `mine` is code of the test that found this"), "{own}");
    assert!(own.contains(" --> bad.toml:") && own.contains("promise = { own"), "{own}");
    let two = refused(&text.replace("[\"netease-30-15\"]", "[\"netease-30-15\", \"none\"]"));
    assert!(two.contains("a counterexample is about one strategy, and this names 2"), "{two}");
    assert!(two.contains(" --> bad.toml:") && two.contains("strategies = ["), "{two}");
    let unknown = refused(&text.replace("[\"netease-30-15\"]", "[\"netease-30-51\"]"));
    assert!(unknown.contains("did you mean `netease-30-15`?"), "{unknown}");
    let missing = place.cardiogram("replay nowhere.toml").failed(2);
    assert!(missing.contains("cannot read nowhere.toml"), "{missing}");
}

#[test]
fn what_was_found_is_tried_first_and_nothing_is_overwritten() {
    let place = place!();
    let folder = place.path("found");
    let first = mine(&place);
    let checked = |within: u64| {
        let strategy = faulty::from_text(&fs::read_to_string(place.path("found/mine.strategy.toml")).unwrap());
        let promise = Promised::DetectsWithin(Span::secs(within));
        Check::of(strategy)
            .promise(promise)
            .on_a_steady_host()
            .cases(600)
            .named("mine")
            .keep_in(&folder)
            .quietly()
            .run()
    };
    // The same promise, tried before any world is drawn.
    let Err(Failure::Broken(again)) = checked(40) else { panic!("it was broken before") };
    assert_eq!((&again.path, &again.trace_hash), (&first.path, &first.trace_hash));
    // Kept: the check goes on.
    checked(45).unwrap();
    // Another one stands beside it.
    let strategy = preset_of("netease-30-15");
    let other = breaks(strategy, Promised::HeartbeatsPerHour(1), 1, "mine", &folder);
    assert_eq!(other.path, folder.join("mine.2.toml"));
    assert_eq!(fs::read_to_string(&first.path).unwrap(), first.text);
    // Each check looks at what is about its own promises.
    checked(45).unwrap();
    // A file that cannot be read is nobody's counterexample, and not passed over.
    fs::write(&first.path, "name = 1").unwrap();
    let Err(Failure::File(message)) = checked(45) else { panic!("it cannot be read") };
    assert!(message.contains("mine.toml:1:8"), "{message}");
}

#[test]
fn nothing_is_checked_of_what_cannot_be() {
    let refused = |check: Check| match check.quietly().run() {
        Err(Failure::Unusable(message)) => message,
        other => panic!("{other:?}"),
    };
    assert!(refused(Check::of(preset_of("none"))).contains("add `.promises()`, or a promise"));
    let own = Check::of(preset_of("none")).promise(Promised::Own("mine".into()));
    assert!(refused(own).contains("give it to `.own()`"));
    let mut nameless = preset_of("none");
    nameless.name = "No Name".into();
    assert!(refused(Check::of(nameless).promises()).contains("`No Name` is not a strategy's name"));
    // Policies that nobody has resolved.
    let text = cardiogram::scenarios::load::strategy_text(&faulty::correct());
    let unresolved = cardiogram::scenarios::load::parse_strategy("x", &text, &Registry::new());
    assert!(unresolved.is_err());
}

/// Returns the blocks of a guide that begin with these words, each to its end.
fn blocks<'a>(guide: &'a str, begin: &str) -> Vec<&'a str> {
    let blocks = guide.split("\n```").filter_map(|block| Some(block.split_once('\n')?.1));
    blocks.filter(|block| block.starts_with(begin)).collect()
}

#[test]
fn the_guide_shows_what_is_found() {
    let guide = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/properties.md")).unwrap();
    let strategies = blocks(&guide, "name = \"my-client\"");
    let [wrong, right] = strategies[..] else { panic!("{strategies:?}") };
    let place = place!();
    let folder = place.path("proptest-regressions");
    let run = |text: &str| {
        let minute = Promised::DetectsWithin(Span::secs(60));
        Check::of(faulty::from_text(text)).promise(minute).on_a_steady_host().seed(7).keep_in(&folder).quietly().run()
    };
    let Err(Failure::Broken(found)) = run(wrong) else { panic!("nothing is broken") };
    assert_eq!([found.text.trim_end()], blocks(&guide, "# my-client breaks")[..]);
    let told = found.explanation.trim_end();
    assert!(guide.contains(&format!("my-client breaks its promise `detects-within`\n{told}\nin proptest-")), "{told}");
    let done = place.cardiogram("replay proptest-regressions/my-client.toml");
    assert_eq!(
        [(done.out + &done.err).trim_end()],
        blocks(&guide, "$ cardiogram replay").iter().map(|block| block.split_once('\n').unwrap().1).collect::<Vec<_>>()
            [..]
    );
    let unhelpful = wrong.replace("anchor = \"rx\"", "anchor = \"tx\"");
    assert!(matches!(run(&unhelpful), Err(Failure::Broken(again)) if again.path == found.path));
    run(right).unwrap();
}
