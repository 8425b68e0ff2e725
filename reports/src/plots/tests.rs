//! What must hold of every plot, on results that have them all.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::LazyLock,
};

use super::*;
use crate::{
    chart::{Axis, Height, Identity, Point, Scale, WHITE},
    data, fixture, summary,
};

/// The plots of each scenario of the fixture, with a map of a sweep.
static FIGURES: LazyLock<Vec<(String, Figure)>> = LazyLock::new(|| {
    let dir = tempfile::tempdir().unwrap();
    fixture::write(dir.path(), 5);
    let mut all = figures(dir.path());
    all.push(("sweep".to_owned(), heat_map(&sweep()).unwrap()));
    all
});

fn figures(dir: &std::path::Path) -> Vec<(String, Figure)> {
    let results = data::read(dir).unwrap();
    let summary = summary::summarize(&results, None);
    let looks = Looks::of(&summary);
    let of = |(stats, results)| {
        let stats: &ScenarioStats = stats;
        all(stats, results, &looks).into_iter().map(|figure| (stats.name.clone(), figure))
    };
    summary.scenarios.iter().zip(&results.scenarios).flat_map(of).collect()
}

/// Intervals against timeouts, ten by eight, with one cell empty.
fn sweep() -> HeatMap {
    let side = |label: &str, count: i32| Side {
        label: label.to_owned(),
        values: (0..count).map(|it| 15.0 * f64::from(1 << it)).map(|value| (value, time(value))).collect(),
        kind: Kind::Seconds,
    };
    let (x, y) = (side("interval between heartbeats (s)", 10), side("timeout of the NAT (s)", 8));
    let value = |x: f64, y: f64| (x > 15.0 || y > 15.0).then_some(0.5 * x + if x > y { 9.0 * x } else { 0.0 });
    let values: Vec<Vec<Option<f64>>> =
        y.values.iter().map(|(y, _)| x.values.iter().map(|(x, _)| value(*x, *y)).collect()).collect();
    let text = |value: &Option<f64>| value.map_or_else(|| "–".to_owned(), short);
    HeatMap {
        title: "sweep: mean detection latency".to_owned(),
        texts: values.iter().map(|row| row.iter().map(text).collect()).collect(),
        x,
        y,
        values,
        label: "mean detection latency (s)".to_owned(),
        is_log: true,
        equal: Some("interval = timeout".to_owned()),
        caption: "Darker is sooner.".to_owned(),
    }
}

fn figure(scenario: &str, suffix: &str) -> &'static Figure {
    let found = FIGURES.iter().find(|(name, figure)| name == scenario && figure.suffix == suffix);
    &found.unwrap_or_else(|| panic!("{scenario} has no plot {suffix}")).1
}

fn suffixes(scenario: &str) -> BTreeSet<&'static str> {
    FIGURES.iter().filter(|(name, _)| name == scenario).map(|(_, figure)| figure.suffix).collect()
}

#[test]
fn a_scenario_has_the_plots_that_say_something_of_it() {
    assert_eq!(suffixes("healthy"), BTreeSet::from(["", "downtime", "interval", "packets", "push"]));
    let faults = BTreeSet::from(["", "downtime", "parts", "survival", "recovery", "causes", "packets", "push"]);
    assert!(suffixes("two-faults").is_superset(&faults));
    assert!(!suffixes("cable-cut").contains("causes"), "all breaks are cuts");
    assert!(suffixes("elevator").contains("energy") && !suffixes("two-faults").contains("energy"), "one has radios");
    assert!(suffixes("server-crash").contains("storm"));
    assert!(!suffixes("cable-cut").contains("storm"), "one device makes no storm");
}

#[test]
fn results_without_the_further_columns_have_the_other_plots() {
    let dir = tempfile::tempdir().unwrap();
    let runs = ["w,s,1,event,1,1,1,0,0,0,,,,,,1,40,20,1,1,1,1,00"];
    let episodes = ["w,s,1,0,cut,0,12,detected,heartbeat,10,12"];
    fixture::write_rows(dir.path(), &["w"], &["s"], 100.0, &runs, &episodes);
    let suffixes: Vec<&str> = figures(dir.path()).iter().map(|(_, figure)| figure.suffix).collect();
    assert_eq!(suffixes, ["", "survival", "recovery"]);
}

