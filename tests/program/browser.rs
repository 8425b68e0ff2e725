//! The report as a reader sees it, in headless Chromium: it loads from a file without errors, tables sort, tooltips show,
//! both headline plots zoom, every picture has a size, and all of that in the light theme, in the dark one, and on a screen as
//! narrow as a telephone's, where plots and tables scroll. On the first page, the matrix leads to every scenario.
//!
//! Pages get a script of ours at their end, which does what a reader would do and writes what it found into the page. Where
//! there is no Chromium the test says so and passes; `CARDIOGRAM_BROWSER` names the program, and with it set the browser
//! has to be there.

use std::{fs, path::Path, process::Command};

use kit::place;

/// Programs that may be Chromium.
const BROWSERS: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "chrome"];

/// What goes wrong while a page loads, for the script at its end.
const BEFORE: &str =
    "<script>window.errors = []; addEventListener('error', (it) => errors.push(String(it.message)));</script>";

/// Does what a reader would do. Every line of the result is a check and `ok`, or what is wrong.
const READER: &str = r"<script>
addEventListener('load', () => {
  const said = [];
  const check = (name, good, what) => said.push(`${name}: ${good ? 'ok' : what}`);
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  check('errors', errors.length === 0, errors.join('; '));

  const pictures = all('svg');
  const small = pictures.filter((it) => it.getBoundingClientRect().width < 300 || it.getBoundingClientRect().height < 100);
  check('pictures', pictures.length > 0 && small.length === 0, `${small.length} of ${pictures.length} have no size`);

  const tables = all('table.sort');
  let unsorted = [];
  for (const table of tables) {
    all('thead th', table).forEach((head, column) => {
      const rows = () => all('tbody tr', table).map((row) => row.cells[column]);
      const before = rows().length;
      for (const order of [1, -1]) {
        head.querySelector('button').click();
        const numbers = rows().map((it) => it.dataset.v).filter((it) => it !== undefined && it !== '').map(Number);
        const sorted = numbers.every((it, place) => place === 0 || order * (it - numbers[place - 1]) >= 0);
        const wanted = order === 1 ? 'ascending' : 'descending';
        if (!sorted || rows().length !== before || head.getAttribute('aria-sort') !== wanted) {
          unsorted.push(head.textContent);
        }
      }
    });
  }
  check('sorting', tables.length > 0 && unsorted.length === 0, `not sorted: ${unsorted.join(', ')}`);

  // The colours of a cell, of its letters and of the page, for the theme that is asked for.
  const dark = matchMedia('(prefers-color-scheme: dark)').matches;
  const rgb = (it, property) => getComputedStyle(it)[property].match(/[\d.]+/g).map(Number);
  const bright = ([red, green, blue]) => (0.299 * red + 0.587 * green + 0.114 * blue) / 255;
  const paper = bright(rgb(document.body, 'backgroundColor'));
  check('theme', dark === DARK && (dark ? paper < 0.3 : paper > 0.7), `dark: ${dark}, paper ${paper}`);
  const ground = document.querySelector('.plot svg rect, .plot svg path');
  check('plots follow', Math.abs(bright(rgb(ground, 'fill')) - paper) < 0.2, `${rgb(ground, 'fill')} on ${paper}`);

  const matrix = document.querySelector('table.matrix');
  const cells = all('tbody td', matrix ?? document.createElement('table'));
  const filled = cells.filter((it) => it.textContent.trim() !== '');
  const wrong = filled.filter((it) => {
    const differ = Math.abs(bright(rgb(it, 'color')) - bright(rgb(it, 'backgroundColor')));
    return !it.querySelector('a[href^=scenarios]') || !/^[\d.e]+$/.test(it.textContent.trim()) || differ < 0.35;
  });
  check('matrix', !MATRIX || (filled.length > 0 && wrong.length === 0), `${wrong.length} of ${filled.length} cells`);

  const pairs = all('.pair');
  const two = pairs.every((it) => it.querySelectorAll('.plot.zoom svg').length === 2);
  check('headlines', SWEEP || (pairs.length > 0 && two), `${pairs.length} pairs`);

  // What is wider than the screen scrolls by itself; the page does not, and pictures stay large enough to be read.
  const root = document.documentElement;
  check('no scrolling', root.scrollWidth <= root.clientWidth + 1, `${root.scrollWidth} of ${root.clientWidth}`);
  const shrunk = pictures.filter((it) => it.getBoundingClientRect().width < 600);
  check('not shrunk', shrunk.length === 0, `${shrunk.length} of ${pictures.length}`);
  const panes = all('.plot .pane').filter((it) => it.clientWidth < 600);
  const stuck = panes.filter((it) => {
    it.scrollLeft = 100;
    return it.scrollLeft === 0;
  });
  check('panes scroll', stuck.length === 0 && (innerWidth >= 600 || panes.length > 0), `${stuck.length} of ${panes.length}`);

  const mark = document.querySelector('.plot.zoom [data-name]');
  const tip = document.querySelector('.tip');
  const at = { clientX: 200, clientY: 200, bubbles: true };
  mark?.dispatchEvent(new PointerEvent('pointerenter', at));
  check('tooltip', tip && !tip.hidden && tip.textContent.includes(mark.dataset.name), tip?.textContent ?? 'none');
  mark?.dispatchEvent(new PointerEvent('pointerleave', at));
  check('tooltip goes', tip?.hidden, 'it stays');

  const stays = [];
  for (const plot of all('.plot.zoom')) {
    const view = () => plot.querySelector('svg').getAttribute('viewBox');
    const whole = view();
    const [larger, , reset] = all('.zoombar button', plot);
    larger.click();
    if (view() === whole || !plot.classList.contains('zoomed')) stays.push('in');
    reset.click();
    if (view() !== whole) stays.push('back');
  }
  check('zoom', stays.length === 0, stays.join(', '));

  const labels = all('.plot text').filter((it) => it.getBoundingClientRect().width === 0 && it.textContent.trim() !== '');
  check('labels', labels.length === 0, `${labels.length} have no size`);
  const verdict = document.createElement('pre');
  verdict.id = 'verdict';
  verdict.textContent = said.join('\n');
  document.body.append(verdict);
});
</script>";

