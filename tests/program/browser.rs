//! The report as a reader sees it, in headless Chromium: it loads from a file without errors, tables sort, tooltips show,
//! the headline plot zooms, and every picture has a size.
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

  const mark = document.querySelector('.plot.zoom [data-name]');
  const tip = document.querySelector('.tip');
  const at = { clientX: 200, clientY: 200, bubbles: true };
  mark?.dispatchEvent(new PointerEvent('pointerenter', at));
  check('tooltip', tip && !tip.hidden && tip.textContent.includes(mark.dataset.name), tip?.textContent ?? 'none');
  mark?.dispatchEvent(new PointerEvent('pointerleave', at));
  check('tooltip goes', tip?.hidden, 'it stays');

  const plot = document.querySelector('.plot.zoom');
  const view = () => plot.querySelector('svg').getAttribute('viewBox');
  const whole = view();
  const [larger, , reset] = all('.zoombar button', plot);
  larger.click();
  check('zoom', view() !== whole && plot.classList.contains('zoomed'), view());
  reset.click();
  check('zoom back', view() === whole, view());

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

/// Opens the page with the reader's script in it; returns what the script wrote, and what the console said.
fn read(browser: &str, page: &Path) -> (Vec<String>, Vec<String>) {
    let text = fs::read_to_string(page).unwrap();
    let copy = page.with_extension("read.html");
    let text =
        text.replacen("<head>", &format!("<head>{BEFORE}"), 1).replacen("</body>", &format!("{READER}</body>"), 1);
    fs::write(&copy, text).unwrap();
    let profile = tempfile::tempdir().unwrap();
    let output = Command::new(browser)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"])
        .args(["--disable-background-networking", "--disable-component-update", "--enable-logging=stderr"])
        .args(["--virtual-time-budget=3000", "--window-size=1280,1600", "--dump-dom"])
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
fn a_reader_can_sort_point_and_zoom_from_a_file() {
    let Some(browser) = browser() else {
        eprintln!("skipped: there is no Chromium here (CARDIOGRAM_BROWSER names one)");
        return;
    };
    let place = place!();
    place.write("sweep.toml", SWEEP);
    place.cardiogram("run small.toml healthy --strategy netease-30-15 --strategy wechat-270 --seeds 5 -q").good();
    place.cardiogram("sweep sweep.toml --seeds 1 --out sweep -q").good();
    let pages = [
        "cardiogram-out/latest/report/index.html",
        "cardiogram-out/latest/report/scenarios/small.html",
        "cardiogram-out/latest/report/scenarios/healthy.html",
    ];
    for page in pages {
        let (verdict, console) = read(&browser, &place.path(page));
        assert_eq!(verdict.len(), 8, "{verdict:?}");
        let bad: Vec<&String> = verdict.iter().filter(|line| !line.ends_with(": ok")).collect();
        assert!(bad.is_empty(), "{page}: {bad:?}");
        assert!(console.is_empty(), "{page}: {console:?}");
    }
    // A map has nobody to point at: its cells say their numbers themselves.
    let (verdict, console) = read(&browser, &place.path("sweep/report/index.html"));
    let bad: Vec<&String> =
        verdict.iter().filter(|line| !line.ends_with(": ok") && !line.starts_with("tooltip")).collect();
    assert!(bad.is_empty() && console.is_empty(), "{bad:?} {console:?}");
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