#[test]
fn no_text_lies_over_another_or_leaves_the_picture() {
    for (scenario, figure) in FIGURES.iter() {
        assert_eq!(figure.chart.crowded(), None, "{scenario} {}", figure.suffix);
    }
}

#[test]
fn both_axes_of_every_plot_are_labelled_and_numbers_have_a_unit() {
    for (scenario, figure) in FIGURES.iter() {
        for axis in [&figure.chart.x, &figure.chart.y] {
            let has_unit = match axis.scale {
                // Names need none, and times have theirs at the ticks.
                Scale::Names(_) | Scale::Lanes(_) | Scale::Time { .. } | Scale::LogTime { .. } => true,
                Scale::Log { .. } | Scale::LogAndZero { .. } | Scale::Linear { .. } => {
                    axis.label.contains('(') || axis.label.contains(" per ")
                }
            };
            assert!(!axis.label.is_empty() && has_unit, "{scenario} {}: {}", figure.suffix, axis.label);
            assert!(axis.scale.ticks().iter().filter(|tick| tick.label.is_some()).count() > 0, "{}", axis.label);
        }
        assert!(!figure.caption.is_empty() && figure.description.len() > 20, "{scenario} {}", figure.suffix);
    }
}

#[test]
fn every_svg_is_xml_and_small() {
    let mut sizes = Vec::new();
    for (scenario, figure) in FIGURES.iter() {
        let (svg, inline) = (figure.chart.to_svg(), figure.chart.to_inline_svg());
        for text in [&svg, &inline] {
            let document = roxmltree::Document::parse(text);
            let document = document.unwrap_or_else(|error| panic!("{scenario} {}: {error}", figure.suffix));
            assert_eq!(document.root_element().tag_name().name(), "svg");
        }
        assert!(svg.contains("prefers-color-scheme") && !inline.contains("<style"));
        sizes.push(inline.len());
    }
    let mean = sizes.iter().sum::<usize>() / sizes.len();
    assert!(mean <= 15_000 && sizes.iter().all(|size| *size <= 30_000), "{mean}: {sizes:?}");
}

#[test]
fn no_two_curves_of_a_plot_have_one_colour_and_a_strategy_looks_the_same_in_all_plots() {
    let mut looks: BTreeMap<&str, Identity> = BTreeMap::new();
    for (scenario, figure) in FIGURES.iter() {
        let mut colors = BTreeSet::new();
        let mut curves = 0;
        for mark in &figure.chart.marks {
            let (name, identity) = match mark {
                Mark::Curve { identity, tip, .. } => {
                    curves += 1;
                    colors.insert(identity.color.hex());
                    (&tip.name, identity)
                }
                Mark::Point(point) => (&point.name, &point.identity),
                _ => continue,
            };
            assert_eq!(looks.entry(name).or_insert(*identity), identity, "{scenario} {}: {name}", figure.suffix);
        }
        assert_eq!(colors.len(), curves, "{scenario} {}", figure.suffix);
    }
    assert!(looks.len() > 8, "more than a plot of lines shows");
}

#[test]
fn the_data_of_a_plot_name_what_it_shows() {
    let has = |scenario: &str, suffix: &str, row: &str| {
        let csv = figure(scenario, suffix).chart.to_csv();
        assert!(csv.lines().any(|line| line.starts_with(row)), "{scenario} {suffix}: {row}");
    };
    has("cable-cut", "", "line,bound: no policy below this line,");
    has("cable-cut", "", "line,Pareto front,");
    has("cable-cut", "downtime", "line,Pareto front,");
    has("cable-cut", "downtime", "line,\"what no policy can avoid, on top: ");
    has("silent-nat", "", "rule,fewest packets that keep the NAT's mapping alive,");
    has("silent-nat", "interval", "line,true timeout of the NAT,");
    has("silent-nat", "survival", "band,");
    has("sweep", "map", "line,interval = timeout,");
    let causes = figure("two-faults", "causes").chart.to_csv();
    let notes: BTreeSet<&str> = causes.lines().skip(1).filter_map(|line| line.rsplit(',').next()).collect();
    assert!(notes.contains("cut") && notes.contains("server-stall"), "{causes}");
}

