//! The page of a report in a real browser: it opens from disk without an error, and does what it offers.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use headless_chrome::protocol::cdp::{Emulation, Page};
use headless_chrome::{Browser, LaunchOptions, Tab};
use laws::Sandbox;
use serde_json::Value;

const SWEEP: &str = "
version: 1
name: mixed
flows:
  - planar: {layers: [2, 4, 8]}
  - rwmh
  - misbehaving: {mode: [good, not-a-number, abort]}
targets: [{gaussian: {dim: 2}}, u1]
exclude:
  - {flow: misbehaving, target: u1}
seeds: 3
train: {steps: 40, batch: 16, give_up_after: 3}
eval: {every: 10, draws: 50, final_draws: 400, throughput: false}
sampling: {chains: 8, warm_up: 50, transitions: 200, temperatures: 20, bound_draws: 50}
";

/// Long enough for a busy machine; the page answers in a fraction of a second.
const PATIENCE: Duration = Duration::from_secs(30);

/// What goes wrong in the page, and whatever it asks of the network, ends in a list.
const WITNESS: &str = "
window.complaints = [];
addEventListener('error', event => complaints.push(`error: ${event.message}`));
addEventListener('unhandledrejection', event => complaints.push(`rejection: ${event.reason}`));
addEventListener('securitypolicyviolation', event => complaints.push(`asked for ${event.blockedURI}`));
for (const level of ['error', 'warn']) console[level] = (...words) => complaints.push(`${level}: ${words.join(' ')}`);
";

/// A browser for the page, with what the page is about.
struct Opened {
    _browser: Browser,
    tab: Arc<Tab>,
    url: String,
}

impl Opened {
    /// None, with the reason printed, where no browser is installed.
    fn new(page: PathBuf) -> Option<Self> {
        let names = ["chromium", "chromium-browser", "google-chrome"];
        let paths = std::env::var_os("PATH").unwrap_or_default();
        let mut places = std::env::split_paths(&paths).flat_map(|folder| names.map(|name| folder.join(name)));
        let Some(program) = places.find(|place| place.is_file()) else {
            println!("skipped: no Chromium on this machine");
            return None;
        };
        let quiet =
            ["--disable-quic", "--disable-background-networking", "--disable-component-update", "--disable-sync"];
        let options = LaunchOptions::default_builder()
            .path(Some(program))
            .sandbox(false)
            .window_size(Some((1400, 900)))
            .idle_browser_timeout(PATIENCE * 4)
            .args(quiet.map(OsStr::new).to_vec())
            .build()
            .unwrap();
        let browser = Browser::new(options).unwrap();
        let tab = browser.new_tab().unwrap();
        tab.set_default_timeout(PATIENCE);
        let witness = Page::AddScriptToEvaluateOnNewDocument {
            source: WITNESS.into(),
            world_name: None,
            include_command_line_api: None,
            run_immediately: None,
        };
        tab.call_method(witness).unwrap();
        let url = format!("file://{}", page.display());
        Some(Self { _browser: browser, tab, url })
    }

    fn open(&self, fragment: &str) {
        self.tab.navigate_to("about:blank").unwrap().wait_until_navigated().unwrap();
        self.tab.navigate_to(&format!("{}{fragment}", self.url)).unwrap().wait_until_navigated().unwrap();
        self.wait("the table is there", "document.querySelectorAll('.tabulator-row').length > 0");
    }

    fn value(&self, expression: &str) -> Value {
        let found = self.tab.evaluate(&format!("JSON.stringify({expression})"), false).unwrap();
        serde_json::from_str(found.value.as_ref().and_then(Value::as_str).unwrap_or("null")).unwrap()
    }

    fn run(&self, statement: &str) {
        self.tab.evaluate(&format!("{{ {statement}; }}"), false).unwrap();
    }

