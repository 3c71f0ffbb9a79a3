//! `harness report`: a results folder for people.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Result;
use clap::Args;
use harness::report::report as write;
use harness::results::Folder;

use super::{BAD_INPUT, OK};

/// Between two looks at a sweep that is going.
const PAUSE: Duration = Duration::from_secs(5);

#[derive(Args)]
#[command(
    after_help = "Example: harness report results/first-look\n         harness report results/first-look --watch"
)]
pub struct ReportArgs {
    /// Results folder.
    pub dir: PathBuf,
    /// Leave out lines of runs.csv that cannot be read, instead of refusing.
    #[arg(long)]
    pub skip_broken: bool,
    /// Write it again every few seconds, until every cell has a result.
    #[arg(long)]
    pub watch: bool,
}

pub fn report(args: &ReportArgs) -> Result<u8> {
    let folder = Folder::at(&args.dir);
    let stop = Arc::new(AtomicBool::new(false));
    if args.watch {
        signal_hook::flag::register(signal_hook::consts::SIGINT, Arc::clone(&stop))?;
    }
    loop {
        let written = write(&folder, args.skip_broken)?;
        for line in &written.broken {
            eprintln!("left out: {line}");
        }
        let left = written.unfinished;
        if !args.watch || left == 0 || stop.load(Ordering::Relaxed) {
            println!("report: {}", written.html.display());
            println!("text:   {}", written.markdown.display());
            return Ok(if written.broken.is_empty() { OK } else { BAD_INPUT });
        }
        eprintln!("{left} cells to go: {}", written.html.display());
        let tick = Duration::from_millis(100);
        let mut waited = Duration::ZERO;
        while waited < PAUSE && !stop.load(Ordering::Relaxed) {
            std::thread::sleep(tick);
            waited += tick;
        }
    }
}
