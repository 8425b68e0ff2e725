//! The crate as its user sees it: a results directory in, a report or an error out.

use std::{collections::BTreeMap, fs, path::Path, sync::LazyLock};

use crate::{Error, fixture};

/// Writes the report of the results in a folder.
fn write(dir: &Path) -> Result<std::path::PathBuf, Error> {
    crate::write(&fixture::claim(dir)).map(|report| report.index)
}

fn results(seeds: u64) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    fixture::write(dir.path(), seeds);
    dir
}

/// Returns every file below `dir` with its contents.
fn files(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut all = BTreeMap::new();
    for entry in fs::read_dir(dir).unwrap().map(Result::unwrap) {
        let (path, name) = (entry.path(), entry.file_name().into_string().unwrap());
        if path.is_dir() {
            all.extend(files(&path).into_iter().map(|(below, contents)| (format!("{name}/{below}"), contents)));
        } else {
            all.insert(name, fs::read(path).unwrap());
        }
    }
    all
}

/// The report of three seeds, for the tests that only read it.
static REPORT: LazyLock<BTreeMap<String, Vec<u8>>> = LazyLock::new(|| {
    let dir = results(3);
    assert_eq!(write(dir.path()).unwrap(), dir.path().join("report/index.html"));
    files(&dir.path().join("report"))
});

/// Returns a file of [`REPORT`] that is text.
fn report(name: &str) -> &'static str {
    std::str::from_utf8(&REPORT[name]).unwrap()
}

/// Replaces `from` by `to` in a file of the results, which must have it.
fn edit(dir: &Path, file: &str, from: &str, to: &str) {
    let text = fs::read_to_string(dir.join(file)).unwrap();
    assert!(text.contains(from), "{file} has no {from}");
    fs::write(dir.join(file), text.replacen(from, to, 1)).unwrap();
}

#[test]
fn the_same_results_give_the_same_bytes() {
    let dir = results(3);
    write(dir.path()).unwrap();
    assert!(files(&dir.path().join("report")) == *REPORT);
    // Once more over an earlier report.
    write(dir.path()).unwrap();
    assert!(files(&dir.path().join("report")) == *REPORT);
}

/// Returns the pages of [`REPORT`] by their places.
fn pages() -> impl Iterator<Item = (&'static str, &'static str)> {
    let pages = REPORT.keys().filter(|name| Path::new(name).extension().is_some_and(|it| it == "html"));
    pages.map(|name| (name.as_str(), report(name)))
}

#[test]
fn what_is_asked_for_beyond_the_usual_is_in_the_report() {
    let dir = results(3);
    let plan = dir.path().join("plots.toml");
    fs::write(&plan, "[[plot]]\nname = \"fig-1\"\nscenario = \"elevator\"\nshow = \"downtime\"\n").unwrap();
    let options = |reference: Option<&str>| crate::Options {
        reference: reference.map(str::to_owned),
        latex: true,
        plots: Some(plan.clone()),
        ..crate::Options::default()
    };
    crate::write_with(&fixture::claim(dir.path()), &options(Some("weibo-120"))).unwrap();
    let made = files(&dir.path().join("report"));
    let more: Vec<&String> = made.keys().filter(|name| !REPORT.contains_key(*name)).collect();
    assert_eq!(more.iter().filter(|name| name.starts_with("tables/")).count(), 7, "{more:?}");
    assert!(made.contains_key("figures/fig-1.svg") && made.contains_key("figures/fig-1.csv"), "{more:?}");
    let page = |files: &BTreeMap<String, Vec<u8>>| String::from_utf8(files["scenarios/elevator.html"].clone()).unwrap();
    assert!(page(&made).contains("Against <strong>weibo-120</strong>, as asked for"));
    assert!(page(&REPORT).contains("the best by avoidable downtime, then by cost, of those with a heartbeat"));
    // What there is not is told, and the report stays as it was.
    let error = crate::write_with(&fixture::claim(dir.path()), &options(Some("weibo"))).unwrap_err();
    let crate::OptionError::UnknownReference { name, known } = error else { panic!("{error}") };
    assert_eq!((name.as_str(), known.len()), ("weibo", 9));
    assert_eq!(files(&dir.path().join("report")), made);
}