fn browser() -> Option<String> {
    if let Some(named) = std::env::var("CARDIOGRAM_BROWSER").ok().filter(|named| !named.is_empty()) {
        return Some(named);
    }
    let runs = |name: &&str| Command::new(name).arg("--version").output().is_ok_and(|it| it.status.success());
    BROWSERS.into_iter().find(runs).map(str::to_owned)
}

/// How a page is looked at.
#[derive(Clone, Copy, Debug)]
struct Screen {
    width: u32,
    is_dark: bool,
}

const SCREENS: [Screen; 3] = [
    Screen { width: 1280, is_dark: false },
    Screen { width: 1280, is_dark: true },
    // Headless Chromium has windows of 500 pixels and more; a page in a frame can be narrower.
    Screen { width: 400, is_dark: false },
];

/// What the script has to know of a page.
#[derive(Clone, Copy)]
struct Expected {
    has_matrix: bool,
    is_sweep: bool,
}

/// The checks of the script.
const CHECKS: usize = 14;

/// Opens the page with the reader's script in it; returns what the script wrote, and what the console said.
fn read(browser: &str, page: &Path, screen: Screen, expected: Expected) -> (Vec<String>, Vec<String>) {
    let text = fs::read_to_string(page).unwrap();
    let copy = page.with_extension("read.html");
    let script = READER
        .replace("DARK", &screen.is_dark.to_string())
        .replace("!MATRIX", if expected.has_matrix { "false" } else { "true" })
        .replace("SWEEP", &expected.is_sweep.to_string());
    let text =
        text.replacen("<head>", &format!("<head>{BEFORE}"), 1).replacen("</body>", &format!("{script}</body>"), 1);
    fs::write(&copy, text).unwrap();
    let profile = tempfile::tempdir().unwrap();
    let scheme = if screen.is_dark {
        "--blink-settings=preferredColorScheme=0"
    } else {
        "--blink-settings=preferredColorScheme=1"
    };
    let output = Command::new(browser)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"])
        .args(["--disable-background-networking", "--disable-component-update", "--enable-logging=stderr"])
        .args(["--virtual-time-budget=3000", "--dump-dom", scheme])
        .arg(format!("--window-size={},1600", screen.width))
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .arg(format!("file://{}", copy.display()))
        .output()
        .unwrap_or_else(|error| panic!("{browser} does not start: {error}"));
    let dom = String::from_utf8_lossy(&output.stdout);
    let verdict = dom.split("<pre id=\"verdict\">").nth(1).and_then(|it| it.split("</pre>").next());
    let verdict = verdict.unwrap_or_else(|| panic!("no verdict: {}", String::from_utf8_lossy(&output.stderr)));
    let console = String::from_utf8_lossy(&output.stderr);
    let console = console.lines().filter(|line| line.contains("CONSOLE")).map(str::to_owned).collect();
    (verdict.lines().map(str::to_owned).collect(), console)
}

#[test]
fn a_reader_can_sort_point_and_zoom_from_a_file_in_both_themes_and_on_a_narrow_screen() {
    let Some(browser) = browser() else {
        eprintln!("skipped: there is no Chromium here (CARDIOGRAM_BROWSER names one)");
        return;
    };
    let place = place!();
    place.write("sweep.toml", SWEEP);
    place.cardiogram("run small.toml healthy --strategy netease-30-15 --strategy wechat-270 --seeds 5 -q").good();
    place.cardiogram("sweep sweep.toml --seeds 1 --out sweep -q").good();
    let pages = [
        ("cardiogram-out/latest/report/index.html", Expected { has_matrix: true, is_sweep: false }),
        ("cardiogram-out/latest/report/scenarios/small.html", Expected { has_matrix: false, is_sweep: false }),
        ("cardiogram-out/latest/report/scenarios/healthy.html", Expected { has_matrix: false, is_sweep: false }),
        ("sweep/report/index.html", Expected { has_matrix: false, is_sweep: true }),
    ];
    for (page, expected) in pages {
        for screen in SCREENS {
            let (verdict, console) = read(&browser, &place.path(page), screen, expected);
            assert_eq!(verdict.len(), CHECKS, "{verdict:?}");
            // A map has nobody to point at: its cells say their numbers themselves.
            let is_told = |line: &&String| expected.is_sweep && line.starts_with("tooltip");
            let bad: Vec<&String> = verdict.iter().filter(|line| !line.ends_with(": ok") && !is_told(line)).collect();
            assert!(bad.is_empty(), "{page} {screen:?}: {bad:?}");
            assert!(console.is_empty(), "{page}: {console:?}");
        }
    }
}

/// Two intervals against two timeouts.
const SWEEP: &str = r#"
name = "small-sweep"
scenario = "small.toml"
strategies = ["netease-30-15"]

[[axis]]
label = "heartbeat interval"
strategy = "heartbeat.fixed.interval"
values = ["20s", "40s"]

[[axis]]
label = "NAT timeout"
scenario = "nat.established"
values = ["30s", "5m"]
"#;
