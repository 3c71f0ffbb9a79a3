//! report.md: what the page says, for a terminal, a pull request or a model to read.

use super::data::Data;
use crate::statistics::Interval;
use crate::table::Figure;
use crate::table::Group;

/// Columns of a table that people can still read.
const MOST_COLUMNS: usize = 7;
/// Failed cells that are listed one by one.
const MOST_FAILED: usize = 50;

/// The text.
pub fn markdown(data: &Data) -> String {
    let mut text = format!("# {}\n\n", escaped(&data.name));
    let planned: usize = data.counts.iter().map(|count| count.cells).sum();
    let counts: Vec<String> = data.counts.iter().map(|count| format!("{} {}", count.cells, count.status)).collect();
    text += &format!("{planned} cells planned: {}.\n\n", if planned == 0 { "none".into() } else { counts.join(", ") });
    for remark in &data.provenance {
        text += &format!("- **{}**: {}\n", remark.level, escaped(&remark.text));
    }
    for machine in &data.machines {
        text += &format!(
            "- {} cells on {}, {} cores{}; harness {}, protocol {}; commit {}{}; {} jobs of {} threads\n",
            machine.cells,
            machine.cpu.as_deref().unwrap_or("an unknown processor"),
            machine.cores,
            machine.gpu.as_ref().map(|gpu| format!(", {}", escaped(gpu))).unwrap_or_default(),
            machine.harness,
            machine.protocol,
            machine.git.as_deref().unwrap_or("unknown"),
            if machine.dirty == Some(true) { " with changes" } else { "" },
            machine.jobs,
            machine.threads,
        );
    }
    text += &table(data);
    text += &comparisons(data);
    text + &failures(data)
}

fn table(data: &Data) -> String {
    let shown: Vec<(usize, &Figure)> = data
        .metrics
        .iter()
        .enumerate()
        .filter(|&(i, figure)| figure.shown && differs(data, i))
        .take(MOST_COLUMNS)
        .collect();
    if data.groups.is_empty() {
        return String::new();
    }
    let heading = |figure: &Figure| match figure.unit {
        "" => figure.title.clone(),
        unit => format!("{} ({unit})", figure.title),
    };
    let mut text = "\n## Results\n\nInterquartile mean over seeds that ended `ok`, with a 95 % bootstrap interval. `ok` counts them.\n\n".to_owned();
    let headings: Vec<String> = shown.iter().map(|(_, figure)| heading(figure)).collect();
    text +=
        &format!("| flow | target | ok | {} |\n|---|---|--:|{}\n", headings.join(" | "), "--:|".repeat(shown.len()));
    for group in &data.groups {
        let cells: Vec<String> = shown.iter().map(|&(i, _)| group.stats[i].map(number).unwrap_or_default()).collect();
        text += &format!(
            "| {} | {} | {} | {} |\n",
            escaped(&group.label),
            escaped(&group.target),
            survivors(group),
            cells.join(" | ")
        );
    }
    text
}

/// Whether a figure tells groups apart.
fn differs(data: &Data, figure: usize) -> bool {
    let mut middles = data.groups.iter().map(|group| group.stats[figure].map(|interval| interval.mid));
    let first = middles.next();
    data.groups.len() < 2 || middles.any(|middle| Some(middle) != first)
}

fn survivors(group: &Group) -> String {
    format!("{} of {}", group.ok, group.planned)
}

fn comparisons(data: &Data) -> String {
    if data.paired.is_empty() {
        return String::new();
    }
    let mut text = "\n## Settings compared\n\nMean difference over pairs of cells that differ in nothing else, with a 95 % bootstrap interval. \
                    An interval that contains 0 is no proof of equality: `visible` is the smallest difference that four of five such experiments would have seen.\n\n\
                    | setting | from | to | figure | difference | pairs | lost | visible |\n|---|---|---|---|--:|--:|--:|--:|\n"
        .to_owned();
    for pair in &data.paired {
        let title =
            data.metrics.iter().find(|figure| figure.key == pair.metric).map_or(&pair.metric, |figure| &figure.title);
        let difference = number(Interval { mid: pair.effect, low: pair.low, high: pair.high, n: pair.pairs });
        let smallest = pair.smallest.map(|smallest| digits(smallest, smallest)).unwrap_or_default();
        let words = [&pair.title, &pair.from, &pair.to, title].map(|text| escaped(text));
        text += &format!("| {} | {difference} | {} | {} | {smallest} |\n", words.join(" | "), pair.pairs, pair.lost);
    }
    text
}

fn failures(data: &Data) -> String {
    let failed: Vec<_> = data.cells.iter().filter(|cell| cell.status != "ok").collect();
    if failed.is_empty() {
        return String::new();
    }
    let mut text = "\n## Cells that did not end `ok`\n\n| cell | flow | target | seed | status | why |\n|---|---|---|--:|---|---|\n".to_owned();
    for cell in failed.iter().take(MOST_FAILED) {
        let group = &data.groups[cell.group];
        let detail = escaped(cell.detail.as_deref().unwrap_or_default());
        text += &format!(
            "| `{}` | {} | {} | {} | {} | {detail} |\n",
            cell.id,
            escaped(&group.label),
            escaped(&group.target),
            cell.seed,
            cell.status
        );
    }
    if failed.len() > MOST_FAILED {
        text += &format!("\n… and {} more: `runs.csv` has them all.\n", failed.len() - MOST_FAILED);
    }
    text
}

/// A middle and its interval, to the digits that the interval leaves meaning to.
fn number(interval: Interval) -> String {
    let Interval { mid, low, high, .. } = interval;
    match low.zip(high) {
        Some((low, high)) if low < high => {
            let width = high - low;
            format!("{} [{}, {}]", digits(mid, width), digits(low, width), digits(high, width))
        }
        _ if mid.fract() == 0.0 => format!("{mid}"),
        _ => digits(mid, mid.abs() / 10.0),
    }
}

/// Two digits of `width` more than before its first one; in powers of ten where a number is very large or small.
fn digits(value: f64, width: f64) -> String {
    let size = value.abs().max(width.abs());
    if size != 0.0 && !(1e-3..1e6).contains(&size) {
        return format!("{value:.1e}");
    }
    let places = if width > 0.0 { (1.0 - width.log10().floor()).clamp(0.0, 6.0) as usize } else { 3 };
    format!("{value:.places$}")
}

/// Text that cannot end a table's cell or start markup.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('|', "\\|").replace('<', "&lt;").replace(['\n', '\r'], " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_follow_the_interval() {
        let of = |mid, low, high| number(Interval { mid, low: Some(low), high: Some(high), n: 3 });
        assert_eq!(of(1.23456, 1.2, 1.29), "1.235 [1.200, 1.290]");
        assert_eq!(of(123.456, 100.0, 140.0), "123 [100, 140]");
        assert_eq!(of(1e9, 9e8, 2e9), "1.0e9 [9.0e8, 2.0e9]");
        assert_eq!(number(Interval { mid: 0.5, low: None, high: None, n: 1 }), "0.500");
        assert_eq!(of(10_000.0, 10_000.0, 10_000.0), "10000");
    }

    #[test]
    fn text_stays_in_its_cell() {
        assert_eq!(escaped("a|b\n<script>"), "a\\|b &lt;script>");
    }
}