#[test]
fn the_pages_name_everyone_and_need_no_network() {
    for name in fixture::names() {
        assert!(pages().any(|(_, page)| page.contains(name)), "{name}");
    }
    for (name, page) in pages() {
        // A namespace is a name and is fetched from nowhere.
        let page = page.replace("xmlns=\"http://www.w3.org/2000/svg\"", "");
        for reference in ["http://", "https://", "//cdn", "<script src", "<link", "@import", "url("] {
            assert!(!page.contains(reference), "{name}: {reference}");
        }
    }
    assert!(pages().map(|(_, page)| page.len()).sum::<usize>() < 5 << 20);
}

#[test]
fn text_from_the_manifest_is_escaped() {
    let page = report("index.html");
    assert!(page.contains("&lt;a day&gt;") && !page.contains("<a day>"));
}

#[test]
fn every_link_leads_to_a_file() {
    for (name, page) in pages() {
        let links: Vec<&str> = page.split("href=\"").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
        assert!(links.len() > 5, "{name}");
        let folder = if name.starts_with("scenarios/") { "report/scenarios/" } else { "report/" };
        for link in links {
            if let Some(place) = link.strip_prefix('#') {
                assert!(page.contains(&format!("id=\"{place}\"")), "{name}: {link}");
                continue;
            }
            // `report/scenarios/../../runs.csv` is `runs.csv`.
            let mut path: Vec<&str> = folder.split_terminator('/').collect();
            for part in link.split('/') {
                if part == ".." {
                    path.pop().unwrap();
                } else {
                    path.push(part);
                }
            }
            let path = path.join("/");
            let is_there = match path.strip_prefix("report/") {
                Some(file) => REPORT.contains_key(file),
                None => ["runs.csv", "episodes.csv", "manifest.json"].contains(&path.as_str()),
            };
            assert!(is_there, "{name}: {link}");
        }
    }
}

#[test]
fn outliers_stand_with_the_command_that_shows_them() {
    let page = report("scenarios/silent-nat.html");
    let commands: Vec<&str> =
        page.split("<code class=\"command\">").skip(1).map(|rest| rest.split('<').next().unwrap()).collect();
    assert!(!commands.is_empty());
    for command in commands {
        // The fixture's scenario is not the built-in one of its name: the path is the reader's to write.
        assert!(command.starts_with("cardiogram trace silent-nat.toml --strategy "), "{command}");
        assert!(command.contains(" --seed ") && command.ends_with(" --timeline strip.svg"), "{command}");
    }
}

#[test]
fn every_plot_has_its_numbers_beside_it() {
    let data = report("plots/elevator.csv");
    let points: Vec<&str> = data.lines().filter(|line| line.starts_with("point,")).collect();
    assert!(data.starts_with("mark,name,x,x_low,x_high,y,y_low,y_high,value,note\n"));
    assert!(points.iter().any(|line| line.starts_with("point,qq-fixed-45,")), "{data}");
    let files = |end: &str| REPORT.keys().filter(|name| name.starts_with("plots/") && name.ends_with(end)).count();
    assert_eq!(files(".csv"), files(".svg"));
}

#[test]
fn every_scenario_has_an_svg_and_a_png_that_decodes() {
    for name in ["healthy", "silent-nat", "elevator", "cable-cut", "deaf-server", "server-crash", "two-faults"] {
        let svg = report(&format!("plots/{name}.svg"));
        assert!(svg.starts_with("<svg ") && svg.trim_end().ends_with("</svg>") && svg.contains("qq-fixed-45"));
        let reader =
            png::Decoder::new(std::io::Cursor::new(&REPORT[&format!("plots/{name}.png")])).read_info().unwrap();
        assert_eq!(reader.info().width, 1_840);
        assert!(reader.info().height > 400);
    }
    let plots = |extension: &str| REPORT.keys().filter(|name| name.ends_with(extension)).count();
    assert!(plots(".svg") > 7 && plots(".svg") == plots(".png"));
}

#[test]
fn the_bound_is_drawn_only_where_it_holds() {
    let plot = |name: &str| report(&format!("plots/{name}.svg"));
    assert!(plot("cable-cut").contains("bound"));
    // A FIN announces the crash.
    assert!(!plot("server-crash").contains("bound"));
    assert!(report("index.html").contains("a FIN or RST, or their own system, told devices"));
}

