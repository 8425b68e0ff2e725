use super::*;

fn read(text: &str) -> Sweep {
    parse("plan.toml", text, None, &Registry::new()).unwrap_or_else(|error| panic!("{error}"))
}

const PLAN: &str = r#"
name = "nat-sweep"
scenario = "long-nat"
strategies = ["wechat-270", "qq-fixed-45"]
set.scenario = { duration = "2h", devices.count = 1 }

[[axis]]
label = "NAT timeout"
scenario = "nat.established"
values = ["5m", "10m"]

[[axis]]
strategy = "heartbeat.fixed.interval"
from = "1m"
to = "3m"
step = "1m"
"#;

#[test]
fn every_combination_is_a_point_with_names_of_its_own() {
    let sweep = read(PLAN);
    let scenarios: Vec<&str> = sweep.contests.iter().map(|it| it.scenario.value.name.as_str()).collect();
    assert_eq!(scenarios, ["nat-sweep-nat-timeout-5m", "nat-sweep-nat-timeout-10m"]);
    let strategies: Vec<&str> = sweep.contests[1].strategies.iter().map(|it| it.value.name.as_str()).collect();
    let of = |base: &str| ["1m", "2m", "3m"].map(|value| format!("{base}-interval-{value}"));
    assert_eq!(strategies, [of("wechat-270"), of("qq-fixed-45")].concat());
    assert_eq!(sweep.manifest.points.len(), 12);
    let point = &sweep.manifest.points[10];
    assert_eq!(
        (point.scenario.as_str(), point.strategy.as_str(), point.base_strategy.as_str(), &point.index[..]),
        ("nat-sweep-nat-timeout-10m", "qq-fixed-45-interval-2m", "qq-fixed-45", &[1, 1][..])
    );
    let axis = &sweep.manifest.axes[1];
    assert_eq!((axis.label.as_str(), axis.target.as_str(), axis.unit.as_deref()), ("interval", "strategy", Some("s")));
    assert_eq!((axis.values[2].text.as_str(), axis.values[2].number), ("3m", Some(180.0)));
}

#[test]
fn a_point_differs_from_its_base_in_what_was_set_alone() {
    let sweep = read(PLAN);
    let base = load::scenario("long-nat").unwrap().value;
    let point = &sweep.contests[0].scenario.value;
    let mut expected = base.clone();
    let set: Scenario = toml::from_str(
        "name = \"nat-sweep-nat-timeout-5m\"\nstrategies = []\nduration = \"2h\"\ndevices.count = 1\naccess = \"umts\"\n\
         core = \"backbone\"\nnat.established = \"5m\"",
    )
    .unwrap();
    expected.nat[0].established = set.nat[0].established.clone();
    (expected.name, expected.duration, expected.devices) = (set.name, set.duration, set.devices);
    (expected.about, expected.expect) = (point.about.clone(), String::new());
    assert_eq!(*point, expected, "the rest of the NAT is that of its preset");
    assert_eq!(point.about, "nat-sweep: `long-nat` with devices.count = 1, duration = 2h, nat.established = 5m.");

    let strategy = &sweep.contests[0].strategies[0];
    let preset = load::strategy("wechat-270", None, &Registry::new()).unwrap().value;
    let text = load::strategy_text(&preset).replace("interval = \"4m30s\"", "interval = \"1m\"");
    let mut expected = load::parse_strategy("expected", &text, &Registry::new()).unwrap();
    (expected.name, expected.about) = (strategy.value.name.clone(), strategy.value.about.clone());
    assert_eq!(strategy.value, expected);
}

#[test]
fn what_no_axis_changes_stays_what_it_is() {
    let sweep = read(
        "name = \"s\"\nscenario = \"healthy\"\nstrategies = [\"wechat-270\"]\n[[axis]]\n\
         strategy = \"heartbeat.fixed.interval\"\nvalues = [\"1m\"]",
    );
    assert_eq!(sweep.contests[0].scenario, load::scenario("healthy").unwrap());
    let sweep = read(
        "name = \"s\"\nscenario = \"healthy\"\nstrategies = [\"wechat-270\"]\n[[axis]]\n\
         scenario = \"devices.count\"\nvalues = [1, 2]",
    );
    assert_eq!(sweep.contests[1].strategies[0], load::strategy("wechat-270", None, &Registry::new()).unwrap());
    let sweep = read(
        "name = \"s\"\nscenario = \"healthy\"\nstrategies = [\"wechat-270\"]\nset.strategy.connect_timeout = \"5s\"\n\
         [[axis]]\nscenario = \"devices.count\"\nvalues = [1, 2]",
    );
    assert_eq!(sweep.contests[1].strategies[0].value.name, "s-wechat-270", "it is not the preset any more");
}

#[test]
fn an_axis_may_name_presets_and_reach_into_faults() {
    let sweep = read(
        "name = \"s\"\nscenario = \"elevator\"\nstrategies = [\"wechat-270\"]\n[[axis]]\nscenario = \"access\"\n\
         values = [\"lte-near\", \"wifi\"]\n[[axis]]\nscenario = \"faults[0].cut.lasts\"\nvalues = [\"30s\", \"90s\"]",
    );
    let names: Vec<&str> = sweep.contests.iter().map(|it| it.scenario.value.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "s-access-lte-near-lasts-30s",
            "s-access-lte-near-lasts-1m30s",
            "s-access-wifi-lasts-30s",
            "s-access-wifi-lasts-1m30s"
        ]
    );
    assert_ne!(sweep.contests[0].scenario.value.access, sweep.contests[2].scenario.value.access);
    assert_eq!(sweep.manifest.points[3].index, [1, 1]);
}

#[test]
fn every_point_reads_back_from_its_text() {
    for contest in read(PLAN).contests {
        let scenario = load::parse_scenario("again", &contest.scenario.text).unwrap();
        assert_eq!(scenario, contest.scenario.value);
        for strategy in contest.strategies {
            assert_eq!(load::parse_strategy("again", &strategy.text, &Registry::new()).unwrap(), strategy.value);
        }
    }
}
