//! What must hold of every plot, on results that have them all.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::LazyLock,
};

use super::*;
use crate::{
    chart::{Identity, Scale, WHITE},
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
    let summary = summary::summarize(&results);
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
    assert_eq!(suffixes("healthy"), BTreeSet::from(["", "energy", "interval", "packets"]));
    assert!(suffixes("two-faults").is_superset(&BTreeSet::from(["", "survival", "causes", "packets"])));
    assert!(!suffixes("cable-cut").contains("causes"), "all breaks are cuts");
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
    assert_eq!(suffixes, ["", "survival"]);
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
                Scale::Log { .. } | Scale::Linear { .. } => axis.label.contains('(') || axis.label.contains(" per "),
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
    has("silent-nat", "", "rule,fewest packets that keep the NAT's mapping alive,");
    has("silent-nat", "interval", "line,true timeout of the NAT,");
    has("silent-nat", "survival", "band,");
    has("sweep", "map", "line,interval = timeout,");
    let causes = figure("two-faults", "causes").chart.to_csv();
    let notes: BTreeSet<&str> = causes.lines().skip(1).filter_map(|line| line.rsplit(',').next()).collect();
    assert!(notes.contains("cut") && notes.contains("server-stall"), "{causes}");
}

/// The pixels of a PNG, row by row, and how many a row has.
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
fn pushes_that_never_arrive_do_not_pass_for_fast_ones() {
    // 90 of 96 arrive in the fixture.
    let notes = figure("elevator", "energy").chart.notes.join(" ");
    assert!(notes.contains("fewer than 99 % were by: ") && notes.contains("weibo-120 (93.8 %)"), "{notes}");
}

#[test]
fn a_learner_is_drawn_against_the_true_timeout_and_fixed_intervals_are_not() {
    let svg = figure("silent-nat", "interval").chart.to_svg();
    assert!(svg.contains("true timeout of the NAT") && svg.contains("wechat-270") && !svg.contains("qq-fixed-45"));
    assert!(figure("silent-nat", "interval").description.contains("wechat-270: from 60.0 s to 270 s"));
}