#[test]
fn what_keeps_a_mapping_alive_is_drawn_only_where_expiry_broke_sessions() {
    let plot = |name: &str| report(&format!("plots/{name}.svg"));
    assert!(plot("silent-nat").contains("fewest packets that keep"));
    assert!(!plot("cable-cut").contains("fewest packets that keep"));
    assert!(report("index.html").contains("2 · 3600 / 300 = 24.0 packets per device-hour"));
}

#[test]
fn a_strategy_without_a_latency_is_in_the_plot_all_the_same() {
    let dir = tempfile::tempdir().unwrap();
    // s notices, t does not, u meets no break, v sends nothing.
    let runs = [
        "w,s,1,event,1,1,1,0,0,0,,,,,,1,40,20,1,1,1,1,00",
        "w,t,1,event,1,1,0,0,1,0,,,,,,0.8,40,30,1,1,1,1,00",
        "w,u,1,event,1,0,0,0,0,0,,,,,,1,4,1,1,1,1,1,00",
        "w,v,1,event,1,0,0,0,0,0,,,,,,1,0,0,0,0,0,0,00",
    ];
    let episodes = ["w,s,1,0,cut,0,12,detected,heartbeat,10,12", "w,t,1,0,cut,0,,undetected,,,"];
    fixture::write_rows(dir.path(), &["w"], &["s", "t", "u", "v"], 100.0, &runs, &episodes);
    write(dir.path()).unwrap();
    let plot = fs::read_to_string(dir.path().join("report/plots/w.svg")).unwrap();
    for text in ["s", "t", "u", "no break", "noticed", "no session", "broke", "Not shown, sent no packet: v."] {
        assert!(plot.contains(&format!(">{text}<")), "{text}: {plot}");
    }
}

#[test]
fn a_table_by_cause_is_there_where_there_is_more_than_one() {
    let dir = tempfile::tempdir().unwrap();
    let runs = ["w,s,1,event,1,2,1,0,1,0,,,,,,1,40,20,1,1,1,1,00", "w,t,1,event,1,1,1,0,0,0,,,,,,0.8,40,30,1,1,1,1,00"];
    let episodes = [
        "w,s,1,0,cut,0,12,detected,heartbeat,10.5,12",
        "w,s,1,0,server-stall,50,,undetected,,,",
        "w,t,1,0,cut,0,20,detected,heartbeat,17.5,20",
    ];
    fixture::write_rows(dir.path(), &["w"], &["s", "t"], 100.0, &runs, &episodes);
    write(dir.path()).unwrap();
    let page = fs::read_to_string(dir.path().join("report/scenarios/w.html")).unwrap();
    let table = page.split("By cause:").nth(1).expect("two causes").split("</table>").next().unwrap();
    let of_s = "<td data-v=\"10.5\">1/1<small>10.5</small></td><td data-v=\"\">0/1</td>";
    for part in ["cut</th>", "server-stall</th>", of_s, "<td data-v=\"\">–</td>"] {
        assert!(table.contains(part), "{part}: {table}");
    }
    // Of the fixture's scenarios, one has two causes.
    assert_eq!(pages().filter(|(_, page)| page.contains("By cause:")).count(), 1);
}

#[test]
fn a_missing_file_is_an_error_that_says_where_results_come_from() {
    let dir = results(1);
    fs::remove_file(dir.path().join("episodes.csv")).unwrap();
    let error = write(dir.path()).unwrap_err();
    assert!(matches!(error, Error::Read { .. }), "{error}");
    assert!(error.to_string().contains("episodes.csv") && error.help().contains("cardiogram run"), "{error}");
    assert!(!dir.path().join("report").exists());
}

#[test]
fn a_missing_column_is_named() {
    let dir = results(1);
    edit(dir.path(), "runs.csv", "availability", "uptime");
    let error = crate::write(&fixture::claim(dir.path())).map(|report| report.table).unwrap_err().to_string();
    assert!(error.contains("runs.csv: line 1: columns are missing: `availability`; unknown are: `uptime`"), "{error}");
}

#[test]
fn a_further_column_changes_nothing() {
    let dir = results(1);
    let before = crate::write(&fixture::claim(dir.path())).map(|report| report.table).unwrap();
    let runs = fs::read_to_string(dir.path().join("runs.csv")).unwrap();
    let wider: Vec<String> = runs.lines().map(|line| format!("colour,{line}")).collect();
    fs::write(dir.path().join("runs.csv"), wider.join("\n")).unwrap();
    assert_eq!(crate::write(&fixture::claim(dir.path())).map(|report| report.table).unwrap(), before);
}