    fn wait(&self, what: &str, condition: &str) {
        let end = Instant::now() + PATIENCE;
        while self.value(&format!("!!({condition})")) != Value::Bool(true) {
            assert!(Instant::now() < end, "waited in vain until {what}; {}", self.value("complaints"));
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Looks at all of the page, since charts are made when they come near.
    fn read_through(&self) {
        self.run("for (const place of document.querySelectorAll('main > section, .chart')) place.scrollIntoView()");
        let charts = "[...document.querySelectorAll('.chart')]";
        for index in 0..self.value(&format!("{charts}.length")).as_u64().unwrap() {
            self.run(&format!("{charts}[{index}].scrollIntoView()"));
            self.wait("the chart is drawn", &format!("{charts}[{index}].querySelector('svg')"));
        }
    }
}

#[test]
fn the_page_of_a_report_works() {
    let sandbox = Sandbox::new(SWEEP);
    sandbox.harness("run sweep.yaml --report").assert().code(20);
    let page = sandbox.path("results/mixed/report.html").canonicalize().unwrap();
    let Some(opened) = Opened::new(page) else { return };
    opened.open("");
    assert_eq!(opened.value("Report.planned"), 33);
    the_table_sorts(&opened);
    a_curve_goes_and_comes(&opened);
    opened.read_through();
    let failed = opened.value("Report.data.cells.find(cell => cell.status === 'crashed').id");
    a_link_leads_to_its_cell(&opened, failed.as_str().unwrap());
    for (width, scheme) in [(1400, "light"), (420, "light"), (420, "dark"), (1400, "dark")] {
        looks(&opened, width, scheme);
        opened.open("");
        opened.read_through();
        let wide = opened.value("document.documentElement.scrollWidth").as_u64().unwrap();
        assert!(wide <= width, "the page is {wide} wide in a window of {width}");
        assert_eq!(opened.value("complaints"), serde_json::json!([]), "{scheme}, {width} wide");
    }
}

/// By the figure that is sorted by, either way, whatever its text looks like.
fn the_table_sorts(opened: &Opened) {
    let middles = "[...document.querySelectorAll('.tabulator-row')]\
                   .map(row => Report.data.groups[+row.id.slice(6)].stats[0]).filter(s => s).map(s => s.mid)";
    let sorted = |values: Value| {
        let values: Vec<f64> = values.as_array().unwrap().iter().map(|value| value.as_f64().unwrap()).collect();
        assert!(values.len() > 4, "{values:?}");
        (values.is_sorted(), values.is_sorted_by(|a, b| a >= b))
    };
    let click = "document.querySelector('.tabulator-col[tabulator-field=m0] .tabulator-col-title').click()";
    opened.run(click);
    let (up, down) = sorted(opened.value(middles));
    opened.run(click);
    assert!(up != down, "the table is not sorted");
    assert_eq!(sorted(opened.value(middles)), (down, up), "another click does not turn it round");
}

fn a_curve_goes_and_comes(opened: &Opened) {
    opened.run("document.querySelector('#curves').scrollIntoView()");
    opened.wait("curves are drawn", "document.querySelector('#curves .chart svg path')");
    let lines = "document.querySelectorAll('#curves .chart svg path').length";
    let click = "document.querySelector('#curves .legend-entries button').click()";
    let all = opened.value(lines).as_u64().unwrap();
    opened.run(click);
    assert!(opened.value(lines).as_u64().unwrap() < all, "the legend takes no curve away");
    opened.run(click);
    assert_eq!(opened.value(lines), all, "the curve does not come back");
}

fn a_link_leads_to_its_cell(opened: &Opened, id: &str) {
    opened.open(&format!("#cell-{id}"));
    let row = format!("document.getElementById('cell-{id}')");
    opened.wait("the cell is shown", &format!("{row} && {row}.classList.contains('marked')"));
    let text = opened.value(&format!("{row}.textContent"));
    let text = text.as_str().unwrap();
    let hidden = format!(
        "{row}.closest('.cells').getBoundingClientRect().bottom - {row}.closest('.tabulator').getBoundingClientRect().bottom"
    );
    assert!(opened.value(&hidden).as_f64().unwrap() < 0.0, "the opened row is cut off");
    assert!(text.contains("crashed") && text.contains(&format!("harness replay results/mixed {id}")), "{text}");
}

fn looks(opened: &Opened, width: u64, scheme: &str) {
    let metrics = Emulation::SetDeviceMetricsOverride {
        width: u32::try_from(width).unwrap(),
        height: 900,
        device_scale_factor: 1.0,
        mobile: false,
        scale: None,
        screen_width: None,
        screen_height: None,
        position_x: None,
        position_y: None,
        dont_set_visible_size: None,
        screen_orientation: None,
        viewport: None,
        display_feature: None,
        device_posture: None,
    };
    opened.tab.call_method(metrics).unwrap();
    let feature = Emulation::MediaFeature { name: "prefers-color-scheme".into(), value: scheme.into() };
    opened.tab.call_method(Emulation::SetEmulatedMedia { media: None, features: Some(vec![feature]) }).unwrap();
}
