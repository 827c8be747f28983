//! What a command may use, and the ranges a teacher may choose from.

use serde::{Deserialize, Serialize};

const MIB: u64 = 1 << 20;

/// Longest CPU time of a test, in milliseconds.
pub const MAX_CPU_TIME_MS: u64 = 60_000;
/// Longest wall time of a test, in milliseconds.
pub const MAX_WALL_TIME_MS: u64 = 120_000;
/// Longest CPU time of a compilation, in milliseconds.
pub const MAX_COMPILE_CPU_TIME_MS: u64 = 300_000;
/// Longest wall time of a compilation, in milliseconds.
pub const MAX_COMPILE_WALL_TIME_MS: u64 = 600_000;
/// Least memory, in bytes.
pub const MIN_MEMORY_BYTES: u64 = 8 * MIB;
/// Most output, in bytes.
pub const MAX_OUTPUT_BYTES: u64 = 16 * MIB;
/// Most processes and threads at one time.
pub const MAX_PROCESSES: u32 = 512;

/// Hard limits of one command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// CPU time of all its processes together, in milliseconds.
    pub cpu_time_ms: u64,
    /// Wall time, in milliseconds.
    pub wall_time_ms: u64,
    /// Memory of all its processes together, in bytes.
    pub memory_bytes: u64,
    /// Standard output and error together, in bytes.
    pub output_bytes: u64,
    /// Processes and threads at one time.
    pub processes: u32,
}

/// Limits that a request or an exercise names; what is left out is taken from elsewhere.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LimitChoice {
    /// As in [`Limits`].
    pub cpu_time_ms: Option<u64>,
    /// As in [`Limits`].
    pub wall_time_ms: Option<u64>,
    /// As in [`Limits`].
    pub memory_bytes: Option<u64>,
    /// As in [`Limits`].
    pub output_bytes: Option<u64>,
    /// As in [`Limits`].
    pub processes: Option<u32>,
}

/// A limit outside its range: its field's name and the range in words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field} must be between {least} and {most}")]
pub struct OutOfRange {
    /// Field of [`LimitChoice`].
    pub field: &'static str,
    /// Least allowed value.
    pub least: u64,
    /// Greatest allowed value.
    pub most: u64,
}

impl LimitChoice {
    /// These limits where named, else those of `base`, none above `maximum`.
    ///
    /// A wall time that isn't named follows a CPU time that is: twice it and a second more, at least
    /// that of `base`, so that raising the CPU time alone has the effect it promises.
    pub fn over(&self, base: &Limits, maximum: &Limits) -> Limits {
        let cpu_time_ms = self.cpu_time_ms.unwrap_or(base.cpu_time_ms).min(maximum.cpu_time_ms);
        let followed = self.cpu_time_ms.map_or(base.wall_time_ms, |cpu| {
            base.wall_time_ms.max(cpu.saturating_mul(2).saturating_add(1000))
        });
        Limits {
            cpu_time_ms,
            wall_time_ms: self.wall_time_ms.unwrap_or(followed).min(maximum.wall_time_ms),
            memory_bytes: self.memory_bytes.unwrap_or(base.memory_bytes).min(maximum.memory_bytes),
            output_bytes: self.output_bytes.unwrap_or(base.output_bytes).min(maximum.output_bytes),
            processes: self.processes.unwrap_or(base.processes).min(maximum.processes),
        }
    }

    /// The fields outside the ranges of a test (or, with `compile`, of a compilation).
    ///
    /// * `most_memory_bytes` — the greatest maximum among the runtimes concerned.
    pub fn out_of_range(&self, ranges: &Ranges, most_memory_bytes: u64) -> Vec<OutOfRange> {
        let fields = [
            ("cpu_time_ms", self.cpu_time_ms, 1, ranges.cpu_time_ms),
            ("wall_time_ms", self.wall_time_ms, 1, ranges.wall_time_ms),
            ("memory_bytes", self.memory_bytes, MIN_MEMORY_BYTES, most_memory_bytes),
            ("output_bytes", self.output_bytes, 1, MAX_OUTPUT_BYTES),
            ("processes", self.processes.map(u64::from), 1, u64::from(MAX_PROCESSES)),
        ];
        fields
            .into_iter()
            .filter_map(|(field, value, least, most)| {
                let value = value?;
                (value < least || value > most).then_some(OutOfRange { field, least, most })
            })
            .collect()
    }
}

/// The greatest times that may be named.
#[derive(Clone, Copy, Debug)]
pub struct Ranges {
    cpu_time_ms: u64,
    wall_time_ms: u64,
}

impl Ranges {
    /// Those of a test or a run.
    pub const RUN: Self = Self { cpu_time_ms: MAX_CPU_TIME_MS, wall_time_ms: MAX_WALL_TIME_MS };
    /// Those of a compilation.
    pub const COMPILE: Self =
        Self { cpu_time_ms: MAX_COMPILE_CPU_TIME_MS, wall_time_ms: MAX_COMPILE_WALL_TIME_MS };
}

#[cfg(test)]
mod tests {
    use super::{LimitChoice, Limits, Ranges};

    const BASE: Limits = Limits {
        cpu_time_ms: 1000,
        wall_time_ms: 3000,
        memory_bytes: 1 << 28,
        output_bytes: 65536,
        processes: 16,
    };
    const MOST: Limits = Limits {
        cpu_time_ms: 60000,
        wall_time_ms: 120_000,
        memory_bytes: 1 << 30,
        output_bytes: 1 << 24,
        processes: 512,
    };

    #[test]
    fn zero_is_an_error_and_not_infinite() {
        let choice = LimitChoice { cpu_time_ms: Some(0), ..LimitChoice::default() };

        let wrong = choice.out_of_range(&Ranges::RUN, MOST.memory_bytes);

        assert_eq!(wrong.first().map(|w| w.field), Some("cpu_time_ms"));
    }

    #[test]
    fn a_raised_cpu_time_raises_the_wall_time_that_is_not_named() {
        let choice = LimitChoice { cpu_time_ms: Some(5000), ..LimitChoice::default() };

        assert_eq!(choice.over(&BASE, &MOST).wall_time_ms, 11_000);
    }
}