#[test]
fn results_of_an_earlier_version_have_no_series_and_are_fine() {
    let dir = results(1);
    fs::remove_file(dir.path().join("series.csv")).unwrap();
    write(dir.path()).unwrap();
    assert!(!dir.path().join("report/plots/server-crash.storm.svg").exists());
    assert!(REPORT.contains_key("plots/server-crash.storm.svg"));
}

#[test]
fn a_wrong_value_is_an_error_with_its_line() {
    let cases = [
        ("healthy,none,1,event,24,", "healthy,none,1,event,-24,", "line 2: `device_hours` is `-24`"),
        ("healthy,none,1,event,24,", "healthy,none,one,event,24,", "line 2: `seed` is `one`"),
        ("healthy,none,1,", "healthy,nobody,1,", "line 2: `strategy` is `nobody`"),
        ("healthy,none,1,event,24,0,", "healthy,none,1,event,24,", "line 2: 49 fields instead of 50"),
    ];
    for (from, to, expected) in cases {
        let dir = results(1);
        edit(dir.path(), "runs.csv", from, to);
        let error = write(dir.path()).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
    let series = [
        ("silent-nat,none,1,0.000000,", "silent-nat,none,9,0.000000,", "runs.csv has no such run"),
        ("1,1800.000000,1800.000000", "1,0.000000,1800.000000", "`begin_s` is `0.000000`"),
        ("1,1800.000000,1800.000000", "1,1800.000000,0.000000", "`width_s` is `0.000000`"),
    ];
    for (from, to, expected) in series {
        let dir = results(1);
        edit(dir.path(), "series.csv", from, to);
        let error = write(dir.path()).unwrap_err().to_string();
        assert!(error.contains("series.csv: line ") && error.contains(expected), "{error}");
    }
    let dir = results(1);
    edit(dir.path(), "episodes.csv", ",detected,", ",noticed,");
    let error = write(dir.path()).unwrap_err().to_string();
    assert!(error.contains("`outcome` is `noticed`") && error.contains("episodes.csv: line "), "{error}");
}

#[test]
fn a_file_that_was_cut_short_is_noticed() {
    let dir = results(1);
    let episodes = fs::read_to_string(dir.path().join("episodes.csv")).unwrap();
    let shorter: Vec<&str> = episodes.lines().take(20).collect();
    fs::write(dir.path().join("episodes.csv"), shorter.join("\n")).unwrap();
    let error = write(dir.path()).unwrap_err();
    assert!(matches!(error, Error::Disagree { .. }), "{error}");
    assert!(error.to_string().contains("runs.csv counts"), "{error}");
}

#[test]
fn a_run_that_was_there_before_is_an_error() {
    let dir = results(1);
    let runs = fs::read_to_string(dir.path().join("runs.csv")).unwrap();
    let twice = format!("{runs}{}\n", runs.lines().nth(1).unwrap());
    fs::write(dir.path().join("runs.csv"), twice).unwrap();
    let error = write(dir.path()).unwrap_err().to_string();
    assert!(error.contains("was there before"), "{error}");
}

#[test]
fn a_damaged_manifest_is_an_error_with_its_place() {
    let dir = results(1);
    edit(dir.path(), "manifest.json", "\"duration_s\"", "\"duration\"");
    let error = write(dir.path()).unwrap_err().to_string();
    assert!(error.contains("manifest.json") && error.contains("duration_s") && error.contains("line"), "{error}");
}

#[test]
fn an_earlier_report_survives_results_that_cannot_be_read() {
    let dir = results(1);
    write(dir.path()).unwrap();
    let before = files(&dir.path().join("report"));
    edit(dir.path(), "runs.csv", "availability", "uptime");
    write(dir.path()).unwrap_err();
    assert_eq!(files(&dir.path().join("report")), before);
}

#[test]
fn results_are_not_read_beyond_their_limits() {
    let dir = results(1);
    for (name, bytes) in [("episodes.csv", 4_u64 << 30), ("runs.csv", 4 << 30), ("manifest.json", 64 << 20)] {
        fs::OpenOptions::new().write(true).open(dir.path().join(name)).unwrap().set_len(bytes + 1).unwrap();
        let error = write(dir.path()).unwrap_err();
        assert!(matches!(&error, Error::TooLarge { path, .. } if path.ends_with(name)), "{error}");
    }
}