/// Returns the pixels of a PNG, row by row, and how many a row has.
fn pixels(png: &[u8]) -> (Vec<[u8; 3]>, usize) {
    let mut decoder = png::Decoder::new(std::io::Cursor::new(png));
    decoder.set_transformations(png::Transformations::EXPAND);
    let mut reader = decoder.read_info().unwrap();
    let mut bytes = vec![0; reader.output_buffer_size().unwrap()];
    let frame = reader.next_frame(&mut bytes).unwrap();
    assert_eq!(frame.color_type, png::ColorType::Rgb);
    (bytes.as_chunks::<3>().0.to_vec(), frame.width as usize)
}

#[test]
fn every_filled_area_has_its_very_colour_in_the_svg_and_in_the_png() {
    for (scenario, figure) in FIGURES.iter() {
        let chart = &figure.chart;
        let (pixels, _) = pixels(&chart.to_png());
        let (seen, svg): (BTreeSet<[u8; 3]>, _) = (pixels.into_iter().collect(), chart.to_svg());
        let keys =
            chart.legend.iter().filter_map(|(_, key)| if let Key::Patch(color) = key { Some(*color) } else { None });
        let areas = chart.marks.iter().flat_map(|mark| match mark {
            Mark::Area(_, color) => vec![*color],
            // Of the parts of a bar those that are there to be seen.
            Mark::Bars { parts, .. } => {
                let wide = parts.iter().filter(|(length, _)| chart.x.scale.place(*length) > 0.005);
                wide.map(|(_, color)| *color).collect()
            }
            _ => Vec::new(),
        });
        let cells = chart.cell_corners().into_iter().map(|(_, color)| color);
        for color in keys.chain(areas).chain(cells).chain([WHITE]) {
            assert!(seen.contains(&[color.0, color.1, color.2]), "{scenario} {}: {color:?}", figure.suffix);
            assert!(svg.contains(&format!("fill=\"{}\"", color.hex())), "{scenario} {}: {color:?}", figure.suffix);
        }
    }
}

#[test]
fn the_cells_of_a_map_are_where_they_belong_in_a_png_and_the_bound_has_a_ground() {
    let map = &figure("sweep", "map").chart;
    let (pixels, width) = pixels(&map.to_png());
    for ((x, y), color) in map.cell_corners() {
        // A pixel of the picture is two of the file.
        let place = (2.0 * y) as usize * width + (2.0 * x) as usize;
        assert_eq!(pixels[place], [color.0, color.1, color.2], "{x} {y}");
    }
    let bounded = figure("cable-cut", "").chart.marks.iter();
    assert!(bounded.filter(|mark| matches!(mark, Mark::Area(..))).count() == 1, "the bound has a ground");
}

#[test]
fn the_same_figure_gives_the_same_bytes() {
    let dir = tempfile::tempdir().unwrap();
    fixture::write(dir.path(), 5);
    let again = figures(dir.path());
    for ((scenario, figure), (_, again)) in FIGURES.iter().zip(&again) {
        assert_eq!(figure.chart.to_svg(), again.chart.to_svg(), "{scenario}");
        assert_eq!((&figure.caption, &figure.description), (&again.caption, &again.description));
    }
}

#[test]
fn a_strategy_of_the_headline_plot_can_be_pointed_at() {
    let svg = figure("elevator", "").chart.to_svg();
    let document = roxmltree::Document::parse(&svg).unwrap();
    let mut groups = document.descendants().filter(|node| node.attribute("data-name") == Some("qq-fixed-45"));
    let group = groups.next_back().expect("the strategy has a marker");
    for axis in ["data-x", "data-y"] {
        assert!(group.attribute(axis).unwrap().parse::<f64>().unwrap() > 0.0);
    }
    let title = group.children().find(|node| node.has_tag_name("title")).unwrap().text().unwrap();
    assert!(title.starts_with("qq-fixed-45: ") && title.contains("packets per device-hour"), "{title}");
}

