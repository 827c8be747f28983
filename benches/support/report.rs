//! What a bench prints: Markdown tables of times, ratios and targets.

use super::series::{Series, Spread};

/// What a figure should be.
#[derive(Clone, Copy, Debug)]
pub enum Target {
    AtMost(f64),
    AtLeast(f64),
}

/// Prints a heading and the head of a table of times.
pub fn times(title: &str) {
    println!("\n### {title}\n\n| | middle | p95 |\n|---|---:|---:|");
}

/// Prints a row of a table of times.
pub fn time(name: &str, series: &Series) {
    let (middle, slow) = series.middle_and_slow();
    println!("| {name} | {} | {} |", millis(middle), millis(slow));
}

/// Prints the head of a table of figures.
pub fn figures() {
    println!("\n| | middle of the rounds | range | target | |\n|---|---:|---:|---:|---|");
}

/// Prints a ratio and whether it meets its target.
pub fn figure(name: &str, spread: Spread, unit: &str, target: Option<Target>) {
    let Spread { middle, least, most } = spread;
    let digits = if most >= 20.0 { 0 } else { 2 };
    let (wanted, met) = match target {
        None => (String::new(), ""),
        Some(Target::AtMost(limit)) => (format!("≤ {limit}{unit}"), met(middle <= limit)),
        Some(Target::AtLeast(limit)) => (format!("≥ {limit}{unit}"), met(middle >= limit)),
    };
    println!("| {name} | {middle:.digits$}{unit} | {least:.digits$}–{most:.digits$} | {wanted} | {met} |");
}

const fn met(is_met: bool) -> &'static str {
    if is_met { "met" } else { "**missed**" }
}

fn millis(value: f64) -> String {
    let digits = if value < 10.0 { 3 } else { 1 };
    format!("{value:.digits$} ms")
}
