//! report.html: one file with its libraries, script and data, which opens without a network.

use anyhow::Result;
use minijinja::{Environment, context};

use super::data::Data;

/// ECharts (Apache-2.0) draws, Tabulator (MIT) sorts and filters.
const LIBRARIES: [&str; 2] =
    [include_str!("../../report/vendor/echarts.min.js"), include_str!("../../report/vendor/tabulator.min.js")];
const STYLES: [&str; 2] =
    [include_str!("../../report/vendor/tabulator_simple.min.css"), include_str!("../../report/report.css")];

/// In the order in which they build on each other.
const SCRIPTS: [&str; 16] = [
    include_str!("../../report/core.js"),
    include_str!("../../report/format.js"),
    include_str!("../../report/palette.js"),
    include_str!("../../report/controls.js"),
    include_str!("../../report/chart.js"),
    include_str!("../../report/banner.js"),
    include_str!("../../report/cells.js"),
    include_str!("../../report/table.js"),
    include_str!("../../report/curves.js"),
    include_str!("../../report/failures.js"),
    include_str!("../../report/integrators.js"),
    include_str!("../../report/hamiltonians.js"),
    include_str!("../../report/profiles.js"),
    include_str!("../../report/comparisons.js"),
    include_str!("../../report/samplers.js"),
    include_str!("../../report/page.js"),
];

/// The page.
pub fn page(data: &Data) -> Result<String> {
    let mut templates = Environment::new();
    templates.add_template("page.html", include_str!("../../report/page.html"))?;
    let scripts: Vec<String> = LIBRARIES.iter().map(|library| format!("<script>{library}</script>")).collect();
    Ok(templates.get_template("page.html")?.render(context! {
        title => data.name,
        style => STYLES.join("\n"),
        libraries => scripts.join("\n"),
        // A less-than sign in a string could end the element that the data is in.
        data => serde_json::to_string(data)?.replace('<', "\\u003c"),
        script => SCRIPTS.join("\n"),
    })?)
}