#[test]
fn the_last_break_to_be_noticed_is_named_so_that_it_can_be_replayed() {
    let dir = tempfile::tempdir().unwrap();
    let runs = ["w,s,1,event,1,1,1,0,0,0,,,,,,1,40,20,1,1,1,1,00", "w,s,7,event,1,1,1,0,0,0,,,,,,1,40,20,1,1,1,1,00"];
    let episodes = ["w,s,1,0,cut,0,12,detected,heartbeat,10,12", "w,s,7,3,cut,40,90,detected,heartbeat,45,50"];
    fixture::write_rows(dir.path(), &["w"], &["s"], 100.0, &runs, &episodes);
    let caption = &figures(dir.path())[1].1.caption;
    let expected = "strategy s, seed 7 and device 3 in w, 45.0 s after it came at 40 s.";
    assert!(caption.ends_with(expected), "{caption}");
}

#[test]
fn whoever_loses_nothing_lies_at_zero_and_on_the_front_of_downtime() {
    // Beats below 300 s keep the mapping, so that nothing breaks.
    let chart = &figure("silent-nat", "downtime").chart;
    assert!(chart.x.label.starts_with("packets per device-hour") && matches!(chart.y.scale, Scale::LogAndZero { .. }));
    let heights: BTreeMap<&str, f64> = chart
        .marks
        .iter()
        .filter_map(|mark| match mark {
            Mark::Point(Point { name, y: Height::At { value, .. }, .. }) => Some((name.as_str(), *value)),
            _ => None,
        })
        .collect();
    assert_eq!(heights.len(), 9, "every strategy is there");
    assert!(heights["wechat-270"].abs() < 1e-12);
    assert!(heights["none"] > 0.0 && heights["linux-keepalive"] > 0.0);
    // Down to zero at the cheapest of those that lose nothing, and on to the edge.
    let front: Vec<(f64, f64)> = chart
        .to_csv()
        .lines()
        .filter_map(|line| {
            let fields: Vec<&str> = line.strip_prefix("line,Pareto front,")?.split(',').collect();
            Some((fields[0].parse().unwrap(), fields[3].parse().unwrap()))
        })
        .collect();
    assert_eq!((front[front.len() - 1].1, front[front.len() - 2].1), (0.0, 0.0));
}

#[test]
fn where_every_device_has_a_radio_downtime_is_against_energy() {
    let figure = figure("elevator", "downtime");
    assert_eq!(figure.chart.x.label, ENERGY_LABEL);
    assert!(figure.description.contains(" J/h") && figure.caption.contains("Cost is energy"), "{}", figure.caption);
}

#[test]
fn the_parts_of_downtime_add_up_and_the_best_comes_first() {
    let chart = &figure("two-faults", "parts").chart;
    let bars: Vec<(f64, f64, &str)> = chart
        .marks
        .iter()
        .filter_map(|mark| match mark {
            Mark::Bars { row, parts, text, .. } => Some((*row, parts.iter().map(|it| it.0).sum(), text.as_str())),
            _ => None,
        })
        .collect();
    assert!(bars.windows(2).all(|pair| pair[0].0 < pair[1].0 && pair[0].1 <= pair[1].1 + 1e-6), "{bars:?}");
    let csv = chart.to_csv();
    for part in ["unnoticed", "waiting", "connecting"] {
        assert_eq!(csv.lines().filter(|line| line.starts_with("bar,") && line.ends_with(part)).count(), bars.len());
    }
    let (_, sum, text) = bars[0];
    assert!(text.starts_with(&format!("{}: ", short(sum))) && text.ends_with(" %"), "{text}");
    let shares = text.split(": ").nth(1).unwrap().trim_end_matches(" %").split(" + ");
    let shares: i64 = shares.map(|it| it.parse::<i64>().unwrap()).sum();
    assert!((99..=101).contains(&shares), "{text}");
}

#[test]
fn a_bar_longer_than_its_axis_is_drawn_to_its_end_with_a_break_and_counted_whole() {
    let bar = |row: f64, length: f64| Mark::Bars {
        row,
        parts: vec![(length, crate::chart::PALETTE[0])],
        interval: None,
        text: short(length),
        tip: Tip::default(),
    };
    let names = Scale::Names(vec!["a".to_owned(), "b".to_owned()]);
    let chart = Chart {
        marks: vec![bar(0.0, 5.0), bar(1.0, 500.0)],
        ..Chart::new("t".to_owned(), Axis::new("s", Scale::Linear { min: 0.0, max: 10.0 }), Axis::new("n", names))
    };
    assert!(chart.to_csv().contains("bar,,500,,,b,"), "{}", chart.to_csv());
    assert_eq!(chart.crowded(), None);
    // Without the rules of the dark theme, which name every colour.
    let strokes = |chart: &Chart| chart.to_inline_svg().matches(&format!("stroke=\"{}\"", WHITE.hex())).count();
    assert!(strokes(&chart) > 0);
    let short = Chart { marks: vec![bar(0.0, 5.0), bar(1.0, 9.0)], ..chart };
    assert_eq!(strokes(&short), 0);
}

#[test]
fn pushes_that_never_arrive_are_part_of_their_distribution() {
    let dir = tempfile::tempdir().unwrap();
    let runs = ["w,s,1,event,1,0,0,0,0,0,,,,,,1,40,20,1,1,1,1,00", "w,t,1,event,1,0,0,0,0,0,,,,,,0.1,9,3,1,1,1,1,00"];
    fixture::write_rows(dir.path(), &["w"], &["s", "t"], 100.0, &runs, &[]);
    // s delivers nine of ten, some of them late; t two of ten, both at once.
    let columns =
        "pushes_created,pushes_delivered,pushes_within_1s,pushes_within_10s,pushes_within_1min,pushes_within_10min";
    let text = std::fs::read_to_string(dir.path().join("runs.csv")).unwrap();
    let more = [columns, "10,9,4,6,7,7", "10,2,2,2,2,2"];
    let lines: Vec<String> = text.lines().zip(more).map(|(line, more)| format!("{line},{more}")).collect();
    std::fs::write(dir.path().join("runs.csv"), lines.join("\n")).unwrap();
    let figures = figures(dir.path());
    let (_, figure) = figures.iter().find(|(_, figure)| figure.suffix == "push").unwrap();
    let csv = figure.chart.to_csv();
    let shares = |strategy: &str| -> Vec<f64> {
        let rows = csv.lines().filter(|line| line.starts_with(&format!("bar,{strategy},")));
        rows.map(|line| line.split(',').nth(2).unwrap().parse::<f64>().unwrap().round()).collect()
    };
    assert_eq!(shares("s"), [40.0, 20.0, 10.0, 0.0, 20.0, 10.0]);
    assert_eq!(shares("t"), [20.0, 0.0, 0.0, 0.0, 0.0, 80.0]);
    // Who delivers most comes first, however fast the few are.
    assert!(csv.find(",s,").unwrap() < csv.find(",t,").unwrap(), "{csv}");
    assert!(csv.contains("90.0 % of 10") && csv.contains(",not at all"), "{csv}");
}

#[test]
fn requests_that_hang_are_told_from_those_that_are_answered_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let runs = ["w,s,1,event,1,0,0,0,0,0,,,,,,1,40,20,1,1,1,1,00", "w,t,1,event,1,0,0,0,0,0,,,,,,0.1,9,3,1,1,1,1,00"];
    fixture::write_rows(dir.path(), &["w"], &["s", "t"], 100.0, &runs, &[]);
    // s lets one of ten hang for 15 min and has one waiting at the end; t gives up two of ten in time.
    let columns = "messages_created,messages_delivered,messages_failed,messages_waiting,message_deadlines,\
                   message_delay_mean_s,message_delay_p95_s,message_delay_max_s,messages_within_1s,messages_within_10s,\
                   messages_within_1min,messages_within_10min";
    let text = std::fs::read_to_string(dir.path().join("runs.csv")).unwrap();
    let more = [columns, "10,9,0,1,0,103.2,924.7,924.7,8,8,8,8", "10,8,2,0,2,0.05,0.05,0.05,8,8,8,8"];
    let lines: Vec<String> = text.lines().zip(more).map(|(line, more)| format!("{line},{more}")).collect();
    std::fs::write(dir.path().join("runs.csv"), lines.join("\n")).unwrap();
    let figures = figures(dir.path());
    let (_, figure) = figures.iter().find(|(_, figure)| figure.suffix == "requests").unwrap();
    let csv = figure.chart.to_csv();
    let shares = |strategy: &str| -> Vec<f64> {
        let rows = csv.lines().filter(|line| line.starts_with(&format!("bar,{strategy},")));
        rows.map(|line| line.split(',').nth(2).unwrap().parse::<f64>().unwrap().round()).collect()
    };
    assert_eq!(shares("s"), [80.0, 0.0, 0.0, 0.0, 10.0, 10.0]);
    assert_eq!(shares("t"), [80.0, 0.0, 0.0, 0.0, 0.0, 20.0]);
    let summary = summary::summarize(&data::read(dir.path()).unwrap(), None);
    let cell = summary.scenarios[0].cells.iter().find(|cell| cell.strategy == "s").unwrap();
    let requests = cell.requests.unwrap();
    assert!((requests.delay_max_s.unwrap() - 924.7).abs() < 1e-9 && (requests.waiting - 1.0).abs() < 1e-9);
    assert!((requests.delay_mean_s.unwrap() - 103.2).abs() < 1e-9);
}

#[test]
fn heartbeats_are_told_from_data_and_are_no_more_than_there_is_data() {
    let csv = figure("elevator", "packets").chart.to_csv();
    let of = |strategy: &str, kind: &str| {
        let row = csv.lines().find(|line| line.starts_with(&format!("bar,{strategy},")) && line.ends_with(kind));
        row.map_or(0.0, |row| row.split(',').nth(2).unwrap().parse::<f64>().unwrap())
    };
    assert!(of("none", "heartbeats and replies (at most)").abs() < 1e-12);
    assert!(of("none", "other data") > 0.0);
    // 80 an hour; the results do not say how many were answered.
    let beats = of("qq-fixed-45", "heartbeats and replies (at most)");
    assert!((70.0..=80.0).contains(&beats), "{beats}");
    let columns = fixture::header::<RunColumn>();
    let dir = tempfile::tempdir().unwrap();
    let kinds = ["data_up", "pure_ack_up", "syn_up", "fin_up", "rst_up", "retransmission_up", "probe_up"];
    let more: Vec<String> = kinds.iter().flat_map(|up| [(*up).to_owned(), up.replace("_up", "_down")]).collect();
    // Two heartbeats share a packet of the three with data.
    let run = "w,s,1,event,1,0,0,0,0,0,,,,,,1,3,3,1,1,9,1,00,3,3,0,0,0,0,0,0,0,0,0,0,0,0";
    fixture::write_rows(dir.path(), &["w"], &["s"], 100.0, &[], &[]);
    std::fs::write(dir.path().join("runs.csv"), format!("{columns},{}\n{run}\n", more.join(","))).unwrap();
    let figures = figures(dir.path());
    let (_, figure) = figures.iter().find(|(_, figure)| figure.suffix == "packets").unwrap();
    assert!(figure.chart.to_csv().contains("bar,s,3,,,s,,,,heartbeats and replies (at most)"), "{:?}", figure.chart);
}

#[test]
fn causes_and_energy_have_intervals_and_say_of_how_many() {
    let causes = figure("two-faults", "causes").chart.to_csv();
    let dots = || causes.lines().filter(|line| line.starts_with("dot,"));
    assert!(dots().any(|line| !line.split(',').nth(3).unwrap().is_empty()), "{causes}");
    assert!(causes.lines().any(|line| line.starts_with("words,") && line.ends_with(",n 15 + 15")), "{causes}");
    let energy = figure("elevator", "energy").chart.to_csv();
    let bar = energy.lines().find(|line| line.starts_with("bar,qq-fixed-45,")).unwrap();
    let fields: Vec<&str> = bar.split(',').collect();
    assert!(!fields[3].is_empty() && !fields[4].is_empty() && bar.ends_with(" (n 5)"), "{bar}");
}

#[test]
fn a_note_is_no_wall_of_names() {
    let names: Vec<String> = (0..58).map(|index| format!("s{index}")).collect();
    let some = |count: usize| note("Left out", names[..count].iter().map(String::as_str));
    assert_eq!(some(0), None);
    assert_eq!(some(2), Some("Left out: s0, s1.".to_owned()));
    assert_eq!(some(58), Some("Left out: s0, s1, s2, s3, s4, s5, s6, s7 and 50 more.".to_owned()));
}

#[test]
fn a_learner_is_drawn_against_the_true_timeout_and_fixed_intervals_are_not() {
    let svg = figure("silent-nat", "interval").chart.to_svg();
    assert!(svg.contains("true timeout of the NAT") && svg.contains("wechat-270") && !svg.contains("qq-fixed-45"));
    assert!(figure("silent-nat", "interval").description.contains("wechat-270: from 60.0 s to 270 s"));
}
